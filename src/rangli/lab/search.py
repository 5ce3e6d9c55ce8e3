"""Search: the rates that give consumers most and never default.

A point never defaults when in every replication each month's promises are covered (``Result.unfunded_from`` is None, defined in
docs/truths.md). Of those points the best gives back most: cash and vouchers that consumers got, as a share of what they spent,
over all replications, compared as exact fractions; of equals the one with the lower levels.

First a Sobol design; from its best point on, the neighbours at a distance along each factor, moving to the best of them, and
halving the distance when none is better, down to the finest level. The same arguments try the same points in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final, NamedTuple

from rangli.lab.designs import Factor, Levels, Study, changes_of, check_factors, sobol
from rangli.lab.runs import DONE, Row, Runner, run_all

POINTS_MAX: Final = 400


class Tried(NamedTuple):
    """One point that was tried."""

    levels: Levels
    changes: tuple[str, ...]
    returned: Fraction
    """Of what consumers spent, over all replications that were finished."""
    unfunded: int
    """Replications in which promises stop being covered."""
    failed: int
    why: str
    """Why the first of the failed ones failed, in English; "" for none."""

    @property
    def never_defaults(self) -> bool:
        """Whether every replication was finished, and covered to its end."""
        return self.unfunded == self.failed == 0

    @property
    def rank(self) -> tuple[bool, Fraction, tuple[int, ...]]:
        """Greater is better."""
        return self.never_defaults, self.returned, tuple(-level for level in self.levels)


class Found(NamedTuple):
    """What a search found."""

    best: Tried | None
    """None when every point that was tried defaults."""
    tried: tuple[Tried, ...]
    """All of them, in the order in which they were tried."""
    is_done: bool
    """False when ``points_max`` ended it before the distance was down to the finest level."""


def best_rates(study: Study, runs: int = 16, points_max: int = POINTS_MAX, run: Runner = run_all) -> Found:
    """Look for the best point of a study: ``runs`` points at first (a power of two), at most ``points_max`` in all.

    Raises InputRefused as ``designs.sobol`` does.
    """
    check_factors(study.factors)
    tried: dict[Levels, Tried] = {}
    distances = [max(each.span >> 2, 1) for each in study.factors]
    points = sobol(study.factors, runs, study.seed)
    before: Tried | None = None
    while len(tried) + len(points) <= points_max:
        new = [point for point in dict.fromkeys(points) if point not in tried]
        for point, rows in zip(new, study.rows(new, run), strict=True):
            tried[point] = _tried(study, point, rows)
        best = max(tried.values(), key=lambda one: one.rank)
        if best == before:
            distances = [distance >> 1 for distance in distances]
        if not (best.never_defaults and any(distances)):
            return Found(best if best.never_defaults else None, tuple(tried.values()), is_done=True)
        before, points = best, _neighbours(best.levels, study.factors, distances)
    return Found(before, tuple(tried.values()), is_done=False)


def _neighbours(levels: Levels, factors: Sequence[Factor], distances: Sequence[int]) -> list[Levels]:
    """One factor moved by its distance, down and up, as far as its levels go."""
    ends = [(at, sign * distance) for at, distance in enumerate(distances) for sign in (-1, 1)]
    moved = [(at, min(max(levels[at] + by, factors[at].low), factors[at].high)) for at, by in ends]
    return [(*levels[:at], level, *levels[at + 1 :]) for at, level in moved]


def _tried(study: Study, point: Levels, rows: Sequence[Row]) -> Tried:
    """What the replications of a point came to."""
    done = [row for row in rows if row["state"] == DONE]
    failed = [row for row in rows if row["state"] != DONE]
    back = sum(row["cash_micro"] + row["vouchers_micro"] for row in done)
    spent = sum(row["spent_micro"] for row in done)
    unfunded = sum(row["unfunded_from"] is not None for row in done)
    why = failed[0]["en"] if failed else ""
    return Tried(point, changes_of(study.factors, point), Fraction(back, max(spent, 1)), unfunded, len(failed), why)
