"""The command that asks what the law says of a plan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from rangli.cli import face as faces
from rangli.cli.face import Face
from rangli.cli.options import AsJson, Changes, Lang, PlanName, compiled, text_of
from rangli.cli.plans import show_headline
from rangli.cli.refusals import NO

if TYPE_CHECKING:
    from rich.table import Table

    from rangli.plan import Finding

VERDICT_WORDS: Final = {"ok": ("通过", "ok"), "sign-off": ("须签字", "sign-off"), "refuse": ("拒绝", "refuse")}
MARKS: Final = {"ok": ("✓", "green"), "sign-off": ("!", "yellow"), "refuse": ("✗", "red")}
MEANING: Final = {
    "ok": ("真实渠道可以启用", "a real channel may run it"),
    "sign-off": (
        "须两人签字,附理由和法律意见,真实渠道才可启用",
        "a real channel runs it after two people have signed, with reason and legal opinion",
    ),
    "refuse": ("真实渠道不得启用,谁也不能放行;沙箱和模拟可以", "no real channel runs it, whoever asks; sandbox and lab do"),
}


def guards(
    plan: PlanName,
    copy: Annotated[
        list[Path] | None,
        typer.Option("--copy", metavar="FILE", help="一并检查的宣传文案,可多次 · advertising copy to be scanned too; repeatable"),
    ] = None,
    changes: Changes = None,
    json: AsJson = False,
    lang: Lang = None,
) -> None:
    """法律怎么看一个方案 · What the law says of a plan.

    十五道护栏逐条给出:通过、须签字、拒绝,并指出是方案的哪一条;没有写明的也须签字。规则、出处和日期见 docs/law.md。
    被拒绝时退出码为 1。

    Fifteen guards say ok, sign-off or refuse, and which clause trips them; what is not said needs a sign-off too. Rules,
    sources and dates are in docs/law.md. Exit status 1 if it is refused.

    例 Example: rangli guards weituanbao
    """
    from rangli.plan import judge, verdict

    face = Face(lang, json=json)
    one, _ = compiled(plan, changes)
    findings = judge(one, texts=[text_of(path) for path in copy or ()])
    said = verdict(findings)
    if json:
        rows = [{name: getattr(found, name) for name in found.__struct_fields__} for found in findings]
        face.document({"plan": one.plan.name, "version": one.version, "verdict": said, "findings": rows})
    else:
        show_headline(face, one)
        face.show("", _table(face, findings))
        zh, en = VERDICT_WORDS[said]
        face.show("")
        mark, style = MARKS[said]
        face.line(f"{mark} {zh}:{MEANING[said][0]}。", f"{mark} {en}: {MEANING[said][1]}.", style)
    if said == "refuse":
        raise typer.Exit(NO)


def _table(face: Face, findings: tuple[Finding, ...]) -> Table:
    """A row for each finding: guard, verdict, clause, and what was found."""
    from rich.console import Group
    from rich.text import Text

    head = face.words("护栏", "guard"), face.words("结论", "verdict"), face.words("发现与条款", "what was found, and the clause")
    made = faces.table(*head, fold=(2,))
    for found in findings:
        mark, style = MARKS[found.verdict]
        clause = [Text(found.clause, style="bold")] if found.clause and found.verdict != "ok" else []
        words = Text(f"{mark} {face.words(*VERDICT_WORDS[found.verdict])}", style=style)
        made.add_row(found.guard, words, Group(*clause, faces.paragraph(found.message(face.lang))))
    return made
