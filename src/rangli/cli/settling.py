"""Commands on order files: write an example, settle one."""

from __future__ import annotations

import csv
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from rangli.cli import face as faces
from rangli.cli import lane
from rangli.cli.face import Face
from rangli.cli.options import AsJson, Changes, Lang, PlanName, compiled, secret_of
from rangli.errors import InputRefused
from rangli.money import BP_PER_ONE, MICRO_PER_FEN, parse_percent

if TYPE_CHECKING:
    from rich.table import Table

    from rangli.files.settling import Summary
    from rangli.plan import CompiledPlan

ByCode = dict[str, dict[str, Any]]
"""Per code its unit, how many transfers, and their sum, as in summary.json."""

REJECTS_SHOWN: Final = 5


def example(
    *,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="写到哪个目录 · the directory to write")],
    orders: Annotated[int, typer.Option("--orders", metavar="N", min=1, max=10**9, help="订单数 · orders")] = 10_000,
    shops: Annotated[int, typer.Option("--shops", metavar="N", min=1, max=10**6, help="店数 · shops")] = 50,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", min=0, help="种子,同种子同结果 · the same seed, the same world")
    ] = 7,
    days: Annotated[int, typer.Option("--days", metavar="N", min=1, max=3650, help="天数 · days")] = 28,
    suffix: Annotated[Literal["csv", "parquet"], typer.Option("--format", help="文件格式 · the format")] = "csv",
    concession: Annotated[
        str | None, typer.Option("--concession", metavar="PERCENT", help="所有店的让利,默认各店不同 · one for all shops")
    ] = None,
    json: AsJson = False,
    lang: Lang = None,
) -> None:
    """写一个示例世界 · Write a lifelike example world.

    各城的店、常客、推荐人、代理,和几周的订单;都是编造的。

    Shops in Chinese cities, their regulars, referrers and agents, and weeks of orders; all invented.

    例 Example: rangli example --orders 1000 --shops 20 --seed 7 --out build/example
    """
    face = Face(lang, json=json)
    path = write_with_bar(face, out, orders, shops, seed, days=days, concession=concession, suffix=suffix)
    if json:
        facts = {"orders_file": str(path), "shops_file": str(out / "shops.csv"), "orders": orders, "shops": shops, "seed": seed}
        face.document(facts)
        return
    face.line(
        f"{faces.count(orders)} 笔订单,{faces.count(shops)} 家店,写在 {path}",
        f"{faces.count(orders)} orders of {faces.count(shops)} shops are in {path}",
    )
    next_step(face, f"rangli settle weituanbao {path} --out {out.parent / 'settled'}")


def write_with_bar(
    face: Face,
    out: Path,
    orders: int,
    shops: int,
    seed: int,
    *,
    days: int,
    concession: str | None = None,
    suffix: Literal["csv", "parquet"] = "csv",
) -> Path:
    """Write an example world, with a bar while it grows; the path of its orders."""
    from rangli.files.example import CONCESSION_BP, write_example

    low, high = CONCESSION_BP if concession is None else (parse_percent(concession),) * 2
    if high > BP_PER_ONE:
        raise InputRefused(f"让利 {concession} 超过 100%", f"a concession of {concession} is over 100%")
    with face.progress("写订单", "Writing orders", orders) as advance:
        return write_example(out, orders, shops, seed, concession_bp=(low, high), days=days, suffix=suffix, progress=advance)


def next_step(face: Face, command: str) -> None:
    """What a reader may do now."""
    face.note(f"接下来:{command}", f"next: {command}")


# ---------------------------------------------------------------- settle


def settle(
    plan: PlanName,
    orders: Annotated[Path, typer.Argument(metavar="ORDERS", help="订单文件,.csv 或 .parquet · the orders, .csv or .parquet")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="新目录,账写在这里 · a new directory for the books")],
    seed: Annotated[
        str | None,
        typer.Option(
            "--seed",
            metavar="HEX",
            help="32 字节密钥,1–64 位十六进制,左边补 0;不写则新抽 · the 32-byte secret, zeros on the left; drawn anew by default",
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="只要有一行被拒绝就都不结算 · settle nothing if any row is refused")
    ] = False,
    changes: Changes = None,
    json: AsJson = False,
    lang: Lang = None,
) -> None:
    """把订单文件按方案结算 · Settle a file of orders under a plan.

    写出一目录的账:每笔转账、余额、排队、拒绝的行、汇总;要么整个写好,要么什么都不写。

    Writes a directory of books: transfers, balances, lots, rejects, a summary; all of it or nothing.

    例 Example: rangli settle weituanbao build/example/orders.csv --out build/settled --seed 2a
    """
    face = Face(lang, json=json)
    lane.choose_for_file(orders)
    one, text = compiled(plan, changes)
    secret = secret_of(seed)
    summary = settle_with_bar(face, one, text, orders, out, secret=secret, strict=strict)
    if json:
        known = {name: value for name, value in summary._asdict().items() if name != "secret"}
        face.document({**known, "directory": str(out)})
        return
    show_summary(face, one, summary)
    show_rejects(face, out / "rejects.csv", summary)
    show_proof(face, summary)
    next_step(face, f"rangli audit {out}")


def settle_with_bar(
    face: Face, one: CompiledPlan, text: str, orders: Path, out: Path, *, secret: bytes | None = None, strict: bool = False
) -> Summary:
    """Settle a file, with a bar while it runs."""
    from rangli.files.orders import OrderFile
    from rangli.files.settling import settle_file

    source = OrderFile(orders)
    with face.progress(f"结算 {one.plan.name}", f"Settling {one.plan.name}", source.rows) as advance:
        return settle_file(one, text, source, out, secret=secret, strict=strict, progress=advance)


def show_summary(face: Face, one: CompiledPlan, summary: Summary) -> None:
    """What came in, where the concession went, and what followed from it."""
    face.title(
        f"{one.plan.title.zh}:结算了 {faces.count(summary.orders)} 笔订单",
        f"{one.plan.title.en}: {faces.count(summary.orders)} orders settled",
    )
    paid_micro = summary.paid_fen * MICRO_PER_FEN
    sums = (
        (face.words("消费者实付", "paid by consumers"), paid_micro),
        (face.words("商家让利", "conceded by merchants"), summary.concession_micro),
        (face.words("已返还", "returned so far"), summary.returned_micro),
    )
    amounts = faces.table("", face.words("元", "yuan"), face.words("占实付", "of the amount"), right=(1, 2))
    for name, micro in sums:
        amounts.add_row(name, faces.yuan(micro), faces.percent(micro, paid_micro, 2))
    face.show(amounts)
    face.show("")
    face.line(f"共 {faces.count(summary.transfers)} 笔转账。", f"{faces.count(summary.transfers)} transfers.")
    shares, after = shares_and_rest(summary.by_code)
    face.title("让利的去向", "Where the concession went")
    face.show(_codes_table(face, shares, summary.concession_micro))
    if after:
        face.title("随后发生的", "What followed from it")
        face.show(_codes_table(face, after, 0))


def shares_and_rest(by_code: ByCode) -> tuple[ByCode, ByCode]:
    """What came out of the concession, which adds up to it, and all else; each with the largest first."""
    from rangli.ledger.transfers import CODE_NAMES, PACKET

    rows = sorted(by_code.items(), key=lambda item: -item[1]["amount_micro"])
    shares = {code: row for code, row in rows if CODE_NAMES.index(code) < PACKET}
    return shares, {code: row for code, row in rows if code not in shares}


def _codes_table(face: Face, by_code: ByCode, whole_micro: int) -> Table:
    """One row a code: how many transfers, how much; with bars when they are parts of a whole."""
    from rangli.ledger import code_words
    from rangli.ledger.transfers import CODE_NAMES

    made = faces.table("", face.words("笔数", "transfers"), "", "", "", "", right=(1, 2, 5))
    for code, row in by_code.items():
        name = face.words(code_words(CODE_NAMES.index(code))[0], code)
        amount_micro, unit = row["amount_micro"], face.words(*faces.UNIT_WORDS[row["unit"]])
        shown = name, faces.count(row["count"]), faces.yuan(amount_micro), unit
        if whole_micro:
            made.add_row(*shown, faces.bar(amount_micro, whole_micro), faces.percent(amount_micro, whole_micro))
        else:
            made.add_row(*shown)
    return made


def show_rejects(face: Face, path: Path, summary: Summary) -> None:
    """The first few rows that were refused, and where all of them are."""
    if summary.duplicates:
        face.line(
            f"\n{faces.count(summary.duplicates)} 行重复了已有的订单,只算一次。",
            f"\n{faces.count(summary.duplicates)} row(s) repeat an order that was there; it counts once.",
        )
    if not summary.rejected:
        return
    face.title(f"拒绝了 {faces.count(summary.rejected)} 行", f"{faces.count(summary.rejected)} row(s) refused")
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in islice(csv.DictReader(file), REJECTS_SHOWN):
            zh, en = both_languages(row["reason"])
            face.show(faces.paragraph(face.words(f"第 {row['row']} 行:{zh}", f"row {row['row']}: {en}"), indent=2))
    face.line(f"全部列在 {path}", f"all of them are in {path}", "dim")


def both_languages(reason: str) -> tuple[str, str]:
    """The Chinese and the English of a reason in rejects.csv; what was written in the row may hold the mark between them.

    >>> both_languages("empty: 金额为空 | the amount is empty")
    ('金额为空', 'the amount is empty')
    """
    _, _, texts = reason.partition(": ")
    parts = texts.split(" | ")
    half = len(parts) >> 1
    return " | ".join(parts[:half]), " | ".join(parts[half:])


def show_proof(face: Face, summary: Summary) -> None:
    """What anyone may hold the run to: the trial balance, the hashes and the commitment of the first day."""
    from rich.text import Text

    assert summary.trial_balance_micro == 0
    first = summary.days[0] if summary.days else {"day": "–", "commitment": "–"}
    face.title("可验证", "Anyone can check")
    face.show(
        faces.facts(
            (face.words("试算平衡", "trial balance"), Text("0 ✓", style="green")),
            (face.words("方案版本", "plan version"), summary.version),
            (face.words("状态哈希", "state hash"), summary.state_hash),
            (face.words("首日承诺", "commitment"), first["commitment"]),
        )
    )
    face.line(
        f"承诺是 {first['day']} 的;共 {len(summary.days)} 天,各天的都在 summary.json",
        f"the commitment is that of {first['day']}; those of all {len(summary.days)} days are in summary.json",
        "dim",
    )
