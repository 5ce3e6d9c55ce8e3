"""The lab's benchmark measures like with like: C, a plain loop and the simulators' step come to the lean pool's integers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import lab, reference
from bench.peers import race
from rangli.lab.pools import Case, run_pools

needs_cc = pytest.mark.skipif(not reference.has_compiler(), reason="there is no cc to compile the C reference with")

CASES = {
    "the source's": lab.CASE,
    "exits all the time": lab.CASE._replace(exit_bp=1000),
    "exits at once": lab.CASE._replace(exit_bp=100),
    "of the mint value": lab.CASE._replace(exit_bp=15_000, basis_mint=1),
    "no exits": lab.CASE._replace(exit_bp=0),
    "fractions of a point": Case(1, 1, 0, 31, 323, 1, 1, 1, 100, 0),
    "all minted, all paid": lab.CASE._replace(mint_bp=10_000, pays_bp=10_000, exit_bp=2000),
    "another opening price": lab.CASE._replace(price_num=7, price_den=3, exit_bp=3000),
}


def by_steps(case: race.Case, orders: int) -> list[int]:
    """What the simulators do, one order at a time."""
    terms, waiting, state = race.Terms.of(case), deque[int](), race.State.opening(case)
    for _ in range(orders):
        state = race.ordered(terms, waiting, state)
    return state.end(waiting)


@pytest.mark.parametrize("side", [race.plain, by_steps])
@pytest.mark.parametrize("name", CASES)
def test_the_peers_workload_is_the_lean_pools(name: str, side: Callable[[race.Case, int], list[int]]) -> None:
    """A simulator that did less would look faster, and one that did more slower."""
    case = CASES[name]

    assert Case._fields == race.Case._fields
    assert run_pools([case], 700)[0].tolist() == side(race.Case(*case), 700)


@needs_cc
def test_c_comes_to_the_same_integers(tmp_path: Path) -> None:
    """In a sweep of all cases, so that nothing of one run is left in the next."""
    c = lab.Reference(tmp_path)

    assert run_pools(list(CASES.values()), 2000).tolist() == c.run(list(CASES.values()), 2000).tolist()


@needs_cc
def test_a_c_that_does_other_work_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the reference could drift away from the engine."""
    text = lab.SOURCE.read_text(encoding="utf-8")
    right = "if (exits++ == 0) first_exit = order;"
    assert right in text
    changed = tmp_path / "pools.c"
    changed.write_text(text.replace(right, "if (exits++ == 1) first_exit = order;"), encoding="utf-8")
    tmp_path.joinpath("reference.c").write_text(reference.SOURCE.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(lab, "SOURCE", changed)

    with pytest.raises(AssertionError, match="C"):
        lab.race(lab.Sizes(orders=2000, runs=2, rounds=1), lambda _: None, None)


def test_the_benchmark_runs_without_the_peers() -> None:
    """They are installed from the network by whoever measures; whether the benchmark works is seen without."""
    sizes = lab.Sizes(orders=300, runs=2, rounds=2)
    seen: list[str] = []
    section = lab.race(sizes, seen.append, None)

    assert "ours" == section.rows[0][0]
    assert 2 == len(seen)
    assert all("cadCAD" not in row for row in section.rows)


@pytest.mark.parametrize(
    ("what", "sizes", "orders"), [("stream", [500], 500), ("sobol", [8, 200], 1600), ("packets", [400], 400)]
)
def test_the_work_of_full_size_is_done_and_counted(what: str, sizes: list[int], orders: int) -> None:
    """A rate is of orders that were settled, not of those that were asked for."""
    told = lab.work(what, *sizes)

    assert orders == told["orders"]
    assert told["seconds"] > 0
    assert told["peak_bytes"] > 2**20
