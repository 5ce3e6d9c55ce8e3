"""Order files as texts: a service that reads the texts accepts the same rows, with the same facts, as settle does."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from rangli.errors import FileRefused
from rangli.files.orders import FIELDS, OrderFile
from rangli.files.texts import OrderTexts
from rangli.plan import check, compile_plan, preset_text
from rangli.service.requests import OrderRequest
from rangli.service.settling import orders as service
from rangli.service.settling.names import Names
from rangli.settle import Programme

HEADER = "order_id,paid_at,merchant,consumer,amount,concession,referrer,agent_city,voucher,note\n"
GOOD = {
    "order_id": "A1", "paid_at": "2026-01-05 12:30:00", "merchant": "老王面馆", "consumer": "张三", "amount": "12.50",
    "concession": "20%", "referrer": "", "agent_city": "", "voucher": "", "note": "x",
}  # fmt: skip
ODD = {
    "order_id": ["", " A1", "A\u00a01", "x" * 201, "\udcc0\udccf"],
    "paid_at": ["", "2026-01-05", "2026-01-05T12:30Z", "2026-01-05T12:30:00.123456+05:30", "2026-02-30", "05/01/2026"],
    "merchant": ["", " ", "merchant:老王", "a:b%"],
    "consumer": ["", "小李 ", "\udcc0\udccf"],
    "amount": ["", "0", "0.01", "100000000", "1e3", "1.005", "\uff11", "-1", "\udcc0"],
    "concession": ["", "20", "3%", "30.01%", "20.0%"],
    "referrer": ["merchant:老王", "merchant:", "a:b"],
    "agent_city": ["agent:", "consumer:x", " y"],
    "voucher": ["0", "12", "x"],
    "note": ["", "\udcc0"],
}


def line_of(row: dict[str, str]) -> str:
    """A row of the CSV."""
    return ",".join(row.values()) + "\n"


def as_texts(path: Path, batch_rows: int = 3) -> tuple[list[tuple[int, OrderRequest]], set[int]]:
    """Every row as a request with its number, and the numbers of those that are none."""
    made, none = [], set()
    for texts in OrderTexts(path, batch_rows).batches():
        requests = map(OrderRequest, *(texts.fields[name] for name in OrderRequest.__struct_fields__))
        made += list(zip(texts.row, requests, strict=True))
        none |= {one.row for one in texts.rejects}
    return made, none


def by_service(path: Path) -> tuple[dict[int, tuple[Any, ...]], set[int]]:
    """What a service makes of a file: the facts of the rows that it would settle, and the numbers of the others."""
    plan, _ = check(preset_text("moudian"))
    assert plan is not None
    compiled = compile_plan(plan)
    terms, names = compiled.terms, Names(Programme(compiled, bytes(32)))
    made, refused = as_texts(path)
    checked = service.check([request for _, request in made], (terms.concession_bp_min, terms.concession_bp_max))
    facts = {}
    for i, (row, request) in enumerate(made):
        if i in checked.refusals or names.fault(request) is not None:
            refused.add(row)
        else:
            parties = (request.consumer, request.merchant, request.referrer, request.agent_city)
            facts[row] = (request.order_id, *(int(fact) for fact in checked.facts[i, 1:5]), *parties)
    return facts, refused


def by_files(path: Path) -> tuple[dict[int, tuple[Any, ...]], set[int]]:
    """The same by the reader of order files."""
    facts, refused = {}, set()
    source = OrderFile(path, 3, once=False)
    source.concession_bp = (300, 2000)
    for rows, rejects in source.batches():
        parties = [
            rows.names[name].dictionary_decode().fill_null("").to_pylist()
            for name in ("consumer", "merchant", "referrer", "agent_city")
        ]
        numbers = (column.tolist() for column in (rows.paid_fen, rows.concession_bp, rows.voucher_fen, rows.day))
        for row, *said in zip(rows.row.tolist(), rows.order_id.to_pylist(), *numbers, *parties, strict=True):
            facts[row] = tuple(said)
        refused |= {one.row for one in rejects}
    return facts, refused


changes = st.one_of(st.none(), *(st.tuples(st.just(name), st.sampled_from(texts)) for name, texts in ODD.items()))


@given(rows=st.lists(st.one_of(changes, st.sampled_from(["", ",,,,,,,,,", "a,b"])), max_size=9))
def test_a_service_makes_of_a_file_what_settle_makes_of_it(rows: list[Any], tmp_path_factory: pytest.TempPathFactory) -> None:
    """A row that one of them takes and the other refuses would make two truths of one file."""
    lines = []
    for number, row in enumerate(rows):
        if isinstance(row, str):
            lines.append(row + "\n")
        else:
            lines.append(line_of(GOOD | {"order_id": f"A{number}"} | ({} if row is None else {row[0]: row[1]})))
    path = tmp_path_factory.mktemp("texts") / "orders.csv"
    path.write_text(HEADER + "".join(lines), "utf-8", errors="surrogateescape")

    assert by_files(path) == by_service(path)


TYPED = {
    "order_id": pa.array([1, 2, 3], pa.int64()),
    "paid_at": pa.array([datetime(2026, 1, 5, 4, 30, 0, 5, UTC)] * 3, pa.timestamp("us", "Asia/Shanghai")),
    "merchant": pa.array(["老王", None, "老李"]).dictionary_encode(),
    "consumer": pa.array([7, 8, 9], pa.int32()),
    "amount": pa.array([Decimal("12.50"), Decimal("0.01"), Decimal(7)], pa.decimal128(12, 2)),
    "concession": pa.array(["20%", "3%", "3.5%"]).dictionary_encode(),
    "referrer": pa.array([None, None, "x"], pa.string()),
    "agent_city": pa.array([None, None, None], pa.null()),
    "voucher": pa.array([None, 1, None], pa.int64()),
}
OTHER_TIMES = [
    pa.array(["2026-01-05 12:30:00"] * 3).cast(pa.timestamp("s")),
    pa.array(["2026-01-05 12:30:00.000005"] * 3).cast(pa.timestamp("ns")),
    pa.array([date(2026, 1, 5)] * 3, pa.date32()),
    pa.array([b"2026-01-05 12:30", b"2026-01-05", None], pa.large_binary()),
]


@pytest.mark.parametrize("times", [TYPED["paid_at"], *OTHER_TIMES], ids=str)
def test_every_type_that_a_parquet_file_may_have_is_written_as_a_person_would(times: pa.Array, tmp_path: Path) -> None:
    """Numbers, decimals, dates and instants with and without a zone mean to the service what they mean to settle."""
    path = tmp_path / "orders.parquet"
    parquet.write_table(pa.table(TYPED | {"paid_at": times}), path)
    facts, refused = by_service(path)

    assert by_files(path) == (facts, refused)
    assert 2 in refused
    assert facts[1][:3] == ("1", 1250, 2000)


def test_a_row_without_anything_is_no_row_and_a_column_that_is_not_there_is_empty(tmp_path: Path) -> None:
    """Spreadsheets leave such rows at the end."""
    path = tmp_path / "orders.csv"
    path.write_text("consumer,order_id,paid_at,merchant,amount,concession\neva,A1,2026-01-05,shop,1,20%\n,,,,,\n", "utf-8")

    assert ([(1, OrderRequest("A1", "2026-01-05", "shop", "eva", "1", "20%"))], set()) == as_texts(path)
    assert set(OrderRequest.__struct_fields__) == set(FIELDS)


def test_a_file_that_is_none_is_refused_when_it_is_opened(tmp_path: Path) -> None:
    """Before anything of it could be settled."""
    tmp_path.joinpath("orders.csv").write_text("order_id,paid_at\n", "utf-8")
    for name in ("orders.csv", "nothing.csv"):
        with pytest.raises(FileRefused):
            OrderTexts(tmp_path / name)
