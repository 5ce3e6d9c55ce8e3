"""Each kernel beside the C reference of the same work: same inputs, same state, same checksum, in turns."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import numpy as np

from bench import report
from bench.reference import COMMAND, Reference, compiler
from bench.timing import Pairs, Spread, Work, in_turns
from bench.worlds import settle, world
from rangli.engine.arith import wrap_add, wrap_mul
from rangli.engine.draw import cut_points, siphash_strings
from rangli.engine.kernel import kernel
from rangli.engine.out import CLOSED, DONE, LINES_MAX, QUEUE_FULL, STOPPED, WRITTEN, Orders, Out
from rangli.engine.release import LINES_PER_LOT, release_period
from rangli.engine.shares import pay_shares
from rangli.engine.state import DIVIDEND_MICRO, INFLOW, RELEASE_POINTS, RELEASE_USED, ROOM_LOTS, State, move_queue, reserve, state_hash
from rangli.engine.step import queue_of, step
from rangli.plan.terms import SHARES_MAX, Ints, Terms
from rangli.settle import TRANSFERS_ROOM

TARGET: Final = 0.8
"""Of the speed of C."""
POINTS: Final = 19
"""Cut points of a full window."""


class Sizes(NamedTuple):
    """How much work each kernel gets."""

    draws: int = 400_000
    hashes: int = 1_000_000
    shares: int = 1_000_000
    packets: int = 400_000
    merchants: int = 2_000
    pool: int = 400_000
    release: int = 200_000
    pairs: int = 9


TINY: Final = Sizes(2_000, 2_000, 2_000, 5_000, 20, 5_000, 3_000, 2)


# ---------------------------------------------------------------- kernels around kernels


@kernel
def draws(count, whole, points, scratch, cuts):
    """The checksum of ``count`` cuts of about ``whole`` fen into points + 1 packets."""
    total = np.int64(0)
    for i in range(count):
        cut_points(i * 7919, whole + (i & 1023), points, scratch, cuts)
        for k in range(points):
            total = wrap_add(wrap_mul(total, 31), cuts[k])
    return total


@kernel
def shares(terms, orders, pot_account, taken, out):
    """The share lines of every order, written over and over from the beginning whenever ``out`` is full; a sum of it all."""
    written, total, into_pot = 0, 0, 0
    for i in range(orders.paid_fen.shape[0]):
        if written > out.transfers.amount.shape[0] - LINES_MAX:
            total += written
            written = 0
        written, pot, _, _, _ = pay_shares(terms.shares, orders, i, np.int64(pot_account), taken, out.transfers, written)
        into_pot += pot
    out.count[WRITTEN] = written
    return total + written + into_pot


@kernel
def checksum(total, out):
    """A number that changes with every transfer and closed lot of ``out``, and with their order."""
    t = out.transfers
    for n in range(out.count[WRITTEN]):
        line = wrap_mul(t.amount[n], 31) ^ wrap_mul(t.source[n], 1_000_003) ^ wrap_mul(t.destination[n], 10_000_019)
        total = wrap_add(wrap_mul(total, 31), line ^ wrap_mul(t.order[n], 257) ^ t.code[n])
    for n in range(out.count[CLOSED]):
        for column in range(out.closed.shape[1]):
            total = wrap_add(wrap_mul(total, 31), out.closed[n, column])
    return total


# ---------------------------------------------------------------- the two sides


class Side:
    """One of the two: a state that is its own, and the functions that it is run with."""

    def __init__(self, terms: Terms, state: State, holders: int, run: Any, release: Any) -> None:  # noqa: ANN401 (compiled)
        self.terms = terms
        self.state: State = copy.deepcopy(state)
        self.holders = holders
        self.out = Out.of(0, TRANSFERS_ROOM)
        self._step = run
        self._release = release

    def settle(self, orders: Orders, look: Callable[[Out], None] | None = None) -> int:
        """Settle the orders as ``Programme.run`` does; how many transfers were written."""
        out = self.out._replace(status=np.zeros(len(orders.paid_fen), np.uint8))
        out.count[:] = 0
        at = written = 0
        while True:
            at = self._step(self.terms, *self.state, orders, at, out)
            written += int(out.count[WRITTEN])
            if look is not None:
                look(out)
            if out.count[STOPPED] == QUEUE_FULL:
                assert self.state.queues is not None
                queue = int(queue_of(self.terms.packets, self.state.queues, orders, at))
                self.state = move_queue(self.state, queue, 2 * int(self.state.queues.rows[queue, ROOM_LOTS]))
            elif out.count[STOPPED] == DONE:
                assert not out.status.any()
                return written

    def sum_of(self, orders: Orders) -> int:
        """Settle the orders; the checksum of all that was written."""
        total = 0

        def look(out: Out) -> None:
            nonlocal total
            total = int(checksum(total, out))

        self.settle(orders, look)
        return total

    def prepare_release(self) -> None:
        """A period's inflow, as much as the last one's, and half of what it makes due in the pot, so that all is scaled down."""
        self.state = reserve(self.terms, self.state, self.holders, 0)
        release = self.state.release
        assert release is not None
        release.clock[INFLOW] = max(int(release.clock[INFLOW]), int(release.inflow.max()))
        release.clock[DIVIDEND_MICRO] = int(release.lots[: int(release.clock[RELEASE_USED]), RELEASE_POINTS].sum()) // 400
        lines = int(release.clock[RELEASE_USED]) * LINES_PER_LOT + LINES_MAX
        if len(self.out.transfers.amount) < lines:
            self.out = Out.of(0, lines)

    def release(self) -> None:
        """Close the period and release it."""
        self.out.count[:] = 0
        release, holdings = self.state.release, self.state.holdings
        self._release(self.terms.release, release, holdings.vouchers, holdings.tally, self.out)

    def hash(self) -> str:
        """The hash of its state."""
        return state_hash(self.terms, self.state, self.holders, b"")


class Race(NamedTuple):
    """A kernel and its reference, ready to run."""

    name: str
    what: str
    size: int
    unit: str
    ours: Work
    theirs: Work
    check: Callable[[], None]
    """Asserts that both have done the same."""


def _race_draws(c: Reference, sizes: Sizes) -> Race:
    scratch, cuts = np.zeros(POINTS + 1, np.int64), np.zeros(POINTS + 1, np.int64)

    def check() -> None:
        for whole, points in ((2_000, POINTS), (25, POINTS), (2**31 - 500, 3)):
            expected = c.draws(sizes.draws, whole, points)
            assert expected == draws(sizes.draws, whole, points, scratch, cuts)

    return Race(
        "draws",
        f"{POINTS} cut points of 2,000–3,023 fen",
        sizes.draws,
        "cuts",
        lambda: draws(sizes.draws, 2_000, POINTS, scratch, cuts),
        lambda: c.draws(sizes.draws, 2_000, POINTS),
        check,
    )


def _race_siphash(c: Reference, sizes: Sizes) -> Race:
    ids = [f"{2026010500000000 + i}" for i in range(sizes.hashes)]
    offsets = np.cumsum([0, *map(len, ids)]).astype(np.int32)
    data = np.frombuffer("".join(ids).encode(), np.uint8)
    key_row = (np.arange(sizes.hashes) & 1).astype(np.int64)
    keys = np.array([[1, -2], [2**62, -(2**63)]], np.int64)
    ours, theirs = np.zeros(sizes.hashes, np.int64), np.zeros(sizes.hashes, np.int64)

    def check() -> None:
        assert (theirs == ours).all()
        assert len(np.unique(ours)) == sizes.hashes

    return Race(
        "siphash",
        "SipHash-2-4 of ids of 16 bytes",
        sizes.hashes,
        "ids",
        lambda: siphash_strings(offsets, data, key_row, keys, ours),
        lambda: c.siphash(offsets, data, key_row, keys, theirs),
        check,
    )


def _race_shares(c: Reference, sizes: Sizes) -> Race:
    programme, orders = world("weituanbao", sizes.shares, 100, 100_000)
    pot = int(programme.pots[0][0]) * 8
    taken: Ints = np.zeros(SHARES_MAX, np.int64)
    out, out_c = Out.of(0, TRANSFERS_ROOM), Out.of(0, TRANSFERS_ROOM)

    def check() -> None:
        sums = [shares(programme.terms, orders, pot, taken, out), c.shares(programme.terms, orders, pot, taken, out_c)]
        assert sums[0] == sums[1]
        assert checksum(0, out) == checksum(0, out_c)

    return Race(
        "shares",
        "weituanbao, 6 lines an order",
        sizes.shares,
        "orders",
        lambda: shares(programme.terms, orders, pot, taken, out),
        lambda: c.shares(programme.terms, orders, pot, taken, out_c),
        check,
    )


def _sides(c: Reference, plan: str, orders: int, merchants: int, consumers: int, days: int = 1) -> tuple[Side, Side, Orders]:
    """Both sides in the state after the same orders, which they are to settle again and again."""
    programme, batch = world(plan, orders, merchants, consumers, days)
    settle(programme, batch)
    shared = programme.terms, programme.state, programme.holders
    return Side(*shared, step, release_period), Side(*shared, c.step, c.release_period), batch


def _race_orders(c: Reference, name: str, what: str, size: int, merchants: int, consumers: int) -> Race:
    ours, theirs, orders = _sides(c, name, size, merchants, consumers)

    def check() -> None:
        assert ours.hash() == theirs.hash()
        assert ours.sum_of(orders) == theirs.sum_of(orders)
        assert ours.hash() == theirs.hash()

    return Race(
        "packets" if name == "weituanbao" else "pool",
        what,
        size,
        "orders",
        lambda: ours.settle(orders),
        lambda: theirs.settle(orders),
        check,
    )


def _race_release(c: Reference, sizes: Sizes) -> Race:
    ours, theirs, _ = _sides(c, "moudian", sizes.release, 1 + sizes.release // 200, 2 * sizes.release, days=90)
    release = ours.state.release
    assert release is not None

    def closing(side: Side) -> Work:
        def close() -> None:
            side.prepare_release()
            side.release()

        return close

    def check() -> None:
        assert ours.out.count[WRITTEN] > 0
        assert checksum(0, ours.out) == checksum(0, theirs.out)
        assert ours.hash() == theirs.hash()

    lots = int(release.clock[RELEASE_USED])
    return Race("release", "moudian, a closing of all open lots", lots, "lots", closing(ours), closing(theirs), check)


def races(c: Reference, sizes: Sizes) -> list[Callable[[], Race]]:
    """All kernels; each is set up when called, so that no two worlds are in memory together."""
    packets = f"weituanbao, about 26 transfers an order, {sizes.merchants:,} merchants"
    pool = "zengzhi, mint, heap of exits, 10 transfers an order"
    return [
        lambda: _race_draws(c, sizes),
        lambda: _race_siphash(c, sizes),
        lambda: _race_shares(c, sizes),
        lambda: _race_orders(c, "weituanbao", packets, sizes.packets, sizes.merchants, 100_000),
        lambda: _race_orders(c, "zengzhi", pool, sizes.pool, 100, 1 + sizes.pool // 20),
        lambda: _race_release(c, sizes),
    ]


def run(race: Race, pairs: int) -> Pairs:
    """Run both once for the checksum, then in turns, then compare again."""
    race.ours()
    race.theirs()
    race.check()
    taken = in_turns(race.ours, race.theirs, pairs)
    race.check()
    return taken


def measure(sizes: Sizes, tick: report.Tick) -> report.Section:
    """The table of all kernels."""
    rows, missed = [], []
    with TemporaryDirectory(prefix="rangli-bench-") as folder:
        reference = Reference(Path(folder))
        for prepared in races(reference, sizes):
            race = prepared()
            taken = run(race, sizes.pairs)
            ours, theirs, ratio = Spread.of(taken.ours), Spread.of(taken.theirs), Spread.of(taken.ratios)
            if ratio.median < TARGET:
                missed.append(race.name)
            rows.append(
                (
                    race.name,
                    race.what,
                    f"{report.count(race.size)} {race.unit}",
                    report.seconds(ours.median / race.size),
                    report.seconds(theirs.median / race.size),
                    f"**{ratio.median:.2f}** ({ratio.least:.2f}–{ratio.most:.2f})",
                )
            )
            tick(race.name)
    target = f"Target: each at least {TARGET} of C"
    return report.Section(
        "Kernels beside C",
        f"`{' '.join(COMMAND[:3])}`, {compiler()}. Both on the same inputs and from the same state; checksums of everything written, and "
        f"hashes of the state, are asserted equal before and after. {sizes.pairs} pairs in turns in one process, one thread; the ratio is "
        "of each pair: our speed as a share of C's, median (least–most).",
        ("kernel", "work", "size", "ours, each", "C, each", "ratio"),
        rows,
        [report.verdict(target, is_met=not missed) + (f" by {', '.join(missed)}" if missed else "")],
    )
