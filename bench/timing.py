"""Timing: two ways of the same work in turns, and what their times come to."""

from __future__ import annotations

import gc
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import NamedTuple

Work = Callable[[], object]


class Pairs(NamedTuple):
    """Seconds of two ways of the same work, run in turns A B A B: ``ours[i]`` beside ``theirs[i]``."""

    ours: list[float]
    theirs: list[float]

    @property
    def ratios(self) -> list[float]:
        """Our speed as a share of theirs, pair by pair."""
        return [b / a for a, b in zip(self.ours, self.theirs, strict=True)]


def timed(work: Work) -> float:
    """Seconds that it takes, the collector of garbage being off."""
    gc.disable()
    try:
        start = perf_counter()
        work()
        return perf_counter() - start
    finally:
        gc.enable()


def in_turns(ours: Work, theirs: Work, pairs: int, reset: Work) -> Pairs:
    """Both, one after the other, this many times; before each pair ``reset``, which is not timed."""
    taken = Pairs([], [])
    for _ in range(pairs):
        reset()
        taken.ours.append(timed(ours))
        taken.theirs.append(timed(theirs))
    return taken


class Spread(NamedTuple):
    """The middle and the ends of some numbers."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, numbers: list[float]) -> Spread:
        """Of these."""
        return cls(median(numbers), min(numbers), max(numbers))
