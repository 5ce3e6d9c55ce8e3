"""Settling again: the books derived anew from the orders alone, beside those that were written.

Where ``settle_file`` writes a table, the same table is compared with the next rows of the file; so nothing is held but one batch
and the open state. Of each file the first difference is named.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rangli.files import BALANCES, LOTS, REJECTS, SUMMARY, TRANSFERS
from rangli.files.promises import Findings
from rangli.files.promises.pages import open_parquet, read_groups
from rangli.files.settling import Run, settle_into
from rangli.files.writing import LOTS_SCHEMA, TRANSFERS_SCHEMA
from rangli.money import print_micro

NOT_FIGURES: Final = {"orders_file", "orders_sha256"}
"""Fields of the summary that say where the orders were."""


def settle_again(directory: Path, run: Run, written: dict[str, Any], findings: Findings, progress: Callable[[int], None]) -> None:
    """Run the settlement again and compare every row of every file, and the summary, with what was written.

    run      : the same plan, order file and secret     written : the summary as it was read
    progress : called with how much of ``run.source.rows`` is done
    """
    transfers = Beside(directory / TRANSFERS, "same_transfers", TRANSFERS_SCHEMA, findings)
    lots = Beside(directory / LOTS, "same_lots", LOTS_SCHEMA, findings)
    rejects = RowsBeside(directory / REJECTS, "same_rejects", findings)
    settle_into(run, transfers, lots, rejects.compare, progress)
    balances = RowsBeside(directory / BALANCES, "same_balances", findings)
    rows = run.books.rows(run.programme.accounts)
    balances.compare((row.path, row.unit, row.amount_micro, print_micro(row.amount_micro)) for row in rows)
    for file in (transfers, lots, rejects, balances):
        file.finish()
    summary: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(run.summary()._asdict()))
    for name in dict.fromkeys([*summary, *written]):
        if name not in NOT_FIGURES:
            findings.check("same_summary", 1)
            expected, found = summary.get(name), written.get(name)
            if expected != found:
                findings.add("same_summary", f"{SUMMARY}, {name}", *_words(expected, found))


class Beside:
    """Stands where the writer of a Parquet file stood, and compares each table with the next rows of the file."""

    def __init__(self, path: Path, promise: str, schema: pa.Schema, findings: Findings) -> None:
        self.path = path
        self.promise = promise
        self.findings = findings
        self.is_same = True
        self._names: list[str] = schema.names
        self._row = 0
        self._file = open_parquet(path, dict(zip(schema.names, schema.types, strict=True)))
        self._tables = self._read()
        self._kept: list[pa.Table] = []

    def write_table(self, table: pa.Table, row_group_size: int | None = None) -> None:  # noqa: ARG002 (a Sink)
        """Compare with the next rows, until the first difference."""
        expected = table
        self.findings.check(self.promise, len(expected))
        if not self.is_same:
            return
        found = self._take(len(expected))
        first = [_first_difference(expected[name], found[name], len(found)) for name in self._names]
        row = min(first)
        if row < len(found):
            name = self._names[first.index(row)]
            self._differs(row, name, expected[name][row].as_py(), found[name][row].as_py())
        elif len(found) < len(expected):
            self._differs(row, "*", {name: expected[name][row].as_py() for name in self._names}, None)
        self._row += len(expected)

    def close(self) -> None:
        """A writer is closed; the rows that are left are looked at by ``finish``."""

    def finish(self) -> None:
        """Nothing is left in the file."""
        if self.is_same:
            left = self._take(1)
            if len(left):
                self._differs(0, "*", None, left.to_pylist()[0])
        self._file.close()

    def _differs(self, row: int, name: str, expected: object, found: object) -> None:
        """Note the first difference."""
        self.is_same = False
        self.findings.add(self.promise, f"{self.path.name}, row {self._row + row + 1}, column {name}", *_words(expected, found))

    def _read(self) -> Iterator[pa.Table]:
        """The row groups."""
        for number in range(self._file.num_row_groups):
            yield read_groups(self._file, [number], self.path, self._names)

    def _take(self, count: int) -> pa.Table:
        """The next rows of the file, as many as there are."""
        have = sum(map(len, self._kept))
        while have < count:
            table = next(self._tables, None)
            if table is None:
                break
            self._kept.append(table)
            have += len(table)
        if not self._kept:
            return self._file.schema_arrow.empty_table()
        rows = self._kept[0]
        if len(self._kept) > 1:
            rows = pa.concat_tables(self._kept).unify_dictionaries().combine_chunks()
        self._kept = [rows.slice(count)] if len(rows) > count else []
        return rows.slice(0, count)


def _first_difference(expected: pa.ChunkedArray, found: pa.ChunkedArray, count: int) -> int:
    """The first of ``count`` rows that differ, or ``count``."""
    one, other = (_one_piece(column).slice(0, count) for column in (expected, found))
    if pa.types.is_dictionary(one.type):
        if one.dictionary.equals(other.dictionary):
            one, other = one.indices, other.indices
        else:
            one, other = one.dictionary_decode(), other.dictionary_decode()
    if one.equals(other):
        return count
    is_null = pc.is_null(one)
    differs = pc.if_else(pc.or_(is_null, pc.is_null(other)), pc.not_equal(is_null, pc.is_null(other)), pc.not_equal(one, other))
    return int(np.argmax(differs.to_numpy(zero_copy_only=False)))


def _one_piece(column: pa.ChunkedArray) -> pa.Array:
    """The column as one array."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


class RowsBeside:
    """The rows of a CSV file, compared as text."""

    def __init__(self, path: Path, promise: str, findings: Findings) -> None:
        self.path = path
        self.promise = promise
        self.findings = findings
        self.is_same = True
        self._row = 0
        self._rows = islice(csv_rows(path), 1, None)

    def compare(self, rows: Iterable[tuple[object, ...]]) -> None:
        """Compare with the next rows, until the first difference."""
        for expected in rows:
            self._row += 1
            self.findings.check(self.promise, 1)
            if self.is_same:
                self._look([str(value) for value in expected], next(self._rows, None))

    def finish(self) -> None:
        """Nothing is left in the file."""
        if self.is_same:
            self._row += 1
            self._look(None, next(self._rows, None))

    def _look(self, expected: list[str] | None, found: list[str] | None) -> None:
        """Note the first difference."""
        if expected != found:
            self.is_same = False
            self.findings.add(self.promise, f"{self.path.name}, row {self._row}", *_words(expected, found))


def csv_rows(path: Path) -> Iterator[list[str]]:
    """The rows of a CSV file; where it cannot be read on, a last row that says so."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        try:
            yield from csv.reader(file)
        except csv.Error as fault:
            yield [str(fault)]


def _words(expected: object, found: object) -> tuple[str, str]:
    """What should be there and what is."""
    zh = "没有" if found is None else f"是 {found}"
    en = "is missing" if found is None else f"is {found}"
    if expected is None:
        return f"不应有这一行:{zh}", f"there should be nothing, it {en}"
    return f"应为 {expected},{zh}", f"it should be {expected}, it {en}"
