"""Plans side by side in one scenario, with the same people doing the same things: what each comes to, and what one costs whom.

First of all each model and its lawful twin.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple

from markupsafe import Markup

from rangli.lab.parts import Scenario
from rangli.lab.prospectus.figures import MINUS, NONE, of_hundred
from rangli.lab.prospectus.page import rendered
from rangli.lab.prospectus.study import HELD, Progress, Study, shares, shares_bp, study, turnover_micro
from rangli.lab.prospectus.svg import NARROW, PX, Figure, box, drawing, figure, stroke, text
from rangli.lab.prospectus.truths import TRUTHS, Truth
from rangli.lab.prospectus.words import BRINGERS, ROLES, VERDICTS, first_lines, role_label
from rangli.money import BP_PER_ONE, mul_div
from rangli.plan import CompiledPlan, verdict
from rangli.plan.law import VERDICTS as FROM_MILD
from rangli.plan.law import guards
from rangli.plan.parts import Words

COLOURS: Final = ("blue", "orange", "teal", "purple")
"""Of the plans, in the order in which they are given; a fifth begins again."""
PAIR: Final = 2


class Row(NamedTuple):
    """One figure of every plan, and the second less the first if there are two."""

    name: Words
    values: tuple[Words, ...]
    change: str = ""


class Guarded(NamedTuple):
    """What one guard says of every plan."""

    guard: str
    check: Words
    verdicts: tuple[str, ...]


def compare(
    plans: Sequence[CompiledPlan], scenario: Scenario, replications: int = 1, seed: int = 7, progress: Progress | None = None
) -> tuple[Study, ...]:
    """A study of each plan; replication k of all of them lives in the same world."""
    return tuple(study(plan, scenario, replications, seed, progress) for plan in plans)


def who_gets(studies: Sequence[Study]) -> list[Row]:
    """Yuan of each 100 yuan of orders, by role: payers first, then the greatest of the first plan."""
    nets = [shares_bp(one.middle) for one in studies]
    roles = sorted(
        {role for net in nets for role in net}, key=lambda role: (list(ROLES).index(role) if role in ROLES else 99, role)
    )
    rows = []
    for role in roles:
        found = [net.get(role, 0) for net in nets]
        if any(found):
            change = _signed(found[1] - found[0]) if len(studies) == PAIR else ""
            rows.append(Row(role_label(role), tuple(_same(_yuan(bp)) for bp in found), change))
    return rows


def truths(studies: Sequence[Study]) -> list[Row]:
    """The table of truths, the median of each plan."""
    return [Row(truth.name, tuple(_shown(one, truth) for one in studies)) for truth in TRUTHS]


def guarded(studies: Sequence[Study]) -> list[Guarded]:
    """The worst finding of each guard, for every plan."""
    return [
        Guarded(
            guard.id,
            Words(guard.check.zh, guard.check.en),
            tuple(verdict(found for found in one.findings if found.guard == guard.id) for one in studies),
        )
        for guard in guards().guards
    ]


def change(first: Study, second: Study) -> Words:
    """What changes for whom from the first plan to the second, of each 100 yuan of orders, in one sentence."""
    before, after = shares_bp(first.middle), shares_bp(second.middle)

    def more(*roles: str) -> int:
        return sum(after.get(role, 0) - before.get(role, 0) for role in roles)

    parts = [
        (Words("消费者现金", "consumers in cash"), more("consumers")),
        (Words("消费者用券", "consumers in vouchers used"), more("vouchers")),
        (Words("平台", "the platform"), more("platform")),
        (Words("拉人和代理者", "agents and those who bring others"), more(*BRINGERS)),
        (Words("留在池里", "what stays in the pot"), more(*HELD)),
        (Words("商家", "merchants"), more("merchants")),
    ]
    strong = Markup("<b>{}</b>")
    zh = Markup("、").join(Markup("{} {}").format(name.zh, strong.format(_signed(bp))) for name, bp in parts if bp)
    en = Markup(", ").join(Markup("{} {}").format(name.en, strong.format(_signed(bp))) for name, bp in parts if bp)
    laws = VERDICTS[first.verdict], VERDICTS[second.verdict]
    names = first.compiled.plan.name, second.compiled.plan.name
    law = Words(f"由{laws[0].zh}变为{laws[1].zh}", f"goes from {laws[0].en} to {laws[1].en}")
    if laws[0] == laws[1]:
        law = Words(f"仍是{laws[0].zh}", f"stays {laws[0].en}")
    return Words(
        Markup("从 {} 到 {},每 100 元订单:{} 元;法律的结论{}。").format(*names, zh or "不变,0", law.zh),
        Markup("From {} to {}, of each 100 yuan of orders: {} yuan; the law's verdict {}.").format(
            *names, en or "nothing changes, 0", law.en
        ),
    )


def facts(studies: Sequence[Study]) -> dict[str, object]:
    """All of it for programs: integers, medians with least and most."""
    return {
        "scenario": studies[0].scenario.name,
        "scenario_hash": studies[0].middle.scenario_hash,
        "seed": studies[0].middle.seed,
        "replications": len(studies[0].results),
        "plans": [facts_of(one) for one in studies],
    }


def facts_of(one: Study) -> dict[str, object]:
    """One plan's."""
    return {
        "plan": one.compiled.plan.name,
        "version": one.compiled.version,
        "verdict": one.verdict,
        "lines": {line.key: {"zh": line.plain.zh, "en": line.plain.en} for line in first_lines(one)},
        "truths": {truth.key: one.spread(truth.of)._asdict() for truth in TRUTHS},
        "turnover_micro": turnover_micro(one.middle),
        "balance_micro": shares(one.middle),
        "guards": {
            found.guard: found.verdict for found in sorted(one.findings, key=lambda found: FROM_MILD.index(found.verdict))
        },
        "runs": [
            {"run": result.run, "replication": result.replication, "state_hash": result.state_hash} for result in one.results
        ],
    }


def page(studies: Sequence[Study], *, date: str, command: str) -> str:
    """The comparison as one offline HTML file, in the design of the prospectus."""
    return rendered(
        "compare.html",
        studies=studies,
        first=[(COLOURS[at & 3], one, first_lines(one)) for at, one in enumerate(studies)],
        change=change(*studies) if len(studies) == PAIR else None,
        gets=who_gets(studies),
        truths=truths(studies),
        guarded=guarded(studies),
        bars=_figure(studies),
        scenario=studies[0].scenario,
        date=date,
        command=command,
    )


# ---------------------------------------------------------------- figures


def _yuan(bp: int) -> str:
    return of_hundred(bp, BP_PER_ONE)


def _signed(bp: int) -> str:
    shown = _yuan(bp)
    return shown if shown.startswith(MINUS) or not bp else f"+{shown}"


def _same(shown: str) -> Words:
    return Words(shown, shown)


def _shown(one: Study, truth: Truth) -> Words:
    median = one.spread(truth.of).median
    return NONE if median is None else truth.show(median)


# ---------------------------------------------------------------- the chart


def _figure(studies: Sequence[Study]) -> Figure:
    """Who pays and who gets, a bar for each plan."""
    title = Words("谁付出,谁得到", "Who pays and who gets")
    measure = Words(
        "每 100 元订单中的元数,向左是付出,向右是得到或留存",
        "Yuan of each 100 yuan of orders; to the left paid, to the right got or kept",
    )
    return figure(title, measure, partial(_bars, studies, title))


def _bars(studies: Sequence[Study], words: Words, width: int) -> Markup:
    """Bars from a common zero."""
    nets = [shares_bp(one.middle) for one in studies]
    roles = [role for role in ROLES if any(net.get(role, 0) for net in nets)]
    roles += sorted({role for net in nets for role in net if role not in ROLES and net[role]})
    low, high = (edge(0, *(net.get(role, 0) for net in nets for role in roles)) for edge in (min, max))
    left, room = (0 if width == NARROW else 190 * PX), 52 * PX
    reach = width - left - 2 * room

    def x(bp: int) -> int:
        return left + room + mul_div(bp - low, reach, max(high - low, 1))

    thick, head = 15 * PX, (22 if width == NARROW else 6) * PX
    block = head + len(studies) * (thick + 3 * PX) + 10 * PX
    parts = []
    for number, role in enumerate(roles):
        y = number * block + head
        name_y = y - 7 * PX if width == NARROW else y + 12 * PX
        parts.append(text(role_label(role), (0, name_y), "start", "strong halo"))
        for at, net in enumerate(nets):
            bp, top = net.get(role, 0), y + at * (thick + 3 * PX)
            parts.append(box(f"fill-{COLOURS[at & 3]}", (min(x(0), x(bp)), top), max(abs(x(bp) - x(0)), PX), thick))
            place, anchor = (x(bp) - 5 * PX, "end") if bp < 0 else (x(bp) + 5 * PX, "start")
            parts.append(text(_yuan(bp), (place, top + 12 * PX), anchor))
    height = len(roles) * block
    parts.append(stroke("axis", (x(0), 0), (x(0), height)))
    return drawing(width, height, words, parts)
