"""The overview: figures that agree with the books, a live stream that no burst overwhelms, and a seal that says what is so."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import console_worlds
import httpx
import pytest
from console_worlds import SCRIPT, ConsoleSite, Visitor
from web_worlds import PLANS, SHOP, fresh, order, until

from rangli.money import print_micro, print_yuan
from rangli.service.requests import RefundRequest
from rangli.service.work.seal import STOPPED
from rangli.store.rows import KIND_NAMES
from rangli.web.console import overview
from rangli.web.console.overview import GAP
from rangli.web.console.states import DECISIONS
from rangli.web.console.words import Amount, shown

console = console_worlds.console

COMPILED: Final = os.environ.get("NUMBA_DISABLE_JIT") != "1"
STATEMENTS_MAX: Final = 8
"""Of a page, however many orders and programmes there are; every question of the pool's is one more."""
BURST: Final = 20_000
EVENT_BYTES_MAX: Final = 2**15


@pytest.fixture(scope="module")
def owner(console: ConsoleSite) -> Visitor:
    """Somebody who may do everything."""
    return console.visitor()


@pytest.fixture(scope="module")
def auditor(console: ConsoleSite) -> Visitor:
    """Somebody who only looks."""
    return console.visitor("auditor")


# ---------------------------------------------------------------- figures


def test_the_figures_of_today_are_on_the_page_with_their_units(console: ConsoleSite, auditor: Visitor) -> None:
    """An operator's first look in the morning."""
    running = console.service.running(SHOP)
    running.do([order(fresh(), amount="1234.50") for _ in range(4)])
    day = console.service.today.of(running)
    page = auditor.get("/p/shop")

    assert 200 == page.status
    assert 0 == day.behind
    for text in (print_yuan(day.turnover_fen), print_micro(day.concession_micro), print_micro(day.surplus_micro)):
        assert shown(Amount(text), "zh") in page.words
    assert "返还消费者" in page.words
    assert "Turnover" in page.words


def test_the_front_page_adds_up_the_programmes_that_one_may_see(console: ConsoleSite, auditor: Visitor) -> None:
    """A member of one programme must not learn the others' turnover from a sum."""
    days = console.service.today.of_all([console.service.running(name) for name in PLANS])
    alone = console.visitor("auditor", ["points"]).get("/")
    whole = auditor.get("/")

    assert f'data-figure="orders">{days["points"].orders}<' in alone.text
    assert f'data-figure="orders">{sum(day.orders for day in days.values())}<' in whole.text
    assert "/console/p/shop" not in alone.text
    assert "/console/p/shop" in whole.text


def test_another_programmes_name_in_the_address_is_not_found(console: ConsoleSite) -> None:
    """Also by the stream and the parts, which are pages too."""
    stranger = console.visitor("auditor", ["points"])
    paths = ["/p/shop", "/p/shop/today", "/p/shop/live", "/p/shop/guards", "/p/nobody"]

    assert [404] * len(paths) == [stranger.get(path).status for path in paths]


def test_a_house_without_programmes_says_what_to_do(owner: Visitor, auditor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty page without a word looks broken, and the first page after the installation is empty."""
    monkeypatch.setattr(overview, "programmes_of", lambda _: [])
    first, looking = owner.get("/"), auditor.get("/")

    assert (200, 200) == (first.status, looking.status)
    assert 'href="/console/programmes"' in first.text.partition("<main")[2]
    assert "请所有者建立项目" in looking.words


def test_a_page_makes_few_statements_and_no_more_for_more_orders(console: ConsoleSite, owner: Visitor) -> None:
    """What grows with the journal on a page grows until the page is of no use."""
    paths = ["/", "/p/shop", "/p/shop/today", "/p/shop/guards"]
    few = [len(console.statements(lambda path=path: owner.get(path))) for path in paths]  # type: ignore[misc]
    console.service.running(SHOP).do([order(fresh()) for _ in range(500)])
    more = [len(console.statements(lambda path=path: owner.get(path))) for path in paths]  # type: ignore[misc]

    assert max(few + more) <= STATEMENTS_MAX
    assert all(after <= before + 4 for before, after in zip(few, more, strict=True)), "counting what is new, and no more"


def test_names_that_are_scripts_are_text(console: ConsoleSite, owner: Visitor) -> None:
    """A shop's name comes from outside."""
    console.service.running(SHOP).do([order(fresh(), merchant=SCRIPT, consumer=SCRIPT)])
    pages = [owner.get(path).text for path in ("/", "/p/shop", "/p/shop/guards", "/p/shop/verify")]

    assert not any("alert(1)" in page for page in pages)


# ---------------------------------------------------------------- guards and meters


def test_what_nothing_measures_is_shown_as_not_measured(auditor: Visitor) -> None:
    """Silence about the promises of a plan must not look like an all-clear."""
    page = auditor.get("/p/points/guards")

    assert 200 == page.status
    assert "未备资金的承诺" in page.words
    assert "未测量" in page.words
    assert "拒绝" in page.words
    assert page.text.count('class="chip plain"') >= 8


def test_every_kind_of_decision_has_its_words() -> None:
    """A kind without words would end the live page."""
    assert set(KIND_NAMES[1:]) == set(DECISIONS)


# ---------------------------------------------------------------- the live stream


class Heard:
    """What came by a stream."""

    def __init__(self) -> None:
        self.blocks: list[bytes] = []
        self.open = threading.Event()
        self.end = threading.Event()
        self.status = 0

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events about orders."""
        return [json.loads(block.partition(b"data: ")[2]) for block in self.blocks if b"event: passing" in block]

    @property
    def told(self) -> int:
        """Decisions that were shown or counted."""
        return sum(len(event["rows"]) + event["left_out"] for event in self.events)


@contextmanager
def listening(visitor: Visitor, path: str = "/p/shop/live", **headers: str) -> Iterator[Heard]:
    """Somebody who listens, as a browser does."""
    heard = Heard()

    def listen() -> None:
        with visitor.http.stream("GET", f"/console{path}", headers=headers) as answer:
            heard.status = answer.status_code
            rest = b""
            for part in answer.iter_bytes():
                rest += part
                *whole, rest = rest.split(b"\n\n")
                heard.blocks += whole
                heard.open.set()
                if heard.end.is_set():
                    return
        heard.end.set()

    def quietly() -> None:
        try:
            listen()
        except httpx.TransportError:
            heard.end.set()

    thread = threading.Thread(target=quietly, name="listener")
    thread.start()
    assert heard.open.wait(20)
    try:
        yield heard
    finally:
        heard.end.set()
        running = visitor.site.service.running(SHOP)
        until(lambda: not thread.is_alive() or not running.do([order(fresh())]), 20)
        thread.join(20)
        assert not thread.is_alive()


def test_an_order_is_on_the_live_page_a_moment_after_it_was_answered(console: ConsoleSite, auditor: Visitor) -> None:
    """The first thing that a new operator does: pay one order and watch."""
    running = console.service.running(SHOP)
    order_id = fresh("LIVE")
    with listening(auditor) as heard:
        until(lambda: len(heard.events) > 0)
        running.do([order(order_id, merchant=SCRIPT, consumer="小李", amount="100", concession="20%")])
        until(lambda: any(row["id"] == order_id for event in heard.events for row in event["rows"]))
        row = next(row for event in heard.events for row in event["rows"] if row["id"] == order_id)
        figures = heard.events[-1]["figures"]
    decided = next(one for one in running.decisions(row["position"] - 1, 1))
    packets = [line for line in decided.transfers if line.code == "packet"]

    assert ("order", "100.00", "20%", "20.00") == (row["kind"], row["yuan"], row["concession"], row["conceded_yuan"])
    assert (SCRIPT, "小李") == (row["merchant"], row["consumer"])
    assert len(packets) == row["packets"]
    assert {"orders", "turnover", "concession", "given", "surplus"} <= set(figures)


def test_a_refund_is_on_the_live_page_too(console: ConsoleSite, auditor: Visitor) -> None:
    """Money that goes back is not less worth watching."""
    running = console.service.running(SHOP)
    paid, back = fresh(), fresh("BACK")
    with listening(auditor) as heard:
        running.do([order(paid, amount="100")])
        running.do([RefundRequest(back, paid, "40")])
        until(lambda: any(row["id"] == back for event in heard.events for row in event["rows"]))
        row = next(row for event in heard.events for row in event["rows"] if row["id"] == back)

    assert ("refund", "40.00", "") == (row["kind"], row["yuan"], row["concession"])


@pytest.mark.skipif(not COMPILED, reason="twenty thousand orders, which take minutes when kernels are interpreted")
def test_a_burst_of_twenty_thousand_orders_makes_few_and_small_events(console: ConsoleSite, auditor: Visitor) -> None:
    """Ten thousand orders a second must not freeze the page: a browser gets four events a second of twenty rows at most."""
    running = console.service.running(SHOP)
    burst = [
        [order(fresh("B"), consumer=f"某位名字很长的消费者{i % 50}", merchant=f"店{i % 7}") for i in range(1_000)]
        for _ in range(20)
    ]
    with listening(auditor) as heard:
        until(lambda: len(heard.events) > 0)
        began, before, first = time.monotonic(), running.position(), len(heard.events)
        for some in burst:
            running.submit(some)
        until(lambda: running.position() >= before + BURST)
        until(lambda: heard.events[-1]["position"] >= before + BURST)
        seconds = time.monotonic() - began
        events, blocks = heard.events[first:], heard.blocks
        told = sum(len(event["rows"]) + event["left_out"] for event in events)

    assert BURST == told, "every decision is shown or counted"
    assert len(events) <= seconds * 4 + 2
    assert max(len(event["rows"]) for event in events) <= 20
    assert max(len(block) for block in blocks) <= EVENT_BYTES_MAX
    assert GAP.total_seconds() * 4 == 1


def test_a_page_that_comes_back_is_told_what_it_missed(console: ConsoleSite, auditor: Visitor) -> None:
    """A phone that was in a pocket goes on where it was, with a count of what it did not see."""
    running = console.service.running(SHOP)
    after = running.position()
    running.do([order(fresh()) for _ in range(30)])
    with listening(auditor, **{"last-event-id": str(after)}) as heard:
        until(lambda: len(heard.events) > 0)
        first = heard.events[0]

    assert (20, 10) == (len(first["rows"]), first["left_out"])
    assert [after + 30 - i for i in range(20)] == [row["position"] for row in first["rows"]]


@pytest.mark.parametrize("written", ["-1", "1e3", "x", "12345678901"])
def test_a_place_that_is_none_is_refused(auditor: Visitor, written: str) -> None:
    """The header comes from outside like everything else."""
    answer = auditor.http.get("/console/p/shop/live", headers={"last-event-id": written})

    assert 422 == answer.status_code


def test_the_stream_ends_with_the_session(console: ConsoleSite) -> None:
    """Whoever was shown the door must not go on listening behind it."""
    visitor = console.visitor("auditor")
    with listening(visitor) as heard:
        until(lambda: len(heard.events) > 0)
        console.service.staff.end_all(visitor.name)
        running = console.service.running(SHOP)
        until(lambda: heard.end.is_set() or not running.do([order(fresh())]))
        last = running.do([order(fresh())])

    assert heard.end.is_set()
    assert 1 == len(last)


# ---------------------------------------------------------------- the seal


def test_the_seal_of_a_programme_that_was_never_verified_is_grey(auditor: Visitor) -> None:
    """Nobody may take the absence of a verdict for a good one."""
    page = auditor.get("/p/held")

    assert 'class="seal plain"' in page.text
    assert "还没有核验过" in page.words
    assert 'class="seal good"' not in page.text
    assert STOPPED[0] not in page.words
