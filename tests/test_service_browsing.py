"""Looking through a programme: every filter against plain Python, balances of any moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pytest
import service_worlds
from service_worlds import (
    MARKET,
    NOON,
    SEASON,
    SECRET,
    House,
    done,
    journal_of,
    micro,
    opened,
    order,
    orders,
    running,
    saved,
)

from rangli.errors import (
    AccountNotFound,
    DecisionNotFound,
    FieldRefused,
)
from rangli.ledger.transfers import CODE_NAMES
from rangli.money import parse_yuan, print_ratio
from rangli.service import Running, Service
from rangli.service.clock import SetClock
from rangli.service.looking import money, stretches
from rangli.service.looking.browsing import LARGEST, NEWEST, SMALLEST, SORTS, Looked, OrderLine, OrdersWanted
from rangli.service.looking.holdings import AccountsWanted
from rangli.service.looking.stretches import Stretches
from rangli.service.requests import ClosingRequest, InjectionRequest, RefundRequest, Request, SaleRequest
from rangli.service.views import DecisionView

house = service_worlds.house
url = service_worlds.url
DAY = 86_400
ODD = "<script>alert(1)</script>"

LIFE: list[list[Request]] = [
    [*orders(range(12)), order("odd", merchant=ODD, consumer=ODD, amount="75.50")],
    [RefundRequest("r1", "o1", "10"), RefundRequest("r2", "o1"), InjectionRequest("i1", "12.34"), *orders(range(12, 20))],
    [SaleRequest("s1", "c2", "0.5"), RefundRequest("r3", "o12", "1.23"), RefundRequest("r4", "odd"), *orders(range(20, 26))],
    [*orders(range(26, 40), merchant="茶馆"), RefundRequest("r5", "o30", "3")],
]
"""Decisions by day, from NOON's on."""
SEASON_LIFE: list[Request] = [
    *orders(range(8)), ClosingRequest("c1", "2026-01-20"), *orders(range(8, 12), paid_at="2026-01-21"), RefundRequest("r1", "o9"),
    order("v", paid_at="2026-02-05", consumer="c1", voucher="0.01"), ClosingRequest("c2", "2026-03-05"),
]  # fmt: skip


@pytest.fixture(scope="module")
def service(house: House) -> Iterator[Service]:
    """Two programmes that kept checkpoints on their way, a day after another; lists are read in stretches of eight decisions."""
    clock = SetClock(NOON)
    with house.database() as url, opened(url, clock, checkpoint_every=6) as service:
        market, season = (service.create(name, plan, secret=SECRET) for name, plan in (("market", MARKET), ("season", SEASON)))
        for view in (market, season):
            short(service.running(view.name))
        for day in LIFE:
            done(service.running("market").do(day))
            clock.advance(DAY)
            saved(service.running("market"))
        for request in SEASON_LIFE:
            done(service.running("season").do([request]))
            saved(service.running("season"))
        yield service


def short(programme: Running, size_bits: int = 3) -> None:
    """Let its lists be read in short stretches."""
    for part, name in ((programme.browsing, "_heads"), (programme.money, "_sums")):
        long: Stretches[Any] = getattr(part, name)
        setattr(part, name, Stretches(long._database, long._load, long._joined, size_bits))


@pytest.fixture
def market(service: Service) -> Running:
    """The one with packets and a pool."""
    return service.running("market")


# ---------------------------------------------------------------- orders


def all_orders(programme: Running, wanted: OrdersWanted, limit: int = 100) -> list[OrderLine]:
    """Page after page."""
    lines: list[OrderLine] = []
    cursor = ""
    while True:
        page = programme.browsing.orders(wanted, cursor, limit)
        assert len(page.found) <= limit
        lines += page.found
        cursor = page.next
        if not cursor:
            return lines


def plainly(programme: Running, wanted: OrdersWanted) -> list[str]:
    """The ids that a plain reader of the whole journal would list, sorted by hand."""
    found = []
    for decision in journal_of(programme):
        if decision.kind != "order":
            continue
        view = programme.order(decision.id)
        day = str(np.datetime64(int(np.datetime64(decision.decided_at[:-1], "us").astype(int)) + 8 * 3_600_000_000, "us"))[:10]
        if (
            wanted.order_id in ("", view.order_id)
            and wanted.merchant in ("", view.facts["merchant"])
            and wanted.consumer in ("", view.facts["consumer"])
            and wanted.status in ("", view.status)
            and (wanted.since or "0") <= day <= (wanted.until or "9")
            and parse_yuan(wanted.least or "0") <= parse_yuan(view.facts["amount"]) <= parse_yuan(wanted.most or "99999999")
        ):
            found.append(
                (parse_yuan(view.facts["amount"]) * (wanted.sort in (LARGEST, SMALLEST)), decision.position, decision.id)
            )
    return [order_id for _, _, order_id in sorted(found, reverse=wanted.sort in (NEWEST, LARGEST))]


DAYS = (("", ""), ("2026-01-06", ""), ("2026-01-05", "2026-01-06"), ("2026-01-07", "2026-01-07"), ("2027-01-01", ""))
NARROWED = [
    OrdersWanted(merchant=merchant, consumer=consumer, since=since, until=until, status=status, least=least, sort=sort)
    for merchant, consumer, (since, until), status, least, sort in product(
        ("", "茶馆", ODD), ("", "c1"), DAYS, ("", "settled", "refunded", "partly_refunded"), ("", "75.50"), SORTS
    )
]


def test_every_filter_gives_what_a_plain_reader_of_the_journal_finds(market: Running) -> None:
    """Shop, consumer, days, status and amount together, in every order; whatever was in memory before."""
    plain = {wanted: plainly(market, wanted) for wanted in NARROWED[::17]}

    for wanted, ids in plain.items():
        assert ids == [line.order_id for line in all_orders(market, wanted)], wanted
    assert any(plain.values())


@pytest.mark.parametrize("limit", [1, 3, 7])
def test_pages_of_any_size_hold_each_order_once(market: Running, limit: int) -> None:
    """No order is left out or comes twice between two pages."""
    for wanted in (OrdersWanted(), OrdersWanted(sort="oldest"), OrdersWanted(consumer="c1", least="60")):
        assert plainly(market, wanted) == [line.order_id for line in all_orders(market, wanted, limit)]


def test_what_is_not_in_memory_is_looked_for_a_few_stretches_at_a_time(house: House) -> None:
    """A page waits for two stretches, says how far it looked, and the rest is read meanwhile."""
    with house.database() as url, running(url, MARKET) as programme:
        done(programme.do(orders(range(100))))
        short(programme)
        wanted = OrdersWanted(merchant="面馆", consumer="c1", least="1000")
        first = programme.browsing.orders(wanted)

        assert [] == first.found
        assert first.next
        assert first.upto.endswith("Z")
        assert programme.browsing.wait_filled(20)
        assert Looked([]) == programme.browsing.orders(wanted)
        assert [] == programme.browsing.orders(wanted, first.next).found


def test_what_finds_no_room_in_memory_is_read_each_time(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal longer than what is kept is looked through all the same, in more pages."""
    monkeypatch.setattr(stretches, "KEPT_MAX", 1)
    with house.database() as url, running(url, MARKET) as programme:
        done(programme.do(orders(range(60))))
        short(programme)

        for wanted in (OrdersWanted(consumer="c3"), OrdersWanted(consumer="c3", sort="oldest")):
            assert plainly(programme, wanted) == [line.order_id for line in all_orders(programme, wanted)]


def test_new_orders_are_found_at_once(house: House) -> None:
    """What is in memory grows with the journal."""
    with house.database() as url, running(url, MARKET) as programme:
        short(programme)
        for i in range(30):
            done(programme.do([order(f"n{i}", consumer="新客")]))

            assert [f"n{k}" for k in range(i, -1, -1)] == [
                line.order_id for line in programme.browsing.orders(OrdersWanted(consumer="新客")).found
            ]


def test_an_order_is_found_by_its_id_and_only_exactly(market: Running) -> None:
    """One look-up; other filters still hold, days do not."""
    found = market.browsing.orders(OrdersWanted(order_id="odd", since="2030-01-01")).found

    assert [("odd", "refunded", ODD, ODD, "75.50", "75.50")] == [
        (line.order_id, line.status, line.merchant, line.consumer, line.amount, line.refunded) for line in found
    ]
    assert [] == market.browsing.orders(OrdersWanted(order_id="od")).found
    assert [] == market.browsing.orders(OrdersWanted(order_id="odd", merchant="茶馆")).found
    assert [] == market.browsing.orders(OrdersWanted(merchant="没有这家店")).found


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (OrdersWanted(since="5.1.2026"), "since"),
        (OrdersWanted(until="2026-02-30"), "until"),
        (OrdersWanted(least="-1"), "least"),
        (OrdersWanted(most="1.234"), "most"),
    ],
)
def test_a_filter_that_cannot_be_is_named(market: Running, wanted: OrdersWanted, field: str) -> None:
    """The page shows the refusal at its field."""
    with pytest.raises(FieldRefused) as refused:
        market.browsing.orders(wanted)

    assert field == refused.value.field


@pytest.mark.parametrize("cursor", ["x", "-1", "99999999", "1.2", "٣"])
def test_a_cursor_of_somebody_elses_is_refused(market: Running, cursor: str) -> None:
    """What comes back from a browser may be anything."""
    with pytest.raises(FieldRefused):
        market.browsing.orders(OrdersWanted(), cursor)


def test_held_and_cancelled_orders_are_listed_by_their_status(url: str) -> None:
    """They are in no journal; each filter holds for them too, in pages of any size."""
    clock = SetClock(NOON)
    with running(url, MARKET, clock=clock, hold_seconds=3 * DAY) as programme:
        done(programme.do(orders(range(4))))
        clock.advance(DAY)
        done(programme.do([*orders(range(4, 8), merchant=ODD), RefundRequest("r1", "o2"), RefundRequest("r2", "o5")]))
        held = OrdersWanted(status="held")

        assert ["o7", "o6", "o4", "o3", "o1", "o0"] == [line.order_id for line in all_orders(programme, held, 2)]
        assert ["o0", "o1", "o3", "o4", "o6", "o7"] == [
            line.order_id for line in all_orders(programme, held._replace(sort="oldest"), 4)
        ]
        assert ["o7", "o6", "o4"] == [line.order_id for line in all_orders(programme, held._replace(merchant=ODD))]
        assert ["o3", "o1", "o0"] == [line.order_id for line in all_orders(programme, held._replace(until="2026-01-05"))]
        assert ["o2", "o5"] == [line.order_id for line in all_orders(programme, OrdersWanted(status="cancelled"), 1)]
        assert [] == all_orders(programme, OrdersWanted())
        assert "held" == programme.browsing.orders(OrdersWanted(order_id="o1")).found[0].status
        clock.advance(2 * DAY)
        done(programme.do([order("late")]))
        assert ["o3", "o1", "o0"] == [line.order_id for line in all_orders(programme, OrdersWanted())]


# ---------------------------------------------------------------- decisions


def test_the_journal_is_listed_by_kind_and_day(market: Running) -> None:
    """Every decision with its hash, in either order."""
    decisions = journal_of(market)
    for kind in ("", "order", "refund", "sale", "injection", "activation"):
        mine = [(d.position, d.kind, d.id, d.hash, len(d.transfers)) for d in decisions if kind in ("", d.kind)]
        for oldest_first in (True, False):
            found, cursor = [], ""
            while True:
                page = market.browsing.journal([kind] if kind else (), cursor=cursor, limit=9, oldest_first=oldest_first)
                found += [(line.position, line.kind, line.id, line.hash, line.transfers) for line in page.found]
                cursor = page.next
                if not cursor:
                    break

            assert (mine if oldest_first else mine[::-1]) == found
    assert ["12.34"] == [line.amount for line in market.browsing.journal(["injection"]).found]
    two = [decision.position for decision in decisions if decision.kind in ("sale", "injection")]
    assert two == [line.position for line in market.browsing.journal(("injection", "sale"), oldest_first=True).found]


def test_each_hash_is_computed_from_the_row_and_the_hash_before(service: Service) -> None:
    """As a stranger would, from what the database holds; the first one from nothing."""
    for name in ("market", "season"):
        before = bytes(32).hex()
        for decision in journal_of(service.running(name)):
            proof = service.running(name).browsing.proof(decision.position)

            assert (before, decision.hash, decision.hash) == (proof.before, proof.computed, proof.decision.hash)
            assert decision == proof.decision
            before = decision.hash
    with pytest.raises(DecisionNotFound):
        service.running("market").browsing.proof(10_000)


def test_a_day_ends_with_its_last_decision(market: Running) -> None:
    """In Beijing; before the first day there is none, after the last it is the newest."""
    ends, position = [], 1
    for day in LIFE:
        position += len(day)
        ends.append(position)

    assert ends == [market.browsing.position_at_end_of(f"2026-01-{day:02}") for day in range(5, 9)]
    assert [0, position] == [market.browsing.position_at_end_of(day) for day in ("2026-01-04", "2026-01-20")]


# ---------------------------------------------------------------- accounts


class Told(NamedTuple):
    """Every decision, and what each account held after each of them, by adding up in plain Python."""

    decisions: list[DecisionView]
    held: dict[str, list[int]]


def told(programme: Running) -> Told:
    """All that the journal says."""
    decisions = journal_of(programme)
    held: dict[str, list[int]] = defaultdict(lambda: [0])
    for decision in decisions:
        for line in decision.transfers:
            for path, amount in ((line.source, -micro(line.amount)), (line.destination, micro(line.amount))):
                column = held[path]
                column += [column[-1]] * (decision.position + 1 - len(column))
                column[-1] += amount
    for column in held.values():
        column.extend([column[-1]] * (len(decisions) + 1 - len(column)))
    return Told(decisions, dict(held))


@pytest.mark.parametrize("name", ["market", "season"])
def test_accounts_are_listed_with_what_they_hold(service: Service, name: str) -> None:
    """Each account that was ever touched once, in pages; by kind, pocket and the beginning of its name."""
    programme, plain = service.running(name), told(service.running(name)).held

    def found(**wanted: str) -> dict[str, int]:
        lines, cursor = [], ""
        while True:
            page = programme.money.accounts(AccountsWanted(**wanted), cursor, 4)
            lines += page.found
            cursor = page.next
            if not cursor:
                break
        assert len({line.account for line in lines}) == len(lines)
        return {line.account: micro(line.balance) for line in lines}

    now = {path: column[-1] for path, column in plain.items()}
    assert now == found() == found(sort="newest")
    assert {path: held for path, held in now.items() if path.startswith("consumer:")} == found(kind="consumer")
    assert {path: held for path, held in now.items() if path.startswith(("platform:", "programme:"))} == found(kind="institution")
    assert {path: held for path, held in now.items() if path.endswith(":wallet")} == {
        path: held for path, held in found(pocket="wallet").items() if not path.startswith(("platform:", "programme:"))
    }
    assert {path for path in now if path.split(":")[1].startswith("c") and path.startswith("consumer")} == set(
        found(kind="consumer", name="c")
    )


@pytest.mark.parametrize("steps", [500, 2])
@pytest.mark.parametrize("name", ["market", "season"])
def test_a_statement_of_any_moment_is_what_it_was_then(
    service: Service, monkeypatch: pytest.MonkeyPatch, name: str, steps: int
) -> None:
    """Its balance and its entries after each decision, for every account, however far its chain may be walked."""
    monkeypatch.setattr(money, "STEPS", steps)
    monkeypatch.setattr(money, "WALKS_MAX", 1)
    programme, plain = service.running(name), told(service.running(name))
    for path, column in plain.held.items():
        for at in range(0, len(column), 3):
            page = programme.money.statement_at(path, at, 5)

            assert column[at] == micro(page.balance)
            running_balance = column[at]
            for entry in page.entries:
                assert entry.position <= at
                assert running_balance == micro(entry.balance)
                running_balance -= micro(entry.amount)
            touched = [
                d.position
                for d in plain.decisions
                if d.position <= at and any(path in (t.source, t.destination) for t in d.transfers)
            ]
            assert (touched[-1:] or []) == [entry.position for entry in page.entries[:1]]
            assert page.next or running_balance == 0


def test_a_moment_that_never_was_is_refused(market: Running) -> None:
    """And so is an account that there is not."""
    with pytest.raises(FieldRefused):
        market.money.statement_at("platform:surplus", 10_000)
    with pytest.raises(AccountNotFound):
        market.money.statement_at("consumer:nobody:wallet", 1)


# ---------------------------------------------------------------- pool, vouchers, queues


@pytest.mark.parametrize("recent", [5_000, 12])
def test_the_pool_over_time_is_what_its_accounts_held(market: Running, monkeypatch: pytest.MonkeyPatch, recent: int) -> None:
    """Pool, supply and price after each recent decision that changed them, and at each checkpoint before."""
    monkeypatch.setattr(money, "RECENT", recent)
    held = told(market).held
    view = market.money.pool()

    assert market.money.has_pool()
    places = [one.position for one in view.samples]
    assert sorted(set(places)) == places
    assert view.samples[-1].pool == view.now.pool
    for one in view.samples:
        pool, supply = held["programme:pool"][one.position], -held["programme:points"][one.position]
        assert (pool, supply) == (micro(one.pool), micro(one.supply))
        assert (print_ratio(pool, supply) if supply else "") == one.price
    start = max(0, market.position() - recent)
    changed = [p for p in range(1, len(held["programme:pool"])) if held["programme:pool"][p] != held["programme:pool"][p - 1]]
    assert {place for place in changed if place > start} <= set(places)
    assert bool(start) == any(place <= start for place in places)


@pytest.mark.parametrize("name", ["market", "season"])
def test_sums_by_code_are_those_of_all_transfers(service: Service, name: str) -> None:
    """Counted in stretches, some of them in the background."""
    programme = service.running(name)
    programme.money.sums()
    assert programme.money.wait_filled(20)
    plain: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for decision in journal_of(programme):
        for line in decision.transfers:
            plain[line.code][0] += 1
            plain[line.code][1] += micro(line.amount)

    sums, *counted = programme.money.sums()
    assert [programme.position()] * 2 == counted
    assert dict(plain) == {CODE_NAMES[code]: row for code, row in enumerate(sums.tolist()) if row[0]}


def test_what_stands_behind_vouchers_is_shown_with_them(service: Service) -> None:
    """Issued less spent is outstanding, and the reserve holds as much."""
    programme = service.running("season")
    programme.money.sums()
    assert programme.money.wait_filled(20)
    view = programme.money.vouchers()
    held = {path: column[-1] for path, column in told(programme).held.items()}

    assert programme.money.has_vouchers()
    assert -held["programme:vouchers"] == micro(view.outstanding) == micro(view.issued) - micro(view.spent)
    assert held["programme:reserve"] == micro(view.reserve)
    assert view.is_backed
    assert micro(view.outstanding) > 0
    assert 10_000 == micro(view.spent)


@pytest.mark.parametrize("name", ["market", "season"])
def test_queues_hold_the_lots_that_their_orders_say(service: Service, name: str) -> None:
    """Against what each order tells of its own lot: its place, its packets and what it has received."""
    programme = service.running(name)
    open_lots: dict[tuple[str, int], list[str]] = defaultdict(list)
    for decision in journal_of(programme):
        view = programme.order(decision.id) if decision.kind == "order" else None
        pots = [line.destination for line in decision.transfers if line.code == "pot"]
        if view is not None and view.lot is not None and view.lot["open"]:
            open_lots[view.facts["merchant"], int(pots[0].rpartition(":")[2])].append(view.order_id)
    listed = programme.money.queues().found

    assert {key: len(ids) for key, ids in open_lots.items()} == {
        (line.merchant, line.tier): line.lots for line in listed if line.lots
    }
    assert sum(map(len, open_lots.values())) == sum(tier.lots for tier in programme.money.tiers())
    for line in listed:
        ids = open_lots.get((line.merchant, line.tier), [])
        lots = programme.money.lots(line.merchant, line.tier)
        assert ids == [lot.order_id for lot in lots]
        assert micro(line.pot) == micro(programme.balance(line.pot_account).balance)
        if ids:
            assert (programme.order(ids[0]).position, programme.order(ids[0]).decided_at) == (
                line.oldest_position,
                line.oldest_at,
            )
        for lot in lots:
            told_lot = programme.order(lot.order_id).lot
            assert told_lot == {"open": True, "packets": lot.packets, "received": lot.received, "place": lot.place}
    for tier in programme.money.tiers():
        mine = [line.oldest_position for line in listed if line.tier == tier.tier and line.oldest_position is not None]
        assert min(mine, default=None) == tier.oldest_position


def test_queues_are_paged_and_narrowed(market: Running) -> None:
    """By shop and tier, the longest first or the one that has waited longest."""
    every = market.money.queues().found
    found, cursor = [], ""
    while True:
        page = market.money.queues(cursor=cursor, limit=2)
        found += page.found
        cursor = page.next
        if not cursor:
            break

    assert every == found
    assert sorted((line.lots for line in every), reverse=True) == [line.lots for line in every]
    assert {"茶馆"} == {line.merchant for line in market.money.queues(merchant="茶馆").found}
    assert {2} == {line.tier for line in market.money.queues(tier="2").found}
    waits = [line.oldest_position for line in market.money.queues(sort="oldest").found if line.oldest_position]
    assert sorted(waits) == waits
    with pytest.raises(FieldRefused):
        market.money.queues(tier="x")
