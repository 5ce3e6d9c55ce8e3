"""Export: a programme's books as files that others read, all from one moment, while its settler goes on.

    journal ─▶ decisions, a few thousand at a time ─▶ transfers and orders as CSV or Parquet, or a beancount file
                                                   └▶ balances, as the fold of what was written

``orders`` has the columns of an order file, so it can be settled or imported again.
"""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
from psycopg import IsolationLevel, sql
from pyarrow import csv as arrow_csv

from rangli.errors import FileRefused, LedgerError, ProgrammeNotFound
from rangli.files import BALANCES
from rangli.files.orders import FIELDS, NAMES
from rangli.files.writing import Register, Sink, parquet
from rangli.ledger import Books, Decision, Leg, beancount_lines
from rangli.ledger.accounts import Accounts
from rangli.ledger.books import Row
from rangli.ledger.transfers import CODE_NAMES, UNIT_NAMES, UNIT_OF_CODE, Transfers
from rangli.money import print_micro, print_percent, print_yuan
from rangli.service.looking.reading import BEIJING_MICRO
from rangli.service.settling.facts import EPOCH, instant_text, party_name
from rangli.store import rows
from rangli.store.database import Connection, Database
from rangli.store.journal import head
from rangli.store.people import programme_number

Format = Literal["csv", "parquet", "beancount"]
Progress = Callable[[int], None]

DECISIONS: Final = 1 << 13
"""Decisions that are in memory at a time."""
BEANCOUNT: Final = "books.beancount"
_TEXT: Final = pa.dictionary(pa.int32(), pa.string())
TRANSFERS_SCHEMA: Final = pa.schema(
    [
        ("position", pa.int64()),
        ("line", pa.int32()),
        ("decided_at", pa.timestamp("us", "UTC")),
        ("kind", _TEXT),
        ("id", pa.string()),
        ("source", _TEXT),
        ("destination", _TEXT),
        ("amount_micro", pa.int64()),
        ("unit", _TEXT),
        ("code", _TEXT),
    ]
)
ORDERS_SCHEMA: Final = pa.schema(
    [(name, pa.string()) for name in FIELDS] + [("position", pa.int64()), ("refunded", pa.string()), ("plan_number", pa.int32())]
)
_LEGS: Final = {"position": pa.int64(), "line": pa.int32(), "at": pa.int64(), "kind": pa.int16(), "key": pa.string()} | {
    "source": pa.int32(), "destination": pa.int32(), "amount": pa.int64(), "code": pa.int16()
}  # fmt: skip


class Exported(NamedTuple):
    """What was written."""

    programme: str
    position: int
    """The decision up to which it goes."""
    orders: int
    transfers: int
    accounts: int
    files: list[str]


def export(database: Database, name: str, out: Path, form: Format, progress: Progress) -> Exported:
    """Write a programme's books into the directory ``out``, which must not be there or be empty; all of it or nothing.

    progress : called with how many decisions are done
    Raises FileRefused, ProgrammeNotFound, LedgerError.
    """
    with _appearing(out) as part, database.connect(autocommit=False) as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        source = _Source(connection, name)
        if form == "beancount":
            counts = _write_beancount(source, part.joinpath(BEANCOUNT), progress)
        else:
            counts = _write_tables(source, part, form, progress)
        _write_balances(part.joinpath(BALANCES), source)
        files = sorted(path.name for path in part.iterdir())
    return Exported(name, source.upto, *counts, len(source.books.touched()), files)


@contextmanager
def _appearing(out: Path) -> Iterator[Path]:
    """A directory beside ``out`` that becomes it when all has gone well."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileRefused(f"{out} 已存在且不为空;请另选一个目录", f"{out} exists and is not empty; choose another directory")
    part = out.with_name(f"{out.name}.partial")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        if out.exists():
            out.rmdir()
        part.rename(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)


class _Source:
    """One programme's journal and register in one snapshot."""

    def __init__(self, connection: Connection, name: str) -> None:
        number = programme_number(connection, name)
        if number is None:
            raise ProgrammeNotFound(f"没有项目 {name[:60]!r}", f"there is no programme {name[:60]!r}")
        self.connection = connection
        self.number = number
        self.upto = head(connection, self.number)
        self.accounts = register(connection, self.number)
        self.books = Books()

    def last_at(self) -> int:
        """When the last decision was made."""
        found = self.connection.execute(
            "SELECT at FROM journal WHERE programme = %s AND position = %s", [self.number, self.upto]
        ).fetchone()
        return 0 if found is None else int(found[0])

    def parts(self) -> Iterator[tuple[int, pa.Table]]:
        """Legs, DECISIONS at a time, each with the position before its first; they are folded onto the books on the way."""
        for after in range(0, self.upto, DECISIONS):
            legs = legs_between(self.connection, self.number, after, min(after + DECISIONS, self.upto))
            self.books.fold(transfers_of(legs))
            yield after, legs


def register(connection: Connection, programme: int) -> Accounts:
    """The holders of a programme. Raises LedgerError when they are not numbered as they came."""
    accounts = Accounts()
    found = connection.execute("SELECT number, kind, name FROM holder WHERE programme = %s ORDER BY number", [programme])
    for number, kind, name in found:
        if number != accounts.number(kind, name):
            raise _damaged(f"名册第 {number} 号", f"holder {number} of the register")
    return accounts


def legs_between(connection: Connection, programme: int, after: int, upto: int) -> pa.Table:
    """The transfers of the decisions after one position up to another, in order, with the columns of the view."""
    query = sql.SQL(
        "COPY (SELECT j.position, leg.line, j.at, j.kind, j.key, leg.source, leg.destination, leg.amount, leg.code"
        " FROM journal j, unnest(j.source, j.destination, j.amount, j.code) WITH ORDINALITY"
        " AS leg (source, destination, amount, code, line)"
        " WHERE j.programme = {} AND j.position > {} AND j.position <= {} ORDER BY j.position, leg.line)"
        " TO STDOUT (FORMAT CSV, FORCE_QUOTE (key))"
    ).format(programme, after, upto)
    with connection.cursor().copy(query) as copy:
        data = b"".join(copy)
    if not data:
        return pa.table({name: pa.array([], kind) for name, kind in _LEGS.items()})
    return arrow_csv.read_csv(
        io.BytesIO(data),
        read_options=arrow_csv.ReadOptions(column_names=list(_LEGS), use_threads=False),
        parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
        convert_options=arrow_csv.ConvertOptions(column_types=_LEGS, strings_can_be_null=False),
    )


def transfers_of(legs: pa.Table) -> Transfers:
    """The same as the books take them. Raises LedgerError when a decision's arrays are not of one length."""
    if any(legs[name].null_count for name in ("source", "destination", "amount", "code")):
        raise _damaged("某条决定的转账", "the transfers of a decision")
    columns = [legs[name].to_numpy() for name in ("source", "destination", "amount", "code")]
    return Transfers(
        np.zeros(len(legs), np.int32), columns[0].copy(), columns[1].copy(), columns[2].copy(), columns[3].astype(np.int8)
    )


def _damaged(zh: str, en: str) -> LedgerError:
    return LedgerError(f"{zh}已损坏;请执行 rangli verify", f"{en} are damaged; run rangli verify")


# ---------------------------------------------------------------- CSV and Parquet


class CsvFile:
    """A CSV that grows, as a spreadsheet opens it: with a mark that it is UTF-8."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._schema = pa.schema([(f.name, f.type.value_type if pa.types.is_dictionary(f.type) else f.type) for f in schema])
        self._file = path.open("wb")
        self._file.write(b"\xef\xbb\xbf")
        self._writer = arrow_csv.CSVWriter(self._file, self._schema)

    def write_table(self, table: pa.Table, row_group_size: int | None = None) -> None:
        """These rows."""
        del row_group_size
        self._writer.write_table(table.cast(self._schema))

    def close(self) -> None:
        """Nothing more comes."""
        self._writer.close()
        self._file.close()


class _Opener(Protocol):
    def __call__(self, path: Path, schema: pa.Schema) -> Sink: ...


def _write_tables(source: _Source, part: Path, form: Format, progress: Progress) -> tuple[int, int]:
    """transfers and orders; how many of either."""
    open_file: _Opener = CsvFile if form == "csv" else parquet
    transfers_file = open_file(part.joinpath(f"transfers.{form}"), TRANSFERS_SCHEMA)
    orders_file = open_file(part.joinpath(f"orders.{form}"), ORDERS_SCHEMA)
    paths, orders, transfers = Register(source.accounts), 0, 0
    try:
        for after, legs in source.parts():
            upto = min(after + DECISIONS, source.upto)
            made = _orders(source, after, upto)
            if len(legs):
                transfers_file.write_table(_shown(legs, paths))
            if len(made):
                orders_file.write_table(made)
            orders, transfers = orders + len(made), transfers + len(legs)
            progress(upto - after)
    finally:
        transfers_file.close()
        orders_file.close()
    return orders, transfers


def _shown(legs: pa.Table, paths: Register) -> pa.Table:
    """Legs as people read them: paths for numbers, words for codes."""
    code = legs["code"].to_numpy().astype(np.int32)
    columns = [
        legs["position"],
        legs["line"],
        legs["at"].cast(pa.timestamp("us", "UTC")),
        _words(legs["kind"].to_numpy().astype(np.int32), rows.KIND_NAMES),
        legs["key"],
        _paths(legs["source"].to_numpy(), paths),
        _paths(legs["destination"].to_numpy(), paths),
        legs["amount"],
        _words(UNIT_OF_CODE[code].astype(np.int32), UNIT_NAMES),
        _words(code, CODE_NAMES),
    ]
    return pa.table(columns, schema=TRANSFERS_SCHEMA)


def _words(numbers: np.ndarray[Any, Any], names: tuple[str, ...]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(numbers), pa.array(names))


def _paths(accounts: np.ndarray[Any, Any], paths: Register) -> pa.DictionaryArray:
    """The paths of accounts, each different one made once."""
    used, place = np.unique(accounts, return_inverse=True)
    return pa.DictionaryArray.from_arrays(pa.array(place.astype(np.int32)), paths.paths(used.astype(np.int32)))


def _orders(source: _Source, after: int, upto: int) -> pa.Table:
    """The orders settled between two positions, as an order file has them."""
    found = source.connection.execute(
        "SELECT j.key, j.facts, j.party, j.position, coalesce(r.refunded_fen, 0), j.plan FROM journal j"
        " LEFT JOIN refunded r ON r.programme = j.programme AND r.number = j.facts[1]"
        " WHERE j.programme = %s AND j.position > %s AND j.position <= %s AND j.kind = %s ORDER BY j.position",
        [source.number, after, upto, rows.ORDER],
    ).fetchall()
    holders = source.accounts.holders
    columns: dict[str, list[Any]] = {
        "order_id": [key for key, *_ in found],
        "paid_at": [instant_text(facts[5]) for _, facts, *_ in found],
        "amount": [print_yuan(facts[1]) for _, facts, *_ in found],
        "concession": [print_percent(facts[2]) for _, facts, *_ in found],
        "voucher": [print_yuan(facts[3]) if facts[3] else "" for _, facts, *_ in found],
        "position": [row[3] for row in found],
        "refunded": [print_yuan(row[4]) for row in found],
        "plan_number": [row[5] for row in found],
    }
    for column, field in enumerate(NAMES):
        numbers = [party[column] for _, _, party, *_ in found]
        columns[field] = ["" if number < 0 else party_name(field, holders[number]) for number in numbers]
    return pa.table({field.name: pa.array(columns[field.name], field.type) for field in ORDERS_SCHEMA})


def _write_balances(path: Path, source: _Source) -> None:
    """balances.csv, as a settled directory has it."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        written = csv.writer(file)
        written.writerow(("account", "unit", "amount_micro", "amount"))
        written.writerows((path, unit, micro, print_micro(micro)) for path, unit, micro in source.books.rows(source.accounts))


# ---------------------------------------------------------------- beancount


def _write_beancount(source: _Source, path: Path, progress: Progress) -> tuple[int, int]:
    """The books for an independent auditor; how many orders and transfers."""
    counts = [0, 0]

    def decisions() -> Iterator[Decision]:
        for after, legs in source.parts():
            for decision in _decisions(legs, source.accounts):
                counts[0] += decision.kind == "order"
                counts[1] += len(decision.legs)
                yield decision
            progress(min(after + DECISIONS, source.upto) - after)

    def closing() -> Iterator[Row]:
        yield from source.books.rows(source.accounts)  # asked for when all decisions are through

    closing_on = (date.fromisoformat(_day(source.last_at())) + timedelta(days=1)).isoformat()
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in beancount_lines(decisions(), closing(), closing_on=closing_on))
    return counts[0], counts[1]


def _decisions(legs: pa.Table, accounts: Accounts) -> Iterator[Decision]:
    """Each decision that moved anything."""
    names = ("position", "at", "kind", "key", "source", "destination", "amount", "code")
    for _, group in groupby(zip(*(legs[name].to_pylist() for name in names), strict=True), key=itemgetter(0)):
        some = list(group)
        _, at, kind, key, *_ = some[0]
        made = [
            Leg(accounts.path(a), accounts.path(b), amount, UNIT_NAMES[UNIT_OF_CODE[code]], CODE_NAMES[code])
            for *_, a, b, amount, code in some
        ]
        yield Decision(_day(at), None if kind == rows.RELEASE else key, made, rows.KIND_NAMES[kind])


def _day(at: int) -> str:
    """The day of a decision, in Beijing."""
    return (EPOCH + timedelta(microseconds=at + BEIJING_MICRO)).isoformat()
