"""The console's pages of orders: found, looked into, refunded after every reversal was shown, and handed in as files."""

from __future__ import annotations

import csv
import io
import re
import secrets
import time
from functools import partial
from urllib.parse import quote

import console_worlds
import openpyxl
import pytest
from console_worlds import SCRIPT, ConsoleSite, Page, Visitor, order_ids, path_in
from service_worlds import done, order, orders

from rangli.service import Running
from rangli.service.requests import RefundRequest, Request
from rangli.service.work.imports import GOING_ON
from rangli.web.console.orders import DOORS

console = console_worlds.console
NAME = "小吃街"
at = partial(path_in, NAME)
ASKED_MAX = 6
"""Statements that a page may make."""


@pytest.fixture(scope="module")
def street(console: ConsoleSite) -> Running:
    """A programme with three hundred orders, one of a shop whose name is a script."""
    console.service.create(NAME, "weituanbao", hold_seconds=0)
    running = console.service.running(NAME)
    done(running.do(orders(range(300))))
    life: list[Request] = [
        order("evil", merchant=SCRIPT, consumer=SCRIPT, referrer=SCRIPT), order("a/b?c#d", merchant="甲/乙"),
        RefundRequest("r1", "o7", "10"), RefundRequest("r2", "o8"),
    ]  # fmt: skip
    done(running.do(life))
    return running


@pytest.fixture(scope="module")
def visitor(console: ConsoleSite, street: Running) -> Visitor:
    """Who may do all."""
    assert street.name == NAME
    return console.visitor()


def test_the_list_shows_the_newest_orders_first_and_goes_on(visitor: Visitor) -> None:
    """A hundred to a page; the next begins where it ended."""
    first = visitor.get(at("orders"))

    assert 200 == first.status
    assert ["a/b?c#d", "evil", "o299"] == order_ids(first)[:3]
    assert 100 == len(order_ids(first))
    cursor = re.search(r"cursor=(newest\.\d+)", first.text)
    assert cursor is not None
    second = visitor.get(at("orders"), cursor=cursor[1])
    assert ["o201", "o200"] == order_ids(second)[:2]
    assert ["o0", "o1"] == order_ids(visitor.get(at("orders"), sort="oldest"))[:2]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"order_id": "o7"}, ["o7"]),
        ({"merchant": SCRIPT}, ["evil"]),
        ({"status": "refunded"}, ["o8"]),
        ({"status": "partly_refunded"}, ["o7"]),
        ({"consumer": "张三", "least": "100"}, ["a/b?c#d"]),
        ({"merchant": "没有"}, []),
    ],
)
def test_filters_narrow_the_list(visitor: Visitor, query: dict[str, str], found: list[str]) -> None:
    """As a page and as a part of one."""
    assert found == order_ids(visitor.get(at("orders"), **query))
    assert found == order_ids(visitor.part(at("orders"), **query))


def test_a_filter_that_cannot_be_is_shown_at_its_field(visitor: Visitor) -> None:
    """And nothing is listed as if it were the answer."""
    page = visitor.get(at("orders"), least="-5")

    assert 422 == page.status
    assert "为负数" in page.words
    assert [] == order_ids(page)


def test_a_page_of_a_hundred_orders_makes_few_statements(console: ConsoleSite, visitor: Visitor) -> None:
    """The same number however many orders there are, and whatever is asked."""
    visitor.get(at("orders"))
    for query in ({}, {"merchant": "面馆"}, {"status": "refunded"}, {"since": "2020-01-01", "until": "2099-01-01"}):
        made = console.statements(lambda query=query: visitor.part(at("orders"), **query))  # type: ignore[misc]

        assert len(made) <= ASKED_MAX, made


def test_an_orders_page_says_who_got_what_and_why(visitor: Visitor) -> None:
    """Amounts, the words of the plan, its lot's place, every transfer, its refunds."""
    page = visitor.get(at("orders", "o7"))

    for words in ("部分退款", "消费者实付", "谁得了什么", "红包份额", "退款记录", "¥10.00", "让利"):
        assert words in page.words
    assert at("accounts", "platform:surplus") in page.text
    assert 404 == visitor.get(at("orders", "nobody")).status
    assert 200 == visitor.get(at("orders", "a/b?c#d")).status


def test_a_shop_named_like_a_script_is_only_a_name(visitor: Visitor) -> None:
    """On every page that names it, and in the files that are saved."""
    pages = [
        visitor.get(at("orders")), visitor.get(at("orders"), merchant=SCRIPT), visitor.get(at("orders", "evil")),
        visitor.get(at("orders", "evil", "draw")), visitor.post(at("orders", "evil", "preview")), visitor.part(at("orders")),
    ]  # fmt: skip
    for page in pages:
        assert 200 == page.status
        assert SCRIPT not in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in pages[0].text


def test_a_draw_is_explained_and_made_again(visitor: Visitor) -> None:
    """With the command that does it; the paid day of these orders is long over."""
    page = visitor.get(at("orders", "o299", "draw"))

    assert 200 == page.status
    assert "rangli draw DIR o299" in page.text
    assert "由密钥重新切分" in page.words or "有的份额容不下" in page.words


def test_a_refund_is_shown_first_and_done_once(street: Running, visitor: Visitor) -> None:
    """The preview changes nothing; what it showed is what is done; the same form again does nothing more."""
    before = street.state_hash(), street.position()
    shown = visitor.post(at("orders", "o20", "preview"), amount="7.5")

    assert 200 == shown.status
    assert "¥7.50" in shown.words
    assert before == (street.state_hash(), street.position())
    once = secrets.token_urlsafe(12)
    done_now = visitor.post(at("orders", "o20", "refund"), amount="7.50", once=once)
    assert (303, f"/console{at('orders', 'o20')}") == (done_now.status, done_now.headers["location"])
    refunds = street.order("o20").refunds
    assert ["7.50"] == [one.facts["amount"] for one in refunds]
    assert f"console-{once}" == refunds[0].id
    assert [line.zh for line in refunds[0].transfers]
    for line in refunds[0].transfers:
        assert line.zh in shown.words
    noted = visitor.get("/acts").words
    assert "refund" in noted
    assert "o20" in noted
    assert 409 == visitor.post(at("orders", "o20", "refund"), amount="7.50", once=once).status
    assert 1 == len(street.order("o20").refunds)


def test_a_held_order_is_listed_by_its_status_and_cancelled_whole(console: ConsoleSite, visitor: Visitor) -> None:
    """Nothing of it has been settled; its page says so, and its refund cancels it."""
    console.service.create("冻结街", "weituanbao", hold_seconds=3600)
    running = console.service.running("冻结街")
    done(running.do([order("h1", merchant=SCRIPT), order("h2")]))
    there = f"/p/{quote('冻结街')}/orders"

    assert [] == order_ids(visitor.get(there))
    assert "查看冻结中的订单" in visitor.get(there).words
    assert ["h2", "h1"] == order_ids(visitor.get(there, status="held"))
    page = visitor.get(f"{there}/h1")
    assert "冻结中" in page.words
    assert SCRIPT not in page.text
    assert "只能全额退款" in visitor.post(f"{there}/h1/preview", amount="5").words
    shown = visitor.post(f"{there}/h1/preview")
    assert "退款就是取消它" in shown.words
    assert 303 == visitor.post(f"{there}/h1/refund", amount="100.00").status
    assert ["h1"] == order_ids(visitor.get(there, status="cancelled"))
    assert "已取消" in visitor.get(f"{there}/h1").words
    assert "预览退款" not in visitor.get(f"{there}/h1").words


@pytest.mark.parametrize(("amount", "words"), [("99999", "不在"), ("0", "为 0"), ("1.234", "小数超过两位")])
def test_a_refund_that_cannot_be_is_refused_in_place(visitor: Visitor, amount: str, words: str) -> None:
    """The order's page again, with what would be right."""
    page = visitor.post(at("orders", "o21", "preview"), amount=amount)

    assert 422 == page.status
    assert words in page.words
    assert "谁得了什么" in page.words


def test_who_may_only_look_cannot_refund_or_import(console: ConsoleSite, street: Running) -> None:
    """Neither sees he the forms, nor do they work when sent all the same."""
    auditor, before = console.visitor("auditor"), street.position()

    assert "预览退款" not in auditor.get(at("orders", "o30")).words
    assert "上传" not in auditor.get(at("import")).words
    for path in (("orders", "o30", "preview"), ("orders", "o30", "refund"), ("import",)):
        assert 403 == auditor.post(at(*path), amount="1").status
    assert before == street.position()


def test_another_programmes_orders_are_nobodys_business(console: ConsoleSite, street: Running) -> None:
    """Whoever may not see the programme learns nothing of it."""
    assert street.name == NAME
    console.service.create("别处", "weituanbao", hold_seconds=0)
    stranger = console.visitor("finance", ["别处"])
    for door in DOORS:
        path = door.path.replace("{programme}", quote(NAME)).replace("{order_id}", "o1").replace("{id}", "00")
        page = stranger.get(path) if door.method == "GET" else stranger.post(path)

        assert 404 == page.status, door.path
        assert "面馆" not in page.text


def test_the_list_is_saved_as_a_workbook_with_numbers(visitor: Visitor) -> None:
    """Amounts are numbers with their unit beside, and a name that looks like a formula stays a name."""
    page = visitor.get(at("orders"), **{"as": "xlsx", "status": "partly_refunded"})
    sheet = openpyxl.load_workbook(io.BytesIO(page.data)).active
    assert sheet is not None
    rows = list(sheet.values)
    heads = [str(cell) for cell in rows[0]]
    o7 = next(row for row in rows[1:] if row[0] == "o7")

    assert isinstance(o7[heads.index("实付")], int | float)
    assert 10 == o7[heads.index("已退")]
    assert "元" == o7[heads.index("实付") + 1]


# ---------------------------------------------------------------- files handed in


FILE = f"""order_id,paid_at,merchant,consumer,amount,concession
n1,2026-01-05 12:00:00,{SCRIPT},张三,100,20%
n2,2026-01-05 12:00:00,面馆,李四,12.345,20%
n3,2026-01-05 12:00:00,面馆,李四,50,20
"""


def handed_in(visitor: Visitor, street: Running, text: str, name: str = "orders.csv") -> tuple[str, Page]:
    """The import's address, and its page when the file has been looked through."""
    page = visitor.post(at("import"), files={"file": (name, text.encode())})
    assert 303 == page.status, page.words
    path = page.headers["location"].removeprefix("/console")
    settle(street, visitor, path)
    return path, visitor.get(path)


def settle(street: Running, visitor: Visitor, path: str) -> None:
    """Wait until nobody works on it."""
    until = time.monotonic() + 20
    imports = visitor.site.service.imports
    while imports.view(street.name, path.rpartition("/")[2]).state in GOING_ON:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_file_is_looked_through_before_anything_is_settled(street: Running, visitor: Visitor) -> None:
    """Each refused row with its line and what would be right, to be saved too; then one button settles the rest, once."""
    before = street.position()
    path, page = handed_in(visitor, street, FILE)

    assert before == street.position()
    assert "已检查,未入账" in page.words
    assert "小数超过两位" in page.words
    assert "缺少百分号" in page.words
    assert SCRIPT not in page.text
    listed = list(csv.DictReader(io.StringIO(visitor.get(f"{path}/refused.csv").data.decode("utf-8-sig"))))
    assert [("3", "n2", "amount"), ("4", "n3", "concession")] == [(row["line"], row["order_id"], row["field"]) for row in listed]
    once = secrets.token_urlsafe(12)
    assert 303 == visitor.post(f"{path}/settle", once=once).status
    settle(street, visitor, path)
    assert before + 1 == street.position()
    assert "已结算" in visitor.part(path).words
    assert "hx-trigger" not in visitor.part(path).text
    assert 409 == visitor.post(f"{path}/settle", once=once).status
    assert 409 == visitor.post(f"{path}/settle").status
    assert 200 == visitor.get(at("orders", "n1")).status


def test_a_file_that_is_none_is_refused_in_place(street: Running, visitor: Visitor) -> None:
    """No file, another kind, and one without the columns."""
    assert "请选一个文件" in visitor.post(at("import")).words
    assert "不是 .csv" in visitor.post(at("import"), files={"file": ("a.exe", b"x")}).words
    _, page = handed_in(visitor, street, "a,b\n1,2\n")
    assert "缺少列" in page.words
    assert 404 == visitor.get(at("import", "00")).status
