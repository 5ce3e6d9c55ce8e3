"""What the lab does and came to, as the console shows it: words, charts and tables. Nothing is computed here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from rangli.lab.prospectus.figures import MINUS
from rangli.plan.parts import Words
from rangli.service.work.jobs import CANCELLED, DONE, FAILED, RUNNING, WAITING
from rangli.service.work.lab import Comparison, Side
from rangli.service.work.report import YUAN, Chart, Net, Report
from rangli.web.console.call import Call
from rangli.web.console.states import LAWFUL
from rangli.web.console.words import Amount, State

RUN, PROSPECTUS, COMPARE, CLAIMS = "lab.run", "lab.prospectus", "lab.compare", "lab.claims"
KINDS: Final = {
    RUN: ("运行", "Run"),
    PROSPECTUS: ("说明书", "Prospectus"),
    COMPARE: ("对比", "Comparison"),
    CLAIMS: ("检验说法", "Claims tested"),
}
STATES: Final = {
    WAITING: State(WAITING, "排队中", "Waiting", "wait"),
    RUNNING: State(RUNNING, "运行中", "Running", "wait"),
    DONE: State(DONE, "完成", "Done", "good"),
    FAILED: State(FAILED, "失败", "Failed", "bad"),
    CANCELLED: State(CANCELLED, "已取消", "Cancelled", "plain"),
}
TABS: Final = (
    ("/lab", "运行", "Runs"),
    ("/lab/scenarios", "场景", "Scenarios"),
    ("/lab/compare", "对比", "Compare"),
    ("/lab/claims", "说法", "Claims"),
)
LEGEND: Final = {"top": 0, "type": "scroll"}

Name = tuple[str, str]
"""Chinese, English."""
Head = tuple[str, str, str]
"""Of a column: Chinese, English, kind."""
Table = tuple[list[Head], list[list[object]]]


class Picture(NamedTuple):
    """A chart with the table that says the same."""

    title: Words
    option: dict[str, Any]
    head: list[Head]
    rows: list[list[object]]


def over_time(chart: Chart, call: Call) -> Picture:
    """A chart over months."""
    is_money = chart.unit == YUAN
    kind = "bar" if chart.is_columns else "line"
    option = {
        "legend": LEGEND if len(chart.series) > 1 else None,
        "xAxis": {"type": "category", "data": [str(month) for month in chart.months], "name": call.t("月", "month")},
        "yAxis": {"type": "value", "name": call.t(chart.unit.zh, chart.unit.en)},
        "series": [
            {"type": kind, "name": call.t(one.name.zh, one.name.en), "data": one.values, "showSymbol": False}
            for one in chart.series
        ],
    }
    head: list[Head] = [("月", "Month", "count"), *((one.name.zh, one.name.en, "money") for one in chart.series)]
    unit = "" if is_money else f" {call.t(chart.unit.zh, chart.unit.en)}"
    rows: list[list[object]] = []
    for place, month in enumerate(chart.months):
        texts = [one.values[place] for one in chart.series]
        rows.append([str(month), *(Amount(text) if is_money else text + unit for text in texts)])
    return Picture(chart.title, option, head, rows)


def who_gets(nets: Sequence[Net], call: Call) -> Picture:
    """Who pays and who gets, of each 100 yuan of orders."""
    title = Words("谁付出,谁得到:每 100 元订单(元)", "Who pays and who gets, of each 100 yuan of orders (yuan)")
    names = [call.t(net.role.zh, net.role.en) for net in nets]
    values = [net.of_hundred for net in nets]
    option = _bars(names, [{"name": call.t("元", "yuan"), "data": values}])
    head: list[Head] = [
        ("谁", "Who", "text"),
        ("每 100 元订单", "Of each 100 yuan", "money"),
        ("合计", "In all", "money"),
    ]
    rows: list[list[object]] = [[call.t(net.role.zh, net.role.en), Amount(net.of_hundred), Amount(net.yuan)] for net in nets]
    return Picture(title, option, head, rows)


def side_by_side(found: Comparison, names: Sequence[Name], call: Call) -> Picture:
    """The same for every plan of a comparison."""
    title = Words("谁付出,谁得到:每 100 元订单(元)", "Who pays and who gets, of each 100 yuan of orders (yuan)")
    roles = [call.t(side.name.zh, side.name.en) for side in found.gets]
    columns = zip(*([_plain(value.zh) for value in side.values] for side in found.gets), strict=True)
    series = [{"name": call.t(*name), "data": list(column)} for name, column in zip(names, columns, strict=True)]
    head, rows = sides(found.gets, ("谁", "Who"), names, call, is_money=True)
    return Picture(title, _bars(roles, series), head, rows)


def sides(some: Sequence[Side], of: Name, names: Sequence[Name], call: Call, *, is_money: bool = False) -> Table:
    """Rows of a comparison: a column for each plan, and the change if there are two."""
    is_changing = any(side.change for side in some)
    head: list[Head] = [(*of, "text"), *((*name, "money") for name in names)]
    head += [("差", "Change", "money")] if is_changing else []
    rows: list[list[object]] = []
    for side in some:
        values: list[object] = [call.t(value.zh, value.en) for value in side.values]
        if is_money:
            values = [Amount(_plain(value.zh)) for value in side.values]
        change = [Amount(_plain(side.change)) if side.change else ""] if is_changing else []
        rows.append([call.t(side.name.zh, side.name.en), *values, *change])
    return head, rows


def tables(report: Report, call: Call) -> dict[str, Table]:
    """The tables of a report: flows, truths and guards."""
    t = call.t
    flows: list[list[object]] = [
        [t(one.source.zh, one.source.en), t(one.sink.zh, one.sink.en), Amount(one.of_hundred), Amount(one.yuan)]
        for one in report.flows
    ]
    truths: list[list[object]] = [
        [t(one.name.zh, one.name.en), *(t(of.zh, of.en) for of in (one.median, one.least, one.most)), t(*_both(one.meaning))]
        for one in report.truths
    ]
    guards: list[list[object]] = [[one.guard, LAWFUL[one.verdict], t(one.zh, one.en)] for one in report.guards]
    return {"flows": (FLOWS, flows), "truths": (TRUTHS, truths), "guards": (GUARDS, guards)}


FLOWS: Final[list[Head]] = [
    ("谁付", "Who paid", "text"),
    ("给谁", "Whom", "text"),
    ("每 100 元订单", "Of each 100 yuan", "money"),
    ("合计", "In all", "money"),
]
TRUTHS: Final[list[Head]] = [
    ("实情", "Truth", "text"),
    ("居中", "Median", "money"),
    ("最少", "Least", "money"),
    ("最多", "Most", "money"),
    ("意思", "What it means", "text"),
]
GUARD: Final[list[Head]] = [("护栏", "Guard", "code"), ("查的是什么", "What it checks", "text")]
GUARDS: Final[list[Head]] = [("护栏", "Guard", "code"), ("结论", "Verdict", "state"), ("依据", "Why", "text")]


def _both(words: Words) -> tuple[str, str]:
    return words.zh, words.en


def _bars(names: Sequence[str], series: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Bars that lie, the first on top."""
    return {
        "legend": LEGEND if len(series) > 1 else None,
        "xAxis": {"type": "value"},
        "yAxis": {"type": "category", "data": list(names), "inverse": True},
        "series": [{"type": "bar", **one} for one in series],
    }


def _plain(text: str) -> str:
    """A number for reading as a number for programs."""
    return text.replace(",", "").replace(MINUS, "-").removeprefix("+")
