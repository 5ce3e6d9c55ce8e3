"""From the first run to a programme that lives: one operator's day, in a real browser on a real server and a real PostgreSQL."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
import web_worlds
from playwright.sync_api import Page, expect, sync_playwright
from test_prospectus_pages import CHROMIUM, needs_browser
from web_worlds import order

from rangli.service import Service
from rangli.store.server import EmbeddedServer

pytestmark = needs_browser

NAME, PASSWORD = "南门小吃街", "correct horse battery"
COLLEAGUE, OTHER_PASSWORD = "小陈", "another horse battery"
WAIT_MS = 90_000
"""Kernels may have to be compiled, and the machine is shared."""


class Town:
    """A new service, its address, and the browser's page."""

    def __init__(self, service: Service, url: str, page: Page) -> None:
        self.service = service
        self.url = url
        self.page = page

    def open(self, path: str) -> None:
        """A page of the console."""
        self.page.goto(f"{self.url}/console{path}", wait_until="load")

    def press(self, words: str) -> None:
        """The button with these words."""
        self.page.get_by_role("button", name=words, exact=True).first.click()


@pytest.fixture(scope="module")
def there(_servers: Callable[[str], EmbeddedServer]) -> Iterator[Town]:
    """Nothing but a database, a service on it, and somebody with a browser. The tests below go on where the one before ended."""
    with (
        web_worlds.made_database(_servers("embedded")) as database,
        Service.open(database) as service,
        web_worlds.served(service) as (_, url),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        page.set_default_timeout(WAIT_MS)
        expect.set_options(timeout=WAIT_MS)
        page.on("dialog", lambda dialog: dialog.accept())
        yield Town(service, url, page)
        browser.close()


def come_in(there: Town, name: str, once: str, password: str) -> None:
    """Somebody signs in with a one-time password, which is good for one thing: to be replaced."""
    there.open("/")
    there.page.get_by_label("姓名").fill(name)
    there.page.get_by_label("密码").fill(once)
    there.press("登录")
    there.open("/programmes")

    expect(there.page).to_have_url(re.compile("/console/me"))
    there.page.locator("input[name=new]").fill(password)
    there.page.locator("input[name=again]").fill(password)
    there.press("修改")
    there.open("/programmes")

    expect(there.page.locator("h1")).to_contain_text("项目")


def test_the_first_owner_signs_in_and_makes_the_password_his_own(there: Town) -> None:
    """What `rangli serve` prints once; it prints nothing the next time."""
    made = there.service.staff.ensure_owner()
    assert made is not None
    come_in(there, *made, PASSWORD)

    assert there.service.staff.ensure_owner() is None


def test_a_programme_is_created_and_runs(there: Town) -> None:
    """From a card with an honest sentence to a settler."""
    there.open("/programmes/new")
    there.page.locator("input[name=name]").fill(NAME)
    there.page.locator("input[name=plan][value=weituanbao]").check()
    there.press("建立")

    expect(there.page.get_by_role("status")).to_be_visible()
    assert there.service.running(NAME).settler.wait_ready(30)


def test_an_order_arrives_while_one_watches(there: Town) -> None:
    """The live page shows it without being asked again, with its shop's name as it was written."""
    there.open(f"/p/{NAME}")
    expect(there.page.locator("[data-state]")).to_have_text("实时")
    there.service.running(NAME).do([order("E-1", merchant="<b>老王</b>", amount="128.00")])
    there.service.running(NAME).do([order(f"E-{k}", merchant="<b>老王</b>", amount="88.00") for k in range(2, 30)])

    expect(there.page.locator("[data-rows]")).to_contain_text("<b>老王</b>")
    expect(there.page.locator("[data-rows]")).to_contain_text("E-29")


def test_a_refund_is_looked_at_before_it_is_made(there: Town) -> None:
    """Every reversal is shown; what is made is what was shown."""
    there.open(f"/p/{NAME}/orders/E-29")
    there.page.locator("input[name=amount]").fill("8.00")
    there.press("预览退款")
    expect(there.page.locator("h1")).to_contain_text("退款预览")
    shown = [row.inner_text() for row in there.page.locator("tbody tr").all()]
    before = there.service.running(NAME).state_hash()
    there.page.locator("button.danger").click()
    expect(there.page.get_by_text("退款记录")).to_be_visible()
    refund = there.service.running(NAME).order("E-29").refunds[0]

    assert len(shown) == len(refund.transfers) > 0
    assert before != there.service.running(NAME).state_hash()


def test_the_seal_is_green_after_verifying_and_not_before(there: Town) -> None:
    """It says what is true now."""
    there.open(f"/p/{NAME}")
    assert there.page.locator(".seal.good").count() == 0
    there.press("现在核验")

    expect(there.page.locator(".seal.good")).to_be_visible()
    expect(there.page.locator("#seal")).to_contain_text("账目相符")


def test_a_fault_in_a_plan_is_named_while_one_types_and_the_mended_plan_goes_live(there: Town) -> None:
    """Where it is, what is wrong, and what would be right; then two steps to live, since he is the only one."""
    there.open(f"/p/{NAME}/plan")
    there.press("修改此方案")
    text = there.page.locator("#document")
    document = text.input_value()
    found = re.search(r"max: *([0-9.]+%?)", document)
    assert found is not None
    text.fill(document.replace(found[0], "max: 250%", 1))
    expect(there.page.locator("#looked")).to_contain_text("行")
    expect(there.page.locator("#looked")).to_contain_text("250%")
    text.fill(document.replace(found[0], "max: 25%", 1))
    expect(there.page.locator("#looked")).not_to_contain_text("250%")
    there.page.locator("input[name=title]").fill("让利上限降到 25%")
    there.press("保存并审阅")
    there.page.locator("textarea[name=reason]").first.fill("商家要求")
    for opinion in there.page.locator("textarea[name=opinion]").all():
        opinion.fill("已阅")
    there.press("提案")
    there.press("批准并启用")
    there.open(f"/p/{NAME}/versions")

    assert [1, 2] == [plan.number for plan in there.service.running(NAME).plans()]
    expect(there.page.locator("main")).to_contain_text("2")


def test_a_prospectus_is_made_by_the_lab_and_opens_by_itself(there: Town, tmp_path: Path) -> None:
    """One file, nothing else."""
    there.open("/lab")
    there.page.locator("select[name=scenario]").select_option("hundred-thousand")
    there.page.locator("button[value=prospectus]").click()
    link = there.page.get_by_role("link", name="下载说明书")
    expect(link).to_be_visible(timeout=4 * WAIT_MS)
    with there.page.expect_download() as coming:
        link.click()
    file = tmp_path / "prospectus.html"
    coming.value.save_as(file)
    page = there.page.context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())

    expect(page.locator("h1").first).to_be_visible()
    assert asked == [file.as_uri()]
    page.close()


def test_a_statement_is_saved_as_a_sheet_and_its_numbers_are_numbers(there: Town) -> None:
    """What the accountant asks for."""
    there.open(f"/p/{NAME}/accounts/consumer:小李:wallet")
    with there.page.expect_download() as coming:
        there.page.get_by_role("link", name="Excel").click()
    sheet = openpyxl.load_workbook(io.BytesIO(Path(coming.value.path()).read_bytes())).active
    assert sheet is not None
    head, *rows = sheet.iter_rows(values_only=True)
    place = head.index("进出") if "进出" in head else head.index("金额")
    entries = there.service.running(NAME).statement("consumer:小李:wallet", limit=1000).entries

    assert len(entries) == len(rows)
    assert [Decimal(entry.amount) for entry in entries] == [Decimal(str(row[place])) for row in rows]


def test_two_people_change_a_plan_and_begin_a_real_programme(there: Town) -> None:
    """What one proposes the other approves; for real money the second shows at the first one's side who he is."""
    there.open("/members/new")
    there.page.locator("input[name=name]").fill(COLLEAGUE)
    there.page.locator("select[name=role]").select_option("operations")
    there.press("添加")
    once = there.page.locator("dl.facts code").inner_text()
    second = Town(there.service, there.url, there.page.context.browser.new_context().new_page())  # type: ignore[union-attr]
    second.page.on("dialog", lambda dialog: dialog.accept())
    come_in(second, COLLEAGUE, once, OTHER_PASSWORD)

    there.open(f"/p/{NAME}/plan")
    there.press("修改此方案")
    text = there.page.locator("#document")
    text.fill(re.sub(r"max: *25%", "max: 20%", text.input_value()))
    there.press("保存并审阅")
    there.page.locator("textarea[name=reason]").first.fill("再降一些")
    there.press("提案")
    expect(there.page.locator("main")).to_contain_text("须由另一位成员批准")
    assert 0 == there.page.get_by_role("button", name="批准并启用").count()
    second.open(there.page.url.removeprefix(f"{there.url}/console"))
    second.page.locator("textarea[name=reason]").first.fill("同意")
    second.press("批准并启用")
    expect(second.page.get_by_role("status").first).to_contain_text("第 3 版已启用")

    there.open("/programmes/new")
    there.page.locator("input[name=name]").fill("真实街")
    there.page.locator("input[name=plan][value=weituanbao-lawful]").check()
    there.page.locator("input[name=channel][value=real]").check()
    there.page.get_by_text("签字(仅真实通道)").click()
    there.page.locator("textarea[name=reason]").fill("开业")
    there.page.locator("input[name=other]").fill(COLLEAGUE)
    there.page.locator("input[name=other_password]").fill(OTHER_PASSWORD)
    there.page.locator("textarea[name=other_reason]").fill("已核对")
    there.press("建立")
    expect(there.page.get_by_role("status").first).to_contain_text("项目 真实街 已建立")

    assert "max: 20%" in there.service.running(NAME).plans()[-1].document
    signed = [{one["name"] for one in there.service.running(name).plans()[-1].signed} for name in (NAME, "真实街")]
    assert [{"owner", COLLEAGUE}] * 2 == signed
    second.page.context.close()
