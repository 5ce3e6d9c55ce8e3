"""Work of the lab in the background: what it answers is JSON, agrees with the lab itself, and is the same again."""

from __future__ import annotations

from fractions import Fraction

import msgspec
import pytest

from rangli.errors import InputRefused, PlanFaulty, ScenarioNotFound
from rangli.lab import load_scenario
from rangli.lab import run as run_lab
from rangli.lab.prospectus.study import shares, turnover_micro
from rangli.plan import preset_text
from rangli.service.work import lab
from rangli.service.work.report import Report

TINY = "three-orders"
PLANS = ("zengzhi", "weituanbao")
Steps = list[tuple[int, int, str, str]]


def noted(steps: Steps) -> lab.Progress:
    """A progress that is kept."""
    return lambda done, total, zh, en: steps.append((done, total, zh, en))


def over_the_line(result: object, kind: type) -> object:
    """What arrives of a result."""
    return msgspec.json.decode(msgspec.json.encode(result), type=kind)


def test_a_report_says_what_the_lab_measured() -> None:
    """Texts on a page are the lab's own integers, rounded to the fen, and what some got others paid."""
    steps: Steps = []
    report = lab.run(noted(steps), plan="zengzhi", scenario=TINY, replications=2, seed=5)
    results = [run_lab("zengzhi", TINY, replication, 5) for replication in range(2)]
    middle = results[report.middle]
    nets = {net.role.en: Fraction(net.yuan) for net in report.nets}

    assert report == over_the_line(report, Report)
    assert [(one.run, one.state_hash) for one in results] == [(run.run, run.state_hash) for run in report.runs]
    assert 0 == sum(Fraction(net.of_hundred) for net in report.nets)
    assert abs(nets["platform"] - Fraction(shares(middle)["platform"], 10**6)) <= Fraction(1, 200)
    assert [flow.micro for flow in middle.flows] == [int(Fraction(paid.yuan) * 10**6) for paid in report.flows]
    assert len(middle.months) == len(next(chart for chart in report.charts if chart.key == "monthly").months)
    assert turnover_micro(middle) > 0
    assert [0, *range(1, 7)] == [done for done, *_ in steps]
    assert {6} == {total for _, total, *_ in steps}


def test_the_same_arguments_give_the_same_report() -> None:
    """It hangs on nothing else: no clock, no place, no name."""
    both = [lab.run(noted([]), plan=preset_text("moudian"), scenario=TINY) for _ in range(2)]

    assert both[0] == both[1]
    assert "只跑了一次" in both[0].unmeasured[-1].zh


def test_plans_are_compared_with_the_same_people() -> None:
    """A comparison's reports are those of single runs."""
    found = lab.compare(noted([]), plans=["zengzhi", "zengzhi-lawful"], scenario=TINY, date="2026-11-22", command="again")
    single = lab.run(noted([]), plan="zengzhi-lawful", scenario=TINY)

    assert found == over_the_line(found, lab.Comparison)
    assert single == found.reports[1]
    assert found.change is not None
    assert "again" in found.page


def test_what_cannot_be_run_is_refused_before_it_begins() -> None:
    """Nobody waits for a worker to hear that a name is wrong."""
    refused = {
        PlanFaulty: {"plan": "plan: x\n", "scenario": TINY},
        ScenarioNotFound: {"plan": "zengzhi", "scenario": "nowhere"},
        InputRefused: {"plan": "zengzhi", "scenario": "koubei", "replications": 1000},
    }
    for refusal, arguments in refused.items():
        steps: Steps = []
        with pytest.raises(refusal):
            lab.run(noted(steps), **arguments)  # type: ignore[arg-type]
        assert [] == steps
    for plans in (["zengzhi"], ["zengzhi"] * 5):
        with pytest.raises(InputRefused, match="2 to 4"):
            lab.compare(noted([]), plans=plans, scenario=TINY)


def test_a_plan_without_a_pool_has_no_price() -> None:
    """A chart of what a plan does not have would be a promise."""
    keys = {
        name: {chart.key for chart in lab.run(noted([]), plan=name, scenario=TINY).charts} for name in ("zengzhi", "weituanbao")
    }

    assert "price" in keys["zengzhi"]
    assert not keys["weituanbao"] & {"price", "exits"}


def test_a_command_can_be_typed_as_it_stands() -> None:
    """A name with a blank or a quote is one word to the shell."""
    command = lab.again("simulate", ["a plan's.yaml"], {"scenario": "default", "seed": 7})

    assert """rangli simulate 'a plan'"'"'s.yaml' --scenario default --seed 7""" == command


def test_size_is_of_all_runs_together() -> None:
    """Ten runs take ten times as long."""
    where = load_scenario(TINY)

    assert 10 * lab.check_size(where, 1) == lab.check_size(where, 10)


def test_every_claim_stands_before_its_test_without_a_verdict() -> None:
    """Whoever has not tested has nothing to say."""
    some = lab.untested()

    assert {""} == {one.verdict for one in some}
    assert {*lab.SOURCES} == {one.source for one in some}


def test_roles_of_a_report_are_in_words() -> None:
    """A key of a program is no word for a reader."""
    flows = lab.run(noted([]), plan="weituanbao", scenario=TINY).flows

    assert not [word for flow in flows for words in (flow.source, flow.sink) for word in (words.zh, words.en) if "." in word]
