"""Lists in the order of a value: over all rows and not over a page, with ties, with filters, in pages of any size."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import service_worlds
from service_worlds import MARKET, NOON, SECRET, House, done, journal_of, micro, opened, order, orders, running
from test_service_browsing import DAY, all_orders, plainly, short

from rangli.errors import FieldRefused
from rangli.service import Running
from rangli.service.clock import SetClock
from rangli.service.looking import browsing, holdings, stretches
from rangli.service.looking import money as looking
from rangli.service.looking.browsing import LARGEST, SMALLEST, Looked, OrdersWanted
from rangli.service.looking.holdings import AccountLine, AccountsWanted
from rangli.service.looking.money import QueueLine
from rangli.service.requests import InjectionRequest, RefundRequest, Request, SaleRequest

house = service_worlds.house
url = service_worlds.url

SIZES = (1, 3, 100)


def amounts(numbers: range, **facts: str) -> list[Request]:
    """Orders of three amounts, so that most are equal."""
    shops = "面馆", "茶馆"
    return [
        order(f"o{i}", amount=("50", "75.50", "300")[i * i % 3], consumer=f"c{i % 4}", merchant=shops[i % 2], **facts)
        for i in numbers
    ]


LIFE: list[list[Request]] = [
    amounts(range(20)),
    [RefundRequest("r1", "o1", "10"), RefundRequest("r2", "o2"), InjectionRequest("i1", "12.34"), *amounts(range(20, 34))],
    [SaleRequest("s1", "c2", "0.5"), RefundRequest("r3", "o21", "1.23"), *amounts(range(34, 50))],
]
"""Decisions by day, from NOON's on."""


@pytest.fixture(scope="module")
def market(house: House) -> Iterator[Running]:
    """Three days of orders, in stretches of eight decisions."""
    clock = SetClock(NOON)
    with house.database() as url, opened(url, clock) as service:
        service.create("market", MARKET, secret=SECRET)
        market = service.running("market")
        short(market)
        for day in LIFE:
            done(market.do(day))
            clock.advance(DAY)
        yield market


def joined(page: Callable[[str, int], Looked], limit: int) -> list[object]:
    """Page after page."""
    found: list[object] = []
    cursor = ""
    while True:
        some = page(cursor, limit)
        found += some.found
        cursor = some.next
        if not cursor:
            return found


# ---------------------------------------------------------------- orders


NARROWED = (
    OrdersWanted(), OrdersWanted(merchant="茶馆"), OrdersWanted(consumer="c1", least="60"), OrdersWanted(most="75.50"),
    OrdersWanted(status="partly_refunded"), OrdersWanted(status="settled", merchant="面馆"), OrdersWanted(since="2026-01-06"),
    OrdersWanted(since="2026-01-06", until="2026-01-06", status="settled"), OrdersWanted(until="2020-01-01"),
)  # fmt: skip


@pytest.mark.parametrize("sort", [LARGEST, SMALLEST])
@pytest.mark.parametrize("limit", SIZES)
def test_orders_by_amount_are_those_of_all_days_in_order(market: Running, sort: str, limit: int) -> None:
    """Equal amounts are cut by pages wherever it happens; refunds change a status and no place."""
    for narrowed in NARROWED:
        wanted = narrowed._replace(sort=sort)

        assert plainly(market, wanted) == [line.order_id for line in all_orders(market, wanted, limit)], wanted


def test_orders_that_come_between_two_pages_disturb_no_other(url: str) -> None:
    """Each that was there is listed once; one that comes is there if its place is still ahead."""
    with running(url, MARKET) as programme:
        done(programme.do(amounts(range(12))))
        wanted = OrdersWanted(sort=LARGEST)
        before = plainly(programme, wanted)
        first = programme.browsing.orders(wanted, limit=5)
        done(programme.do([order("great", amount="9999"), order("small", amount="1")]))
        rest = [line.order_id for line in all_orders(programme, wanted)]

        assert [line.order_id for line in first.found] == before[:5]
        found = []
        cursor = first.next
        while cursor:
            page = programme.browsing.orders(wanted, cursor, 2)
            found += [line.order_id for line in page.found]
            cursor = page.next
        assert [*before[5:], "small"] == found
        assert ["great", *before, "small"] == rest


def test_by_amount_nothing_is_shown_before_everything_is_read(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The largest order may be the last that is read. Each ask reads a bit more, so it ends, also while orders come."""
    with running(url, MARKET) as programme:
        done(programme.do(orders(range(100))))
        short(programme)
        monkeypatch.setattr(programme.browsing._heads, "fill", lambda *_: None)
        wanted, percents, cursor = OrdersWanted(sort=SMALLEST, merchant="面馆"), [], ""
        for asked in range(20):
            page = programme.browsing.orders(wanted, cursor, 7)
            if not page.is_waiting:
                break
            assert ([], "start", "") == (page.found, page.next, page.upto)
            percents.append(page.percent)
            cursor = page.next
            done(programme.do([order(f"new{asked}", amount="1")]))

        assert 5 <= len(percents) <= 8
        assert sorted(set(percents)) == percents
        assert 100 > percents[-1]
        assert plainly(programme, wanted)[:7] == [line.order_id for line in page.found]


def test_what_is_waited_for_is_read_in_the_background_too(url: str) -> None:
    """One who asks again a moment later waits no longer; by time, nobody ever waits for all of it."""
    with running(url, MARKET) as programme:
        done(programme.do(orders(range(100))))
        short(programme)
        wanted = OrdersWanted(sort=LARGEST)

        assert programme.browsing.orders(wanted).is_waiting
        assert programme.browsing.wait_filled(20)
        page = programme.browsing.orders(wanted, "start")
        assert plainly(programme, wanted) == [line.order_id for line in page.found]
        assert not programme.browsing.orders(OrdersWanted()).is_waiting


def test_more_than_memory_has_room_for_is_refused_with_what_helps(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be read again and again and never end; fewer days are."""
    monkeypatch.setattr(stretches, "KEPT_MAX", 4)
    clock = SetClock(NOON)
    with house.database() as url, running(url, MARKET, clock=clock) as programme:
        for day in range(4):
            done(programme.do(orders(range(16 * day, 16 * day + 16))))
            clock.advance(DAY)
        short(programme)
        all_days, one_day = OrdersWanted(sort=LARGEST), OrdersWanted(sort=LARGEST, since="2026-01-06", until="2026-01-06")

        with pytest.raises(FieldRefused, match="narrow the days") as refused:
            programme.browsing.orders(all_days)
        assert "sort" == refused.value.field
        assert plainly(programme, one_day) == [line.order_id for line in all_orders(programme, one_day, 3)]
        with pytest.raises(FieldRefused, match="narrow the days"):
            programme.browsing.orders(all_days)


def test_a_cursor_of_another_order_is_refused(market: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """A position says nothing about amounts, nor an amount about positions; not even while one waits."""
    by_time, by_amount = (market.browsing.orders(OrdersWanted(sort=sort), limit=2).next for sort in ("newest", LARGEST))
    for wanted, cursor in ((OrdersWanted(sort=SMALLEST), by_time), (OrdersWanted(), by_amount), (OrdersWanted(), "start")):
        with pytest.raises(FieldRefused, match="cursor"):
            market.browsing.orders(wanted, cursor)
    monkeypatch.setattr(browsing, "FRESH_MAX", 0)
    short(market)
    with pytest.raises(FieldRefused, match="cursor"):
        market.browsing.orders(OrdersWanted(sort=LARGEST), by_time)


@pytest.mark.parametrize("status", ["held", "cancelled"])
@pytest.mark.parametrize("sort", [LARGEST, SMALLEST])
def test_held_and_cancelled_orders_are_not_sorted_by_amount(market: Running, status: str, sort: str) -> None:
    """A page can look at some of them only, and would say so of none."""
    with pytest.raises(FieldRefused, match="sort"):
        market.browsing.orders(OrdersWanted(status=status, sort=sort))


# ---------------------------------------------------------------- accounts


def plain_accounts(programme: Running) -> dict[str, tuple[int, int, int]]:
    """What each account holds, the last decision that touched it, and its number; by adding up and by asking."""
    held: dict[str, int] = {}
    last: dict[str, int] = {}
    for decision in journal_of(programme):
        for line in decision.transfers:
            for path, amount in ((line.source, -micro(line.amount)), (line.destination, micro(line.amount))):
                held[path] = held.get(path, 0) + amount
                last[path] = decision.position
    number = programme.money._recovered().standing.programme.accounts.account
    return {path: (held[path], last[path], number(path)) for path in held}


ACCOUNT_SORTS = {
    "largest": (0, True), "smallest": (0, False), "latest": (1, True), "earliest": (1, False),
}  # fmt: skip
"""By which of those facts, and whether falling."""


@pytest.mark.parametrize("most", [50_000, 5])
@pytest.mark.parametrize("limit", SIZES)
@pytest.mark.parametrize("sort", ACCOUNT_SORTS)
def test_accounts_are_sorted_by_what_they_hold_and_by_when_they_moved(
    market: Running, monkeypatch: pytest.MonkeyPatch, sort: str, limit: int, most: int
) -> None:
    """All of them, or those of a kind, a pocket, a name, however few a page may look at for a name."""
    monkeypatch.setattr(holdings, "HOLDERS_MAX", most)
    plain, (fact, is_falling) = plain_accounts(market), ACCOUNT_SORTS[sort]
    wanted: dict[AccountsWanted, Callable[[str], bool]] = {
        AccountsWanted(): lambda _: True,
        AccountsWanted("consumer"): lambda path: path.startswith("consumer:"),
        AccountsWanted("merchant", pocket="concession"): lambda path: (
            path.startswith("merchant:") and path.endswith("concession")
        ),
        AccountsWanted("institution"): lambda path: path.startswith(("platform:", "programme:")),
        AccountsWanted(name="c1"): lambda path: path.startswith("consumer:c1:"),
        AccountsWanted("agent"): lambda path: path.startswith("agent:"),
    }
    for asked, fits in wanted.items():
        expected = sorted((path for path in plain if fits(path)), key=lambda path: (plain[path][fact], plain[path][2]))
        found = joined(lambda cursor, limit, asked=asked: market.money.accounts(asked._replace(sort=sort), cursor, limit), limit)  # type: ignore[misc]

        assert (expected[::-1] if is_falling else expected) == [line.account for line in found if isinstance(line, AccountLine)]
        assert [plain[path][:2] for path in (line.account for line in found)] == [  # type: ignore[attr-defined]
            (micro(line.balance), line.last_position) for line in found if isinstance(line, AccountLine)
        ]


def test_a_page_of_accounts_that_found_no_name_says_how_far_it_looked(market: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """And goes on there."""
    monkeypatch.setattr(holdings, "HOLDERS_MAX", 4)
    for sort in holdings.SORTS:
        percents, cursor = [], ""
        while True:
            page = market.money.accounts(AccountsWanted(name="nobody", sort=sort), cursor)
            assert [] == page.found
            cursor = page.next
            if not cursor:
                break
            percents.append(page.percent)

        assert sorted(set(percents)) == percents
        assert 0 < percents[0] < percents[-1] < 100


def test_an_account_that_does_not_move_is_on_exactly_one_page(url: str) -> None:
    """Whatever others do meanwhile."""
    with running(url, MARKET) as programme:
        done(programme.do(amounts(range(12))))
        wanted = AccountsWanted(sort=LARGEST)
        before = plain_accounts(programme)
        found: list[str] = []
        cursor, more = "", 0
        while True:
            page = programme.money.accounts(wanted, cursor, 3)
            found += [line.account for line in page.found]
            cursor = page.next
            if not cursor:
                break
            done(programme.do([order(f"more{more}", consumer="c1", amount="500")]))
            more += 1
        after = plain_accounts(programme)
        stayed = [path for path, facts in before.items() if after[path] == facts]

        assert len(stayed) > 3
        assert [1] * len(stayed) == [found.count(path) for path in stayed]


def test_an_accounts_cursor_of_another_order_is_refused(market: Running) -> None:
    """The number of a holder is no balance."""
    for sort, other in (("oldest", LARGEST), (LARGEST, "newest"), ("latest", "oldest")):
        cursor = market.money.accounts(AccountsWanted(sort=sort), limit=2).next
        with pytest.raises(FieldRefused, match="cursor"):
            market.money.accounts(AccountsWanted(sort=other), cursor)


# ---------------------------------------------------------------- queues


QUEUE_SORTS: dict[str, Callable[[QueueLine], tuple[bool, int]]] = {
    "longest": lambda line: (False, -line.lots),
    "shortest": lambda line: (False, line.lots),
    "oldest": lambda line: (line.oldest_position is None, line.oldest_position or 0),
    "newest": lambda line: (line.oldest_position is None, -(line.oldest_position or 0)),
    "largest": lambda line: (False, -micro(line.pot)),
    "smallest": lambda line: (False, micro(line.pot)),
}


@pytest.mark.parametrize("limit", SIZES)
@pytest.mark.parametrize("sort", QUEUE_SORTS)
def test_queues_are_sorted_by_length_wait_and_pot(house: House, sort: str, limit: int) -> None:
    """Those in which nobody waits come last by waiting; equal ones are told apart by their pots' numbers."""
    assert tuple(QUEUE_SORTS) == looking.QUEUE_SORTS
    with house.database() as url, running(url, MARKET) as programme:
        done(
            programme.do([*amounts(range(30)), *(order(f"s{i}", merchant=f"店{i}") for i in range(6)), RefundRequest("r", "s3")])
        )
        lines = programme.money.queues(limit=1000).found
        number = programme.money._recovered().standing.programme.accounts.account
        is_falling = sort in ("longest", "newest", "largest")
        expected = sorted(
            lines, key=lambda line: (*QUEUE_SORTS[sort](line), number(line.pot_account) * (-1 if is_falling else 1))
        )  # fmt: skip

        assert any(line.oldest_position is None for line in lines)
        assert expected == joined(lambda cursor, limit: programme.money.queues("", "", cursor, limit, sort=sort), limit)
