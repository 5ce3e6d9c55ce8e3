"""Settle: the same orders in any batches and any room give the same transfers and the same state, to the byte."""

from __future__ import annotations

from hashlib import sha256
from random import Random
from typing import Any

import numpy as np
import pytest
from engine_bridge import Concrete, Engine, Written, ask, compiled, tell
from engine_worlds import (
    SECRET,
    WORLDS,
    Action,
    Asked,
    PacketFacts,
    PlanFacts,
    PoolFacts,
    RateFacts,
    ReleaseFacts,
    ShareFacts,
    worlds,
)
from hypothesis import given
from hypothesis import strategies as st
from oracle import Order

from rangli import settle
from rangli.engine.out import LINES_MAX
from rangli.errors import LimitReached, PointsShort
from rangli.ledger.accounts import AGENT, CONSUMER, MERCHANT
from rangli.plan import load
from rangli.settle import Programme

World = tuple[PlanFacts, list[Action]]
Doings = list[Order | tuple[str, int] | int]


def bought(paid_fen: int, concession_bp: int, consumer: str = "A", days_ahead: int = 0) -> Asked:
    """An order at M."""
    return Asked(days_ahead, paid_fen, concession_bp, (consumer, "M", *[None] * 7))


def engine_with_room(plan: PlanFacts, room: int) -> Engine:
    """An engine whose steps may write so many transfers at a time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settle, "TRANSFERS_ROOM", room)
        return Engine(compiled(plan))


def all_of(engine: Engine, written: list[Written]) -> list[Any]:
    """Everything that must not depend on batches."""
    return [written, engine.closed, engine.programme.hash(), *engine.programme.freeze(), engine.programme.periods]


# ---------------------------------------------------------------- batches and room


@WORLDS
@given(world=worlds(most=60), seed=st.integers(0, 9), room=st.integers(0, 60))
def test_no_cut_into_batches_and_no_room_shows_in_anything(world: World, seed: int, room: int) -> None:
    """Live is a batch of one, replay a batch of a million: transfers, closed lots, hash and frozen bytes are the same."""
    _, done = ask(*world)
    doings = [each.action for each in done]
    whole, cut, single = (
        Engine(compiled(world[0])),
        engine_with_room(world[0], LINES_MAX + room),
        engine_with_room(world[0], LINES_MAX),
    )
    chance = Random(seed)
    expected = all_of(whole, tell(whole, doings, lambda _: len(doings)))

    assert expected == all_of(cut, tell(cut, doings, lambda _: chance.choice((1, 2, 7, 30))))
    assert expected == all_of(single, tell(single, doings, lambda _: 1 if seed else len(doings)))


POOL = (ShareFacts("pool", RateFacts("concession", 8000)),)


@pytest.mark.parametrize("by_order", [False, True])
def test_exits_that_do_not_fit_into_the_room_come_with_the_next_chunk(by_order: bool) -> None:  # noqa: FBT001 (a parameter)
    """One order lifts the price over the first buyer's mark, and what that exit leaves lets out everybody else.

    Each exit is written once, in the same order, however often the step has to come back in between.
    """
    plan = PlanFacts((2000, 2000), POOL, pool=PoolFacts(5000, 5000, exit_bp=1650, by_order=by_order))
    small = [bought(100 + i % 5, 2000, "A" if by_order else f"c{i}") for i in range(150)]
    _, done = ask(plan, [bought(10**8, 2000, "first"), *small, bought(10**8, 2000, "whale"), bought(100, 2000, "B")])
    doings = [each.action for each in done]
    for room in (LINES_MAX, LINES_MAX + 3, 1 << 18):
        engine = engine_with_room(plan, room)
        written = tell(engine, doings, lambda _: 1000)

        assert [each.written for each in done] == written
        assert 152 == sum(line.code == "exit" for line in written[151].lines)


def test_a_queue_grows_and_slides_without_a_trace() -> None:
    """Hundreds of waiting lots in several queues, which outgrow their blocks at different times."""
    plan = PlanFacts(
        (100, 100), (ShareFacts("packets", RateFacts("concession", 10_000)),), packets=PacketFacts(3, (50, 100), None, 7)
    )
    _, done = ask(plan, [bought(1 + i * 37 % 150, 100, f"c{i % 11}") for i in range(600)])
    doings = [each.action for each in done]
    whole, single = Engine(compiled(plan)), engine_with_room(plan, LINES_MAX)

    assert all_of(whole, tell(whole, doings, lambda _: 1000)) == all_of(single, tell(single, doings, lambda _: 13))
    assert [each.written for each in done] == tell(Engine(compiled(plan)), doings, lambda _: 1)


def test_an_empty_batch_does_nothing() -> None:
    """A poll that found no orders."""
    for name in ("weituanbao", "moudian", "zengzhi"):
        engine = Engine(load(name))
        before = engine.programme.hash()

        assert [] == engine.settle([])
        assert before == engine.programme.hash()


# ---------------------------------------------------------------- freeze and thaw


@WORLDS
@given(world=worlds(most=60), at=st.integers(0, 60))
def test_a_programme_thawed_goes_on_as_if_nothing_had_been(world: World, at: int) -> None:
    """A checkpoint is all that the next order depends on: freezing, thawing and going on equals going on."""
    _, done = ask(*world)
    doings = [each.action for each in done]
    plan = compiled(world[0])
    engine = Engine(plan)
    tell(engine, doings[:at], lambda _: 11)
    frozen = engine.programme.freeze()
    thawed = Engine(plan, Programme.thaw(plan, SECRET, *frozen))
    thawed.settled_ids, thawed.balances = list(engine.settled_ids), engine.balances.copy()

    assert engine.programme.hash() == thawed.programme.hash()
    assert frozen == thawed.programme.freeze()
    assert tell(engine, doings[at:], lambda _: 7) == tell(thawed, doings[at:], lambda _: 5)
    assert engine.programme.freeze() == thawed.programme.freeze()
    assert engine.programme.hash() == thawed.programme.hash()


def test_the_hash_tells_states_apart_that_differ_in_one_fen() -> None:
    """Each order, its amount, its payer, its day and its place leave a trace; so does a name."""
    plan = PlanFacts(
        (2000, 2000),
        (ShareFacts("packets", RateFacts("concession", 4000)), ShareFacts("dividend", RateFacts("concession", 4000))),
        packets=PacketFacts(3),
        release=ReleaseFacts((("consumer", RateFacts("concession", 10_000)),), 50),
    )
    first = [bought(100, 2000), bought(200, 2000, "B"), bought(300, 2000, "A", 31)]
    streams = [
        first,
        first[:2],
        [*first[:2], bought(301, 2000, "A", 31)],
        [*first[:2], bought(300, 2000, "B", 31)],
        [*first[:2], bought(300, 2000, "A", 32)],
        [first[1], first[0], first[2]],
        [*first[:2], bought(300, 2000, "C", 31)],
    ]
    hashes = set()
    for stream in streams:
        engine = Engine(compiled(plan))
        tell(engine, [each.action for each in ask(plan, stream)[1]], lambda _: 2)
        hashes.add(engine.programme.hash())

    assert len(streams) == len(hashes)


# ---------------------------------------------------------------- refusals


@WORLDS
@given(world=worlds(most=40))
def test_a_refused_row_or_operation_leaves_the_state_as_it_was(world: World) -> None:
    """Amount, concession, vouchers, limits, points: what is refused is refused whole.

    Its names stay in the register, and a release that its day brought about stays too.
    """
    engine = Engine(compiled(world[0]))
    for action, _ in ask(*world)[1]:
        if isinstance(action, Order):
            engine.batch([action])
        before, periods = engine.programme.hash(), len(engine.programme.periods)
        [written] = tell(engine, [action], lambda _: 1)

        assert written.reason == "settled" or periods < len(engine.programme.periods) or before == engine.programme.hash()
        assert written.reason == "settled" or [] == written.lines


def test_sales_and_injections_are_refused_with_their_reason() -> None:
    """More points than there are, none, of somebody unknown; more funds than the limit, none, no pool."""
    programme = Engine(load("zengzhi")).programme
    packets = Engine(load("weituanbao")).programme
    before = programme.hash()
    for seller, points in (("nobody", 1), ("nobody", 0), ("nobody", -1)):
        with pytest.raises(PointsShort):
            programme.sell(seller, points)
    for micro in (0, -1, 2**60 + 1):
        with pytest.raises(LimitReached):
            programme.inject(micro)
    with pytest.raises(PointsShort):
        packets.sell("nobody", 1)
    with pytest.raises(LimitReached):
        packets.inject(1)

    assert before == programme.hash()


# ---------------------------------------------------------------- names and chance


def test_a_merchant_is_followed_by_its_pots() -> None:
    """So that numbers, and with them the hash, depend on the order of names alone."""
    programme = Programme(load("weituanbao"), SECRET)
    numbers = [programme.holder(kind, "王") for kind in (CONSUMER, MERCHANT, AGENT, MERCHANT, CONSUMER)]

    assert [0, 1, 6, 1, 0] == [number - numbers[0] for number in numbers]
    assert [f"programme:packets:王:{tier}" for tier in (1, 2, 3, 4)] == [
        programme.accounts.path((numbers[1] + tier) * 8) for tier in (1, 2, 3, 4)
    ]


def test_each_day_has_a_secret_of_its_own_and_a_commitment_to_it() -> None:
    """What is published before one day tells nothing of another."""
    programme = Programme(load("weituanbao"), SECRET)
    secrets = [programme.day_secret(day) for day in range(20_000, 20_050)]

    assert 50 == len({*secrets}) == len({programme.sip_key(day) for day in range(20_000, 20_050)})
    assert [sha256(secret).hexdigest() for secret in secrets] == [programme.commitment(day) for day in range(20_000, 20_050)]


def test_another_secret_cuts_other_packets_and_nothing_else() -> None:
    """Chance decides who gets how much of an issue, and no other line."""
    doings = [each.action for each in ask(PlanFacts((600, 3000), ()), [bought(10_000, 2000, f"c{i}") for i in range(30)])[1]]
    first, second = (Engine(load("weituanbao"), Programme(load("weituanbao"), bytes([i] * 32))) for i in (1, 2))
    pairs = list(zip(tell(first, doings, lambda _: 9), tell(second, doings, lambda _: 9), strict=True))
    packets = [[[line.amount for line in side.lines if line.code == "packet"] for side in pair] for pair in pairs]

    assert all(sum(a) == sum(b) and len(a) == len(b) for a, b in packets)
    assert sum(a != b for a, b in packets) >= 25
    assert all(
        [line for line in a.lines if line.code != "packet"] == [line for line in b.lines if line.code != "packet"]
        for a, b in pairs
    )


def test_every_row_gets_a_status_and_ranges_tile_the_batch() -> None:
    """Callers write what a chunk went through and look at the statuses of these rows only."""
    plan = PlanFacts((600, 3000), (ShareFacts("packets", RateFacts("concession", 5000)),), packets=PacketFacts(20))
    engine = engine_with_room(plan, LINES_MAX)
    done: list[Concrete] = ask(plan, [bought(0 if i % 3 == 0 else 100, 600, f"c{i}") for i in range(40)])[1]
    orders = [each.action for each in done if isinstance(each.action, Order)]
    batch = engine.batch(orders)
    status = np.full(len(orders), 99, np.uint8)
    ranges = []
    for chunk in engine.programme.run(batch, status):
        ranges.append(chunk.settled)
        assert 99 not in status[: chunk.settled[1]]
    starts, ends = zip(*ranges, strict=True)

    assert (0, *ends[:-1]) == starts
    assert ends[-1] == 40
    assert [int(i % 3 == 0) for i in range(40)] == status.tolist()
