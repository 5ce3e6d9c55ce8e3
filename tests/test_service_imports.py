"""Draws made again from a day's secret, and files of orders: looked through first, then settled."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import service_worlds
from service_worlds import MARKET, NOON, SEASON, SECRET, done, opened, order, running

from rangli.errors import FileRefused, ImportNotFound, ImportNotReady, OrderNotFound
from rangli.service import Service
from rangli.service.clock import SetClock
from rangli.service.work import imports
from rangli.service.work.imports import GOING_ON, ImportView

house = service_worlds.house
url = service_worlds.url
DAY = 86_400

# ---------------------------------------------------------------- draws made again


@pytest.mark.parametrize("plan", ["weituanbao", SEASON], ids=["weituanbao", "season"])
def test_packets_are_drawn_again_once_the_day_is_over(url: str, plan: str) -> None:
    """Each packet is its part of the cut; before the day is over nothing is given away."""
    clock = SetClock(NOON)
    with running(url, plan, clock=clock) as programme:
        done(programme.do([order(f"d{i}", consumer=f"c{i}", amount="90000") for i in range(30)]))
        before = programme.redrawing.redraw("d29")
        assert ("", "", [], []) == (before.draw.secret, before.order_key, before.draws, before.cuts)

        clock.advance(DAY)
        matching = 0
        for i in range(30):
            again = programme.redrawing.redraw(f"d{i}")
            packets = [line.amount for line in programme.order(f"d{i}").transfers if line.code == "packet"]
            assert packets == again.sent
            if again.matches:
                matching += 1
                assert again.cuts == again.sent
                assert len(again.draws) == max(len(packets) - 1, 0)
        assert matching > 20
        with pytest.raises(OrderNotFound):
            programme.redrawing.redraw("zz")


# ---------------------------------------------------------------- files handed in


ROWS = """order_id,paid_at,merchant,consumer,amount,concession,note
a1,2026-01-05 12:00:00,面馆,张三,100,20%,
a2,2026-01-05 12:00:00,=HYPERLINK(1),张三,1.234,20%,
a3,yesterday,面馆,李四,50,20%,
a1,2026-01-05 12:00:00,面馆,张三,100,20%,
a1,2026-01-05 12:00:00,面馆,张三,101,20%,
o1,2026-01-05 12:00:00,面馆,张三,100,20%,
o2,2026-01-05 12:00:00,面馆,张三,100,20%,
a4,2026-01-05 12:00:00,面馆,李四,50,20%,
"""
"""o1 is in the books with the same facts, o2 with others."""
SAID = {3: ("a2", "amount"), 4: ("a3", "paid_at"), 6: ("a1", "order_id"), 8: ("o2", "order_id")}


@pytest.fixture
def importing(url: str) -> Iterator[Service]:
    """A programme with two orders."""
    with opened(url) as service:
        service.create("w", MARKET, secret=SECRET, hold_seconds=0)
        done(service.running("w").do([order("o1"), order("o2", amount="7")]))
        yield service


def ended(service: Service, number: str) -> ImportView:
    """The import, when it is no longer being worked on."""
    until = time.monotonic() + 20
    while (view := service.imports.view("w", number)).state in GOING_ON:
        assert time.monotonic() < until
        time.sleep(0.005)
    return view


def as_json_lines(text: str) -> bytes:
    """The same rows, an object a line; the first line takes the place of the header."""
    table = list(csv.DictReader(io.StringIO(text)))
    return b"\n" + b"".join(msgspec.json.encode(row) + b"\n" for row in table)


@pytest.mark.parametrize("form", ["orders.csv", "订单.NDJSON"])
def test_an_import_tells_first_and_then_settles(importing: Service, form: str) -> None:
    """Nothing is settled by looking; each refused row has its line, its field and what would be right; again changes nothing."""
    service, programme = importing, importing.running("w")
    data = ROWS.encode() if form.endswith("csv") else as_json_lines(ROWS)
    position = programme.position()
    view = ended(service, service.imports.check(programme, form, data, "ann").id)

    assert ("checked", True, 8, 2, 2, 4, 100) == (
        view.state, view.can_settle, view.rows, view.good, view.repeated, view.refused, view.percent,
    )  # fmt: skip
    assert SAID == {row.line: (row.order_id, row.field) for row in view.first}
    assert all(row.zh and row.en for row in view.first)
    assert position == programme.position()
    service.imports.settle("w", view.id)
    view = ended(service, view.id)
    assert ("settled", False, 2, 2, 4) == (view.state, view.can_settle, view.good, view.repeated, view.refused)
    assert position + 2 == programme.position()
    listed = list(csv.DictReader(io.StringIO(service.imports.refused_rows("w", view.id).decode("utf-8-sig"))))
    assert [str(line) for line in SAID] == [row["line"] for row in listed]
    again = ended(service, service.imports.check(programme, form, data, "ann").id)
    assert (0, 4, 4) == (again.good, again.repeated, again.refused)


def test_a_parquet_file_is_imported_too(importing: Service) -> None:
    """Its rows count from one, without a header."""
    table = csv.DictReader(io.StringIO(ROWS))
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(table)), out)
    view = ended(importing, importing.imports.check(importing.running("w"), "o.parquet", out.getvalue(), "ann").id)

    assert {line - 1: said for line, said in SAID.items()} == {row.line: (row.order_id, row.field) for row in view.first}


def test_a_file_that_is_none_is_refused_in_its_own_name(importing: Service) -> None:
    """Another kind at once, a broken one when it is read; where it was kept meanwhile is nobody's business."""
    programme = importing.running("w")
    with pytest.raises(FileRefused):
        importing.imports.check(programme, "orders.exe", b"", "ann")
    view = ended(importing, importing.imports.check(programme, "my orders.csv", b"order_id\n1\n", "ann").id)

    assert ("failed", False) == (view.state, view.can_settle)
    assert "my orders.csv" in view.en
    assert "/" not in view.en
    with pytest.raises(ImportNotReady):
        importing.imports.settle("w", view.id)
    for number, name in ((view.id, "other"), ("00", "w")):
        with pytest.raises(ImportNotFound):
            importing.imports.view(name, number)


def test_json_lines_that_are_no_orders_are_named(importing: Service) -> None:
    """No JSON, no object, a number where a text should be; the good ones among them count."""
    good = msgspec.json.encode({"order_id": "n1", "paid_at": "2026-01-05", "merchant": "m", "consumer": "c"} | MONEY)
    lines = [b"{", b"[]", b"", msgspec.json.encode({"order_id": "n0", "amount": 5}), good, b'{"order_id": 7}']
    view = ended(importing, importing.imports.check(importing.running("w"), "a.jsonl", b"\n".join(lines), "ann").id)

    assert [(1, "", ""), (2, "", ""), (4, "n0", "amount"), (6, "", "order_id")] == [
        (row.line, row.order_id, row.field) for row in view.first
    ]
    assert (1, 5) == (view.good, view.rows)


MONEY = {"amount": "12.50", "concession": "20%"}


def test_an_import_can_be_stopped_and_gone_on_with(importing: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has been settled stays, and does not count twice."""
    monkeypatch.setattr(imports, "BATCH_ROWS", 50)
    programme = importing.running("w")
    rows = ["order_id,paid_at,merchant,consumer,amount,concession"]
    rows += [f"m{i},2026-01-05,面馆,c{i & 7},12.50,20%" for i in range(400)]
    view = ended(importing, importing.imports.check(programme, "o.csv", "\n".join(rows).encode(), "ann").id)
    with service_worlds.paused(programme):
        importing.imports.settle("w", view.id)
        importing.imports.cancel("w", view.id)
    view = ended(importing, view.id)

    assert ("cancelled", True) == (view.state, view.can_settle)
    assert programme.position() < 400
    importing.imports.settle("w", view.id)
    view = ended(importing, view.id)
    assert ("settled", 400) == (view.state, view.good + view.repeated)
    assert 403 == programme.position()
    assert [view.id] == [one.id for one in importing.imports.of("w")]


def test_only_so_many_rows_are_taken_at_a_time(importing: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A larger file is to be split, and says so before anything is settled."""
    monkeypatch.setattr(imports, "ROWS_MAX", 7)
    view = ended(importing, importing.imports.check(importing.running("w"), "o.csv", ROWS.encode(), "ann").id)

    assert ("failed", False) == (view.state, view.can_settle)
    assert "7" in view.en


def test_only_so_many_imports_are_remembered(importing: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is forgotten with its file."""
    monkeypatch.setattr(imports, "KEPT_MAX", 2)
    programme = importing.running("w")
    made = [ended(importing, importing.imports.check(programme, "o.csv", ROWS.encode(), "ann").id).id for _ in range(4)]

    assert made[2:] == [view.id for view in reversed(importing.imports.of("w"))]
    folder = importing.imports._folder
    assert folder is not None
    assert set(made[2:]) == {path.name for path in folder.iterdir()}


def test_files_are_gone_with_the_service(importing: Service) -> None:
    """They hold what customers bought."""
    ended(importing, importing.imports.check(importing.running("w"), "o.csv", ROWS.encode(), "ann").id)
    folder = importing.imports._folder
    assert folder is not None
    assert folder.exists()
    importing.close()

    assert not folder.exists()
