"""Signing in, one's own account, members and the audit log, as pages."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import console_worlds
import httpx
import pyotp
import pytest
from argon2 import PasswordHasher
from console_worlds import PASSWORD, ROOT, ConsoleSite, Page, Visitor
from web_worlds import POINTS, SHOP

import rangli
from rangli.service.people import passwords
from rangli.service.people.acts import ActFilter
from rangli.service.people.codes import STEP_SECONDS
from rangli.service.people.waits import FREE
from rangli.web.console.acts import KINDS
from rangli.web.console.door import COOKIE
from rangli.web.console.pictures import CLAIMS, COMPARE, PROSPECTUS, RUN
from rangli.web.console.treasury import ACTS
from rangli.web.proxies import proxies_of

console = console_worlds.console
package = Path(rangli.__file__).parent


@pytest.fixture(scope="module", autouse=True)
def _light() -> Iterator[None]:
    """Passwords are hashed with little effort: dozens of people sign in here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "PasswordHasher", partial(PasswordHasher, time_cost=1, memory_cost=8, parallelism=1))
        yield


class Browser:
    """Somebody before the sign-in page."""

    def __init__(self, console: ConsoleSite) -> None:
        self.url = console.url
        self.http = httpx.Client(base_url=console.url, timeout=60)

    def get(self, path: str, **query: str) -> Page:
        """A page of the console."""
        return Page(self.http.get(f"/console{path}", params=query or None))

    def post(self, path: str, *, origin: str = "", **fields: str) -> Page:
        """A form."""
        return Page(self.http.post(f"/console{path}", data=fields, headers={"origin": origin or self.url}))

    def sign_in(self, name: str, password: str = PASSWORD, **fields: str) -> Page:
        """The sign-in form, handed in."""
        return self.post("/sign-in", name=name, password=password, **fields)


@pytest.fixture
def browser(console: ConsoleSite) -> Iterator[Browser]:
    """A browser without a session. What others guessed before from this address is forgiven."""
    console.service.staff._waits._failures.clear()
    browser = Browser(console)
    yield browser
    browser.http.close()


def hidden(page: Page, name: str) -> str:
    """What a hidden field of a form carries."""
    found = re.search(rf'<input type="hidden" name="{name}" value="([^"]*)"', page.text)
    assert found, f"no field {name}"
    return found[1]


def member(console: ConsoleSite, role: str = "auditor") -> str:
    """The name of somebody new, whose password is PASSWORD."""
    name = f"m-{secrets.token_hex(4)}"
    console.service.staff.change_password(name, console.service.staff.add(ROOT, name, role), PASSWORD)
    return name


# ---------------------------------------------------------------- in and out


def test_signing_in_leads_to_where_one_wanted_to_go(console: ConsoleSite, browser: Browser) -> None:
    """With a cookie that no script reads and no other site sends."""
    asked = browser.get("/acts", outcome="refused")
    name = member(console)
    page = browser.get(asked.headers["location"].removeprefix("/console"))
    done = browser.sign_in(name, next=hidden(page, "next"))
    cookie = done.headers["set-cookie"]

    assert (303, "/console/acts?outcome=refused") == (done.status, done.headers["location"])
    assert all(part in cookie for part in (f"{COOKIE}=", "HttpOnly", "SameSite=Strict", "Path=/console", "Max-Age=604800"))
    assert "Secure" not in cookie
    assert 200 == browser.get("/acts", outcome="refused").status


def behind(monkeypatch: pytest.MonkeyPatch, console: ConsoleSite, *proxies: str) -> None:
    """The console, from now on behind these proxies."""
    monkeypatch.setattr(console.site.desk, "proxies", proxies_of(proxies))


def test_by_https_the_cookie_is_never_sent_in_the_clear(
    console: ConsoleSite, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy in front says by which way it came; who is none says nothing."""
    browser.http.headers["x-forwarded-proto"] = "https"
    direct = browser.sign_in(member(console))
    browser.http.cookies.clear()
    behind(monkeypatch, console, "127.0.0.1")
    proxied = browser.sign_in(member(console))

    assert ("; Secure" in direct.headers["set-cookie"], "; Secure" in proxied.headers["set-cookie"]) == (False, True)
    assert "strict-transport-security" not in proxied.headers, "it is for the one who has the certificate to promise"


@pytest.mark.parametrize("there", ["https://evil.example/", "evil.example", "/a\r\nSet-Cookie: x=y", "", "/\u200b"])
def test_signing_in_leads_nowhere_else(console: ConsoleSite, browser: Browser, there: str) -> None:
    """A link with an address of somebody else's in it is no way out of the console."""
    done = browser.sign_in(member(console), next=there)

    assert "/console/" == done.headers["location"]


def test_a_wrong_password_and_an_unknown_name_are_answered_alike(console: ConsoleSite, browser: Browser) -> None:
    """Word for word; the name stays in its field and the password does not."""
    name = member(console)
    pages = [browser.sign_in(who, "something wrong") for who in (name, "m-nobody")]
    texts = [re.sub(r"m-\w+", "…", page.text) for page in pages]

    assert [401, 401] == [page.status for page in pages]
    assert texts[0] == texts[1]
    assert "姓名、密码或验证码不对" in pages[0].words
    assert "something wrong" not in pages[0].text


def test_who_guesses_too_often_is_told_how_long_to_wait(console: ConsoleSite, browser: Browser) -> None:
    """429, and a number of seconds; from another name one still gets in."""
    name = member(console)
    pages = [browser.sign_in(name, "something wrong") for _ in range(FREE["name"] + 2)]

    assert 429 == pages[-1].status
    assert int(pages[-1].headers["retry-after"]) >= 1
    assert "登录失败次数过多" in pages[-1].words
    assert 303 == browser.sign_in(member(console)).status


def test_who_guesses_behind_a_proxy_makes_nobody_else_wait(
    console: ConsoleSite, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All come from the proxy's address, and each has his own; without --proxy it would be one for all, headers or not."""
    monkeypatch.setitem(FREE, "address", 3)
    monkeypatch.setattr(console.service.staff._waits, "_clock", lambda: 0)  # so that no wait ends before it was seen
    names = [member(console) for _ in range(FREE["address"] + 1)]
    colleague = member(console)

    def statuses(*addresses: str) -> list[int]:
        console.service.staff._waits._failures.clear()
        for name, address in zip(names, addresses * len(names), strict=False):
            browser.http.headers["x-forwarded-for"] = address
            browser.sign_in(name, "something wrong")
        browser.http.headers["x-forwarded-for"] = "made up, 198.51.100.9"
        elsewhere = browser.sign_in(colleague).status
        browser.http.cookies.clear()
        browser.http.headers["x-forwarded-for"] = "10.9.9.9, 203.0.113.7"
        return [elsewhere, browser.sign_in(names[-1]).status]

    alone = statuses("203.0.113.7")
    behind(monkeypatch, console, "127.0.0.1")
    named = statuses("203.0.113.7")
    moving = statuses("198.51.100.1, 203.0.113.7", "10.0.0.1, 203.0.113.7")

    assert [429, 429] == alone
    assert [303, 429] == named
    assert [303, 429] == moving, "what he makes up before the proxy's word changes nothing"


def test_behind_a_proxy_the_log_and_the_sessions_have_the_members_own_address(
    console: ConsoleSite, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looks afterwards wants to know from where, and the proxy's address is no answer."""
    behind(monkeypatch, console, "127.0.0.0/8")
    name = member(console)
    browser.http.headers["x-forwarded-for"] = "<script>, 203.0.113.7, 127.0.0.9"
    browser.sign_in(name)
    page = browser.get("/me")
    (signed_in, *_) = console.service.staff.acts(
        console.service.staff.member(console.visitor().token), ActFilter(member=name), 0, 10
    )

    assert "203.0.113.7" == signed_in.address
    assert "203.0.113.7" in page.words
    assert "127.0.0" not in page.words


def test_a_proxy_that_does_not_pass_the_host_on_is_named_in_the_refusal(console: ConsoleSite, browser: Browser) -> None:
    """It is the first thing that goes wrong behind a new one, and everybody looks for the fault elsewhere."""
    headers = {"origin": "https://rangli.example", "host": "127.0.0.1:8000"}
    page = Page(browser.http.post("/console/sign-in", data={"name": "a", "password": "b"}, headers=headers))
    passed = browser.http.post(
        "/console/sign-in",
        data={"name": member(console), "password": PASSWORD},
        headers={"origin": "https://rangli.example", "host": "rangli.example"},
    )

    assert (403, 303) == (page.status, passed.status_code)
    assert "没有原样传递 Host" in page.words


def test_signing_in_needs_a_page_of_ours(console: ConsoleSite, browser: Browser) -> None:
    """Another site cannot sign somebody in as somebody else."""
    name = member(console)
    foreign = [
        browser.post("/sign-in", origin=origin, name=name, password=PASSWORD) for origin in ("https://evil.example", "null")
    ]

    assert [403, 403] == [page.status for page in foreign]
    assert COOKIE not in browser.http.cookies


def test_a_sign_in_begins_a_session_of_its_own(console: ConsoleSite, browser: Browser) -> None:
    """A cookie that somebody planted before is never the one that counts after (session fixation)."""
    planted = secrets.token_urlsafe(32)
    browser.http.cookies.set(COOKIE, planted, path="/console")
    done = browser.sign_in(member(console))

    assert planted not in done.headers["set-cookie"]
    assert 303 == Page(httpx.get(f"{console.url}/console/me", cookies={COOKIE: planted})).status


def test_who_is_signed_in_needs_no_sign_in_page(console: ConsoleSite) -> None:
    """It leads on."""
    visitor = console.visitor("auditor")

    assert (303, "/console/acts") == (
        visitor.get("/sign-in", next="/acts").status,
        visitor.get("/sign-in", next="/acts").headers["location"],
    )


def test_signing_out_ends_the_session_everywhere(console: ConsoleSite) -> None:
    """The cookie goes, and whoever kept a copy of it has nothing."""
    visitor = console.visitor("auditor")
    kept = visitor.token
    done = visitor.post("/sign-out")

    assert (303, "/console/sign-in") == (done.status, done.headers["location"])
    assert f"{COOKIE}=; Path=/console; Max-Age=0" in done.headers.get_list("set-cookie")[-1]
    assert 303 == Page(httpx.get(f"{console.url}/console/me", cookies={COOKIE: kept})).status


def test_a_one_time_password_leads_to_its_change_and_nowhere_else(console: ConsoleSite, browser: Browser) -> None:
    """Every other page leads back; afterwards all of them open."""
    name = f"new-{secrets.token_hex(4)}"
    browser.sign_in(name, console.service.staff.add(ROOT, name, "auditor"))
    page = browser.get("/me")
    led = [browser.get(path) for path in ("/acts", "/me/totp", f"/p/{SHOP}")]
    fields = {name: hidden(page, name) for name in ("csrf", "once")}
    changed = browser.post("/me/password", new=PASSWORD, again=PASSWORD, **fields)

    assert ["/console/me"] * 3 == [one.headers["location"] for one in led]
    assert "一次性密码" in page.words
    assert (303, 200) == (changed.status, browser.get("/acts").status)


# ---------------------------------------------------------------- my account


def test_a_password_is_changed_on_the_page(console: ConsoleSite) -> None:
    """Each fault stands at its field; the session goes on, and others end."""
    visitor, new = console.visitor("finance"), "another secret of mine"
    other = console.service.staff.sign_in(visitor.name, PASSWORD, address="", agent="")
    faults = {
        "两次输入不同": visitor.post("/me/password", old=PASSWORD, new=new, again="x"),
        "至少 10 个字符": visitor.post("/me/password", old=PASSWORD, new="short", again="short"),
        "不是现在的密码": visitor.post("/me/password", old="x", new=new, again=new),
        "须与现在的密码不同": visitor.post("/me/password", old=PASSWORD, new=PASSWORD, again=PASSWORD),
    }
    done = visitor.post("/me/password", old=PASSWORD, new=new, again=new)

    assert [422] * 4 == [page.status for page in faults.values()]
    assert all(words in page.words for words, page in faults.items() if words != "至少 10 个字符")
    assert all('aria-invalid="true"' in page.text for page in faults.values())
    assert (303, 200) == (done.status, visitor.get("/me").status)
    assert 303 == Page(httpx.get(f"{console.url}/console/me", cookies={COOKIE: other})).status
    assert console.service.staff.sign_in(visitor.name, new, address="", agent="")


def test_an_authenticator_is_turned_on_used_and_turned_off(console: ConsoleSite, browser: Browser) -> None:
    """From the picture to the second step, with a real clock: the next code is good a step early."""
    visitor = console.visitor("finance")
    page = visitor.get("/me/totp")
    secret = hidden(page, "secret")
    totp = pyotp.TOTP(secret)
    wrong = visitor.post("/me/totp", secret=secret, code="000000")
    assert (422, secret) == (wrong.status, hidden(wrong, "secret"))
    assert 303 == visitor.post("/me/totp", secret=secret, code=totp.now()).status
    assert "已启用" in visitor.get("/me").words

    second = browser.sign_in(visitor.name, next="/acts")
    ticket = hidden(second, "ticket")
    refused = browser.post("/sign-in/code", ticket=ticket, code="000000", next=hidden(second, "next"))
    next_code = totp.at(int(time.time()) + STEP_SECONDS)
    done = browser.post("/sign-in/code", ticket=ticket, code=f"{next_code[:3]} {next_code[3:]}", next=hidden(refused, "next"))

    assert (200, 401, 303) == (second.status, refused.status, done.status)
    assert COOKIE not in (second.headers.get("set-cookie") or "")
    assert "/console/acts" == done.headers["location"]
    assert 422 == visitor.post("/me/totp/end", password="x").status  # noqa: S106 -- nobody's
    assert 303 == visitor.post("/me/totp/end", password=PASSWORD).status
    assert "未启用" in visitor.get("/me").words


def test_the_picture_for_the_authenticator_is_drawn_here_and_obeys_our_policy(console: ConsoleSite) -> None:
    """The secret goes to no other server, and the picture carries neither style nor script."""
    page = console.visitor().get("/me/totp")
    picture = re.search(r"<svg.*?</svg>", page.text, re.DOTALL)
    assert picture
    inside = {tag for tag, _ in re.findall(r"<(\w+)([^>]*)>", picture[0])}

    assert {"svg", "path"} <= inside <= {"svg", "path", "g"}
    assert {"#000", "#fff"} == set(re.findall(r'(?:stroke|fill)="(#\w+)"', picture[0]))
    assert "style" not in picture[0]
    assert "<script" not in picture[0]
    assert hidden(page, "secret") in page.words


def test_my_sessions_are_listed_and_ended(console: ConsoleSite) -> None:
    """The present one is marked; one of them, or all others, end. What a browser calls itself is only text."""
    visitor = console.visitor("auditor")
    staff = console.service.staff
    others = [staff.sign_in(visitor.name, PASSWORD, address=f"198.51.100.{i}", agent=console_worlds.SCRIPT) for i in range(3)]
    page = visitor.get("/me")
    assert "当前登录" in page.words
    assert "198.51.100.2" in page.words
    assert console_worlds.SCRIPT not in page.text
    visitor.post("/me/sessions/end", digest=staff.member(others[0]).session.hex())
    assert [False, True, True] == [opens(console, token) for token in others]
    visitor.post("/me/sessions/end-others")

    assert [False] * 3 == [opens(console, token) for token in others]
    assert 200 == visitor.get("/me").status


def opens(console: ConsoleSite, token: str) -> bool:
    """Whether a token is somebody's session."""
    return httpx.get(f"{console.url}/console/me", cookies={COOKIE: token}).status_code == 200


def test_a_language_is_kept_with_the_member(console: ConsoleSite, browser: Browser) -> None:
    """On this device at once, and on the next one after signing in."""
    visitor = console.visitor("auditor")
    visitor.post("/me/language", language="en")
    browser.sign_in(visitor.name)

    assert ("My account", "My account") == (title(visitor.get("/me")), title(browser.get("/me")))
    assert 422 == visitor.post("/me/language", language="fr").status


def title(page: Page) -> str:
    """What a page is called."""
    found = re.search(r"<title>(.*?) ·", page.text)
    assert found
    return found[1]


# ---------------------------------------------------------------- members


def one_time_password(page: Page) -> str:
    """The password that a page shows."""
    found = re.search(r"<code>([a-z2-9]{4}(?:-[a-z2-9]{4}){3})</code>", page.text)
    assert found, page.words
    return found[1]


def test_an_owner_adds_a_member_who_comes_in(console: ConsoleSite, browser: Browser) -> None:
    """The one-time password is on that page and on no other; he sees the programmes that were chosen."""
    owner, name = console.visitor(), f"李-{secrets.token_hex(4)}"
    page = owner.post("/members", name=name, role="finance", reach="some", programmes=[SHOP])
    password = one_time_password(page)
    listed, own = owner.get("/members", name=name), owner.get(f"/members/of/{name}")

    assert "no-store" == page.headers["cache-control"]
    assert all(name in one.words and "一次性密码" in one.words and password not in one.text for one in (listed, own))
    assert 303 == browser.sign_in(name, password).status
    assert {SHOP} == console.service.staff.member(browser.http.cookies[COOKIE]).programmes


def test_a_member_that_cannot_be_added_is_refused_at_the_field(console: ConsoleSite) -> None:
    """What was written stays there."""
    owner = console.visitor()
    pages = {
        "name": owner.post("/members", name="a b", role="finance", reach="all"),
        "role": owner.post("/members", name="ok-name", role="king", reach="all"),
        "programmes": owner.post("/members", name="ok-name", role="finance", reach="some"),
        "owner": owner.post("/members", name="ok-name", role="owner", reach="some", programmes=[SHOP]),
        "taken": owner.post("/members", name=owner.name, role="finance", reach="all"),
    }

    assert [422] * 5 == [page.status for page in pages.values()]
    assert "不能作姓名" in pages["name"].words
    assert 'value="a b"' in pages["name"].text
    assert "不是角色" in pages["role"].words
    assert "至少选一个项目" in pages["programmes"].words
    assert "所有者看得到全部项目" in pages["owner"].words
    assert "已有人用" in pages["taken"].words


def test_a_change_of_role_counts_on_the_next_page(console: ConsoleSite) -> None:
    """Without a new sign-in."""
    owner, other = console.visitor(), console.visitor("owner")
    assert 200 == other.get("/members").status
    owner.post(f"/members/of/{other.name}/role", role="operations")
    assert 403 == other.get("/members").status
    owner.post(f"/members/of/{other.name}/programmes", reach="some", programmes=[SHOP, POINTS])

    assert {SHOP, POINTS} == console.service.staff.member(other.token).programmes
    assert "运营" in owner.get(f"/members/of/{other.name}").words


def test_a_member_is_reset_and_ended(console: ConsoleSite, browser: Browser) -> None:
    """A reset shows a new password once and ends his sessions; an end is for ever."""
    owner, other = console.visitor(), console.visitor("finance")
    password = one_time_password(owner.post(f"/members/of/{other.name}/reset"))
    assert 303 == other.get("/me").status
    assert 303 == browser.sign_in(other.name, password).status
    assert 303 == owner.post(f"/members/of/{other.name}/end").status
    page = owner.get(f"/members/of/{other.name}")

    assert "已停用" in page.words
    assert "<form" not in page.text.partition("<main")[2].partition("</main>")[0]
    assert 401 == browser.sign_in(other.name, password).status
    assert 404 == owner.post(f"/members/of/{other.name}/reset").status
    assert 404 == owner.get("/members/of/nobody").status


def test_the_last_owner_is_told_why_he_stays(console: ConsoleSite) -> None:
    """In place, on his own page."""
    staff = console.service.staff
    visitor = console.visitor()
    by = staff.member(visitor.token).by()
    for view in staff.members():
        if view.role == "owner" and not view.ended_at and view.name != visitor.name:
            staff.end_member(by, view.name)
    pages = [visitor.post(f"/members/of/{visitor.name}/end"), visitor.post(f"/members/of/{visitor.name}/role", role="auditor")]

    assert [409, 409] == [page.status for page in pages]
    assert all("最后一位所有者" in page.words for page in pages)


def test_members_are_searched_sorted_paged_and_saved(console: ConsoleSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Like every table; a number of statements that does not grow with the members."""
    owner = console.visitor()
    mark = secrets.token_hex(4)
    names = [f"{letter}-{mark}" for letter in "cab"]
    for name in names:
        console.service.staff.add(ROOT, name, "auditor")
    shown = [re.findall(rf"\w-{mark}", owner.part("/members", name=mark, sort=sort).words) for sort in ("oldest", "name")]
    few = console.statements(lambda: owner.part("/members", name=mark))
    many = console.statements(lambda: owner.part("/members"))
    monkeypatch.setattr("rangli.web.console.listing.PAGE", 2)
    first = owner.part("/members", name=mark)
    second = owner.part("/members", name=mark, cursor=re.findall(r"cursor=(oldest\.[\w-]+)", first.text)[0])
    lines = owner.get("/members", name=mark, **{"as": "csv"}).data.decode("utf-8-sig").splitlines()

    assert [names, sorted(names)] == shown
    assert len(few) == len(many) <= 3
    assert ["c", "a"] == re.findall(rf">(\w)-{mark}<", first.text)
    assert ["b"] == re.findall(rf">(\w)-{mark}<", second.text)
    assert 4 == len(lines)
    assert "不是这种排列给出的游标" in owner.part("/members", cursor="x").words


# ---------------------------------------------------------------- the audit log


def test_the_audit_log_tells_what_was_done_and_refused(console: ConsoleSite, browser: Browser) -> None:
    """Also sign-ins and refused ones, with their address; and nothing secret."""
    owner, name = console.visitor(), member(console, "finance")
    browser.sign_in(name, "something wrong")
    browser.sign_in(name)
    owner.post(f"/members/of/{name}/role", role="auditor")
    owner.post(f"/members/of/{name}/role", role="king")
    refused, done = owner.get("/acts", member=name), owner.get("/acts", object=name)

    assert all(words in refused.words for words in ("登录", "被拒绝", "已执行", "127.0.0.1", "wrong: password"))
    assert all(words in done.words for words in ("添加成员", "更改角色", "role: auditor", owner.name))
    assert "field_refused" in owner.get("/acts", member=owner.name, outcome="refused").words
    assert "something wrong" not in refused.text
    assert PASSWORD not in refused.text + done.text


def test_the_audit_log_is_filtered_paged_and_saved(console: ConsoleSite) -> None:
    """By who, what, outcome and days; a hundred lines a page, by few statements."""
    owner = console.visitor()
    mark = f"x-{secrets.token_hex(4)}"
    for i in range(130):
        console.service.staff.note(mark, "finance", "probe", f"o{i}", outcome="failed" if i % 2 else "done")
    asked = console.statements(lambda: owner.part("/acts", member=mark))
    first = owner.part("/acts", member=mark, what="probe")
    cursor = re.search(r"cursor=(newest\.\d+)", first.text)
    assert cursor
    second = owner.part("/acts", member=mark, what="probe", cursor=cursor[1])
    lines = owner.get("/acts", member=mark, outcome="failed", **{"as": "csv"}).data.decode("utf-8-sig").splitlines()

    assert [f"o{i}" for i in range(129, 29, -1)] == re.findall(r"<code>(o\d+)</code>", first.text)
    assert [f"o{i}" for i in range(29, -1, -1)] == re.findall(r"<code>(o\d+)</code>", second.text)
    assert 1 + 65 == len(lines)
    assert len([one for one in asked if one]) <= 4
    assert mark not in re.sub(
        r"<form.*?</form>|href=\S+", "", owner.part("/acts", member=mark, until="2026-01-05").text, flags=re.DOTALL
    )
    assert mark in owner.part("/acts", member=mark, since="2026-01-05").words
    assert "不是日期" in owner.part("/acts", since="yesterday").words
    assert 422 == owner.get("/acts", what="nothing-of-this-kind").status


def test_an_audit_log_of_many_lines_is_read_by_its_indexes(console: ConsoleSite) -> None:
    """No page reads all of it, whatever is asked; its kinds are found by steps through an index."""
    with console.service.database.reading() as connection:
        connection.execute(
            "INSERT INTO act (at, member, role, what, outcome) SELECT i, 'm' || i % 50, 'finance', 'bulk', 'done'"
            " FROM generate_series(1, 200000) i"
        )
        connection.execute("ANALYZE act")
    owner = console.visitor()
    began = time.perf_counter()
    pages = [owner.part("/acts"), owner.part("/acts", member="m7"), owner.part("/acts", what="bulk"), owner.get("/acts")]
    seconds = time.perf_counter() - began

    assert [200] * 4 == [page.status for page in pages]
    assert seconds < 2


def test_whoever_is_no_auditor_sees_his_own_acts(console: ConsoleSite) -> None:
    """And is told so."""
    finance, auditor = console.visitor("finance"), console.visitor("auditor")
    page = finance.get("/acts")

    assert "您看到的是自己的操作" in page.words
    assert auditor.name not in page.text
    assert finance.name in auditor.get("/acts", member=finance.name).words


def test_every_act_has_a_name_in_both_languages() -> None:
    """A reader of the log knows no codes. What is written as one word in the sources is looked for there."""
    written = re.compile(
        r'(?:call\.note\(|_note\(connection, [^"=]*|_recognised\(.*, '
        r'|_change\(by, name, |self\._end\(.*, )"([a-z_.]+)"'
    )
    rooms = [package.joinpath("web", "console"), package.joinpath("service")]
    kinds = {kind for room in rooms for path in room.rglob("*.py") for kind in written.findall(path.read_text("utf-8"))}
    kinds |= {f"{kind}.started" for kind in (RUN, PROSPECTUS, COMPARE, CLAIMS)} | {act.kind for act in ACTS}

    assert {"member.add", "member.end", "member.vouch", "session.end", "totp.on", "key.issue", "closing"} <= kinds
    assert set() == kinds - set(KINDS)


# ---------------------------------------------------------------- words


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_page_of_ours_speaks_both_languages(console: ConsoleSite, language: str) -> None:
    """What is shown in English holds no Chinese but names and what stands beside for everybody."""
    owner = console.visitor()
    owner.post("/me/language", language=language)
    pages: list[Callable[[Visitor], Page]] = [
        lambda one: one.get("/me"), lambda one: one.get("/me/totp"), lambda one: one.get("/members"),
        lambda one: one.get("/members/new"), lambda one: one.get("/acts"), lambda one: one.get(f"/members/of/{one.name}"),
    ]  # fmt: skip
    for page in pages:
        main = page(owner).text.partition("<main")[2].partition("</main>")[0]
        plain = re.sub(r'<small class="beside".*?</small>|<button name="language".*?</button>| title="[^"]*"|李-\w+', "", main)

        assert (language == "zh") == bool(re.search(r"[\u4e00-\u9fff]", plain)), re.findall(r"[\u4e00-\u9fff]+", plain)
