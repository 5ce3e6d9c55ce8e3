"""The law as dated data: rules, sources, thresholds and words, read once from ``guards.yaml``.

Limits change, so none of them stands in code. The thresholds are whole numbers with their unit, and each says on which side of
itself it trips. This is engineering input and no legal advice.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from importlib import resources
from typing import Final, Literal

import msgspec
import yaml

from rangli.money import BP_PER_ONE, MICRO_PER_FEN, mul_div, print_micro, print_ratio
from rangli.plan.shares import print_rate

Verdict = Literal["ok", "sign-off", "refuse"]
VERDICTS: Final[tuple[Verdict, ...]] = ("ok", "sign-off", "refuse")
"""From mild to severe."""

_UNITS: Final = {"people": ("人", " people"), "levels": ("级", ""), "days": ("天", "")}
Unit = Literal["bp", "ratio", "people", "levels", "days", "cases", "fen", "micro"]


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One text in both languages."""

    zh: str
    en: str


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a rule is written."""

    name: Words
    url: str
    date: str | None
    """Of the rule, as exactly as it is known: 2005, 2022-02, 2018-04-12; None: not found, and ``gap`` says so."""
    kind: Literal["law", "official", "community", "news"]
    """A legal text read on a mirror, a payment company's own document, developers' community, or news."""
    gap: Words | None = None
    """What is not found or only remembered."""


class Threshold(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From where on a figure needs a sign-off or is refused; None for never."""

    unit: Unit
    trips: Literal["above", "from", "below"]
    """The edge itself is still right, is not, is still right."""
    warn: int | None = None
    block: int | None = None

    def verdict(self, figure: int | Fraction, *, may_block: bool = True) -> Verdict:
        """What a figure means; with ``may_block`` false a refusal does not apply here."""
        if may_block and self._trips(figure, self.block):
            return "refuse"
        return "sign-off" if self._trips(figure, self.warn) else "ok"

    def _trips(self, figure: int | Fraction, edge: int | None) -> bool:
        if edge is None:
            return False
        return {"above": figure > edge, "from": figure >= edge, "below": figure < edge}[self.trips]

    def text(self) -> str:
        """Both edges, as ``> 30% / > 100%``: sign-off, then refusal; a dash for none."""
        sign = {"above": ">", "from": "≥", "below": "<"}[self.trips]
        return " / ".join("–" if edge is None else f"{sign} {shown(edge, self.unit)}" for edge in (self.warn, self.block))

    def words(self, *, may_block: bool = True) -> tuple[str, str]:
        """The same in words: Chinese, English."""
        edges = [(self.block, "拒绝", "is refused")] if may_block and self.block is not None else []
        if self.warn is not None and not (edges and self.warn == self.block):
            edges.insert(0, (self.warn, "须签字", "needs a sign-off"))
        (unit_zh, unit_en), told = _UNITS.get(self.unit, ("", "")), []
        how_zh, how_en = {"above": ("超过", "above"), "from": ("达到", "from"), "below": ("低于", "below")}[self.trips]
        for edge, zh, en in edges:
            if edge == 0 and self.trips == "above":
                told.append((f"有就{zh}", f"any {en}"))
            else:
                number = shown(edge, self.unit)
                told.append((f"{how_zh} {number} {unit_zh}{zh}", f"{how_en} {number}{unit_en} {en}"))
        return ",".join(zh for zh, _ in told), ", ".join(en for _, en in told)


class Guard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One question that the law asks of a plan."""

    id: str
    check: Words
    """What is looked at, in a word."""
    rule: Words
    right: Words
    """What would be right."""
    sources: tuple[Source, ...]
    """The first carries the rule and has a date."""
    thresholds: dict[str, Threshold]
    checked: str
    """The day on which sources and thresholds were last looked at."""


class CopyWord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A word that copy may not use."""

    text: str
    verdict: Verdict
    unless: tuple[str, ...] = ()
    """Longer words that merely contain it."""

    def found_in(self, text: str) -> bool:
        """Whether a text uses the word."""
        return any(not self._is_harmless(text, at) for at in _places(text, self.text))

    def _is_harmless(self, text: str, at: int) -> bool:
        """Whether the word at this place is part of a longer one, or its number part of a longer number."""
        if self.text[0].isdigit() and at > 0 and (text[at - 1].isdigit() or text[at - 1] == "."):
            return True
        end = at + len(self.text)
        return any(start <= at and end <= start + len(longer) for longer in self.unless for start in _places(text, longer))


class Guards(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All guards, and the words of the copy scanner."""

    guards: tuple[Guard, ...]
    words: tuple[CopyWord, ...]

    def guard(self, name: str) -> Guard:
        """The guard of this id."""
        return next(guard for guard in self.guards if guard.id == name)


@cache
def guards() -> Guards:
    """The data that ships with the product."""
    text = resources.files("rangli.plan").joinpath("guards.yaml").read_text(encoding="utf-8")
    return msgspec.convert(yaml.safe_load(text), Guards)


def guards_markdown() -> str:
    """The table of docs/law.md: every guard with its rule, thresholds and sources, then the words."""
    lines = [
        "| | 看什么 · what is looked at | 规则 · the rule | 须签字 / 拒绝 · sign-off / refused | 出处 · source |",
        "|---|---|---|---|---|",
    ]
    for guard in guards().guards:
        edges = "<br>".join(f"{name}: {edge.text()}" for name, edge in guard.thresholds.items()) or "见下表 · see the words below"
        sources = "<br>".join(_cited(source) for source in guard.sources)
        told = (f"{words.zh}<br>{words.en}" for words in (guard.check, guard.rule))
        lines.append(f"| {guard.id} | {' | '.join(told)} | {edges} | {sources} |")
    lines += ["", "| 词 · word | | 除非是 · unless part of |", "|---|---|---|"]
    lines += [f"| {word.text} | {word.verdict} | {'、'.join(word.unless)} |" for word in guards().words]
    return "\n".join(lines) + "\n"


def _cited(source: Source) -> str:
    """A source as a link, with its date and what is not found."""
    gap = f" – {source.gap.zh} · {source.gap.en}" if source.gap else ""
    return f"[{source.name.zh} · {source.name.en}]({source.url}), {source.date or '?'}, {source.kind}{gap}"


def shown(figure: int | Fraction, unit: Unit) -> str:
    """A figure of this unit for people, the same in both languages.

    >>> shown(3000, "bp"), shown(250_000, "ratio"), shown(200_000, "fen"), shown(30, "people")
    ('30%', '25.00', '¥2,000.00', '30')
    """
    exact = Fraction(figure)
    if unit == "ratio":
        whole, _, rest = print_ratio(exact.numerator, exact.denominator * BP_PER_ONE, 4).partition(".")
        return f"{whole}.{rest[:2]}{rest[2:].rstrip('0')}"
    if unit == "bp":
        return print_rate(exact)
    if unit in {"fen", "micro"}:
        micro = exact * MICRO_PER_FEN if unit == "fen" else exact
        yuan, _, rest = print_micro(mul_div(micro.numerator, 1, micro.denominator)).partition(".")
        return f"¥{int(yuan):,}.{rest}"
    return str(exact)


def _places(text: str, word: str) -> Iterator[int]:
    """Where a word begins in a text."""
    at = text.find(word)
    while at >= 0:
        yield at
        at = text.find(word, at + 1)
