"""Out: what a step writes. The caller allocates it, the kernel fills it and says how far it came."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rangli.ledger.transfers import Transfers
from rangli.plan.terms import PER_ORDER_MAX, SHARES_MAX, Ints

LINES_MAX: Final = 2 + 2 * SHARES_MAX + 1 + SHARES_MAX + PER_ORDER_MAX + SHARES_MAX
"""The most transfers of one order, its forced exits apart: vouchers used, shares as vouchers, the platform, bonuses, packets,
points (a plan has at most SHARES_MAX each of shares, bonuses and points)."""

# Columns of Out.count.
WRITTEN, CLOSED, STOPPED = range(3)

# Why a step came back (Out.count[STOPPED]).
DONE: Final = 0
OUT_FULL: Final = 1
"""Empty ``out`` and go on with the same order."""
EXITS_LEFT: Final = 2
"""Empty ``out`` and go on: the order is settled, its forced exits are not all written."""
QUEUE_FULL: Final = 3
"""Widen the order's queue and go on."""
PERIOD_DUE: Final = 4
"""A period's release comes before this order: release it and go on."""

# Status of a row.
SETTLED: Final = 0
AMOUNT_OUT_OF_RANGE: Final = 1
CONCESSION_OUT_OF_RANGE: Final = 2
VOUCHERS_OVER_LIMIT: Final = 3
VOUCHERS_SHORT: Final = 4
LIMIT_REACHED: Final = 5
STATUS_NAMES: Final = (
    "settled",
    "amount_out_of_range",
    "concession_out_of_range",
    "vouchers_over_limit",
    "vouchers_short",
    "limit_reached",
)


class Orders(NamedTuple):
    """A batch of orders as columns; every array has one row an order."""

    paid_fen: Ints
    concession_bp: Ints
    voucher_fen: Ints
    day: Ints
    """Days since 1970-01-01 in Beijing."""
    key: Ints
    """The order's key for draws."""
    party: NDArray[np.int32]
    """(n, ORDER_PARTIES) holder numbers, -1 for none."""


class Out(NamedTuple):
    """Room for what a step writes."""

    transfers: Transfers
    closed: Ints
    """(n, 6) lots of packets that closed: order number, wallet account, pot account, paid fen, packets, received fen."""
    status: NDArray[np.uint8]
    """(orders,) status of each row."""
    count: Ints  # type: ignore[assignment]  # hides tuple.count, which nobody asks of it
    """(3,) transfers written, lots closed, why the step came back."""

    @classmethod
    def of(cls, orders: int, transfers: int) -> Out:
        """Room for the statuses of this many orders and for this many transfers."""
        assert transfers >= LINES_MAX
        return cls(
            Transfers.empty(transfers),
            np.empty((transfers, 6), np.int64),
            np.zeros(orders, np.uint8),
            np.zeros(3, np.int64),
        )
