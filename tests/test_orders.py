"""Order files: what is accepted, what is refused and why, and that an order counts once."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet
from test_orders_parse import plain_instant, plain_name

from rangli.errors import FAULTS, AmountMalformed, FileRefused, RateMalformed
from rangli.files import parse
from rangli.files.orders import FIELDS, NAMES, REASONS, REQUIRED, OrderFile, Reject
from rangli.files.reasons import CODE_OF_STATUS
from rangli.money import parse_percent, parse_yuan

Row = dict[str, str]
GOOD: Row = {
    "order_id": "A1",
    "paid_at": "2026-01-05 12:30:00",
    "merchant": "老王面馆",
    "consumer": "张三",
    "amount": "12.50",
    "concession": "20%",
}


def good(**changes: str) -> Row:
    """A good row with some columns changed."""
    return GOOD | changes


def csv_of(rows: list[Row]) -> str:
    """The rows as CSV with all their columns."""
    names = list(dict.fromkeys([*REQUIRED, *(name for row in rows for name in row)]))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def table_of(rows: list[Row]) -> pa.Table:
    """The rows as a table of strings; empty is null."""
    names = list(dict.fromkeys([*REQUIRED, *(name for row in rows for name in row)]))
    return pa.table({name: pa.array([row.get(name) or None for row in rows], pa.string()) for name in names})


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str | bytes | pa.Table], Path]:
    """Writes a CSV (text or bytes) or a Parquet file (a table) and answers its path."""

    def written(content: str | bytes | pa.Table) -> Path:
        path = tmp_path / ("orders.parquet" if isinstance(content, pa.Table) else "orders.csv")
        if isinstance(content, pa.Table):
            parquet.write_table(content, path, row_group_size=3)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return written


Write = Callable[[str | bytes | pa.Table], Path]


def read(path: Path, batch_rows: int = 1000) -> tuple[list[tuple[Any, ...]], list[Reject], int]:
    """All accepted rows as tuples (row, order_id, paid_fen, concession_bp, voucher_fen, day, *NAMES), all rejects, duplicates."""
    file = OrderFile(path, batch_rows)
    rows: list[tuple[Any, ...]] = []
    rejects: list[Reject] = []
    for batch, refused in file.batches():
        assert len(batch.row) <= batch_rows
        numbers = (batch.row, batch.paid_fen, batch.concession_bp, batch.voucher_fen, batch.day)
        row, paid, concession, voucher, day = (column.tolist() for column in numbers)
        names = [batch.names[name].to_pylist() for name in NAMES]
        rows += zip(row, batch.order_id.to_pylist(), paid, concession, voucher, day, *names, strict=True)
        rejects += refused
    assert file.rows == file.done or not rows
    return rows, rejects, file.duplicates


def places(rejects: list[Reject]) -> list[tuple[int, str, str]]:
    """Where and why, without the texts."""
    return [(reject.row, reject.field, reject.code) for reject in rejects]


# ---------------------------------------------------------------- accepted


def test_a_row_becomes_numbers(write: Write) -> None:
    """The columns are what settlement works on: fen, basis points, Beijing days, names."""
    row = good(referrer="merchant:小卖部", agent_city="", voucher="0.05", paid_at="2026-01-05T23:30:00Z")
    expected = (1, "A1", 1250, 2000, 5, 20_459, "张三", "老王面馆", "merchant:小卖部", *[None] * 6)

    assert ([expected], [], 0) == read(write(csv_of([row])))


AWKWARD = [
    good(),
    good(order_id="A2", merchant='老王 "真" 面馆, 二店', consumer="new\nline"),
    good(order_id="A3", amount="0.1", concession="6.25%", paid_at="2026-01-05"),
    good(order_id="A4", referrer="李四:五", recruiter="agent:赵六", voucher="3"),
    good(order_id="A5", consumer="李四", amount="100000000"),
]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_byte_order_marks_do_not_matter(write: Write, end: str, mark: str) -> None:
    """Spreadsheets write both, and nobody sees either."""
    expected = read(write(csv_of(AWKWARD[2:])))

    assert 3 == len(expected[0])
    assert expected == read(write(mark + csv_of(AWKWARD[2:]).replace("\n", end)))


def test_csv_and_parquet_say_the_same(write: Write) -> None:
    """Which of the two a designer exports is no part of the result."""
    expected = read(write(csv_of(AWKWARD)))

    assert 5 == len(expected[0])
    assert expected == read(write(table_of(AWKWARD)))


def test_typed_columns_say_the_same_as_text(write: Write) -> None:
    """A database exports decimals, timestamps and dictionaries; the orders are the same."""
    rows = [
        good(order_id="11", amount="7", voucher="1", paid_at="2026-01-05T01:00:00Z"),
        good(order_id="12", amount="8", voucher="0", paid_at="2026-01-05T17:00:00Z", consumer="李四"),
        good(order_id="13", amount="9", voucher="", paid_at="2026-01-06T00:00:00Z", recruiter="赵六"),
    ]
    expected = read(write(csv_of(rows)))
    moments = [datetime(2026, 1, 5, 1, tzinfo=UTC), datetime(2026, 1, 5, 17, tzinfo=UTC), datetime(2026, 1, 6, tzinfo=UTC)]
    naive = [(moment + timedelta(hours=8)).replace(tzinfo=None) for moment in moments]
    table = table_of(rows)
    kinds: dict[str, list[pa.Array]] = {
        "order_id": [pa.array([11, 12, 13]), pa.array(["11", "12", "13"], pa.large_string())],
        "amount": [pa.array([Decimal(7), Decimal(8), Decimal(9)], pa.decimal128(12, 2)), pa.array([7, 8, 9], pa.int32())],
        "voucher": [pa.array([1, 0, None], pa.int64()), pa.array([Decimal(1), Decimal(0), None], pa.decimal128(9, 1))],
        "paid_at": [
            pa.array(moments, pa.timestamp("us", "UTC")),
            pa.array(naive, pa.timestamp("ms")),
            pa.array(naive, pa.timestamp("ns")),
        ],
        "consumer": [pa.array(["张三", "李四", "张三"]).dictionary_encode()],
        "recruiter": [pa.array([None, None, "赵六"]).dictionary_encode()],
        "concession": [pa.array(["20%"] * 3).dictionary_encode()],
    }

    assert 3 == len(expected[0])
    for name, columns in kinds.items():
        for column in columns:
            typed = table.set_column(table.column_names.index(name), name, column)
            assert expected == read(write(typed)), f"{name} as {column.type}"


def test_a_date_is_midnight_in_beijing(write: Write) -> None:
    """A date has no hour; its day is what counts."""
    table = table_of([good()])
    dated = table.set_column(1, "paid_at", pa.array([date(2026, 1, 5)]))

    assert read(write(csv_of([good(paid_at="2026-01-05")]))) == read(write(dated))


def test_dictionaries_are_in_order_of_first_appearance(write: Write) -> None:
    """Holders get their numbers in this order, so it may not depend on how a file was encoded, nor on refused rows."""
    rows = [good(order_id=str(i), consumer=name) for i, name in enumerate([" 坏", "丙", "甲"])]
    coded = pa.DictionaryArray.from_arrays(pa.array([3, 1, 0]), pa.array(["甲", "丙", "乙", " 坏"]))
    table = table_of(rows)
    for content in (csv_of(rows), table, table.set_column(table.column_names.index("consumer"), "consumer", coded)):
        ((batch, _),) = OrderFile(write(content)).batches()
        assert ["丙", "甲"] == batch.names["consumer"].dictionary.to_pylist()
        assert [0, 1] == batch.names["consumer"].indices.to_pylist()


def test_other_columns_are_passed_over_and_named(write: Write) -> None:
    """A misspelt optional column would otherwise vanish in silence."""
    file = OrderFile(write(csv_of([good(refferer="x", note="y")])))

    assert ["refferer", "note"] == file.extra_columns


def test_blank_lines_are_no_rows(write: Write) -> None:
    """Spreadsheets leave them at the end; the rows after one keep the numbers of their lines."""
    text = csv_of([good(), good(order_id="A2")]).replace("\nA2", "\n\nA2") + "\n,,,,,\n"
    rows, rejects, _ = read(write(text))

    assert [(1, "A1"), (3, "A2")] == [row[:2] for row in rows]
    assert [] == rejects


# ---------------------------------------------------------------- refused rows

BAD = [
    ("order_id", "", "empty"),
    ("order_id", " A1", "spaces"),
    ("order_id", "A" * 201, "too_long"),
    ("paid_at", "", "empty"),
    ("paid_at", "05/01/2026", "time_malformed"),
    ("paid_at", "2026-1-5", "time_malformed"),
    ("paid_at", "2026-01-05 12:30:00 PM", "time_malformed"),
    ("paid_at", "２０２６-01-05", "time_malformed"),
    ("paid_at", "2026-02-30", "date_impossible"),
    ("paid_at", "2026-01-05 24:00", "clock_impossible"),
    ("paid_at", "1999-01-05", "year_out_of_range"),
    ("merchant", "", "empty"),
    ("merchant", "老王面馆\u3000", "spaces"),
    ("consumer", "", "empty"),
    ("consumer", "张" * 67, "too_long"),
    ("amount", "", "empty"),
    ("amount", " 12.50", "spaces"),
    ("amount", "１２.50", "full_width"),
    ("amount", "-1", "negative"),
    ("amount", "+1", "sign"),
    ("amount", "1,000.00", "thousands"),
    ("amount", "1e3", "exponent"),
    ("amount", "NaN", "not_finite"),
    ("amount", "1.005", "too_fine"),
    ("amount", "007", "leading_zero"),
    ("amount", "100000000.01", "too_large"),
    ("amount", "十二元", "not_a_number"),
    ("amount", "9" * 5000, "too_large"),
    ("concession", "", "empty"),
    ("concession", "20", "no_percent_sign"),
    ("concession", "20％", "full_width"),
    ("concession", "6.125%", "too_fine"),
    ("concession", "-6%", "negative"),
    ("concession", "six", "not_a_number"),
    ("referrer", "merchant:", "kind_without_name"),
    ("referrer2", "李四 ", "spaces"),
    ("agent_city", "merchant: 老王", "spaces"),
    ("agent_region", "x" * 201, "too_long"),
    ("voucher", "1.005", "too_fine"),
    ("voucher", "-0.01", "negative"),
]


@pytest.mark.parametrize(("field", "text", "code"), BAD)
def test_a_bad_row_is_refused_with_its_field_and_reason(write: Write, field: str, text: str, code: str) -> None:
    """Whoever sent the file must find the cell, and know what to write instead, without reading our source."""
    rows = [good(order_id="B1"), good(**{field: text}), good(order_id="B3")]
    for content in (csv_of(rows), table_of(rows)):
        accepted, rejects, _ = read(write(content))

        assert [(2, field, code)] == places(rejects)
        assert [(1, "B1"), (3, "B3")] == [row[:2] for row in accepted]
        assert rejects[0].zh != rejects[0].en
        assert len(rejects[0].en) < 300


def test_every_reason_of_a_row_is_tried_here() -> None:
    """A code that no test produces may be one that nothing can produce."""
    tried = {code for _, _, code in BAD} | {"field_count", "not_utf8", "order_conflict"}
    by_the_engine = {"amount_out_of_range", "concession_out_of_range", "vouchers_over_limit", "vouchers_short", "limit_reached"}

    assert set(REASONS) == tried | by_the_engine
    assert set(FAULTS) <= set(REASONS)


def test_the_first_faulty_column_is_named(write: Write) -> None:
    """One row is one reject, and the order of the columns does not depend on the file."""
    _, rejects, _ = read(write(csv_of([good(voucher="x", concession="x", consumer="")])))

    assert [(1, "consumer", "empty")] == places(rejects)


def test_a_refused_amount_says_what_money_says(write: Write) -> None:
    """The same mistake has the same text in a file and on the command line."""
    with pytest.raises(AmountMalformed) as caught:
        parse_yuan("1.005")
    _, rejects, _ = read(write(csv_of([good(amount="1.005")])))

    assert [Reject(1, "A1", "amount", "too_fine", caught.value.zh, caught.value.en)] == rejects


@pytest.mark.parametrize("batch_rows", [1, 2, 1000])
def test_a_row_with_the_wrong_number_of_fields_is_one_reject(write: Write, batch_rows: int) -> None:
    """A name with a bare comma is the most common mistake of all, and it must not cost the rest of the file."""
    lines = csv_of([good(order_id=f"A{i}") for i in range(1, 7)]).splitlines()
    lines[2] += ",extra"
    lines[3] = "A3,too,few"
    lines[6] = "A6"
    rows, rejects, _ = read(write("\n".join(lines)), batch_rows)

    assert [(2, "", "field_count"), (3, "", "field_count"), (6, "", "field_count")] == places(rejects)
    assert "3 fields and the header 6" in rejects[1].en
    assert [(1, "A1"), (4, "A4"), (5, "A5")] == [row[:2] for row in rows]


def test_a_file_of_broken_rows_only_is_all_rejects(write: Write) -> None:
    """They are told even when no batch of good rows carries them."""
    _, rejects, _ = read(write(",".join(REQUIRED) + "\nA1\nA2,\n"))

    assert [(1, "", "field_count"), (2, "", "field_count")] == places(rejects)


@pytest.mark.parametrize("field", ["order_id", "consumer", "referrer"])
def test_bytes_that_are_not_utf8_refuse_their_row(write: Write, field: str) -> None:
    """Half of all Chinese spreadsheets are saved in GBK; the text says what to do."""
    rows = [good(order_id="B1", referrer="王五"), good(referrer="王五") | {field: "张三丰"}, good(order_id="B3", referrer="王五")]
    content = csv_of(rows).encode().replace("张三丰".encode(), "张三丰".encode("gbk"))
    accepted, rejects, _ = read(write(content))

    assert [(2, field, "not_utf8")] == places(rejects)
    assert "CSV UTF-8" in rejects[0].zh
    assert [(1, "B1"), (3, "B3")] == [row[:2] for row in accepted]


# ---------------------------------------------------------------- once


@pytest.mark.parametrize("batch_rows", [1, 2, 1000])
def test_the_same_order_with_the_same_facts_counts_once(write: Write, batch_rows: int) -> None:
    """Exports overlap; and 12.5 on 2026-01-05T04:30Z is what was written as 12.50 at half past twelve in Beijing."""
    again = good(amount="12.5", paid_at="2026-01-05T04:30:00.000Z", voucher="0.00")
    rows, rejects, duplicates = read(write(csv_of([good(), good(order_id="A2"), again, good()])), batch_rows)

    assert [(1, "A1"), (2, "A2")] == [row[:2] for row in rows]
    assert ([], 2) == (rejects, duplicates)


CONFLICTS = [
    ("paid_at", "2026-01-05 12:30:01", "2026-01-05T12:30:00+08:00", "2026-01-05T12:30:01+08:00"),
    ("paid_at", "2026-01-05 12:30:00.5", "2026-01-05T12:30:00+08:00", "2026-01-05T12:30:00.5+08:00"),
    ("merchant", "老李面馆", "'老王面馆'", "'老李面馆'"),
    ("consumer", "李四", "'张三'", "'李四'"),
    ("amount", "12.51", "12.50", "12.51"),
    ("concession", "20.01%", "20%", "20.01%"),
    ("referrer", "王五", "–", "'王五'"),
    ("agent_region", "王五", "–", "'王五'"),
    ("voucher", "1", "0.00", "1.00"),
]


@pytest.mark.parametrize("batch_rows", [1, 1000])
@pytest.mark.parametrize(("field", "text", "before", "now"), CONFLICTS)
def test_the_same_order_with_other_facts_is_refused_and_says_which(
    write: Write, batch_rows: int, field: str, text: str, before: str, now: str
) -> None:
    """Two stories about one order: the first stands, and a person decides about the second."""
    rows, rejects, duplicates = read(write(csv_of([good(), good(**{field: text})])), batch_rows)

    assert [(1, "A1")] == [row[:2] for row in rows]
    assert ([(2, field, "order_conflict")], 0) == (places(rejects), duplicates)
    assert f"{before} then, {now} here" in rejects[0].en
    assert before in rejects[0].zh
    assert now in rejects[0].zh


def test_a_refused_row_is_no_first_occurrence(write: Write) -> None:
    """Whoever corrects a row below the broken one must not be told that the order was there before."""
    rows, rejects, duplicates = read(write(csv_of([good(amount="x"), good(), good(), good(amount="13")])))

    assert [(2, "A1", 1250)] == [row[:3] for row in rows]
    assert ([(1, "amount", "not_a_number"), (4, "amount", "order_conflict")], 1) == (places(rejects), duplicates)


def test_without_once_nothing_is_looked_for(write: Write) -> None:
    """A benchmark of reading alone may leave the first pass out."""
    file = OrderFile(write(csv_of([good(), good()])), once=False)

    assert [2] == [len(batch.row) for batch, _ in file.batches()]
    assert 0 == file.duplicates


def test_a_file_can_be_read_again(write: Write) -> None:
    """An audit reads the orders a second time, from the start."""
    file = OrderFile(write(csv_of([good(), good()])))
    for _ in range(2):
        assert [1] == [len(batch.row) for batch, _ in file.batches()]
        assert 1 == file.duplicates


# ---------------------------------------------------------------- against a plain reading

TEXTS = {
    "order_id": st.sampled_from(["1", "2", "3", "4", "5", "", " 6"]),
    "paid_at": st.sampled_from(["2026-01-05", "2026-01-05T00:00:00+08:00", "2026-01-05T20:00Z", "2026-02-30", "x"]),
    "merchant": st.sampled_from(["甲", "乙, 二店", ""]),
    "consumer": st.sampled_from(["丙", "丁\n", "戊"]),
    "amount": st.sampled_from(["1", "1.0", "2.50", "-1"]),
    "concession": st.sampled_from(["6%", "6.0%", "7%", "7"]),
    "referrer": st.sampled_from(["", "merchant:甲", "agent:"]),
    "voucher": st.sampled_from(["", "0", "1", "x"]),
}
ROWS = st.lists(st.fixed_dictionaries(TEXTS), max_size=25)


def number(reader: Callable[[str], int], text: str) -> int | str:
    """The number, or the code of the fault."""
    try:
        return reader(text)
    except (AmountMalformed, RateMalformed) as fault:
        return fault.fault


def plain_facts(row: Row) -> tuple[str, str] | dict[str, Any]:
    """The first fault as (field, code), or the facts of a row."""
    status, _, day = plain_instant(row["paid_at"])
    facts: dict[str, Any] = {"paid_at": plain_instant(row["paid_at"])}
    faults: dict[str, str] = {"paid_at": CODE_OF_STATUS[status]} if status != parse.OK else {}
    for field in ("order_id", "merchant", "consumer", "referrer"):
        status = plain_name(row[field], with_kind=field == "referrer")
        facts[field] = row[field] or None
        if status != parse.OK and not (field == "referrer" and not row[field]):
            faults[field] = CODE_OF_STATUS[status]
    for field, reader in (("amount", parse_yuan), ("concession", parse_percent), ("voucher", parse_yuan)):
        facts[field] = number(reader, row[field]) if row[field] or field != "voucher" else 0
        if isinstance(facts[field], str):
            faults[field] = facts[field]
    first = next((field for field in FIELDS if field in faults), None)
    return (first, faults[first]) if first else facts | {"day": day}


def plain_read(rows: list[Row]) -> tuple[list[tuple[Any, ...]], list[tuple[int, str, str]], int]:
    """What ``read`` should say, by a dict."""
    kept: dict[str, dict[str, Any]] = {}
    accepted, refused, duplicates = [], [], 0
    for place, row in enumerate(rows, 1):
        facts = plain_facts(row)
        if isinstance(facts, tuple):
            refused.append((place, *facts))
        elif facts["order_id"] not in kept:
            kept[facts["order_id"]] = facts
            head = (place, facts["order_id"], facts["amount"], facts["concession"], facts["voucher"], facts["day"])
            accepted.append((*head, facts["consumer"], facts["merchant"], facts["referrer"], *[None] * 6))
        elif facts == kept[facts["order_id"]]:
            duplicates += 1
        else:
            field = next(field for field in FIELDS if facts.get(field) != kept[facts["order_id"]].get(field))
            refused.append((place, field, "order_conflict"))
    return accepted, refused, duplicates


@given(ROWS, st.integers(1, 30))
def test_any_file_reads_as_its_rows_do_one_by_one(rows: list[Row], batch_rows: int) -> None:
    """Neither batches, nor the format, nor the compiled kernels, nor the first pass may change what a file says."""
    expected = plain_read(rows)
    with TemporaryDirectory() as name:
        paths = Path(name) / "orders.csv", Path(name) / "orders.parquet"
        paths[0].write_text(csv_of(rows), encoding="utf-8")
        parquet.write_table(table_of(rows), paths[1], row_group_size=7)
        for path in paths:
            accepted, rejects, duplicates = read(path, batch_rows)
            assert expected == (accepted, places(rejects), duplicates), path.suffix


# ---------------------------------------------------------------- refused files


def without(name: str) -> str:
    """A CSV that lacks a column."""
    return csv_of([good()]).replace(name, "renamed")


HEADER = ",".join(REQUIRED)
FILES = [
    ("", "Empty CSV"),
    (without("amount"), "lacks the column(s) amount; it has: order_id, paid_at, merchant, consumer, renamed, concession"),
    (HEADER.replace(",", ";") + "\n", "lacks the column(s) order_id, paid_at"),
    (HEADER + ",amount\n", "has the column(s) amount more than once"),
    (csv_of([good()]).encode("utf-16"), "cannot read"),
    (csv_of([good(), good()]).replace("A1", '"A1', 1), "has 1 double quotes, an odd number"),
]


@pytest.mark.parametrize(("content", "words"), FILES)
def test_a_file_that_is_no_order_file_is_refused_at_once(write: Write, content: str | bytes, words: str) -> None:
    """Before a single order is settled, and saying what is there instead."""
    with pytest.raises(FileRefused) as caught:
        OrderFile(write(content))

    assert words in caught.value.en
    assert caught.value.zh != caught.value.en


TYPES = [
    ("amount", pa.array([12.5]), "use text, whole numbers (yuan) or decimals"),
    ("amount", pa.array([Decimal("12.505")], pa.decimal128(9, 3)), "decimals of at most two places"),
    ("voucher", pa.array([0.5], pa.float32()), "use text, whole numbers (yuan) or decimals"),
    ("concession", pa.array([20]), "use text such as 20%"),
    ("concession", pa.array([0.2]), "use text such as 20%"),
    ("paid_at", pa.array([20260105]), "use text, timestamps or dates"),
    ("consumer", pa.array([1.5]), "use text or whole numbers"),
    ("order_id", pa.array([[1]]), "use text or whole numbers"),
]


@pytest.mark.parametrize(("name", "column", "words"), TYPES)
def test_a_column_that_cannot_hold_its_values_exactly_refuses_the_file(
    write: Write, name: str, column: pa.Array, words: str
) -> None:
    """A float has lost its fen before we see it."""
    table = table_of([good(voucher="")])
    with pytest.raises(FileRefused, match="cannot hold it exactly") as caught:
        OrderFile(write(table.set_column(table.column_names.index(name), name, column)))

    assert words in caught.value.en


def test_a_path_that_is_no_file_of_ours_is_refused(tmp_path: Path) -> None:
    """Missing, a directory, another format, and Parquet in name only."""
    (tmp_path / "orders.xlsx").write_text("x", encoding="utf-8")
    (tmp_path / "orders.parquet").write_text(csv_of([good()]), encoding="utf-8")
    words = {"no.csv": "there is no file", ".": "there is no file", "orders.xlsx": "neither", "orders.parquet": "cannot read"}
    for name, part in words.items():
        with pytest.raises(FileRefused, match=part):
            OrderFile(tmp_path / name)


def test_a_damaged_parquet_file_is_refused_when_it_is_read(write: Write) -> None:
    """Its end may be whole while its middle is not."""
    path = write(table_of([good(order_id=str(i)) for i in range(500)]))
    content = bytearray(path.read_bytes())
    content[4:400] = b"\xff" * 396
    path.write_bytes(content)
    with pytest.raises(FileRefused, match="cannot read"):
        list(OrderFile(path).batches())
