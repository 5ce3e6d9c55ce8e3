"""A stranger's session: at every door of the console, whatever is tried, it is refused or harmless.

A tampered cookie, another programme's name in an address, a role that may not, a form handed in twice, from an old session or
from another site, and a script in a shop's name. Most tests go through all doors, so a door that is new is tried as well.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

import console_worlds
import httpx
import pytest
from argon2 import PasswordHasher
from console_worlds import PASSWORD, SCRIPT, ConsoleSite, Page, Visitor
from web_worlds import SHOP, fresh, order

from rangli.service.people import passwords
from rangli.service.people.acts import ActFilter
from rangli.service.people.members import ROLES
from rangli.web.console.door import COOKIE, SELF, Door
from rangli.web.console.house import DOORS

console = console_worlds.console

GUARDED: Final = [door for door in DOORS if door.scope]
"""Doors that are for members only."""
OF_SCOPE: Final = [door for door in GUARDED if door.scope != SELF]
CHANGING: Final = [door for door in GUARDED if door.method == "POST" and door.changes]
OF_PROGRAMME: Final = [door for door in OF_SCOPE if "{programme}" in door.path and door.scope != "admin"]
HIDDEN: Final = "elsewhere"
"""A programme that not everybody sees."""
LOOKING: Final = [door for door in GUARDED if door.method == "GET" and not door.path.endswith("/live")]
"""All but what never ends."""


@pytest.fixture(scope="module", autouse=True)
def _light() -> Iterator[None]:
    """Passwords are hashed with little effort: dozens of people sign in here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "PasswordHasher", partial(PasswordHasher, time_cost=1, memory_cost=8, parallelism=1))
        yield


@pytest.fixture(scope="module")
def visitors(console: ConsoleSite) -> dict[str, Visitor]:
    """One of each role, and of each that may be restricted one who sees SHOP only; HIDDEN is there too."""
    console.service.create(HIDDEN, "weituanbao", hold_seconds=0)
    some = {f"{role} of {SHOP}": console.visitor(role, [SHOP]) for role in ROLES if role != "owner"}
    return {role: console.visitor(role) for role in ROLES} | some


@pytest.fixture(scope="module")
def http(console: ConsoleSite) -> Iterator[httpx.Client]:
    """A client that keeps nothing: the stranger's."""
    with httpx.Client(base_url=console.url, timeout=60) as http:
        yield http


def called(door: Door) -> str:
    """A door as a test is named after it."""
    return f"{door.method} {door.path}"


def address(door: Door, programme: str = SHOP) -> str:
    """An address behind a door; what else its path names is not there."""
    return re.sub(r"\{\w+\}", "1", door.path.replace("{programme}", programme))


def ask(door: Door, visitor: Visitor, programme: str = SHOP, **fields: str) -> Page:
    """Knock, with a form where one is wanted."""
    path = address(door, programme)
    return visitor.get(path) if door.method == "GET" else visitor.post(path, **fields)


def raw(http: httpx.Client, door: Door, cookie: str, headers: dict[str, str] | None = None, **fields: str) -> Page:
    """Knock with this cookie, and nothing that a browser would add but the origin."""
    sent = {"origin": str(http.base_url).rstrip("/"), "cookie": f"{COOKIE}={cookie}" if cookie else ""} | (headers or {})
    pairs = [(name.encode(), text.encode()) for name, text in sent.items()]
    response = http.request(door.method, f"/console{address(door)}", data=fields or None, headers=pairs)
    http.cookies.clear()
    return Page(response)


def is_led_to_sign_in(page: Page) -> bool:
    """Whether a page was not shown."""
    return page.status == 303 and page.headers["location"].startswith("/console/sign-in") and not page.text


# ---------------------------------------------------------------- who


def test_the_doors_that_anybody_may_open_are_few_and_known() -> None:
    """A door without a scope is a decision, and this is where it is seen."""
    open_doors = {called(door) for door in DOORS if not door.scope}

    assert {"GET /sign-in", "POST /sign-in", "POST /sign-in/code", "POST /preferences"} == open_doors


@pytest.mark.parametrize("door", GUARDED, ids=called)
def test_nobody_comes_in_without_a_session_or_with_a_tampered_one(
    http: httpx.Client, console: ConsoleSite, visitors: dict[str, Visitor], door: Door
) -> None:
    """Not with one letter changed, nor with what the table holds, nor with an API key; a part of a page is 401."""
    owner = visitors["owner"]
    token = owner.token
    tampered = ("A" if token[0] != "A" else "B") + token[1:]
    digest = console.service.staff.member(token).session.hex()
    fields = {"csrf": owner.csrf, "once": secrets.token_urlsafe(12)}
    pages = [raw(http, door, cookie, **fields) for cookie in (tampered, digest)]
    keyed = raw(http, door, "", {"authorization": f"Bearer {console.site.key}"}, **fields)
    part = raw(http, door, tampered, {"hx-request": "true"}, **fields)

    assert all(is_led_to_sign_in(page) for page in [*pages, keyed])
    assert (401, "") == (part.status, part.text)


@pytest.mark.parametrize(
    "change", [str.lower, str.upper, lambda token: token[:-1], lambda token: f"{token}A", lambda _: "é" * 43]
)
def test_no_other_writing_of_a_session_is_one(
    http: httpx.Client, visitors: dict[str, Visitor], change: Callable[[str], str]
) -> None:
    """Letter by letter, or not at all."""
    (door,) = (door for door in DOORS if called(door) == "GET /me")
    token = visitors["owner"].token

    assert 200 == raw(http, door, token).status
    assert is_led_to_sign_in(raw(http, door, change(token)))


def test_a_session_is_no_key_to_the_api(visitors: dict[str, Visitor]) -> None:
    """A browser sends it wherever it is told to; the API asks for a key."""
    owner = visitors["owner"]
    response = owner.http.get("/v1/programmes", headers={"x-csrf-token": owner.csrf})

    assert 401 == response.status_code


@pytest.mark.parametrize("door", OF_SCOPE, ids=called)
def test_a_role_that_may_not_is_refused_at_the_door(visitors: dict[str, Visitor], door: Door) -> None:
    """Whatever the page would do, also with a form that is as it should be."""
    lacking = [role for role, scopes in ROLES.items() if door.scope not in scopes]
    pages = [ask(door, visitors[role]) for role in lacking]

    assert [403] * len(lacking) == [page.status for page in pages]
    assert lacking or door.scope == "read"


@pytest.mark.parametrize("door", OF_PROGRAMME, ids=called)
def test_another_programmes_name_in_an_address_is_as_if_there_were_none(visitors: dict[str, Visitor], door: Door) -> None:
    """Word for word what is said of a programme that does not exist, so a stranger learns no names."""
    roles = [role for role, scopes in ROLES.items() if role != "owner" and door.scope in scopes]
    for role in roles:
        visitor = visitors[f"{role} of {SHOP}"]
        said = [ask(door, visitor, name) for name in (HIDDEN, "nothing")]
        words = [page.words.replace(name, "…") for page, name in zip(said, (HIDDEN, "nothing"), strict=True)]

        assert [404, 404] == [page.status for page in said]
        assert words[0] == words[1]


def test_who_sees_some_programmes_finds_no_other_on_any_page(console: ConsoleSite, visitors: dict[str, Visitor]) -> None:
    """Lists, choices and logs name what he may see."""
    for role in ROLES:
        if role != "owner":
            visitor = console.visitor(role, [SHOP])
            for door in LOOKING:
                page = ask(door, visitor)

                assert HIDDEN not in page.text, called(door)
            assert HIDDEN in visitors[role].get("/").text


# ---------------------------------------------------------------- forms


@pytest.mark.parametrize("door", CHANGING, ids=called)
def test_a_form_that_is_not_of_this_session_and_from_here_changes_nothing(
    http: httpx.Client, console: ConsoleSite, visitors: dict[str, Visitor], door: Door
) -> None:
    """Without a token, with another's, with that of a session before; from another site, or from one that does not say."""
    owner = visitors["owner"]
    other = visitors["auditor"].csrf
    staff = console.service.staff
    stale = staff.member(staff.sign_in(owner.name, PASSWORD, address="", agent="")).csrf
    once = {"once": secrets.token_urlsafe(12)}
    pages = [raw(http, door, owner.token, csrf=token, **once) for token in ("", "é", other, stale)]
    pages += [raw(http, door, owner.token, {"origin": "https://evil.example"}, csrf=owner.csrf, **once)]

    assert [403] * len(pages) == [page.status for page in pages]
    assert all("表单不是从本后台提交的" in page.words for page in pages)


@pytest.mark.parametrize("origin", ["null", "", "{}.evil.example", "{}0", "http://127.0.0.1:1", "//", "{}@evil.example"])
def test_a_site_with_nearly_our_name_is_another(
    http: httpx.Client, console: ConsoleSite, visitors: dict[str, Visitor], origin: str
) -> None:
    """And one that does not say who it is, is another too."""
    owner = visitors["owner"]
    (door,) = (door for door in DOORS if called(door) == "POST /me/sessions/end-others")
    fields = {"csrf": owner.csrf, "once": secrets.token_urlsafe(12)}

    assert 403 == raw(http, door, owner.token, {"origin": origin.replace("{}", console.url)}, **fields).status
    assert 303 == raw(http, door, owner.token, **fields).status


@pytest.mark.parametrize("door", CHANGING, ids=called)
def test_a_form_handed_in_twice_counts_once(console: ConsoleSite, visitors: dict[str, Visitor], door: Door) -> None:
    """It is known by its own number; one without a number is none."""
    owner = visitors["owner"]
    once = secrets.token_urlsafe(12)
    console.service.staff.use_once(console.service.staff.member(owner.token).session, once)
    pages = [ask(door, owner, once=number) for number in (once, "")]

    assert [409] * 2 == [page.status for page in pages]
    assert all("此表单已提交过" in page.words for page in pages)


def test_a_form_of_which_two_copies_arrive_together_counts_once(console: ConsoleSite) -> None:
    """Two clicks, or a browser that asks again: one of them is done and the other is told so."""
    owner, once, name = console.visitor(), secrets.token_urlsafe(12), f"n-{secrets.token_hex(4)}"
    fields = {"name": name, "role": "auditor", "reach": "all", "once": once}
    with ThreadPoolExecutor(4) as pool:
        pages = list(pool.map(lambda _: owner.post("/members", **fields), range(4)))

    assert [200, 409, 409, 409] == sorted(page.status for page in pages)
    assert 1 == len([view for view in console.service.staff.members() if view.name == name])


@pytest.mark.parametrize("door", CHANGING, ids=called)
def test_what_is_refused_at_a_door_stands_in_the_audit_log(
    http: httpx.Client, console: ConsoleSite, visitors: dict[str, Visitor], door: Door
) -> None:
    """Whoever looks afterwards sees who tried."""
    owner = visitors["owner"]
    raw(http, door, owner.token, csrf="", once="x")
    reader = console.service.staff.member(owner.token)
    (act,) = console.service.staff.acts(reader, ActFilter(member=owner.name, outcome="refused"), 0, 1)

    assert ("form_foreign", "127.0.0.1") == (act.object, act.address)
    assert door.path[:90] in act.what


@pytest.mark.parametrize("body", [b"csrf=%ff%00", b"\xff\xfe", b"a" * (2**20 + 1), b"&".join([b"a=b"] * 5_000)])
def test_a_body_that_is_no_form_is_refused(console: ConsoleSite, visitors: dict[str, Visitor], body: bytes) -> None:
    """Too much, too many, or no text: it is the sender's fault and never ours."""
    headers = {"origin": console.url, "content-type": "application/x-www-form-urlencoded"}
    response = visitors["owner"].http.post("/console/members", content=body, headers=headers)

    assert 400 <= response.status_code < 500


@pytest.mark.parametrize("name", ["%00", "..", "%2e%2e%2f", "a" * 300, "%F0%9F%98%80", "'; DROP TABLE member; --", "<u>", "%ff"])
def test_an_address_may_name_anything(visitors: dict[str, Visitor], name: str) -> None:
    """It is found, or it is not: nothing in it is a command, a path or a tag."""
    for path in (f"/p/{name}", f"/members/of/{name}", f"/acts?member={name}", f"/acts?cursor={name}", f"/sign-in?next={name}"):
        page = visitors["owner"].get(path)

        assert page.status < 500, path
        assert "<u>" not in page.text, path


# ---------------------------------------------------------------- script


def test_a_script_in_a_name_is_text_on_every_page(console: ConsoleSite, visitors: dict[str, Visitor]) -> None:
    """Shops, consumers and order ids come from outside; the audit log repeats what people wrote."""
    owner = visitors["owner"]
    order_id = fresh("X")
    console.service.running(SHOP).do(
        [order(order_id, merchant=SCRIPT, consumer=SCRIPT, referrer=SCRIPT), order(f"{SCRIPT}{order_id}")]
    )
    console.service.staff.note(owner.name, "owner", SCRIPT, SCRIPT, SHOP, facts={SCRIPT: SCRIPT}, address=SCRIPT)
    pages = {called(door): owner.get(address(door).replace("/1", f"/{order_id}")) for door in LOOKING}
    pages |= {f"part of {called(door)}": owner.part(address(door).replace("/1", f"/{order_id}")) for door in LOOKING}

    assert [] == [name for name, page in pages.items() if SCRIPT in page.text or page.status >= 500]
    assert "&lt;script&gt;" in pages["GET /acts"].text


def test_a_script_in_what_one_hands_in_is_text_in_the_answer(http: httpx.Client, visitors: dict[str, Visitor]) -> None:
    """A refused form shows again what was written in it."""
    owner = visitors["owner"]
    quoted = f'"{SCRIPT}'
    pages = [
        owner.post("/members", name=quoted, role=quoted, reach="some", programmes=quoted),
        owner.get("/acts", member=quoted, object=quoted),
        owner.get("/members", name=quoted, cursor=quoted),
        raw(http, next(door for door in DOORS if called(door) == "POST /sign-in"), "", name=quoted, password="x", next=quoted),  # noqa: S106
    ]

    assert all(SCRIPT not in page.text and f'"{quoted}' not in page.text for page in pages)
    assert "&#34;&lt;script&gt;" in pages[0].text


@pytest.mark.parametrize("door", LOOKING, ids=called)
def test_no_page_runs_or_loads_anything_that_is_not_ours(visitors: dict[str, Visitor], door: Door) -> None:
    """The policy forbids it to browsers, and no page tries: no inline script, style or handler, no address of others."""
    page = ask(door, visitors["owner"])
    tags = "".join(re.findall(r"<[^>]*>", re.sub(r'data-chart="[^"]*"', "", page.text)))

    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|hx-on|javascript:", tags)
    assert not re.search(r'(?:src|action|hx-(?:get|post))="(?:https?:)?//', tags)
