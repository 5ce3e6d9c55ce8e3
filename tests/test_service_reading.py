"""What a service tells: statements that add up, balances of any moment, orders with their story, draws that anyone can repeat."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from fractions import Fraction
from typing import NamedTuple

import oracle
import pytest
import service_worlds
from oracle import Transfer
from service_worlds import (
    MARKET,
    NOON,
    SEASON,
    SECRET,
    House,
    changed,
    done,
    journal_of,
    micro,
    opened,
    order,
    orders,
    running,
    saved,
    transfers_of,
)

from rangli.errors import AccountNotFound, FieldRefused, OrderNotFound
from rangli.ledger import encode_name
from rangli.service import Running, Service
from rangli.service.clock import SetClock
from rangli.service.looking import reading
from rangli.service.requests import (
    ActivationRequest,
    ClosingRequest,
    InjectionRequest,
    RefundRequest,
    Request,
    SaleRequest,
)
from rangli.service.views import DecisionView, EntryView

house = service_worlds.house
url = service_worlds.url
DAY = 86_400

ODD = "老王:面馆 100%"
"""A name that a path has to encode."""
MARKET_LIFE: list[Request] = [
    *orders(range(10)), order("odd", merchant=ODD, consumer=ODD), RefundRequest("r1", "o1", "10"), SaleRequest("s1", "c2", "0.5"),
    InjectionRequest("i1", "12.34"), RefundRequest("r2", "o1"), *orders(range(10, 16)), RefundRequest("r3", "o12"),
    ActivationRequest("a1", changed(MARKET, ("pays: 80%", "pays: 70%"))), SaleRequest("s2", "c3", "1"),
]  # fmt: skip
SEASON_LIFE: list[Request] = [
    *orders(range(8)), ClosingRequest("c1", "2026-01-20"), *orders(range(8, 12), paid_at="2026-01-21"), RefundRequest("r1", "o9"),
    order("v", paid_at="2026-02-05", consumer="c1", voucher="0.01"), ClosingRequest("c2", "2026-03-05"),
]  # fmt: skip


class Told(NamedTuple):
    """A programme with all its decisions, and what each account held after each of them."""

    programme: Running
    decisions: list[DecisionView]
    held: dict[str, list[int]]
    """By path: micro after decision 0, 1, 2 …"""


def told(programme: Running) -> Told:
    """By adding up, in plain Python, what the decisions say."""
    decisions = journal_of(programme)
    held: dict[str, list[int]] = defaultdict(lambda: [0] * (len(decisions) + 1))
    for decision in decisions:
        for line in transfers_of(decision):
            for path, amount in ((line.source, -line.amount), (line.destination, line.amount)):
                for position in range(decision.position, len(decisions) + 1):
                    held[path][position] += amount
    return Told(programme, decisions, dict(held))


@pytest.fixture(scope="module")
def service(house: House) -> Iterator[Service]:
    """Two programmes that kept checkpoints on their way."""
    with house.database() as url, opened(url, SetClock(NOON), checkpoint_every=6) as service:
        for name, plan, life in (("market", MARKET, MARKET_LIFE), ("season", SEASON, SEASON_LIFE)):
            service.create(name, plan, secret=SECRET)
            for request in life:
                done(service.running(name).do([request]))
                saved(service.running(name))
        yield service


@pytest.fixture(scope="module", params=["market", "season"])
def both(request: pytest.FixtureRequest, service: Service) -> Told:
    """Each of them."""
    return told(service.running(request.param))


@pytest.fixture(scope="module")
def market(service: Service) -> Running:
    """The one with packets and a pool."""
    return service.running("market")


# ---------------------------------------------------------------- accounts


def pages(programme: Running, path: str, limit: int) -> list[EntryView]:
    """All entries, page by page."""
    entries: list[EntryView] = []
    before = ""
    while True:
        page = programme.statement(path, before=before, limit=limit)
        entries += page.entries
        assert len(page.entries) == limit or not page.next
        before = page.next
        if not before:
            return entries


def test_a_statement_is_every_entry_of_its_account_and_no_other(both: Told) -> None:
    """Newest first, each with what the account held after it, and in sum the balance; the same in pages of any size."""
    for path, held in both.held.items():
        lines = [(decision, number, line) for decision in both.decisions for number, line in enumerate(transfers_of(decision), 1)]
        mine = [(decision, number, line) for decision, number, line in reversed(lines) if path in (line.source, line.destination)]
        entries = pages(both.programme, path, 1000)

        assert [(decision.position, number, line.code) for decision, number, line in mine] == [
            (entry.position, entry.line, entry.code) for entry in entries
        ]
        assert [signed(path, line) for _, _, line in mine] == [micro(entry.amount) for entry in entries]
        running_balance = held[-1]
        for entry in entries:
            assert running_balance == micro(entry.balance)
            running_balance -= micro(entry.amount)
        assert 0 == running_balance
        assert entries == pages(both.programme, path, 7) == pages(both.programme, path, 3)


def signed(path: str, line: Transfer) -> int:
    """What a transfer changed in an account."""
    return line.amount * ((line.destination == path) - (line.source == path))


def test_one_entry_a_page_is_complete_too(market: Running) -> None:
    """Also where one decision has many entries of one account."""
    path = "programme:packets:面馆:2"

    assert pages(market, path, 1000) == pages(market, path, 1)


def test_a_balance_of_any_moment_is_the_sum_up_to_it(both: Told) -> None:
    """At every position, from before the first checkpoint on, whichever known balance is nearer."""
    last = len(both.decisions)
    assert {0, 6, 12} <= {position for (position,) in balances_of(both.programme)} | {0}
    for number, (path, held) in enumerate(both.held.items()):
        view = both.programme.balance(path)

        assert (held[-1], last) == (micro(view.balance), view.position)
        for at in range(number % 4, last + 1, 4):
            assert held[at] == micro(both.programme.balance(path, at=at).balance), (path, at)
    for at in (-1, last + 1, 2**40):
        with pytest.raises(FieldRefused, match="at"):
            both.programme.balance("platform:surplus", at=at)


def balances_of(programme: Running) -> list[tuple[int]]:
    """Positions at which balances were kept."""
    with programme._database.reading() as connection:
        return connection.execute("SELECT position FROM balances WHERE programme = %s", [programme.number]).fetchall()


def test_the_trial_balance_is_nothing(both: Told) -> None:
    """Each unit's balances add up to 0; the institutions are listed with theirs."""
    view = both.programme.trial_balance()

    assert {"CNY": "0.00", "POINT": "0.00", "VOUCHER": "0.00"} == view.totals
    assert len(both.held) == view.accounts
    assert all(both.held.get(each.account, [0])[-1] == micro(each.balance) for each in view.institutions)
    assert {path for path in both.held if path.count(":") == 1} <= {each.account for each in view.institutions}


def test_accounts_that_are_not_there_are_not_found(market: Running) -> None:
    """A statement that is silently empty would be believed."""
    strange = [
        "",
        "x",
        "consumer",
        "consumer:c1",
        "consumer:c1:purse",
        "consumer:c1:wallet:",
        f"consumer:{ODD}:wallet",
        "\0",
        "\ud800",
    ]
    nobodys = ["consumer:nobody:wallet", "agent:c1:wallet", "platform:", ":", "programme:packets:面馆:9"]
    for path in (*strange, *nobodys):
        for ask in (market.balance, market.statement):
            with pytest.raises(AccountNotFound):
                ask(path)
    assert "wallet" in market.balance(f"consumer:{encode_name(ODD)}:wallet").account
    assert [] == market.statement("consumer:c1:vouchers").entries


def test_nobody_puts_a_balance_of_his_own_on_a_page(both: Told) -> None:
    """A cursor holds what the account held there: changed in any part, or given for another account, it is refused."""
    programme = both.programme
    page = programme.statement("platform:surplus", limit=2)
    text = base64.urlsafe_b64decode(page.next + "=" * (-len(page.next) & 3)).decode()
    parts = text.split(".")
    forged = [[*parts[:i], str(int(part) + 1), *parts[i + 1 :]] for i, part in enumerate(parts[:3])]
    forged.append([*parts[:3], f"{int(parts[3], 16) ^ 1:032x}"])
    for some in forged:
        cursor = base64.urlsafe_b64encode(".".join(some).encode()).decode().rstrip("=")
        with pytest.raises(FieldRefused, match="cursor"):
            programme.statement("platform:surplus", before=cursor)
    with pytest.raises(FieldRefused, match="cursor"):
        programme.statement("programme:pool", before=page.next)

    assert programme.statement("platform:surplus", before=page.next, limit=2).entries


@pytest.mark.parametrize("cursor", ["x", "====", "MQ", "MS4y", "MS4yLjMuNA", "LTEuMS4x", "字", "MC4xLjE", "\0", "A" * 10_000])
def test_a_cursor_that_is_none_is_refused(market: Running, cursor: str) -> None:
    """By the name of the field, and without a fault inside."""
    with pytest.raises(FieldRefused, match="cursor"):
        market.statement("platform:surplus", before=cursor)


def test_pages_hold_while_entries_arrive(url: str) -> None:
    """A cursor goes on where the page ended, whatever came on top since."""
    with running(url, MARKET) as programme:
        done(programme.do(orders(range(6))))
        first = programme.statement("platform:surplus", limit=3)
        expected = pages(programme, "platform:surplus", 1000)[3:]
        done(programme.do(orders(range(6, 9))))

        assert expected == programme.statement("platform:surplus", before=first.next, limit=1000).entries


def test_readers_see_whole_commits_during_a_burst(url: str) -> None:
    """While batches are committed, every statement that is told adds up by itself and never goes back."""
    faults: list[object] = []
    with running(url, MARKET, checkpoint_every=20) as programme:
        done(programme.do(orders(range(5))))
        over = threading.Event()

        def read() -> None:
            seen = 0
            while not over.is_set():
                page = programme.statement("programme:pool", limit=1000)
                total = sum(micro(entry.amount) for entry in page.entries)
                if total != micro(page.balance) or page.position < seen or any(e.position > page.position for e in page.entries):
                    faults.append((page.position, seen, total, page.balance))
                seen = page.position

        readers = [threading.Thread(target=read) for _ in range(2)]
        for reader in readers:
            reader.start()
        for start in range(5, 65, 4):
            done(programme.do(orders(range(start, start + 4))))
        over.set()
        for reader in readers:
            reader.join()

    assert [] == faults


# ---------------------------------------------------------------- orders


def test_an_order_tells_what_was_asked_done_and_why(market: Running) -> None:
    """Facts as they were asked, transfers as they were written, refunds, its lot, and the clauses in both languages."""
    view = market.order("o1")
    own = next(decision for decision in journal_of(market) if decision.id == "o1")

    assert ("refunded", own.position, own.plan_number, "87.00") == (view.status, view.position, view.plan_number, view.refunded)
    assert own.transfers == view.transfers
    assert ["r1", "r2"] == [refund.id for refund in view.refunds]
    assert ("c1", "面馆", "阿姨", "merchant:老王", "87.00", "20%") == tuple(
        view.facts[field] for field in ("consumer", "merchant", "referrer", "recruiter", "amount", "concession")
    )
    assert "2026-01-05T12:00:00+08:00" == view.facts["paid_at"]
    assert len(view.zh) == len(view.en) > 3
    assert view.lot == {"open": False, "packets": view.lot["packets"], "received": view.lot["received"]}  # type: ignore[index]
    assert ["settled", "refunded"] == [market.order(order_id).status for order_id in ("o15", "o12")]


def test_an_open_lot_tells_its_place_and_what_it_has_received(market: Running) -> None:
    """So that a consumer sees that it moves: the lots of a queue stand in the order of their orders."""
    lots = {f"o{k}": market.order(f"o{k}").lot for k in range(16)}
    received: dict[str, int] = defaultdict(int)
    for decision in journal_of(market):
        for line in transfers_of(decision):
            received[line.destination] += line.amount * (line.code == "packet")
    by_wallet: dict[str, int] = defaultdict(int)
    for k, lot in enumerate(lots.values()):
        assert lot is not None
        by_wallet[f"consumer:c{k % 5}:wallet"] += int(Fraction(str(lot["received"])) * 10**6)
    odd = market.order("odd").lot
    by_wallet[f"consumer:{encode_name(ODD)}:wallet"] += int(Fraction(str(odd and odd["received"])) * 10**6)

    assert {path: amount for path, amount in received.items() if amount} == {
        path: amount for path, amount in by_wallet.items() if amount
    }
    places = [int(lot["place"]) for lot in lots.values() if lot and lot["open"]]
    assert {1, 2, 3} <= set(places)


def test_an_order_that_is_not_there_is_not_found(market: Running) -> None:
    """Nor is a refund's id an order's."""
    for order_id in ("", "o99", "r1", "O1", "o1 ", "字" * 1000):
        for ask in (market.order, market.draw):
            with pytest.raises(OrderNotFound):
                ask(order_id)


def test_looking_at_an_old_order_changes_nothing_that_follows(house: House) -> None:
    """To tell of an order its plan is looked up; the next sale goes by the active one all the same."""
    found = []
    for looks in (False, True):
        with house.database() as url, running(url, MARKET) as programme:
            done(programme.do([*orders(range(6)), ActivationRequest("a", changed(MARKET, ("pays: 80%", "pays: 50%")))]))
            if looks:
                programme.order("o5")
            done(programme.do([SaleRequest("s1", "c1", "1")]))
            if looks:
                programme.order("o4")
            done(programme.do([InjectionRequest("i", "1"), RefundRequest("r", "o0", "1"), SaleRequest("s2", "c1", "1")]))
            found.append((programme.state_hash(), programme.view().head))

    assert found[0] == found[1]


# ---------------------------------------------------------------- draws


def test_anyone_can_draw_an_orders_packets_again(market: Running) -> None:
    """With the day's secret, the order's id and the rules: the oracle cuts the same packets. Where caps bit, at least as many."""
    clock = market._reading._clock
    assert isinstance(clock, SetClock)
    cut = 0
    for decision in [each for each in journal_of(market) if each.kind == "order"]:
        issued = [line.amount // 10_000 for line in transfers_of(decision) if line.code == "packet"]
        view = market.draw(decision.id)

        assert issued == [micro(packet) // 10_000 for packet in view.packets]
        assert ("2026-01-05", decision.position, "") == (view.day, view.position, view.secret)
        secret = oracle.day_secret(SECRET, date(2026, 1, 5))
        assert hashlib.sha256(secret).hexdigest() == view.commitment
        if issued:
            key = oracle.siphash24(secret[:16], decision.id.encode())
            cut += sorted(oracle.cut(oracle.draws(key), sum(issued), len(issued))) == sorted(issued)
    assert cut > 5


def test_the_secret_of_a_day_is_told_when_the_day_is_over_in_beijing(url: str) -> None:
    """A second earlier somebody could still choose an order id that draws well."""
    clock = SetClock(NOON)
    with running(url, MARKET, clock=clock) as programme:
        done(programme.do(orders(range(2))))
        clock.advance(DAY // 2 - 1)
        assert "" == programme.draw("o1").secret
        clock.advance(1)
        view = programme.draw("o1")

        assert view.commitment == hashlib.sha256(bytes.fromhex(view.secret)).hexdigest()


# ---------------------------------------------------------------- the feed


def test_decisions_come_in_order_and_whole(both: Told) -> None:
    """Any page after any position, without gaps; each names what was asked, its transfers and its hash."""
    programme = both.programme
    for after in (0, 1, 7, len(both.decisions) - 1, len(both.decisions), 10**6):
        for limit in (1, 5, 1000):
            assert both.decisions[after : after + limit] == programme.decisions(after, limit)
    assert [*range(1, len(both.decisions) + 1)] == [decision.position for decision in both.decisions]
    assert both.decisions[-1].hash == programme.view().head
    assert len(both.decisions) == len({decision.hash for decision in both.decisions})


def test_every_decision_names_what_was_asked(service: Service) -> None:
    """Whoever is sent a decision must know what it is about without asking again."""
    facts = {decision.id: decision.facts for name in ("market", "season") for decision in journal_of(service.running(name))}

    assert {"refund_id": "r3", "order_id": "o12", "amount": "94.00"} == facts["r3"]
    assert {"sale_id": "s1", "consumer": "c2", "points": "0.50"} == facts["s1"]
    assert {"injection_id": "i1", "amount": "12.34"} == facts["i1"]
    assert {"closing_id": "c1", "on": "2026-01-20"} == facts["c1"]
    assert "a1" == facts["a1"]["activation_id"]
    assert ODD == facts["odd"]["consumer"]
    releases = [decision for decision in journal_of(service.running("season")) if decision.kind == "release"]
    assert [*range(len(releases))] == [release.facts["period"] for release in releases]


def test_waiting_ends_with_the_next_decision_or_with_the_time(url: str) -> None:
    """For those who follow: at once when there is something, and not for ever when there is nothing."""
    with running(url, MARKET) as programme:
        waited: list[int] = []
        follower = threading.Thread(target=lambda: waited.append(programme.wait(1, 20)))
        follower.start()
        done(programme.do([order("o")]))
        follower.join(20)

        assert [2] == waited
        assert 2 == programme.wait(1, 0)
        assert 2 == programme.wait(2, 0.01)


def test_the_plans_of_a_programme_are_told_with_their_activation(market: Running) -> None:
    """Which version, since when, by which decision, and what it says."""
    first, second = market.plans()

    assert (1, 1, MARKET) == (first.number, first.position, first.document)
    assert (2, "pays: 70%" in second.document) == (second.number, True)
    assert first.version != second.version == market.view().version
    assert 2 == market.view().plan_number


def test_a_look_at_the_programme_never_meets_a_plan_that_is_not_there_yet(url: str) -> None:
    """Versions are activated while others look."""
    faults: list[Exception] = []
    with running(url, MARKET) as programme:
        over = threading.Event()

        def look() -> None:
            while not over.is_set():
                try:
                    programme.view()
                    programme.plans()
                except Exception as fault:  # noqa: BLE001 (whatever it is, the test shows it)
                    faults.append(fault)
                    return

        lookers = [threading.Thread(target=look) for _ in range(2)]
        for looker in lookers:
            looker.start()
        for number in range(25):
            done(programme.do([ActivationRequest(f"a{number}", changed(MARKET, ("pays: 80%", f"pays: {50 + number}%")))]))
        over.set()
        for looker in lookers:
            looker.join()

    assert [] == faults


def test_no_page_is_longer_than_it_may_be(market: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is asked for."""
    monkeypatch.setattr(reading, "PAGE_MAX", 4)

    assert 4 == len(market.statement("platform:surplus", limit=10**9).entries)
    assert 1 == len(market.statement("platform:surplus", limit=-1).entries)
    assert 4 == len(market.decisions(0, 10**9))
    assert 1 == len(market.decisions(0, 0))
