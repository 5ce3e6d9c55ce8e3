"""The first few of many whole numbers by their values, found without putting all of them in order.

    pieces ─▶ those after the cursor that can still be among the first ─▶ the first of them, by np.partition ─▶ put in order

Rising, the smallest value comes first, and of equal values the smallest number. Falling is that order read backwards: the largest
value first, and of equal values the largest number, which of decisions is the newest. No number comes twice, so everything has a
place of its own: a page that goes on after the last place of the one before neither skips nor repeats, wherever it was cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rangli.errors import FieldRefused
from rangli.money import MICRO_MAX
from rangli.store.rows import Ints

START: Final = "start"
"""A cursor before everything, for whoever has to ask for the first page again."""
_CURSOR: Final = re.compile(r"(-?[0-9]{1,19})\.([0-9]{1,19})")
_BEYOND_ALL: Final = 1 << 62
assert MICRO_MAX < _BEYOND_ALL
_BACKWARDS: Final = -1
"""``x ^ -1`` is ``-x - 1``: the same integers the other way round, and unlike ``-x`` it passes no limit."""

Piece = tuple[Ints, Ints]
"""Values, and the number that each belongs to; (n,) both."""


class Rank(NamedTuple):
    """A place in the order."""

    value: int
    number: int

    def cursor(self) -> str:
        """What ``rank_of`` reads."""
        return f"{self.value}.{self.number}"


def rank_of(cursor: str) -> Rank | None:
    """The place that a cursor of ours is; None before the first one. Raises FieldRefused."""
    if cursor in ("", START):
        return None
    parts = _CURSOR.fullmatch(cursor)
    rank = Rank(*map(int, parts.groups())) if parts else Rank(_BEYOND_ALL, 0)
    if max(abs(rank.value), rank.number) >= _BEYOND_ALL:
        raise FieldRefused(
            "cursor", "不是这种排列给出的游标;请从第一页开始", "is no cursor of this order; begin with the first page"
        )
    return rank


def ranked(pieces: Iterable[Piece], count: int, after: Rank | None = None, *, is_falling: bool) -> list[Rank]:
    """The first ``count`` places after one, or of all."""
    assert count > 0
    turn = _BACKWARDS if is_falling else 0
    start = None if after is None else Rank(after.value ^ turn, after.number ^ turn)
    kept: list[Ints] = [np.zeros((2, 0), np.int64)]
    total, edge = 0, None
    for values, numbers in pieces:
        keys = values ^ turn
        is_near = np.ones(len(keys), np.bool_) if start is None else keys >= start.value
        if edge is not None:
            is_near &= keys <= edge
        found = np.stack([keys[is_near], numbers[is_near] ^ turn])
        kept.append(found if start is None else found[:, _is_beyond(found, start)])
        total += kept[-1].shape[1]
        if total >= 2 * count:
            kept = [_least(np.concatenate(kept, axis=1), count)]
            total, edge = count, kept[0][0].max()
    best = _least(np.concatenate(kept, axis=1), count)
    in_order = np.lexsort((best[1], best[0]))
    return [Rank(value, number) for value, number in (best[:, in_order] ^ turn).T.tolist()]


def page(pieces: Iterable[Piece], limit: int, cursor: str, *, is_falling: bool) -> tuple[list[int], str]:
    """The numbers of a page, and the cursor of the next one, empty at the end. Raises FieldRefused."""
    found = ranked(pieces, limit + 1, rank_of(cursor), is_falling=is_falling)
    return [rank.number for rank in found[:limit]], found[limit - 1].cursor() if len(found) > limit else ""


def beyond(piece: Piece, rank: Rank, *, is_falling: bool) -> int:
    """How many places come after this one."""
    turn = _BACKWARDS if is_falling else 0
    return int(np.count_nonzero(_is_beyond(np.stack(piece) ^ turn, Rank(rank.value ^ turn, rank.number ^ turn))))


def _is_beyond(found: Ints, rank: Rank) -> NDArray[np.bool_]:
    """Which places come after this one, rising."""
    values, numbers = found
    mask: NDArray[np.bool_] = (values > rank.value) | ((values == rank.value) & (numbers > rank.number))
    return mask


def _least(found: Ints, count: int) -> Ints:
    """The first ``count`` places rising, in no order: all values below the last one, and the smallest numbers of that one."""
    values, numbers = found
    if len(values) <= count:
        return found
    edge = np.partition(values, count - 1)[count - 1]
    below, level = np.flatnonzero(values < edge), np.flatnonzero(values == edge)
    room = count - len(below)
    last = np.partition(numbers[level], room - 1)[room - 1]
    return found[:, np.concatenate([below, level[numbers[level] <= last]])]
