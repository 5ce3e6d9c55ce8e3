"""The committed prospectuses as a reader sees them: opened from the disk in a real browser, on a phone and on a desk."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from rangli.lab import load_scenario
from rangli.lab.compare import compare
from rangli.lab.compare import page as compared
from rangli.plan import load

PAGES = Path(__file__).parents[1] / "docs" / "prospectus"
NAMES = ("weituanbao", "moudian", "zengzhi")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; `make test` installs it on Debian when it may")
WIDTHS = (390, 1280)
A4 = 688
"""Pixels between the margins of a sheet."""
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
AMOUNT = r"[0-9,]+\.[0-9]{2}"
FIRST = {
    "zh": rf"[<>]?[0-9.]+% 的消费者收回了花掉的全部现金;每花 100 元,收回现金 {AMOUNT} 元(,另发消费券 {AMOUNT} 元)?。",
    "en": rf"[<>]?[0-9.]+% of consumers got back in cash all that they spent; of each 100 yuan spent, {AMOUNT} came back in cash"
    rf"(, and {AMOUNT} in vouchers)?\.",
}
SECOND = {
    "zh": rf"每 100 元订单,商家付出 {AMOUNT} 元:消费者得现金 {AMOUNT} 元,.*{AMOUNT} 元留在池里。",
    "en": rf"Of each 100 yuan of orders, merchants pay {AMOUNT}: consumers get {AMOUNT} in cash, .*{AMOUNT} stay in the pot\.",
}
THIRD = {
    ("weituanbao", "zh"): r"没有必须停的月份:只发已经到账的钱,不欠账;无论增长多快,最后来的人都收不回本钱。",
    ("weituanbao", "en"): r"No month forces a stop: only money that has come in is handed out, .*; no growth, .* whole\.",
    ("moudian", "zh"): r"从第一个月起,承诺就没有足额的钱,到最后只有 [0-9.]+% 有着落;无论增长多快,最后来的人都收不回本钱。",
    ("moudian", "en"): r"From the first month on promises are not funded; at the end [0-9.]+% .* is; no growth, .* whole\.",
    ("zengzhi", "zh"): r"没有必须停的月份:积分的市值就是池中的钱;无论增长多快,最后来的人都收不回本钱。",
    ("zengzhi", "en"): r"No month forces a stop: what points are worth is what the pool holds; no growth, .* whole\.",
}  # fmt: skip
"""What each page answers; figures are any, since they follow the engine."""
TO_KEYBOARD = str.maketrans("\uff0c\uff1b\uff1a\uff08\uff09", ",;:()")

LOOK = """() => {
  const shown = (e) => e.getClientRects().length > 0 && getComputedStyle(e).visibility !== "hidden";
  const rgb = (text) => text.match(/[0-9.]+/g).map(Number);
  const light = (c) => {
    const [r, g, b] = c.map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const c = rgb(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const texts = [...document.querySelectorAll("body *")].filter(
    (e) => shown(e) && [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()));
  const pale = [], outside = [], overlapping = [];
  for (const e of texts) {
    const style = getComputedStyle(e), isDrawn = e instanceof SVGElement;
    const [a, b] = [light(rgb(isDrawn ? style.fill : style.color).slice(0, 3)), light(behind(isDrawn ? e.ownerSVGElement : e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) pale.push(`${ratio.toFixed(2)} ${e.textContent.trim().slice(0, 40)}`);
    const range = document.createRange();
    range.selectNodeContents(e);
    const box = range.getBoundingClientRect();
    if (box.left < -0.5 || box.right > innerWidth + 0.5) outside.push(e.textContent.trim().slice(0, 40));
  }
  for (const svg of [...document.querySelectorAll("svg")].filter(shown)) {
    const labels = [...svg.querySelectorAll("text")].filter(shown).map((e) => [e.getBoundingClientRect(), e.textContent]);
    labels.forEach(([p, one], i) => labels.slice(i + 1).forEach(([q, other]) => {
      const across = Math.min(p.right, q.right) - Math.max(p.left, q.left);
      const down = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
      if (across > 1 && down > 4) overlapping.push(`${one} / ${other}`);
    }));
  }
  return {pale, outside, overlapping, count: texts.length,
    wider: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    charts: [...document.querySelectorAll("svg")].filter(shown).length,
    drawn: [...document.querySelectorAll("svg")].filter(shown).every((e) => e.querySelectorAll("path, rect").length > 1),
    paper: light(behind(document.body))};
}"""
"""What a careful eye looks for: pale text, text outside the window or over other text, a page wider than the window."""

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    if CHROMIUM is None:
        pytest.skip("no Chromium; apt-get install chromium fonts-noto-cjk")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield launched
        launched.close()


@pytest.fixture
def opened(browser: Browser) -> Iterator[Open]:
    """Opens a page from the disk, offline; afterwards nothing may have been asked for or complained about."""
    asked: list[str] = []
    complaints: list[str] = []

    def open_page(path: Path, width: int, lang: str, theme: Literal["light", "dark"] = "light") -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme, offline=True)
        page = context.new_page()

        def on_request(request: Request) -> None:
            asked.append(request.url)

        def on_console(message: ConsoleMessage) -> None:
            complaints.append(message.text)

        page.on("request", on_request)
        page.on("console", on_console)
        page.goto(path.as_uri())
        page.locator(f"label[for={lang}]").click()
        return page

    yield open_page
    for context in browser.contexts:
        context.close()

    assert [] == [url for url in asked if not url.startswith("file://")]
    assert [] == complaints


def line_of(page: Page, key: str) -> str:
    """One of the first lines, as it is shown, with the marks of a keyboard."""
    return re.sub(r"\s+", " ", page.locator(f"#line-{key} .answer").inner_text()).strip().translate(TO_KEYBOARD)


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("name", NAMES)
def test_the_three_first_lines_are_said_in_the_language_that_was_chosen(name: str, lang: str, opened: Open) -> None:
    """Whoever reads no further has read what matters: who is made whole, who pays, when it must stop, and what the law says."""
    page = opened(PAGES / f"{name}.html", 390, lang)

    assert re.fullmatch(FIRST[lang], line_of(page, "whole"))
    assert re.fullmatch(SECOND[lang], line_of(page, "paid"))
    assert re.fullmatch(THIRD[name, lang], line_of(page, "until"))
    assert line_of(page, "law") in {"通过", "须签字", "拒绝", "OK", "sign-off", "refused"}


WRONG = """<html><body style="background:#fff; margin:0"><p style="color:#999">pale</p>
<p style="white-space:nowrap; width:10px">outside, for it is much too long for a window that is not wide at all, like this one</p>
<svg viewBox="0 0 100 20" width="100"><text x="0" y="15">one</text><text x="10" y="15">other</text></svg></body></html>"""


def test_the_look_finds_what_is_wrong(browser: Browser) -> None:
    """A look that has gone blind would let everything pass."""
    page = browser.new_page(viewport={"width": 390, "height": 900})
    page.set_content(WRONG)
    seen = page.evaluate(LOOK)
    page.close()

    assert ["2.85 pale"] == seen["pale"]
    assert [1, 1] == [len(seen["outside"]), len(seen["overlapping"])]
    assert seen["wider"] > 0
    assert not seen["drawn"]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", NAMES)
def test_a_page_reads_well_in_both_languages_and_themes(name: str, width: int, opened: Open, tmp_path: Path) -> None:
    """A label over another, a figure cut off at the edge, grey on grey: each hides a number that somebody should see."""
    page = opened(PAGES / f"{name}.html", width, "zh")
    for lang in ("zh", "en"):
        page.locator(f"label[for={lang}]").click()
        for theme in THEMES:
            page.emulate_media(color_scheme=theme)
            page.screenshot(path=tmp_path / f"{name}-{width}-{lang}-{theme}.jpg", type="jpeg", full_page=True)
            seen = page.evaluate(LOOK)

            assert ([], [], [], 0) == (seen["pale"], seen["outside"], seen["overlapping"], seen["wider"]), (lang, theme)
            assert seen["count"] > 150
            assert seen["drawn"]
            assert (seen["paper"] < 0.1) == (theme == "dark")


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three plans side by side, on the disk."""
    studies = compare([load(plan) for plan in ("zengzhi", "zengzhi-lawful", "weituanbao")], load_scenario("three-orders"))
    path = tmp_path_factory.mktemp("comparison") / "compare.html"
    path.write_text(compared(studies, date="2026-11-22", command="rangli compare"), encoding="utf-8")
    return path


@pytest.mark.parametrize("width", WIDTHS)
def test_a_comparison_reads_well_too(width: int, comparison: Path, opened: Open, tmp_path: Path) -> None:
    """It has the same design, and three plans need more room than two."""
    page = opened(comparison, width, "zh")
    for lang in ("zh", "en"):
        page.locator(f"label[for={lang}]").click()
        page.screenshot(path=tmp_path / f"compare-{width}-{lang}.jpg", type="jpeg", full_page=True)
        seen = page.evaluate(LOOK)

        assert ([], [], [], 0) == (seen["pale"], seen["outside"], seen["overlapping"], seen["wider"]), lang


@pytest.mark.parametrize("name", NAMES)
def test_a_page_prints_light_in_the_language_that_is_chosen(name: str, opened: Open, tmp_path: Path) -> None:
    """What is handed to a merchant is paper."""
    page = opened(PAGES / f"{name}.html", A4, "en", "dark")
    page.emulate_media(media="print", color_scheme="dark")
    seen = page.evaluate(LOOK)
    page.pdf(path=tmp_path / f"{name}.pdf", prefer_css_page_size=True)

    assert seen["paper"] > 0.9
    assert ([], [], []) == (seen["pale"], seen["outside"], seen["overlapping"])
    assert re.fullmatch(FIRST["en"], line_of(page, "whole"))
    assert not page.locator(".switch").is_visible()
    assert not page.locator("[lang=zh]:visible").count() - page.locator("html[lang=zh]").count()
