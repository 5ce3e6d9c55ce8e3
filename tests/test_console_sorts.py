"""Tables of the console in every order that they offer: over all rows, page after page, as files, by few statements."""

from __future__ import annotations

import ast
import csv
import io
import re
import secrets
from decimal import Decimal
from functools import partial
from html import unescape
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import console_pages
import console_worlds
import pytest
from console_worlds import ConsoleSite, Page, Visitor, order_ids, path_in
from hypothesis import given
from hypothesis import strategies as st
from service_worlds import MARKET, done, order

from rangli.errors import FieldRefused
from rangli.money import parse_yuan
from rangli.service import Running
from rangli.service.looking.stretches import Stretches
from rangli.service.requests import RefundRequest, Request
from rangli.web.console import listing as tables
from rangli.web.console.call import Call, Shown
from rangli.web.console.listing import Listing, Want, by_count, by_time, by_words, page, wanted
from rangli.web.console.shelf import shelved
from rangli.web.console.words import Amount

console = console_worlds.console
NAME = "排序街"
at = partial(path_in, NAME)
ASKED_MAX = 6
"""Statements that a page may make."""


@pytest.fixture(scope="module")
def street(console: ConsoleSite) -> Running:
    """A hundred orders of few amounts, some of them refunded."""
    console.service.create(NAME, MARKET, hold_seconds=0)
    running = console.service.running(NAME)
    life: list[Request] = [order(f"o{i}", amount=str(50 * (i * i % 7 + 1)), consumer=f"c{i % 9}") for i in range(100)]
    done(running.do([*life, RefundRequest("r1", "o7", "10"), RefundRequest("r2", "o8")]))
    return running


@pytest.fixture(scope="module")
def visitor(console: ConsoleSite, street: Running) -> Visitor:
    """Who may do all."""
    assert street.name == NAME
    return console.visitor()


def following(page: Page) -> str:
    """Where the next page is, empty at the end."""
    there = re.search(r'rel="next" href="/console([^"]*)"', page.text)
    return unescape(there[1]) if there else ""


def offered(page: Page) -> list[str]:
    """The orders that a list offers."""
    return re.findall(r'<option value="([a-z]+)"', page.text.partition('name="sort"')[2].partition("</select>")[0])


def by_amount(running: Running) -> list[str]:
    """The orders of the street, the largest first, of equal ones the newest."""
    orders = [running.order(f"o{i}") for i in range(100)]
    return [one.order_id for one in sorted(orders, key=lambda one: (-parse_yuan(one.facts["amount"]), -(one.position or 0)))]


# ---------------------------------------------------------------- every table


@pytest.fixture(scope="module")
def listings(console: ConsoleSite) -> dict[str, Listing]:
    """All tables of the console by name, each taken from its page."""
    found: dict[str, Listing] = {}
    owner = console.visitor()
    town = console_pages.build(console.service, 60)
    hook = console.service.webhooks.add(town.programme, "https://hooks.example.com/rangli", ["refund"])
    town.parts["webhook"] = hook.id
    listed = Call.listing

    def noted(call: Call, listing: Listing, template: str, /, **values: Any) -> Shown:  # noqa: ANN401 -- as there
        found[re.sub("^statement-.*", "statement", listing.name)] = listing
        return listed(call, listing, template, **values)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Call, "listing", noted)
        for path in console_pages.pages(town).values():
            owner.get(path)
    return found


def test_every_table_is_among_them(listings: dict[str, Listing]) -> None:
    """Whoever makes another one has a page for it that can be visited, and gets the tests below with it."""
    sources = files("rangli.web.console").iterdir()
    trees = [ast.parse(path.read_text("utf-8")) for path in sources if path.name.endswith(".py")]
    made = [
        node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "Listing"
    ]

    assert len(made) == len(listings) >= 17


def test_every_table_is_sorted_by_one_of_its_columns(listings: dict[str, Listing]) -> None:
    """The head of the column leads to it. No code is used twice; no column has two orders of one direction."""
    for name, listing in listings.items():
        keys, codes = {column.key for column in listing.columns}, [sort.code for sort in listing.sorts]
        ways = [(sort.column, sort.is_falling) for sort in listing.sorts]

        assert listing.sorts, name
        assert {sort.column for sort in listing.sorts} <= keys, name
        assert len(set(codes)) == len(codes), name
        assert len(set(ways)) == len(ways), name
        assert not any("." in code for code in codes), name


def test_every_table_can_be_turned_round(listings: dict[str, Listing]) -> None:
    """By the column that it is sorted by without asking."""
    turned = {
        name: {sort.is_falling for sort in one.sorts if sort.column == one.sorts[0].column} for name, one in listings.items()
    }

    assert [] == [name for name, ways in turned.items() if ways != {True, False}]


def test_every_order_of_every_table_is_a_page(listings: dict[str, Listing]) -> None:
    """The tables hold little here; all their rows come in each order, and paged one by one they are the same rows."""
    for name, listing in listings.items():
        for sort in listing.sorts:
            whole = list(tables._rows(listing, Want({}, sort.code, "", 100)))
            found, cursor = [], ""
            while True:
                some = page(listing, wanted(listing, {"sort": sort.code, "cursor": cursor})._replace(limit=1))
                found += some.rows
                cursor = some.next
                if not cursor:
                    break

            assert whole == found, (name, sort.code)


def test_amounts_of_every_table_are_in_order(listings: dict[str, Listing]) -> None:
    """Where a table is sorted by an amount, its cells say so."""
    seen = 0
    for name, listing in listings.items():
        kinds = {column.key: column.kind for column in listing.columns}
        for sort in listing.sorts:
            cells = [row[sort.column] for row in tables._rows(listing, Want({}, sort.code, "", 100))]
            if kinds[sort.column] == "money":
                amounts = [Decimal(cell.text) for cell in cells if isinstance(cell, Amount)]
                assert sorted(amounts, reverse=sort.is_falling) == amounts, (name, sort.code)
                seen += len(amounts) > 1
            elif kinds[sort.column] in ("count", "time"):
                texts = [(len(str(cell)), str(cell)) for cell in cells if cell not in ("", None)]
                assert sorted(texts, reverse=sort.is_falling) == texts, (name, sort.code)
    assert seen >= 4


# ---------------------------------------------------------------- orders by amount


@pytest.mark.parametrize("size", [1, 3, 100])
def test_pages_of_orders_by_amount_joined_are_all_of_them(
    street: Running, visitor: Visitor, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """As a browser follows them from page to page."""
    monkeypatch.setattr(tables, "PAGE", size)
    expected, found = by_amount(street)[: 20 * size], []
    there = at("orders") + "?sort=largest"
    while there and len(found) < len(expected):
        page = visitor.get(there)
        found += order_ids(page)
        there = following(page)

    assert expected == found


@pytest.mark.parametrize("path", [("orders",), ("accounts",), ("queues",), ("journal",), ("accounts", "platform:surplus")])
def test_a_cursor_of_another_order_is_refused_in_words(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch, path: tuple[str, ...]
) -> None:
    """Whoever changes the order in an address begins with the first page; else rows would be missing and nobody would know."""
    monkeypatch.setattr(tables, "PAGE", 2)
    sorts = offered(visitor.get(at(*path)))
    cursors = {sort: following(visitor.get(at(*path), sort=sort)).partition("cursor=")[2].partition("&")[0] for sort in sorts}
    assert len(sorts) >= 2
    for sort, cursor in cursors.items():
        for other in sorts:
            page = visitor.get(at(*path), sort=other, cursor=cursor)
            assert (200 if sort == other else 422) == page.status, (sort, other)
            assert ("不是这种排列给出的游标" in page.words) == (sort != other)


def test_orders_that_wait_cannot_be_sorted_by_amount(visitor: Visitor) -> None:
    """The page says what can be done instead."""
    page = visitor.get(at("orders"), sort="largest", status="held")

    assert 422 == page.status
    assert "请改选最新或最早的在前" in page.words


@pytest.fixture
def unread(street: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the journal is in memory, and nobody reads ahead."""
    whole = street.browsing._heads
    monkeypatch.setattr(street.browsing, "_heads", Stretches(whole._database, whole._load, whole._joined, size_bits=3))
    monkeypatch.setattr(street.browsing._heads, "fill", lambda *_: None)


@pytest.mark.usefixtures("unread")
def test_a_page_that_waits_says_so_and_shows_no_rows(visitor: Visitor) -> None:
    """Half of the orders in order would be taken for all; it asks again until it knows."""
    pages = [visitor.part(at("orders"), sort="largest") for _ in range(8)]
    waiting = ["正在读入这些天的流水" in page.words for page in pages]

    assert sorted(waiting, reverse=True) == waiting
    assert {True, False} == set(waiting)
    for shown, waits in zip(pages, waiting, strict=True):
        assert (0 if waits else 100) == len(order_ids(shown))
        assert waits == ("hx-trigger" in shown.text)
        assert "没有符合条件的记录" not in shown.words


@pytest.mark.usefixtures("unread")
def test_a_file_in_the_order_of_amounts_is_complete(street: Running, visitor: Visitor) -> None:
    """It waits until everything is read; whoever saves it does not have to."""
    text = visitor.get(at("orders"), **{"as": "csv", "sort": "largest"}).data.decode("utf-8-sig")

    assert by_amount(street) == [row["订单号"] for row in csv.DictReader(io.StringIO(text))]


@pytest.mark.parametrize("size", [10, 100])
def test_in_every_order_a_page_makes_few_statements(
    console: ConsoleSite, visitor: Visitor, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """One of a hundred rows as one of ten."""
    monkeypatch.setattr(tables, "PAGE", size)
    for path in (("orders",), ("accounts",), ("queues",), ("journal",), ("accounts", "platform:surplus")):
        for sort in offered(visitor.get(at(*path))):
            made = console.statements(lambda path=path, sort=sort: visitor.part(at(*path), sort=sort))  # type: ignore[misc]

            assert len(made) <= ASKED_MAX, (path, sort, made)


def test_balances_of_several_units_are_said_to_be_mixed(visitor: Visitor) -> None:
    """A point is no yuan; one kind alone needs no such note."""
    said = "按数字排在一起"

    assert said in visitor.get(at("accounts"), sort="largest").words
    assert said not in visitor.get(at("accounts"), sort="largest", kind="consumer", pocket="wallet").words
    assert said not in visitor.get(at("accounts"), sort="latest").words


def test_cancelled_orders_are_said_to_be_listed_by_their_ids(console: ConsoleSite, visitor: Visitor) -> None:
    """Nobody takes them for sorted by time."""
    console.service.create("退订街", MARKET, hold_seconds=3600)
    done(console.service.running("退订街").do([order("h2"), order("h1"), RefundRequest("r2", "h2"), RefundRequest("r1", "h1")]))
    there = f"/p/{quote('退订街')}/orders"

    assert ["h1", "h2"] == order_ids(visitor.get(there, status="cancelled"))
    assert "按订单号排列" in visitor.get(there, status="cancelled").words
    assert "按订单号排列" not in visitor.get(there, status="held").words


# ---------------------------------------------------------------- logs, read the other way


def test_the_audit_log_is_read_from_its_beginning_too(console: ConsoleSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Page after page, with its filters."""
    monkeypatch.setattr(tables, "PAGE", 7)
    owner, mark = console.visitor(), f"x-{secrets.token_hex(4)}"
    for i in range(20):
        console.service.staff.note(mark, "finance", "probe", f"o{i}", outcome="failed" if i % 2 else "done")
    expected = [f"o{i}" for i in range(1, 20, 2)]
    for sort in ("oldest", "newest"):
        found, there = [], f"/acts?member={mark}&outcome=failed&sort={sort}"
        while there:
            page = owner.part(there)
            found += re.findall(r">(o\d+)</code>", page.text)
            there = following(page)

        assert (expected if sort == "oldest" else expected[::-1]) == found


# ---------------------------------------------------------------- what is in memory


BY = {
    **dict.fromkeys(by_time("at"), lambda one: one[0]),
    **dict.fromkeys(by_words("name", "名称", "name"), lambda one: str(one[1])),
    **dict.fromkeys(by_count("size", "大小", "size"), lambda one: one[0] % 2),
}  # type: ignore[var-annotated]
CODES = [sort.code for sort in BY]


def shelf_page(rows: list[tuple[int, int]], sort: str, cursor: str, limit: int) -> tables.Slice:
    """A page of things that have a time and a name."""
    return shelved(rows, Want({}, sort, cursor, limit), BY, lambda one: str(one[1]), lambda one: {"thing": one})


@given(
    values=st.lists(st.integers(0, 4), max_size=40), sort=st.sampled_from(CODES), limit=st.sampled_from([1, 3, 100]),
)  # fmt: skip
def test_pages_from_memory_joined_are_all_of_it_in_order(*, values: list[int], sort: str, limit: int) -> None:
    """With many that are equal."""
    rows = [(value, number) for number, value in enumerate(values)]
    way, key = next((one, key) for one, key in BY.items() if one.code == sort)
    found, cursor = [], ""
    while True:
        page = shelf_page(rows[::-1], sort, cursor, limit)
        found += [row["thing"] for row in page.rows]
        cursor = page.next
        if not cursor:
            break

    assert sorted(rows, key=lambda one: (key(one), str(one[1])), reverse=way.is_falling) == found


def test_rows_from_memory_that_come_and_go_disturb_no_other() -> None:
    """Also when the one that the cursor is made of has gone."""
    rows = [(value, value) for value in range(10)]
    first = shelf_page(rows, "newest", "", 3)
    rows = [(20, 20), *rows[:6], rows[9]]

    assert [(9, 9), (8, 8), (7, 7)] == [row["thing"] for row in first.rows]
    assert [(value, value) for value in (5, 4, 3, 2, 1, 0)] == [
        row["thing"] for row in shelf_page(rows, "newest", first.next, 100).rows
    ]


@pytest.mark.parametrize("cursor", ["x", "字", "W10", "WyJhIiwiYiJd", "A" * 999, "bnVsbA"])
def test_a_place_in_memory_that_is_none_is_refused(cursor: str) -> None:
    """Whatever comes back from a browser; a text is no time."""
    with pytest.raises(FieldRefused, match="cursor"):
        shelf_page([(1, 1), (2, 2)], "newest", cursor, 1)
