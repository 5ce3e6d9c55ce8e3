"""Commands on order files: write an example, settle one, audit what was settled."""

from __future__ import annotations

import csv
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from rangli.cli import face as faces
from rangli.cli.face import Face
from rangli.cli.options import AsJson, Changes, Directory, Lang, OrdersOption, PlanName, compiled, secret_of
from rangli.cli.refusals import NO
from rangli.money import BP_PER_ONE, parse_percent

if TYPE_CHECKING:
    from rangli.files.settling import Summary
    from rangli.plan import CompiledPlan

REJECTS_SHOWN: Final = 5
HASH_SHOWN: Final = 16


def example(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="写到哪个目录 · the directory to write")],
    orders: Annotated[int, typer.Option("--orders", metavar="N", min=1, max=10**9, help="订单数 · orders")] = 10_000,
    shops: Annotated[int, typer.Option("--shops", metavar="N", min=1, max=10**6, help="店数 · shops")] = 50,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="种子,同种子同结果 · the same seed, the same world")] = 7,
    days: Annotated[int, typer.Option("--days", metavar="N", min=1, max=3650, help="天数 · days")] = 28,
    suffix: Annotated[Literal["csv", "parquet"], typer.Option("--format", help="文件格式 · the format")] = "csv",
    concession: Annotated[
        str | None, typer.Option("--concession", metavar="PERCENT", help="所有店的让利,默认各店不同 · one for all shops")
    ] = None,
    json: AsJson = False,
    lang: Lang = None,
) -> None:
    """写一个像真的示例世界:各城的店、常客、推荐人、代理,和几周的订单。

    Write a lifelike example world: shops in Chinese cities, their regulars, referrers, agents, and weeks of orders.

    例 Example: rangli example --orders 1000 --shops 20 --seed 7 --out build/example
    """
    from rangli.files.example import CONCESSION_BP, write_example

    face = Face(lang, json=json)
    low, high = CONCESSION_BP if concession is None else (parse_percent(concession),) * 2
    if high > BP_PER_ONE:
        raise typer.BadParameter(f"{concession} > 100%", param_hint="--concession")
    with face.progress("写订单", "Writing orders", orders) as advance:
        path = write_example(out, orders, shops, seed, concession_bp=(low, high), days=days, suffix=suffix, progress=advance)
    if json:
        face.document({"orders_file": str(path), "shops_file": str(out / "shops.csv"), "orders": orders, "shops": shops, "seed": seed})
        return
    face.line(
        f"{faces.count(orders)} 笔订单,{faces.count(shops)} 家店,写在 {path}",
        f"{faces.count(orders)} orders of {faces.count(shops)} shops are in {path}",
    )
    next_step(face, f"rangli settle weituanbao {path} --out {out.parent / 'settled'}")


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
    """把订单文件按方案结算,写出一目录的账:每笔转账、余额、排队、拒绝的行、汇总。

    Settle a file of orders under a plan into a directory of books: transfers, balances, lots, rejects, a summary.

    例 Example: rangli settle weituanbao build/example/orders.csv --out build/settled
    """
    face = Face(lang, json=json)
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
    from rangli.money import MICRO_PER_FEN

    face.title(
        f"{one.plan.title.zh}:结算了 {faces.count(summary.orders)} 笔订单",
        f"{one.plan.title.en}: {faces.count(summary.orders)} orders settled",
    )
    rows = [
        (face.words("实付", "paid"), faces.yuan(summary.paid_fen * MICRO_PER_FEN)),
        (face.words("让利", "concession"), faces.yuan(summary.concession_micro)),
        (face.words("返还", "returned"), faces.yuan(summary.returned_micro)),
    ]
    amounts = faces.table("", face.words("元", "yuan"), face.words("占实付", "of what was paid"), right=(1, 2))
    for name, micro in rows:
        amounts.add_row(name, micro, faces.percent(_micro(micro), summary.paid_fen * MICRO_PER_FEN, 2))
    face.show(amounts)
    face.line(
        f"{faces.count(summary.transfers)} 笔转账,{faces.count(summary.rejected)} 行被拒绝,{faces.count(summary.duplicates)} 行重复(只算一次)",
        f"{faces.count(summary.transfers)} transfers, {faces.count(summary.rejected)} rows refused,"
        f" {faces.count(summary.duplicates)} repeated (counted once)",
    )
    face.title("让利的去向", "Where the concession went")
    shares, after = _split_codes(summary.by_code)
    face.show(_codes_table(face, shares, summary.concession_micro))
    if after:
        face.title("随后发生的", "What followed")
        face.show(_codes_table(face, after, 0))


def _micro(amount: Any) -> int:  # noqa: ANN401 - a text of faces.yuan
    """The micro that a text shows."""
    return int(amount.plain.replace(",", "").replace(".", "").strip().ljust(1, "0"))
