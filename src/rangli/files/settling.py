"""Settling a file: orders in, a directory of books out.

    orders.csv ─▶ OrderFile ─▶ resolve names ─▶ Programme.run ─▶ Writer ─▶ DIR/transfers.parquet, lots.parquet, balances.csv,
                     │                              │                       rejects.csv, summary.json, plan.yaml
                  rejects                        refused rows

The directory appears whole or not at all: everything is written beside it and renamed at the end. Memory holds one batch, the
open state and the register of names.
"""

from __future__ import annotations

import csv
import hashlib
import secrets
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rangli.engine.draw import SECRET_BYTES, siphash_strings
from rangli.engine.out import SETTLED, STATUS_NAMES, VOUCHERS_OVER_LIMIT, VOUCHERS_SHORT
from rangli.errors import FileRefused, RowsRefused
from rangli.files import BALANCES, LOTS, PLAN, REJECTS, SUMMARY, TRANSFERS
from rangli.files.orders import NAMES, OrderFile, OrderRows, Reject, reject
from rangli.files.writing import LOTS_SCHEMA, TRANSFERS_SCHEMA, LotsFile, Register, Sink, TransfersFile, parquet
from rangli.ledger import Books, unit_of_account
from rangli.ledger.accounts import AGENT, CONSUMER, KIND_NAMES, MERCHANT
from rangli.ledger.transfers import CODE_NAMES, UNIT_NAMES, UNIT_OF_CODE
from rangli.money import BP_PER_ONE, mul_div, print_micro, print_percent, print_yuan
from rangli.plan import CompiledPlan
from rangli.plan.terms import Terms
from rangli.settle import Chunk, Orders, Programme

MEANING_OF_COLUMN: Final = {
    "consumer": "consumer",
    "merchant": "merchant",
    "referrer": "referrer",
    "referrer2": "referrer",
    **dict.fromkeys(("recruiter", "agent_district", "agent_city", "agent_province", "agent_region"), "agent"),
}
KIND_OF_MEANING: Final = {"consumer": CONSUMER, "merchant": MERCHANT, "referrer": CONSUMER, "agent": AGENT}
"""Whom a bare name means. In the parties' columns ``merchant:<name>`` and so on says it outright."""

Progress = Callable[[int], None]
RejectRow = tuple[int, str, str, str]


class Summary(NamedTuple):
    """What a run came to; summary.json holds the same."""

    plan: str
    version: str
    orders: int
    rejected: int
    duplicates: int
    transfers: int
    paid_fen: int
    concession_micro: int
    returned_micro: int
    by_code: dict[str, dict[str, Any]]
    trial_balance_micro: int
    units: dict[str, int]
    state_hash: str
    secret: str
    days: list[dict[str, str]]
    periods: list[dict[str, int]]
    extra_columns: list[str]
    orders_file: str = ""
    """Where the orders were, absolute, and the SHA-256 of that file: what an audit settles again."""
    orders_sha256: str = ""


class Resolver:
    """Names of order rows to holder numbers, in an order that no cutting into batches changes."""

    def __init__(self, programme: Programme) -> None:
        self.programme = programme
        self._known: dict[str, dict[str, int]] = {meaning: {} for meaning in MEANING_OF_COLUMN.values()}

    def party(self, rows: OrderRows) -> NDArray[np.int32]:
        """(n, ORDER_PARTIES) holder numbers; new names get theirs row by row, and within a row in the order of NAMES."""
        new: list[tuple[int, int, int, str]] = []
        numbers: list[NDArray[np.int32]] = []
        for column, field in enumerate(NAMES):
            coded = rows.names[field]
            names = coded.dictionary.to_pylist()
            known = self._known[MEANING_OF_COLUMN[field]]
            numbers.append(np.array([*(known.get(name, -1) for name in names), -1], np.int32))
            places = np.flatnonzero(numbers[column][:-1] < 0).tolist()
            if places:
                first = _first_rows(coded, len(names))
                new += [(int(first[place]), column, place, names[place]) for place in places]
        for _, column, place, name in sorted(new):
            meaning = MEANING_OF_COLUMN[NAMES[column]]
            number = self._known[meaning].get(name)
            if number is None:
                number = self._known[meaning][name] = self.programme.holder(*kind_and_name(meaning, name))
            numbers[column][place] = number
        party = np.full((len(rows.row), len(NAMES)), -1, np.int32)
        for column, field in enumerate(NAMES):
            party[:, column] = numbers[column][_codes(rows.names[field])]
        return party


def kind_and_name(meaning: str, name: str) -> tuple[int, str]:
    """Whom a name means in a column of this meaning: its kind, and the name without it."""
    if meaning in ("referrer", "agent"):
        prefix, colon, bare = name.partition(":")
        if colon and prefix in KIND_NAMES:
            return KIND_NAMES.index(prefix), bare
    return KIND_OF_MEANING[meaning], name


def _codes(coded: pa.DictionaryArray) -> NDArray[np.int32]:
    """The indices of a dictionary column, -1 for null."""
    indices = coded.indices
    codes: NDArray[np.int32] = (indices.fill_null(-1) if indices.null_count else indices).to_numpy()
    return codes


def _first_rows(coded: pa.DictionaryArray, values: int) -> NDArray[np.int64]:
    """The first row of each value of the dictionary."""
    codes = _codes(coded)
    first = np.full(values + 1, len(codes), np.int64)
    np.minimum.at(first, codes, np.arange(len(codes)))
    return first


class Run:
    """One settlement of one file: settles batch by batch and keeps what the summary needs. ``audit`` runs it again."""

    def __init__(self, compiled: CompiledPlan, source: OrderFile, secret: bytes) -> None:
        self.programme = Programme(compiled, secret)
        self.resolver = Resolver(self.programme)
        self.register = Register(self.programme.accounts)
        self.source = source
        source.concession_bp = (compiled.terms.concession_bp_min, compiled.terms.concession_bp_max)
        self.books = Books()
        self.days: set[int] = set()
        self.by_code = np.zeros((len(CODE_NAMES), 2), np.int64)
        self.rejected = 0
        self.concession_micro = 0

    def batches(self) -> Iterator[tuple[OrderRows, NDArray[np.uint8], Iterator[Chunk], list[Reject]]]:
        """Per batch: rows, statuses, its chunks (to be consumed before the next batch) and the rejects, complete after them."""
        for rows, unread in self.source.batches():
            rejects = list(unread)
            party = self.resolver.party(rows)
            status = np.zeros(len(rows.row), np.uint8)
            orders = Orders(rows.paid_fen, rows.concession_bp, rows.voucher_fen, rows.day, self._keys(rows), party)
            yield rows, status, self._chunks(rows, orders, status, rejects), rejects
            settled = status == SETTLED
            self.concession_micro += int((rows.paid_fen[settled] * rows.concession_bp[settled]).sum())
            self.rejected += len(rejects)

    def _chunks(self, rows: OrderRows, orders: Orders, status: NDArray[np.uint8], rejects: list[Reject]) -> Iterator[Chunk]:
        """The batch's chunks, each counted and folded onto the balances; after them what the engine refused joins the rejects."""
        for chunk in self.programme.run(orders, status):
            if len(chunk.transfers.code):
                self.books.fold(chunk.transfers)
                count_codes(chunk.transfers.code, chunk.transfers.amount, self.by_code)
            yield chunk
        refused = np.flatnonzero(status != SETTLED).tolist()
        rejects += [refusal(self.programme.terms, rows, i, int(status[i])) for i in refused]
        rejects.sort()

    def _keys(self, rows: OrderRows) -> NDArray[np.int64]:
        """The order's keys for draws."""
        days, row_of = np.unique(rows.day, return_inverse=True)
        self.days.update(days.tolist())
        keys = np.array([self.programme.sip_key(day) for day in days.tolist()], np.int64).reshape(-1, 2)
        out = np.empty(len(rows.row), np.int64)
        _, offsets, data = rows.order_id.buffers()
        if len(out):
            at = rows.order_id.offset
            siphash_strings(
                np.frombuffer(offsets, np.int32)[at : at + len(out) + 1],
                np.frombuffer(data, np.uint8),
                row_of.astype(np.int64),
                keys,
                out,
            )
        return out

    def summary(self) -> Summary:
        """The figures of the run so far."""
        tally = self.programme.state.holdings.tally
        balance = self.books.trial_balance()
        codes = {
            CODE_NAMES[code]: {"unit": UNIT_NAMES[UNIT_OF_CODE[code]], "count": int(count), "amount_micro": int(amount)}
            for code, (count, amount) in enumerate(self.by_code)
            if count
        }
        return Summary(
            plan=self.programme.compiled.plan.name,
            version=self.programme.compiled.version,
            orders=int(tally[0]),
            rejected=self.rejected,
            duplicates=self.source.duplicates,
            transfers=int(self.by_code[:, 0].sum()),
            paid_fen=int(tally[1]),
            concession_micro=self.concession_micro,
            returned_micro=int(tally[2]),
            by_code=codes,
            trial_balance_micro=sum(abs(total) for total in balance.values()),
            units=balance,
            state_hash=self.programme.hash(),
            secret=self.programme.secret.hex(),
            days=[
                {"day": str(np.datetime64(day, "D")), "commitment": self.programme.commitment(day)} for day in sorted(self.days)
            ],
            periods=[{"released_micro": released, "held_micro": held} for released, held in self.programme.periods],
            extra_columns=self.source.extra_columns,
        )


def count_codes(code: NDArray[np.int8], amount: NDArray[np.int64], by_code: NDArray[np.int64]) -> None:
    """Add the number and the sum of transfers of each code to by_code (codes, 2)."""
    from rangli.files.columns import add_by_code  # noqa: PLC0415  (compiled on first use)

    add_by_code(code, amount, by_code)


def refusal(terms: Terms, rows: OrderRows, i: int, status: int) -> Reject:
    """Why the engine refused row i, in words."""
    row, order_id, code = int(rows.row[i]), rows.order_id[i].as_py(), STATUS_NAMES[status]
    if code == "concession_out_of_range":
        value, other = (
            int(rows.concession_bp[i]),
            f"{print_percent(terms.concession_bp_min)}–{print_percent(terms.concession_bp_max)}",
        )
        return reject(row, order_id, "concession", code, value=print_percent(value), other=other)
    if status in (VOUCHERS_OVER_LIMIT, VOUCHERS_SHORT):
        most = mul_div(int(rows.paid_fen[i]), terms.offset_bp, BP_PER_ONE)
        return reject(row, order_id, "voucher", code, value=print_yuan(int(rows.voucher_fen[i])), other=print_yuan(most))
    return reject(row, order_id, "amount", code, value=print_yuan(int(rows.paid_fen[i])))


def settle_file(
    compiled: CompiledPlan,
    plan_text: str,
    source: OrderFile,
    out: Path,
    *,
    secret: bytes | None = None,
    strict: bool = False,
    progress: Progress | None = None,
) -> Summary:
    """Settle a file into the directory ``out``, which must not be there or be empty.

    secret   : 32 bytes; None draws a fresh one. It is recorded with its commitments.
    strict   : settle nothing if any row is refused
    progress : called with how much of ``source.rows`` is done
    Raises FileRefused, and RowsRefused under ``strict``.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileRefused(f"{out} 已存在且不为空;请另选一个目录", f"{out} exists and is not empty; choose another directory")
    part = out.with_name(f"{out.name}.partial")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        run = Run(compiled, source, secret if secret is not None else secrets.token_bytes(SECRET_BYTES))
        with ThreadPoolExecutor(1) as reader:
            digest = reader.submit(sha256_of, source.path)
            _write(run, part, progress)
        if strict:
            _refuse_any(run.rejected)
        summary = run.summary()._replace(orders_file=str(source.path.resolve()), orders_sha256=digest.result())
        assert summary.trial_balance_micro == 0
        write_balances(part / BALANCES, run)
        (part / PLAN).write_text(plan_text, encoding="utf-8")
        (part / SUMMARY).write_bytes(msgspec.json.format(msgspec.json.encode(summary._asdict()), indent=2) + b"\n")
        if out.exists():
            out.rmdir()
        part.rename(out)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return summary


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _refuse_any(rejected: int) -> None:
    """Raises RowsRefused when there are refused rows."""
    if rejected:
        raise RowsRefused(
            f"{rejected} 行有问题,--strict 下一行都不结算;不加 --strict 可结算其余各行并列出这些行",
            f"{rejected} row(s) refused, and --strict settles nothing then; without it the rest is settled and these are listed",
        )


def _write(run: Run, part: Path, progress: Progress | None) -> None:
    """Settle everything into three growing files."""
    with (part / REJECTS).open("w", encoding="utf-8", newline="") as rejects_file:
        listed = csv.writer(rejects_file)
        listed.writerow(("row", "field", "reason", "order_id"))
        tables = parquet(part / TRANSFERS, TRANSFERS_SCHEMA), parquet(part / LOTS, LOTS_SCHEMA)
        settle_into(run, *tables, listed.writerows, progress)


def settle_into(
    run: Run, to_transfers: Sink, to_lots: Sink, to_rejects: Callable[[Iterator[RejectRow]], object], progress: Progress | None
) -> None:
    """Settle everything, batch by batch; transfers are handed on by a second thread while the first settles on."""
    with (
        TransfersFile(to_transfers, run.register) as transfers,
        LotsFile(to_lots, run.programme, run.register) as lots,
        ThreadPoolExecutor(1) as writer,
    ):
        waiting: Future[None] | None = None
        done = 0
        for rows, status, chunks, rejects in run.batches():
            for chunk in chunks:
                lots.closed(chunk.closed)
                transfers.gather(chunk.transfers)
            lots.batch(rows, status)
            if waiting is not None:
                waiting.result()
            waiting = writer.submit(transfers.write, transfers.take(rows.order_id))
            to_rejects(reject_row(one) for one in rejects)
            if progress is not None:
                progress(run.source.done - done)
                done = run.source.done
        if waiting is not None:
            waiting.result()
        lots.finish()


def reject_row(one: Reject) -> RejectRow:
    """A row of rejects.csv: the reason in Chinese and English beside it."""
    return one.row, one.field, f"{one.code}: {one.zh} | {one.en}", one.order_id


def write_balances(path: Path, run: Run) -> None:
    """balances.csv: every account that was touched, by path."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("account", "unit", "amount_micro", "amount"))
        account = np.array(run.books.touched(), np.int32)
        paths = run.register.paths(account)
        order = pc.sort_indices(paths).to_numpy()
        units = (UNIT_NAMES[unit_of_account(number)] for number in account[order].tolist())
        amounts = run.books.balance[account[order]].tolist()
        texts = (print_micro(amount) for amount in amounts)
        rows.writerows(zip(paths.take(pa.array(order)).to_pylist(), units, amounts, texts, strict=True))
