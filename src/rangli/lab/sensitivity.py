"""Sensitivity: how much of a figure's variance each factor makes, alone and with all others (Sobol's indices, by SALib).

First-order index: the part of the variance that goes away when the factor is known. Total index: the part that stays when all
others are known. What the total has beyond the first is made together with others. These are statistics about a sweep and no
money, so they are floats; the runs that they are taken of are exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from rangli.errors import InputRefused
from rangli.lab.designs import Factor, Levels, Study, check_factors, check_power, of_extra
from rangli.lab.runs import FAILED, FIGURES, Row, Runner, run_all


class Index(NamedTuple):
    """What one factor does to one figure; each index with half of its interval of 95 %."""

    path: str
    first: float
    first_within: float
    total: float
    total_within: float


class Sensitivity(NamedTuple):
    """What a sensitivity study found."""

    points: int
    runs: int
    indices: dict[str, tuple[Index, ...] | None]
    """By figure, a row a factor; None for a figure that is the same in all runs."""


def saltelli(factors: Sequence[Factor], base: int, seed: int) -> list[Levels]:
    """The points of Saltelli's design: ``base`` x (factors + 2), each laid onto the levels of its factor.

    Raises InputRefused unless ``base`` is a power of two.
    """
    check_factors(factors)
    check_power(base)
    drawn = np.floor(of_extra("SALib.sample.sobol").sample(_problem(factors), base, calc_second_order=False, seed=seed)).astype(
        np.int64
    )
    return [tuple(min(int(level), each.high) for level, each in zip(point, factors, strict=True)) for point in drawn]


def sensitivity(study: Study, figures: Sequence[str], base: int = 64, run: Runner = run_all) -> Sensitivity:
    """Run Saltelli's design and take the indices of these figures, each summed over the replications of a point.

    Raises InputRefused for a figure that there is not, or that some run does not have: an index of a part would be of another
    question.
    """
    check_figures(figures)
    points = saltelli(study.factors, base, study.seed)
    rows = study.rows(points, run)
    indices = {figure: _indices(study, [_sum(figure, runs) for runs in rows]) for figure in figures}
    return Sensitivity(len(points), len({row["run"] for runs in rows for row in runs}), indices)


def check_figures(figures: Iterable[str]) -> None:
    """Raises InputRefused for a figure that there is not."""
    for figure in figures:
        if figure not in FIGURES:
            raise InputRefused(
                f"没有指标 {figure!r};现有:{', '.join(FIGURES)}", f"there is no figure {figure!r}; there are {', '.join(FIGURES)}"
            )


def _problem(factors: Sequence[Factor]) -> Mapping[str, Any]:
    """The factors as SALib describes them; the upper bound is the first number past the last level."""
    bounds = [[each.low, each.high + 1] for each in factors]
    return {"num_vars": len(factors), "names": [each.path for each in factors], "bounds": bounds}


def _sum(figure: str, runs: Sequence[Row]) -> int:
    """A figure of a point: the sum of its replications. Raises InputRefused when one of them does not have it."""
    for row in runs:
        if row[figure] is None:
            zh, en = (row["zh"], row["en"]) if row["state"] == FAILED else (f"没有 {figure}", f"it has no {figure}")
            where = ", ".join(row["changes"])
            raise InputRefused(f"{where} 的模拟无此指标:{zh}", f"the run of {where} cannot be counted: {en}")
    return sum(row[figure] for row in runs)


def _indices(study: Study, values: Sequence[int]) -> tuple[Index, ...] | None:
    """The indices of a figure that has these values at the points."""
    if min(values) == max(values):
        return None
    found = of_extra("SALib.analyze.sobol").analyze(
        _problem(study.factors), np.array(values), calc_second_order=False, seed=study.seed
    )
    columns = (found[name].tolist() for name in ("S1", "S1_conf", "ST", "ST_conf"))
    return tuple(Index(each.path, *row) for each, row in zip(study.factors, zip(*columns, strict=True), strict=True))
