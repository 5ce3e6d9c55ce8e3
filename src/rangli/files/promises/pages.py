"""transfers.parquet, one row group at a time: its lines as numbers, cut by order, each order beside what it says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from rangli.errors import FileRefused
from rangli.files.promises.facts import Window
from rangli.files.promises.lines import CLOSED_PERIOD, UNKNOWN, Codes, Groups, Lines, Numbers
from rangli.files.promises.register import Register
from rangli.ledger.transfers import CODE_NAMES, UNIT_NAMES
from rangli.plan.terms import Ints

_TEXT: Final = pa.dictionary(pa.int32(), pa.string())
TYPES: Final = {
    "order_id": _TEXT,
    "line": pa.int32(),
    "source": _TEXT,
    "destination": _TEXT,
    "amount_micro": pa.int64(),
    "unit": _TEXT,
    "code": _TEXT,
}
"""The columns of transfers.parquet."""
LOOK_AHEAD: Final = 1 << 16
"""How many orders further on an order is looked for whose lines are not where they should be."""


class Sheet(NamedTuple):
    """The lines of one row group."""

    first: int
    """Row of the file of the first line, from 1."""
    lines: Lines
    start: Ints
    """(runs,) where each run of lines of one order begins."""
    stop: Ints
    """(runs,) and ends."""
    order_id: pa.StringArray
    """(runs,) null for the closing of a period."""


def sheets(path: Path, register: Register) -> Iterator[Sheet]:
    """All row groups; the next one is read by another thread while this one is looked at."""
    with open_parquet(path, TYPES) as file, ThreadPoolExecutor(1) as reader:
        groups = file.num_row_groups
        first = 1
        waiting = reader.submit(read_groups, file, [0], path, list(TYPES)) if groups else None
        for number in range(groups):
            assert waiting is not None
            table = waiting.result()
            waiting = reader.submit(read_groups, file, [number + 1], path, list(TYPES)) if number + 1 < groups else None
            if len(table):
                yield _sheet(table, first, register)
            first += len(table)


def open_parquet(path: Path, types: dict[str, pa.DataType]) -> pq.ParquetFile:
    """The file, dictionaries read as such. Raises FileRefused when it is no Parquet file with columns of these types."""
    try:
        file = pq.ParquetFile(path, read_dictionary=[name for name, kind in types.items() if pa.types.is_dictionary(kind)])
    except (pa.ArrowException, OSError) as fault:
        raise _unreadable(path, fault) from fault
    found = {field.name: field.type for field in file.schema_arrow}
    if found != types:
        right = ", ".join(f"{name} {kind}" for name, kind in types.items())
        raise FileRefused(f"{path} 的列不对,应为:{right}", f"{path} has other columns than these: {right}")
    return file


def read_groups(file: pq.ParquetFile, numbers: list[int], path: Path, columns: list[str]) -> pa.Table:
    """Some row groups, each column in one piece. Raises FileRefused when they cannot be read."""
    try:
        return file.read_row_groups(numbers, columns=columns, use_threads=False).unify_dictionaries().combine_chunks()
    except (pa.ArrowException, OSError) as fault:
        raise _unreadable(path, fault) from fault


def _unreadable(path: Path, fault: Exception) -> FileRefused:
    """The refusal of a file that Arrow cannot read."""
    return FileRefused(f"无法读取 {path}:{fault}", f"cannot read {path}: {fault}")


def _sheet(table: pa.Table, first: int, register: Register) -> Sheet:
    """The row group as numbers."""
    column = {name: table[name].chunk(0) for name in TYPES}
    start, order_id = runs_of(column["order_id"])
    nowhere = np.int32(register.number(""))
    source = np.append(register.numbers(column["source"].dictionary), nowhere)
    is_same = column["source"].dictionary.equals(column["destination"].dictionary)
    destination = source if is_same else np.append(register.numbers(column["destination"].dictionary), nowhere)
    lines = Lines(
        line=_whole(column["line"]),
        source=source[indices_of(column["source"])],
        destination=destination[indices_of(column["destination"])],
        amount=_whole(column["amount_micro"]),
        unit=_known(column["unit"], UNIT_NAMES),
        code=_known(column["code"], CODE_NAMES),
    )
    return Sheet(first, lines, start, np.append(start[1:], len(table)), order_id)


def indices_of(coded: pa.DictionaryArray) -> Numbers:
    """The indices of a dictionary column, -1 for null."""
    indices = coded.indices
    numbers: Numbers = (indices.fill_null(-1) if indices.null_count else indices).to_numpy()
    return numbers


def _whole(numbers: pa.Array) -> NDArray[Any]:
    """A column of numbers; a missing one is 0, which no amount and no line number is."""
    whole: NDArray[Any] = (numbers.fill_null(0) if numbers.null_count else numbers).to_numpy()
    return whole


def _known(coded: pa.DictionaryArray, names: tuple[str, ...]) -> Codes:
    """Texts as places in ``names``, -1 for others."""
    places = [names.index(text) if text and text in names else -1 for text in coded.dictionary.to_pylist()]
    return np.array([*places, -1], np.int8)[indices_of(coded)]


# ---------------------------------------------------------------- orders beside their lines


class Matched(NamedTuple):
    """A sheet's runs of lines beside the orders of a window."""

    groups: Groups
    run: Ints
    """Per group its run on the sheet, -1 for an order without lines."""
    used: int
    """Orders of the window that have been met or passed."""
    missing: list[int]
    """Those that should have lines and have none."""
    strays: list[int]
    """Runs of orders that should have no lines here."""


def orders_on(sheet: Sheet) -> int:
    """How many runs of lines are not closings."""
    closings: int = sheet.order_id.null_count
    return len(sheet.start) - closings


def match_straight(sheet: Sheet, window: Window) -> Matched | None:
    """Each run beside its order, where they meet one to one and in order, as they do in honest files; else None."""
    count = orders_on(sheet)
    ids = sheet.order_id.filter(sheet.order_id.is_valid()) if sheet.order_id.null_count else sheet.order_id
    if not ids.equals(window.order_id.slice(0, count)):
        return None
    order = np.full(len(sheet.start), CLOSED_PERIOD)
    order[sheet.order_id.is_valid().to_numpy(zero_copy_only=False)] = np.arange(count)
    return Matched(Groups(sheet.start, sheet.stop, order), np.arange(len(sheet.start)), count, [], [])


def match_crooked(sheet: Sheet, window: Window) -> Matched:
    """The same where runs are missing, strange, or in another order."""
    rows: list[tuple[int, int, int, int]] = []
    missing: list[int] = []
    strays: list[int] = []
    place = {order_id: i for i, order_id in enumerate(window.order_id.to_pylist())}
    at = 0
    runs = zip(sheet.order_id.to_pylist(), sheet.start.tolist(), sheet.stop.tolist(), strict=True)
    for run, (order_id, start, stop) in enumerate(runs):
        if order_id is None:
            rows.append((start, stop, int(CLOSED_PERIOD), run))
            continue
        order = place.get(order_id, -1)
        if order < at:
            strays.append(run)
            rows.append((start, stop, int(UNKNOWN), run))
            continue
        # Orders without lines still stand in their queue: they are groups of no lines.
        rows += [(start, start, skipped, -1) for skipped in range(at, order)]
        missing += [skipped for skipped in range(at, order) if window.facts.concession_bp[skipped]]
        rows.append((start, stop, order, run))
        at = order + 1
    table = np.array(rows, np.int64).reshape(-1, 4)
    return Matched(Groups(*np.ascontiguousarray(table[:, :3].T)), table[:, 3], at, missing, strays)


def runs_of(order_id: pa.DictionaryArray) -> tuple[Ints, pa.StringArray]:
    """Where each run of lines of one order begins, and whose it is; null for the closing of a period."""
    order = indices_of(order_id)
    start = np.flatnonzero(np.diff(order, prepend=np.int32(-2)))
    return start, order_id.dictionary.take(pa.array(order[start], mask=order[start] < 0))
