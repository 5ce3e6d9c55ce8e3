"""Timing: two ways of the same work in turns, and what their times come to."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
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


@contextmanager
def stolen() -> Iterator[Callable[[], float]]:
    """The share of the processor time wanted that the host gave to other machines, asked at the end; 0 where it does not say."""
    began = _times()

    def share() -> float:
        wanted, taken = (after - before for before, after in zip(began, _times(), strict=True))
        return taken / wanted if wanted else 0.0

    yield share


def _times() -> tuple[int, int]:
    """Ticks in which somebody wanted a processor, and those of them that the host gave away (``steal`` in proc(5))."""
    facts = Path("/proc/stat")
    if not facts.exists():
        return 0, 0
    user, nice, system, _, _, irq, soft, steal = map(int, facts.read_text().split("\n", 1)[0].split()[1:9])
    return user + nice + system + irq + soft + steal, steal


class Spread(NamedTuple):
    """The middle and the ends of some numbers."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, numbers: list[float]) -> Spread:
        """Of these."""
        return cls(median(numbers), min(numbers), max(numbers))
