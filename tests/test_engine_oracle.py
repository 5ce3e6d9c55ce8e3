"""The engine against the oracle: the same orders under the same plan, compared to the micro, line by line.

Equal transfers, refusals, releases, lots, pools, periods and balances on drawn and extreme input are the definition of correct.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from engine_bridge import Concrete, Engine, ask, compiled, tell
from engine_worlds import (
    AMOUNT_FEN_MAX,
    WORLDS,
    Action,
    Asked,
    Injection,
    PacketFacts,
    PlanFacts,
    PoolFacts,
    RateFacts,
    ReleaseFacts,
    Sale,
    ShareFacts,
    action_of,
    worlds,
)
from hypothesis import given
from oracle import Order, Plan
from oracle_plans import MOUDIAN, WEITUANBAO

from rangli.plan import CompiledPlan, load


def compare(plan: CompiledPlan, meaning: PlanFacts | Plan, actions: list[Action]) -> list[Concrete]:
    """Both, after all actions, agree on all that was written and on all that they know; what was done."""
    asking, done = ask(meaning, actions)
    engine = Engine(plan)
    written = tell(engine, [each.action for each in done], lambda _: len(done))
    for expected, actual in zip(done, written, strict=True):
        assert expected.written == actual, expected.action
    expected_facts, actual_facts = asking.facts(), engine.facts()
    for name in expected_facts._fields:
        assert getattr(expected_facts, name) == getattr(actual_facts, name), name
    return done


# ---------------------------------------------------------------- drawn plans, drawn orders


@WORLDS
@given(world=worlds(("shares",)))
def test_shares_are_the_oracles(world: tuple[PlanFacts, list[Action]]) -> None:
    """Flat, sliding and differential shares, of amount and concession, in cash and vouchers, their stand-ins, and bonuses."""
    facts, actions = world
    compare(compiled(facts), facts, actions)


@WORLDS
@given(world=worlds(("packets",), most=60))
def test_packets_are_the_oracles(world: tuple[PlanFacts, list[Action]]) -> None:
    """Every packet: who, how much, in which order; every closed lot and every waiting one."""
    facts, actions = world
    compare(compiled(facts), facts, actions)


@WORLDS
@given(world=worlds(("pool",), most=60))
def test_the_pool_is_the_oracles(world: tuple[PlanFacts, list[Action]]) -> None:
    """Mints, sales, injections and the exits that follow from each, of members and of orders."""
    facts, actions = world
    compare(compiled(facts), facts, actions)


@WORLDS
@given(world=worlds(("release",), most=60))
def test_releases_are_the_oracles(world: tuple[PlanFacts, list[Action]]) -> None:
    """Periods that close by growth and by the calendar, and what each pays whom before which order."""
    facts, actions = world
    compare(compiled(facts), facts, actions)


@WORLDS
@given(world=worlds(("packets+pool", "packets+release")))
def test_packets_beside_points_are_the_oracles(world: tuple[PlanFacts, list[Action]]) -> None:
    """Two kinds in one plan keep their order of lines."""
    facts, actions = world
    compare(compiled(facts), facts, actions)


# ---------------------------------------------------------------- long streams through every corner

HALF = (ShareFacts("packets", RateFacts("concession", 5000)),)
ALL = (ShareFacts("packets", RateFacts("concession", 10_000)),)
INTO_POOL = (ShareFacts("pool", RateFacts("concession", 8000)), ShareFacts("referrer", RateFacts("concession", 500), "pool"))
INTO_DIVIDEND = (
    ShareFacts("dividend", RateFacts("concession", 4000), "platform"),
    ShareFacts("referrer", RateFacts("concession", 500), "dividend", vouchers=True),
)
BOTH = (("consumer", RateFacts("concession", 10_000)), ("merchant", RateFacts("amount", 100)))
Amounts = Callable[[Random], int]


def alike(_: Random) -> int:
    """The sources' order of a hundred yuan."""
    return 10_000


def small(chance: Random) -> int:
    """A few fen."""
    return chance.randint(1, 9)


def mixed(chance: Random) -> int:
    """Anything up to ten thousand yuan."""
    return chance.choice((chance.randint(1, 300), chance.randint(1, 10**6)))


def far_apart(chance: Random) -> int:
    """One fen, the largest amount, and little between."""
    return chance.choice((1, 1, 2, 999, AMOUNT_FEN_MAX))


DEEP: dict[str, tuple[PlanFacts, Amounts]] = {
    "twenty an order": (PlanFacts((600, 3000), HALF, packets=PacketFacts(20, (), None, 20)), alike),
    "a hundred an order": (PlanFacts((2000, 2000), HALF, packets=PacketFacts(100)), mixed),
    "the whole pot to the head": (PlanFacts((1000, 3000), ALL, packets=PacketFacts(1)), mixed),
    "one packet ends it": (PlanFacts((1000, 3000), HALF, packets=PacketFacts(20, (), None, 1)), mixed),
    "orders of a few fen": (PlanFacts((600, 3000), HALF, packets=PacketFacts(20, (3, 5), None, 20)), small),
    "fewer fen than lots": (PlanFacts((3000, 10_000), ALL, packets=PacketFacts(100)), small),
    "caps bite at once": (PlanFacts((9000, 10_000), ALL, packets=PacketFacts(20, (), None, None, 5000)), far_apart),
    "a cap of a hundredth": (PlanFacts((2000, 10_000), ALL, packets=PacketFacts(3, (), (), 2, 100)), far_apart),
    "own orders passed over": (
        PlanFacts((1000, 10_000), ALL, packets=PacketFacts(20, (), None, 20, 10_000, skip_own=True)),
        mixed,
    ),
    "tiers of their own": (PlanFacts((600, 3000), HALF, packets=PacketFacts(5, (100, 10_000), (7, 10**5), 20)), mixed),
    "appreciating points": (PlanFacts((300, 2000), INTO_POOL, pool=PoolFacts(7000, 8000, exit_bp=3000)), alike),
    "each order a member": (PlanFacts((300, 2000), INTO_POOL, pool=PoolFacts(7000, 8000, 100, 2500, by_order=True)), mixed),
    "exits by mint value": (PlanFacts((300, 2000), INTO_POOL, pool=PoolFacts(9000, 5000, 7, 11_200, basis_mint=True)), mixed),
    "orders exit by mint value": (
        PlanFacts((300, 2000), INTO_POOL, pool=PoolFacts(9000, 10_000, 7, 11_200, by_order=True, basis_mint=True)),
        far_apart,
    ),
    "points of a few micro": (PlanFacts((1, 30), INTO_POOL, pool=PoolFacts(9999, 9999, 1, 32)), small),
    "released by growth": (
        PlanFacts((300, 2000), INTO_DIVIDEND, release=ReleaseFacts(BOTH, 50, 1500, 30, (36, 40), 50_000), offset_bp=10_000),
        mixed,
    ),
    "released day by day": (
        PlanFacts((300, 2000), INTO_DIVIDEND, release=ReleaseFacts(BOTH, 3333, None, 1, (3, 5), 15_000), offset_bp=5000),
        small,
    ),
    "released of the balance": (
        PlanFacts((1600, 1600), INTO_DIVIDEND, release=ReleaseFacts(BOTH, 5, None, 1, cash=True, of_balance=True)),
        mixed,
    ),
    "a great part of the balance": (
        PlanFacts((0, 1), INTO_DIVIDEND, release=ReleaseFacts(BOTH, 9999, 0, 2, (2, 2), cash=True, of_balance=True)),
        mixed,
    ),
    "a pot that runs dry": (
        PlanFacts((2000, 2000), INTO_DIVIDEND[:1], release=ReleaseFacts(BOTH, 10_000, 0, 3, None, 1_000_000), offset_bp=10_000),
        alike,
    ),
    "packets beside a pool": (
        PlanFacts(
            (2000, 3000),
            (ShareFacts("packets", RateFacts("concession", 1000)), *INTO_POOL),
            packets=PacketFacts(3),
            pool=PoolFacts(7000, 8000, exit_bp=4000),
        ),
        mixed,
    ),
    "packets beside a release": (
        PlanFacts(
            (2000, 3000),
            (ShareFacts("packets", RateFacts("concession", 1000)), *INTO_DIVIDEND),
            packets=PacketFacts(3),
            release=ReleaseFacts(BOTH, 50, 1500, 30),
            offset_bp=10_000,
        ),
        mixed,
    ),
}


@pytest.mark.parametrize("name", DEEP)
def test_long_streams_are_the_oracles(name: str) -> None:
    """Queues that slide and grow, windows that are full, pools that rise for long, lots that live to their end."""
    facts, amount_of = DEEP[name]
    compare(compiled(facts), facts, [action_of(number, facts, amount_of) for number in range(200)])


@pytest.mark.parametrize(("name", "meaning"), [("weituanbao", WEITUANBAO), ("moudian", MOUDIAN)])
def test_presets_mean_what_the_oracle_was_told_of_the_sources(name: str, meaning: Plan) -> None:
    """The documents that ship, against their meaning as it was written down from the sources by somebody else."""
    facts = PlanFacts(meaning["concession"], (), offset_bp=meaning.get("offset_bp", 0))
    compare(load(name), meaning, [action_of(number, facts, mixed) for number in range(200)])


# ---------------------------------------------------------------- by hand


def bought(paid_fen: int, concession_bp: int, consumer: str = "A", days_ahead: int = 0, **others: Any) -> Asked:  # noqa: ANN401
    """An order at M."""
    roles = ("referrer", "referrer2", "recruiter", "district", "city", "province", "region")
    return Asked(days_ahead, paid_fen, concession_bp, (consumer, "M", *(others.get(role) for role in roles)))


def written(done: list[Concrete], code: str) -> list[list[int]]:
    """Per action, the amounts with this code."""
    return [[line.amount for line in (*each.written.before, *each.written.lines) if line.code == code] for each in done]


def test_an_empty_window_leaves_the_pot_whole() -> None:
    """Nobody waits: the first order's share stays for the second, which never pays itself."""
    facts = PlanFacts((10_000, 10_000), ALL, packets=PacketFacts(1))
    done = compare(compiled(facts), facts, [bought(100, 10_000), bought(50, 10_000, "B"), bought(1, 10_000, "C")])

    assert [[], [1_000_000], [500_000]] == written(done, "packet")


def test_a_pot_of_one_fen_goes_to_the_oldest() -> None:
    """One fen for three waiting lots of five: at 5 fen in the pot and 3 of 5 waiting, 3 fen go out; less than a fen waits."""
    facts = PlanFacts((0, 10_000), ALL, packets=PacketFacts(1))
    done = compare(
        compiled(facts), facts, [bought(9, 0), bought(9, 0, "B"), bought(1, 9999, "C"), bought(1, 1, "D"), bought(1, 10_000, "E")]
    )

    assert [[], [], [], [10_000], [10_000]] == written(done, "packet")


def test_the_largest_orders_pay_a_full_window() -> None:
    """A fifth of a hundred million yuan to a window of a hundred: 2 x 10^13 micro in packets, and no product wraps."""
    facts = PlanFacts((2000, 2000), ALL, packets=PacketFacts(100))
    done = compare(compiled(facts), facts, [bought(AMOUNT_FEN_MAX, 2000, f"c{i}") for i in range(130)])
    packets = written(done, "packet")

    assert [min(i, 100) for i in range(130)] == [len(each) for each in packets]
    assert 2 * 10**13 == sum(packets[129])


def test_a_pool_sold_out_mints_again_at_the_last_price() -> None:
    """Everything sold, injected into, bought again, sold again, with orders as members too: supply comes to 0 and back."""
    for by_order in (False, True):
        facts = PlanFacts((2000, 2000), INTO_POOL, pool=PoolFacts(7000, 8000, exit_bp=999_999, by_order=by_order))
        first: list[Action] = [bought(100_000, 2000), bought(700, 2000), Sale("A", 1000), Injection(12_345)]
        again: list[Action] = [bought(100_000, 2000, "B"), bought(3000, 2000), Sale("B", 1000), Sale("A", 1000), *first]
        done = compare(compiled(facts), facts, [*first, *again])
        supply, supplies = 0, []
        for minted, burned in zip(written(done, "mint"), written(done, "burn"), strict=True):
            supply += sum(minted) - sum(burned)
            supplies.append(supply > 0)

        assert [True, True, False, False, True, True, True, False, True, True, False, False] == supplies


def test_an_injection_lets_many_out_at_once() -> None:
    """A hundred members exit one after the other, each raising the price for the next, in the order of their prices."""
    facts = PlanFacts((2000, 2000), INTO_POOL[:1], pool=PoolFacts(7000, 8000, exit_bp=12_000))
    done = compare(compiled(facts), facts, [*(bought(100_000 + i % 7, 2000, f"c{i}") for i in range(100)), Injection(10**12)])

    assert 100 == len(written(done, "exit")[-1])


def test_years_without_an_order_release_every_period_in_between() -> None:
    """Ten years of days with nobody buying: each day releases, lots run out of periods, and the last day waits for its end."""
    shares = (ShareFacts("dividend", RateFacts("concession", 10_000)),)
    facts = PlanFacts((1000, 1000), shares, release=ReleaseFacts(BOTH[:1], 50, None, 1, cash=True, of_balance=True))
    done = compare(compiled(facts), facts, [bought(10**6, 1000), bought(1, 1000, "B", 3650)])
    releases = written(done, "release")[1]

    assert releases == sorted(releases, reverse=True)
    assert len(releases) > 3000


def test_points_of_a_period_without_inflow_release_nothing() -> None:
    """At a concession of 0 % points of the amount may be earned; 0 of I_k / 0 would be anything."""
    points = (("consumer", RateFacts("amount", 10_000)),)
    shares = (ShareFacts("dividend", RateFacts("concession", 10_000)),)
    facts = PlanFacts((0, 10_000), shares, release=ReleaseFacts(points, 5000, None, 1, None, 50_000))
    done = compare(compiled(facts), facts, [bought(100, 0), bought(100, 10_000, "B", 1), bought(100, 10_000, "C", 1)])

    assert [[], [], [500_000]] == written(done, "voucher")
    assert isinstance(done[0].action, Order)
