"""The command that hands an order file in to a live programme: by this process, or through the API of the one that settles it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from rangli.cli import face as faces
from rangli.cli import lane
from rangli.cli.face import Face
from rangli.cli.opening import PATIENCE_SECONDS, again, opened, settled_here, through_api
from rangli.cli.options import AsJson, Data, Key, Lang, OfProgramme, Url
from rangli.errors import RangliError
from rangli.money import mul_div

if TYPE_CHECKING:
    from rangli.client import ApiRefused
    from rangli.files.reasons import Reject
    from rangli.files.texts import Texts
    from rangli.service.requests import OrderRequest
    from rangli.service.views import Answer

    Outcomes = Sequence[Answer | RangliError | ApiRefused]
    Submit = Callable[[list[OrderRequest]], Future[Any]]

RejectRow = tuple[int, str, str, str]
"""As in rejects.csv: row, field, reason, order id."""
REJECTS_HEAD: Final = ("row", "field", "reason", "order_id")
REJECTS_SHOWN: Final = 5
BYTES_PER_ORDER: Final = 100
"""About; to guess whether a file is worth compiling for."""


@dataclass
class Tally:
    """What became of the rows so far."""

    settled: int = 0
    held: int = 0
    repeated: int = 0
    """Orders that were there before, with the same facts: nothing changed."""
    rejected: int = 0
    first: list[RejectRow] = field(default_factory=list)
    """The first few that were refused."""


def import_(
    orders: Annotated[Path, typer.Argument(metavar="FILE", help="订单文件,.csv 或 .parquet · the orders, .csv or .parquet")],
    programme: OfProgramme,
    rejects: Annotated[
        Path | None,
        typer.Option("--rejects", metavar="FILE", help="被拒绝的行和原因写在这里 · where to list refused rows and why"),
    ] = None,
    data: Data = None,
    url: Url = None,
    key: Key = None,
    json: AsJson = False,
    lang: Lang = None,
) -> None:
    """把订单文件导入项目 · Import a file of orders into a live programme.

    每个订单号永远只算一次,中断后再导一遍即可。服务在运行时,用 --url 和 --key 经它的 API 导入。

    Each order id counts once for ever: after an interruption run it again. While a service runs, go through its --url.

    例 Example: rangli import build/example/orders.csv --programme noodles --data build/data
    """
    face = Face(lang, json=json)
    if url is not None:
        tally = _import_through_api(face, orders, programme, url, key, rejects)
    else:
        tally = _import_here(face, orders, programme, data, rejects)
    if json:
        counts = {name: getattr(tally, name) for name in ("settled", "held", "repeated", "rejected")}
        face.document({"programme": programme, **counts, "rejects_file": None if rejects is None else str(rejects)})
        return
    _show(face, tally, rejects)
    following = f"rangli verify --programme {programme}{again(data)}"
    face.note(f"接下来:{following}", f"next: {following}")


def _import_here(face: Face, orders: Path, programme: str, data: Path | None, rejects: Path | None) -> Tally:
    about = mul_div(orders.stat().st_size, 1, BYTES_PER_ORDER) if orders.is_file() else 0
    with opened(data) as it, settled_here(it, programme, orders=about) as running:
        return hand_in(face, orders, running.submit, rejects)


def _import_through_api(face: Face, orders: Path, programme: str, url: str, key: str | None, rejects: Path | None) -> Tally:
    lane.choose_for_orders(0)  # what is compiled is compiled there
    with through_api(url, key, programme) as there:
        there.view()  # a wrong address or key is known at once
    with through_api(url, key, programme, patience_seconds=PATIENCE_SECONDS) as there, ThreadPoolExecutor(1) as sender:
        return hand_in(face, orders, lambda some: sender.submit(there.submit_orders, some), rejects)


def hand_in(face: Face, path: Path, submit: Submit, rejects: Path | None) -> Tally:
    """Every row of the file, with a bar; the next rows are read while the last ones are settled."""
    from rangli.files.texts import OrderTexts
    from rangli.service.requests import OrderRequest

    source, tally = OrderTexts(path), Tally()
    with face.progress("导入", "Importing", source.size) as advance, _listing(rejects) as listed:
        waiting: tuple[Texts, Future[Any]] | None = None
        done = 0
        for texts in source.batches():
            columns = (texts.fields[name] for name in OrderRequest.__struct_fields__)
            asked = submit(list(map(OrderRequest, *columns)))
            if waiting is not None:
                done = _note(*waiting, tally, listed, advance, done)
            waiting = texts, asked
        if waiting is not None:
            _note(*waiting, tally, listed, advance, done)
    return tally


def _note(
    texts: Texts, asked: Future[Any], tally: Tally, listed: Callable[[RejectRow], object], advance: faces.Advance, done: int
) -> int:
    """Count what became of some rows, and list those that were refused; how much of the file is done."""
    refused = [_reject_row(one) for one in texts.rejects]
    outcomes: Outcomes = asked.result()
    for row, order_id, outcome in zip(texts.row, texts.fields["order_id"], outcomes, strict=True):
        status = getattr(outcome, "status", "")
        if isinstance(outcome, Exception):
            refused.append(_refused_row(row, order_id, outcome))
        elif outcome.repeated:
            tally.repeated += 1
        elif status == "held":
            tally.held += 1
        else:
            tally.settled += 1
    for one in sorted(refused):
        listed(one)
    tally.rejected += len(refused)
    tally.first += sorted(refused)[: REJECTS_SHOWN - len(tally.first)]
    advance(texts.done - done)
    return texts.done


def _reject_row(one: Reject) -> RejectRow:
    """A row that is none."""
    return one.row, one.field, f"{one.code}: {one.zh} | {one.en}", one.order_id


def _refused_row(row: int, order_id: str, refused: Any) -> RejectRow:  # noqa: ANN401 - a RangliError or an ApiRefused
    """A row that the service refused."""
    return row, getattr(refused, "field", ""), f"{refused.code}: {refused.zh} | {refused.en}", order_id


@contextmanager
def _listing(path: Path | None) -> Iterator[Callable[[RejectRow], object]]:
    """Where refused rows go: a CSV file, or nowhere."""
    if path is None:
        yield lambda _: None
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(REJECTS_HEAD)
        yield rows.writerow


def _show(face: Face, tally: Tally, rejects: Path | None) -> None:
    """What became of the rows."""
    from rangli.cli.settling import both_languages

    face.show(
        faces.facts(
            (face.words("新结算", "settled now"), faces.count(tally.settled)),
            *([(face.words("冻结中", "held"), faces.count(tally.held))] if tally.held else []),
            (face.words("早已在账", "there before"), faces.count(tally.repeated)),
            (face.words("拒绝", "refused"), faces.count(tally.rejected)),
        )
    )
    for row, _, reason, _ in tally.first:
        zh, en = both_languages(reason)
        face.show(faces.paragraph(face.words(f"第 {row} 行:{zh}", f"row {row}: {en}"), indent=2))
    if rejects is not None and tally.rejected:
        face.line(f"全部列在 {rejects}", f"all of them are in {rejects}", "dim")
    elif tally.rejected > len(tally.first):
        face.line("加 --rejects FILE 全部列出", "--rejects FILE lists all of them", "dim")
