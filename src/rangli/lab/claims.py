"""Claims: what the sources say of the models, in their own words, and what comes of it.

``claims.yaml`` has for each claim its quote and its place, what it says in one plain sentence, the proof that tests it, and the
bounds within which it holds. No verdict is written there: a claim *holds* when the proof's figure lies within its bounds, *holds
only if* when it does not and the figure of its condition does, and *fails* otherwise. A few have no figure, and say why.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from fractions import Fraction
from functools import cache
from importlib import resources
from typing import Final, Literal

import msgspec
import yaml

from rangli.errors import InputRefused
from rangli.lab.proofs import AnyProof, Proof, exact
from rangli.money import print_ratio
from rangli.plan.document import nearest
from rangli.plan.law import Words

Said = Literal["holds", "only-if", "fails", "no-figure"]

SAID_WORDS: Final[dict[Said, tuple[str, str]]] = {
    "holds": ("成立", "holds"),
    "only-if": ("有条件才成立", "holds only if"),
    "fails": ("不成立", "fails"),
    "no-figure": ("没有数字", "no figure"),
}
SOURCES: Final = ("000", "001")
LAW_WORDS: Final = (("通过", "ok"), ("须签字", "sign-off"), ("拒绝", "refuse"))
UNIT_WORDS: Final = {
    "percent": ("", ""),
    "number": ("", ""),
    "yuan": (" 元", " yuan"),
    "times": (" 倍", " times"),
    "orders": (" 笔", " orders"),
    "packets": (" 个", " packets"),
    "points": (" 个积分", " points"),
    "periods": (" 期", " periods"),
    "days": (" 天", " days"),
    "amounts": (" 个金额", " amounts"),
    "names": (" 个", " names"),
    "people": (" 人", " people"),
}


class Bounds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Both ends belong to it; None for no end."""

    least: str | int | None = None
    most: str | int | None = None

    def hold(self, figure: Fraction) -> bool:
        """Whether a figure lies within."""
        return (self.least is None or exact(self.least) <= figure) and (self.most is None or figure <= exact(self.most))

    def text(self) -> str:
        """As ``5–10``, ``≥ 5`` or ``= 5``."""
        if self.least == self.most:
            return f"= {self.least}"
        if self.least is None or self.most is None:
            return f"≤ {self.most}" if self.least is None else f"≥ {self.least}"
        return f"{self.least} … {self.most}"


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a quote stands."""

    line: int
    quote: str


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Under which a claim holds all the same."""

    proof: AnyProof
    within: Bounds
    words: Words
    """What has to be, with ``{condition}`` where the figure stands; begins in the middle of a sentence."""


class Claim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One claim."""

    claim: str
    """Its short name."""
    source: str
    line: int
    quote: str
    says: Words
    found: Words
    """What was found, whatever the verdict, with ``{figure}`` and the names of ``beside`` where figures stand."""
    proof: AnyProof | None = None
    within: Bounds | None = None
    only_if: Condition | None = None
    beside: dict[str, AnyProof] = {}
    """Further figures of the words."""
    also: tuple[Place, ...] = ()
    """Where the same source says it again."""


class Chapter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a source."""

    source: str
    line: int
    """Its first."""
    title: Words


class Claims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All claims, in the order of the sources, and the chapters that they stand in."""

    chapters: tuple[Chapter, ...]
    claims: tuple[Claim, ...]

    def chapter_of(self, claim: Claim) -> Chapter:
        """The chapter of a claim: the last that begins at its line or before."""
        return [one for one in self.chapters if one.source == claim.source and one.line <= claim.line][-1]


class Verdict(msgspec.Struct, frozen=True):
    """What was found of a claim."""

    claim: str
    verdict: Said
    figure: Fraction | None
    shown: Words | None
    """The figure that decides, with its unit; of a claim that holds only if, that of the condition."""
    zh: str
    en: str


# ---------------------------------------------------------------- judging


@cache
def claims() -> Claims:
    """The claims that ship with the product."""
    text = resources.files("rangli.lab").joinpath("claims.yaml").read_text(encoding="utf-8")
    return msgspec.convert(yaml.safe_load(text), Claims)


def check_claims(names: Collection[str] | None = None, progress: Callable[[int], None] | None = None) -> list[Verdict]:
    """The verdict of each of these claims, or of all, in the order of the sources; ``progress`` is told of each that is done.

    Raises InputRefused for a name that no claim has.
    """
    known = [one.claim for one in claims().claims]
    unknown = next((name for name in names or () if name not in known), None)
    if unknown is not None:
        zh, en = nearest(unknown, known)
        raise InputRefused(
            f"没有名为 {unknown!r} 的说法{zh};用 rangli claims 列出全部",
            f"there is no claim {unknown!r}{en}; rangli claims lists all",
        )
    verdicts = []
    for one in claims().claims:
        if not names or one.claim in names:
            verdicts.append(judge_claim(one))
            if progress is not None:
                progress(1)
    return verdicts


def judge_claim(claim: Claim) -> Verdict:
    """The verdict of one claim."""
    beside = {name: (proof, proof.figure()) for name, proof in claim.beside.items()}
    if claim.proof is None or claim.within is None:
        return Verdict(claim.claim, "no-figure", None, None, *_told(claim.found, beside))
    figure = claim.proof.figure()
    beside["figure"] = claim.proof, figure
    zh, en = _told(claim.found, beside)
    if claim.within.hold(figure):
        return Verdict(claim.claim, "holds", figure, shown(claim.proof, figure), zh, en)
    if claim.only_if is not None:
        proof, condition = claim.only_if.proof, claim.only_if.proof.figure()
        if claim.only_if.within.hold(condition):
            if_zh, if_en = _told(claim.only_if.words, {**beside, "condition": (proof, condition)})
            both = f"{zh}只有{if_zh},才成立。", f"{en} It holds only if {if_en}."
            return Verdict(claim.claim, "only-if", figure, shown(proof, condition), *both)
    return Verdict(claim.claim, "fails", figure, shown(claim.proof, figure), zh, en)


def counts(verdicts: Sequence[Verdict]) -> dict[Said, int]:
    """How many there are of each verdict."""
    return {said: sum(one.verdict == said for one in verdicts) for said in SAID_WORDS}


# ---------------------------------------------------------------- words


def _told(words: Words, figures: Mapping[str, tuple[Proof, Fraction]]) -> tuple[str, str]:
    """The words with their figures."""
    texts = {name: shown(proof, figure) for name, (proof, figure) in figures.items()}
    return (
        words.zh.format_map({name: text.zh for name, text in texts.items()}),
        words.en.format_map({name: text.en for name, text in texts.items()}),
    )


def shown(proof: Proof, figure: Fraction) -> Words:
    """A figure with its unit, to the nearest of its last decimal, halves away from zero."""
    if proof.unit == "verdict":
        return Words(*LAW_WORDS[int(figure)])
    scaled = abs(figure * 100 if proof.unit == "percent" else figure)
    unit = 2 * 10**proof.places
    text = print_ratio(scaled.numerator * unit + scaled.denominator, scaled.denominator * unit, proof.places)
    whole, dot, decimals = text.partition(".")
    sign = "-" if figure < 0 and text.strip("0.") else ""
    number = f"{sign}{int(whole):,}{dot}{decimals}{'%' if proof.unit == 'percent' else ''}"
    zh, en = UNIT_WORDS[proof.unit]
    return Words(number + zh, number + (en.removesuffix("s") if number == "1" else en))


def proof_text(proof: Proof) -> str:
    """A proof in one line, as its parameters stand in the data."""
    parts = msgspec.to_builtins(proof)
    kind, _, _ = parts.pop("by"), parts.pop("unit"), parts.pop("places", None)
    return " ".join([kind, *(f"{key}={_plain(value)}" for key, value in parts.items())])


def _plain(value: object) -> str:
    """A parameter as text."""
    if isinstance(value, dict):
        return ",".join(f"{key}={_plain(inner)}" for key, inner in value.items())
    if isinstance(value, (list, tuple)):
        nested = any(isinstance(inner, (list, tuple)) for inner in value)
        inside = [
            ("×" if nested else ",").join(map(str, inner)) if isinstance(inner, (list, tuple)) else str(inner) for inner in value
        ]
        return ("+" if nested else ",").join(inside)
    return str(value)


# ---------------------------------------------------------------- the page

HEAD: Final = """# What the sources claim, and what comes of it · 来源怎么说,实情怎么样

Every claim of the two sources that has a figure, or that a figure can be found for, with its own words, the test it was put
to, and what came out. `make golden` writes this page by making all the tests again, and a test compares it byte for byte;
`rangli claims` prints the same. A claim **holds** when the figure lies within its bounds, **holds only if** when only the
condition's does, and **fails** otherwise; nobody writes a verdict down. 000 is the article on 微团宝 and 某店, 001 the one on
消费增值; the number after the colon is the line.

两份来源里凡有数字、或能算出数字的说法,逐条列出原话、检验和结果。本页由 `make golden` 重新计算写成,测试逐字节核对;`rangli claims`
打印同样的内容。数字在界内,**成立**;只有条件的数字在界内,**有条件才成立**;都不在,**不成立**。结论没有人写,都是算出来的。
000 是讲微团宝和某店的文章,001 是讲消费增值的,冒号后是原文行号。
"""


def claims_markdown(verdicts: Sequence[Verdict]) -> str:
    """The page docs/claims.md."""
    by_name = {one.claim: one for one in verdicts}
    lines = [HEAD, "| 结论 · verdict | 000 | 001 | |", "|---|---:|---:|---:|"]
    for said, (zh, en) in SAID_WORDS.items():
        found = [sum(by_name[one.claim].verdict == said for one in claims().claims if one.source == name) for name in SOURCES]
        lines.append(f"| {zh} · {en} | {' | '.join(map(str, found))} | {sum(found)} |")
    chapter = None
    for one in claims().claims:
        if claims().chapter_of(one) != chapter:
            chapter = claims().chapter_of(one)
            lines += ["", f"## {chapter.title.zh} · {chapter.title.en}", ""]
            lines += ["| | 原话与意思 · quote and meaning | 结论 · verdict | 实情 · what was found |", "|---|---|---|---|"]
        lines.append(_row(one, by_name[one.claim]))
    return "\n".join(lines) + "\n"


def _row(claim: Claim, verdict: Verdict) -> str:
    """A row of the page."""
    places = [(claim.line, claim.quote), *((place.line, place.quote) for place in claim.also)]
    quotes = "<br>".join(f"“{_escaped(quote)}”" + (f" ({line})" if number else "") for number, (line, quote) in enumerate(places))
    zh, en = SAID_WORDS[verdict.verdict]
    said = [f"**{zh}**", en]
    if verdict.shown is not None:
        said.append(verdict.shown.zh if verdict.shown.zh == verdict.shown.en else f"{verdict.shown.zh} · {verdict.shown.en}")
    found = [verdict.zh, verdict.en, *(f"`{line}`" for line in proofs_text(claim))]
    cells = (
        f"`{claim.claim}`<br>{claim.source}:{claim.line}",
        f"{quotes}<br>{claim.says.zh}<br>{claim.says.en}",
        "<br>".join(said),
        "<br>".join(_escaped(text) if not text.startswith("`") else text for text in found),
    )
    return f"| {' | '.join(cells)} |"


def proofs_text(claim: Claim) -> list[str]:
    """The tests of a claim and of its condition, each in a line with its bounds."""
    if claim.proof is None or claim.within is None:
        return []
    lines = [f"{proof_text(claim.proof)} → {claim.within.text()}"]
    if claim.only_if is not None:
        lines.append(f"if: {proof_text(claim.only_if.proof)} → {claim.only_if.within.text()}")
    return lines


def _escaped(text: str) -> str:
    """A text in which Markdown sees no marks of its own."""
    return "".join(f"\\{letter}" if letter in "\\*$|_~" else letter for letter in text)
