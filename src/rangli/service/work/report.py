"""A report: what a study of the lab came to, in words and exact texts, as JSON can hold it. Whoever shows it computes nothing.

Figures are those of the prospectus: medians over the runs with the least and the most; charts and flows are of the middle run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from rangli.lab.prospectus.figures import MINUS, nearest, of_hundred
from rangli.lab.prospectus.method import parameters
from rangli.lab.prospectus.study import Study, owes, shares, shares_bp, turnover_micro
from rangli.lab.prospectus.truths import TRUTHS, row_of
from rangli.lab.prospectus.words import MEANING, VERDICTS, first_lines, plain, role_label
from rangli.lab.truths import PERCENTILES, Month, Result
from rangli.money import BP_PER_ONE, MICRO_PER_YUAN, mul_div, print_ratio
from rangli.plan.parts import Words

YUAN: Final = Words("元", "yuan")
PERCENT: Final = Words("%", "%")
MONTH: Final = Words("月", "Month")
FAN: Final = (10, 50, 90)
"""Percentiles of what came back that a chart shows."""

PEOPLE: Final = Words("消费者", "consumers")
HOLDERS: Final = {
    "district": Words("区代", "district agents"),
    "city": Words("市代", "city agents"),
    "province": Words("省代", "province agents"),
    "region": Words("大区代", "regional agents"),
}
"""What stands behind the dot of a role and is no role itself."""

UNMEASURED: Final = (
    Words(
        "商品货款由消费者直接付给商家,不进账本,不在任何一个数字里。",
        "The price of the goods goes straight from consumer to merchant, never enters the books and is in no figure here.",
    ),
    Words(
        "经营成本(人员、系统、推广)没有计入平台盈余。",
        "What it costs to run the business (people, systems, marketing) is not taken off the platform's surplus.",
    ),
    Words(
        "人是按场景写的那样来、买和离开的:他们不因方案好坏而改变,所以这里没有预测销量。",
        "People come, buy and leave as the scenario says, whatever the plan gives them: no sales are predicted here.",
    ),
    Words(
        "红包是否要交个人所得税没有定论;这里按场景所写的口径计算。",
        "Whether packets are taxed as income is open; it is reckoned here as the scenario says.",
    ),
)
"""What no run measures."""
ONE_RUN: Final = Words("只跑了一次,不知道运气的影响有多大。", "There was one run only, so how much is chance is not known.")


class Line(msgspec.Struct, frozen=True):
    """One of the three first questions and its answer."""

    key: str
    question: Words
    answer: Words
    detail: Words


class Truth(msgspec.Struct, frozen=True):
    """One figure over all runs, with its unit."""

    key: str
    name: Words
    median: Words
    least: Words
    most: Words
    meaning: Words


class Net(msgspec.Struct, frozen=True):
    """What a role got, or paid if below zero, in yuan."""

    role: Words
    of_hundred: str
    """Of each 100 yuan of orders."""
    yuan: str


class Paid(msgspec.Struct, frozen=True):
    """Who paid whom, in yuan."""

    source: Words
    sink: Words
    of_hundred: str
    yuan: str


class Series(msgspec.Struct, frozen=True):
    """The values of a chart under one name."""

    name: Words
    values: list[str]


class Chart(msgspec.Struct, frozen=True):
    """A chart over months."""

    key: str
    title: Words
    unit: Words
    months: list[int]
    series: list[Series]
    is_columns: bool = False


class Found(msgspec.Struct, frozen=True):
    """What one guard of the law says."""

    guard: str
    verdict: str
    zh: str
    en: str


class Run(msgspec.Struct, frozen=True):
    """One run, for whoever wants to see that it is the same again."""

    run: str
    replication: int
    state_hash: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    plan: str
    version: str
    title: Words
    scenario: str
    scenario_hash: str
    scenario_title: Words
    months: int
    seed: int
    engine: str
    orders: int
    verdict: str
    verdict_words: Words
    verdict_meaning: Words
    lines: list[Line]
    truths: list[Truth]
    nets: list[Net]
    flows: list[Paid]
    charts: list[Chart]
    guards: list[Found]
    parameters: list[tuple[Words, Words]]
    unmeasured: list[Words]
    runs: list[Run]
    middle: int
    """The replication that charts and flows are of."""


def report_of(one: Study) -> Report:
    """The report of a study."""
    middle = one.middle
    return Report(
        plan=one.compiled.plan.name,
        version=one.compiled.version,
        title=one.compiled.plan.title,
        scenario=one.scenario.name,
        scenario_hash=middle.scenario_hash,
        scenario_title=one.scenario.title,
        months=one.scenario.months,
        seed=middle.seed,
        engine=middle.engine,
        orders=middle.orders,
        verdict=one.verdict,
        verdict_words=VERDICTS[one.verdict],
        verdict_meaning=MEANING[one.verdict],
        lines=[Line(line.key, line.question, line.plain, plain(line.detail)) for line in first_lines(one)],
        truths=truths(one),
        nets=nets(middle),
        flows=flows(middle),
        charts=list(charts(one)),
        guards=[Found(found.guard, found.verdict, found.zh, found.en) for found in one.findings],
        parameters=[(parameter.name, parameter.value) for parameter in parameters(one.scenario)],
        unmeasured=[*UNMEASURED, *([ONE_RUN] if len(one.results) == 1 else [])],
        runs=[Run(result.run, result.replication, result.state_hash) for result in one.results],
        middle=middle.replication,
    )


def truths(one: Study) -> list[Truth]:
    """Every figure of the table of truths."""
    found = [(truth.key, row_of(one, truth)) for truth in TRUTHS]
    return [Truth(key, row.name, row.median, row.least, row.most, row.meaning) for key, row in found]


def nets(result: Result) -> list[Net]:
    """What each role paid or got, payers first; both columns sum to zero."""
    got, bp = shares(result), shares_bp(result)
    ranked = sorted(got.items(), key=lambda item: (item[1] > 0, -abs(item[1])))
    return [Net(role_label(role), _ratio(bp[role], 100), _yuan(micro)) for role, micro in ranked if micro]


def flows(result: Result) -> list[Paid]:
    """Who paid whom over all months, the greatest first."""
    turnover = turnover_micro(result)
    return [
        Paid(_who(flow.source), _who(flow.sink), _plain(of_hundred(flow.micro, turnover)), _yuan(flow.micro))
        for flow in result.flows
    ]


def _who(role: str) -> Words:
    """A role in words, with who holds it: 推荐人(消费者)."""
    name, _, holder = role.partition(".")
    if holder in HOLDERS:
        return HOLDERS[holder]
    words = Words("间接推荐人", "second referrers") if name == "referrers2" else role_label(name)
    if not holder:
        return words
    by = PEOPLE if holder == "consumers" else role_label(holder)
    return Words(f"{words.zh}({by.zh})", f"{words.en} ({by.en})")


# ---------------------------------------------------------------- charts


def charts(one: Study) -> Iterator[Chart]:
    """What happened over time; no price without a pool, no promises where nothing is owed."""
    result = one.middle
    if result.cohorts:
        yield _back(result)
    money = _over(result.months)
    yield money(
        "monthly",
        Words("每月:商家让利、返还、平台所得", "Each month: given up by merchants, handed back, the platform's part"),
        {
            Words("商家让利", "Given up"): lambda month: month.concession_micro,
            Words("返还消费者", "Handed back"): lambda month: month.returned_micro,
            Words("平台所得", "Platform"): lambda month: month.surplus_micro,
        },
    )
    if owes(result):
        yield money(
            "promises",
            Words("月末:已承诺未兑付,和能支撑它的钱", "Month's end: promised and not yet given, and what covers it"),
            {
                Words("已承诺", "Promised"): lambda month: month.promised_micro,
                Words("有钱支撑", "Covered"): lambda month: month.promised_micro - month.uncovered_micro,
            },
        )
    yield money(
        "balances",
        Words("月末余额:池和备付", "Balances at the month's end: pots and reserves"),
        {
            Words("全部备付", "All backing"): lambda month: month.backing_micro,
            Words("其中:券储备", "Of it: voucher reserve"): lambda month: month.reserve_micro,
            **({Words("其中:盈利池", "Of it: the pool"): lambda month: month.pool_micro} if one.compiled.plan.pool else {}),
        },
    )
    if one.compiled.plan.pool is not None:
        yield _price(result.months)
        if one.compiled.plan.pool.exit is not None:
            yield _counts("exits", Words("每月强制退出", "Forced exits each month"), Words("次", "times"), result.months, "exits")
    yield _counts("orders", Words("每月订单", "Orders each month"), Words("笔", "orders"), result.months, "orders")


Of = Callable[[Month], int]


def _over(months: Sequence[Month]) -> Callable[[str, Words, dict[Words, Of]], Chart]:
    """Charts of amounts over these months."""

    def made(key: str, title: Words, lines: dict[Words, Of]) -> Chart:
        series = [Series(name, [_yuan(of(month)) for month in months]) for name, of in lines.items()]
        return Chart(key, title, YUAN, [month.month for month in months], series)

    return made


def _back(result: Result) -> Chart:
    """What came back to those who came in each month: cash by percentile, and vouchers on average."""
    lines = {
        Words(f"现金 P{percentile}", f"Cash P{percentile}"): [cohort.percentiles_bp[at] for cohort in result.cohorts]
        for at, percentile in enumerate(PERCENTILES)
        if percentile in FAN
    }
    vouchers = [mul_div(cohort.vouchers_micro, BP_PER_ONE, max(cohort.spent_micro, 1)) for cohort in result.cohorts]
    if any(vouchers):
        lines[Words("券,平均", "Vouchers, mean")] = vouchers
    return Chart(
        "back",
        Words(
            "收回 ÷ 花掉的现金,按首次消费的月份(100% 才是全部收回)",
            "Got back ÷ cash spent, by month of first purchase (100% is all of it)",
        ),
        PERCENT,
        [cohort.month for cohort in result.cohorts],
        [Series(name, [_ratio(bp, 100) for bp in values]) for name, values in lines.items()],
    )


def _price(months: Sequence[Month]) -> Chart:
    prices = [print_ratio(month.price[0], max(month.price[1], 1), 4) for month in months]
    title = Words("月末积分价格(池中的钱 ÷ 积分数)", "Price of a point at the month's end (pool ÷ points)")
    return Chart("price", title, YUAN, [month.month for month in months], [Series(Words("价格", "Price"), prices)])


def _counts(key: str, title: Words, unit: Words, months: Sequence[Month], name: str) -> Chart:
    values = [str(getattr(month, name)) for month in months]
    return Chart(key, title, unit, [month.month for month in months], [Series(title, values)], is_columns=True)


# ---------------------------------------------------------------- numbers


def _plain(text: str) -> str:
    """A number for reading as a number for programs."""
    return text.replace(",", "").replace(MINUS, "-")


def _ratio(num: int, den: int) -> str:
    return _plain(nearest(num, den, 2))


def _yuan(micro: int) -> str:
    """To the nearest fen; for reading, never for booking."""
    return _ratio(micro, MICRO_PER_YUAN)
