"""Lots of packets that have closed and are in no checkpoint yet: here a refund finds what they had received.

The table of closed lots follows from the journal, so a commit need not wait for it: a checkpoint takes them along, and a restart
decides again what came after it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from rangli.store.rows import Ints

_NUMBER, _PACKETS, _RECEIVED = range(3)
_OF_CLOSED: Final = [0, 4, 5]
"""The same in a row of ``Chunk.closed``."""
_ROOM: Final = 1 << 10


class ClosedLots:
    """Order number, packets and received fen of lots, in the order in which they closed."""

    def __init__(self) -> None:
        self._rows = np.zeros((3, _ROOM), np.int64)
        self._count = 0

    def add(self, closed: Iterable[Ints]) -> None:
        """Lots that have closed now, as rows of ``Chunk.closed``."""
        for some in closed:
            stop = self._count + len(some)
            while stop > self._rows.shape[1]:
                self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)], axis=1)
            self._rows[:, self._count : stop] = some[:, _OF_CLOSED].T
            self._count = stop

    def find(self, number: int) -> tuple[int, int] | None:
        """Packets and received fen of this order's lot, if it is here."""
        found = np.flatnonzero(self._rows[_NUMBER, : self._count] == number)
        if not len(found):
            return None
        return int(self._rows[_PACKETS, found[-1]]), int(self._rows[_RECEIVED, found[-1]])

    def all(self) -> Ints:
        """(n, 3) all that are here, in memory of their own."""
        return np.ascontiguousarray(self._rows[:, : self._count].T)

    def forget(self, count: int) -> None:
        """The first so many are in the table now."""
        left = self._rows[:, count : self._count].copy()
        self._count -= count
        self._rows[:, : self._count] = left
