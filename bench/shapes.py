"""Weituanbao with all its transfers written, through ``Programme.run``, on one core: how many orders a second."""

from __future__ import annotations

from typing import Final, NamedTuple

from bench import report
from bench.timing import Spread, timed
from bench.worlds import settle, slices, world
from rangli.engine.state import QUEUES_USED
from rangli.settle import Orders, Programme

TARGET: Final = 1_000_000
"""Orders a second."""


class Sizes(NamedTuple):
    """How much of everything."""

    orders: int = 1_000_000
    merchants: tuple[int, ...] = (1, 2_000, 10_000)
    batches: tuple[int, ...] = (1, 10, 100, 10_000)
    calls: int = 3_000
    """Calls with a batch, as far as the orders reach."""
    rounds: int = 7


TINY: Final = Sizes(4_000, (1, 20), (1, 100), 20, 2)


def _in_batches(programme: Programme, orders: Orders, size: int) -> None:
    """Settle the orders, so many to a call."""
    for batch in slices(orders, size):
        settle(programme, batch)


def _timed_row(programme: Programme, name: str, orders: Orders, size: int, rounds: int) -> tuple[tuple[str, ...], float]:
    """A row of the table, and its orders a second; the orders are settled again and again from the state they led to."""
    written = sum(settle(programme, batch) for batch in slices(orders, size))
    count = len(orders.paid_fen)
    taken = Spread.of([timed(lambda: _in_batches(programme, orders, size)) for _ in range(rounds)])
    rate = count / taken.median
    return (
        name,
        report.count(size),
        f"**{report.count(rate)}** ({report.count(count / taken.most)}–{report.count(count / taken.least)})",
        report.count(written / taken.median),
        f"{written / count:.1f}",
        report.seconds(taken.median / (count / size)),
    ), rate


def measure(sizes: Sizes, tick: report.Tick) -> report.Section:
    """The table of shapes and of batches."""
    rows, rates = [], []
    for merchants in sizes.merchants:
        programme, orders = world("weituanbao", sizes.orders, merchants, sizes.orders >> 2)
        assert programme.state.queues is not None
        settle(programme, orders)
        queues = int(programme.state.queues.used[QUEUES_USED])
        name = f"{merchants:,} merchant{'s' if merchants > 1 else ''}, {queues:,} queues"
        row, rate = _timed_row(programme, name, orders, len(orders.paid_fen), sizes.rounds)
        rows.append(row)
        rates.append(rate)
        tick(name)
        if merchants == sizes.merchants[1]:
            for size in sizes.batches:
                some = Orders._make(column[: size * sizes.calls] for column in orders)
                rows.append(_timed_row(programme, "the same", some, size, sizes.rounds)[0])
                tick(f"batches of {size:,}")
    met = ", ".join(f"{rate / TARGET:.2f}" for rate in rates)
    return report.Section(
        "Weituanbao, every transfer written, on one core",
        "`Programme.run` on orders that are numbers already (names resolved, amounts parsed), in steady state, every party being "
        f"there; the last column is what one call costs, its orders included. Medians of {sizes.rounds} rounds (least–most).",
        ("shape", "orders a call", "orders/s", "transfers/s", "transfers an order", "a call"),
        rows,
        [
            report.verdict(f"Target: {TARGET:,} orders/s on one quiet core", is_met=min(rates) >= TARGET)
            + f"; in one call, by shape, that times {met}"
        ],
    )
