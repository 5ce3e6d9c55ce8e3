"""Tables: a CSV or Parquet file as chunks of raw columns, in file order, with the number of each row.

A CSV's columns come as bytes, whatever they hold, so that a broken text is its row's fault and not the file's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv, parquet

from rangli.errors import FileRefused
from rangli.files.reasons import Reject, reject

_BLOCK_BYTES: Final = 1 << 20
"""What Arrow splits at a time. It reads some 32 blocks ahead, so large ones cost memory; a row may be as long as one."""


class Chunk(NamedTuple):
    """Some rows as they are in the file."""

    row: NDArray[np.int64]
    """Their numbers, from 1."""
    columns: dict[str, pa.Array]
    broken: list[Reject]
    """Rows with the wrong number of fields; they are not in the columns."""
    done: int
    """How much of the file has been read, in the unit of ``Table.size``."""


class Table(Protocol):
    """An opened file."""

    size: int
    """Bytes of a CSV, rows of a Parquet file."""
    types: list[tuple[str, pa.DataType]]
    """The columns, in order; names may repeat."""

    def chunks(self, columns: Sequence[str], coded: Sequence[str] = ()) -> Iterator[Chunk]:
        """These columns; those in ``coded`` may come as dictionaries."""
        ...


def open_table(path: Path, batch_rows: int) -> Table:
    """The file as a table whose chunks have at most ``batch_rows`` rows.

    Raises FileRefused when it is not there, cannot be read, or is neither .csv nor .parquet.
    """
    if not path.is_file():
        raise FileRefused(f"没有文件 {path}", f"there is no file {path}")
    kinds: dict[str, type[CsvTable | ParquetTable]] = {".csv": CsvTable, ".parquet": ParquetTable}
    kind = kinds.get(path.suffix.lower())
    if kind is None:
        raise FileRefused(f"{path} 不是 .csv 或 .parquet 文件", f"{path} is neither a .csv nor a .parquet file")
    return kind(path, batch_rows)


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Turns faults of Arrow and of the system into FileRefused."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as fault:
        raise FileRefused(f"无法读取 {path}:{fault}", f"cannot read {path}: {fault}") from fault


class CsvTable:
    """Comma-separated, UTF-8 with or without a byte order mark, the first row being the header."""

    def __init__(self, path: Path, batch_rows: int) -> None:
        self.path = path
        self.batch_rows = batch_rows
        with _refusing(path):
            self.size = path.stat().st_size
            quotes = _count_quotes(path)
            if quotes & 1:
                # It would swallow all rows up to the next quote, or to the end, without a word.
                raise FileRefused(
                    f"{path} 的双引号有 {quotes} 个,为奇数:有一个引号没有配对",
                    f"{path} has {quotes} double quotes, an odd number: one of them is never closed",
                )
            self._quoted = quotes > 0
            """Without quotes Arrow splits lines more than twice as fast."""
            with pa.OSFile(str(path)) as file:
                names = self._open(file, csv.ConvertOptions(check_utf8=False), {}).schema.names
        self.types = [(name, pa.binary()) for name in names]

    def _open(self, file: pa.NativeFile, convert: csv.ConvertOptions, broken: dict[int, Reject]) -> csv.CSVStreamingReader:
        """A reader that notes rows with the wrong number of fields in ``broken`` and goes on."""

        def note(row: csv.InvalidRow) -> str:
            number = row.number - 1  # the header is row 1
            broken[number] = reject(number, "", "", "field_count", value=row.actual_columns, other=row.expected_columns)
            return "skip"

        return csv.open_csv(
            file,
            # One thread, since only then does Arrow know the number of a broken row.
            read_options=csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
            parse_options=csv.ParseOptions(
                quote_char='"' if self._quoted else False,
                newlines_in_values=self._quoted,
                ignore_empty_lines=False,
                invalid_row_handler=note,
            ),
            convert_options=convert,
        )

    def chunks(self, columns: Sequence[str], coded: Sequence[str] = ()) -> Iterator[Chunk]:
        """See ``Table.chunks``; nothing comes coded."""
        del coded
        convert = csv.ConvertOptions(
            include_columns=list(columns),
            column_types=dict.fromkeys(columns, pa.binary()),
            strings_can_be_null=False,
            check_utf8=False,
        )
        broken: dict[int, Reject] = {}
        first = 1
        with _refusing(self.path), pa.OSFile(str(self.path)) as file:
            for batches in _gathered(self._open(file, convert, broken), self.batch_rows):
                row = _numbered(first, sum(map(len, batches)), broken)
                first = int(row[-1]) + 1
                joined = {name: pa.concat_arrays([batch[name] for batch in batches]) for name in columns}
                yield Chunk(row, joined, _take_before(first, broken), file.tell())
            if broken:
                none = dict.fromkeys(columns, pa.array([], pa.binary()))
                yield Chunk(np.empty(0, np.int64), none, _take_before(max(broken) + 1, broken), self.size)


def _gathered(blocks: Iterable[pa.RecordBatch], rows_max: int) -> Iterator[list[pa.RecordBatch]]:
    """The blocks, put together as far as they are at most ``rows_max`` rows, and cut up where one has more."""
    held: list[pa.RecordBatch] = []
    for block in blocks:
        for start in range(0, len(block), rows_max):
            batch = block.slice(start, rows_max)
            if sum(map(len, held)) + len(batch) > rows_max:
                yield held
                held = []
            held.append(batch)
    if held:
        yield held


def _numbered(first: int, count: int, broken: dict[int, Reject]) -> NDArray[np.int64]:
    """The numbers of ``count`` sound rows from ``first`` on, passing over the broken ones."""
    numbers = np.arange(first, first + count + len(broken))
    return np.setdiff1d(numbers, np.fromiter(broken, np.int64), assume_unique=True)[:count] if broken else numbers


def _take_before(row: int, broken: dict[int, Reject]) -> list[Reject]:
    """Takes the rejects of rows before ``row`` out of ``broken``, in order of rows."""
    return [broken.pop(number) for number in sorted(broken) if number < row]


def _count_quotes(path: Path) -> int:
    """How many double quotes there are."""
    with path.open("rb") as file:
        return sum(block.count(b'"') for block in iter(lambda: file.read(_BLOCK_BYTES), b""))


class ParquetTable:
    """A Parquet file."""

    def __init__(self, path: Path, batch_rows: int) -> None:
        self.path = path
        self.batch_rows = batch_rows
        with _refusing(path), parquet.ParquetFile(path) as file:
            self.size = file.metadata.num_rows
            self.types = [(field.name, field.type) for field in file.schema_arrow]

    def chunks(self, columns: Sequence[str], coded: Sequence[str] = ()) -> Iterator[Chunk]:
        """See ``Table.chunks``."""
        texts = {name for name, kind in self.types if pa.types.is_string(kind) or pa.types.is_large_string(kind)}
        first = 1
        with (
            _refusing(self.path),
            parquet.ParquetFile(self.path, read_dictionary=[name for name in coded if name in texts]) as file,
        ):
            for batch in file.iter_batches(self.batch_rows, columns=list(columns), use_threads=False):
                row = np.arange(first, first + len(batch))
                first += len(batch)
                yield Chunk(row, dict(zip(batch.schema.names, batch.columns, strict=True)), [], first - 1)
