"""An order file as texts: what each row says, field by field, for a service that reads the fields itself.

What belongs to the file is checked here (its header, rows with too many fields, bytes that are no text); what a field says, and
whether an order was there before, is the service's to judge, so a file and a single request are refused in the same words.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pyarrow as pa

from rangli.files import parse
from rangli.files.orders import FIELDS, NAMES, OrderFile, rejected
from rangli.files.reasons import Reject
from rangli.files.tables import open_table

BATCH_ROWS: Final = 5_000
_SHOWN_LETTERS: Final = 60
_MUST_BE_TEXT: Final = ("order_id", *NAMES)
"""Bytes that are no UTF-8 make another name of it; in a number they are refused as any other letter."""


class Texts(NamedTuple):
    """Some rows of the file. A row in which every field is empty is no row."""

    row: list[int]
    """Their numbers, from 1."""
    fields: dict[str, list[str]]
    """By FIELDS; empty texts for a column that the file does not have."""
    rejects: list[Reject]
    """Rows that are none; they are not in ``fields``."""
    done: int
    """How much of ``OrderTexts.size`` has been read."""


class OrderTexts:
    """An order file, opened and its header checked. ``batches`` may be called again and starts anew.

    Raises FileRefused as ``OrderFile`` does; ``batches`` raises it when the file turns out to be broken further on.
    """

    def __init__(self, path: Path, batch_rows: int = BATCH_ROWS) -> None:
        self.size = OrderFile(path).rows
        """Bytes of a CSV, rows of a Parquet file."""
        self._table = open_table(path, batch_rows)
        self._columns = [name for name, _ in self._table.types if name in FIELDS]

    def batches(self) -> Iterator[Texts]:
        """The rows, at most ``batch_rows`` at a time, in the order of the file."""
        for chunk in self._table.chunks(self._columns):
            rows = chunk.row.tolist()
            fields = {name: [""] * len(rows) for name in FIELDS}
            not_text: dict[int, str] = {}
            for name in self._columns:
                fields[name], bad = _texts(chunk.columns[name])
                if name in _MUST_BE_TEXT:
                    not_text |= {i: name for i in bad if i not in not_text}
            rejects = [*chunk.broken, *(_not_text(rows[i], fields, i, name) for i, name in not_text.items())]
            said = zip(*fields.values(), strict=True)
            kept = [i for i, row in enumerate(said) if i not in not_text and any(row)]
            if len(kept) < len(rows):
                rows = [rows[i] for i in kept]
                fields = {name: [texts[i] for i in kept] for name, texts in fields.items()}
            yield Texts(rows, fields, sorted(rejects), chunk.done)


def _texts(column: pa.Array) -> tuple[list[str], list[int]]:
    """A column as a person would write it, null as empty; and the places whose bytes are no UTF-8."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        column = column.cast(pa.timestamp(column.type.unit, "UTC"))  # or the offset would come without its colon
    if not pa.types.is_binary(column.type) and not pa.types.is_large_binary(column.type):
        column = column.cast(pa.string())
    try:
        return column.cast(pa.string()).fill_null("").to_pylist(), []
    except pa.ArrowInvalid:
        parts = column.fill_null(b"").to_pylist()
        texts = [part.decode(errors="replace") for part in parts]
        return texts, [i for i, (part, text) in enumerate(zip(parts, texts, strict=True)) if text.encode() != part]


def _not_text(row: int, fields: dict[str, list[str]], i: int, name: str) -> Reject:
    """The refusal of a row with a name in another encoding."""
    order_id, text = fields["order_id"][i][:_SHOWN_LETTERS], fields[name][i][:_SHOWN_LETTERS]
    return rejected(row, order_id, name, text, parse.NOT_UTF8, "")
