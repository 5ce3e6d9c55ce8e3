"""Designs: which values a sweep tries. Levels are integers in the units of the documents, so that none of them rounds.

    pool.exit.at=100%..300%:5            five levels from 100 % to 300 %, in basis points
    shares[0].rate=8%..16% of amount     what follows the second value is written after every level
    scenario:consumers.new=0..500:6      whole numbers, in the scenario
    bonus[0].amount=0.00..50.00          yuan with decimals go by the fen

A grid takes every combination of its levels. A Latin hypercube of n runs puts one run into each nth of every factor. A Sobol
sequence fills the space evenly at every power of two. The last two are scipy's, and the same for the same seed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import import_module
from itertools import product
from math import prod
from typing import Any, Final, Literal, NamedTuple

from rangli.errors import InputRefused
from rangli.lab.runs import Job, Row, Runner, replications, run_all, run_id
from rangli.money import mul_div, parse_percent, parse_yuan, print_percent, print_yuan

Design = Literal["grid", "lhs", "sobol"]
Levels = tuple[int, ...]
"""One level of each factor: a point of a design."""

RUNS_MAX: Final = 1 << 20
_FACTOR: Final = re.compile(
    r"(?P<path>[^=]+)=(?P<low>[^.\s]+(?:\.\d+)?%?)\.\.(?P<high>[^:\s]+)(?P<tail> [^:]+)?(?::(?P<levels>[0-9]+))?"
)


class Factor(NamedTuple):
    """One value that a sweep changes."""

    path: str
    """In the plan; with ``scenario:`` before it, in the scenario."""
    unit: Literal["percent", "yuan", "number"]
    low: int
    high: int
    """The last level, inclusive; in basis points, fen, or ones."""
    levels: int = 0
    """How many a grid takes; 0 when nobody has said."""
    tail: str = ""
    """What is written after each level, as `` of amount``."""

    @property
    def span(self) -> int:
        """How many levels there are in all."""
        return self.high - self.low + 1

    def text(self, level: int) -> str:
        """A level as its document has it.

        >>> Factor("pool.exit.at", "percent", 10_000, 30_000).text(12_050)
        '120.5%'
        """
        number = print_percent(level) if self.unit == "percent" else print_yuan(level) if self.unit == "yuan" else str(level)
        return number + self.tail


def factor(text: str) -> Factor:
    """The factor that a text describes.

    >>> factor("pool.exit.at=100%..300%:5")
    Factor(path='pool.exit.at', unit='percent', low=10000, high=30000, levels=5, tail='')
    >>> factor("shares[0].rate=8%..16% of amount").text(1250)
    '12.5% of amount'

    Raises InputRefused, saying how it is written.
    """
    match = _FACTOR.fullmatch(text.strip())
    if match is None:
        raise InputRefused(
            f"{text!r} 应写成 路径=从..到 或 路径=从..到:几档,如 pool.exit.at=100%..300%:5",
            f"{text!r} is not path=from..to or path=from..to:levels; write it as pool.exit.at=100%..300%:5",
        )
    ends = match["low"], match["high"]
    unit = _unit(ends)
    low, high = (_level(unit, end) for end in ends)
    levels = int(match["levels"] or 0)
    if not (low < high and levels <= high - low + 1 and levels != 1):
        raise InputRefused(
            f"{text!r} 的两端应从小到大,档数应在 2 到 {max(high - low + 1, 2)} 之间",
            f"{text!r} must go from a smaller value to a larger one, in 2 to {max(high - low + 1, 2)} levels",
        )
    return Factor(match["path"].strip(), unit, low, high, levels, match["tail"] or "")


def _unit(ends: tuple[str, str]) -> Literal["percent", "yuan", "number"]:
    """What two ends are counted in."""
    if any(end.endswith("%") for end in ends):
        return "percent"
    return "yuan" if any("." in end for end in ends) else "number"


def _level(unit: str, text: str) -> int:
    """An end in its unit."""
    if unit == "percent":
        return parse_percent(text)
    if unit == "yuan":
        return parse_yuan(text)
    if not re.fullmatch(r"[0-9]{1,15}", text):
        raise InputRefused(f"{text!r} 不是整数、百分比或元", f"{text!r} is not a whole number, a percentage or yuan")
    return int(text)


class Study(NamedTuple):
    """What is studied: two documents, what is changed in them, and how often each point is run."""

    plan: str
    scenario: str
    factors: tuple[Factor, ...]
    replications: int = 1
    """How often each point is run, each time in another world."""
    seed: int = 7
    """Of the runs and of the design."""

    def jobs(self, point: Levels) -> list[Job]:
        """All replications of a point."""
        return replications(
            [Job(self.plan, self.scenario, seed=self.seed, changes=changes_of(self.factors, point))], self.replications
        )

    def rows(self, points: Sequence[Levels], run: Runner = run_all) -> list[list[Row]]:
        """Run all replications of these points; the rows of each."""
        jobs = [self.jobs(point) for point in points]
        by_run = {row["run"]: row for row in run(job for one in jobs for job in one).to_pylist()}
        return [[by_run[run_id(job)] for job in one] for one in jobs]


# ---------------------------------------------------------------- designs


def grid(factors: Sequence[Factor]) -> list[Levels]:
    """Every combination, the last factor changing fastest. Raises InputRefused if a factor does not say its number of levels."""
    for each in factors:
        if not each.levels:
            raise InputRefused(
                f"网格需要档数:{each.path}={each.text(each.low)}..{each.text(each.high)}:5",
                f"a grid needs a number of levels: {each.path}={each.text(each.low)}..{each.text(each.high)}:5",
            )
    _check_runs(prod(each.levels for each in factors))
    return list(product(*([_even(each, i) for i in range(each.levels)] for each in factors)))


def latin_hypercube(factors: Sequence[Factor], runs: int, seed: int) -> list[Levels]:
    """So many points, one in each of as many equal parts of every factor, the parts paired at random."""
    _check_runs(runs)
    return _drawn(of_extra("scipy.stats.qmc").LatinHypercube(len(factors), rng=seed), factors, runs)


def sobol(factors: Sequence[Factor], runs: int, seed: int) -> list[Levels]:
    """So many points of a scrambled Sobol sequence. Raises InputRefused unless their number is a power of two."""
    _check_runs(runs)
    check_power(runs)
    return _drawn(of_extra("scipy.stats.qmc").Sobol(len(factors), rng=seed), factors, runs)


def design(kind: Design, factors: Sequence[Factor], runs: int, seed: int) -> list[Levels]:
    """The points of a design by its name; ``runs`` and ``seed`` are not looked at for a grid."""
    check_factors(factors)
    if kind == "grid":
        return grid(factors)
    return (latin_hypercube if kind == "lhs" else sobol)(factors, runs, seed)


def changes_of(factors: Sequence[Factor], point: Levels) -> tuple[str, ...]:
    """The changes that a point makes.

    >>> changes_of([factor("pool.mint=50%..90%"), factor("scenario:months=12..36")], (7000, 24))
    ('pool.mint=70%', 'scenario:months=24')
    """
    return tuple(f"{each.path}={each.text(level)}" for each, level in zip(factors, point, strict=True))


def of_extra(module: str) -> Any:  # noqa: ANN401 (a module)
    """A module of ``rangli[lab]``, loaded when it is asked for. Raises InputRefused where it is not installed."""
    try:
        return import_module(module)
    except ModuleNotFoundError as fault:
        raise InputRefused(
            f"缺少 {fault.name};请安装 rangli[lab]:pip install 'rangli[lab]'",
            f"{fault.name} is missing; install rangli[lab]: pip install 'rangli[lab]'",
        ) from fault


def check_factors(factors: Sequence[Factor]) -> None:
    """Raises InputRefused unless there are factors, each with a path of its own."""
    if not factors or len({each.path for each in factors}) < len(factors):
        raise InputRefused("至少变动一个值,每个路径只写一次", "change at least one value, and name each path once")


def check_power(runs: int) -> None:
    """Raises InputRefused unless this is a power of two."""
    if runs < 1 or runs & (runs - 1):
        below = 1 << max(runs.bit_length() - 1, 0)
        raise InputRefused(
            f"Sobol 序列的次数应为 2 的幂,如 {below} 或 {2 * below}",
            f"a Sobol sequence has a power of two of runs, as {below} or {2 * below}",
        )


def _check_runs(runs: int) -> None:
    """Raises InputRefused for no runs, or more than anyone will wait for."""
    if not 1 <= runs <= RUNS_MAX:
        raise InputRefused(f"{runs} 个点不在 1 到 {RUNS_MAX} 之间", f"{runs} points are not between 1 and {RUNS_MAX}")


def _even(each: Factor, i: int) -> int:
    """Level i of a grid: evenly from the first to the last, rounded down to the unit."""
    return each.low + mul_div(each.high - each.low, i, each.levels - 1)


def _drawn(engine: Any, factors: Sequence[Factor], runs: int) -> list[Levels]:  # noqa: ANN401 (a scipy QMCEngine)
    """Points of scipy's, each coordinate laid onto the levels of its factor."""
    drawn = engine.integers([each.low for each in factors], u_bounds=[each.high for each in factors], n=runs, endpoint=True)
    return [tuple(int(level) for level in point) for point in drawn]
