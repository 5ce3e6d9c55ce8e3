"""The frame around every page: templates, static files, navigation; and where all doors are hung."""

from __future__ import annotations

import secrets
from hashlib import sha256
from importlib.resources import files
from mimetypes import guess_type
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from rangli.web.asked import Reply, send_reply
from rangli.web.console.call import LANGUAGES, OK, ROOT, SEE_OTHER, THEMES, Call, Shown
from rangli.web.console.door import Door, Doorstep
from rangli.web.console.listing import FORMATS, Column, Filter, Listing
from rangli.web.console.words import (
    ROLES,
    Amount,
    Link,
    Measured,
    State,
    exact,
    grouped,
    in_beijing,
    padding,
    shown,
    widest,
)
from rangli.web.problems import Fault, Problem

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.types import Receive, Scope, Send

    from rangli.web.asked import Asked
    from rangli.web.desk import Desk
    from rangli.web.front import Passage
    from rangli.web.routes import Endpoint

YEAR: Final = b"max-age=31536000, immutable"
MOVED: Final = 307
_NUMBER: Final = Markup(' class="num"')
_ACTS: Final = Markup(' class="acts"')


class Entry(NamedTuple):
    """One entry of the navigation; ``{p}`` is the programme that one looks at."""

    path: str
    zh: str
    en: str
    scope: str = "read"
    sections: tuple[str, ...] = ()
    """Of a programme's pages, those that belong to it: the word after the programme."""


OF_PROGRAMME: Final = (
    Entry("/p/{p}", "总览", "Overview", sections=("guards", "verify", "webhooks")),
    Entry("/p/{p}/orders", "订单", "Orders", sections=("orders", "import")),
    Entry(
        "/p/{p}/accounts",
        "资金",
        "Money",
        sections=("accounts", "journal", "trial-balance", "pool", "vouchers", "queues", "treasury", "books"),
    ),
    Entry("/p/{p}/plan", "方案", "Plan", sections=("plan", "drafts", "versions")),
)
OF_HOUSE: Final = (
    Entry("/", "项目", "Programmes"),
    Entry("/lab", "实验室", "Lab"),
    Entry("/operations", "运行", "Operations"),
    Entry("/members", "成员", "Members", "admin"),
    Entry("/acts", "操作记录", "Audit log"),
)


class Static(NamedTuple):
    """One file that pages load."""

    data: bytes
    media_type: bytes
    version: str


class Frame:
    """Renders pages and hangs doors."""

    def __init__(self, doors: tuple[Door, ...]) -> None:
        self.doors = doors
        self.titles = {f"{door.method} {door.path}": (door.zh, door.en) for door in doors}
        """What each door is called."""
        self.static = _statics()
        self._templates = Environment(
            loader=PackageLoader("rangli.web.console"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
            lstrip_blocks=True,
        )  # fmt: skip
        self._templates.globals |= {
            "static": self.static_url, "fresh": lambda: secrets.token_urlsafe(12), "sections": self._sections(),
            "house": OF_HOUSE, "of_programme": OF_PROGRAMME, "formats": tuple(FORMATS), "languages": LANGUAGES, "themes": THEMES,
            "padding": padding, "widest": widest, "turn": turn, "yuan": Amount, "of_kind": of_kind,
        }  # fmt: skip
        self._templates.filters |= {"grouped": grouped, "in_beijing": in_beijing}
        self._templates.tests |= {
            "amount": lambda value: isinstance(value, Amount),
            "link": lambda value: isinstance(value, Link),
            "measured": lambda value: isinstance(value, Measured),
            "state": lambda value: isinstance(value, State),
        }

    def render(self, template: str, call: Call, values: dict[str, Any]) -> str:
        """A template's text for this call."""

        def t(zh: str, en: str) -> str:
            return zh if call.lang == "zh" else en

        def label(zh: str, en: str) -> Markup:
            first, second, other = (zh, en, "en") if call.lang == "zh" else (en, zh, "zh-CN")
            return Markup('{} <small class="beside" lang="{}">{}</small>').format(first, other, second)

        def money(text: str | Amount, unit: str = "CNY") -> str:
            return shown(text if isinstance(text, Amount) else Amount(text, unit), call.lang)

        def of_cell(value: object, kind: str) -> Markup:
            there = exact(value, kind, call.lang)
            data = "".join(f' data-{name}="{escape(text)}"' for name, text in there.items())
            return of_kind(kind) + Markup(data) if there else of_kind(kind)  # noqa: S704 -- escaped above

        def choices_of(one: Filter) -> list[tuple[str, str]]:
            return [(code, t(zh, en)) for code, zh, en in one.choices]

        def sorts_of(listing: Listing) -> list[tuple[str, str]]:
            return [(one.code, t(one.zh, one.en)) for one in listing.sorts]

        roles = {role: t(*words) for role, words in ROLES.items()}
        words = {
            "roles": roles,
            "call": call,
            "t": t,
            "label": label,
            "money": money,
            "of_cell": of_cell,
            "choices_of": choices_of,
            "sorts_of": sorts_of,
        }
        return self._templates.get_template(template).render(words | values)

    def fault(self, call: Call, problem: Problem) -> Shown:
        """A refusal as a page, or as a note where a part was asked for."""
        template = "parts/refusal.html" if call.is_part else "fault.html"
        return call.show(template, status=problem.status, problem=problem)

    def static_url(self, name: str) -> str:
        """The address of a static file, with its version: it may be kept for ever."""
        return f"{ROOT}/static/{escape(name)}?v={self.static[name].version}"

    def _sections(self) -> list[str]:
        return sorted(name for name in self.static if name.startswith("sections/"))

    def hang(self, app: Starlette, desk: Desk) -> None:
        """Hang all doors in the application."""
        app.add_route(f"{ROOT}/static/{{name:path}}", Open(desk, self._file), methods=["GET"])  # type: ignore[arg-type]
        app.add_route("/favicon.ico", Open(desk, self._icon), methods=["GET"])  # type: ignore[arg-type]
        app.add_route("/", Open(desk, _home), methods=["GET"])  # type: ignore[arg-type]
        app.add_route(ROOT, Open(desk, _home), methods=["GET"])  # type: ignore[arg-type]
        for door in self.doors:
            app.add_route(ROOT + door.path, Doorstep(self, desk, door), methods=[door.method])  # type: ignore[arg-type]
        for method in ("GET", "POST"):
            nothing = Door(method, "/{rest:path}", "", _nothing, "没有这个页面", "No such page", changes=False)
            app.add_route(ROOT + nothing.path, Doorstep(self, desk, nothing), methods=[method])  # type: ignore[arg-type]

    async def _icon(self, _desk: Desk, _asked: Asked) -> Reply:
        """What browsers ask for by themselves."""
        return Reply(MOVED, b"", b"text/html", ((b"location", self.static_url("icon.svg").encode()),))

    async def _file(self, _desk: Desk, asked: Asked) -> Reply:
        """A file that pages load."""
        found = self.static.get(asked.param("name"))
        if found is None:
            raise Fault("route_not_found")
        nosniff = (b"x-content-type-options", b"nosniff")
        return Reply(OK, found.data, found.media_type, ((b"cache-control", YEAR), nosniff))


def of_kind(kind: str) -> Markup:
    """The class of a column's cells."""
    return _NUMBER if kind in ("money", "count") else _ACTS if kind == "acts" else Markup()


def turn(listing: Listing, column: Column, sort: str) -> tuple[str, str]:
    """Where a column's head leads while the listing has this order: the code of another one, and what ``aria-sort`` says now.

    Both are empty where no order goes by the column.
    """
    there = [one for one in listing.sorts if one.column == column.key]
    now = next((one for one in there if one.code == sort), None)
    if now is None:
        return (there[0].code if there else ""), ""
    other = next((one.code for one in there if one.is_falling != now.is_falling), "")
    return other, "descending" if now.is_falling else "ascending"


class Open:
    """An address that needs nobody to be signed in and shows nothing of anyone."""

    def __init__(self, desk: Desk, endpoint: Endpoint) -> None:
        self._desk = desk
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer one request."""
        passage: Passage = scope["rangli.passage"]
        passage.route = f"{ROOT}/static"
        await send_reply(send, await self._endpoint(self._desk, passage.asked))


async def _home(_desk: Desk, _asked: Asked) -> Reply:
    """Whoever opens the server with a browser wants the console."""
    return Reply(MOVED, b"", b"text/html", ((b"location", f"{ROOT}/".encode()),))


def _statics() -> dict[str, Static]:
    """Every static file, by its name below ``static``."""
    found: dict[str, Static] = {}
    root = files("rangli.web.console").joinpath("static")
    folders = [("", root)]
    while folders:
        before, folder = folders.pop()
        for entry in folder.iterdir():
            if entry.is_dir():
                folders.append((f"{before}{entry.name}/", entry))
                continue
            data = entry.read_bytes()
            kind = guess_type(entry.name)[0] or "application/octet-stream"
            charset = "; charset=utf-8" if kind.startswith("text/") else ""
            found[before + entry.name] = Static(data, f"{kind}{charset}".encode(), sha256(data).hexdigest()[:12])
    return found


# ---------------------------------------------------------------- what belongs to no section


def _nothing(_call: Call) -> Shown:
    """There is no such page, or none that takes a form."""
    raise Fault("route_not_found")


def _prefer(call: Call) -> Shown:
    """Keep the language or the theme on this device."""
    kept = [(name, call.field(name)) for name, known in (("language", LANGUAGES), ("theme", THEMES)) if call.field(name) in known]
    back = call.field("back", "/")
    path = back if back.startswith("/") and back.isascii() and back.isprintable() else "/"
    cookies = tuple(
        (b"set-cookie", f"rangli_{name}={value}; Path=/console; Max-Age=31536000; HttpOnly; SameSite=Lax".encode())
        for name, value in kept
    )
    return Shown(SEE_OTHER, b"", headers=((b"location", call.url(path).encode()), *cookies))


DOORS: Final = (Door("POST", "/preferences", "", _prefer, "语言与外观", "Language and theme", changes=False),)
