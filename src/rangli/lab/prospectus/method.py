"""How a prospectus came about: what its scenario says, and the command that makes it again."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import join
from typing import NamedTuple

from rangli.lab.parts import Scenario
from rangli.lab.prospectus.figures import count, of_hundred
from rangli.lab.prospectus.study import Study
from rangli.money import BP_PER_ONE, print_percent
from rangli.plan.parts import Words


class Parameter(NamedTuple):
    """A value of a scenario that a reader asks for."""

    name: Words
    value: Words


def command_of(one: Study, date: str) -> str:
    """What makes the page again when plan and scenario are those that ship."""
    name, scenario, result = one.compiled.plan.name, one.scenario.name, one.middle
    runs = ["--replications", str(len(one.results)), "--seed", str(result.seed)]
    return join(["rangli", "prospectus", name, "--scenario", scenario, *runs, "--date", date, "--out", f"{name}.html"])


def parameters(scenario: Scenario) -> list[Parameter]:
    """The values that a reader asks for first."""
    return [Parameter(name, value) for name, value in [*_people(scenario), *_deeds(scenario)]]


def _people(scenario: Scenario) -> Iterator[tuple[Words, Words]]:
    """How many there are, and how many come."""
    start, crowd, shops = scenario.start, scenario.consumers, scenario.shops
    consumers, there, new, opened = map(count, (start.consumers, start.shops, crowd.new, shops.new))
    grows, opens = print_percent(crowd.growth_bp), print_percent(shops.growth_bp)
    yield Words("月数", "Months"), Words(f"{scenario.months} 个月", f"{scenario.months}")
    yield Words("期初", "At the start"), Words(f"{consumers} 位消费者,{there} 家店", f"{consumers} consumers, {there} shops")
    yield (
        Words("新客", "Newcomers"),
        Words(f"首月 {new} 位,每月增长 {grows}", f"{new} in the first month, {grows} more each month"),
    )
    stop = crowd.stop
    yield (
        Words("新客何时停", "Newcomers stop"),
        Words("不停", "never") if stop is None else Words(f"第 {stop} 月起不再有", f"nobody new from month {stop} on"),
    )
    yield (
        Words("新店", "New shops"),
        Words(f"首月 {opened} 家,每月增长 {opens}", f"{opened} in the first month, {opens} more each month"),
    )


def _deeds(scenario: Scenario) -> Iterator[tuple[Words, Words]]:
    """What they do."""
    crowd, behaviour, costs = scenario.consumers, scenario.behaviour, scenario.costs
    visits = of_hundred(crowd.visits_bp, BP_PER_ONE * 100)
    yield Words("每人每月消费", "Visits a month"), Words(f"{visits} 次", visits)
    leave, back = print_percent(crowd.churn_bp), print_percent(crowd.comeback_bp)
    yield Words("流失、回来", "Leave, come back"), Words(f"每月 {leave}、{back}", f"{leave} and {back} a month")
    rates = [f"{print_percent(given.rate_bp)} × {print_percent(given.share_bp)}" for given in scenario.shops.concessions]
    yield Words("让利 × 店的占比", "Concession × share of shops"), Words("、".join(rates), ", ".join(rates))
    sell = behaviour.sell
    if sell is not None:
        share = print_percent(sell.share_bp)
        yield (
            Words("卖积分", "Sell their points"),
            Words(f"第 {sell.start} 月起,每月 {share} 的人", f"{share} a month, from month {sell.start}"),
        )
    refunds = print_percent(behaviour.refunds.share_bp) if behaviour.refunds else "0%"
    yield Words("退款", "Refunds"), Words(f"{refunds} 的订单", f"{refunds} of orders")
    fee = print_percent(costs.channel_fee_bp)
    of = Words("订单额", "the amount") if costs.fee_of == "amount" else Words("让利", "the concession")
    yield Words("渠道手续费", "Channel fee"), Words(f"{of.zh}的 {fee}", f"{fee} of {of.en}")
    horizon = scenario.horizon
    yield Words("新客等多久", "How long a newcomer waits"), Words(f"{horizon} 个月", f"{horizon} months")
