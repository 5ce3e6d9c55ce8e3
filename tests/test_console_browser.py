"""The console as an operator has it before him: a real browser, a real server, a real PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import Final

import console_pages
import console_worlds
import pytest
from console_pages import Town
from console_worlds import ConsoleSite, Visitor
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from test_prospectus_pages import CHROMIUM, needs_browser

from rangli.service.people.acts import COMMAND_LINE
from rangli.service.work.seal import Record
from rangli.store.server import EmbeddedServer
from rangli.web.console.door import COOKIE

pytestmark = needs_browser

AXE = (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
SERIOUS = ("serious", "critical")
PHONE, DESK = (390, 844), (1280, 900)


@pytest.fixture(scope="module")
def console(_servers: Callable[[str], EmbeddedServer]) -> Iterator[ConsoleSite]:
    """A console with a town behind it."""
    with console_worlds.made_console(_servers("embedded")) as console:
        yield console


@pytest.fixture(scope="module")
def town(console: ConsoleSite) -> Town:
    """What there is to see."""
    member = console.service.staff.member(console.visitor().token)
    return console_pages.furnish(console.service, member, console_pages.build(console.service))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Screen:
    """A visitor's window, and what it complained of."""

    def __init__(self, browser: Browser, visitor: Visitor | None, url: str, size: tuple[int, int] = DESK) -> None:
        self.context: BrowserContext = browser.new_context(viewport={"width": size[0], "height": size[1]})
        if visitor is not None:
            self.context.add_cookies([{"name": COOKIE, "value": visitor.token, "url": url}])
        self.url = url
        self.faults: list[str] = []
        self.foreign: list[str] = []
        self.page: Page = self.context.new_page()
        self.page.on("console", lambda said: self.faults.append(said.text) if said.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda fault: self.faults.append(str(fault)))
        self.page.on("request", lambda asked: None if asked.url.startswith((url, "data:")) else self.foreign.append(asked.url))

    def open(self, path: str) -> Page:
        """A page of the console."""
        self.page.goto(f"{self.url}/console{path}", wait_until="load")
        return self.page

    def prefer(self, **kept: str) -> None:
        """Language and theme."""
        self.context.add_cookies([{"name": f"rangli_{name}", "value": value, "url": self.url} for name, value in kept.items()])

    def ills(self) -> list[str]:
        """What axe-core finds that is serious, and whatever makes the page wider than the window."""
        self.page.evaluate(AXE)
        found = self.page.evaluate("async () => (await axe.run(document, {resultTypes: ['violations']})).violations")
        ills = [
            f"{one['id']}: {one['nodes'][0]['html'][:160]} {one['nodes'][0].get('failureSummary', '')[:200]}"
            for one in found
            if one["impact"] in SERIOUS
        ]
        wider = self.page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return [*ills, *([f"{wider} px wider than the window"] if wider > 0 else [])]


@pytest.mark.parametrize(
    ("size", "language", "theme"),
    [(PHONE, "zh", "dark"), (DESK, "en", "light")],
    ids=["phone zh dark", "desk en light"],
)
def test_no_page_has_a_serious_fault(
    console: ConsoleSite, town: Town, browser: Browser, size: tuple[int, int], language: str, theme: str
) -> None:
    """For who reads with a screen reader, on a phone, in either language, by day and by night."""
    screen = Screen(browser, console.visitor(), console.url, size)
    screen.prefer(language=language, theme=theme)
    ills = {}
    for path in console_pages.pages(town).values():
        response = screen.page.goto(f"{console.url}/console{path}", wait_until="load")
        assert response is not None
        if not response.text().startswith("<!doctype html>"):
            continue  # a part of a page, which is looked at where it belongs
        found = [*screen.ills(), *screen.faults, *screen.foreign]
        if response.status != 200:
            found.append(f"status {response.status}")
        if found:
            ills[path] = found
        screen.faults.clear()
    screen.context.close()

    assert not ills, "\n".join(f"{path}: {ill}" for path, found in ills.items() for ill in found)


def test_the_sign_in_has_no_serious_fault(console: ConsoleSite, browser: Browser) -> None:
    """The first page that anyone sees."""
    for size in (PHONE, DESK):
        screen = Screen(browser, None, console.url, size)
        screen.open("/sign-in")

        assert screen.ills() == []
        assert screen.faults == []
        screen.context.close()


def test_a_script_in_a_shops_name_never_runs(console: ConsoleSite, town: Town, browser: Browser) -> None:
    """Names come from merchants."""
    screen = Screen(browser, console.visitor(), console.url)
    ran: list[str] = []
    screen.page.on("dialog", lambda dialog: (ran.append(dialog.message), dialog.dismiss()))  # type: ignore[func-returns-value]
    for path in console_pages.pages(town).values():
        screen.open(path)
        assert not re.search(r"<script>alert", screen.page.content())
    screen.context.close()

    assert ran == []


def test_a_job_of_one_kind_is_found_under_no_other_address(console: ConsoleSite, town: Town) -> None:
    """Its number is in an address, and anyone can change an address."""
    visitor = console.visitor()
    job = console.service.jobs.start("verify", len, {}, programme=town.programme, by=visitor.name)

    assert visitor.get(f"/lab/runs/{job}").status == 404
    assert visitor.get(f"/lab/runs/{job}/progress").status == 404
    assert visitor.get(f"/p/{town.programme}/plan/truths/{town.parts['job']}").status == 404


def test_the_table_of_verifications_has_the_outcome_when_one_ends(console: ConsoleSite, town: Town, browser: Browser) -> None:
    """Above it the books are in order, and "running" below them would stand until somebody reloads. Then it asks no more."""
    running = console.service.running(town.programme)
    record = Record.begin(console.service.database, console.service.clock, town.programme, running.number, COMMAND_LINE.role)
    screen = Screen(browser, console.visitor(), console.url)
    asked: list[str] = []
    screen.page.on("request", lambda request: asked.append(request.url))
    page = screen.open(f"/p/{town.programme}/verify?sort=")
    first = page.locator("#listing tbody tr").first
    before = first.inner_text()
    record.end(outcome="clean", position=running.position(), head=running.view().head, seconds="0.1")
    expect(first).to_contain_text("相符")
    expect(page.locator("#seal")).to_contain_text("现在核验")
    asked.clear()
    page.wait_for_timeout(2_500)
    address = page.url
    screen.context.close()

    assert "进行中" in before
    assert "命令行" in before
    assert ([], []) == (asked, screen.faults)
    assert address.endswith("/verify?sort=")


TREASURY: Final = (
    (console_pages.POOL, "injection", {"amount": "300"}, {"amount": "3,00"}),
    (console_pages.POOL, "sale", {"consumer": console_pages.PEOPLE[5], "points": "0.5"}, {"consumer": "无名", "points": "1"}),
    (console_pages.STREET, "closing", {"on": "2026-03-01"}, {"on": "2020-01-01"}),
)
"""Programme, form, what is written in it, and what is refused in place."""


@pytest.mark.parametrize(("programme", "form", "right", "wrong"), TREASURY, ids=[form for _, form, _, _ in TREASURY])
def test_the_treasury_is_run_by_who_has_not_read_our_documents(
    console: ConsoleSite, town: Town, browser: Browser, programme: str, form: str, right: dict[str, str], wrong: dict[str, str]
) -> None:  # fmt: skip
    """One form, one look, one click, and the decision; on a phone, none of the pages has a serious fault."""
    assert programme != town.programme
    running = console.service.running(programme)
    screen = Screen(browser, console.visitor("finance"), console.url, PHONE)
    page = screen.open(f"/p/{programme}/treasury")
    ills: list[str] = []

    def hand_in(fields: dict[str, str]) -> None:
        for name, text in fields.items():
            page.fill(f"#f-{form}-{name}", text)
        page.click(f"form[action$='{form}/preview'] button")
        ills.extend(screen.ills())

    hand_in(wrong)
    field = list(wrong)[0 if form == "sale" else -1]
    assert page.get_attribute(f"#f-{form}-{field}", "aria-invalid") == "true"
    screen.faults.clear()  # the browser notes that the answer was 422
    before = running.position()
    hand_in(right)
    assert before == running.position()
    page.click(f"form[action$='treasury/{form}'] button")
    address, words = page.url, page.inner_text("main")
    ills += screen.ills()
    screen.context.close()

    assert ([], []) == (ills, screen.faults)
    assert address.endswith(f"/journal/{running.position()}")
    assert running.position() > before
    assert f"流水第 {running.position()} 号" in words
