"""The command that derives the books again, and what each promise of an audit means."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from rangli.cli import face as faces
from rangli.cli import lane
from rangli.cli.face import Face
from rangli.cli.options import AsJson, Directory, Lang, OrdersOption
from rangli.cli.refusals import NO
from rangli.files import TRANSFERS

if TYPE_CHECKING:
    from rangli.files.audit import AuditReport

PROMISES: Final = {
    "orders_file": ("订单文件就是结算时的那个", "the order file is the one that was settled"),
    "plan": ("方案就是结算时的那个", "the plan is the one that was settled under"),
    "same_transfers": ("重算的转账逐笔相同", "every transfer derived again is the same"),
    "same_lots": ("重算的排队订单逐笔相同", "every lot derived again is the same"),
    "same_balances": ("重算的余额逐户相同", "every balance derived again is the same"),
    "same_rejects": ("重算的拒绝逐行相同", "every refused row derived again is the same"),
    "same_summary": ("重算的汇总逐项相同", "every figure derived again is the same"),
    "orders": ("每笔转账都属于一笔订单,次序不乱", "every transfer belongs to an order, in the order of the file"),
    "once": ("每笔订单只结算一次", "every order is settled once"),
    "refusals": ("该拒绝的都拒绝了", "what had to be refused was refused"),
    "concession": ("让利一分不差地分完", "every concession is handed out to the last micro"),
    "shares": ("各份额与方案相同", "every share is the plan's"),
    "bonus": ("一次性奖励只发一次", "every bonus is paid once"),
    "balanced": ("每笔收支平衡,没有账户透支", "every transfer balances and no account is overdrawn"),
    "pots": ("红包池不为负,一分不多发", "no pot falls below zero or hands out more than is due"),
    "oldest_first": ("先排先得", "the oldest lots come first"),
    "packets_at_most": ("每笔订单的红包不超过规定个数", "no lot gets more packets than the plan says"),
    "never_above_paid": ("收回绝不超过上限", "no lot receives more than its cap"),
    "lots": ("排队订单与转账相符", "the lots are what their transfers say"),
    "draws": ("红包由当天的密钥决定", "the packets are those that the day's secret draws"),
    "commitments": ("承诺与密钥相符", "the commitments are those of the secret"),
    "points": ("积分与方案相同", "the points earned are the plan's"),
    "price": ("积分价格从不下跌", "the price of a point never falls"),
    "funded": ("释放不超过分红池所有", "no period releases more than the pot holds"),
    "backed": ("每张券都有等额现金", "every voucher has its cash behind it"),
    "figures": ("汇总与转账相符", "the summary is what the transfers add up to"),
}
"""What holds when a check of this name passes."""


def audit(directory: Directory, orders: OrdersOption = None, json: AsJson = False, lang: Lang = None) -> None:
    """只凭订单重算并对照 · Derive the books again from the orders alone.

    逐笔对照每笔转账,逐条核对每个承诺;有一处不符时退出码为 1。

    Compares every transfer and checks every promise; exit status 1 if any is broken.

    例 Example: rangli audit build/settled
    """
    face = Face(lang, json=json)
    report = audit_with_bar(face, directory, orders)
    if json:
        broken = [one._asdict() for one in report.broken]
        face.document({"ok": report.ok, "checked": report.checked, "broken": broken})
    else:
        show_audit(face, report)
    if not report.ok:
        raise typer.Exit(NO)


def audit_with_bar(face: Face, directory: Path, orders: Path | None = None) -> AuditReport:
    """Audit a directory, with a bar while it runs."""
    lane.choose_for_file(directory / TRANSFERS)
    from rangli.cli.directory import Settled
    from rangli.files.orders import OrderFile

    path = Settled(directory).orders(orders)
    from rangli.files.audit import audit as audit_directory

    with face.progress("审计", "Auditing", OrderFile(path).rows) as advance:
        return audit_directory(directory, path, progress=advance)


def show_audit(face: Face, report: AuditReport) -> None:
    """Each promise with how often it was checked, then everything that is broken."""
    from rich.text import Text

    broken = {one.promise for one in report.broken}
    made = faces.table("", face.words("承诺", "promise"), face.words("核对次数", "checked"), right=(2,), fold=(1,))
    for promise, times in report.checked.items():
        mark = Text("✗", style="red") if promise in broken else Text("✓", style="green")
        made.add_row(mark, face.words(*PROMISES.get(promise, (promise, promise))), faces.count(times))
    face.show(made, "")
    for one in report.broken:
        face.show(
            Text.assemble(("✗ ", "red"), (one.promise, "bold"), f"  {one.where}"),
            faces.paragraph(face.words(one.zh, one.en), indent=2),
        )
    if report.ok:
        face.line(
            "✓ 由订单重算,与所写的账处处相同。", "✓ Derived again from the orders, the books are the same everywhere.", "green"
        )
    else:
        face.line(f"✗ {len(report.broken)} 处不符", f"✗ broken: {len(report.broken)}", "red")
