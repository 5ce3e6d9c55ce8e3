"""The console for tests: visitors of every role before a real application on a real PostgreSQL.

A module takes the fixture (``console = console_worlds.console``) and shares one service; so each test uses names of its own.
"""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import httpx
import psycopg
import pytest
import web_worlds
from web_worlds import Site

from rangli.service.people.staff import By
from rangli.store.server import EmbeddedServer
from rangli.web.console.door import COOKIE

ROOT = By("root", "owner", "")
PASSWORD = "a password of ten letters"  # noqa: S105 -- of nobody
SCRIPT = "<script>alert(1)</script>"


class Page:
    """What came back."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.text = response.text
        self.data = response.content
        self.headers = response.headers

    @property
    def words(self) -> str:
        """The text that a reader sees, in one line."""
        reader = _Words()
        reader.feed(self.text)
        return " ".join("".join(reader.parts).split())


def path_in(programme: str, *parts: str) -> str:
    """An address in a programme."""
    return "/p/" + "/".join(quote(part, safe="") for part in (programme, *parts))


def order_ids(page: Page) -> list[str]:
    """The orders that a list shows."""
    return re.findall(r'<a href="/console/p/[^"/]*/orders/[^"?]*">([^<]*)</a>', page.text)


class _Words(HTMLParser):
    """Text without its tags, scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
        """A tag parts words."""
        self._silent += tag in ("script", "style")
        self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        """As above."""
        self._silent -= tag in ("script", "style")
        self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        """Text."""
        if not self._silent:
            self.parts.append(data)


class Visitor:
    """Somebody before the console, signed in."""

    def __init__(self, site: Site, role: str, programmes: Iterable[str] | None, name: str = "") -> None:
        self.site = site
        staff = site.service.staff
        self.name = name or f"{role}-{secrets.token_hex(4)}"
        staff.change_password(self.name, staff.add(ROOT, self.name, role, programmes), PASSWORD)
        self.token = staff.sign_in(self.name, PASSWORD, address="127.0.0.1", agent="tests")
        self.http = httpx.Client(base_url=site.url, cookies={COOKIE: self.token}, timeout=60)

    @property
    def csrf(self) -> str:
        """What his forms carry."""
        return self.site.service.staff.member(self.token).csrf

    def get(self, path: str, **query: str) -> Page:
        """A page of the console."""
        return Page(self.http.get(f"/console{path}", params=query or None))

    def part(self, path: str, **query: str) -> Page:
        """The same, as htmx asks for it."""
        return Page(self.http.get(f"/console{path}", params=query or None, headers={"hx-request": "true"}))

    def post(self, path: str, files: Mapping[str, Any] | None = None, *, part: bool = False, **fields: str | list[str]) -> Page:
        """A form handed in, with what a browser sends along; any of it may be given otherwise."""
        form = {"csrf": self.csrf, "once": secrets.token_urlsafe(12)} | fields
        headers = {"origin": self.site.url} | ({"hx-request": "true"} if part else {})
        return Page(self.http.post(f"/console{path}", data=form, files=files, headers=headers))

    def close(self) -> None:
        """He goes."""
        self.http.close()


class ConsoleSite:
    """The site and its visitors."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.service = site.service
        self.url = site.url
        self._visitors: list[Visitor] = []

    def visitor(self, role: str = "owner", programmes: Iterable[str] | None = None) -> Visitor:
        """Somebody of this role."""
        visitor = Visitor(self.site, role, programmes)
        self._visitors.append(visitor)
        return visitor

    def statements(self, what: Callable[[], object]) -> list[str]:
        """The SQL statements that pages made meanwhile, but for the empty one by which a pool tries a connection."""
        made: list[str] = []
        execute = psycopg.Cursor.execute

        def noted(cursor: Any, query: Any, *args: Any, **more: Any) -> Any:  # noqa: ANN401
            if query and threading.current_thread().name.startswith("rangli web_"):
                made.append(query if isinstance(query, str) else str(query))
            return execute(cursor, query, *args, **more)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(psycopg.Cursor, "execute", noted)
            what()
        return made

    def close(self) -> None:
        """All of them go."""
        for visitor in self._visitors:
            visitor.close()


@contextmanager
def made_console(server: EmbeddedServer) -> Iterator[ConsoleSite]:
    """A live service with its console."""
    with web_worlds.made_site(server) as site:
        console = ConsoleSite(site)
        yield console
        console.close()


@pytest.fixture(scope="module")
def console(_servers: Callable[[str], EmbeddedServer]) -> Iterator[ConsoleSite]:
    """The console. Tests of a module share it."""
    with made_console(_servers("embedded")) as console:
        yield console
