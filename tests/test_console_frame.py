"""The frame of the console: what goes out with every page, what a form must carry, and tables as files."""

from __future__ import annotations

import io
from decimal import Decimal

import console_worlds
import openpyxl
import pyarrow.parquet as pq
import pytest
from console_worlds import SCRIPT, ConsoleSite

from rangli.web.console import listing as tables
from rangli.web.console.listing import Column, Filter, Listing, Slice, Sort, Want
from rangli.web.console.words import Amount, Link, Measured, State, exact, grouped, in_beijing, shown

console = console_worlds.console


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", "0"), ("7.000000", "7.00"), ("1234.500000", "1,234.50"), ("-1234567.123456", "-1,234,567.123456"),
        ("999.10", "999.10"), ("1000", "1,000"), ("-0.000001", "-0.000001"), ("123456", "123,456"),
    ],
)  # fmt: skip
def test_numbers_are_grouped_and_nothing_of_them_is_lost(text: str, expected: str) -> None:
    """An operator reads thousands at a glance, an auditor every micro."""
    assert expected == grouped(text)
    assert Decimal(text) == Decimal(grouped(text).replace(",", ""))


@pytest.mark.parametrize(
    ("amount", "zh", "en"),
    [
        (Amount("1234.500000"), "¥1,234.50", "¥1,234.50"),
        (Amount("-3.00"), "-¥3.00", "-¥3.00"),
        (Amount("12.500000", "POINT"), "12.50 积分", "12.50 points"),
        (Amount("8.00", "VOUCHER"), "8.00 元抵用券", "8.00 yuan in vouchers"),
    ],
)
def test_an_amount_always_has_its_unit(amount: Amount, zh: str, en: str) -> None:
    """A number alone is no money."""
    assert (zh, en) == (shown(amount, "zh"), shown(amount, "en"))


def test_instants_are_shown_as_in_beijing() -> None:
    """Where every order is paid."""
    assert in_beijing("2026-01-05T17:30:00.000001Z") == "2026-01-06 01:30:00"
    assert in_beijing("") == ""


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (Amount("-1234.500000"), "money", {"value": "-1234.500000", "unit": "元"}),
        (Amount("0.000001", "POINT"), "money", {"value": "0.000001", "unit": "积分"}),
        (Amount(""), "money", {}), ("不限", "money", {}), (Link("=1", "/p"), "link", {}), ("", "time", {}), (None, "time", {}),
        (Measured("1.23 MB", "1234567", "B"), "count", {"value": "1234567", "unit": "B"}), ("12345", "count", {"value": "12345"}),
        ("a" * 64, "hash", {"value": "a" * 64}), ("2026-01-01T00:00:00.000001Z", "time", {"order": "20260101000000000001"}),
        ("2026-01-01T07:59:59+08:00", "time", {"order": "20251231235959000000"}),
    ],
)  # fmt: skip
def test_a_cell_holds_the_exact_value_of_what_it_shows(value: object, kind: str, expected: dict[str, str]) -> None:
    """Grouped, shortened or in another zone: what is sorted and saved is what it stands for."""
    assert expected == exact(value, kind, "zh")


# ---------------------------------------------------------------- listings


def numbers(want: Want) -> Slice:
    """2,500 rows, or those of a shop."""
    first = int(want.cursor or 0)
    stop = min(first + want.limit, 2_500)
    rows: list[dict[str, object]] = [
        {
            "number": i, "paid": Amount(f"{i}.050000"), "shop": Link(want.filters.get("shop", SCRIPT), "/p/x"),
            "state": State("done", "已结算", "settled", "good"), "at": "2026-01-05T04:30:00Z", "said": "=1+1",
        }
        for i in range(first, stop)
    ]  # fmt: skip
    return Slice(rows, str(stop) if stop < 2_500 else "")


COLUMNS = (
    Column("number", "编号", "number", "count"),
    Column("paid", "金额", "paid", "money"),
    Column("shop", "店", "shop", "link"),
    Column("state", "状态", "state", "state"),
    Column("at", "时间", "time", "time"),
    Column("said", "说", "said"),
)
FILTERS = (Filter("shop", "店", "shop"), Filter("kind", "种类", "kind", "choice", (("a", "甲", "A"),)))
LISTING = Listing("numbers", "数", "Numbers", COLUMNS, numbers, FILTERS, (Sort("new", "新", "new"),))


def test_a_listing_as_a_sheet_has_numbers_as_numbers_and_texts_as_texts() -> None:
    """A formula in a shop's name must not run on the accountant's machine."""
    data = tables.saved(LISTING, Want({}, "new", "", 100), "xlsx", "zh")
    sheet = openpyxl.load_workbook(io.BytesIO(data)).active
    assert sheet is not None
    head, first, *rest = sheet.iter_rows(values_only=True)

    assert ("编号", "金额", "单位", "店", "状态", "时间", "说") == head
    assert (0, 0.05, "元", SCRIPT, "已结算", "2026-01-05 12:30:00", "=1+1") == first
    assert len(rest) == 2_499
    assert sheet["G2"].data_type == "s"


def test_a_listing_as_text_is_harmless_to_a_spreadsheet() -> None:
    """A text that begins like a formula is marked as a text (CWE-1236)."""
    lines = tables.saved(LISTING, Want({}, "new", "2499", 100), "csv", "en").decode("utf-8-sig").splitlines()

    assert ["number,paid,unit,shop,state,time,said", f"2499,2499.050000,yuan,{SCRIPT},settled,2026-01-05 12:30:00,'=1+1"] == lines


def test_a_listing_as_parquet_has_exact_decimals() -> None:
    """For whoever computes on."""
    data = tables.saved(LISTING, Want({}, "new", "2400", 100), "parquet", "en")
    table = pq.read_table(io.BytesIO(data))

    assert table.column("paid").to_pylist()[0] == Decimal("2400.050000")
    assert table.schema.metadata[b"cut"] == b"no"


@pytest.mark.parametrize("form", ["csv", "xlsx", "parquet"])
def test_a_file_of_more_rows_than_are_given_says_so(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody takes a part for the whole."""
    monkeypatch.setattr(tables, "EXPORT_ROWS_MAX", 10)
    data = tables.saved(LISTING, Want({}, "new", "", 100), form, "zh")
    if form == "parquet":
        assert pq.read_table(io.BytesIO(data)).schema.metadata[b"cut"] == b"yes"
    elif form == "csv":
        assert "只导出了前 10 行" in data.decode().splitlines()[-1]
    else:
        sheet = openpyxl.load_workbook(io.BytesIO(data)).active
        assert sheet is not None
        assert "只导出了前 10 行" in str(sheet["A12"].value)


# ---------------------------------------------------------------- the doors


def test_whoever_opens_the_server_is_led_to_the_console_and_asked_to_sign_in(console: ConsoleSite) -> None:
    """A browser at the bare address."""
    with console.site.http() as http:
        response = http.get("/", follow_redirects=True)

    assert response.status_code == 200
    assert "/console/sign-in" in str(response.url)


def test_every_answer_is_guarded(console: ConsoleSite) -> None:
    """No script that is not ours, no frame around us, nothing stored by a cache."""
    for page in (console.visitor().get("/"), console.visitor().get("/no-such-page"), console.visitor("auditor").get("/members")):
        policy = page.headers["content-security-policy"]

        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert page.headers["x-frame-options"] == "DENY"
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["cache-control"] == "no-store"


def test_static_files_are_ours_and_kept(console: ConsoleSite) -> None:
    """Everything works without the internet."""
    kinds = {
        "htmx.min.js": "javascript",
        "echarts.min.js": "javascript",
        "tables.js": "javascript",
        "console.css": "css",
        "icon.svg": "svg",
    }
    with console.site.http() as http:
        for name, kind in kinds.items():
            response = http.get(f"/console/static/{name}")

            assert response.status_code == 200
            assert kind in response.headers["content-type"]
            assert "immutable" in response.headers["cache-control"]
        for name in ("nothing.css", "%2e%2e/call.py", "%2e%2e%2fcall.py"):
            assert http.get(f"/console/static/{name}").status_code == 404


def test_language_and_theme_are_kept_on_the_device(console: ConsoleSite) -> None:
    """For who signs in as well as for who is signed in; it leads back into the console and nowhere else."""
    visitor = console.visitor()
    visitor.post("/preferences", language="en", theme="dark", back="//evil.example")
    page = visitor.get("/me")

    assert '<html lang="en" data-theme="dark">' in page.text
    assert visitor.post("/preferences", language="zh", back="//evil.example").headers["location"] == "/console//evil.example"
