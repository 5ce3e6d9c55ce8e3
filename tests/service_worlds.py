"""Services for tests: databases that are there at once, requests with everything filled in, and what a service knows told whole.

A module of tests takes the fixtures it needs (``house = service_worlds.house``).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import count
from typing import Any, Final, NamedTuple

import psycopg
import pytest
from oracle import Transfer

from rangli.errors import FieldRefused, NotSettling, OrderRefused, RangliError, Unavailable
from rangli.money import parse_micro
from rangli.service import Running, Service
from rangli.service.clock import SetClock
from rangli.service.requests import (
    ActivationRequest,
    ClosingRequest,
    InjectionRequest,
    OrderRequest,
    RefundRequest,
    Request,
    SaleRequest,
)
from rangli.service.settling import recovery
from rangli.service.settling import verify as proof
from rangli.service.settling.settler import CHECKPOINT_EVERY
from rangli.service.views import Answer, DecisionView
from rangli.store.database import Connection, Database
from rangli.store.server import EmbeddedServer

SERVERS: Final = ("embedded", "debian")
NOON: Final = 1_767_585_600_000_000
"""Noon of 2026-01-05 in Beijing."""
SECRET: Final = bytes(range(32))
_numbers = count(1)


# ---------------------------------------------------------------- databases


class House:
    """A server with a database that has our schema; others are copied from it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._empty = self._create("template1")
        with Database(self._empty) as database:
            database.migrate()

    @contextmanager
    def database(self, like: str = "") -> Iterator[str]:
        """The address of a copy of an empty database, or of one that nobody uses just now."""
        url = self._create(_name_in(like or self._empty))
        yield url
        self.drop(url)

    def drop(self, url: str) -> None:
        """Away with it, whoever is connected."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {_name_in(url)} WITH (FORCE)".encode())

    def _create(self, template: str) -> str:
        name = f"house_{next(_numbers)}"
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        return self._url.replace("/rangli?", f"/{name}?", 1)


def _name_in(url: str) -> str:
    """The database that an address names."""
    return url.partition("?")[0].rpartition("/")[2]


@cache
def house_on(url: str) -> House:
    """The one house on a server."""
    return House(url)


@pytest.fixture(scope="module")
def house(_servers: Callable[[str], EmbeddedServer]) -> Iterator[House]:
    """Databases on our own server. A plan's document is read once, however many services start with it."""
    with pytest.MonkeyPatch.context() as patch:
        once = cache(recovery.compiled)
        patch.setattr(recovery, "compiled", once)
        patch.setattr(proof, "compiled", once)
        yield house_on(_servers("embedded").url)


@pytest.fixture
def url(house: House) -> Iterator[str]:
    """An empty database with our schema."""
    with house.database() as url:
        yield url


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """A connection of the test's own, in autocommit."""
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


@contextmanager
def opened(url: str, clock: SetClock | None = None, *, checkpoint_every: int = CHECKPOINT_EVERY) -> Iterator[Service]:
    """A service on a database; closed at the end."""
    service = Service.open(Database(url), clock=clock or SetClock(NOON), checkpoint_every=checkpoint_every)
    try:
        assert service.wait_ready(20)
        yield service
    finally:
        service.close()


@contextmanager
def running(url: str, plan: str = "weituanbao", name: str = "w", **more: Any) -> Iterator[Running]:  # noqa: ANN401 (of create and of opened)
    """One programme, created if it is not there, served until the end."""
    hold_seconds = more.pop("hold_seconds", 0)
    with opened(url, **more) as service:
        if name not in [view.name for view in service.programmes()]:
            service.create(name, plan, secret=SECRET, hold_seconds=hold_seconds)
        assert service.running(name).settler.wait_ready(20)
        yield service.running(name)


# ---------------------------------------------------------------- plans

MARKET: Final = """
plan: market
title: {zh: 市场, en: Packets and a pool}
concession: {min: 6%, max: 30%}
funds: [charity]
shares:
  - {to: packets, rate: 40% of concession}
  - {to: pool, rate: 40% of concession}
  - {to: referrer, rate: 0.5% of amount}
  - {to: recruiter, rate: 0.3% of amount, else: fund.charity}
packets: {per_order: 3, tiers: [100, 200], exit: {packets: 4}}
pool: {mint: 70%, pays: 80%, opening_price: 1, exit: {at: 40%}}
bonus:
  - {to: recruiter, amount: 5, once_per: merchant}
"""
"""Red packets and a priced pool: orders, refunds, sales, injections."""

SEASON: Final = """
plan: season
title: {zh: 季节, en: Packets and a release}
concession: {min: 6%, max: 30%}
shares:
  - {to: packets, rate: 20% of concession}
  - {to: dividend, rate: 40% of concession}
  - {to: referrer, rate: 5% of concession, as: vouchers}
packets: {per_order: 2, tiers: [], exit: {packets: 3}}
points:
  - {to: consumer, rate: 100% of concession}
  - {to: merchant, rate: 50% of concession}
release: {rate: 10% of points, close: {growth: 100%, days: 10}, periods: 4, extended: 5, multiple: 2, pays: vouchers}
offset: {vouchers: 100%}
"""
"""Red packets and points released as vouchers: closings, releases, orders paid with vouchers."""

TIGHT: Final = """
plan: tight
title: {zh: 紧, en: A release whose limit one great order passes}
concession: {min: 20%, max: 20%}
shares:
  - {to: dividend, rate: 50% of concession}
points:
  - {to: consumer, rate: 100% of amount}
release: {rate: 0.01% of points, close: {days: 10}, multiple: 5, pays: vouchers}
offset: {vouchers: 100%}
"""
GREAT: Final = "100000000"
"""Yuan that no order under TIGHT can be of: what it promises passes the limit."""


def changed(plan: str, *changes: tuple[str, str]) -> str:
    """A plan's document with some of its words replaced."""
    for before, after in changes:
        assert before in plan, before
        plan = plan.replace(before, after)
    return plan


# ---------------------------------------------------------------- requests


def order(order_id: str, **facts: str) -> OrderRequest:
    """An order of a hundred yuan."""
    facts = {
        "paid_at": "2026-01-05 12:00:00",
        "merchant": "面馆",
        "consumer": "张三",
        "amount": "100",
        "concession": "20%",
    } | facts
    return OrderRequest(order_id=order_id, **facts)


def orders(numbers: Sequence[int] | range, **facts: str) -> list[OrderRequest]:
    """Orders of several consumers, with a referrer and a recruiter."""
    facts = {"referrer": "阿姨", "recruiter": "merchant:老王"} | facts
    return [order(f"o{i}", consumer=f"c{i % 5}", amount=str(50 + i * 37 % 200), **facts) for i in numbers]


ONE_OF_EACH: Final[dict[str, Request]] = {
    "order": order("id"),
    "refund": RefundRequest("id", "o1", "10"),
    "sale": SaleRequest("id", "c1", "0.5"),
    "injection": InjectionRequest("id", "7.50"),
    "closing": ClosingRequest("id", "2026-03-01"),
    "activation": ActivationRequest("id", MARKET),
}
"""A request of every kind, by its kind."""


def reason(answer: Answer | RangliError) -> str:
    """Why something was refused, in one word; empty when it was done, or is held."""
    if isinstance(answer, Answer):
        return ""
    if isinstance(answer, OrderRefused):
        return answer.status
    return answer.field if isinstance(answer, FieldRefused) else answer.code


def done(answers: Sequence[Answer | RangliError]) -> list[Answer]:
    """The answers, all of which are good."""
    good = [answer for answer in answers if isinstance(answer, Answer)]
    assert [] == [f"{answer.code}: {answer}" for answer in answers if isinstance(answer, RangliError)]
    return good


def insist(running: Running, requests: Sequence[Request], seconds: float = 20) -> list[Answer | RangliError]:
    """What a careful caller does: the same requests again until they are answered."""
    until = time.monotonic() + seconds
    while True:
        try:
            return running.do(requests)
        except Unavailable:
            assert time.monotonic() < until, "nobody answers any more"
            time.sleep(0.01)


# ---------------------------------------------------------------- what a service knows


class Known(NamedTuple):
    """Everything about a programme that a refused request must not change."""

    state_hash: str
    position: int
    head: str
    tables: dict[str, Any]


TABLES: Final = ("programme", "plan", "holder", "journal", "lot", "refunded", "held")


def known(running: Running, connection: Connection) -> Known:
    """All of it."""
    tables = {name: connection.execute(f"TABLE {name}".encode()).fetchall() for name in TABLES}
    return Known(running.state_hash(), running.position(), running.view().head, tables)


def journal_of(running: Running) -> list[DecisionView]:
    """Every decision."""
    found: list[DecisionView] = []
    while page := running.decisions(found[-1].position if found else 0, 1000):
        found += page
    return found


def transfers_of(decision: DecisionView) -> list[Transfer]:
    """Its transfers, as the oracle writes them."""
    return [
        Transfer(line.source, line.destination, parse_micro(line.amount), line.unit, line.code) for line in decision.transfers
    ]


def micro(text: str) -> int:
    """A signed amount."""
    return -parse_micro(text[1:]) if text.startswith("-") else parse_micro(text)


# ---------------------------------------------------------------- accidents


def cut_off(running: Running, connection: Connection, *, readers: bool = False) -> None:
    """End the settler's connection, or the one by which it reads, as a restart of the database or a broken cable would.

    It has ended when this returns: else what is asked next might still be answered by it.
    """
    cut = running.settler._reader if readers else running.settler._connection
    if cut is not None and not cut.closed:
        connection.execute("SELECT pg_terminate_backend(%s, 20000)", [cut.info.backend_pid])


def saved(running: Running) -> None:
    """Wait until the checkpoint that is being kept, if one is, has been kept."""
    running.settler.ask(lambda _: None).result(20)
    saving = running.settler._saving
    while saving is not None and (saving.ident is None or saving.is_alive()):
        time.sleep(0.001)


def cut_off_and_wait(running: Running, connection: Connection) -> None:
    """The same, and wait until it settles again."""
    before = running.settler._connection
    cut_off(running, connection)
    settling_again(running, before)


def settling_again(running: Running, before: Connection | None, seconds: float = 20) -> None:
    """Wait until it settles by another connection than before."""
    until = time.monotonic() + seconds
    while running.settler._connection in (None, before) or running.settler.role != "settling":
        assert time.monotonic() < until, running.settler.role
        time.sleep(0.005)


@contextmanager
def paused(running: Running) -> Iterator[None]:
    """The settler waits meanwhile, so that what is submitted queues up and is decided together."""
    go, waits = threading.Event(), threading.Event()

    def wait(_: object) -> None:
        waits.set()
        go.wait(20)

    asked = running.settler.ask(wait)
    assert waits.wait(20)
    try:
        yield
    finally:
        go.set()
        asked.result(20)


def not_settling(running: Running) -> bool:
    """Whether it refuses to be asked at all."""
    try:
        running.state_hash()
    except NotSettling:
        return True
    return False
