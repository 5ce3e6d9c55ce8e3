"""The console's page of the treasury: funds, sales and closings, first shown as they would be decided, then done once."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from typing import Final, NamedTuple
from urllib.parse import unquote

import console_worlds
import pytest
from console_worlds import SCRIPT, ConsoleSite, Page, Visitor, path_in
from markupsafe import escape
from service_worlds import MARKET, SEASON, done, order, orders
from web_worlds import SHOP

from rangli.service import Running
from rangli.service.requests import ClosingRequest
from rangli.web.console import treasury
from rangli.web.console.acts import KINDS

console = console_worlds.console
ASKED_MAX = 6
"""Statements that a page may make."""
ROW = re.compile(r"<tr>(.*?)</tr>", re.DOTALL)
Named = Callable[[str, str], Running]


@pytest.fixture(scope="module")
def named(console: ConsoleSite) -> Named:
    """A programme of this name under this plan, with thirty orders of long ago, one of them by a consumer named like a script."""

    def make(name: str, plan: str) -> Running:
        console.service.create(name, plan, hold_seconds=0)
        running = console.service.running(name)
        done(running.do([*orders(range(30)), order("evil", consumer=SCRIPT)]))
        return running

    return make


@pytest.fixture(scope="module")
def market(named: Named) -> Running:
    """With a priced pool; tests that change it look only at what they did."""
    return named("集市", MARKET)


@pytest.fixture(scope="module")
def season(named: Named) -> Running:
    """With a release by period."""
    return named("四季", SEASON)


@pytest.fixture(scope="module")
def visitor(console: ConsoleSite) -> Visitor:
    """Who may do all."""
    return console.visitor()


def at(running: Running, *parts: str) -> str:
    """An address in a programme."""
    return path_in(running.name, *parts)


def rows_of(page: Page) -> list[str]:
    """The lines of a page's transfers: their words and amounts, without the place in a decision."""
    lines = [row for row in ROW.findall(page.text) if row.count("/accounts/") == 2]
    return [re.sub(r"<[^>]+>", " ", row.partition("</td>")[2]) for row in lines]


# ---------------------------------------------------------------- where it is


def test_the_page_is_there_where_the_plan_has_something_for_it(market: Running, season: Running, visitor: Visitor) -> None:
    """Funds and sales for a pool, closings for periods; a plan with neither has no such page and no tab."""
    shop = visitor.site.service.running(SHOP)
    forms = {"injection", "sale", "closing"}
    for running, wanted in ((market, {"injection", "sale"}), (season, {"closing"})):
        page = visitor.get(at(running, "treasury"))

        assert 200 == page.status
        assert wanted == {form for form in forms if f'action="/console{at(running, "treasury")}/{form}/preview"' in page.text}
        assert f'href="/console{at(running, "treasury")}"' in visitor.get(at(running, "accounts")).text
    assert 404 == visitor.get(at(shop, "treasury")).status
    assert {404} == {visitor.post(at(shop, "treasury", form, "preview"), amount="1", on="2026-01-05").status for form in forms}
    assert at(shop, "treasury") not in visitor.get(at(shop, "accounts")).text


def test_pool_and_periods_are_shown_as_they_stand(market: Running, season: Running, visitor: Visitor) -> None:
    """The price now; which period is open, since when one is over, and on which days a closing may be."""
    price = market.previews.pool()
    assert price is not None

    assert price.price in visitor.get(at(market, "treasury")).words
    view = season.periods.view()
    words = visitor.get(at(season, "treasury")).words
    for shown in (view.ends_on, view.until, "分红池", "有期已经到期:现在关账就会释放。", "达到上一期的 200% 时"):
        assert shown in words
    assert f'value="{view.until}"' in visitor.get(at(season, "treasury")).text


def test_a_plan_before_its_first_order_has_nothing_to_close(console: ConsoleSite, visitor: Visitor) -> None:
    """Its page says so, and its preview too."""
    console.service.create("开张", SEASON, hold_seconds=0)
    running = console.service.running("开张")

    assert "第一笔订单开始第 0 期" in visitor.get(at(running, "treasury")).words
    assert "什么也不释放" in visitor.post(at(running, "treasury", "closing", "preview"), on="2026-01-05").words


def test_a_period_that_closed_early_waits_in_sight(named: Named, visitor: Visitor) -> None:
    """Its release comes with the next day."""
    running = named("早关", SEASON)
    until = running.periods.view().until
    done(running.do([ClosingRequest("c", until), *orders(range(30, 34), paid_at=until)]))
    assert "现在没有到期的期。" in visitor.get(at(running, "treasury")).words
    later = ClosingRequest("c2", "2027-06-01")
    done(running.do([later, *orders(range(40, 44), paid_at="2027-06-01"), *orders(range(50, 60), paid_at="2027-06-11")]))
    done(running.do(orders(range(60, 90), paid_at="2027-06-11")))

    view = running.periods.view()
    assert view.waiting is not None
    assert f"第 {view.waiting} 期已经提前结束" in visitor.get(at(running, "treasury")).words


def test_a_page_makes_few_statements(console: ConsoleSite, market: Running, season: Running, visitor: Visitor) -> None:
    """However many decisions there are."""
    for running in (market, season):
        visitor.get(at(running, "treasury"))
        made = console.statements(lambda running=running: visitor.get(at(running, "treasury")))  # type: ignore[misc]

        assert len(made) <= ASKED_MAX, made


# ---------------------------------------------------------------- first shown, then done


DONE: list[tuple[str, dict[str, str], str, str]] = [
    ("injection", {"amount": "12.5"}, "¥12.50", "已注资 12.5 元"),
    ("sale", {"consumer": "c1", "points": "0.25"}, "0.25 积分", "已为 c1 卖出 0.25 个积分"),
    ("sale", {"consumer": SCRIPT, "points": "1"}, "1.00 积分", f"已为 {SCRIPT} 卖出 1 个积分"),
]


@pytest.mark.parametrize(("form", "fields", "shown", "said"), DONE)
def test_what_is_shown_is_what_is_done_once(
    market: Running, visitor: Visitor, form: str, fields: dict[str, str], shown: str, said: str
) -> None:
    """The preview changes nothing; every transfer of it is made; the same form again makes none."""
    before = market.state_hash(), market.position()
    page = visitor.post(at(market, "treasury", form, "preview"), **fields)

    assert 200 == page.status
    assert shown in page.words
    assert SCRIPT not in page.text
    assert before == (market.state_hash(), market.position())
    once = secrets.token_urlsafe(12)
    gone = visitor.post(at(market, "treasury", form), once=once, **fields)
    position = before[1] + 1
    assert (303, f"/console{at(market, 'journal', str(position))}") == (gone.status, gone.headers["location"])
    decision = market.decisions(position - 1, 1)[0]
    assert (form, f"console-{once}") == (decision.kind, decision.id)
    led = visitor.get(at(market, "journal", str(position)))
    assert rows_of(led) == rows_of(page)
    assert rows_of(page)
    assert said in unquote(gone.headers["set-cookie"])
    price = market.previews.pool()
    assert price is not None
    assert price.price in page.words
    assert 409 == visitor.post(at(market, "treasury", form), once=once, **fields).status
    assert position == market.position()


def test_a_closing_is_shown_with_all_that_it_releases(named: Named, visitor: Visitor) -> None:
    """Period by period, with sums by reason; what the releases then are, and done once."""
    running = named("秋天", SEASON)
    before = running.state_hash(), running.position()
    page = visitor.post(at(running, "treasury", "closing", "preview"), on="2026-01-20")

    assert 200 == page.status
    assert before == (running.state_hash(), running.position())
    once = secrets.token_urlsafe(12)
    gone = visitor.post(at(running, "treasury", "closing"), once=once, on="2026-01-20")
    release, closing = running.decisions(before[1], 10)
    assert ("release", "closing", f"console-{once}") == (release.kind, closing.kind, closing.id)
    assert f"/console{at(running, 'journal', str(closing.position))}" == gone.headers["location"]
    assert f"最后一次释放是它前面的第 {release.position} 号" in unquote(gone.headers["set-cookie"])
    assert rows_of(visitor.get(at(running, "journal", str(release.position)))) == rows_of(page)
    assert len(release.transfers) == len(rows_of(page))
    for words in ("按原因合计", "释放前的分红池", "发券"):
        assert words in page.words
    assert 409 == visitor.post(at(running, "treasury", "closing"), once=once, on="2026-01-20").status
    assert closing.position == running.position()
    again = visitor.post(at(running, "treasury", "closing", "preview"), on="2026-01-21")
    assert "到这一天没有到期的期" in again.words
    gone = visitor.post(at(running, "treasury", "closing"), on="2026-01-21")
    assert "什么也没有释放" in unquote(gone.headers["set-cookie"])


def test_a_long_closing_shows_its_first_lines_and_all_sums(
    season: Running, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody reads a million lines, and every one of them is in the sums."""
    monkeypatch.setattr(treasury, "TRANSFERS_SHOWN", 4)
    request = ClosingRequest("", season.periods.view().until)
    whole = season.previews.of(request)
    page = visitor.post(at(season, "treasury", "closing", "preview"), on=request.on)

    assert 4 == len(rows_of(page))
    assert f"共 {whole.count} 笔,这里是前 4 笔。" in page.words
    for one in whole.sums:
        assert f"{one.count}" in page.words
    assert len(whole.releases) > 1


def test_what_was_done_is_listed_by_kind(market: Running, season: Running, visitor: Visitor) -> None:
    """Newest first, with links; releases among them, whatever brought them about; orders are not."""
    done(season.do([ClosingRequest("listed", "2026-01-16")]))
    shown = visitor.get(at(season, "treasury"))
    positions = [int(found) for found in re.findall(rf"{at(season, 'journal')}/(\d+)\"", shown.text)]
    wanted = [one.position for one in season.decisions(0, 1_000) if one.kind in ("closing", "release")]

    assert wanted
    assert wanted[::-1] == positions
    few = visitor.part(at(season, "treasury"), kind="release")
    assert [wanted[-2]] == [int(found) for found in re.findall(rf"{at(season, 'journal')}/(\d+)\"", few.text)]
    assert 422 == visitor.get(at(market, "treasury"), kind="release").status
    assert visitor.get(at(market, "treasury"), **{"as": "csv"}).text.startswith("\ufeff流水号")


# ---------------------------------------------------------------- refused


class Wrong(NamedTuple):
    """A form that cannot be: under which plan, where on the page that is said, and words of what is."""

    plan: str
    form: str
    fields: dict[str, str]
    field: str
    zh: str
    en: str


FUTURE, PAST = "2098-01-01", "2020-01-01"
REFUSED: Final = (
    Wrong("market", "injection", {"amount": "12,5"}, "f-injection-amount", "正确写法如 12.50", "write yuan with at most two"),
    Wrong("market", "injection", {"amount": ""}, "f-injection-amount", "为空", "is empty"),
    Wrong("market", "injection", {"amount": "0"}, "f-injection-amount", "应大于 0,至多", "more than 0 and at most"),
    Wrong("market", "injection", {"amount": SCRIPT}, "f-injection-amount", "正确写法如", "write yuan"),
    Wrong("market", "sale", {"consumer": "无名", "points": "1"}, "f-sale-consumer", "消费者的全名", "whole name as orders"),
    Wrong("market", "sale", {"consumer": SCRIPT * 2, "points": "1"}, "f-sale-consumer", "没有会员", "there is no member"),
    Wrong("market", "sale", {"consumer": "c2", "points": "99999"}, "f-sale-points", "不能卖出 99999.00 个", "cannot sell 99999"),
    Wrong("market", "sale", {"consumer": "c2", "points": "1.1234567"}, "f-sale-points", "最多六位小数", "at most six decimals"),
    Wrong("season", "closing", {"on": FUTURE}, "f-closing-on", "还没有到;至迟写", "has not come; write"),
    Wrong("season", "closing", {"on": PAST}, "f-closing-on", "早于账上已到的日子;应在", "it must be between"),
    Wrong("season", "closing", {"on": "5.1.2026"}, "f-closing-on", "正确写法如 2026-01-05", "write it as 2026-01-05"),
    Wrong("season", "injection", {"amount": "5"}, "", "没有盈利池", "no pool that funds could enter"),
    Wrong("season", "sale", {"consumer": "c2", "points": "5"}, "", "不能卖出 5.00 个", "cannot sell 5.00"),
    Wrong("market", "closing", {"on": PAST}, "", "没有期可关", "none can close"),
)


@pytest.mark.parametrize("wrong", REFUSED, ids=[f"{one.plan} {one.form} {one.zh}" for one in REFUSED])
def test_what_cannot_be_is_refused_in_place(market: Running, season: Running, visitor: Visitor, wrong: Wrong) -> None:
    """At its field, with what would be right, in both languages; by a preview and by who skips it. What was written stays."""
    running = {"market": market, "season": season}[wrong.plan]
    before = running.state_hash(), running.position()
    for path in ((wrong.form, "preview"), (wrong.form,)):
        page = visitor.post(at(running, "treasury", *path), **wrong.fields)

        assert 422 == page.status
        assert wrong.zh in page.words
        assert SCRIPT not in page.text
        assert ([wrong.field] if wrong.field else []) == re.findall(r'<input id="([^"]*)"[^>]*aria-invalid="true"', page.text)
        if wrong.field:
            assert all(f'value="{escape(text)}"' in page.text for text in wrong.fields.values())
    visitor.http.cookies.set("rangli_language", "en")
    page = visitor.post(at(running, "treasury", wrong.form, "preview"), **wrong.fields)
    visitor.http.cookies.delete("rangli_language")
    assert wrong.en in page.words
    assert before == (running.state_hash(), running.position())


def test_who_may_only_look_sees_figures_and_no_forms(console: ConsoleSite, market: Running, season: Running) -> None:
    """Neither forms nor doors; finance may, operations may not, as with the API's keys."""
    before = market.position(), season.position()
    for role in ("auditor", "operations"):
        looker = console.visitor(role)
        for running, form in ((market, "injection"), (market, "sale"), (season, "closing")):
            page = looker.get(at(running, "treasury"))

            assert 200 == page.status
            assert "/preview" not in page.text
            assert "做过的" in page.words
            assert f'href="/console{at(running, "treasury")}"' in looker.get(at(running, "journal")).text
            fields = {"amount": "1", "consumer": "c1", "points": "0.1", "on": "2026-01-16"}
            assert 403 == looker.post(at(running, "treasury", form, "preview"), **fields).status
            assert 403 == looker.post(at(running, "treasury", form), **fields).status
    assert before == (market.position(), season.position())
    assert 200 == console.visitor("finance").post(at(market, "treasury", "injection", "preview"), amount="1").status


def test_the_audit_log_says_who_did_it_and_who_was_refused(console: ConsoleSite, named: Named) -> None:
    """In words, with what was asked and the decision; a preview is no act."""
    assert {act.kind for act in treasury.ACTS} <= set(KINDS)
    pool, periods = named("账房", MARKET), named("账期", SEASON)
    clerk = console.visitor("finance")
    asked: list[tuple[Running, str, dict[str, str]]] = [
        (pool, "injection", {"amount": "7.25"}), (pool, "sale", {"consumer": "c3", "points": "0.125"}),
        (periods, "closing", {"on": "2026-01-17"}),
    ]  # fmt: skip
    for running, form, fields in asked:
        clerk.post(at(running, "treasury", form, "preview"), **fields)
    assert "账房" not in console.visitor().get("/acts", member=clerk.name).words
    for running, form, fields in asked:
        clerk.post(at(running, "treasury", form), **fields)
    clerk.post(at(pool, "treasury", "sale"), consumer="无名", points="1")
    log = console.visitor().get("/acts", member=clerk.name).words

    for words in ("注资", "amount: 7.25", "卖出积分", "consumer: c3", "points: 0.125", "关账", "on: 2026-01-17", "被拒绝"):
        assert words in log
    assert f"position: {pool.position()}" in log
    assert f"position: {periods.position()}" in log
    assert "c3" in console.visitor().get("/acts", member=clerk.name, what="sale").words
