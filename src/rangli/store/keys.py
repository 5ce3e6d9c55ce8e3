"""The ids that have been used, for ever: a table in memory from 64-bit hashes to positions, and its blocks in the database.

The hash is SipHash of the id under a key of its kind. Different ids may share one, so a hit is a candidate: whoever asks compares
the row.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from rangli.engine.draw import siphash_strings
from rangli.engine.kernel import kernel
from rangli.store.rows import Bytes, Ints

_KINDS: Final = np.arange(32, dtype=np.int64).reshape(16, 2)
"""A SipHash key for each kind of decision."""
_SLOTS_MIN: Final = 1 << 12


def hashes_of(kind: int, ends: Ints, data: Bytes) -> Ints:
    """The hash of each id; never 0, which means "no id"."""
    out = np.empty(len(ends) - 1, np.int64)
    siphash_strings(ends.astype(np.int32), data, np.full(len(out), kind, np.int64), _KINDS, out)
    out[out == 0] = 1
    return out


def hash_of(kind: int, key: str) -> int:
    """The same of one id."""
    data = key.encode()
    return int(hashes_of(kind, np.array([0, len(data)], np.int64), np.frombuffer(data, np.uint8))[0])


class Keys:
    """Hashes and positions; at least half of the slots are free. One thread adds, others may look meanwhile."""

    def __init__(self) -> None:
        self._table = np.zeros(_SLOTS_MIN, np.int64), np.zeros(_SLOTS_MIN, np.int32)
        """Hashes and positions, replaced together: a reader has either the old two or the new two."""
        self._used = 0

    def __len__(self) -> int:
        return self._used

    def find(self, hashes: Ints) -> NDArray[np.int32]:
        """The first position with each hash, 0 for none."""
        out = np.zeros(len(hashes), np.int32)
        find_keys(*self._table, hashes, out)
        return out

    def candidates(self, hashed: int) -> list[int]:
        """All positions with this hash."""
        out = np.zeros(16, np.int32)
        count = candidate_keys(*self._table, hashed, out)
        assert count < len(out), "sixteen ids with one 64-bit hash"
        return [int(position) for position in out[:count]]

    def add(self, hashes: Ints, first: int) -> None:
        """Hashes of consecutive positions from ``first`` on; 0 for a decision without an id."""
        size = len(self._table[0])
        if 2 * (self._used + len(hashes)) > size:
            while 2 * (self._used + len(hashes)) > size:
                size *= 2
            larger = np.zeros(size, np.int64), np.zeros(size, np.int32)
            move_keys(*self._table, *larger)
            self._table = larger
        self._used += int(add_keys(*self._table, hashes, first))


@kernel
def find_keys(slots: Ints, positions: NDArray[np.int32], hashes: Ints, out: NDArray[np.int32]) -> None:
    """Write the first position of each hash. slots : int64, a power of two, 0 for free."""
    mask = slots.shape[0] - 1
    for i in range(hashes.shape[0]):
        at = hashes[i] & mask
        while slots[at] != 0 and slots[at] != hashes[i]:
            at = (at + 1) & mask
        out[i] = positions[at] if slots[at] != 0 else 0


@kernel
def candidate_keys(slots: Ints, positions: NDArray[np.int32], hashed: int, out: NDArray[np.int32]) -> int:
    """Write every position of one hash; how many."""
    mask = slots.shape[0] - 1
    at = hashed & mask
    count = 0
    while slots[at] != 0:
        if slots[at] == hashed and count < out.shape[0]:
            out[count] = positions[at]
            count += 1
        at = (at + 1) & mask
    return count


@kernel
def add_keys(slots: Ints, positions: NDArray[np.int32], hashes: Ints, first: int) -> int:
    """Add them; how many there were. slots, positions : written."""
    mask = slots.shape[0] - 1
    count = 0
    for i in range(hashes.shape[0]):
        if hashes[i] == 0:
            continue
        at = hashes[i] & mask
        while slots[at] != 0:
            at = (at + 1) & mask
        slots[at] = hashes[i]
        positions[at] = first + i
        count += 1
    return count


@kernel
def move_keys(old: Ints, there: NDArray[np.int32], slots: Ints, positions: NDArray[np.int32]) -> None:
    """Everything into larger tables. slots, positions : written."""
    mask = slots.shape[0] - 1
    for i in range(old.shape[0]):
        if old[i] == 0:
            continue
        at = old[i] & mask
        while slots[at] != 0:
            at = (at + 1) & mask
        slots[at] = old[i]
        positions[at] = there[i]
