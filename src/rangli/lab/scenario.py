"""Scenarios: a document that says who buys, who sells and what they do; checked, hashed, and changed for sweeps.

text ─▶ check ─▶ Scenario (lab.parts), or every problem at once with its place, what is wrong and what would be right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from rangli.errors import Problem, ScenarioFaulty
from rangli.lab.parts import Scenario, Ticket
from rangli.lab.vocabulary import CONSUMERS_MAX, SCENARIO, SHOPS_MAX
from rangli.money import BP_PER_ONE, MICRO_PER_YUAN, mul_div, print_percent, print_yuan
from rangli.plan.document import Reader, parse
from rangli.plan.kinds import words
from rangli.plan.override import override
from rangli.plan.problems import problem

__all__ = ["Scenario", "changed", "check", "consumers_by_month", "orders_expected", "read", "shops_by_month"]

PROBLEMS: Final = {
    "shares_not_whole": (
        "各项 share 合计 {sum},应正好 100%",
        "the shares come to {sum}; they must be 100% in all",
    ),
    "bound_over_100": (
        "锁定 {locked} 与推荐 {invited} 合计超过 100%;一位消费者至多一位推荐人",
        "locked {locked} and invited {invited} are over 100% together; a consumer has one referrer at most",
    ),
    "part_over_whole": (
        "{part} 多于总数;应不大于 {whole}",
        "{part} is more than there are; write {whole} at most",
    ),
    "bounds_crossed": (
        "中位数 {median} 不在 {low} 至 {high} 之间",
        "the median {median} is not between {low} and {high}; it must be",
    ),
    "month_over_end": (
        "第 {month} 月在末月之后;月份从 0 起,应小于 {months}",
        "month {month} is after the end; months count from 0, write less than {months}",
    ),
    "rhythm_empty": ("七天的权重都是 0;至少一天应大于 0", "all seven weights are 0; one at least must be above 0"),
    "twice": ("{text!r} 写了两次,请只留一处", "{text!r} is there twice; keep one"),
    "crowd_over_limit": (
        "到末月共有 {count},超过上限 {most};请降低 growth、new 或 months",
        "there are {count} by the end, over the limit of {most}; lower growth, new or months",
    ),
}
"""What values must be to one another: code -> (Chinese, English)."""


class _Doubt(NamedTuple):
    """A problem that stands only if the values at these places could be read."""

    code: str
    where: str
    facts: dict[str, str | int]
    about: tuple[str, ...] = ()


def check(text: str) -> tuple[Scenario | None, list[Problem]]:
    """The scenario, or None and everything that is wrong with its document, in the order of its lines."""
    tree, problems = parse(text)
    if tree is None:
        return None, problems
    if not isinstance(tree.value, dict):
        return None, [*problems, problem("wrong_type", "", tree.line, kind=words(SCENARIO))]
    reader = Reader(problems)
    scenario = reader.read(SCENARIO, tree, "")
    assert isinstance(scenario, Scenario)
    faulty = [*(found.where for found in problems), *reader.misspelt]
    for doubt in (doubt for ask in _QUESTIONS for doubt in ask(scenario)):
        if not any(_touch(where, place) for where in faulty for place in (doubt.where, *doubt.about)):
            line = reader.lines[max((path for path in reader.lines if doubt.where.startswith(path)), key=len)]
            zh, en = PROBLEMS[doubt.code]
            problems.append(Problem(doubt.code, doubt.where, line, zh.format(**doubt.facts), en.format(**doubt.facts)))
    problems.sort(key=lambda found: found.line)
    return (None, problems) if problems else (scenario, [])


def read(text: str) -> Scenario:
    """The scenario of a document. Raises ScenarioFaulty with every problem."""
    scenario, problems = check(text)
    if scenario is None:
        raise ScenarioFaulty(problems)
    return scenario


def changed(text: str, values: Mapping[str, str]) -> str:
    """The document with each of these values in its place, as ``{"consumers.churn": "10%"}``.

    Raises InputRefused for a path that leads nowhere.
    """
    return override(text, [f"{path}={value}" for path, value in values.items()])


def _touch(one: str, other: str) -> bool:
    """Whether one place is the other, or inside it."""
    return any(a == b or a.startswith((f"{b}.", f"{b}[")) for a, b in ((one, other), (other, one)))


# ---------------------------------------------------------------- crowds


def _crowd(start: int, new: int, growth_bp: int, stop: int, months: int) -> list[int]:
    """How many there are at the end of each month, the fractions of newcomers carried to the next."""
    coming, arrived, counts = new * MICRO_PER_YUAN, start * MICRO_PER_YUAN, []
    for month in range(months):
        arrived += coming if month < stop else 0
        coming = mul_div(coming, BP_PER_ONE + growth_bp, BP_PER_ONE)
        counts.append(mul_div(arrived, 1, MICRO_PER_YUAN))
    return counts


def consumers_by_month(scenario: Scenario) -> list[int]:
    """How many consumers have come by the end of each month."""
    crowd = scenario.consumers
    stop = scenario.months if crowd.stop is None else crowd.stop
    return _crowd(scenario.start.consumers, crowd.new, crowd.growth_bp, stop, scenario.months)


def shops_by_month(scenario: Scenario) -> list[int]:
    """How many shops there are in each month."""
    return _crowd(scenario.start.shops, scenario.shops.new, scenario.shops.growth_bp, scenario.months, scenario.months)


def orders_expected(scenario: Scenario) -> int:
    """How many orders there are at most, if nobody leaves."""
    crowd, behaviour = scenario.consumers, scenario.behaviour
    visits = mul_div(sum(consumers_by_month(scenario)), max(crowd.visits_bp, BP_PER_ONE), BP_PER_ONE)
    each_month = behaviour.wash.orders if behaviour.wash else 0
    each_month += behaviour.farming.accounts * behaviour.farming.orders if behaviour.farming else 0
    return visits + scenario.months * each_month + (scenario.start.orders.count if scenario.start.orders else 0)


# ---------------------------------------------------------------- what values must be to one another


def _spreads(scenario: Scenario) -> Iterator[_Doubt]:
    """The shares of a distribution are a whole."""
    for key, parts in (("concessions", scenario.shops.concessions), ("tickets", scenario.shops.tickets)):
        whole = sum(part.share_bp for part in parts)
        if whole != BP_PER_ONE:
            yield _Doubt("shares_not_whole", f"shops.{key}", {"sum": print_percent(whole)})


def _tickets(scenario: Scenario) -> Iterator[_Doubt]:
    """The median lies between the bounds."""
    for i, ticket in enumerate(scenario.shops.tickets):
        if isinstance(ticket, Ticket) and not ticket.fen_min <= ticket.median_fen <= ticket.fen_max:
            low, median, high = (print_yuan(fen) for fen in (ticket.fen_min, ticket.median_fen, ticket.fen_max))
            yield _Doubt("bounds_crossed", f"shops.tickets[{i}]", {"low": low, "median": median, "high": high})


def _bound(scenario: Scenario) -> Iterator[_Doubt]:
    """Nobody has two referrers, and no part is more than its whole."""
    crowd, start = scenario.consumers, scenario.start
    if crowd.locked_bp + crowd.invited_bp > BP_PER_ONE:
        facts: dict[str, str | int] = {"locked": print_percent(crowd.locked_bp), "invited": print_percent(crowd.invited_bp)}
        yield _Doubt("bound_over_100", "consumers.invited", facts, ("consumers.locked",))
    for key, part, whole in (("locked", start.locked, start.consumers), ("recruited", start.recruited, start.shops)):
        if part is not None and part > whole:
            yield _Doubt("part_over_whole", f"start.{key}", {"part": part, "whole": whole}, ("start",))


def _months(scenario: Scenario) -> Iterator[_Doubt]:
    """What happens, happens before the end."""
    dated = [(f"injections[{i}].month", injection.month) for i, injection in enumerate(scenario.injections)]
    if scenario.run is not None:
        dated.append(("run.month", scenario.run.month))
    if scenario.behaviour.sell is not None:
        dated.append(("behaviour.sell.from", scenario.behaviour.sell.start))
    for where, month in dated:
        if month >= scenario.months:
            yield _Doubt("month_over_end", where, {"month": month, "months": scenario.months}, ("months",))


def _lists(scenario: Scenario) -> Iterator[_Doubt]:
    """Some day has visits, and no rank is named twice."""
    if not any(scenario.consumers.rhythm):
        yield _Doubt("rhythm_empty", "consumers.rhythm", {})
    for i, rank in enumerate(scenario.agents):
        if rank in scenario.agents[:i]:
            yield _Doubt("twice", f"agents[{i}]", {"text": rank})


def _crowds(scenario: Scenario) -> Iterator[_Doubt]:
    """The crowds have room."""
    for key, counts, most in (
        ("consumers", consumers_by_month(scenario), CONSUMERS_MAX),
        ("shops", shops_by_month(scenario), SHOPS_MAX),
    ):
        if counts[-1] > most:
            yield _Doubt(
                "crowd_over_limit", f"{key}.growth", {"count": counts[-1], "most": most}, (f"{key}.new", "months", "start")
            )


_QUESTIONS: Final = (_spreads, _tickets, _bound, _months, _lists, _crowds)
