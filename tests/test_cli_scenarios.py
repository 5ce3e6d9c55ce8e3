"""Scenarios on the command line: what ships, a file of one's own, its check, and a run."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from cli_runs import run

from rangli import lab

TINY = """scenario: tiny
title: {zh: 极小, en: Tiny}
months: 3
start: {shops: 2, consumers: 10}
shops:
  concessions: [{rate: 20%}]
  tickets: [{median: 45}]
consumers: {new: 2, visits: 2, locked: 50%, invited: 30%}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a small scenario in it."""
    tmp_path.joinpath("tiny.yaml").write_text(TINY, encoding="utf-8")
    return tmp_path


def test_every_scenario_is_listed_with_its_hash() -> None:
    """Programs read them all; people see name and title."""
    listed = run("scenario list --json").facts["scenarios"]

    assert lab.scenarios() == [one["name"] for one in listed]
    assert [lab.load_scenario(one["name"]).hash() for one in listed] == [one["hash"] for one in listed]
    assert "Two years of a small town" in run("scenario list", columns=110).out
    assert "一座小城的两年" in run("scenario list --lang zh", columns=110).out


def test_a_new_file_is_a_sound_scenario_and_is_never_written_over(folder: Path) -> None:
    """It is there to be changed, and what was changed is not lost."""
    first = run("scenario new town.yaml --like three-orders", folder=folder)
    again = run("scenario new town.yaml", folder=folder)

    assert (0, 2) == (first.status, again.status)
    assert lab.scenario_text("three-orders") == folder.joinpath("town.yaml").read_text(encoding="utf-8")
    assert "choose another name" in again.err
    assert 0 == run("scenario check town.yaml", folder=folder).status


def test_a_check_names_every_problem_and_says_no(folder: Path) -> None:
    """With exit status 1, for people and for programs, in both languages."""
    command = "scenario check tiny.yaml --set consumers.invited=60% --set months=none"
    people, programs = run(command, folder=folder), run(f"{command} --json --lang zh", folder=folder)

    assert (1, 1) == (people.status, programs.status)
    assert "2 problem(s)" in people.out
    assert "consumers.invited  (bound_over_100)" in people.out
    assert ["months", "consumers.invited"] == [problem["where"] for problem in programs.facts["problems"]]
    assert "整数" in programs.facts["problems"][0]["message"]


def test_a_run_shows_the_truths_that_the_lab_finds(folder: Path) -> None:
    """The same result as from Python, whole as JSON."""
    facts = run("simulate weituanbao --scenario tiny.yaml --replication 2 --seed 5 --json", folder=folder).facts

    assert msgspec.json.decode(msgspec.json.encode(lab.run("weituanbao", TINY, 2, 5))) == facts


@pytest.mark.parametrize("plan", ["weituanbao", "moudian", "zengzhi"])
def test_people_read_who_is_made_whole_and_who_paid_whom(plan: str, folder: Path) -> None:
    """In both languages, with what each role is called and no name of a role left in code."""
    en, zh = (run(f"simulate {plan} --scenario tiny.yaml --lang {lang}", columns=110, folder=folder).out for lang in ("en", "zh"))

    assert "consumers made whole in cash" in en
    assert "以现金全额收回的消费者" in zh
    assert "merchants" in en
    assert "商家" in zh
    assert "agents." not in en + zh
    assert "small_accounts" not in en + zh
    assert ("price" in en) == (plan == "zengzhi")


def test_a_faulty_or_missing_scenario_is_refused(folder: Path) -> None:
    """With every problem and its line, or with what there is."""
    folder.joinpath("faulty.yaml").write_text(TINY.replace("20%", "20"), encoding="utf-8")
    folder.joinpath("gbk.yaml").write_bytes(TINY.encode("gbk"))
    faulty, nowhere, missing, foreign = (
        run(f"simulate weituanbao --scenario {name}", folder=folder) for name in ("faulty.yaml", "defalt", "no.yaml", "gbk.yaml")
    )

    assert [2] * 4 == [faulty.status, nowhere.status, missing.status, foreign.status]
    assert "the scenario has 1 problem(s)" in faulty.err
    assert "line 6 shops.concessions[0].rate" in faulty.err
    assert "did you mean 'default'" in nowhere.err
    assert "no scenario file" in missing.err
    assert "UTF-8" in foreign.err


def test_equal_orders_still_need_their_number_and_concession() -> None:
    """Either these two or a scenario."""
    assert "--scenario" in run("simulate zengzhi --orders 5").err
    assert "--scenario" in run("simulate zengzhi --lang zh").err
