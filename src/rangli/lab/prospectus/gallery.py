"""Which charts a study has, each with its finding as a title: no price without a pool, no gap where nothing is owed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from rangli.lab.prospectus.charts import Frame, Series, columns, fan, lines
from rangli.lab.prospectus.figures import count, large, of_hundred, percent, percent_of_bp
from rangli.lab.prospectus.sankey import NOTE, sankey
from rangli.lab.prospectus.study import Study, owes, turnover_micro
from rangli.lab.prospectus.svg import PX, Figure, figure
from rangli.lab.prospectus.waterfall import example, kept_micro, steps_of, waterfall
from rangli.lab.prospectus.words import role_words
from rangli.lab.truths import PERCENTILES, Month, Result
from rangli.money import BP_PER_ONE, MICRO_PER_YUAN, mul_div, print_percent
from rangli.plan.parts import Words

MEDIAN = PERCENTILES.index(50)


def order_figure(one: Study) -> Figure:
    """The example order."""
    order = example(one.compiled)
    kept, given = of_hundred(kept_micro(order), 100 * MICRO_PER_YUAN), of_hundred(order.concession_micro, 100 * MICRO_PER_YUAN)
    title = Words(
        f"付 100 元,商家留 {kept} 元,让出 {given} 元",
        f"Of 100 yuan paid the shop keeps {kept} and gives up {given}",
    )
    measure = Words(
        "让利 100% 由谁得,元;各方都在场的一笔订单", "Who gets the concession, in yuan; an order at which every party is there"
    )
    return figure(title, measure, partial(waterfall, steps_of(order), title), is_half=True)


def flow_figure(one: Study) -> Figure | None:
    """Who paid whom; None if nobody did."""
    result = one.middle
    flows = [flow for flow in result.flows if flow.source == "merchants"]
    if not flows:
        return None
    greatest = max(flows, key=lambda flow: flow.micro)
    role, amount = role_words(greatest.sink.partition(".")[0]), of_hundred(greatest.micro, turnover_micro(result))
    title = Words(
        f"商家付出的钱,最大的一股流向{role.zh}:{amount} 元",
        f"The largest part of what merchants pay goes to {role.en}: {amount} yuan",
    )
    measure = Words(
        "谁付给谁,每 100 元订单中的元数,全部月份合计", "Who paid whom, in yuan of each 100 yuan of orders, all months together"
    )
    return figure(title, measure, partial(sankey, result, title), note=NOTE)


def charts(one: Study) -> list[Figure]:
    """All charts over time."""
    result = one.middle
    frame = partial(Frame, [month.month for month in result.months], marks=_marks(one))
    made = [_back(one, frame)] if result.cohorts else []
    made += _pool(one, frame)
    made += _promises(one, frame)
    made.append(_monthly(result, frame))
    return made


FrameOf = partial[Frame]


def _marks(one: Study) -> list[tuple[int, Words]]:
    """What happens in the scenario that a reader of a chart should see."""
    crowd, run = one.scenario.consumers, one.scenario.run
    marks = []
    if crowd.stop is not None and 0 < crowd.stop < one.scenario.months:
        marks.append((crowd.stop, Words("不再有新客", "nobody new from here")))
    if run is not None:
        marks.append((run.month, Words("挤兑", "run on the points")))
    return marks


# ---------------------------------------------------------------- what came back


def _back(one: Study, frame: FrameOf) -> Figure:
    """The fan of cash, or for a plan that gives vouchers only the mean of each cohort."""
    cohorts = one.middle.cohorts
    arrivals = [cohort.month for cohort in cohorts]
    axis = frame(show=print_percent)._replace(months=arrivals, marks=())
    if any(max(cohort.percentiles_bp) > 0 for cohort in cohorts):
        early, late = (_at_most(cohort.percentiles_bp[MEDIAN]) for cohort in (cohorts[0], cohorts[-1]))
        title = Words(
            f"最先来的人,一半{early.zh};最后来的,一半{late.zh}",
            f"Half of the first to come got back {early.en}; half of the last to come, {late.en}",
        )
        measure = Words(
            "收回的现金 ÷ 花掉的现金,100% 才是全部收回;按首次消费的月份,色带由浅到深为 P1–P99、P5–P95、P10–P90、P25–P75",
            "Cash back ÷ cash spent, where 100% is all of it, by month of first purchase;"
            " bands from light to dark: P1–P99, P5–P95, P10–P90, P25–P75",
        )
        return figure(title, measure, fan(axis, cohorts, title))
    bp = [mul_div(cohort.vouchers_micro, BP_PER_ONE, max(cohort.spent_micro, 1)) for cohort in cohorts]
    first, last = percent_of_bp(bp[0]), percent_of_bp(bp[-1])
    title = Words(
        f"没有人收回现金;得到的券,最先来的人平均 {first},最后来的 {last}",
        f"Nobody got cash back; in vouchers the first to come got {first} on average, the last {last}",
    )
    measure = Words(
        "发给的券、收回的现金 ÷ 花掉的现金,按首次消费的月份,平均",
        "Vouchers given and cash back ÷ cash spent, by month of first purchase, mean",
    )
    series = [
        Series("blue", bp, Words(f"券 {last}", f"vouchers {last}")),
        Series("orange", [0] * len(bp), Words("现金 0.0%", "cash 0.0%")),
    ]
    return figure(title, measure, lines(axis._replace(end=136 * PX), series, title))


def _at_most(bp: int) -> Words:
    shown = percent_of_bp(bp)
    return Words(f"至多收回 {shown}", f"{shown} at most") if bp > 0 else Words("什么也没有收回", "nothing")


# ---------------------------------------------------------------- a pool


def _pool(one: Study, frame: FrameOf) -> Iterator[Figure]:
    """Price, pool and exits, of a plan that has them."""
    months = one.middle.months
    if one.compiled.plan.pool is None:
        return
    prices = [mul_div(month.price[0], 100, max(month.price[1], 1)) for month in months]
    first, last = of_hundred(prices[0], 10_000), of_hundred(prices[-1], 10_000)
    title = Words(f"积分价格从 {first} 元到 {last} 元", f"A point goes from {first} to {last} yuan")
    measure = Words("月末价格 = 池中的钱 ÷ 积分数,元", "Price at the end of the month = pool ÷ points, in yuan")
    series = [Series("blue", prices, Words(f"{last} 元", f"{last} yuan"))]
    axis = frame(show=lambda fen: of_hundred(fen, 10_000).removesuffix(".00"))
    yield figure(title, measure, lines(axis, series, title), is_half=True)
    held = large(months[-1].pool_micro)
    pools = [month.pool_micro for month in months]
    title = Words(f"{held.zh}元留在池里", f"{held.en} yuan are in the pool")
    measure = Words("月末池中的钱,元", "What the pool holds at the end of the month, in yuan")
    yield figure(
        title, measure, lines(frame(show=large), [Series("teal", pools, Words(f"{held.zh}元", held.en))], title), is_half=True
    )
    if one.compiled.plan.pool.exit is not None:
        yield _exits(one, months, frame)


def _exits(one: Study, months: tuple[Month, ...], frame: FrameOf) -> Figure:
    """How many were sold out each month."""
    exits = [month.exits for month in months]
    orders = count(one.middle.orders)
    title = Words(f"{orders} 笔订单,{count(sum(exits))} 次强制退出", f"{count(sum(exits))} forced exits in {orders} orders")
    pool = one.compiled.plan.pool
    assert pool is not None
    assert pool.exit is not None
    at = print_percent(pool.exit.at_bp)
    measure = Words(f"每月达到退出线({at})而被卖出的次数", f"How often a month the exit at {at} was reached")
    return figure(title, measure, columns(frame(show=count, most=5), exits, title), is_half=True)


# ---------------------------------------------------------------- promises


def _promises(one: Study, frame: FrameOf) -> Iterator[Figure]:
    """What is owed and what covers it; nothing for a plan that owes nothing."""
    result = one.middle
    if not owes(result):
        return
    months, last = result.months, result.months[-1]
    covered = [month.promised_micro - month.uncovered_micro for month in months]
    shares = [mul_div(part, BP_PER_ONE, max(month.promised_micro, 1)) for part, month in zip(covered, months, strict=True)]
    share = percent(covered[-1], last.promised_micro)
    is_pool = one.compiled.plan.release is None
    title = Words(f"末月,承诺中有钱的占 {share}", f"At the end {share} of what is promised is funded")
    measure = Words(
        "月末已承诺未兑付的,有钱支撑的部分", "Of what is promised and not yet given at the end of the month, what is covered"
    )
    note = Words(
        "积分的承诺就是池中的钱,所以总是足额;退出线不算承诺。",
        "What points are worth is the pool itself, so it is always there; the exit counts as no promise.",
    )
    axis = frame(show=print_percent, most=BP_PER_ONE, marks=())
    series = [Series("teal", shares, Words(share, share))]
    yield figure(title, measure, lines(axis, series, title), is_half=True, note=note if is_pool else None)
    if is_pool:
        return
    owed, held = large(last.promised_micro), large(covered[-1])
    title = Words(f"承诺 {owed.zh}元,支撑它的钱 {held.zh}元", f"{owed.en} yuan promised, {held.en} to cover them")
    measure = Words(
        "月末已承诺未兑付的和能支撑它的钱,元", "Promised and not yet given, and what covers it, at the end of the month, in yuan"
    )
    series = [
        Series("orange", [month.promised_micro for month in months], Words(f"承诺 {owed.zh}", f"promised {owed.en}")),
        Series("teal", covered, Words(f"支撑 {held.zh}", f"covered {held.en}")),
    ]
    yield figure(title, measure, lines(frame(show=large, end=148 * PX), series, title), is_half=True)


def _monthly(result: Result, frame: FrameOf) -> Figure:
    """What merchants give up and what consumers get, month by month."""
    months = result.months
    given, back = ([getattr(month, name) for month in months] for name in ("concession_micro", "returned_micro"))
    share = of_hundred(sum(back), sum(given))
    title = Words(
        f"商家每让利 100 元,{len(months)} 个月内返还 {share} 元",
        f"Of each 100 yuan that merchants gave up, {share} came back within the {len(months)} months",
    )
    measure = Words(
        "每月商家的让利、返还的现金和券、平台所得,元",
        "Concession, cash and vouchers handed back, and the platform's part, each month, in yuan",
    )
    ends = [large(values[-1]) for values in (given, back)]
    surplus = [max(month.surplus_micro, 0) for month in months]
    kept = large(surplus[-1])
    series = [
        Series("ink", given, Words(f"让利 {ends[0].zh}", f"given up {ends[0].en}")),
        Series("blue", [max(micro, 0) for micro in back], Words(f"返还 {ends[1].zh}", f"back {ends[1].en}")),
        Series("orange", surplus, Words(f"平台 {kept.zh}", f"platform {kept.en}")),
    ]
    return figure(title, measure, lines(frame(show=large, end=148 * PX), series, title))
