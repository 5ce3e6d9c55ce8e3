"""Designs are what their definitions say, sensitivities what is known of a function, and a search tells what it tried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rangli.errors import InputRefused
from rangli.lab.designs import Design, Factor, Levels, Study, changes_of, design, factor, grid, latin_hypercube, sobol
from rangli.lab.runs import DONE, FAILED, SCHEMA, Job, run_id
from rangli.lab.search import best_rates
from rangli.lab.sensitivity import saltelli, sensitivity

# ---------------------------------------------------------------- factors

TEXTS = """
# text                                      first                      last                     levels
  pool.exit.at=100%..300%:5                 pool.exit.at=100%          pool.exit.at=300%        5
  pool.mint=0.01%..99.99%                   pool.mint=0.01%            pool.mint=99.99%         0
  scenario:consumers.new=0..500:6           scenario:consumers.new=0   scenario:consumers.new=500  6
  bonus[0].amount=0.50..50.00               bonus[0].amount=0.50       bonus[0].amount=50.00    0
  bonus[0].amount=1..2.5                    bonus[0].amount=1.00       bonus[0].amount=2.50     0
"""


@pytest.mark.parametrize("row", [line.split() for line in TEXTS.splitlines() if line and not line.startswith("#")])
def test_a_factor_is_read_in_the_units_of_its_document(row: list[str]) -> None:
    """A level that had to be rounded would be another plan than the one named."""
    text, first, last, levels = row
    read = factor(text)

    assert (first, last, int(levels)) == (*changes_of([read], (read.low,)), *changes_of([read], (read.high,)), read.levels)


def test_what_follows_the_values_is_written_after_each() -> None:
    """A share is a rate of something, and only the rate changes."""
    read = factor("shares[0].rate=8%..16.5% of amount:3")

    assert [("shares[0].rate=8% of amount",), ("shares[0].rate=12.25% of amount",), ("shares[0].rate=16.5% of amount",)] == [
        changes_of([read], point) for point in grid([read])
    ]


@pytest.mark.parametrize(
    "text",
    ["pool.mint", "pool.mint=1%", "=1%..2%", "a=2%..1%", "a=1%..1%", "a=1..3:4", "a=1..9:1", "a=x..y", "a=-1..3", "a=1%..2"],
)
def test_a_factor_that_cannot_be_read_is_refused_in_words(text: str) -> None:
    """A sweep runs for hours; what is wrong with it is said before."""
    with pytest.raises(InputRefused) as refused:
        factor(text)

    assert refused.value.zh != refused.value.en


# ---------------------------------------------------------------- designs

ends = st.tuples(st.integers(0, 10**6), st.integers(1, 10**6))
factors = st.lists(ends, min_size=1, max_size=4).map(
    lambda pairs: tuple(Factor(f"p{i}", "number", low, low + more, min(more + 1, 3)) for i, (low, more) in enumerate(pairs))
)


@given(factors=factors)
def test_a_grid_is_every_combination_once(factors: tuple[Factor, ...]) -> None:
    """Both ends and what is evenly between them, to the unit below."""
    points = grid(factors)

    assert (
        len(points)
        == len(set(points))
        == 3 ** sum(each.levels == 3 for each in factors) * 2 ** sum(each.levels == 2 for each in factors)
    )
    assert tuple(each.low for each in factors) == points[0]
    assert tuple(each.high for each in factors) == points[-1]
    for at, each in enumerate(factors):
        levels = sorted({point[at] for point in points})
        if each.levels == 3:
            assert 0 <= (each.high - each.low) - 2 * (levels[1] - each.low) <= 1


@given(runs=st.integers(1, 40), each=st.integers(1, 30), count=st.integers(1, 5), seed=st.integers(0, 2**32))
def test_a_latin_hypercube_has_one_point_in_each_part_of_every_factor(runs: int, each: int, count: int, seed: int) -> None:
    """That is what it is: whichever factor one looks at, all its range has been tried evenly."""
    factors = [Factor(f"p{i}", "number", 5, 5 + runs * each - 1) for i in range(count)]
    points = latin_hypercube(factors, runs, seed)

    for at in range(count):
        assert list(range(runs)) == sorted((point[at] - 5) // each for point in points)


@given(power=st.integers(0, 7), seed=st.integers(0, 2**32))
def test_a_sobol_sequence_is_even_in_every_pair_of_factors(power: int, seed: int) -> None:
    """2^k points in two factors: every box of area 2^-k, however it is shaped, holds exactly one."""
    runs = 1 << power
    points = sobol([Factor("a", "number", 0, runs - 1), Factor("b", "number", 0, runs - 1)], runs, seed)

    for wide in range(power + 1):
        boxes = Counter((a >> wide, b >> (power - wide)) for a, b in points)
        assert {1} == set(boxes.values())


@pytest.mark.parametrize("kind", ["lhs", "sobol"])
def test_the_same_seed_gives_the_same_design_and_another_another(kind: Design) -> None:
    """Without that nobody could repeat a sweep, or continue one."""
    of = [factor("a=0%..100%"), factor("b=0..1000")]

    assert design(kind, of, 16, 7) == design(kind, of, 16, 7) != design(kind, of, 16, 8)
    assert all(0 <= a <= 10_000 and 0 <= b <= 1000 for a, b in design(kind, of, 64, 7))


@pytest.mark.parametrize(
    ("kind", "of", "runs", "word"),
    [
        ("grid", ["a=0%..10%"], 1, "levels"),
        ("sobol", ["a=0%..10%"], 12, "8 or 16"),
        ("lhs", ["a=0%..10%"], 0, "0 points"),
        ("lhs", [], 4, "at least one"),
        ("lhs", ["a=0%..10%", "a=1..5"], 4, "once"),
        ("grid", ["a=0..2000000:1048577"], 4, "1048577 points"),
    ],
)
def test_a_design_that_cannot_be_made_is_refused_in_words(kind: Design, of: list[str], runs: int, word: str) -> None:
    """And says what would be right."""
    with pytest.raises(InputRefused, match=word):
        design(kind, [factor(text) for text in of], runs, 7)


# ---------------------------------------------------------------- sensitivity and search, on worlds of three lines

PLAN = """
plan: little
title: {zh: 小, en: little}
concession: {min: 20%, max: 20%}
shares: [{to: pool, rate: 16% of amount}]
pool: {mint: 70%, pays: 80%, opening_price: 1, exit: {at: 120%}}
"""
SCENARIO = "{}"
MINT, AT = factor("pool.mint=0.01%..100%"), factor("pool.exit.at=100%..300%")


def levels_in(job: Job) -> Levels:
    """The levels of a job over MINT and AT."""
    return tuple(factor(f"{change}..9999%").low for change in job.changes)


class World:
    """Stands in for ``run_all``: each row is what a function says of the levels."""

    def __init__(self, **of: Any) -> None:  # noqa: ANN401 (functions of levels and replication)
        self.of = of
        self.asked: list[Job] = []

    def __call__(self, jobs: Iterable[Job]) -> pa.Table:
        """The rows."""
        rows = []
        for job in jobs:
            self.asked.append(job)
            row = dict.fromkeys(SCHEMA.names) | {"run": run_id(job), "state": DONE, "changes": list(job.changes)}
            row |= {name: of(*levels_in(job), job.replication) for name, of in self.of.items()}
            rows.append(row)
        return pa.Table.from_pylist(rows, SCHEMA)


def test_the_indices_of_a_known_function_are_what_mathematics_says() -> None:
    """3 a + b over ranges of 1 and 2: variances 9 to 4, nothing together; a figure that never moves has no index."""
    study = Study(PLAN, SCENARIO, (MINT, AT))
    world = World(exits=lambda mint, at, _: 3 * mint + at, orders=lambda *_: 5)
    found = sensitivity(study, ["exits", "orders"], 64, world)

    assert found.indices["orders"] is None
    mint, at = found.indices["exits"] or ()
    assert [MINT.path, AT.path] == [mint.path, at.path]
    for index, expected in ((mint, Fraction(9, 13)), (at, Fraction(4, 13))):
        assert abs(index.first - expected) < index.first_within + 0.02
        assert abs(index.total - expected) < index.total_within + 0.02
    assert 64 * 4 == found.points >= found.runs


def test_saltellis_design_changes_one_factor_at_a_time() -> None:
    """base x (factors + 2) points: in each block the middle ones differ from the first in exactly one factor."""
    points = saltelli([MINT, AT], 8, 7)

    assert 8 * 4 == len(points)
    for block in range(0, len(points), 4):
        first, with_mint, with_at, _ = points[block : block + 4]
        assert (first[1], first[0]) == (with_mint[1], with_at[0])


def test_a_figure_that_a_run_does_not_have_is_refused_in_words() -> None:
    """An index over the runs that happen to have it would answer another question."""
    study = Study(PLAN, SCENARIO, (MINT, AT))
    failing = World(state=lambda mint, *_: FAILED if mint > 9000 else DONE, en=lambda *_: "no money", zh=lambda *_: "没钱")
    with pytest.raises(InputRefused, match="cannot be counted: "):
        sensitivity(study, ["exits"], 16, failing)
    with pytest.raises(InputRefused, match="there is no figure 'luck'"):
        sensitivity(study, ["luck"], 16, failing)


def returning(mint: int, at: int, _: int) -> int:
    """A hill with its top at mint 62.5 %, exit at 210 %."""
    return 10**9 - (mint - 6250) ** 2 - (at - 21_000) ** 2


def hill(**more: Any) -> World:  # noqa: ANN401 (as World)
    """A world in which the hill is what comes back of 10^9."""
    parts = {"cash_micro": returning, "vouchers_micro": lambda *_: 0, "spent_micro": lambda *_: 10**9}
    return World(**(parts | more))


def test_a_search_climbs_to_the_best_rates_and_tells_what_it_tried() -> None:
    """To the last basis point, the same way each time, no point twice."""
    study = Study(PLAN, SCENARIO, (MINT, AT), replications=2)
    world, again = hill(), hill()
    found = best_rates(study, 16, run=world)

    assert found == best_rates(study, 16, run=again)
    assert found.best is not None
    assert ((6250, 21_000), Fraction(1), True) == (found.best.levels, found.best.returned, found.is_done)
    assert ("pool.mint=62.5%", "pool.exit.at=210%") == found.best.changes
    assert len({tried.levels for tried in found.tried}) == len(found.tried)
    assert 2 * len(found.tried) == len(world.asked)


def test_a_search_never_answers_rates_that_default_in_any_replication() -> None:
    """However much they give back: past 50 % minted, one world of three runs dry."""
    study = Study(PLAN, SCENARIO, (MINT, AT), replications=3)
    world = hill(unfunded_from=lambda mint, _, replication: 4 if mint > 5000 and replication == 2 else None)
    found = best_rates(study, 16, run=world)

    assert found.best is not None
    assert (5000, 21_000) == found.best.levels
    assert {1} == {tried.unfunded for tried in found.tried if tried.levels[0] > 5000}


def test_a_search_in_which_everything_defaults_or_fails_answers_nothing() -> None:
    """There is no best of rates that do not work; why is said of each."""
    study = Study(PLAN, SCENARIO, (MINT, AT))
    dry = best_rates(study, 4, run=hill(unfunded_from=lambda *_: 0))
    failing = best_rates(study, 4, run=hill(state=lambda *_: FAILED, en=lambda *_: "no money"))

    assert (None, 4, True) == (dry.best, len(dry.tried), dry.is_done)
    assert (None, {"no money"}) == (failing.best, {tried.why for tried in failing.tried})


def test_a_search_stops_at_its_limit_and_says_so() -> None:
    """Hours of search end with the best so far."""
    study = Study(PLAN, SCENARIO, (MINT, AT))
    found = best_rates(study, 8, points_max=20, run=hill())

    assert not found.is_done
    assert len(found.tried) <= 20
    assert found.best == max(found.tried, key=lambda tried: tried.returned)
