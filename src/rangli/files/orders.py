"""Orders: a CSV or Parquet file of paid orders as checked columns, batch by batch, each order once.

Required columns: order_id, paid_at, merchant, consumer, amount (yuan), concession (a percentage). Optional: referrer, referrer2,
recruiter, agent_district, agent_city, agent_province, agent_region (names; empty is none) and voucher (yuan; empty is 0).
Others are passed over. A row in which every column is empty is no row. A row with a fault becomes a ``Reject`` that names its
first faulty column, in the order above, and changes nothing else.

Memory is bounded by the batch: whether an order id comes twice is found beforehand in a pass over the ids alone, and the facts of
an order are kept only when its id does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rangli.engine.draw import siphash_strings
from rangli.errors import AmountMalformed, FileRefused, RateMalformed
from rangli.files import parse
from rangli.files.reasons import CODE_OF_STATUS, REASONS, Reject, reject
from rangli.files.repeats import repeated
from rangli.files.tables import Chunk, open_table
from rangli.money import parse_percent, parse_yuan, print_percent, print_yuan

__all__ = ["FIELDS", "NAMES", "REASONS", "REQUIRED", "OrderFile", "OrderRows", "Reject", "reject"]

REQUIRED: Final = ("order_id", "paid_at", "merchant", "consumer", "amount", "concession")
PARTIES: Final = ("referrer", "referrer2", "recruiter", "agent_district", "agent_city", "agent_province", "agent_region")
NAMES: Final = ("consumer", "merchant", *PARTIES)
FIELDS: Final = (*REQUIRED, *PARTIES, "voucher")

ANY_CONCESSION: Final = (0, 10**6)
BATCH_ROWS: Final = 65_536
_SHOWN_LETTERS: Final = 60
"""How much of a faulty text a message repeats."""

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
Statuses = NDArray[np.int8]


class OrderRows(NamedTuple):
    """The accepted rows of one batch, in the order of the file."""

    row: Ints
    """Data row, from 1."""
    order_id: pa.StringArray
    paid_fen: Ints
    concession_bp: Ints
    voucher_fen: Ints
    day: Ints
    """Days since 1970-01-01 of paid_at in Beijing."""
    names: dict[str, pa.DictionaryArray]
    """Per column of NAMES; null is none; a dictionary is in order of first appearance. A column not in the file is all null."""


class OrderFile:
    """An order file, opened and its header checked; ``batches`` may be called again and starts anew.

    rows          : for progress: rows of a Parquet file, bytes of a CSV
    done          : how many of them the batches so far have covered
    duplicates    : rows so far that repeat an accepted order with the same facts; they are dropped
    extra_columns : columns that are passed over

    Raises FileRefused when the file is missing, unreadable, neither .csv nor .parquet, lacks a required column, has one twice, or
    has one of a type that cannot hold it exactly; ``batches`` raises it when the file turns out to be broken further on.
    """

    def __init__(self, path: Path, batch_rows: int = BATCH_ROWS, *, once: bool = True) -> None:
        assert batch_rows >= 1
        self.path = path
        self.once = once
        self._table = open_table(path, batch_rows)
        names = [name for name, _ in self._table.types]
        _check_header(path, names)
        for name, kind in self._table.types:
            _check_type(path, name, kind)
        self.concession_bp = ANY_CONCESSION
        """The concessions that the plan takes; a row outside them is refused here, so that it does not use up its order id."""
        self._columns = [name for name in FIELDS if name in names]
        self.extra_columns = [name for name in names if name not in FIELDS]
        self.rows: int = self._table.size
        self.done = 0
        self.duplicates = 0

    def batches(self) -> Iterator[tuple[OrderRows, list[Reject]]]:
        """The accepted rows and the rejects, both by row, of at most ``batch_rows`` rows at a time."""
        self.done = self.duplicates = 0
        kept = _Kept(repeated(self._hashes()) if self.once else np.empty(0, np.int64))
        for chunk in self._table.chunks(self._columns, coded=(*NAMES, "concession")):
            columns = _read(chunk, self.concession_bp)
            rejects = [*chunk.broken, *columns.rejects]
            good = columns.good
            if len(kept.repeated) and len(good):
                good, conflicts = kept.once(columns, good)
                rejects.extend(conflicts)
            self.done = chunk.done
            self.duplicates = kept.duplicates
            yield columns.rows(good), sorted(rejects)

    def _hashes(self) -> Iterator[Ints]:
        """The hashes of all order ids, by chunk."""
        return (_hashes(_binary(chunk.columns["order_id"])) for chunk in self._table.chunks(["order_id"]))


# ---------------------------------------------------------------- header


def _check_header(path: Path, names: list[str]) -> None:
    """Every required column is there, and none of ours twice."""
    there = ", ".join(names)
    missing = ", ".join(name for name in REQUIRED if name not in names)
    if missing:
        raise FileRefused(f"{path} 缺少列 {missing};现有的列:{there}", f"{path} lacks the column(s) {missing}; it has: {there}")
    twice = ", ".join(name for name in FIELDS if names.count(name) > 1)
    if twice:
        raise FileRefused(f"{path} 的列 {twice} 重复出现", f"{path} has the column(s) {twice} more than once")


def _check_type(path: Path, name: str, kind: pa.DataType) -> None:
    """The column's type holds its values exactly; all columns of a CSV are bytes."""
    if name not in FIELDS:
        return
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    is_text = any(
        is_it(inner) for is_it in (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    )
    if is_text or pa.types.is_null(inner):
        return
    if name in ("amount", "voucher"):
        fits = pa.types.is_integer(inner) or (pa.types.is_decimal(inner) and 0 <= inner.scale <= len("00"))
        right_zh, right_en = (
            "文本、整数(元)或至多两位小数的 decimal",
            "text, whole numbers (yuan) or decimals of at most two places",
        )
    elif name == "paid_at":
        fits = pa.types.is_timestamp(inner) or pa.types.is_date(inner)
        right_zh, right_en = "文本、timestamp 或 date", "text, timestamps or dates"
    elif name == "concession":
        fits = False
        right_zh, right_en = "文本,如 20%", "text such as 20%"
    else:
        fits = pa.types.is_integer(inner)
        right_zh, right_en = "文本或整数", "text or whole numbers"
    if not fits:
        raise FileRefused(
            f"{path} 的列 {name} 类型为 {kind},不能准确表示;应为{right_zh}",
            f"the column {name} of {path} has the type {kind}, which cannot hold it exactly; use {right_en}",
        )


# ---------------------------------------------------------------- columns


def _binary(column: pa.Array) -> pa.BinaryArray:
    """A column as bytes, numbers in their decimal form, and null as empty."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_integer(column.type) or pa.types.is_decimal(column.type):
        column = column.cast(pa.string())
    column = column.cast(pa.binary())
    return column.fill_null(b"") if column.null_count else column


def _buffers(texts: pa.BinaryArray) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """The offsets and bytes of an array of texts."""
    _, offsets, data = texts.buffers()
    if len(texts) == 0:
        return np.zeros(1, np.int32), np.empty(0, np.uint8)
    return (
        np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1],
        np.frombuffer(data, np.uint8) if data else np.empty(0, np.uint8),
    )


def _hashes(texts: pa.BinaryArray) -> Ints:
    """A hash of each text."""
    hashes = np.empty(len(texts), np.int64)
    siphash_strings(*_buffers(texts), np.zeros(len(texts), np.int64), np.zeros((1, 2), np.int64), hashes)
    return hashes


def _texts(column: pa.Array, places: Ints) -> list[str]:
    """What a person would see at these places of a column."""
    some = column.take(pa.array(places))
    if pa.types.is_temporal(some.type):
        some = some.cast(pa.string())
    return [text.decode("utf-8", "replace") for text in _binary(some).to_pylist()]


def _strings(texts: pa.BinaryArray, status: Statuses) -> pa.StringArray:
    """The texts as strings; those that are not UTF-8 become empty and their status NOT_UTF8."""
    try:
        return texts.cast(pa.string())
    except pa.ArrowInvalid:
        decoded = []
        for i, text in enumerate(texts.to_pylist()):
            try:
                decoded.append(text.decode())
            except UnicodeDecodeError:
                decoded.append("")
                status[i] = parse.NOT_UTF8
        return pa.array(decoded, pa.string())


class _Names(NamedTuple):
    """A column of names: codes (-1: none) of values, and a status per row."""

    codes: Codes
    values: pa.StringArray
    status: Statuses

    @classmethod
    def read(cls, column: pa.Array, name: str) -> _Names:
        """The column's names, each different one checked once."""
        if pa.types.is_null(column.type):
            status = np.full(len(column), parse.OK if name in PARTIES else parse.EMPTY, np.int8)
            return cls(np.full(len(column), -1, np.int32), pa.array([], pa.string()), status)
        coded = column if pa.types.is_dictionary(column.type) else _binary(column).dictionary_encode()
        values = _binary(coded.dictionary)
        status = np.empty(len(values) + 1, np.int8)
        parse.check_names(*_buffers(values), int(name in PARTIES), status[:-1])
        status[-1] = parse.EMPTY  # for the code -1
        strings = _strings(values, status)
        indices = coded.indices.cast(pa.int32())
        codes = (indices.fill_null(-1) if indices.null_count else indices).to_numpy()
        if name in PARTIES:
            anew = np.where(status == parse.EMPTY, -1, np.arange(len(status))).astype(np.int32)
            codes, status = anew[codes], np.where(status == parse.EMPTY, parse.OK, status).astype(np.int8)
        return cls(codes, strings, status[codes])

    def rows(self, good: Ints) -> pa.DictionaryArray:
        """The names at these places; the dictionary in order of first appearance."""
        if not len(self.values):
            return pa.DictionaryArray.from_arrays(pa.nulls(len(good), pa.int32()), self.values)
        codes = self.codes[good]
        seen = np.empty(len(self.values), np.int32)
        count = parse.first_seen(codes, np.full(len(self.values), -1, np.int32), seen)
        return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), self.values.take(pa.array(seen[:count])))


Kernel = Callable[[NDArray[np.int32], NDArray[np.uint8], Ints, Statuses], None]


def _read_numbers(column: pa.Array, kernel: Kernel) -> tuple[Ints, Statuses]:
    """Values and statuses of a column of amounts or percentages."""
    if pa.types.is_null(column.type) and kernel is parse.parse_yuan_or_nothing_texts:  # no such column: nothing to compile
        return np.zeros(len(column), np.int64), np.full(len(column), parse.OK, np.int8)
    if pa.types.is_null(column.type):
        values, status = _read_numbers(pa.array([b""]), kernel)
        return values.repeat(len(column)), status.repeat(len(column))
    if pa.types.is_dictionary(column.type) and not column.null_count:
        values, status = _read_numbers(column.dictionary, kernel)
        codes = column.indices.to_numpy()
        return values[codes], status[codes]
    values, status = np.empty(len(column), np.int64), np.empty(len(column), np.int8)
    kernel(*_buffers(_binary(column)), values, status)
    return values, status


def _read_instants(column: pa.Array) -> tuple[Ints, Ints, Statuses]:
    """Instants (ns), Beijing days and statuses of paid_at."""
    instant_ns, day, status = np.empty(len(column), np.int64), np.empty(len(column), np.int64), np.empty(len(column), np.int8)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_temporal(column.type):
        ticks = column.to_numpy(zero_copy_only=False)
        if getattr(column.type, "tz", None) is None:
            ticks = ticks - np.timedelta64(parse.BEIJING_SECONDS, "s")
        parse.instants_of(ticks, instant_ns, day, status)
    else:
        parse.parse_instant_texts(*_buffers(_binary(column)), instant_ns, day, status)
    return instant_ns, day, status


# ---------------------------------------------------------------- rows


class _Columns(NamedTuple):
    """A chunk read: all its rows, which of them are good, and why the others are not."""

    row: Ints
    order_id: pa.StringArray
    instant_ns: Ints
    day: Ints
    paid_fen: Ints
    concession_bp: Ints
    voucher_fen: Ints
    names: dict[str, _Names]
    good: Ints
    rejects: list[Reject]

    def rows(self, good: Ints) -> OrderRows:
        """The rows at these places."""
        every = len(good) == len(self.row)
        at = slice(None) if every else good
        return OrderRows(
            self.row[at],
            self.order_id if every else self.order_id.take(pa.array(good)),
            self.paid_fen[at],
            self.concession_bp[at],
            self.voucher_fen[at],
            self.day[at],
            {name: names.rows(good) for name, names in self.names.items()},
        )

    def facts(self, places: Ints) -> Iterator[tuple[object, ...]]:
        """All that an order says, of the rows at these places, in the order of FIELDS without order_id."""
        columns: dict[str, list[object]] = {
            "paid_at": self.instant_ns[places].tolist(),
            "amount": self.paid_fen[places].tolist(),
            "concession": self.concession_bp[places].tolist(),
            "voucher": self.voucher_fen[places].tolist(),
            **{name: names.rows(places).dictionary_decode().to_pylist() for name, names in self.names.items()},
        }
        return zip(*(columns[name] for name in FIELDS[1:]), strict=True)


def _read(chunk: Chunk, range_bp: tuple[int, int]) -> _Columns:
    """The chunk's columns checked and turned into numbers; concessions outside ``range_bp`` are refused."""
    count = len(chunk.row)
    columns = {name: chunk.columns.get(name, pa.nulls(count)) for name in FIELDS}
    status: dict[str, Statuses] = {}
    ids = _binary(columns["order_id"])
    status["order_id"] = np.empty(count, np.int8)
    parse.check_names(*_buffers(ids), 0, status["order_id"])
    order_id = _strings(ids, status["order_id"])
    instant_ns, day, status["paid_at"] = _read_instants(columns["paid_at"])
    paid_fen, status["amount"] = _read_numbers(columns["amount"], parse.parse_yuan_texts)
    concession_bp, status["concession"] = _read_numbers(columns["concession"], parse.parse_percent_texts)
    voucher_fen, status["voucher"] = _read_numbers(columns["voucher"], parse.parse_yuan_or_nothing_texts)
    status["amount"][(status["amount"] == parse.OK) & (paid_fen == 0)] = parse.OUT_OF_RANGE
    outside = (concession_bp < range_bp[0]) | (concession_bp > range_bp[1])
    status["concession"][(status["concession"] == parse.OK) & outside] = parse.OUT_OF_RANGE
    names = {name: _Names.read(columns[name], name) for name in NAMES}
    status |= {name: names[name].status for name in NAMES}

    fault = np.full(count, -1, np.int64)
    for place in reversed(range(len(FIELDS))):
        fault[status[FIELDS[place]] != parse.OK] = place
    bounds = "–".join(print_percent(bp) for bp in range_bp)
    rejects = _rejects(chunk.row, columns, status, fault, bounds)
    good = np.flatnonzero(fault < 0)
    return _Columns(chunk.row, order_id, instant_ns, day, paid_fen, concession_bp, voucher_fen, names, good, rejects)


def _rejects(row: Ints, columns: dict[str, pa.Array], status: dict[str, Statuses], fault: Ints, bounds: str) -> list[Reject]:
    """Why rows are refused; ``fault`` is the place in FIELDS of each row's first faulty column, or -1."""
    rejects: list[Reject] = []
    for number, field in enumerate(FIELDS):
        places = np.flatnonzero(fault == number)
        if field == "order_id":
            empty = places[status[field][places] == parse.EMPTY]
            places = np.setdiff1d(places, empty[_are_blank(columns, empty)])
        facts = row[places], _texts(columns["order_id"], places), _texts(columns[field], places), status[field][places]
        for place, order_id, text, why in zip(facts[0].tolist(), *facts[1:3], facts[3].tolist(), strict=True):
            rejects.append(rejected(place, order_id[:_SHOWN_LETTERS], field, text[:_SHOWN_LETTERS], why, bounds))
    return rejects


def _are_blank(columns: dict[str, pa.Array], places: Ints) -> NDArray[np.bool_]:
    """Whether all columns are empty in these rows."""
    blank = np.ones(len(places), np.bool_)
    for column in columns.values():
        blank &= np.array([text == "" for text in _texts(column, places)], np.bool_)
    return blank


def rejected(row: int, order_id: str, field: str, text: str, status: int, bounds: str) -> Reject:
    """Why a row is refused whose column holds this text."""
    if status == parse.OUT_OF_RANGE:
        return reject(row, order_id, field, f"{field}_out_of_range", value=text, other=bounds)
    if status != parse.MALFORMED:
        return reject(row, order_id, field, CODE_OF_STATUS[status], value=repr(text))
    try:
        (parse_percent if field == "concession" else parse_yuan)(text)
    except (AmountMalformed, RateMalformed) as fault:
        return Reject(row, order_id, field, fault.fault, fault.zh, fault.en)
    raise AssertionError(text)


# ---------------------------------------------------------------- once


class _Kept:
    """The facts of those orders whose ids come more than once."""

    def __init__(self, repeated_hashes: Ints) -> None:
        self.repeated = repeated_hashes
        self.duplicates = 0
        self._facts: dict[str, tuple[object, ...]] = {}

    def once(self, columns: _Columns, good: Ints) -> tuple[Ints, list[Reject]]:
        """The good rows without those that were there before, and the rejects of those that contradict."""
        hashes = _hashes(columns.order_id)[good]
        nearest = np.minimum(np.searchsorted(self.repeated, hashes), len(self.repeated) - 1)
        places = good[self.repeated[nearest] == hashes]
        ids = columns.order_id.take(pa.array(places)).to_pylist()
        drop: list[int] = []
        conflicts: list[Reject] = []
        for place, order_id, facts in zip(places.tolist(), ids, columns.facts(places), strict=True):
            first = self._facts.setdefault(order_id, facts)
            if first is facts:
                continue
            drop.append(place)
            if first == facts:
                self.duplicates += 1
            else:
                conflicts.append(_conflict(int(columns.row[place]), order_id, first, facts))
        return np.delete(good, np.searchsorted(good, drop)), conflicts


def _conflict(row: int, order_id: str, first: tuple[object, ...], later: tuple[object, ...]) -> Reject:
    """The refusal of a row that says something else of an order than its first row did."""
    field, before, now = next((name, a, b) for name, a, b in zip(FIELDS[1:], first, later, strict=True) if a != b)
    return reject(row, order_id, field, "order_conflict", value=_shown(field, now), other=_shown(field, before))


def _shown(field: str, fact: object) -> str:
    """A fact as a person would write it."""
    if fact is None:
        return "–"
    if field == "paid_at":
        assert isinstance(fact, int)
        text = str(np.datetime64(fact + parse.BEIJING_SECONDS * parse.NANOS_PER_SECOND, "ns")).rstrip("0").removesuffix(".")
        return f"{text}+08:00"
    if isinstance(fact, int):
        return print_percent(fact) if field == "concession" else print_yuan(fact)
    return repr(fact)
