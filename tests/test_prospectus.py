"""The prospectus: the same bytes from the same study, words that follow from figures, and nothing asked of anybody."""

from __future__ import annotations

import re
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cli_runs import SLOW_LANE, run
from hypothesis import given
from hypothesis import strategies as st

from rangli.lab import load_scenario, prospectus, scenario_text
from rangli.lab.prospectus.figures import spread, ticks
from rangli.lab.prospectus.gallery import charts
from rangli.lab.prospectus.study import Study, shares, shares_bp, turnover_micro, worst_meters
from rangli.lab.prospectus.svg import apart
from rangli.lab.prospectus.type import full_width
from rangli.lab.prospectus.waterfall import example, steps_of
from rangli.lab.prospectus.words import first_lines, plain
from rangli.plan import load, presets

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "prospectus"
SHIPPED = ("weituanbao", "moudian", "zengzhi")
DATE = "2026-12-24"
SMALL = {
    "months": "6",
    "consumers.stop": "4",
    "start.consumers": "60",
    "start.shops": "4",
    "consumers.new": "12",
    "places.cities": "1",
}


@cache
def small(plan: str, replications: int = 1) -> Study:
    """A village's half year under a plan that ships."""
    return prospectus.study(load(plan), load_scenario("default", SMALL), replications)


def said(one: Study) -> dict[str, str]:
    """The three first lines, without emphasis."""
    return {line.key: line.plain.zh for line in first_lines(one)}


# ---------------------------------------------------------------- the three first lines


def test_the_three_lines_of_three_orders_are_those_of_the_source() -> None:
    """Three orders of 1000 yuan at 20 %: 16 of each 100 enter the pool, and nobody has sold anything."""
    one = prospectus.study(load("zengzhi"), load_scenario("three-orders"), 1)

    assert {
        "whole": "0.0% 的消费者收回了花掉的全部现金;每花 100 元,收回现金 0.00 元。",
        "paid": "每 100 元订单,商家付出 20.00 元:消费者得现金 0.00 元,平台得 3.20 元,拉人和代理者得 0.80 元,16.00 元留在池里。",
        "until": "没有必须停的月份:积分的市值就是池中的钱;无论增长多快,最后来的人都收不回本钱。",
    } == said(one)


UNTIL = [
    ({"unfunded_from": 0}, "从第一个月起,承诺就没有足额的钱,到最后只有 25.0% 有着落;无论增长多快,最后来的人都收不回本钱。"),
    ({"unfunded_from": 3}, "第 3 月起,承诺就没有足额的钱,到最后只有 25.0% 有着落;无论增长多快,最后来的人都收不回本钱。"),
    (
        {"unfunded_from": 3, "growth_needed_bp": 830},
        "第 3 月起,承诺就没有足额的钱,到最后只有 25.0% 有着落;最后来的人要收回本钱,此后 36 个月须每月增长 8.3%。",
    ),
    ({"growth_needed_bp": 0}, "没有必须停的月份:承诺的都已拨备;最后来的人不靠增长就能收回本钱。"),
]


@pytest.mark.parametrize(("changes", "expected"), UNTIL)
def test_the_third_line_follows_from_what_is_funded_and_what_growth_a_newcomer_needs(
    changes: dict[str, Any], expected: str
) -> None:
    """When it must stop is the one figure that no brochure has; a wrong word here is a lie."""
    one = small("moudian")
    last = msgspec.structs.replace(one.middle.months[-1], promised_micro=400, uncovered_micro=300)
    plainly: dict[str, Any] = {"unfunded_from": None, "growth_needed_bp": None, "months": (*one.middle.months[:-1], last)}
    result = msgspec.structs.replace(one.middle, **plainly | changes)

    assert expected == said(one._replace(results=(result,)))["until"]


def test_who_is_made_whole_is_never_rounded_to_nobody_or_everybody() -> None:
    """Eighteen of three hundred thousand are not none."""
    one = small("zengzhi")
    result = msgspec.structs.replace(one.middle, consumers=100_000, consumers_made_whole=18)

    assert said(one._replace(results=(result,)))["whole"].startswith("<0.1% 的消费者收回了")
    result = msgspec.structs.replace(result, consumers_made_whole=99_999)
    assert said(one._replace(results=(result,)))["whole"].startswith(">99.9% 的消费者收回了")


@pytest.mark.parametrize("plan", presets())
def test_what_some_get_is_what_others_pay(plan: str) -> None:
    """Every plan that ships; to the micro in the books, and to the hundredth as it is printed."""
    result = small(plan).middle
    net, printed = shares(result), shares_bp(result)

    assert 0 == sum(net.values()) == sum(printed.values())
    assert all(
        abs(printed.get(role, 0) * turnover_micro(result) - micro * 10_000) < turnover_micro(result)
        for role, micro in net.items()
    )


# ---------------------------------------------------------------- several runs


@given(st.lists(st.one_of(st.none(), st.integers(0, 100)), min_size=1, max_size=9))
def test_the_median_lies_between_the_least_and_the_most(values: list[int | None]) -> None:
    """None is a month that never comes, later than any that does."""
    found = spread(values)
    ranked = [101 if value is None else value for value in values]

    assert (min(ranked), max(ranked)) == tuple(101 if value is None else value for value in (found.least, found.most))
    below = sum(value <= (101 if found.median is None else found.median) for value in ranked)
    assert 2 * below >= len(values)


def test_the_law_judges_the_worst_that_any_run_measured() -> None:
    """Three runs, of which one is over a limit, are over it."""
    one = small("weituanbao", 3)
    most = max(result.meters["prize_micro_max"] for result in one.results)

    assert most == worst_meters(one.results).prize_micro_max
    assert len({result.meters["prize_micro_max"] for result in one.results}) > 1


def test_every_run_stands_in_the_page_with_its_hash() -> None:
    """Whoever doubts one can run that one."""
    one = small("zengzhi", 3)
    text = prospectus.page(one, date=DATE)

    assert 3 == len({result.state_hash for result in one.results})
    assert all(result.state_hash in text and result.run in text for result in one.results)
    assert {one.compiled.version, one.middle.scenario_hash} <= set(re.findall(r"[0-9a-f]{64}", text))


# ---------------------------------------------------------------- the page


class Reader(HTMLParser):
    """Reads a page: its tags and attributes, and the texts of each language."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {"zh": [], "en": []}
        self._open: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag opens."""
        facts = dict(attrs)
        self.tags.append((tag, facts))
        if tag not in {"meta", "input", "wbr", "br"}:
            self._open.append((tag, facts.get("lang") or ""))
            if tag != "html" and facts.get("lang"):
                self.texts[facts["lang"] or ""].append("")

    def handle_endtag(self, tag: str) -> None:
        """A tag closes, and it is the one that was opened last."""
        assert tag == self._open.pop()[0]

    def handle_data(self, data: str) -> None:
        """Text."""
        langs = [lang for tag, lang in self._open if lang and tag != "html"]
        if langs:
            self.texts[langs[-1]][-1] += data


def read(text: str) -> Reader:
    """A page that is well formed."""
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert [] == reader._open
    return reader


@pytest.mark.parametrize("plan", ["zengzhi", "weituanbao", "moudian", "yunlianhui", "paidui-miandan"])
def test_every_text_is_there_in_chinese_and_in_english(plan: str) -> None:
    """A reader of one language misses nothing of the other; names of laws aside, which are quoted."""
    found = read(prospectus.page(small(plan), date=DATE)).texts

    assert len(found["zh"]) == len(found["en"]) > 150
    assert [] == [text for text in found["en"] if re.search(r"[\u4e00-\u9fff]", text) and "“" not in text]
    assert [] == [text for text in found["zh"] if re.search(r"[\u4e00-\u9fff],|,[\u4e00-\u9fff]", text)]


def test_a_page_asks_nobody_for_anything() -> None:
    """It is read in a room without a network, by people who do not want to be counted."""
    reader = read(prospectus.page(small("moudian"), date=DATE))
    tags = {tag for tag, _ in reader.tags}
    links = [facts["href"] for tag, facts in reader.tags if "href" in facts]

    assert set() == tags & {"script", "img", "link", "iframe", "object", "use", "image", "base", "form"}
    assert {"a"} == {tag for tag, facts in reader.tags if "href" in facts}
    assert all(str(link).startswith("http") for link in links)
    assert not [facts for _, facts in reader.tags if {"src", "srcset", "style", "onclick", "onload"} & facts.keys()]


def test_the_same_study_gives_the_same_bytes_and_the_date_is_the_caller_s() -> None:
    """Two people who print it have the same paper; no clock shows in it."""
    scenario, plan = load_scenario("three-orders"), load("weituanbao")
    first, again = (prospectus.write(plan, scenario, 2, 7, date=DATE) for _ in range(2))
    later = prospectus.write(plan, scenario, 2, 7, date="2027-01-01")

    assert first == again
    assert later == first.replace(DATE, "2027-01-01")


def test_what_a_plan_is_called_is_text_and_never_markup() -> None:
    """A plan is somebody's document; its title is shown and not run."""
    changed = load("zengzhi", ['title={zh: "<script>赚</script>", en: "<b>&"}'])
    text = prospectus.write(changed, load_scenario("three-orders"), 1, date=DATE)

    assert "<script" not in text
    assert "&lt;script&gt;赚&lt;/script&gt;" in text
    assert "&lt;b&gt;&amp;" in text


CHARTS = {
    "zengzhi": "fan price pool exits covered monthly",
    "weituanbao": "fan monthly",
    "moudian": "vouchers covered owed monthly",
}
"""What each kind of plan is drawn by."""
DRAWN = {
    "fan": "收回的现金 ÷ 花掉的现金,100%",
    "vouchers": "发给的券、",
    "price": "月末价格",
    "pool": "月末池中",
    "exits": "每月达到退出线",
    "covered": "月末已承诺未兑付的,",
    "owed": "月末已承诺未兑付的和",
    "monthly": "每月商家的让利",
}
"""How each says what it measures."""


@pytest.mark.parametrize("plan", CHARTS)
def test_a_plan_has_the_charts_that_it_has_figures_for(plan: str) -> None:
    """An empty chart looks like good news."""
    measures = [chart.measure.zh for chart in charts(small(plan))]

    assert [True] * len(measures) == [
        measure.startswith(DRAWN[name]) for measure, name in zip(measures, CHARTS[plan].split(), strict=True)
    ]


@pytest.mark.parametrize("plan", SHIPPED)
def test_a_world_without_people_has_a_page_too(plan: str) -> None:
    """A scenario is somebody's document, and an empty one is a mistake that the page shows rather than hides."""
    nobody = {"start.consumers": "0", "consumers.new": "0"}
    text = prospectus.write(load(plan), load_scenario("default", SMALL | nobody), 1, date=DATE)

    assert "0 位消费者中 0 位" in read(text).texts["zh"][read(text).texts["zh"].index("收得回本钱吗\uff1f") + 2]


@pytest.mark.parametrize("plan", presets())
def test_the_steps_of_an_order_come_down_to_nothing(plan: str) -> None:
    """Every part of the concession is somebody's."""
    steps = steps_of(example(load(plan)))

    assert steps[0].micro == sum(step.micro for step in steps[1:])
    assert all(above.start_micro == below.start_micro + below.micro for above, below in pairwise(steps[1:]))
    assert 0 == steps[-1].start_micro


# ---------------------------------------------------------------- drawing


@given(st.integers(0, 10**18), st.integers(2, 8))
def test_an_axis_has_few_round_values_and_reaches_the_greatest(most: int, steps: int) -> None:
    """An axis that ends below its data cuts the finding off."""
    found = ticks(most, steps)

    assert 0 == found[0]
    assert found[-1] >= most
    assert 2 <= len(found) <= steps + 1
    assert str(found[1]).rstrip("0") in {"1", "2", "5"}
    assert 1 == len({after - before for before, after in pairwise(found)})


@given(st.lists(st.integers(0, 500), max_size=8).map(sorted), st.integers(1, 20))
def test_labels_keep_apart(wanted: list[int], gap: int) -> None:
    """Two labels in one place are none."""
    places = apart(wanted, gap, 500)

    assert len(wanted) == len(places)
    assert all(after - before >= gap for before, after in pairwise(places))
    assert max(places, default=0) <= 500


def test_chinese_has_full_width_marks_and_figures_keep_theirs() -> None:
    """12,284 is one number, and release.multiple=1 is one clause."""
    expected = "共 12,284 位\uff08写 release.multiple=1\uff09\uff0c即 20.0%\uff1b\uff08略\uff09。"

    assert expected == full_width("共 12,284 位(写 release.multiple=1),即 20.0%;(略)。")
    assert "f(x), y: 1" == full_width("f(x), y: 1")


# ---------------------------------------------------------------- command and committed pages


def test_the_command_writes_what_the_function_answers(tmp_path: Path) -> None:
    """And the command on the page is the one that was given, so that anybody can give it again."""
    asked = f"prospectus zengzhi --scenario three-orders --replications 1 --date {DATE} --set pool.mint=60% --out page.html"
    ran = run(asked, folder=tmp_path)
    options = "--scenario three-orders --replications 1 --seed 7 --set pool.mint=60%"
    command = f"rangli prospectus zengzhi {options} --date {DATE} --out page.html"
    plan, scenario = load("zengzhi", ["pool.mint=60%"]), load_scenario("three-orders")

    assert 0 == ran.status, ran.err
    assert prospectus.write(plan, scenario, 1, date=DATE, command=command) == tmp_path.joinpath("page.html").read_text("utf-8")
    assert "of each 100 yuan spent, 0.00 came back in cash." in ran.out.replace("\n", " ")
    again = run(command.removeprefix("rangli ").replace("page.html", "again.html"), folder=tmp_path)
    assert 0 == again.status
    texts = [tmp_path.joinpath(name).read_text("utf-8") for name in ("page.html", "again.html")]
    assert texts[0] == texts[1].replace("again.html", "page.html")


def test_the_command_gives_programs_its_figures(tmp_path: Path) -> None:
    """Integers with their spread, and the file."""
    facts = run(
        f"prospectus zengzhi --scenario three-orders --replications 2 --date {DATE} --out p.html --json", folder=tmp_path
    ).facts

    assert tmp_path.joinpath("p.html").stat().st_size == facts["bytes"]
    assert "zengzhi" == facts["plans"][0]["plan"]
    assert {"median": 7000, "least": 7000, "most": 7000} == facts["plans"][0]["truths"]["promised_bp"]
    assert 0 == sum(facts["plans"][0]["balance_micro"].values())


REFUSED = [
    ("prospectus zengzhi --date 22.11.2026 --out p.html", "the date '22.11.2026' is none; write one as 2026-11-22"),
    ("prospectus zengzhi --date 2026-02-30 --out p.html", "the date '2026-02-30' is none"),
    ("prospectus zengzhi --scenario nowhere --out p.html", "there is no scenario 'nowhere'"),
    ("prospectus zengzhi --scenario three-orders --out /dev/null/p.html", "cannot write /dev/null/p.html"),
]


@pytest.mark.parametrize(("command", "said_why"), REFUSED)
def test_a_command_that_cannot_be_says_what_would_be_right(command: str, said_why: str, tmp_path: Path) -> None:
    """And writes nothing."""
    ran = run(command, folder=tmp_path)

    assert (2, "") == (ran.status, ran.out)
    assert said_why in ran.err.replace("\n", " ")
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("plan", SHIPPED)
def test_the_committed_pages_are_of_the_plan_scenario_and_engine_that_ship(plan: str) -> None:
    """`make prospectus` writes them anew after a change of any of the three."""
    text = PAGES.joinpath(f"{plan}.html").read_text("utf-8")
    facts = {name: re.findall(rf'id="{name}">([^<]+)<', text) for name in ("version", "scenario", "engine")}
    result = small(plan).middle

    assert {"version": [load(plan).version], "scenario": [load_scenario(scenario_text("default")).hash()]} == {
        name: facts[name] for name in ("version", "scenario")
    }, "run `make prospectus`"
    assert [result.engine] == facts["engine"]
    assert len(text.encode()) < 400_000


@pytest.mark.skipif(SLOW_LANE, reason="a million orders")
def test_a_committed_page_is_written_anew_to_the_byte() -> None:
    """What a reader comes to with the command on the page is the page."""
    committed = PAGES.joinpath("zengzhi.html").read_text("utf-8")
    (date,) = set(re.findall(r"--date (\S+)", committed))
    written = prospectus.write(load("zengzhi"), load_scenario("default"), 3, 7, date=date)

    assert written == committed, "run `make prospectus`"


def test_plain_words_have_no_tags() -> None:
    """What a terminal shows is not HTML."""
    one = small("zengzhi")

    assert not [line for line in first_lines(one) if re.search("[<>]/?b", plain(line.answer).zh + plain(line.answer).en)]
