"""Imports: an order file handed in by an operator, looked through first, then settled in batches, with a list of refused rows.

    file ─▶ checking (nothing changes) ─▶ checked ─▶ settling ─▶ settled
                                             └────── cancelled ──────┘

Each order id counts once for ever, so an import that was cut short is simply begun again. One file is worked on at a time; what
is remembered of an import goes with the process.
"""

from __future__ import annotations

import csv
import io
import logging
import secrets
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import numpy as np

from rangli.errors import FileRefused, ImportNotFound, ImportNotReady, NotSettling, RangliError, Unavailable
from rangli.files.orders import FIELDS
from rangli.files.sheets import harmless
from rangli.files.texts import BATCH_ROWS, OrderTexts
from rangli.money import mul_div
from rangli.service.clock import Clock, rfc3339
from rangli.service.requests import OrderRequest
from rangli.service.settling.orders import check as check_orders
from rangli.service.views import Answer
from rangli.store import browse, rows
from rangli.store.database import Database
from rangli.store.keys import hashes_of

if TYPE_CHECKING:
    from rangli.service.running import Running

CHECKING: Final = "checking"
CHECKED: Final = "checked"
SETTLING: Final = "settling"
SETTLED: Final = "settled"
CANCELLED: Final = "cancelled"
FAILED: Final = "failed"
GOING_ON: Final = (CHECKING, SETTLING)

ROWS_MAX: Final = 1_000_000
KEPT_MAX: Final = 20
"""Imports that are remembered, with their files."""
SHOWN_MAX: Final = 100
"""Refused rows that a page shows; all of them are in the file of refused rows."""
RETRIES_MAX: Final = 30
RETRY_SECONDS: Final = 1
KINDS: Final = (".csv", ".parquet", ".ndjson", ".jsonl")
REFUSED_HEAD: Final = ("line", "order_id", "field", "code", "zh", "en")
_SHOWN_LETTERS: Final = 60

log = logging.getLogger("rangli.imports")


class RefusedRow(msgspec.Struct, frozen=True):
    """A row that is no order, what is wrong with it and what would be right."""

    line: int
    """Of a text file, from 1 with its header; of a Parquet file the row."""
    order_id: str
    field: str
    code: str
    zh: str
    en: str


class ImportView(msgspec.Struct, frozen=True):
    """An import as it stands."""

    id: str
    programme: str
    filename: str
    by: str
    began_at: str
    state: str
    can_settle: bool
    """It was looked through to its end, and is not being settled or settled."""
    percent: int
    rows: int
    """Rows looked at so far."""
    good: int
    """Of a file that was checked: orders that can be settled and are new. Of one that was settled: settled now."""
    held: int
    repeated: int
    """Orders that were there before with the same facts: nothing changes."""
    refused: int
    first: list[RefusedRow]
    zh: str
    en: str
    """Why it failed, or was cut short."""


class _Some(NamedTuple):
    """Some rows of a file."""

    lines: list[int]
    orders: list[OrderRequest]
    refused: list[RefusedRow]
    done: int


class _Import:
    """One file."""

    def __init__(self, running: Running, filename: str, by: str, at: int, folder: Path, data: bytes) -> None:
        self.id = secrets.token_hex(8)
        self.running = running
        self.filename = filename
        self.by = by
        self.at = at
        self.folder = folder.joinpath(self.id)
        self.folder.mkdir()
        self.path = self.folder.joinpath(f"orders{Path(filename).suffix.lower()}")
        self.path.write_bytes(data)
        self.lock = threading.Lock()
        self.stop = threading.Event()
        self.state = CHECKING
        self.fault = ("", "")
        self.is_checked = False
        self.begin(CHECKING)

    @property
    def refused_path(self) -> Path:
        """Where its refused rows are listed."""
        return self.folder.joinpath("refused.csv")

    @property
    def can_settle(self) -> bool:
        """Whether it was looked through to its end, and is not being settled or settled."""
        return self.is_checked and self.state in (CHECKED, CANCELLED, FAILED)

    def begin(self, state: str) -> None:
        """Count anew."""
        self.state = state
        self.percent = self.rows = self.good = self.held = self.repeated = self.refused = 0
        self.first: list[RefusedRow] = []

    def view(self) -> ImportView:
        """As it stands."""
        with self.lock:
            counts = self.percent, self.rows, self.good, self.held, self.repeated, self.refused
            return ImportView(
                self.id, self.running.name, self.filename, self.by, rfc3339(self.at), self.state, self.can_settle, *counts,
                list(self.first), *self.fault,
            )  # fmt: skip


class Imports:
    """All imports of a service, oldest first."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._folder: Path | None = None
        self._imports: dict[str, _Import] = {}
        self._lock = threading.Lock()
        self._worker = ThreadPoolExecutor(1, "rangli import")

    # ------------------------------------------------------------ for callers

    def check(self, running: Running, filename: str, data: bytes, by: str) -> ImportView:
        """Take a file and begin to look through it; nothing is settled. Raises FileRefused."""
        if Path(filename).suffix.lower() not in KINDS:
            kinds = ", ".join(KINDS)
            raise FileRefused(
                f"{filename[:_SHOWN_LETTERS]!r} 不是 {kinds} 文件", f"{filename[:_SHOWN_LETTERS]!r} is none of {kinds}"
            )
        with self._lock:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="rangli-import-"))
            new = _Import(running, filename[-_SHOWN_LETTERS:], by, self._clock(), self._folder, data)
            self._imports[new.id] = new
            over = [old for old in self._imports.values() if old.state not in GOING_ON]
            for old in over[: max(0, len(self._imports) - KEPT_MAX)]:
                del self._imports[old.id]
                shutil.rmtree(old.folder, ignore_errors=True)
        self._worker.submit(self._work, new, _check_some)
        return new.view()

    def settle(self, programme: str, number: str) -> ImportView:
        """Settle a file that was checked, or one that was cut short. Raises ImportNotFound, ImportNotReady."""
        one = self._one(programme, number)
        with one.lock:
            if not one.can_settle:
                raise ImportNotReady(
                    "这个文件还在检查或已经结算;请等检查完再结算",
                    "this file is being checked, or was settled; settle it once it is checked",
                )
            one.stop.clear()
            one.fault = ("", "")
            one.begin(SETTLING)
        self._worker.submit(self._work, one, _settle_some)
        return one.view()

    def cancel(self, programme: str, number: str) -> None:
        """Stop after the batch that is being worked on; what has been settled stays. Raises ImportNotFound."""
        self._one(programme, number).stop.set()

    def view(self, programme: str, number: str) -> ImportView:
        """An import as it stands. Raises ImportNotFound."""
        return self._one(programme, number).view()

    def refused_rows(self, programme: str, number: str) -> bytes:
        """Its refused rows as a CSV. Raises ImportNotFound."""
        one = self._one(programme, number)
        return one.refused_path.read_bytes() if one.refused_path.exists() else _head()

    def of(self, programme: str) -> list[ImportView]:
        """The imports of a programme that are remembered, newest first."""
        return [one.view() for one in reversed(list(self._imports.values())) if one.running.name == programme]

    def close(self) -> None:
        """Stop, and forget the files."""
        with self._lock:
            for one in self._imports.values():
                one.stop.set()
        self._worker.shutdown(cancel_futures=True)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _one(self, programme: str, number: str) -> _Import:
        one = self._imports.get(number)
        if one is None or one.running.name != programme:
            raise ImportNotFound("没有这次导入,或已不再保留", "there is no such import, or it is no longer kept")
        return one

    # ------------------------------------------------------------ in the worker

    def _work(self, one: _Import, step: Any) -> None:  # noqa: ANN401 -- one of the two below
        """Go through the file, batch by batch."""
        try:
            reader, seen = _reader(one), _Seen(self._database, one.running)
            with one.refused_path.open("wb") as out:
                out.write(_head())
                for some in reader:
                    if one.stop.is_set():
                        break
                    outcome = step(seen, one, some)
                    _write_refused(out, outcome.refused)
                    _count(one, some, outcome)
            self._end(one, CANCELLED if one.stop.is_set() else CHECKED if one.state == CHECKING else SETTLED)
        except FileRefused as fault:
            path, name = str(one.path), one.filename
            self._end(one, FAILED, fault.zh.replace(path, name), fault.en.replace(path, name))
        except RangliError as fault:
            self._end(one, FAILED, fault.zh, fault.en)
        except Exception:  # our own mistake, or a full disk: nobody waits here who could be told otherwise
            log.exception("an import ended")
            self._end(
                one, FAILED, "内部错误,详见日志;可再次导入,不会重复结算", "an unexpected fault, see the log; import it again"
            )

    def _end(self, one: _Import, state: str, zh: str = "", en: str = "") -> None:
        with one.lock:
            one.state, one.fault = state, (zh, en)
            one.is_checked = one.is_checked or state == CHECKED


class _Outcome(NamedTuple):
    """What became of some rows."""

    good: int
    held: int
    repeated: int
    refused: list[RefusedRow]


def _count(one: _Import, some: _Some, outcome: _Outcome) -> None:
    """Let the view follow."""
    with one.lock:
        one.rows += len(some.lines) + len(some.refused)
        one.good += outcome.good
        one.held += outcome.held
        one.repeated += outcome.repeated
        one.refused += len(outcome.refused)
        one.first += outcome.refused[: SHOWN_MAX - len(one.first)]
        one.percent = some.done
        if one.rows > ROWS_MAX:
            raise FileRefused(f"超过 {ROWS_MAX} 行;请分成几个文件", f"more than {ROWS_MAX} rows; split it into several files")


# ---------------------------------------------------------------- checking and settling


class _Seen:
    """What is known of ids while a file is gone through."""

    def __init__(self, database: Database, running: Running) -> None:
        self.database = database
        self.running = running
        self.first: dict[str, tuple[bytes, int]] = {}
        """By order id: the digest of its first row in the file, and its line."""


def _check_some(seen: _Seen, _: _Import, some: _Some) -> _Outcome:
    """Which of these rows the programme would settle, without settling any."""
    recovered = seen.running.settler.recovered
    if recovered is None:
        raise NotSettling("此刻不由本进程结算;请稍后再试", "this process does not settle it now; try again soon")
    standing = recovered.standing
    terms = standing.plans[seen.running.settler.published.plan].terms
    checked = check_orders(some.orders, (terms.concession_bp_min, terms.concession_bp_max))
    positions = recovered.keys.find(hashes_of(rows.ORDER, checked.key_ends, checked.keys))
    with seen.database.reading() as connection:
        there = browse.requests_at(connection, seen.running.number, np.unique(positions[positions > 0]).tolist())
    refused, repeated = list(some.refused), 0
    for i, (line, order) in enumerate(zip(some.lines, some.orders, strict=True)):
        fault: RangliError | None = checked.refusals.get(i) or recovered.names.fault(order)
        if fault is not None:
            refused.append(_refused(line, order.order_id, fault))
            continue
        digest = checked.digest(i)
        before, where = seen.first.setdefault(order.order_id, (digest, line))
        kind, key, asked = there.get(int(positions[i]), (0, "", b""))
        is_settled = kind == rows.ORDER and key == order.order_id
        if before != digest or (is_settled and asked != digest):
            refused.append(_conflict(line, order.order_id, where if before != digest else 0))
        elif where != line or is_settled:
            repeated += 1
    good = len(some.lines) + len(some.refused) - len(refused) - repeated
    return _Outcome(good, 0, repeated, sorted(refused, key=lambda row: row.line))


def _settle_some(_seen: _Seen, one: _Import, some: _Some) -> _Outcome:
    """Settle these rows."""
    refused, counts = list(some.refused), {"done": 0, "held": 0, "repeated": 0}
    for line, order, answer in zip(some.lines, some.orders, _answers(one, some.orders), strict=True):
        if isinstance(answer, RangliError):
            refused.append(_refused(line, order.order_id, answer))
        else:
            counts["repeated" if answer.repeated else "held" if answer.status == "held" else "done"] += 1
    return _Outcome(counts["done"], counts["held"], counts["repeated"], sorted(refused, key=lambda row: row.line))


def _answers(one: _Import, orders: Sequence[OrderRequest]) -> list[Answer | RangliError]:
    """What became of these orders, asked again while nobody settles: no id counts twice."""
    for _ in range(RETRIES_MAX):
        try:
            return one.running.do(orders)
        except Unavailable as fault:
            last = fault
            if one.stop.wait(RETRY_SECONDS):
                break
    raise last


def _refused(line: int, order_id: str, fault: RangliError) -> RefusedRow:
    code: str = getattr(fault, "status", "") or fault.code
    return RefusedRow(line, order_id[:_SHOWN_LETTERS], getattr(fault, "field", ""), code, fault.zh, fault.en)


def _conflict(line: int, order_id: str, where: int) -> RefusedRow:
    """A row whose id stands for another order."""
    zh = f"订单号在第 {where} 行已出现" if where else "此订单号早已入账"
    en = f"line {where} has this order id" if where else "this order id is in the books already"
    return RefusedRow(
        line, order_id[:_SHOWN_LETTERS], "order_id", "request_conflict",
        f"{zh},内容不同;同一订单号只能有一组事实,请改正或换一个订单号",
        f"{en} with other facts; one order id has one set of facts, so correct it or choose another id",
    )  # fmt: skip


# ---------------------------------------------------------------- files


def _reader(one: _Import) -> Iterator[_Some]:
    """The rows of a file, a batch at a time."""
    if one.path.suffix in (".ndjson", ".jsonl"):
        return _json_lines(one.path)
    return _table(one.path)


def _table(path: Path) -> Iterator[_Some]:
    """A CSV, whose header is line 1, or a Parquet file."""
    source = OrderTexts(path, BATCH_ROWS)
    header = int(path.suffix == ".csv")
    for texts in source.batches():
        columns = (texts.fields[name] for name in OrderRequest.__struct_fields__)
        refused = [RefusedRow(one.row + header, one.order_id, one.field, one.code, one.zh, one.en) for one in texts.rejects]
        yield _Some(
            [row + header for row in texts.row], list(map(OrderRequest, *columns)), refused, _percent(texts.done, source.size)
        )


def _json_lines(path: Path) -> Iterator[_Some]:
    """One JSON object a line."""
    size, done = path.stat().st_size, 0
    some = _Some([], [], [], 0)
    with path.open("rb") as file:
        for number, text in enumerate(file, 1):
            done += len(text)
            if text.strip():
                row = _order_of(number, text)
                if isinstance(row, OrderRequest):
                    some.lines.append(number)
                    some.orders.append(row)
                else:
                    some.refused.append(row)
            if len(some.lines) + len(some.refused) == BATCH_ROWS:
                yield some._replace(done=_percent(done, size))
                some = _Some([], [], [], 0)
    yield some._replace(done=100)


def _order_of(line: int, text: bytes) -> OrderRequest | RefusedRow:
    """The order in a line, or why there is none. Fields that no order has are passed over, as columns are."""
    try:
        found = msgspec.json.decode(text)
    except (ValueError, RecursionError) as fault:
        return RefusedRow(
            line,
            "",
            "",
            "json_malformed",
            f"不是 JSON:{fault};每行应为一个 JSON 对象",
            f"no JSON: {fault}; each line is one JSON object",
        )
    if not isinstance(found, dict):
        return RefusedRow(
            line,
            "",
            "",
            "json_malformed",
            "不是 JSON 对象;每行应为一个 JSON 对象",
            "no JSON object; each line is one JSON object",
        )
    order_id = found.get("order_id", "")
    for name in FIELDS:
        if not isinstance(found.get(name, ""), str):
            shown = order_id[:_SHOWN_LETTERS] if isinstance(order_id, str) else ""
            return RefusedRow(
                line, shown, name, "field_refused", '不是文本;请写成文本,如 "12.50"', 'is no text; write it as one, as "12.50"'
            )
    return OrderRequest(**{name: found.get(name, "") for name in OrderRequest.__struct_fields__})


def _head() -> bytes:
    """The first line of a file of refused rows, as a spreadsheet opens it."""
    return b"\xef\xbb\xbf" + ",".join(REFUSED_HEAD).encode() + b"\r\n"


def _write_refused(out: IO[bytes], refused: Sequence[RefusedRow]) -> None:
    """More of them."""
    lines = io.StringIO()
    write = csv.writer(lines)
    for row in refused:
        write.writerow([harmless(str(getattr(row, name))) for name in REFUSED_HEAD])
    out.write(lines.getvalue().encode(errors="replace"))


def _percent(done: int, size: int) -> int:
    return mul_div(100, done, max(size, 1))
