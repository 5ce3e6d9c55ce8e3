"""Commands that look into what was settled: balances, a statement, a draw, and the export to an independent auditor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import nlargest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rangli.cli import face as faces
from rangli.cli.face import Face
from rangli.cli.options import AsJson, Data, Directory, Key, Lang, OrdersOption, Url
from rangli.errors import FileRefused, InputRefused
from rangli.money import print_yuan

if TYPE_CHECKING:
    from rangli.cli.directory import Balance, Statement
    from rangli.cli.draws import Draw
    from rangli.ledger import Decision

Limit = Annotated[int, typer.Option("--limit", metavar="N", min=0, help="最多几行,0 为全部 · rows at most, 0 for all")]


# ---------------------------------------------------------------- balances


def balances(
    directory: Directory,
    prefix: Annotated[
        str, typer.Option("--prefix", metavar="TEXT", help="只看以此开头的账户 · only accounts that begin so")
    ] = "",
    limit: Limit = 20,
    json: AsJson = False,
    lang: Lang = None,
) -> None:
    """谁手里有多少 · Who holds what.

    各类账户的合计,和其中最大的几个;JSON 按路径列出全部。

    The sums by kind of account, and the largest accounts; JSON has them all, by path.

    例 Example: rangli balances build/settled --prefix consumer:
    """
    from rangli.cli.directory import Settled

    face = Face(lang, json=json)
    settled = Settled(directory)
    if json:
        rows = [one._asdict() for one in settled.balances(prefix)]
        face.document({"accounts": len(rows), "balances": rows})
        return
    sums = faces.table(
        face.words("哪类账户", "kind of account"),
        face.words("个数", "accounts"),
        face.words("合计", "in all"),
        "",
        right=(1, 2),
        fold=(0,),
    )
    for kind, (number, micro, unit) in by_kind(settled.balances(prefix)).items():
        sums.add_row(kind, faces.count(number), faces.yuan(micro), face.words(*faces.UNIT_WORDS[unit]))
    face.show(sums)
    most = faces.table(face.words("账户", "account"), face.words("余额", "balance"), "", right=(1,), fold=(0,))
    for one in nlargest(limit or 2**62, settled.balances(prefix), key=lambda one: abs(one.amount_micro)):
        most.add_row(one.account, faces.yuan(one.amount_micro), face.words(*faces.UNIT_WORDS[one.unit]))
    face.title("余额最大的账户", "The largest")
    face.show(most)


def by_kind(rows: Iterable[Balance]) -> dict[str, tuple[int, int, str]]:
    """Per kind of account its number, sum and unit: ``consumer:*:wallet``, ``programme:packets:*``, ``platform:surplus``."""
    found: dict[str, tuple[int, int, str]] = {}
    for one in rows:
        root, name, *rest = one.account.split(":")
        kind = f"{root}:*:{rest[-1]}" if root in {"consumer", "merchant", "agent"} else f"{root}:{name}" + (":*" if rest else "")
        number, micro, _ = found.get(kind, (0, 0, ""))
        found[kind] = number + 1, micro + one.amount_micro, one.unit
    return found


# ---------------------------------------------------------------- statement


def statement(
    directory: Annotated[
        str | None,
        typer.Argument(metavar="DIR", help="settle 写出的目录;有 --programme 时不写 · what settle wrote; none with --programme"),
    ] = None,
    account: Annotated[
        str | None, typer.Argument(metavar="ACCOUNT", help="账户路径,如 platform:surplus · an account's path")
    ] = None,
    *,
    programme: Annotated[
        str | None, typer.Option("--programme", metavar="NAME", help="运行中的项目 · of a live programme")
    ] = None,
    limit: Limit = 20,
    data: Data = None,
    url: Url = None,
    key: Key = None,
    json: AsJson = False,
    lang: Lang = None,
) -> None:
    """一个账户的对账单 · An account's statement.

    每一笔从哪来、到哪去、为什么、之后余额多少。结算目录写 DIR ACCOUNT,运行中的项目写 ACCOUNT --programme NAME。

    Where each entry came from and why. Write DIR ACCOUNT for what settle wrote, ACCOUNT --programme NAME for what is live.

    例 Example: rangli statement build/settled platform:surplus --limit 5
    """
    face = Face(lang, json=json)
    if programme is None:
        _settled_statement(face, directory, account, limit)
        return
    if directory is None or account is not None:
        raise InputRefused(
            f"有 --programme 时只写账户:rangli statement {account or 'ACCOUNT'} --programme {programme}",
            f"with --programme, write the account alone: rangli statement {account or 'ACCOUNT'} --programme {programme}",
        )
    from rangli.cli.live import live_statement, of_view

    view = live_statement(programme, directory, limit, data=data, url=url, key=key)
    if json:
        face.document(view)
    else:
        _show_statement(face, of_view(view))


def _settled_statement(face: Face, directory: str | None, account: str | None, limit: int) -> None:
    """Of a settled directory."""
    from rangli.cli.directory import Settled

    if directory is None or account is None:
        raise InputRefused(
            "应写明哪本账的哪个账户:rangli statement DIR ACCOUNT,或 rangli statement ACCOUNT --programme NAME",
            "say which account of which books: rangli statement DIR ACCOUNT, or rangli statement ACCOUNT --programme NAME",
        )
    told = Settled(Path(directory)).statement(account, limit)
    if face.json:
        face.document({**told._asdict(), "entries": [entry._asdict() for entry in told.entries]})
    else:
        _show_statement(face, told)


def _show_statement(face: Face, told: Statement) -> None:
    """The entries between what the account held before and after them."""
    unit = face.words(*faces.UNIT_WORDS[told.unit])
    face.title(told.account, told.account)
    if told.entries_in_all is None or told.entries_in_all > len(told.entries):
        of_zh, of_en = (
            ("", "")
            if told.entries_in_all is None
            else (f"共 {faces.count(told.entries_in_all)} 笔,", f" of {faces.count(told.entries_in_all)}")
        )
        face.line(
            f"{of_zh}这里是最后 {len(told.entries)} 笔(--limit 0 为全部)",
            f"the last {len(told.entries)}{of_en} entries (--limit 0 for all)",
            "dim",
        )
        face.show("")
    head = face.words("订单", "order"), face.words("事由,对方", "why, and with whom"), unit, face.words("余额", "balance")
    made = faces.table(*head, right=(2, 3), fold=(1,))
    made.add_row("", face.words("之前", "before"), "", faces.yuan(told.opening_micro), style="dim")
    for entry in told.entries:
        what = f"{face.words(entry.zh, entry.code)} {'←' if entry.amount_micro > 0 else '→'}\n{entry.counterparty}"
        made.add_row(
            entry.order_id or face.words("关期", "closing"), what, faces.yuan(entry.amount_micro), faces.yuan(entry.balance_micro)
        )
    face.show(made)


# ---------------------------------------------------------------- draw


def draw(
    directory: Directory,
    order_id: Annotated[str, typer.Argument(metavar="ORDER_ID", help="订单号 · the order's id")],
    orders: OrdersOption = None,
    json: AsJson = False,
    lang: Lang = None,
) -> None:
    """一笔订单的随机数从哪来 · Where an order's chance comes from.

    当天的承诺和密钥、订单的键、抽数和切分,足以自己重算。

    The day's commitment and secret, the order's key, its draws and cut: enough to reckon it again.

    例 Example: rangli draw build/settled 2026020100000039
    """
    from rangli.cli.directory import Settled
    from rangli.cli.draws import draw_of

    face = Face(lang, json=json)
    settled = Settled(directory)
    told = draw_of(settled, order_id, settled.orders(orders))
    if json:
        face.document({**told._asdict(), "packets": [packet._asdict() for packet in told.packets]})
    else:
        _show_draw(face, told)


def _show_draw(face: Face, told: Draw) -> None:
    """The chain from the commitment to the packets, a link a line."""
    rows = [
        (face.words("付款日", "paid on"), told.day),
        (face.words("当天承诺", "commitment"), told.commitment),
        (face.words("当天密钥", "day secret"), told.day_secret),
        (face.words("订单的键", "order key"), told.order_key),
        *([(face.words("抽数", "draws"), " ".join(told.draws))] if told.draws else []),
    ]
    face.title(f"订单 {told.order_id}", f"Order {told.order_id}")
    face.show(faces.facts(*rows), "")
    face.line(
        "承诺 = SHA-256(当天密钥),应在当天之前公布;键 = 以当天密钥对订单号做 SipHash-2-4;抽数 = SplitMix64(键);见规则第 3 节。",
        "The commitment is SHA-256 of the day secret, to be published before that day; the key is SipHash-2-4 of the order id"
        " under the day secret; the draws are SplitMix64 of the key (docs/rules.md, section 3).",
        "dim",
    )
    if not told.packets:
        face.show("")
        face.line("这笔订单没有发出红包,没有用到随机数。", "This order handed out no packet; it drew nothing.")
        return
    face.title(
        f"发出 {print_yuan(told.issue_fen)} 元,切成 {len(told.packets)} 个红包",
        f"{print_yuan(told.issue_fen)} yuan cut into {len(told.packets)} packets",
    )
    head = "", face.words("切到,元", "cut, yuan"), face.words("实发,元", "sent, yuan"), face.words("给谁", "to")
    made = faces.table(*head, right=(0, 1, 2), fold=(3,))
    for number, packet in enumerate(told.packets, 1):
        made.add_row(str(number), print_yuan(packet.cut_fen), print_yuan(packet.sent_fen), packet.destination)
    face.show(made, "")
    if told.matches:
        face.line("✓ 重算的切分与实发完全相同。", "✓ The cut reckoned again is what was sent.", "green")
    else:
        face.line(
            "有的订单已满或将满,切到的超出部分转给了其余订单(规则 3.4);rangli audit 会逐笔重算。",
            "Some lots had less room than their cut, and the rest went to the others (docs/rules.md, 3.4);"
            " rangli audit derives every one.",
        )


# ---------------------------------------------------------------- export


def export(
    place: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="settle 写出的目录;有 --programme 时是新目录 · what settle wrote; with --programme, a new directory to write",
        ),
    ],
    programme: Annotated[
        str | None, typer.Option("--programme", metavar="NAME", help="运行中的项目 · of a live programme")
    ] = None,
    form: Annotated[
        Literal["csv", "parquet", "beancount"], typer.Option("--format", help="项目导出成什么 · what a programme is written as")
    ] = "csv",
    beancount: Annotated[
        Path | None,
        typer.Option(
            "--beancount", metavar="FILE", help="结算目录写成 beancount 文件 · the beancount file to write of a settled directory"
        ),
    ] = None,
    orders: OrdersOption = None,
    data: Data = None,
    json: AsJson = False,
    lang: Lang = None,
) -> None:
    """导出账本 · Export the books.

    项目的转账、余额、订单写进新目录,服务不必停;结算目录写成 beancount 文件,导出后运行 bean-check。

    A programme's transfers, balances and orders, while it runs; or what settle wrote, as a file for beancount's bean-check.

    例 Example: rangli export build/settled --beancount build/books.beancount
    """
    face = Face(lang, json=json)
    if programme is not None:
        from rangli.cli.live import export_programme

        export_programme(face, programme, place, form, data)
    elif beancount is not None:
        _export_settled(face, place, beancount, orders)
    else:
        raise InputRefused(
            f"还缺要写的文件或项目:rangli export {place} --beancount FILE,或 rangli export {place} --programme 名称",
            f"export what? rangli export {place} --beancount FILE, or rangli export {place} --programme NAME",
        )


def _export_settled(face: Face, directory: Path, beancount: Path, orders: Path | None) -> None:
    """A settled directory as a beancount file."""
    from rangli.cli.directory import Settled, day_after
    from rangli.ledger import beancount_lines

    settled = Settled(directory)
    path = settled.orders(orders)
    last = max((day.day for day in settled.claims.days), default="1970-01-01")
    with face.progress("导出", "Exporting", settled.claims.transfers) as advance:
        made = _counted(settled.decisions(path), advance)
        lines = beancount_lines(made, settled.balances(), closing_on=day_after(last))
        _write_lines(beancount, lines)
    if face.json:
        face.document({"file": str(beancount), "transfers": settled.claims.transfers})
        return
    face.line(
        f"{faces.count(settled.claims.transfers)} 笔转账写在 {beancount}",
        f"{faces.count(settled.claims.transfers)} transfers are in {beancount}",
    )
    face.note(f"接下来:bean-check {beancount}", f"next: bean-check {beancount}")


def _counted(made: Iterator[Decision], advance: faces.Advance) -> Iterator[Decision]:
    """The same decisions, while the bar moves."""
    for decision in made:
        yield decision
        advance(len(decision.legs))


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    """The lines into a file that appears whole or not at all."""
    if path.is_dir():
        raise FileRefused(f"{path} 是目录;请写一个文件名", f"{path} is a directory; name a file")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.partial")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(f"{line}\n" for line in lines)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
