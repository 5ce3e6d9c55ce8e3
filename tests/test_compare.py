"""Plans side by side: the same people and draws, and what differs for whom."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from cli_runs import run

from rangli.lab import compare as side
from rangli.lab import load_scenario
from rangli.lab.prospectus import Study
from rangli.lab.prospectus.words import plain
from rangli.plan import load, presets

SMALL = {
    "months": "6",
    "consumers.stop": "4",
    "start.consumers": "60",
    "start.shops": "4",
    "consumers.new": "12",
    "places.cities": "1",
}
DATE = "2026-11-22"
TWINS = [(name.removesuffix("-lawful"), name) for name in presets() if name.endswith("-lawful")]


@cache
def pair(*plans: str) -> tuple[Study, ...]:
    """These plans in a village's half year."""
    return side.compare([load(plan) for plan in plans], load_scenario("default", SMALL))


def hundredths(shown: str) -> int:
    """A printed amount in hundredths."""
    return int(shown.replace("−", "-").replace("+", "").replace(".", "").replace(",", ""))


@pytest.mark.parametrize(("plan", "twin"), TWINS)
def test_a_model_and_its_lawful_twin_meet_the_same_people(plan: str, twin: str) -> None:
    """What differs must come from the plans alone; and the law is no harder on the twin."""
    one, other = pair(plan, twin)

    assert [month.consumers for month in one.middle.months] == [month.consumers for month in other.middle.months]
    assert [month.paid_micro for month in one.middle.months] == [month.paid_micro for month in other.middle.months]
    assert one.middle.scenario_hash == other.middle.scenario_hash
    order = ["ok", "sign-off", "refuse"]
    assert order.index(other.verdict) <= order.index(one.verdict)


def test_the_columns_and_what_changes_add_up() -> None:
    """What one gets more, another gets less."""
    rows = side.who_gets(pair("zengzhi", "zengzhi-lawful"))
    columns = [[hundredths(row.values[at].zh) for row in rows] for at in (0, 1)]

    assert [0, 0] == [sum(column) for column in columns]
    assert [after - before for before, after in zip(*columns, strict=True)] == [hundredths(row.change) for row in rows]
    assert "商家" == rows[0].name.zh


def test_one_sentence_says_what_the_law_costs_and_whom() -> None:
    """Of the pool that is cashed, its twin makes vouchers: consumers have less cash and more goods."""
    said = plain(side.change(*pair("zengzhi", "zengzhi-lawful")))

    assert said.zh.startswith("从 zengzhi 到 zengzhi-lawful,每 100 元订单:消费者现金 −")
    assert re.search(r"消费者用券 \+\d+\.\d\d、平台 ", said.zh)
    assert "the law's verdict goes from refused to " in said.en


def test_a_plan_beside_itself_changes_nothing() -> None:
    """A difference that is none would be blamed on somebody."""
    studies = pair("weituanbao", "weituanbao")

    assert {"0.00"} == {row.change for row in side.who_gets(studies)}
    assert "From weituanbao to weituanbao, of each 100 yuan of orders: nothing changes" in plain(side.change(*studies)).en


def test_every_guard_has_the_worst_that_it_found_for_each_plan() -> None:
    """Fifteen rows, each with a verdict for each plan."""
    studies = pair("moudian", "weituanbao", "zengzhi-lawful")
    rows = side.guarded(studies)

    assert [f"G{number}" for number in range(1, 16)] == [row.guard for row in rows]
    assert [one.verdict for one in studies] == [
        max((row.verdicts[at] for row in rows), key=["ok", "sign-off", "refuse"].index) for at in range(3)
    ]


def test_the_page_has_every_plan_and_the_same_bytes_twice() -> None:
    """Three plans have no difference column; two have."""
    studies = pair("zengzhi", "zengzhi-lawful")
    plans = [one.compiled for one in studies]
    afresh = side.compare(plans, load_scenario("default", SMALL))
    first, again = (side.page(some, date=DATE, command="rangli compare") for some in (studies, afresh))

    assert first == again
    assert all(one.compiled.version in first for one in studies)
    assert ">差</span>" in first
    assert ">差</span>" not in side.page(pair("zengzhi", "moudian", "weituanbao"), date=DATE, command="rangli compare")
    assert "<script" not in first


def test_the_command_shows_the_tables_and_writes_the_page(tmp_path: Path) -> None:
    """In both languages, for people and for programs."""
    asked = f"compare zengzhi zengzhi-lawful --scenario three-orders --date {DATE}"
    zh, en = (run(f"{asked} --lang {lang}", folder=tmp_path, columns=120) for lang in ("zh", "en"))
    facts = run(f"{asked} --out c.html --json", folder=tmp_path).facts

    assert [0, 0] == [zh.status, en.status]
    assert re.search(r"商家 +−20\.00 +−20\.00 +0\.00", zh.out)
    assert re.search(r"merchants +−20\.00 +−20\.00 +0\.00", en.out)
    assert ["zengzhi", "zengzhi-lawful"] == [one["plan"] for one in facts["plans"]]
    page = tmp_path.joinpath("c.html").read_text("utf-8")
    assert len(page.encode()) == facts["bytes"]
    assert (
        f"rangli compare zengzhi zengzhi-lawful --scenario three-orders --replications 1 --seed 7 --date {DATE} --out c.html"
        in page
    )


def test_one_plan_is_compared_with_nothing() -> None:
    """It says how many there must be."""
    ran = run("compare zengzhi")

    assert (2, "") == (ran.status, ran.out)
    assert "1 plan(s) were given; compare 2 to 6" in ran.err
