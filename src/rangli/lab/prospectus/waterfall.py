"""One order of 100 yuan, from what the consumer pays to what each party gets, as steps that come down to nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from markupsafe import Markup

from rangli.lab.prospectus.figures import yuan
from rangli.lab.prospectus.svg import NARROW, PX, box, drawing, stroke, text
from rangli.money import BP_PER_ONE, MICRO_PER_FEN, mul_div
from rangli.plan import CompiledPlan, Explanation, explain
from rangli.plan.parts import Words
from rangli.plan.vocabulary import party_words

PAID_FEN: Final = 10_000
USUAL_BP: Final = 2_000
"""The concession that the sources reckon with."""
ROW: Final = 30 * PX
THICK: Final = 18 * PX
COLOURS: Final = {"platform": "orange", "consumer": "blue", "packets": "teal", "pool": "teal", "dividend": "teal"}


class Step(NamedTuple):
    """A bar: who, how much, where it begins, and its colour."""

    words: Words
    micro: int
    start_micro: int
    kind: str


def example(compiled: CompiledPlan) -> Explanation:
    """The order: 100 yuan, and of the plan's concessions the one nearest to 20 %, all parties there."""
    concession = compiled.plan.concession
    return explain(compiled, PAID_FEN, min(max(USUAL_BP, concession.bp_min), concession.bp_max))


def steps_of(one: Explanation) -> list[Step]:
    """The concession, and below it each party's part of it, the greatest first and the platform last."""
    taken: dict[str, int] = {}
    for line in one.lines:
        taken[line.party] = taken.get(line.party, 0) + line.amount_micro
    parties = sorted((party for party in taken if taken[party]), key=lambda party: (party == "platform", -taken[party]))
    steps = [Step(Words("商家让利", "conceded"), one.concession_micro, 0, "ink")]
    left = one.concession_micro
    for party in parties:
        left -= taken[party]
        zh, en = party_words(party)
        steps.append(Step(Words(zh, en.removeprefix("the ")), taken[party], left, COLOURS.get(party, "purple")))
    return steps


def waterfall(steps: Sequence[Step], words: Words, width: int) -> Markup:
    """The drawing: names on the left, amounts behind the bars."""
    left, end = (112 if width == NARROW else 132) * PX, (56 if width == NARROW else 64) * PX
    whole = max(steps[0].micro, 1)

    def x(micro: int) -> int:
        return left + mul_div(micro, width - left - end, whole)

    parts: list[Markup] = []
    for at, step in enumerate(steps):
        y = at * ROW + 4 * PX
        thick = max(x(step.start_micro + step.micro) - x(step.start_micro), PX)
        if at:
            parts.append(
                stroke("grid", (x(step.start_micro + step.micro), y - ROW + THICK), (x(step.start_micro + step.micro), y))
            )
        parts.append(box(f"fill-{step.kind}", (x(step.start_micro), y), thick, THICK))
        parts.append(text(step.words, (left - 10 * PX, y + 13 * PX), "end", "strong" if not at else ""))
        place = x(step.start_micro + step.micro) + 7 * PX, y + 13 * PX
        parts.append(text(yuan(step.micro), place, "start", "strong"))
    return drawing(width, len(steps) * ROW + 2 * PX, words, parts)


def kept_micro(one: Explanation) -> int:
    """What the merchant keeps of the order."""
    assert one.concession_micro == mul_div(one.paid_fen * MICRO_PER_FEN, one.concession_bp, BP_PER_ONE)
    return one.paid_fen * MICRO_PER_FEN - one.concession_micro
