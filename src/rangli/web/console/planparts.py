"""What pages show of a plan: the waterfall of an example order, the guards, the truths, the document, and how two differ."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import Any, Final, NamedTuple

from rangli.errors import InputRefused, JobsBusy
from rangli.lab.prospectus.figures import percent
from rangli.lab.prospectus.waterfall import kept_micro
from rangli.money import mul_div, parse_percent, parse_yuan, print_micro, print_percent
from rangli.plan import CompiledPlan, Finding, explain, judge, verdict
from rangli.plan.differences import Difference, differences
from rangli.plan.law import Guard, guards
from rangli.plan.shares import flat
from rangli.plan.vocabulary import HOLDERS, party_words
from rangli.service.work.jobs import JobView
from rangli.service.work.truths import truths
from rangli.web.console.call import Call
from rangli.web.console.states import LAWFUL
from rangli.web.console.words import State

USUAL_BP: Final = 2_000
"""The concession that the sources reckon with."""
WIDTH: Final = 1_000
"""Of a bar's drawing, in its own units."""
TRUTHS: Final = "truths"
"""The kind of the lab's jobs for a plan's page."""
AROUND: Final = 3
"""Lines that are the same, shown on each side of those that are not."""
MEANING: Final = {
    "ok": ("真实通道可以启用。", "A real channel may run it."),
    "sign-off": (
        "须两人签字,各附理由和法律意见,真实通道才可启用。",
        "A real channel runs it after two people have signed, each with a reason and a legal opinion.",
    ),
    "refuse": (
        "真实通道不得启用,谁也不能放行;沙箱和模拟可以。",
        "No real channel runs it, whoever asks; the sandbox and the lab do.",
    ),
}
_COLOURS: Final = {"platform": "bar2", "consumer": "bar1", "packets": "bar3", "pool": "bar3", "dividend": "bar3"}


# ---------------------------------------------------------------- an example order


class Bar(NamedTuple):
    """What one share of the order came to."""

    zh: str
    en: str
    yuan: str
    percent: str
    """Of the concession."""
    start: int
    width: int
    colour: str
    account: str


class Present(NamedTuple):
    """A party that the order may have."""

    code: str
    zh: str
    en: str
    there: bool


class Example(NamedTuple):
    """An order under a plan, as a waterfall; or what is wrong with what was asked."""

    amount: str
    concession: str
    span: str
    """Of the plan's concessions."""
    parties: tuple[Present, ...]
    bars: tuple[Bar, ...] = ()
    whole: str = ""
    """The concession in yuan, which the bars come to."""
    kept: str = ""
    told: tuple[tuple[str, str], ...] = ()
    """What follows, a paragraph each."""
    refused: InputRefused | None = None


def example(compiled: CompiledPlan, asked: dict[str, str]) -> Example:
    """The waterfall of the order that is asked for: ``amount``, ``concession`` and the parties that are there (``with.NAME``)."""
    plan = compiled.plan
    low, high = plan.concession.bp_min, plan.concession.bp_max
    usual = print_percent(min(max(USUAL_BP, low), high)).removesuffix("%")
    amount, concession = asked.get("amount", "").strip() or "100", asked.get("concession", "").strip().removesuffix("%") or usual
    paid = {share.to for share in flat(plan)} | {bonus.to for bonus in plan.bonus} | {points.to for points in plan.points}
    optional = [party for party in HOLDERS if party in paid and party not in {"consumer", "merchant"}]
    chosen = [party for party in optional if f"with.{party}" in asked] if "asked" in asked else optional
    parties = tuple(Present(party, *party_words(party), party in chosen) for party in optional)
    shown = Example(amount, concession, f"{print_percent(low)}–{print_percent(high)}", parties)
    try:
        told = explain(compiled, parse_yuan(amount), parse_percent(f"{concession}%"), chosen)
    except InputRefused as refusal:
        return shown._replace(refused=refusal)
    left, bars = told.concession_micro, []
    whole = max(told.concession_micro, 1)
    for line in told.lines:
        left -= line.amount_micro
        start, end = mul_div(left, WIDTH, whole), mul_div(left + line.amount_micro, WIDTH, whole)
        share = percent(line.amount_micro, told.concession_micro)
        colour = _COLOURS.get(line.party, "bar4")
        bars.append(Bar(line.zh, line.en, print_micro(line.amount_micro), share, start, end - start, colour, line.destination))
    assert left == 0, "the lines of an explanation come to its concession"
    return shown._replace(
        bars=tuple(bars),
        whole=print_micro(told.concession_micro),
        kept=print_micro(kept_micro(told)),
        told=tuple(zip(told.zh[1:], told.en[1:], strict=True)),
    )


# ---------------------------------------------------------------- the law


class Judged(NamedTuple):
    """What the guards say."""

    state: State
    meaning: tuple[str, str]
    findings: tuple[tuple[Finding, State, Guard], ...]
    """Those that trip first."""
    passed: int


def judged(compiled: CompiledPlan) -> Judged:
    """Every finding with its guard, and the plan's verdict."""
    found = judge(compiled)
    said = verdict(found)
    ranked = sorted(found, key=lambda one: ("refuse", "sign-off", "ok").index(one.verdict))
    law = guards()
    findings = tuple((one, LAWFUL[one.verdict], law.guard(one.guard)) for one in ranked)
    return Judged(LAWFUL[said], MEANING[said], findings, sum(one.verdict == "ok" for one in found))


# ---------------------------------------------------------------- the truths


def truths_of(call: Call, compiled: CompiledPlan) -> JobView | None:
    """The lab's job for a plan: one that is done, or one of the member's that goes on."""
    for view in call.service.jobs.list(TRUTHS, call.programme):
        if view.subject == compiled.version and (view.state == "done" or (not view.is_over and view.by == call.member.name)):
            return call.service.jobs.get(view.id)
    return None


def ask_lab(call: Call, compiled: CompiledPlan, document: str, place: str) -> JobView | None:
    """The same, begun if there is none; what the member asked from this place before is cancelled. None when too much waits."""
    found = truths_of(call, compiled)
    if found is not None:
        return found
    try:
        number = call.service.jobs.start(
            TRUTHS, truths, {"document": document}, programme=call.programme, by=call.member.name, subject=compiled.version,
            supersedes=f"{TRUTHS} {call.member.name} {call.programme} {place}",
        )  # fmt: skip
    except JobsBusy:
        return None
    return call.service.jobs.get(number)


# ---------------------------------------------------------------- documents


class DiffLine(NamedTuple):
    """A line of a comparison: its number before and after, 0 where it is not."""

    old: int
    new: int
    mark: str
    """``+``, ``-``, nothing, or ``…`` for lines that are left out."""
    text: str


class Compared(NamedTuple):
    """How one document differs from another."""

    words: tuple[Difference, ...]
    lines: tuple[DiffLine, ...]
    added: int
    removed: int


def compared(before: str, after: str) -> Compared:
    """In words, and line by line with a few lines around."""
    old, new = before.splitlines(), after.splitlines()
    lines: list[DiffLine] = []
    for group in SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(AROUND):
        if lines or group[0][1]:
            lines.append(DiffLine(0, 0, "…", ""))
        for what, a, b, c, d in group:
            if what == "equal":
                lines += [DiffLine(a + i + 1, c + i + 1, "", old[a + i]) for i in range(b - a)]
            else:
                lines += [DiffLine(i + 1, 0, "-", old[i]) for i in range(a, b)]
                lines += [DiffLine(0, i + 1, "+", new[i]) for i in range(c, d)]
    marks = [line.mark for line in lines]
    return Compared(tuple(differences(before, after)), tuple(lines), marks.count("+"), marks.count("-"))


def numbered(document: str) -> list[tuple[int, str, str]]:
    """The lines of a document: number, what is said, and the comment behind it."""
    found = []
    for number, line in enumerate(document.splitlines(), 1):
        match = re.search(r"(^|\s)#.*$", line)
        at = match.start() if match and '"' not in line[: match.start()] else len(line)
        found.append((number, line[:at], line[at:]))
    return found


def shown_parts(call: Call, compiled: CompiledPlan, asked: dict[str, str]) -> dict[str, Any]:
    """Waterfall, guards and truths of a plan, for a template."""
    return {
        "compiled": compiled,
        "example": example(compiled, asked),
        "judged": judged(compiled),
        "job": truths_of(call, compiled),
    }
