"""A study: one plan in one scenario, run several times, and what the law says of the plan and of what happened."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import msgspec

from rangli.lab.parts import Scenario
from rangli.lab.prospectus.figures import Spread, spread
from rangli.lab.truths import Result
from rangli.money import BP_PER_ONE, mul_div, split
from rangli.plan import CompiledPlan, Finding, Meters, judge, verdict
from rangli.plan.law import Verdict

HELD: Final = ("pots", "pool", "dividend", "reserve")
"""Roles that keep money which is nobody's yet."""
BEHIND_VOUCHERS: Final = ("reserve", "merchants")
"""The flow that pays a merchant for goods which a consumer paid with vouchers."""

Progress = Callable[[int], None]


class Study(NamedTuple):
    """What a prospectus is written from."""

    compiled: CompiledPlan
    scenario: Scenario
    results: tuple[Result, ...]
    """One of each replication."""
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """The law's."""
        return verdict(self.findings)

    @property
    def middle(self) -> Result:
        """The run whose consumers got back the middle share of their cash; charts and flows are of this one."""
        ranked = sorted(self.results, key=lambda result: (back_bp(result), result.replication))
        return ranked[(len(ranked) - 1) >> 1]

    def spread(self, figure: Callable[[Result], int | None]) -> Spread:
        """A figure over all runs."""
        return spread(figure(result) for result in self.results)


def study(
    compiled: CompiledPlan, scenario: Scenario, replications: int = 3, seed: int = 7, progress: Progress | None = None
) -> Study:
    """Run a plan in a scenario; ``progress`` is told of each month that is done."""
    from rangli.lab.economy import run  # noqa: PLC0415 (the engine, for whoever runs)

    assert replications > 0
    results = tuple(run(compiled, scenario, number, seed, progress) for number in range(replications))
    return Study(compiled, scenario, results, judge(compiled, worst_meters(results)))


def worst_meters(results: Iterable[Result]) -> Meters:
    """The most that any run measured: a meter that grows never makes a verdict milder."""
    worst: dict[str, int] = {}
    for result in results:
        worst = {name: max(figure, worst.get(name, 0)) for name, figure in result.meters.items()}
    return msgspec.convert(worst, Meters)


# ---------------------------------------------------------------- figures of a run


def spent_micro(result: Result) -> int:
    """The cash that consumers spent."""
    return sum(cohort.spent_micro for cohort in result.cohorts)


def cash_micro(result: Result) -> int:
    """The cash that came back to them as customers."""
    return sum(cohort.cash_micro for cohort in result.cohorts)


def vouchers_micro(result: Result) -> int:
    """The vouchers that they were given."""
    return sum(cohort.vouchers_micro for cohort in result.cohorts)


def turnover_micro(result: Result) -> int:
    """All that was paid, vouchers counted."""
    return sum(month.paid_micro for month in result.months)


def back_bp(result: Result) -> int:
    """Cash that came back, of the cash that was spent."""
    return mul_div(cash_micro(result), BP_PER_ONE, max(spent_micro(result), 1))


def made_whole_bp(result: Result) -> int:
    """Consumers made whole, of all."""
    return mul_div(result.consumers_made_whole, BP_PER_ONE, max(result.consumers, 1))


def promised_bp(result: Result) -> int | None:
    """Promised in parts of what was set aside for it; None if nothing was promised."""
    promised, funded = (
        sum(getattr(month, name) for month in result.months) for name in ("promised_new_micro", "funded_new_micro")
    )
    return mul_div(promised, BP_PER_ONE, funded) if funded else None


def owes(result: Result) -> bool:
    """Whether at the end of any month anything was promised and not yet given."""
    return any(month.promised_micro for month in result.months)


def shares(result: Result) -> dict[str, int]:
    """Net of each role in micro, agents and referrers taken together; sums to zero.

    What the reserve paid merchants for goods bought with vouchers is counted as got by consumers, under ``vouchers``: they had
    the goods, and the merchants paid the concession that it came from.
    """
    got: dict[str, int] = {}
    for role, micro in result.balance_micro.items():
        got[group_of(role)] = got.get(group_of(role), 0) + micro
    redeemed = sum(flow.micro for flow in result.flows if (flow.source, flow.sink) == BEHIND_VOUCHERS)
    if redeemed:
        got["merchants"] -= redeemed
        got["vouchers"] = redeemed
    assert sum(got.values()) == 0
    return got


def shares_bp(result: Result) -> dict[str, int]:
    """The same in hundredths of a yuan of each 100 yuan of orders: what some got adds up to what the others paid."""
    net, turnover = shares(result), max(turnover_micro(result), 1)
    paid = {role: -micro for role, micro in net.items() if micro < 0}
    got = {role: micro for role, micro in net.items() if micro > 0}
    if not got:
        return {}
    whole = mul_div(2 * BP_PER_ONE * sum(got.values()) + turnover, 1, 2 * turnover)
    given, taken = (split(whole, list(side.values())) for side in (paid, got))
    return {role: -bp for role, bp in zip(paid, given, strict=True)} | dict(zip(got, taken, strict=True))


def group_of(role: str) -> str:
    """The group that a role is shown in: referrers of both levels are one, and so are agents of all ranks."""
    first = role.partition(".")[0]
    return "referrers" if first == "referrers2" else first
