"""Each kernel beside the C reference of the same work: same inputs, same state, same checksum, in turns."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
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
from rangli.engine.state import (
    DIVIDEND_MICRO,
    INFLOW,
    RELEASE_POINTS,
    RELEASE_USED,
    ROOM_LOTS,
    State,
    move_queue,
    reserve,
    state_hash,
)
from rangli.engine.step import queue_of, step
from rangli.plan.terms import SHARES_MAX, Ints, Terms
from rangli.settle import TRANSFERS_ROOM, Programme

TARGET: Final = 0.8
"""Of the speed of C."""
POINTS: Final = 19
"""Cut points of a full window."""
EXIT_AT: Final = "25%"
"""Of what a member spent. The preset's 120 % forces so few out that only the minting would be measured."""


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
def draws(count: int, whole: int, points: int, scratch: Ints, cuts: Ints) -> int:
    """The checksum of ``count`` cuts of about ``whole`` fen into points + 1 packets."""
    total = 0
    for i in range(count):
        cut_points(i * 7919, whole + (i & 1023), points, scratch, cuts)
        for k in range(points):
            total = wrap_add(wrap_mul(total, 31), cuts[k])
    return total


@kernel
def shares(terms: Terms, orders: Orders, pot_account: int, taken: Ints, out: Out) -> int:
    """The share lines of every order, written over and over from the beginning whenever ``out`` is full; a sum of it all."""
    written, total = 0, 0
    for i in range(orders.paid_fen.shape[0]):
        if written > out.transfers.amount.shape[0] - LINES_MAX:
            total += written
            written = 0
        written, pot, pool, dividend, vouchers = pay_shares(
            terms.shares, orders, i, np.int64(pot_account), taken, out.transfers, written
        )
        total += pot + pool + dividend + vouchers
    out.count[WRITTEN] = written
    return total + written


@kernel
def checksum(total: int, out: Out) -> int:
    """A number that changes with every transfer and closed lot of ``out``, and with their order."""
    t = out.transfers
    for n in range(out.count[WRITTEN]):
        line = wrap_mul(t.amount[n], 31) ^ wrap_mul(t.source[n], 1_000_003) ^ wrap_mul(t.destination[n], 10_000_019)
        total = wrap_add(wrap_mul(total, 31), line ^ wrap_mul(t.order[n], 257) ^ int(t.code[n]))
    for n in range(out.count[CLOSED]):
        for column in range(out.closed.shape[1]):
            total = wrap_add(wrap_mul(total, 31), out.closed[n, column])
    return total


# ---------------------------------------------------------------- the two sides


class Side:
    """One of the two: a state that is its own, and the functions that it is run with."""

    def __init__(self, programme: Programme, run: Any, release: Any, room: int = TRANSFERS_ROOM) -> None:  # noqa: ANN401 (compiled)
        self.terms = programme.terms
        self.holders = programme.holders
        self.out = Out.of(0, room)
        self._origin = programme.state
        self._step = run
        self._release = release
        self.restore()

    def restore(self) -> None:
        """Back to the state it was given."""
        self.state: State = copy.deepcopy(self._origin)

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

    def sum_of(self, orders: Orders) -> tuple[int, int]:
        """Settle the orders; how many transfers were written, and the checksum of them all."""
        total = 0

        def look(out: Out) -> None:
            nonlocal total
            total = int(checksum(total, out))

        return self.settle(orders, look), total

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
    check: Work
    """Asserts that both have done the same."""
    reset: Work = bool
    """Puts both back to where they began."""


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


def _sides(c: Reference, programme: Programme, room: int = TRANSFERS_ROOM) -> tuple[Side, Side, Work]:
    """Both sides, each with the programme's present state, and what puts both back to it."""
    ours, theirs = Side(programme, step, release_period, room), Side(programme, c.step, c.release_period, room)

    def reset() -> None:
        ours.restore()
        theirs.restore()

    return ours, theirs, reset


def _race_orders(c: Reference, name: str, what: str, programme: Programme, orders: Orders) -> Race:
    """Settle these orders from the programme's present state."""
    ours, theirs, reset = _sides(c, programme)

    def check() -> None:
        assert ours.hash() == theirs.hash()
        reset()
        assert ours.sum_of(orders) == theirs.sum_of(orders)
        assert ours.hash() == theirs.hash()

    size = len(orders.paid_fen)
    return Race(name, what, size, "orders", lambda: ours.settle(orders), lambda: theirs.settle(orders), check, reset)


def _race_packets(c: Reference, sizes: Sizes) -> Race:
    programme, orders = world("weituanbao", sizes.packets, sizes.merchants, 100_000)
    settle(programme, orders)
    written = settle(programme, orders)
    what = f"weituanbao, {sizes.merchants:,} merchants, steady state, about {written // sizes.packets} transfers an order"
    return _race_orders(c, "packets", what, programme, orders)


def _race_pool(c: Reference, sizes: Sizes) -> Race:
    """From the first order on: later the pool is so large that nobody is due."""
    programme, orders = world("zengzhi", sizes.pool, 100, 1 + sizes.pool // 2, changes=[f"pool.exit.at={EXIT_AT}"])
    programme.state = reserve(programme.terms, programme.state, programme.holders, 0)
    what = f"zengzhi with exits at {EXIT_AT}, so that one order in twelve forces somebody out"
    return _race_orders(c, "pool", what, programme, orders)


def _race_release(c: Reference, sizes: Sizes) -> Race:
    programme, orders = world("moudian", sizes.release, 1 + sizes.release // 200, 2 * sizes.release, days=90)
    settle(programme, orders)
    release = programme.state.release
    assert release is not None
    lots = int(release.clock[RELEASE_USED])
    # As much inflow as in the best period, and a pot that holds less than is due, so that all is scaled down.
    release.clock[INFLOW] = int(release.inflow.max())
    release.clock[DIVIDEND_MICRO] = int(release.lots[:lots, RELEASE_POINTS].sum()) // 400
    ours, theirs, reset = _sides(c, programme, lots * LINES_PER_LOT + LINES_MAX)

    def check() -> None:
        assert ours.out.count[WRITTEN] > lots
        assert checksum(0, ours.out) == checksum(0, theirs.out)
        assert ours.hash() == theirs.hash()

    what = "moudian, the end of a period, all lots scaled down to the pot"
    return Race("release", what, lots, "lots", ours.release, theirs.release, check, reset)


def races(c: Reference, sizes: Sizes) -> list[Callable[[], Race]]:
    """All kernels; each is set up when called, so that no two worlds are in memory together."""
    kinds = (_race_draws, _race_siphash, _race_shares, _race_packets, _race_pool, _race_release)
    return [partial(kind, c, sizes) for kind in kinds]


def run(race: Race, pairs: int) -> Pairs:
    """Run both once for the checksum, then in turns, then compare again."""
    race.ours()
    race.theirs()
    race.check()
    taken = in_turns(race.ours, race.theirs, pairs, race.reset)
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
        f"`{' '.join(COMMAND[:3])}`, {compiler()}. Both on the same inputs and from the same state; checksums of "
        f"everything written, and hashes of the state, are asserted equal before and after. {sizes.pairs} pairs in turns in one "
        "process, one thread; the ratio is of each pair: our speed as a share of C's, median (least–most).",
        ("kernel", "work", "size", "ours, each", "C, each", "ratio"),
        rows,
        [report.verdict(target, is_met=not missed) + (f" by {', '.join(missed)}" if missed else "")],
    )
