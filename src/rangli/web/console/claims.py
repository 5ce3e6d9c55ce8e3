"""Claims of the sources: what they say, the tests that the lab puts them to, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from typing import Final

import msgspec

from rangli.errors import NotFound
from rangli.service.clock import rfc3339
from rangli.service.work import lab
from rangli.service.work.jobs import DONE, JobView
from rangli.web.console.call import Call, Shown
from rangli.web.console.door import Door
from rangli.web.console.listing import Column, Filter, Listing, Row, Sort, Want, by_words
from rangli.web.console.pictures import CLAIMS, TABS
from rangli.web.console.shelf import By, shelved
from rangli.web.console.words import Link, State

TONES: Final = {"holds": "good", "only-if": "wait", "fails": "bad", "no-figure": "plain"}
BAD_FIRST: Final = ("fails", "only-if", "holds")
"""Verdicts; without a figure, and without a test, nothing is wrong yet and nothing right."""
SORTS: Final[By[lab.Tested]] = {
    **dict.fromkeys(by_words("place", "原文次序", "place in the sources"), lambda one: f"{one.source}:{one.line:09}"),
    Sort("verdict", "不成立的在前", "Those that fail first", "verdict"): lambda one: [*BAD_FIRST, one.verdict].index(one.verdict),
}


def _tested(call: Call) -> tuple[JobView | None, lab.Tests | None]:
    """The last time that all claims were tested, and what came of it."""
    last = next((view for view in call.service.jobs.list(CLAIMS) if view.state == DONE), None)
    if last is None:
        return None, None
    try:
        return last, msgspec.convert(call.service.jobs.get(last.id).result, lab.Tests)
    except msgspec.ValidationError:  # kept by another version in another shape
        return None, None


def claims(call: Call) -> Shown:
    """What the sources claim, and what came of it."""
    last, tests = _tested(call)
    running = next((view for view in call.service.jobs.list(CLAIMS) if not view.is_over), None)
    untested = lab.untested() if tests is None else tests.claims
    listing = Listing(
        name="claims",
        zh="说法",
        en="Claims",
        columns=(
            Column("says", "说法", "It says", "link"),
            Column("verdict", "结论", "Verdict", "state"),
            Column("figure", "数字", "Figure"),
            Column("quote", "原话", "Quote"),
            Column("place", "出处", "Where", "code"),
        ),
        filters=(
            Filter("q", "词语", "Words"),
            Filter("verdict", "结论", "Verdict", "choice", tuple((code, *words) for code, words in lab.VERDICTS.items())),
            Filter("source", "来源", "Source", "choice", tuple((name, zh, en) for name, (zh, en) in lab.SOURCES.items())),
        ),
        sorts=tuple(SORTS),
        fetch=lambda want: shelved(_wanted(untested, want), want, SORTS, lambda one: one.claim, partial(_row, call)),
    )
    counts = [
        (State(code, *words, TONES[code]), sum(one.verdict == code for one in tests.claims))
        for code, words in lab.VERDICTS.items()
    ] if tests is not None else []  # fmt: skip
    return call.listing(
        listing, "lab/claims.html", tabs=TABS, last=last, tests=tests, running=running, counts=counts, now=version("rangli"),
        ended=rfc3339(last.ended_at) if last else "",
    )  # fmt: skip


def _wanted(those: Sequence[lab.Tested], want: Want) -> list[lab.Tested]:
    """Those of some words, verdict and source."""
    words = want.filters.get("q", "").lower()
    return [
        one
        for one in those
        if want.filters.get("verdict", one.verdict) == one.verdict
        and want.filters.get("source", one.source) == one.source
        and words in f"{one.claim} {one.quote} {one.says.zh} {one.says.en} {one.found.zh} {one.found.en}".lower()
    ]


def _row(call: Call, one: lab.Tested) -> Row:
    """A claim in the list."""
    return {
        "says": Link(call.t(one.says.zh, one.says.en), f"/lab/claims/{one.claim}"),
        "verdict": _claim_state(one),
        "figure": call.t(one.figure.zh, one.figure.en) if one.figure else "",
        "quote": one.quote,
        "place": f"{one.source}:{one.line}",
    }


def _claim_state(one: lab.Tested) -> State | str:
    return State(one.verdict, one.verdict_words.zh, one.verdict_words.en, TONES[one.verdict]) if one.verdict else ""


def claim(call: Call) -> Shown:
    """One claim with all that was found. Raises NotFound for a name that none has."""
    last, tests = _tested(call)
    those = lab.untested() if tests is None else tests.claims
    found = next((one for one in those if one.claim == call.param("claim")), None)
    if found is None:
        raise NotFound("没有这条说法;「说法」页列出全部", "there is no such claim; the page of claims lists all")
    return call.show(
        "lab/claim.html", tabs=TABS, one=found, state=_claim_state(found), tested=rfc3339(last.ended_at) if last else "",
        source=lab.SOURCES[found.source],
    )  # fmt: skip


def test_all(call: Call) -> Shown:
    """Put all claims to the test again."""
    number = call.service.jobs.start(
        CLAIMS, lab.claims, {}, programme="", by=call.member.name, subject=call.t("全部说法", "All claims"),
        supersedes=CLAIMS, keep=True,
    )  # fmt: skip
    call.note(f"{CLAIMS}.started", number)
    return call.go(f"/lab/runs/{number}")


DOORS: Final[tuple[Door, ...]] = (
    Door("GET", "/lab/claims", "read", claims, "说法", "Claims"),
    Door("GET", "/lab/claims/{claim}", "read", claim, "一条说法", "A claim"),
    Door("POST", "/lab/claims", "plans", test_all, "检验全部说法", "Test all claims"),
)
