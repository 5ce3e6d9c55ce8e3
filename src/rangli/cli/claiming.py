"""The command that checks what the sources claim."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from rangli.cli import face as faces
from rangli.cli.face import Face
from rangli.cli.options import AsJson, Lang

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from rangli.lab.claims import Chapter, Claim, Verdict

MARKS: Final = {"holds": ("✓", "green"), "only-if": ("!", "yellow"), "fails": ("✗", "red"), "no-figure": ("–", "dim")}


def claims(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="说法的名称,可多个,默认全部 · names of claims, all by default")
    ] = None,
    json: AsJson = False,
    lang: Lang = None,
) -> None:
    """来源的说法,逐条检验 · What the sources claim, put to the test.

    两份来源里的每个说法都有原话、出处和一次真正的计算;结论由数字算出:成立,有条件才成立,不成立。指名时给出全部细节。
    全部见 docs/claims.md。

    Every claim of the two sources has its words, its place and a computation; the figure decides: holds, holds only if,
    fails. Those that are named are shown with all that was found. The whole is in docs/claims.md.

    例 Example: rangli claims million-a-month
    """
    from rangli.lab.claims import check_claims, counts
    from rangli.lab.claims import claims as all_claims

    face = Face(lang, json=json)
    asked = [one for one in all_claims().claims if not names or one.claim in names]
    with face.progress("检验", "Testing", len(asked)) as advance:
        verdicts = check_claims(names, advance)
    if json:
        rows = [_facts(one, verdict) for one, verdict in zip(asked, verdicts, strict=True)]
        face.document({"counts": counts(verdicts), "claims": rows})
        return
    if names:
        for one, verdict in zip(asked, verdicts, strict=True):
            _show(face, one, verdict)
    else:
        _show_all(face, asked, verdicts)
    _show_counts(face, verdicts)


def _facts(one: Claim, verdict: Verdict) -> dict[str, object]:
    """A claim and its verdict for programs; figures are exact, as fractions."""
    from rangli.lab.claims import proofs_text

    return {
        "claim": one.claim,
        "source": one.source,
        "line": one.line,
        "quote": one.quote,
        "says": {"zh": one.says.zh, "en": one.says.en},
        "verdict": verdict.verdict,
        "figure": None if verdict.figure is None else str(verdict.figure),
        "shown": None if verdict.shown is None else {"zh": verdict.shown.zh, "en": verdict.shown.en},
        "found": {"zh": verdict.zh, "en": verdict.en},
        "tests": proofs_text(one),
    }


def _verdict(face: Face, verdict: Verdict) -> tuple[str, str]:
    """The verdict's mark and word, and its colour."""
    from rangli.lab.claims import SAID_WORDS

    mark, style = MARKS[verdict.verdict]
    return f"{mark} {face.words(*SAID_WORDS[verdict.verdict])}", style


def _show(face: Face, one: Claim, verdict: Verdict) -> None:
    """One claim with all that was found."""
    from rangli.lab.claims import claims as all_claims
    from rangli.lab.claims import proofs_text

    said, style = _verdict(face, verdict)
    chapter = all_claims().chapter_of(one).title
    face.title(one.claim, one.claim)
    face.show(
        faces.facts(
            (face.words("出处", "where"), f"{one.source}:{one.line}  {face.words(chapter.zh, chapter.en)}"),
            (face.words("原话", "quote"), faces.paragraph(one.quote)),
            (face.words("意思", "it says"), faces.paragraph(face.words(one.says.zh, one.says.en))),
            (face.words("检验", "tested by"), faces.paragraph("\n".join(proofs_text(one)) or "–")),
            (face.words("实情", "found"), faces.paragraph(face.words(verdict.zh, verdict.en))),
            (face.words("结论", "verdict"), faces.paragraph(said, style=style)),
        )
    )


def _show_all(face: Face, asked: Sequence[Claim], verdicts: Sequence[Verdict]) -> None:
    """A table for each chapter of each source."""
    from rangli.lab.claims import claims as all_claims

    rows: dict[Chapter, list[tuple[Claim, Verdict]]] = {}
    for one, verdict in zip(asked, verdicts, strict=True):
        rows.setdefault(all_claims().chapter_of(one), []).append((one, verdict))
    for chapter, those in rows.items():
        face.title(f"{chapter.source} {chapter.title.zh}", f"{chapter.source} {chapter.title.en}")
        face.show(_table(face, those))


def _table(face: Face, rows: Sequence[tuple[Claim, Verdict]]) -> Table:
    """A row for each claim: what it says, the verdict, the figure that decided, its line and its name."""
    from rich.text import Text

    words = face.words
    heads = (
        words("说法", "it says"),
        words("结论", "verdict"),
        words("数字", "figure"),
        words("行", "line"),
        words("名称", "name"),
    )
    made = faces.table(*heads, right=(2, 3), fold=(0,))
    for one, verdict in rows:
        said, style = _verdict(face, verdict)
        shown = words(verdict.shown.zh, verdict.shown.en) if verdict.shown else "–"
        about = faces.paragraph(words(one.says.zh, one.says.en))
        made.add_row(about, Text(said, style=style), shown, str(one.line), Text(one.claim, style="dim"))
    return made


def _show_counts(face: Face, verdicts: Sequence[Verdict]) -> None:
    """How many hold, hold only if, fail."""
    from rangli.lab.claims import SAID_WORDS, counts

    counted = counts(verdicts)
    zh = ",".join(f"{counted[said]} 条{words[0]}" for said, words in SAID_WORDS.items() if counted[said])
    english = {"holds": "hold", "only-if": "hold only if", "fails": "fail", "no-figure": "without a figure"}
    en = ", ".join(f"{counted[said]} {english[said]}" for said in SAID_WORDS if counted[said])
    face.show("")
    face.line(f"共 {len(verdicts)} 条:{zh}。", f"{len(verdicts)} {'claim' if len(verdicts) == 1 else 'claims'}: {en}.", "bold")
