"""Tables in the reader's hand: any column sorts, rows are filtered, what is shown is saved; in a real browser."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import console_worlds
import pytest
import test_console_browser
from console_worlds import ConsoleSite, Visitor
from playwright.sync_api import Browser, Locator, Page, expect
from test_console_browser import DESK, PHONE, Screen
from test_prospectus_pages import needs_browser
from web_worlds import POINTS, SHOP, fresh, order

from rangli.service.looking.money import LotLine, Money
from rangli.service.work.imports import Imports, ImportView, RefusedRow
from rangli.web.console import listing as tables
from rangli.web.console import orders
from rangli.web.console.frame import turn
from rangli.web.console.listing import Column, Listing, Slice, Sort

console = console_worlds.console
browser = test_console_browser.browser

QUEUE = f"/p/{SHOP}/queues/老王面馆/1"
WAIT_MS = 10_000
EVIL = '=HYPERLINK("http://evil.example","老王"),\n1'
LOTS = """
# place  order  consumer  paid                                      packets-left
      1  A-1    小李      10.000000                                 3
      2  A-2    小张      9.000000                                  -
      3  A-10   小王      1234.500000                               12
      4  A-3    小李      -3.500000                                 1
      5  A-4    小赵      9.000000                                  -
      6  A-5    小钱      12345678901234567890123456789012.123457   2
      7  A-6    小孙      12345678901234567890123456789012.123456   2
"""


def lots(text: str = LOTS) -> list[LotLine]:
    """The lots of a queue, as the table has them."""
    rows = [line.split() for line in text.strip().splitlines()[1:]]
    return [
        LotLine(int(place), key, consumer, paid, 0, None if left == "-" else int(left), "0.00", "5.00")
        for place, key, consumer, paid, left in rows
    ]


MANY = [LotLine(n, f"B-{n}", "小李" if n % 3 else EVIL, f"{n}000.5{n % 10}", n, n, "0.00", "5.00") for n in range(1, 13)]


@pytest.fixture(scope="module")
def owner(console: ConsoleSite) -> Visitor:
    """Whose windows they are."""
    return console.visitor()


@pytest.fixture
def screen(browser: Browser, owner: Visitor, console: ConsoleSite) -> Iterator[Screen]:
    """An owner's window; nothing may have gone wrong in it."""
    screen = Screen(browser, owner, console.url)
    screen.page.set_default_timeout(WAIT_MS)
    yield screen
    faults = screen.faults
    screen.context.close()

    assert faults == []


def show_lots(monkeypatch: pytest.MonkeyPatch, some: list[LotLine]) -> None:
    """These stand in the queue."""
    monkeypatch.setattr(Money, "lots", lambda *_: some)


def shown(page: Page, place: int, table: str = "table") -> list[str]:
    """A column of the rows that one sees."""
    return page.locator(f"{table} tbody tr:visible td:nth-child({place})").all_inner_texts()


def head(page: Page, words: str) -> Locator:
    """What sorts by this column."""
    return page.locator("th .by", has_text=re.compile(f"^{words}")).first


def sorted_by(page: Page) -> list[tuple[str, str | None]]:
    """The columns that say they are sorted, and how."""
    return [(th.inner_text().split("\n")[0].strip(), th.get_attribute("aria-sort")) for th in page.locator("th[aria-sort]").all()]


# ---------------------------------------------------------------- small tables


@needs_browser
def test_a_head_sorts_by_the_exact_value_and_the_third_time_gives_the_order_back(
    screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two amounts of 38 digits differ in their last; equal ones keep their order, whichever way; what is not there comes last."""
    show_lots(monkeypatch, lots())
    page = screen.open(QUEUE)
    given = ["A-1", "A-2", "A-10", "A-3", "A-4", "A-5", "A-6"]
    steps = [
        ("实付", "ascending", ["A-3", "A-2", "A-4", "A-1", "A-10", "A-6", "A-5"]),
        ("实付", "descending", ["A-5", "A-6", "A-10", "A-1", "A-2", "A-4", "A-3"]),
        ("实付", None, given),
        ("还可收", "ascending", ["A-3", "A-5", "A-6", "A-1", "A-10", "A-2", "A-4"]),
        ("还可收", "descending", ["A-10", "A-1", "A-5", "A-6", "A-3", "A-2", "A-4"]),
        ("订单", "ascending", ["A-1", "A-2", "A-3", "A-4", "A-5", "A-6", "A-10"]),
    ]

    assert given == shown(page, 2)
    for words, said, expected in steps:
        head(page, words).press("Enter")

        assert expected == shown(page, 2)
        assert ([(words, said)] if said else []) == sorted_by(page)


@needs_browser
def test_units_stay_apart_and_words_stand_behind_numbers(console: ConsoleSite, screen: Screen) -> None:
    """Three points are neither more nor less than two yuan, and a tier without a limit is above every other."""
    key = fresh()
    console.service.running(POINTS).do([order(key)])
    page = screen.open(f"/p/{POINTS}/orders/{key}")
    head(page, "金额").click()
    amounts = page.locator("tbody td:nth-child(3)").evaluate_all(
        "(all) => all.map((one) => [one.dataset.unit, one.dataset.value])"
    )
    units = [unit for unit, _ in amounts]

    assert ["积分", "元"] == list(dict.fromkeys(units))
    assert sorted(amounts, key=lambda one: (units.index(one[0]), Decimal(one[1]))) == amounts

    page = screen.open(f"/p/{SHOP}/queues")
    table = page.get_by_role("region", name="各档")
    for _ in range(2):
        table.locator(".by").nth(1).click()

    assert table.locator("tbody tr").first.locator("td").nth(1).inner_text() == "不限"


@needs_browser
def test_a_filter_keeps_the_rows_with_the_words_and_says_how_many(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what is shown and by what it stands for; a table that is seen at a glance has none."""
    show_lots(monkeypatch, MANY)
    page = screen.open(QUEUE)
    field, said = page.get_by_label("筛选"), page.locator(".sift [role=status]")
    expect(said).to_have_text("显示 12 行,共 12 行")
    for words, expected in (
        ("hyperlink", ["B-3", "B-6", "B-9", "B-12"]),
        ("12,000", ["B-12"]),
        ("12000.52", ["B-12"]),
        ("?", []),
    ):
        field.fill(words)

        assert expected == shown(page, 2)
        assert said.inner_text() == f"显示 {len(expected)} 行,共 12 行"

    show_lots(monkeypatch, MANY[:10])
    assert screen.open(QUEUE).get_by_label("筛选").count() == 0


@needs_browser
def test_what_is_shown_is_saved_exactly_and_is_harmless_to_a_spreadsheet(
    screen: Screen, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In the order shown, amounts as numbers with their unit beside them, a formula as the text it is."""
    show_lots(monkeypatch, MANY)
    page = screen.open(QUEUE)
    head(page, "实付").click()
    head(page, "实付").click()
    page.get_by_label("筛选").fill("evil")
    name, (top, *rows) = _saved(page, tmp_path)
    data = (tmp_path / "file.csv").read_bytes()

    assert name == f"{SHOP}-红包队列 老王面馆 1.csv"
    assert data.startswith(b"\xef\xbb\xbf")
    assert data.endswith(b"\r\n")
    assert ["位次", "订单", "消费者", "实付", "单位", "已收红包", "还可收", "已收", "单位", "至多再收", "单位"] == top
    assert [
        [str(n), f"B-{n}", f"'{EVIL}", f"{n}000.5{n % 10}", "元", str(n), str(n), "0.00", "元", "5.00", "元"]
        for n in (12, 9, 6, 3)
    ] == rows


def _saved(page: Page, folder: Path) -> tuple[str, list[list[str]]]:
    """Name and lines of the only table's file."""
    with page.expect_download() as coming:
        page.get_by_role("button", name="CSV").click()
    coming.value.save_as(folder / "file.csv")
    with (folder / "file.csv").open(encoding="utf-8-sig", newline="") as file:
        return coming.value.suggested_filename, list(csv.reader(file, strict=True))


@needs_browser
def test_a_part_that_draws_itself_anew_keeps_order_filter_and_the_readers_place(
    screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import's refused rows come by and by, while one reads them."""
    asked: list[int] = []

    def view(*_: object) -> ImportView:
        asked.append(1)
        rows = [RefusedRow(n, f"R-{n}", "amount", "bad", "错", "wrong") for n in range(2, 14 + len(asked))]
        state = "checking" if len(asked) < 4 else "checked"
        counts = {"rows": 50, "good": 0, "held": 0, "repeated": 0, "refused": len(rows)}
        return ImportView(
            id="1", programme=SHOP, filename="a.csv", by="x", began_at="2026-01-05T04:30:00Z", state=state, can_settle=False,
            percent=10, first=rows, zh="", en="", **counts,
        )  # fmt: skip

    monkeypatch.setattr(Imports, "view", view)
    page = screen.open(f"/p/{SHOP}/import/1")
    head(page, "行").click()
    head(page, "行").click()
    page.get_by_label("筛选").fill("R-1")
    expect(page.locator("section#progress[hx-get]")).to_have_count(0, timeout=10_000)
    expect(page.get_by_label("筛选")).to_be_focused()

    assert len(asked) == 4
    assert [f"R-{n}" for n in range(17, 9, -1)] == shown(page, 2)
    assert sorted_by(page) == [("行", "descending")]
    assert page.get_by_label("筛选").input_value() == "R-1"


@needs_browser
def test_a_table_behind_a_picture_sorts_while_it_is_closed(console: ConsoleSite, screen: Screen, tmp_path: Path) -> None:
    """The numbers of a chart wait in a drawer; links are saved by their words, times as the clock in Beijing shows them."""
    console.service.running(POINTS).do([order(fresh()) for _ in range(3)])
    page = screen.open(f"/p/{POINTS}/pool")
    given = page.locator("details tbody tr td:first-child").all_text_contents()
    page.locator("details .by").first.dispatch_event("click")
    page.locator("details summary").click()
    _, *rows = _saved(page, tmp_path)[1]

    assert sorted(given, key=int) == shown(page, 1, "details table")
    assert sorted(given, key=int) != given
    assert [row[:2] for row in rows] == list(map(list, zip(shown(page, 1), shown(page, 2), strict=True)))
    assert {unit for row in rows for unit in (row[3], row[5], row[7])} == {"元", "积分"}


@needs_browser
@pytest.mark.parametrize(("size", "theme"), [(PHONE, "dark"), (DESK, "light")], ids=["phone dark", "desk light"])
def test_a_sorted_table_has_no_serious_fault(
    console: ConsoleSite, owner: Visitor, browser: Browser, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], theme: str
) -> None:
    """For who reads with a screen reader, on a phone, by day and by night; heads are large enough for a thumb."""
    show_lots(monkeypatch, MANY)
    screen = Screen(browser, owner, console.url, size)
    screen.prefer(theme=theme)
    page = screen.open(QUEUE)
    head(page, "实付").click()
    page.get_by_label("筛选").fill("B-1")
    boxes = [one.bounding_box() for one in page.locator("th .by, .saves button").all()]
    edges = page.locator("tr:visible :nth-child(4):is(th, td)").evaluate_all(
        "(some) => some.map((one) => getComputedStyle(one).textAlign)"
    )

    assert screen.ills() == []
    assert screen.faults == []
    assert all(box and box["height"] >= 24 for box in boxes)
    assert {"right"} == set(edges)
    screen.context.close()


# ---------------------------------------------------------------- listings


ORDERS = f"/p/{SHOP}/orders"
RISING, FALLING = Sort("old", "旧", "Old", "at"), Sort("new", "新", "New", "at", is_falling=True)
LEAST = Sort("least", "少", "Least", "paid")


@pytest.mark.parametrize(
    ("key", "sort", "expected"),
    [
        ("at", "new", ("old", "descending")), ("at", "old", ("new", "ascending")), ("at", "least", ("new", "")),
        ("paid", "new", ("least", "")), ("paid", "least", ("", "ascending")), ("shop", "new", ("", "")),
    ],
)  # fmt: skip
def test_a_head_leads_to_the_other_direction_or_to_the_first_order_of_its_column(
    key: str, sort: str, expected: tuple[str, str]
) -> None:
    """A column that no order goes by leads nowhere."""
    listing = Listing("x", "x", "x", (), lambda _: Slice([]), sorts=(FALLING, RISING, LEAST))

    assert expected == turn(listing, Column(key, "列", "column"), sort)


def test_a_head_of_a_listing_is_a_link_that_drops_the_page(
    console: ConsoleSite, owner: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a script too: it leads to the other order, keeps the filters and begins at the start."""
    monkeypatch.setattr(tables, "PAGE", 2)
    console.service.running(SHOP).do([order(fresh(), amount=f"{n}.00") for n in range(1, 5)])
    newest, oldest = _orders()
    cursor = re.search(r'rel="next" href="[^"]*cursor=([^"&]+)', owner.get(ORDERS, shop="老王面馆").text)
    assert cursor is not None
    page = owner.get(ORDERS, shop="老王面馆", cursor=cursor[1])
    link = re.search(r'aria-sort="descending"><a class="by" id="by-[a-z_]+" href="([^"]+)"', page.text)
    assert link is not None

    assert link[1].replace("&amp;", "&").endswith(f"/orders?shop=%E8%80%81%E7%8E%8B%E9%9D%A2%E9%A6%86&sort={oldest.code}")
    turned = owner.get(ORDERS, sort=oldest.code).text
    assert re.search(rf'aria-sort="ascending"><a class="by" id="by-{newest.column}" href="[^"]+sort={newest.code}"', turned)


def _orders() -> tuple[Sort, Sort]:
    """The first order of the orders, and its opposite."""
    newest = orders.SORTS[0]
    return newest, next(one for one in orders.SORTS if one.column == newest.column and not one.is_falling)


@needs_browser
def test_a_head_of_a_listing_turns_the_order_in_place_and_one_can_go_back(console: ConsoleSite, screen: Screen) -> None:
    """With the keyboard, which stays where it was."""
    console.service.running(SHOP).do([order(fresh()) for _ in range(3)])
    newest, oldest = _orders()
    page = screen.open(ORDERS)
    given = shown(page, 1)
    link = page.locator(f"#by-{newest.column}")
    link.press("Enter")
    expect(page.locator("th[aria-sort=ascending]")).to_have_count(1)
    expect(link).to_be_focused()

    assert given[::-1] == shown(page, 1)
    assert page.url.endswith(f"?sort={oldest.code}")
    assert page.locator("select[name=sort]").input_value() == oldest.code
    page.go_back()
    expect(page.locator("th[aria-sort=descending]")).to_have_count(1)
    expect(page.locator("header.bar")).to_be_visible()
    assert given == shown(page, 1)


@needs_browser
def test_columns_of_a_listing_without_an_order_sort_only_where_all_of_it_is_here(
    console: ConsoleSite, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To sort one page of many would mislead. The server's own files and filters are those of a listing."""
    console.service.running(SHOP).do([order(fresh(), concession=f"{n}%") for n in (9, 10)])
    page = screen.open(ORDERS)
    button = page.locator("th button", has_text="让利")
    button.click()

    assert shown(page, 5) == sorted(shown(page, 5), key=lambda text: int(text.removesuffix("%")))
    assert sorted_by(page) == [("让利", "ascending")]
    assert page.locator(".sift, .saves button").count() == 0
    button.click()
    button.click()
    assert [said for _, said in sorted_by(page)] == ["descending"]
    monkeypatch.setattr(tables, "PAGE", 2)
    for path in (ORDERS, f"{ORDERS}?cursor={_cursor(screen.open(ORDERS))}"):
        assert screen.open(path).locator("th button").count() == 0


def _cursor(page: Page) -> str:
    """Of the next page."""
    found = re.search(r"cursor=([^&]+)", page.locator("a[rel=next]").get_attribute("href") or "")
    assert found is not None
    return found[1]


@needs_browser
def test_a_listing_that_waits_for_its_order_asks_again_and_leaves_the_filters_alone(
    console: ConsoleSite, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one has begun to type stays; when the rows are there it stops."""
    console.service.running(SHOP).do([order(fresh())])
    asked: list[int] = []
    real = orders.slice_of

    def sliced(*args: object) -> Slice:
        asked.append(1)
        return Slice([], zh="正在读流水", en="reading", is_waiting=True) if len(asked) < 3 else real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(orders, "slice_of", sliced)
    page = screen.open(ORDERS)
    page.locator("#f-order_id").fill("A1")
    expect(page.get_by_role("status")).to_have_text("正在读流水")
    expect(page.locator("#listing tbody tr").first).to_be_visible(timeout=10_000)

    assert page.locator("#f-order_id").input_value() == "A1"
    assert page.locator("[hx-trigger^=load]").count() == 0
    assert len(asked) == 3
