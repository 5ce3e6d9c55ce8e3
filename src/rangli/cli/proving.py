"""The command that decides a live journal again, and says the first difference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from rangli.cli import face as faces
from rangli.cli import lane
from rangli.cli.face import Face
from rangli.cli.opening import Journal, Opened, journal_of, journals, opened
from rangli.cli.options import AsJson, Data, Lang
from rangli.cli.refusals import NO
from rangli.errors import Broken, LedgerError

if TYPE_CHECKING:
    from rangli.service.settling.verify import Verified


def verify(
    programme: Annotated[
        str | None,
        typer.Option("--programme", metavar="NAME", help="只核验此项目,默认全部 · only this programme, by default all"),
    ] = None,
    since: Annotated[
        int,
        typer.Option(
            "--since",
            metavar="POSITION",
            min=0,
            help="从此处之前的检查点开始 · begin at the checkpoint at or before this decision",
        ),
    ] = 0,
    data: Data = None,
    json: AsJson = False,
    lang: Lang = None,
) -> None:
    """把流水从头重算并对照 · Decide the whole journal again and compare.

    逐字节对照每条决定和转账,说出第一处不同,退出码为 1。服务在运行时也可以。
    从头做完的核验会记录下来,控制台的账目状态随之改变。

    Compares every byte of every decision and says the first difference, with exit status 1. It may run beside the service.
    A verification of the whole journal is kept on record, and moves the console's seal.

    例 Example: rangli verify --data build/data
    """
    face = Face(lang, json=json)
    with opened(data) as it:
        asked = journals(it.database) if programme is None else [journal_of(it.database, programme)]
        lane.choose_for_orders(sum(max(0, journal.position - since) for journal in asked))
        reports = [verify_with_bar(face, it, journal, since) for journal in asked]
    broken = [report for report in reports if isinstance(report.result, LedgerError)]
    if json:
        face.document({"ok": not broken, "programmes": [_facts(report) for report in reports]})
    else:
        for report in reports:
            _show(face, report)
        if not reports:
            face.line("还没有项目,无可核验。", "There is no programme yet; nothing to verify.")
    if broken:
        raise typer.Exit(NO)


class Report(NamedTuple):
    """What a verification of one programme came to."""

    programme: str
    result: Verified | LedgerError
    """A difference is a result."""
    is_kept: bool
    """Whether it is on record, where the console's seal looks."""


def verify_with_bar(face: Face, it: Opened, journal: Journal, since: int = 0) -> Report:
    """Verify one programme, with a bar while it runs. What begins at its first row is kept on record, if the database lets it."""
    from rangli.service.people.acts import COMMAND_LINE
    from rangli.service.settling.verify import verify as verify_journal
    from rangli.service.work.seal import verify_here

    name = journal.name
    with face.progress(f"核验 {name}", f"Verifying {name}", max(0, journal.position - since)) as advance:
        if since:
            try:
                return Report(name, verify_journal(it.database, name, since=since, progress=advance), is_kept=False)
            except LedgerError as refused:
                return Report(name, refused, is_kept=False)
        found = verify_here(it.database, name, journal.number, COMMAND_LINE.role, progress=advance)
    if found.unkept is not None:
        zh, en = found.unkept
        face.note(f"{name}:这次核验没有记录,控制台看不到:{zh}", f"{name}: not on record, so the console will not see it: {en}")
    return Report(name, found.result, is_kept=found.unkept is None)


def _facts(report: Report) -> dict[str, Any]:
    """One programme's report as JSON has it."""
    result = report.result
    if isinstance(result, LedgerError):
        return {
            "programme": report.programme, "ok": False, "position": result.position if isinstance(result, Broken) else None,
            "code": result.code, "zh": result.zh, "en": result.en, "kept": report.is_kept,
        }  # fmt: skip
    import msgspec

    facts: dict[str, Any] = {"ok": True, **msgspec.structs.asdict(result), "kept": report.is_kept}
    return facts


def _show(face: Face, report: Report) -> None:
    """What was compared, or the first difference."""
    if isinstance(report.result, LedgerError):
        _show_difference(face, report.programme, report.result)
    else:
        _show_compared(face, report.result)


def _show_difference(face: Face, programme: str, refused: LedgerError) -> None:
    from rich.text import Text

    face.title(programme, programme)
    face.show(Text.assemble(("✗ ", "red"), refused.message(face.lang)))
    face.line(
        "  请与另一份数据或备份对照;rangli restore 恢复到另一个目录。",
        "  Compare with another copy of the data or a backup; rangli restore brings one back into another folder.",
    )


def _show_compared(face: Face, report: Verified) -> None:
    from rich.text import Text

    since = face.words(f"从第 {report.since} 条起", f"after decision {report.since}") if report.since else ""
    face.title(f"{report.programme} {since}".strip(), f"{report.programme} {since}".strip())
    compared = (
        (report.position - report.since, "条决定,逐字节", "decisions, byte by byte"),
        (report.transfers, "笔转账", "transfers"),
        (report.orders, "笔订单,连同各方名称", "orders, with the names of their parties"),
        (report.checkpoints, "个检查点:状态、余额、各账户的最后一笔", "checkpoints: state, balances, each account's last entry"),
    )
    made = faces.table("", face.words("核验", "compared"), "", right=(1,), fold=(2,))
    for count, zh, en in compared:
        made.add_row(Text("✓", style="green"), faces.count(count), face.words(zh, en))
    face.show(made, "")
    face.show(
        faces.facts((face.words("末条哈希", "head"), report.head), (face.words("状态哈希", "state hash"), report.state_hash))
    )
