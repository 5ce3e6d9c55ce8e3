"""The commands that run a plan many times: what they print is what the runs came to."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_runs import run
from runs_worlds import SWEEP

from rangli.lab import scenario_text
from rangli.lab.designs import Study, factor, grid
from rangli.lab.runs import FIGURES, read, run_all
from rangli.plan import preset_text

EXIT = "pool.exit.at=100%..200%:3"


def test_a_sweep_tells_what_its_runs_came_to(tmp_path: Path) -> None:
    """In a table for people, whole for programs, and kept for later: one story."""
    study = Study(preset_text("zengzhi"), scenario_text("three-orders"), (factor(EXIT),), 2)
    expected = run_all(job for point in grid(study.factors) for job in study.jobs(point))
    told = run(f"{SWEEP} --into {tmp_path} --json").facts
    shown = run(SWEEP).out.splitlines()

    assert expected.equals(read(tmp_path))
    assert {row["run"]: row["surplus_net_micro"] for row in told["runs"]} == {
        row["run"]: row["surplus_net_micro"] for row in expected.to_pylist()
    }
    assert [{"path": "pool.exit.at", "from": "100%", "to": "200%"}] == told["over"]
    assert ["100%", "0.0%", "0.0%", "0/2", "78.00", "0"] == next(
        line.split() for line in shown if line.strip().startswith("100%")
    )


def test_what_failed_stands_beside_what_did_not() -> None:
    """And the first reason is told, so that nobody has to look for it."""
    command = "sweep zengzhi --over 'shares[0].rate=14%..20% of amount:4' --scenario three-orders"
    shown, told = run(f"{command} --lang zh").out, run(f"{command} --json").facts

    assert ["done", "done", "failed", "failed"] == [row["state"] for row in told["runs"]]
    assert ["–", "–", "–", "–", "1"] == next(line.split()[3:] for line in shown.splitlines() if line.strip().startswith("18% of"))
    assert "首个失败 shares[0].rate=18% of amount:方案有 1 处问题" in shown


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_search_names_the_best_rates(lang: str) -> None:
    """Packets that get more of the concession give back more, and a pot cannot default: the end of the range is best."""
    command = "sweep weituanbao --design best --runs 2 --over 'shares[0].rate=55%..60% of concession' --scenario three-orders"
    told = run(f"{command} --json").facts
    shown = run(f"{command} --lang {lang}").out

    assert (["shares[0].rate=60% of concession"], True) == (told["best"]["changes"], told["is_done"])
    assert {"zh": "最优:", "en": "best: "}[lang] + "shares[0].rate=60% of concession" in shown
    assert len(told["tried"]) == len({tuple(one["changes"]) for one in told["tried"]})


def test_sensitivity_finds_the_value_that_matters() -> None:
    """With nobody forced out the supply hangs on what is minted, and not at all on when one would be forced out."""
    command = "sensitivity zengzhi --over pool.mint=50%..90% --over pool.exit.at=300%..500% --scenario three-orders --runs 16"
    told = run(f"{command} --figure supply_micro --figure exits --json").facts
    shown = run(f"{command} --figure supply_micro --figure exits --lang en").out

    assert (64, None) == (told["points"], told["indices"]["exits"])
    mint, at = told["indices"]["supply_micro"]
    assert ("pool.mint", "pool.exit.at", 0) == (mint["path"], at["path"], at["total"])
    assert mint["total"] > 0.5
    assert "exits: the same everywhere" in shown
    assert shown.index("pool.mint") < shown.index("pool.exit.at")


REFUSED = """
# arguments                                                                          because
  sweep zengzhi --over pool.mint                                                     is not path=from..to
  sweep zengzhi --over pool.mint=50%..90%                                            a grid needs a number of levels
  sweep zengzhi --over pool.mint=50%..90% --design sobol --runs 12                   a power of two
  sweep zengzhi --over pool.mint=50%..90%:2 --over pool.mint=1%..2%:2                name each path once
  sweep zengzhi --over pool.mint=50%..90%:2 --scenario nowhere                       there is no scenario 'nowhere'
  sensitivity zengzhi --over pool.mint=50%..90% --figure luck                        there is no figure 'luck'
  sensitivity zengzhi --over pool.mint=50%..90% --figure unfunded_from --scenario three-orders --runs 1   it has no unfunded_from
"""


@pytest.mark.parametrize("row", [line.strip() for line in REFUSED.splitlines() if line and not line.startswith("#")])
def test_what_cannot_be_run_is_refused_in_words(row: str) -> None:
    """Before hours of running, where that can be known before."""
    command, _, because = row.partition("  ")
    ran = run(f"{command} --lang en")

    assert (2, "") == (ran.status, ran.out)
    assert because.strip() in " ".join(ran.err.split())


def test_every_figure_is_one_that_sensitivity_can_be_asked_for() -> None:
    """The refusal lists them, which is where one looks."""
    ran = run("sensitivity zengzhi --over pool.mint=50%..90% --figure luck --lang en")

    assert all(figure in ran.err for figure in FIGURES)
