"""The oracle's refunds, and the promises that hold after every operation on drawn plans."""

from __future__ import annotations

import contextlib
import copy
import random
from collections import Counter
from fractions import Fraction
from typing import Any

import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import Plan, Programme, RowRefused, Transfer
from oracle_plans import EVERYBODY, MOUDIAN, SECRET, WEITUANBAO, YUAN, ZENGZHI, bought

# ---------------------------------------------------------------- refunds


@given(legs=st.lists(st.integers(0, 40), min_size=1, max_size=6), data=st.data())
def test_what_stands_reversed_is_the_divisor_rule_from_the_first_micro_on(legs: list[int], data: st.DataObject) -> None:
    """Starting from the lower quota is a short cut: handing out every micro by the greatest leg / (part + 1) gives the same."""
    total = data.draw(st.integers(0, sum(legs)))
    expected = [0] * len(legs)
    for _ in range(total):
        quotients = [Fraction(leg, part + 1) for leg, part in zip(legs, expected, strict=True)]
        expected[quotients.index(max(quotients))] += 1

    assert expected == oracle.reversed_of(legs, total)


def net(transfers: list[Transfer]) -> dict[str, int]:
    """Amount by code, reversals counted against what they reverse; zeros left out."""
    sums: Counter[str] = Counter()
    for each in transfers:
        sums[each.code.removeprefix("refund.")] += -each.amount if each.code.startswith("refund.") else each.amount
    return {code: amount for code, amount in sums.items() if amount}


@pytest.mark.parametrize("plan", [WEITUANBAO, MOUDIAN, ZENGZHI], ids=["weituanbao", "moudian", "zengzhi"])
def test_partial_refunds_that_end_in_a_full_one_return_every_leg_exactly(plan: Plan) -> None:
    """Random orders in random pieces: no step reverses less than nothing or more than the leg, the last leaves nothing."""
    chance = random.Random(7)
    for _ in range(150):
        programme = Programme({**plan, "bonus": []}, SECRET)
        paid_fen = chance.choice([1, 2, 7, 100, 3333, chance.randrange(1, 10**6), 10**10])
        parties = {role: name for role, name in EVERYBODY.items() if chance.random() < 0.7}
        written = programme.settle(bought("1", paid_fen, chance.randint(600, 2000), "A", **parties)).order
        concession = -programme.balances()["merchant:M:concession", "CNY"]
        while paid_fen > 0:
            piece = chance.choice([1, paid_fen, chance.randint(1, paid_fen)]) if paid_fen < 50 else chance.randint(1, paid_fen)
            paid_fen -= piece
            written += programme.refund("1", piece)
            assert min([0, *net(written).values()]) == 0
            assert 0 <= -programme.balances()["merchant:M:concession", "CNY"] <= concession
        after = net(written)

        assert 0 == programme.balances()["merchant:M:concession", "CNY"]
        assert {"mint", "burn"} >= set(after)
        assert after.get("mint", 0) == after.get("burn", 0)


def test_a_refunded_order_of_red_packets_by_hand() -> None:
    """Its packets stay with others and somebody bears them; its own lot closes and gives back half of 30 fen, then the rest."""
    shares = [{"to": "packets", "of": "concession", "rate": 10_000}]
    plan = {"concession": (0, 5000), "shares": shares, "packets": {"per_order": 1, "tiers_fen": [], "exit_packets": None}}
    for bearer, account in [("merchant", "merchant:M:borne"), ("platform", "platform:surplus")]:
        programme = Programme({**plan, "packets_borne_by": bearer}, SECRET)
        for name in "ABC":
            programme.settle(bought(name, 100, 1010, name))
        half = [
            (account, "merchant:M:concession", 50_500, "CNY", "refund.pot"),
            ("consumer:A:wallet", "programme:packets:M:1", 150_000, "CNY", "takeback"),
        ]

        assert (30, True) == (programme.lots()[0].received_fen, programme.lots()[0].open)
        assert half == programme.refund("A", 50)
        assert half == programme.refund("A", 50)
        assert [False, True, True] == [lot.open for lot in programme.lots()]
        with pytest.raises(RowRefused, match="refund_too_large"):
            programme.refund("A", 1)


def test_a_refund_out_of_the_pool_by_hand() -> None:
    """Of three equal orders the third is refunded: its points are worth less than its 160 yuan, the platform pays the rest."""
    programme = Programme(ZENGZHI, SECRET)
    for name in "ABC":
        programme.settle(bought(name, 100_000, 2000, name))
    price = programme.price()
    written = programme.refund("C", 100_000)
    worth = 66_640_000 * 480 * YUAN // 257_040_000
    expected = [
        ("programme:pool", "merchant:M:concession", worth, "CNY", "refund.pool"),
        ("platform:surplus", "merchant:M:concession", 160 * YUAN - worth, "CNY", "refund.pool"),
        ("platform:surplus", "merchant:M:concession", 40 * YUAN, "CNY", "refund.platform"),
        ("consumer:C:points", "programme:points", 66_640_000, "POINT", "burn"),
    ]

    assert expected == written
    assert price <= programme.price() < price + Fraction(1, 10**6)
    assert (0, 0, 0) == programme.pool_state().members["C"]


def test_a_refund_after_a_release_by_hand() -> None:
    """Half of an order whose points brought a voucher of 1 yuan each: half of both returns, and the pot gives what it holds."""
    programme = Programme(MOUDIAN, SECRET)
    programme.settle(bought("1", 100_000, 2000, "A", referrer="R"))
    programme.settle(bought("2", 100, 2000, "A", day=30, voucher_fen=50))
    expected = [
        ("dividend", "programme:dividend", 40 * YUAN),
        ("backing", "programme:reserve", 5 * YUAN),
        ("voucher", "consumer:R:vouchers", 5 * YUAN),
        ("platform", "platform:surplus", 55 * YUAN),
        ("burn", "consumer:A:points", 100 * YUAN),
        ("release", "programme:reserve", YUAN // 2),
        ("voucher", "consumer:A:vouchers", YUAN // 2),
        ("burn", "merchant:M:points", 100 * YUAN),
        ("release", "programme:reserve", YUAN // 2),
        ("voucher", "merchant:M:vouchers", YUAN // 2),
    ]
    paid_in_vouchers = [
        ("programme:vouchers", "consumer:A:vouchers", YUAN // 4, "VOUCHER", "refund.voucher_spent"),
        ("merchant:M:income", "programme:reserve", YUAN // 4, "CNY", "refund.voucher_paid"),
    ]

    assert expected == [(each.code.removeprefix("refund."), each.source, each.amount) for each in programme.refund("1", 50_000)]
    lot = programme.point_lots()[0]
    assert (100 * YUAN, 100 * YUAN, YUAN // 2) == (lot.points, lot.left, lot.released)
    assert paid_in_vouchers == programme.refund("2", 50)[-2:]


def test_a_refunded_lot_that_has_more_than_its_new_multiple_is_owed_nothing() -> None:
    """Of 5 micro-points, times 1.5 makes 7, 6 are released; 4 refunded leave 2 released of 1: no release, and the lot ends."""
    plan = {
        "concession": (5000, 5000),
        "shares": [{"to": "dividend", "of": "concession", "rate": 10_000}],
        "points": [{"to": "consumer", "of": "concession", "rate": 1}],
        "release": {"rate": 13_000, "growth_bp": 0, "days": 1, "extended": 0, "multiple_bp": 15_000},
    }
    programme = Programme(plan, SECRET)
    programme.settle(bought("1", 10, 5000, "A"))
    programme.settle(bought("2", 10, 5000, "B", day=1))
    programme.refund("1", 8)
    before = programme.settle(bought("3", 10, 5000, "C", day=2)).before

    assert ["burn"] == [each.code for each in before if "consumer:A" in each.source + each.destination]
    assert (2, False) == (programme.point_lots()[0].released, programme.point_lots()[0].open)


def test_a_refund_of_the_only_points_leaves_their_price() -> None:
    """Pool and supply go to nothing, and the next order mints at the price of before the refund."""
    programme = Programme(ZENGZHI, SECRET)
    programme.settle(bought("1", 100_000, 2000, "A"))
    programme.refund("1", 100_000)

    assert (0, 0, (160 * YUAN, 112 * YUAN)) == programme.pool_state()[:3]
    assert Fraction(160, 112) == programme.price()


def test_a_refund_does_not_reach_into_a_later_cycle_but_for_the_points() -> None:
    """A sold some, exited and bought again: refunding the first order takes points, and leaves the new limit whole."""
    programme = Programme(ZENGZHI, SECRET)
    for name in "AB":
        programme.settle(bought(name, 100_000, 2000, name))
    programme.sell("A", 10 * YUAN)
    programme.inject(1800 * YUAN)

    assert (0, 0, 0) == programme.pool_state().members["A"]
    programme.settle(bought("again", 1000, 2000, "A"))
    points, limit, out = programme.pool_state().members["A"]
    assert (limit, out) == (12 * YUAN, 0)
    programme.refund("A", 1)
    assert points > programme.pool_state().members["A"][0]
    assert (12 * YUAN, 0) == programme.pool_state().members["A"][1:]


# ---------------------------------------------------------------- promises after every operation

SHARE_RATES = st.lists(st.integers(0, 1300).map(lambda rate: 1300 - rate), min_size=6, max_size=6)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """A plan of any kind whose shares fit: six shares of the concession below 80 % of it, a sliding one below 15 % of 10 %."""
    kind = draw(st.sampled_from(["packets", "pool", "release"]))
    pot = {"packets": "packets", "pool": "pool", "release": "dividend"}[kind]
    parties = [pot, "referrer", "recruiter", "agent.district", "agent.city", "charity"]
    instead = st.sampled_from(["platform", "merchant", "charity", pot])
    styles = st.sampled_from(["cash", "vouchers"])
    shares: list[Plan] = [
        {
            "to": party,
            "of": "concession",
            "rate": rate * 2 if party == pot else rate,
            "else": draw(instead),
            "as": draw(styles),
            "differential": party.startswith("agent.") and draw(st.booleans()),
        }
        for party, rate in zip(parties, draw(SHARE_RATES), strict=True)
    ]
    slide = {
        "to": "referrer2",
        "of": "amount",
        "from": (1000, draw(st.integers(0, 90))),
        "upto": (5000, draw(st.integers(0, 90))),
    }
    plan: Plan = {"concession": (1000, 5000), "shares": [*shares, slide], "funds": ["charity"], "offset_bp": 10_000}
    plan["bonus"] = [{"to": "recruiter", "amount_fen": 100, "once_per": "merchant"}] if draw(st.booleans()) else []
    plan["packets_borne_by"] = draw(st.sampled_from(["merchant", "platform"]))
    if kind == "packets":
        plan["packets"] = {
            "per_order": draw(st.integers(1, 4)),
            "tiers_fen": draw(st.sampled_from([[], [10], [10, 1000]])),
            "exit_packets": draw(st.sampled_from([None, 1, 3])),
            "exit_received_bp": draw(st.sampled_from([1, 1000, 10_000])),
            "own_orders": draw(st.sampled_from(["count", "skip"])),
        }
    elif kind == "pool":
        plan["pool"] = {
            "mint_bp": draw(st.integers(1, 9999)),
            "pays_bp": draw(st.sampled_from([1, 8000, 10_000])),
            "opening_price": draw(st.sampled_from([(1, 1), (7, 3), (1, 1000)])),
            "exit_bp": draw(st.sampled_from([0, 500, 12_000])),
            "exit_scope": draw(st.sampled_from(["member", "order"])),
            "exit_basis": draw(st.sampled_from(["spend", "mint_value"])),
        }
    else:
        plan["points"] = [{"to": party, "of": "concession", "rate": 10_000} for party in ("consumer", "merchant")]
        plan["release"] = {
            "rate": draw(st.sampled_from([50, 3000, Fraction(1, 3)])),
            "of": draw(st.sampled_from(["growth", "balance"])),
            "growth_bp": draw(st.sampled_from([0, 11_500])),
            "days": draw(st.sampled_from([1, 5])),
            "extended": draw(st.sampled_from([0, 2, 4])),
            "multiple_bp": draw(st.sampled_from([10_000, 50_000])),
        }
        plan["release"]["pays"] = (
            draw(st.sampled_from(["vouchers", "cash"])) if plan["release"]["multiple_bp"] == 10_000 else "vouchers"
        )
    return plan


NAMES = st.sampled_from(["A", "B", "C", "D"])
OPTIONAL = st.one_of(st.none(), NAMES)
FEN = st.one_of(st.integers(1, 3000), st.integers(1, 10**7), st.sampled_from([1, 2, 3, 10**10]))
ORDERS = st.tuples(
    st.just("order"),
    FEN,
    st.integers(1000, 5000),
    NAMES,
    st.integers(0, 6),
    st.sampled_from([0, 500, 1000, 1001]),
    OPTIONAL,
    OPTIONAL,
)
OPERATIONS = st.lists(
    st.one_of(
        ORDERS,
        ORDERS,
        ORDERS,
        st.tuples(st.just("sell"), NAMES, st.integers(1, 1000)),
        st.tuples(st.just("inject"), st.integers(1, 10**12)),
        st.tuples(st.just("refund"), st.integers(0, 50), st.integers(1, 1000)),
    ),
    min_size=15,
    max_size=40,
)


class Run:
    """A programme, the day it has come to, and the numbers of its orders."""

    def __init__(self, plan: Plan) -> None:
        self.programme = Programme(plan, SECRET)
        self.day = 0
        self.orders = 0

    def do(self, operation: tuple[Any, ...]) -> list[Transfer]:
        """One operation; what it wrote, nothing if it was refused or makes no sense here."""
        programme, (kind, *facts) = self.programme, operation
        if kind == "order":
            paid_fen, concession_bp, consumer, days, permille, referrer, recruiter = facts
            held = max(0, programme.balances().get((f"consumer:{consumer}:vouchers", "VOUCHER"), 0))
            voucher_fen = -(-min(held // 10_000, paid_fen) * permille // 1000)  # 1001: more than there is, and refused
            self.day += days
            self.orders += 1
            parties = {"referrer": referrer, "referrer2": recruiter, "recruiter": recruiter, "agent_city": referrer}
            name = str(self.orders - 1)
            order = bought(
                name, paid_fen, concession_bp, consumer, self.day, voucher_fen=voucher_fen, agent_district="X", **parties
            )
            settled = programme.settle(order)
            return settled.before + settled.order
        if kind == "refund":
            open_orders = [r for r in programme.state.records.values() if r.refunded_fen < r.order.paid_fen]
            if not open_orders:
                return []
            record = open_orders[facts[0] % len(open_orders)]
            return programme.refund(record.order.order_id, -(-(record.order.paid_fen - record.refunded_fen) * facts[1] // 1000))
        if not programme.plan.get("pool"):
            return []
        if kind == "inject":
            return programme.inject(facts[0])
        held = programme.balances().get((f"consumer:{facts[0]}:points", "POINT"), 0)
        return programme.sell(facts[0], -(-held * facts[1] // 1000)) if held else []


def check_promises(programme: Programme, written: list[Transfer]) -> None:
    """What holds after every operation, whatever it was."""
    balances = programme.balances()
    for unit in ("CNY", "POINT", "VOUCHER"):
        assert sum(amount for (_, of), amount in balances.items() if of == unit) == 0
    assert all(each.amount > 0 for each in written)
    assert all(amount >= 0 for (path, _), amount in balances.items() if path.startswith(POTS))
    assert balances.get(("programme:reserve", "CNY"), 0) == -balances.get(("programme:vouchers", "VOUCHER"), 0)
    assert all(amount >= 0 for (path, unit), amount in balances.items() if unit == "POINT" and path != "programme:points")
    for lot in programme.lots():
        terms = programme.plan["packets"]
        assert lot.received_fen + lot.room_fen == lot.paid_fen * terms["exit_received_bp"] // 10_000
        assert lot.room_fen >= 0
        assert lot.packets <= (terms["exit_packets"] or lot.packets)
    if programme.plan.get("pool"):
        state = programme.pool_state()
        assert state.supply == sum(points for points, _, _ in state.members.values())
        exit_bp = programme.plan["pool"]["exit_bp"]
        due = [p * state.pool >= (limit - out) * state.supply for p, limit, out in state.members.values() if p > 0]
        assert not exit_bp or not any(due)
    point_lots = programme.point_lots()
    for holder in {lot.holder for lot in point_lots}:
        assert balances.get((f"{holder}:points", "POINT"), 0) == sum(lot.left for lot in point_lots if lot.holder == holder)


POTS = ("programme:packets:", "programme:pool", "programme:dividend")


@given(plan=plans(), operations=OPERATIONS)
def test_every_promise_holds_after_every_operation(plan: Plan, operations: list[tuple[Any, ...]]) -> None:
    """Books balance, pots are never overdrawn, vouchers are backed, caps hold, nobody due is left; the price never falls.

    A refused operation leaves everything as it was.
    """
    run = Run(plan)
    price = run.programme.price()
    for operation in operations:
        before = copy.deepcopy(run.programme.state)
        try:
            written = run.do(operation)
        except RowRefused:
            assert before == run.programme.state
            continue
        check_promises(run.programme, written)

        assert not plan.get("pool") or run.programme.price() >= price
        price = run.programme.price()


@given(plan=plans(), operations=OPERATIONS)
def test_everything_refunded_leaves_no_concession_behind(plan: Plan, operations: list[tuple[Any, ...]]) -> None:
    """Whatever happened in between, full refunds give every merchant its whole concession back, to the micro."""
    run = Run(plan)
    for operation in operations:
        with contextlib.suppress(RowRefused):
            run.do(operation)
    for name, record in run.programme.state.records.items():
        if record.refunded_fen < record.order.paid_fen:
            check_promises(run.programme, run.programme.refund(name, record.order.paid_fen - record.refunded_fen))

    assert 0 == run.programme.balances().get(("merchant:M:concession", "CNY"), 0)
