"""The page: a study as one HTML file that needs nothing else, the same bytes from the same study."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, Final, NamedTuple

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from rangli.lab.prospectus import gallery
from rangli.lab.prospectus.figures import of_hundred, yuan
from rangli.lab.prospectus.method import command_of, parameters
from rangli.lab.prospectus.study import Study, shares, shares_bp
from rangli.lab.prospectus.truths import rows
from rangli.lab.prospectus.type import full_width
from rangli.lab.prospectus.waterfall import example
from rangli.lab.prospectus.words import MEANING, VERDICTS, first_lines, role_label
from rangli.money import BP_PER_ONE
from rangli.plan import Finding
from rangli.plan.law import VERDICTS as FROM_MILD
from rangli.plan.law import Guard, guards
from rangli.plan.parts import Words

SHORT: Final = 12
"""Digits of a hash in a line of text; in full under the method."""


class Told(NamedTuple):
    """A finding with its guard."""

    finding: Finding
    guard: Guard
    verdict: Words


class Net(NamedTuple):
    """What a role paid or got."""

    role: Words
    of_hundred: str
    yuan: str


def page(one: Study, *, date: str, command: str = "") -> str:
    """The prospectus of a study; ``command`` makes it again, by default that of the documents that ship."""
    order = example(one.compiled)
    return rendered(
        "page.html",
        one=one,
        date=date,
        result=one.middle,
        lines=first_lines(one),
        verdict=VERDICTS[one.verdict],
        meaning=MEANING[one.verdict],
        tally=tally(one),
        order=gallery.order_figure(one),
        story=[Words(zh, en) for zh, en in zip(order.zh, order.en, strict=True)],
        charts=gallery.charts(one),
        flows=gallery.flow_figure(one),
        nets=nets(one),
        truths=rows(one),
        told=told(one.findings),
        parameters=parameters(one.scenario),
        document=msgspec.json.format(msgspec.json.encode(one.scenario, order="sorted"), indent=1).decode(),
        command=command or command_of(one, date),
    )


def rendered(template: str, **facts: Any) -> str:  # noqa: ANN401 (whatever a template shows)
    """A template with these facts; texts are escaped."""
    return _environment().get_template(template).render(verdicts=VERDICTS, short=SHORT, **facts)


@cache
def _environment() -> Environment:
    loader = PackageLoader("rangli.lab.prospectus", "templates")
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters |= {"breakable": breakable, "full_width": full_width}
    return made


def breakable(text: str) -> Markup:
    """A path that may be broken behind its dots."""
    return Markup(".<wbr>").join(text.split("."))


def told(findings: Iterable[Finding]) -> list[Told]:
    """The findings, the gravest first, each guard's in order."""
    law = guards()
    ranked = sorted(findings, key=lambda found: -FROM_MILD.index(found.verdict))
    return [Told(found, law.guard(found.guard), VERDICTS[found.verdict]) for found in ranked]


def tally(one: Study) -> list[tuple[str, Words, int]]:
    """How many guards end in each verdict, the gravest first."""
    worst: dict[str, int] = {}
    for found in one.findings:
        worst[found.guard] = max(worst.get(found.guard, 0), FROM_MILD.index(found.verdict))
    counts = [(name, VERDICTS[name], sum(at == FROM_MILD.index(name) for at in worst.values())) for name in reversed(FROM_MILD)]
    return [row for row in counts if row[2]]


def nets(one: Study) -> list[Net]:
    """What each role paid or got, payers first; sums to zero."""
    got, bp = shares(one.middle), shares_bp(one.middle)
    ranked = sorted(got.items(), key=lambda item: (item[1] > 0, -abs(item[1])))
    return [Net(role_label(role), of_hundred(bp[role], BP_PER_ONE), yuan(micro)) for role, micro in ranked if micro]
