"""A live service behind its API for tests: real settlers on a real database, a real server on a loopback port.

A module of tests takes the fixtures it needs (``site = web_worlds.site``) and has a service of its own. The one place a test may
connect to is the port of that server.
"""

from __future__ import annotations

import _socket
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import httpx
import psycopg
import pytest

from rangli.client import Client
from rangli.service import Service
from rangli.service.requests import OrderRequest
from rangli.store.database import Database
from rangli.store.server import EmbeddedServer
from rangli.web.gate import SCOPES
from rangli.web.serving import Server, listen

_numbers = count(1)

SHOP, POINTS, HELD = "shop", "points", "held"
PLANS = {SHOP: "weituanbao", POINTS: "zengzhi", HELD: "weituanbao"}


def order(order_id: str, **facts: str) -> OrderRequest:
    """An order of the example merchant."""
    facts = {"merchant": "老王面馆", "consumer": "小李", "amount": "128.00", "concession": "20%"} | facts
    return OrderRequest(order_id=order_id, paid_at="2026-01-05 12:30:00", **facts)


def fresh(prefix: str = "A") -> str:
    """An id that no other test uses."""
    return f"{prefix}{next(_numbers)}"


class Site:
    """A service, its address, and a key that may do everything."""

    def __init__(self, service: Service, server: Server, url: str) -> None:
        self.service = service
        self.server = server
        self.desk = server.config.app.state.desk
        self.url = url
        self.key = self.issue()
        self.lines: list[str] = []
        self.desk.log._write = self.lines.append

    def noted(self, request: str) -> dict[str, Any]:
        """The log's line of a request, which is written after its answer."""
        found: list[dict[str, Any]] = []

        def is_there() -> bool:
            self.desk.log.flush()
            lines = map(json.loads, "".join(self.lines).splitlines())
            found.extend(line for line in lines if line["event"] == "request" and line["request"] == request)
            return bool(found)

        until(is_there)
        return found[0]

    def issue(self, *scopes: str, programmes: list[str] | None = None, per_second: int = 1_000_000) -> str:
        """A key; without scopes it has all."""
        return self.service.access.create("test", scopes or SCOPES, programmes, per_second)[0]

    def http(self, key: str | None = None) -> httpx.Client:
        """Plain HTTP with a key; without one, with the key that may do everything."""
        return httpx.Client(base_url=self.url, headers={"authorization": f"Bearer {key or self.key}"}, timeout=60)

    def client(self, key: str | None = None, patience_seconds: int = 60) -> Client:
        """Our own client."""
        return Client(self.url, key or self.key, patience_seconds=patience_seconds)

    def state(self) -> dict[str, tuple[int, str]]:
        """Position and state hash of each programme."""
        return {name: (self.service.running(name).position(), self.service.running(name).state_hash()) for name in PLANS}


@contextmanager
def opened_port(port: int) -> Iterator[None]:
    """The one port of this machine that may be connected to meanwhile."""
    refuse = socket.socket.connect

    def connect(self: socket.socket, address: tuple[str, int]) -> None:
        if address == ("127.0.0.1", port):
            _socket.socket.connect(self, address)
        else:
            refuse(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect)
        yield


@contextmanager
def served(service: Service) -> Iterator[tuple[Server, str]]:
    """The service behind a server in a thread."""
    listening = threading.Event()
    with listen("127.0.0.1", 0) as door:
        server = Server(service, ready=listening.set)
        thread = threading.Thread(target=server.run, args=([door],), name="server")
        thread.start()
        assert listening.wait(30)
        port = door.getsockname()[1]
        with opened_port(port):
            yield server, f"http://127.0.0.1:{port}"
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive(), "the server stops when it is told to"


@contextmanager
def made_database(server: EmbeddedServer) -> Iterator[Database]:
    """A database of its own."""
    name = f"web_{next(_numbers)}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        with Database(server.url.replace("/rangli?", f"/{name}?", 1)) as database:
            yield database
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def database(_servers: Callable[[str], EmbeddedServer]) -> Iterator[Database]:
    """An empty database."""
    with made_database(_servers("embedded")) as database:
        yield database


@contextmanager
def made_site(server: EmbeddedServer) -> Iterator[Site]:
    """A live service on a database of its own."""
    with made_database(server) as database, Service.open(database) as service:
        for name, plan in PLANS.items():
            service.create(name, plan, hold_seconds=3600 if name == HELD else 0)
            service.running(name).do([order(fresh("FIRST"))])  # loads the kernels, which may take longer than a client waits
        with served(service) as (web, url):
            yield Site(service, web, url)


@pytest.fixture(scope="module")
def site(_servers: Callable[[str], EmbeddedServer]) -> Iterator[Site]:
    """The live service. Tests of a module share it, so each uses ids of its own."""
    with made_site(_servers("embedded")) as site:
        yield site


@pytest.fixture
def http(site: Site) -> Iterator[httpx.Client]:
    """Plain HTTP with the key that may do everything."""
    with site.http() as client:
        yield client


def until(what: Callable[[], bool], seconds: int = 30) -> None:
    """Wait for it."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)
