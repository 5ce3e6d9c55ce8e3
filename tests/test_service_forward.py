"""Statements oldest first: the newest-first ones read the other way, in pages of any size, now and at any moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, NamedTuple

import psycopg
import pytest
import service_worlds
import test_service_browsing
from service_worlds import MARKET, done, journal_of, micro, orders, running

from rangli.errors import AccountNotFound, FieldRefused
from rangli.service import Running, Service
from rangli.service.looking import chains
from rangli.service.looking.chains import Chain
from rangli.service.looking.forward import Forward, Place
from rangli.service.requests import InjectionRequest, RefundRequest
from rangli.service.views import EntryView

house = service_worlds.house
url = service_worlds.url
service = test_service_browsing.service

SURPLUS = "platform:surplus"
ASKED_MAX = 1_000
"""Pages of a statement, and asks for those that wait."""
STATEMENTS_MAX = 6
"""Of a page: two walks, a look at the holder, one through the journal, the entries, and when the last decision seen was made."""


class Way(NamedTuple):
    """How a statement's decisions are found."""

    steps: int
    look: int
    is_searched: Callable[[Chain, int], bool] | None = None
    wait: int = 1 << 18


WAYS = {
    "down the chain at once": Way(1 << 11, 1 << 15),
    "down the chain, a step an ask": Way(1, 1 << 15, lambda _, __: False),
    "through the journal": Way(1, 1 << 15, lambda _, __: True),
    "through the journal, three decisions a page": Way(1, 3, lambda _, __: True),
    "as it shows on the way": Way(1, 8),
    "down the chain, and through the journal when that is long": Way(1, 3, wait=4),
}


@contextmanager
def going(programme: Running, way: Way) -> Iterator[None]:
    """Statements of the programme are read in this way, and nothing of them is known yet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chains, "STEPS_MAX", way.steps)
        patch.setattr(chains, "LOOK_MAX", way.look)
        patch.setattr(chains, "WAIT_STEPS", way.wait)
        if way.is_searched is not None:
            patch.setattr(Chain, "is_searched", way.is_searched)
        patch.setattr(programme.money, "_forward", Forward(programme._database, programme.number))
        yield


def forward(programme: Running, path: str, limit: int = 100, at: int | None = None, cursor: str = "") -> list[EntryView]:
    """Page after page, and each that waits is asked for again."""
    entries: list[EntryView] = []
    for _ in range(ASKED_MAX):
        page = programme.money.statement_forward(path, cursor, limit, at=at)
        assert len(page.found) <= limit
        assert len(page.found) == limit or not page.next or page.is_waiting or page.upto
        entries += page.found
        cursor = page.next
        if not cursor:
            return entries
    pytest.fail(f"the statement of {path} does not end")


def backward(programme: Running, path: str, at: int | None = None) -> list[EntryView]:
    """The newest-first statement, in one page, turned round."""
    page = programme.statement(path, limit=1000) if at is None else programme.money.statement_at(path, at, 1000)
    assert not page.next
    return page.entries[::-1]


def accounts_of(programme: Running) -> list[str]:
    """Every account that was ever touched."""
    return sorted({path for one in journal_of(programme) for line in one.transfers for path in (line.source, line.destination)})


@contextmanager
def statements() -> Iterator[list[str]]:
    """The SQL statements that are made meanwhile; a pool asks nothing when it looks whether its connection is alive."""
    made: list[str] = []
    execute = psycopg.Cursor.execute

    def noted(cursor: Any, query: Any, *args: Any, **more: Any) -> Any:  # noqa: ANN401
        if query not in ("", "SELECT 1"):
            made.append(str(query))
        return execute(cursor, query, *args, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg.Cursor, "execute", noted)
        yield made


# ---------------------------------------------------------------- the same statement


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["market", "season"])
def test_a_statement_oldest_first_is_the_newest_first_one_turned_round(service: Service, name: str, way: str) -> None:
    """For every account: each entry once, with the balance after it; whatever was known before, in pages of any size."""
    programme = service.running(name)
    for path in accounts_of(programme):
        plain = backward(programme, path)
        for sizes in ((3,), (100, 1)):
            with going(programme, WAYS[way]):
                for size in sizes:
                    assert plain == forward(programme, path, size), (path, sizes)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["market", "season"])
def test_a_statement_as_it_stood_is_turned_round_too(service: Service, name: str, way: str) -> None:
    """After several decisions, before the first of all among them, with what the account held."""
    programme = service.running(name)
    with going(programme, WAYS[way]):
        for number, path in enumerate(accounts_of(programme)):
            for at in (0, *range(1 + number % 5, programme.position() + 1, 9), programme.position()):
                plain = backward(programme, path, at)
                held = programme.money.held_at(path, at)

                assert plain == forward(programme, path, 1 + number % 4, at), (path, at)
                assert micro(held.balance) == (micro(plain[-1].balance) if plain else 0)
                assert (path, at) == (held.account, held.position)


def test_a_page_may_end_inside_a_decision(service: Service) -> None:
    """A refund has several entries of one account: the page after goes on with the next of them, and with the right balance."""
    cut = 0
    for programme in (service.running("market"), service.running("season")):
        for path in accounts_of(programme):
            entries = backward(programme, path)
            for place, (one, other) in enumerate(pairwise(entries), 1):
                if one.position == other.position:
                    following = programme.money.statement_forward(path, limit=place).next
                    cut += one.kind == "refund"

                    assert entries[place:] == forward(programme, path, 2, cursor=following)
    assert cut > 3


def test_an_account_that_nothing_touched_has_an_empty_statement(service: Service) -> None:
    """And one that there is not is refused, as is a moment that never was."""
    market = service.running("market")

    assert [] == forward(market, "consumer:c1:vouchers")
    assert "0.00" == market.money.held_at("consumer:c1:vouchers", 5).balance
    for ask in (market.money.statement_forward, lambda path: market.money.held_at(path, 1)):
        with pytest.raises(AccountNotFound):
            ask("consumer:nobody:wallet")
    for at in (-1, 10_000):
        with pytest.raises(FieldRefused, match="at"):
            market.money.statement_forward(SURPLUS, at=at)
        with pytest.raises(FieldRefused, match="at"):
            market.money.held_at(SURPLUS, at)


# ---------------------------------------------------------------- on the way


def test_a_long_walk_is_waited_for_and_each_ask_goes_on_with_it(service: Service) -> None:
    """Before its beginning is found nothing can be shown; the page says how far it is, and it ends."""
    market = service.running("market")
    plain = backward(market, SURPLUS)
    with going(market, WAYS["down the chain, a step an ask"]):
        percents, cursor = [], ""
        for _ in range(ASKED_MAX):
            page = market.money.statement_forward(SURPLUS, cursor, 7)
            if not page.is_waiting:
                break
            assert ([], "start", "") == (page.found, page.next, page.upto)
            percents.append(page.percent)
            cursor = page.next

        assert len(percents) > 10
        assert sorted(set(percents)) == percents
        assert 100 > percents[-1]
        assert plain[:7] == page.found


def test_nobody_waits_for_a_walk_without_end(service: Service) -> None:
    """After so many steps the journal is looked through, however thinly the account's decisions lie."""
    market = service.running("market")
    with going(market, Way(1, 1, wait=4)):
        first, second = (market.money.statement_forward(SURPLUS) for _ in range(2))

        assert first.is_waiting
        assert not second.is_waiting
        assert second.upto


def test_a_page_that_found_less_says_how_far_it_looked(service: Service) -> None:
    """And goes on there, also when there was nothing."""
    market = service.running("market")
    touched = {entry.position for entry in backward(market, "platform:funding")}
    with going(market, WAYS["through the journal, three decisions a page"]):
        percents, cursor, empty = [], "", 0
        for _ in range(ASKED_MAX):
            page = market.money.statement_forward("platform:funding", cursor)
            cursor = page.next
            if not cursor:
                break
            assert page.upto.endswith("Z")
            percents.append(page.percent)
            empty += not page.found

        assert touched == {entry.position for entry in page.found}
        assert len(percents) == empty > 3
        assert sorted(set(percents)) == percents


def test_what_is_searched_begins_where_its_holder_came(url: str) -> None:
    """A great shop that opened late is not looked for in all the years before."""
    with running(url, MARKET) as programme, going(programme, WAYS["through the journal, three decisions a page"]):
        done(programme.do(orders(range(40))))
        done(programme.do(orders(range(40, 44), merchant="茶馆")))

        page = programme.money.statement_forward("merchant:茶馆:concession")
        assert [42, 43, 44] == sorted({entry.position for entry in page.found})


def test_few_decisions_are_walked_to_and_many_are_searched(url: str) -> None:
    """What hardly moves is found by its own chain, be it an institution's; what always moves is never walked down."""
    with running(url, MARKET) as programme, going(programme, Way(8, 64)):
        done(programme.do([InjectionRequest("i1", "1"), *orders(range(60)), InjectionRequest("i2", "1")]))
        number = programme.money._recovered().standing.programme.accounts.account
        known = programme.money._forward._chains._kept
        for path in (SURPLUS, "platform:funding"):
            for _ in range(3):
                programme.money.statement_forward(path, limit=5)

        assert 8 == len(known[number(SURPLUS)].above)
        assert [2, 63] == known[number("platform:funding")].known.tolist()


@pytest.mark.parametrize("way", WAYS)
def test_entries_that_come_between_two_pages_disturb_no_other(url: str, way: str) -> None:
    """They follow at the end, and a page of an earlier moment never shows them."""
    with running(url, MARKET) as programme, going(programme, WAYS[way]):
        done(programme.do(orders(range(6))))
        found: list[EntryView] = []
        cursor, more = "", 6
        for _ in range(ASKED_MAX):
            page = programme.money.statement_forward(SURPLUS, cursor, 3)
            found += page.found
            cursor = page.next
            if not cursor:
                break
            if more < 12:
                done(programme.do([*orders(range(more, more + 1)), RefundRequest(f"r{more}", f"o{more}", "1")]))
                more += 1

        assert backward(programme, SURPLUS) == found
        assert backward(programme, SURPLUS, 7) == forward(programme, SURPLUS, 4, at=7)


def test_what_memory_has_no_room_for_is_walked_again(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The chain that nobody asked for longest is forgotten; its statement stays what it is."""
    market = service.running("market")
    monkeypatch.setattr(chains, "KEPT_MAX", 300)
    with going(market, WAYS["down the chain at once"]):
        for path in accounts_of(market):
            assert backward(market, path) == forward(market, path, 10)
            kept = market.money._forward._chains

            assert sum(map(chains._size, kept._kept.values())) == kept._size <= 300
        assert 1 < len(kept._kept) < len(accounts_of(market))


@pytest.mark.parametrize("way", WAYS)
def test_a_page_makes_few_statements_whatever_its_size(service: Service, way: str) -> None:
    """The first one of an account and one in its middle, of one entry or of a thousand."""
    market = service.running("market")
    with going(market, WAYS[way]):
        for limit in (1, 10, 1000):
            for path in accounts_of(market):
                cursor = ""
                for _ in range(3):
                    with statements() as made:
                        cursor = market.money.statement_forward(path, cursor, limit).next

                    assert len(made) <= STATEMENTS_MAX


# ---------------------------------------------------------------- cursors


def test_a_cursor_that_was_changed_is_refused(service: Service) -> None:
    """The balance of a page is what its cursor says: whoever could write one could put any balance on a page."""
    market = service.running("market")
    cursor = market.money.statement_forward(SURPLUS, limit=3).next
    position, line, held, tag = cursor.split(".")
    forged = (
        f"{int(position) + 1}.{line}.{held}.{tag}",
        f"{position}.{int(line) + 1}.{held}.{tag}",
        f"{position}.{line}.9{held}.{tag}",
        f"{position}.{line}.{held}.{tag[::-1]}",
        f"{position}.{line}.{held}.",
        f"{position}.{line}.{held}",
        f"0{cursor}",
        f"{cursor} ",
    )

    for text in forged:
        with pytest.raises(FieldRefused, match="cursor"):
            market.money.statement_forward(SURPLUS, text)
    assert backward(market, SURPLUS)[3:] == forward(market, SURPLUS, cursor=cursor)


def test_a_cursor_of_another_statement_is_refused(service: Service) -> None:
    """Of another account, another programme, the other order, or of before a restart."""
    market, season = service.running("market"), service.running("season")
    cursors = [
        market.money.statement_forward("programme:pool", limit=1).next, season.money.statement_forward(SURPLUS, limit=1).next,
        market.statement(SURPLUS, limit=1).next, Forward(market._database, market.number)._cursor(0, Place()),
    ]  # fmt: skip

    assert Counter(map(bool, cursors)) == {True: 4}
    for cursor in cursors:
        with pytest.raises(FieldRefused, match="cursor"):
            market.money.statement_forward(SURPLUS, cursor)


@pytest.mark.parametrize("cursor", ["x", "1.1.0", "...", "字", "\ud800", "1.1.0.字", "\0", "A" * 10_000])
def test_a_cursor_that_is_none_is_refused(service: Service, cursor: str) -> None:
    """Whatever comes back from a browser."""
    with pytest.raises(FieldRefused, match="cursor"):
        service.running("market").money.statement_forward(SURPLUS, cursor)
