"""The command that decides a live journal again, and says the first difference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

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

    Compares every byte of every decision and says the first difference, with exit status 1. It may run beside the service.

    例 Example: rangli verify --data build/data
    """
    face = Face(lang, json=json)
    with opened(data) as it:
        asked = journals(it.database) if programme is None else [journal_of(it.database, programme)]
        lane.choose_for_orders(sum(max(0, journal.position - since) for journal in asked))
        reports = [verify_with_bar(face, it, journal, since) for journal in asked]
    broken = [report for report in reports if isinstance(report, _Difference)]
    if json:
        face.document({"ok": not broken, "programmes": [_facts(report) for report in reports]})
    else:
        for report in reports:
            _show(face, report)
        if not reports:
            face.line("还没有项目,无可核验。", "There is no programme yet; nothing to verify.")
    if broken:
        raise typer.Exit(NO)


class _Difference:
    """Where a journal and what comes out part."""

    def __init__(self, programme: str, refused: LedgerError) -> None:
        self.programme = programme
        self.position = refused.position if isinstance(refused, Broken) else None
        self.refused = refused


def verify_with_bar(face: Face, it: Opened, journal: Journal, since: int = 0) -> Verified | _Difference:
    """Verify one programme, with a bar while it runs."""
    from rangli.service.settling.verify import verify as verify_journal

    with face.progress(f"核验 {journal.name}", f"Verifying {journal.name}", max(0, journal.position - since)) as advance:
        try:
            return verify_journal(it.database, journal.name, since=since, progress=advance)
        except LedgerError as refused:
            return _Difference(journal.name, refused)


def _facts(report: Verified | _Difference) -> dict[str, Any]:
    """One programme's report as JSON has it."""
    if isinstance(report, _Difference):
        refused = report.refused
        return {
            "programme": report.programme, "ok": False, "position": report.position, "code": refused.code, "zh": refused.zh,
            "en": refused.en,
        }  # fmt: skip
    import msgspec

    facts: dict[str, Any] = {"ok": True, **msgspec.structs.asdict(report)}
    return facts


def _show(face: Face, report: Verified | _Difference) -> None:
    """What was compared, or the first difference."""
    from rich.text import Text

    if isinstance(report, _Difference):
        face.title(report.programme, report.programme)
        face.show(Text.assemble(("✗ ", "red"), report.refused.message(face.lang)))
        face.line(
            "  请与另一份数据或备份对照;rangli restore 恢复到另一个目录。",
            "  Compare with another copy of the data or a backup; rangli restore brings one back into another folder.",
        )
        return
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
