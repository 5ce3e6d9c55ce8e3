"""The console's pages of money: accounts and statements of any moment, the journal with its hashes, pool, queues, books."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from html import unescape
from urllib.parse import quote

import console_worlds
import openpyxl
import pyarrow.parquet as pq
import pytest
from console_worlds import SCRIPT, ConsoleSite, Page, Visitor, path_in
from service_worlds import MARKET, SEASON, done, micro, order, orders
from test_service_browsing import SEASON_LIFE

from rangli.service import Running
from rangli.service.looking import chains
from rangli.service.looking.chains import Chain
from rangli.service.looking.forward import Forward
from rangli.service.looking.stretches import Stretches
from rangli.service.requests import InjectionRequest, RefundRequest, Request, SaleRequest
from rangli.web.console import listing as tables
from rangli.web.console import money

console = console_worlds.console
ASKED_MAX = 6
"""Statements that a page may make."""
SURPLUS = "platform:surplus"


@pytest.fixture(scope="module")
def market(console: ConsoleSite) -> Running:
    """A programme with packets and a pool, and a shop whose name is a script."""
    console.service.create("集市", MARKET, hold_seconds=0)
    running = console.service.running("集市")
    life: list[Request] = [
        *orders(range(40)), order("evil", merchant=SCRIPT, consumer=SCRIPT, referrer=SCRIPT), RefundRequest("r1", "o7", "10"),
        SaleRequest("s1", "c2", "0.5"), InjectionRequest("i1", "12.34"), order("slash", merchant="甲/乙"),
    ]  # fmt: skip
    done(running.do(life))
    return running


@pytest.fixture(scope="module")
def season(console: ConsoleSite) -> Running:
    """A programme with vouchers."""
    console.service.create("四季", SEASON, hold_seconds=0)
    running = console.service.running("四季")
    done(running.do(SEASON_LIFE))
    running.money.sums()
    assert running.money.wait_filled(20)
    return running


@pytest.fixture(scope="module")
def visitor(console: ConsoleSite, market: Running, season: Running) -> Visitor:
    """Who may do all."""
    assert market.name != season.name
    return console.visitor()


def at(running: Running, *parts: str) -> str:
    """An address in a programme."""
    return path_in(running.name, *parts)


def test_accounts_lead_to_their_statements(market: Running, visitor: Visitor) -> None:
    """By kind, by the beginning of a name, by pocket."""
    page = visitor.get(at(market, "accounts"))

    assert 200 == page.status
    assert at(market, "accounts", SURPLUS) in page.text
    assert "平台盈余" in page.words
    few = visitor.get(at(market, "accounts"), kind="consumer", name="c2", pocket="wallet")
    assert ["consumer:c2:wallet"] == re.findall(r">(consumer:[^<]*)<", few.text)
    statement = visitor.get(at(market, "accounts", "consumer:c2:wallet"))
    assert market.balance("consumer:c2:wallet").balance.rstrip("0")[:4] in statement.words
    assert "卖出积分" in statement.words
    assert 404 == visitor.get(at(market, "accounts", "consumer:nobody:wallet")).status


def test_a_statement_is_shown_as_of_any_moment(market: Running, visitor: Visitor) -> None:
    """As of a decision or the end of a day; a moment that never was is refused at its field."""
    page = visitor.get(at(market, "accounts", SURPLUS), at="10")

    assert "第 10 号决定之后的余额" in page.words
    positions = [int(found) for found in re.findall(rf"{at(market, 'journal')}/(\d+)\"", page.text)]
    assert positions
    assert max(positions) <= 10
    assert 200 == visitor.get(at(market, "accounts", SURPLUS), day="2020-01-01").status
    for query in ({"at": "x"}, {"at": "99999"}, {"at": "1", "day": "2026-01-01"}, {"day": "1.1.2026"}):
        assert 422 == visitor.get(at(market, "accounts", SURPLUS), **query).status


MOMENTS: list[dict[str, str]] = [{}, {"at": "30"}, {"day": "2100-01-01"}]


@pytest.mark.parametrize("query", MOMENTS)
@pytest.mark.parametrize("size", [3, 100])
def test_a_statement_is_turned_round_by_the_head_of_its_times(
    market: Running, visitor: Visitor, monkeypatch: pytest.MonkeyPatch, size: int, query: dict[str, str]
) -> None:
    """A click leads to the oldest entries first, a second one back; what the account held at that moment stands above."""
    monkeypatch.setattr(tables, "PAGE", size)
    newest = visitor.get(at(market, "accounts", SURPLUS), **query)
    oldest = visitor.get(turned(newest))

    assert lines(newest)
    assert every_line(visitor, newest)[::-1] == every_line(visitor, oldest)
    assert lines(newest) == lines(visitor.get(turned(oldest)))
    assert held(newest) == held(oldest)


def test_before_the_first_entry_a_statement_is_empty_both_ways(market: Running, visitor: Visitor) -> None:
    """And says so."""
    for sort in ("newest", "oldest"):
        assert "没有符合条件的记录" in visitor.get(at(market, "accounts", SURPLUS), sort=sort, day="2020-01-01").words


def turned(page: Page) -> str:
    """Where the head of the times leads."""
    return unescape(re.findall(r'id="by-decided_at" href="/console([^"]*)"', page.text)[0])


def held(page: Page) -> list[str]:
    """What stands above a statement."""
    return re.findall(r"<dt>.*?</dd>", page.text, re.DOTALL)


def lines(page: Page) -> list[str]:
    """The rows of a table, without what only sets them in line."""
    rows = re.findall(r"<tr>(.*?)</tr>", page.text.partition("<tbody>")[2], re.DOTALL)
    return [" ".join(re.sub(r'<span class="pad".*?</span>|<[^>]*>', " ", row).split()) for row in rows]


def every_line(visitor: Visitor, page: Page) -> list[str]:
    """Those of all pages from this one on."""
    found = lines(page)
    while following := re.search(r'rel="next" href="/console([^"]*)"', page.text):
        page = visitor.get(unescape(following[1]))
        found += lines(page)
    return found


@pytest.fixture
def slow(market: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """No statement is known yet, a page walks two steps down an account's chain, and none is searched for in the journal."""
    monkeypatch.setattr(market.money, "_forward", Forward(market._database, market.number))
    monkeypatch.setattr(chains, "STEPS_MAX", 1)
    monkeypatch.setattr(Chain, "is_searched", lambda *_: False)


@pytest.mark.usefixtures("slow")
def test_a_statement_that_is_still_being_walked_down_says_so_and_asks_again(market: Running, visitor: Visitor) -> None:
    """It shows no rows before it knows the first."""
    pages = [visitor.part(at(market, "accounts", SURPLUS), sort="oldest") for _ in range(30)]
    waiting = ["正在往回找这个账户的第一笔" in page.words for page in pages]

    assert sorted(waiting, reverse=True) == waiting
    assert {True, False} == set(waiting)
    for shown, waits in zip(pages, waiting, strict=True):
        assert waits == ("hx-trigger" in shown.text) == (not lines(shown))
        assert "当时还没有进出" not in shown.words


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("query", MOMENTS)
def test_a_statement_is_saved_oldest_first_as_a_whole(market: Running, visitor: Visitor, query: dict[str, str]) -> None:
    """The file waits for the walk; it is the newest-first one from its end."""
    newest, oldest = (
        csv.reader(visitor.get(at(market, "accounts", SURPLUS), sort=sort, **query, **{"as": "csv"}).data.decode().splitlines())
        for sort in ("newest", "oldest")
    )
    head, *rows = newest

    assert [head, *rows[::-1]] == list(oldest)
    assert len(rows) > 20


def test_the_excel_statement_opens_with_numbers_as_numbers(market: Running, visitor: Visitor) -> None:
    """Every entry, its amount and the balance after it, in yuan; they add up to what the account holds."""
    page = visitor.get(at(market, "accounts", SURPLUS), **{"as": "xlsx"})
    sheet = openpyxl.load_workbook(io.BytesIO(page.data)).active
    assert sheet is not None
    rows = list(sheet.values)
    heads = [str(cell) for cell in rows[0]]
    amount, balance = heads.index("进出"), heads.index("之后的余额")
    entries = market.statement(SURPLUS, limit=1000).entries

    assert len(entries) == len(rows) - 1
    assert all(isinstance(row[amount], int | float) and isinstance(row[balance], int | float) for row in rows[1:])
    assert [entry.amount for entry in entries] == [text(row[amount]) for row in rows[1:]]
    assert [entry.balance for entry in entries] == [text(row[balance]) for row in rows[1:]]
    assert "元" == rows[1][amount + 1]


def text(cell: object) -> str:
    """A number of a sheet as the ledger writes it."""
    shown = f"{cell:.6f}"
    return shown[:-4] + shown[-4:].rstrip("0")


def test_a_statement_is_exact_in_parquet(market: Running, visitor: Visitor) -> None:
    """Decimals, not floating-point numbers."""
    page = visitor.get(at(market, "accounts", SURPLUS), **{"as": "parquet"})
    table = pq.read_table(io.BytesIO(page.data))

    assert "decimal128(38, 6)" == str(table.schema.field("amount").type)
    held = sum(int(amount.scaleb(6)) for amount in table["amount"].to_pylist())
    assert micro(market.balance(SURPLUS).balance) == held


def test_the_journal_lists_decisions_with_their_hashes(market: Running, visitor: Visitor) -> None:
    """By kind and day, in either order."""
    page = visitor.get(at(market, "journal"))

    assert market.view().head in page.text
    assert "注资" in page.words
    assert ["44"] == re.findall(rf"{at(market, 'journal')}/(\d+)\"", visitor.get(at(market, "journal"), kind="sale").text)
    assert "1" == re.findall(rf"{at(market, 'journal')}/(\d+)\"", visitor.get(at(market, "journal"), sort="oldest").text)[0]
    assert 422 == visitor.get(at(market, "journal"), kind="nonsense").status


def test_a_decisions_hash_is_computed_again_before_ones_eyes(market: Running, visitor: Visitor) -> None:
    """With the one before, how it is made, and the decision's transfers."""
    page = visitor.get(at(market, "journal", "44"))

    assert "刚才由数据库里的这一行重新算过,相同。" in page.words
    decisions = market.decisions(42, 2)
    assert decisions[0].hash in page.text
    assert decisions[1].hash in page.text
    assert "consumer:c2:points" in page.text
    assert 404 == visitor.get(at(market, "journal", "9999")).status
    assert 404 == visitor.get(at(market, "journal", "x")).status


def test_the_trial_balance_is_shown_with_what_moved(market: Running, season: Running, visitor: Visitor) -> None:
    """Zeros by unit, the institutions, and sums by reason once all decisions are counted."""
    for running in (market, season):
        visitor.get(at(running, "trial-balance"))
        assert running.money.wait_filled(20)
        page = visitor.get(at(running, "trial-balance"))

        assert "账是平的" in page.words
        assert "hx-trigger" not in page.text
        assert "refund.pot" in page.words
        assert SURPLUS in page.words


def test_sums_that_are_still_being_counted_are_not_shown_as_sums(
    market: Running, season: Running, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long journal is counted in the background; the page says how far it is, and asks again."""
    for running, page, sum_of in ((market, "trial-balance", "refund.pot"), (season, "vouchers", "付给商家的券款")):
        whole = running.money._sums
        monkeypatch.setattr(running.money, "_sums", Stretches(whole._database, whole._load, whole._joined, size_bits=3))
        monkeypatch.setattr(running.money._sums, "fill", lambda _: None)
        shown = visitor.part(at(running, page))

        assert f"已统计 0 / {running.position()} 条决定" in shown.words
        assert "hx-trigger" in shown.text
        assert sum_of not in shown.words


def test_the_pool_is_drawn_over_time_with_its_numbers(market: Running, season: Running, visitor: Visitor) -> None:
    """A chart and its table; a plan without a pool has no such page."""
    page = visitor.get(at(market, "pool"))
    view = market.money.pool()

    assert view.now.price in page.words
    drawn = json.loads(unescape(re.findall(r'data-chart="([^"]*)"', page.text)[0]))
    assert view.now.price == drawn["series"][0]["data"][-1]
    assert 404 == visitor.get(at(season, "pool")).status
    assert at(season, "pool") not in visitor.get(at(season, "accounts")).text


def test_vouchers_are_shown_with_what_stands_behind_them(market: Running, season: Running, visitor: Visitor) -> None:
    """Issued, released, spent; the rest is backed."""
    page = visitor.get(at(season, "vouchers"))

    assert "每一元券后面都有一元钱" in page.words
    assert "0.01 元抵用券" in page.words
    assert 404 == visitor.get(at(market, "vouchers")).status


def test_queues_are_shown_by_tier_and_by_shop(market: Running, visitor: Visitor) -> None:
    """Down to the lots of one queue, whose shop may be named anything."""
    page = visitor.get(at(market, "queues"))
    tiers = market.money.tiers()

    assert 200 == page.status
    for tier in tiers:
        assert str(tier.lots) in page.words
    queue = visitor.get(at(market, "queues", SCRIPT, "1"))
    assert "evil" in queue.words
    assert SCRIPT not in queue.text
    assert 404 == visitor.get(at(market, "queues", "面馆", "x")).status


@pytest.mark.parametrize("form", ["beancount", "csv", "parquet"])
def test_the_books_are_saved_as_one_archive(market: Running, visitor: Visitor, form: str) -> None:
    """For others to check; what was written is gone from here afterwards."""
    page = visitor.get(at(market, "books", form))
    names = zipfile.ZipFile(io.BytesIO(page.data)).namelist()

    expected = ["books.beancount"] if form == "beancount" else [f"orders.{form}", f"transfers.{form}"]
    assert sorted(["balances.csv", *expected]) == sorted(names)


def test_a_long_journals_books_are_left_to_the_command(
    market: Running, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is told in full."""
    monkeypatch.setattr(money, "EXPORT_DECISIONS_MAX", 10)

    assert "rangli export DIR --programme 集市" in visitor.get(at(market, "books")).words
    assert 422 == visitor.get(at(market, "books", "csv")).status
    assert 404 == visitor.get(at(market, "books", "exe")).status


def every_page(market: Running, season: Running) -> list[str]:
    """All pages of this section."""
    accounts = [at(market, "accounts", path) for path in (f"consumer:{SCRIPT}:points", "merchant:甲/乙:concession", SURPLUS)]
    accounts += [f"{path}?sort=oldest{more}" for path in accounts for more in ("", "&at=40", "&day=2026-01-05")]
    names = ("accounts", "journal", "trial-balance", "pool", "queues", "books")
    mine = [*(at(market, name) for name in names), *accounts, at(market, "journal", "42"), at(market, "queues", SCRIPT, "1")]
    return [*mine, at(season, "vouchers"), at(season, "accounts"), at(season, "queues")]


def test_a_shop_named_like_a_script_is_only_a_name(market: Running, season: Running, visitor: Visitor) -> None:
    """On every page that names it, in both languages."""
    named = 0
    for lang in ("zh", "en"):
        visitor.http.cookies.set("rangli_language", lang)
        for path in every_page(market, season):
            page = visitor.get(path)

            assert 200 == page.status, path
            assert SCRIPT not in page.text
            named += "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    visitor.http.cookies.delete("rangli_language")
    assert named > 10


def test_every_page_makes_few_statements(console: ConsoleSite, market: Running, season: Running, visitor: Visitor) -> None:
    """Whatever it lists."""
    for path in every_page(market, season):
        visitor.get(path)
        made = console.statements(lambda path=path: visitor.get(path))  # type: ignore[misc]

        assert len(made) <= ASKED_MAX, (path, made)


@pytest.mark.parametrize("plan", [MARKET, SEASON], ids=["market", "season"])
def test_a_programme_without_orders_has_all_its_pages(console: ConsoleSite, visitor: Visitor, plan: str) -> None:
    """Each says that there is nothing yet, or shows zeros."""
    name = "空集市" if plan == MARKET else "空四季"
    console.service.create(name, plan, hold_seconds=0)
    running = console.service.running(name)
    has = {"pool": running.money.has_pool(), "vouchers": running.money.has_vouchers()}
    for page in ("orders", "import", "accounts", "journal", "trial-balance", "pool", "vouchers", "queues", "books"):
        assert (200 if has.get(page, True) else 404) == visitor.get(at(running, page)).status, page
    running.money.wait_filled(20)
    assert 200 == visitor.get(at(running, "journal", "1")).status
    assert "还没有订单" in visitor.get(at(running, "orders")).words


def test_another_programmes_money_is_nobodys_business(console: ConsoleSite, market: Running, season: Running) -> None:
    """Whoever may not see the programme learns nothing of it, not even whether an account is there."""
    stranger = console.visitor("auditor", [season.name])
    for path in every_page(market, season):
        page: Page = stranger.get(path)

        assert (404 if market.name in path or quote(market.name) in path else 200) == page.status
