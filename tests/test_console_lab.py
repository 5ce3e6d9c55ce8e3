"""The lab in the console: a run is begun, watched, cancelled and read, and whoever doubts it comes to the same again."""

from __future__ import annotations

import html
import json
import re
import shlex
import time
from hashlib import sha256
from pathlib import Path

import cli_runs
import console_worlds
import jobs_work
import lab_work
import pytest
from console_worlds import SCRIPT, ConsoleSite, Page, Visitor

from rangli.lab import scenario_text
from rangli.plan import preset_text
from rangli.service.work import lab
from rangli.service.work.jobs import CANCELLED, DONE, RUNNING, JobView
from rangli.web.console.door import POLICY

console = console_worlds.console

STATEMENTS_MAX = 6
"""Of any page here: who asks, and which programmes there are."""
TINY = "three-orders"


@pytest.fixture(scope="module", autouse=True)
def _interpreted(console: ConsoleSite) -> None:
    """The worker of these tests compiles nothing: three orders take no time without."""
    console.service.jobs._environment["NUMBA_DISABLE_JIT"] = "1"


@pytest.fixture(scope="module")
def owner(console: ConsoleSite) -> Visitor:
    """Somebody who may do everything."""
    return console.visitor()


@pytest.fixture(scope="module")
def auditor(console: ConsoleSite) -> Visitor:
    """Somebody who only looks."""
    return console.visitor("auditor")


def number_of(page: Page) -> str:
    """The job that a form led to."""
    assert page.status == 303, page.words
    return page.headers["location"].rpartition("/")[2]


def begun(visitor: Visitor, plan: str = "preset:zengzhi", scenario: str = TINY, **fields: str) -> str:
    """A run."""
    return number_of(visitor.post("/lab/runs", plan=plan, scenario=scenario, **fields))


def ended(console: ConsoleSite, number: str) -> JobView:
    """A job that is over."""
    view = console.service.jobs.wait(number, 60)
    assert view.state == DONE, view
    return view


def commands_on(page: Page) -> list[list[str]]:
    """What a page says to type for the same."""
    section = page.text.partition('id="again"')[2].partition("</section>")[0]
    return [shlex.split(html.unescape(command)) for command in re.findall(r"<pre[^>]*>(.*?)</pre>", section)]


def files_on(visitor: Visitor, page: Page, folder: Path) -> None:
    """Save every file that a page offers, as a reader would."""
    for href in re.findall(r'href="/console(/lab/runs/[^"]*/files/[^"]*)"', page.text):
        folder.joinpath(href.rpartition("/")[2]).write_bytes(visitor.get(href).data)


# ---------------------------------------------------------------- a run


def test_a_run_is_begun_and_its_page_answers_the_three_questions(console: ConsoleSite, owner: Visitor, auditor: Visitor) -> None:
    """Who is made whole, who pays whom, when it must stop: in words and numbers with their units, and what nobody measured."""
    number = begun(owner, replications="2", seed="11")
    report = ended(console, number).result
    page = auditor.get(f"/lab/runs/{number}")

    assert 200 == page.status
    for line in report["lines"]:
        assert line["question"]["zh"] in page.words
        assert line["answer"]["zh"] in page.words
    for words in report["unmeasured"]:
        assert words["zh"] in page.words
    for truth in report["truths"]:
        assert truth["median"]["zh"] in page.words
    assert f"¥{report['flows'][0]['yuan']}" in page.words.replace(",", "")
    assert f"preset:{TINY}" not in page.text
    assert len(report["charts"]) + 1 == page.text.count("data-chart="), "every chart, and who pays and gets"
    assert page.text.count("data-chart=") == page.text.count("<figure"), "each with its table"


def test_the_page_is_in_the_readers_language(console: ConsoleSite, owner: Visitor) -> None:
    """An auditor who reads English must not have to guess."""
    number = begun(owner)
    report = ended(console, number).result
    reader = console.visitor("auditor")
    reader.http.cookies.set("rangli_language", "en")
    page = reader.get(f"/lab/runs/{number}")

    for line in report["lines"]:
        assert line["answer"]["en"] in page.words
        assert line["answer"]["zh"] not in page.words
    assert "What is not measured" in page.words


def test_the_commands_on_the_page_come_to_the_same_run(console: ConsoleSite, owner: Visitor, tmp_path: Path) -> None:
    """A result that cannot be had again is hearsay: files and commands of the page give the very same run."""
    number = begun(owner, **{"value:consumers.visits": "2", "seed": "23"})
    report = ended(console, number).result
    page = owner.get(f"/lab/runs/{number}")
    files_on(owner, page, tmp_path)
    simulate, prospectus = commands_on(page)
    ran = cli_runs.run(shlex.join(simulate[1:]), "--json", folder=tmp_path)
    written = cli_runs.run(shlex.join(prospectus[1:]), "--date", "2026-11-22", "--json", folder=tmp_path)

    assert (0, 0) == (ran.status, written.status), ran.err + written.err
    assert "rangli simulate zengzhi --scenario scenario.yaml --replication 0 --seed 23" == shlex.join(simulate)
    assert report["runs"][0] == {name: ran.facts[name] for name in ("run", "replication", "state_hash")}
    assert report["version"] == ran.facts["version"]
    assert [report["runs"][0]["run"]] == [one["run"] for one in written.facts["plans"][0]["runs"]]
    assert report == json.loads(owner.get(f"/lab/runs/{number}/files/result.json").data)


def test_a_changed_number_is_named_with_what_it_was(console: ConsoleSite, owner: Visitor, auditor: Visitor) -> None:
    """Who reads a result must see at once that the town was not the one of that name."""
    number = begun(owner, **{"value:consumers.visits": "3", "value:months": "3"})
    ended(console, number)
    page = auditor.get(f"/lab/runs/{number}")
    before = scenario_text(TINY)

    assert "consumers.visits" in page.words
    assert "3 原为 1" in page.words
    assert f"{TINY}*" in auditor.get("/lab").words
    assert "visits: 3" in owner.get(f"/lab/runs/{number}/files/scenario.yaml").text
    assert "visits: 3" not in before


def test_what_cannot_be_run_is_said_at_its_field_and_nothing_is_begun(console: ConsoleSite, owner: Visitor) -> None:
    """Whoever mistypes keeps what he typed and learns what would be right."""
    there = len(console.service.jobs.list())
    faults = {
        "value:consumers.visits": ("often", "应为"),
        "value:months": ("", "为空"),
        "replications": ("0", "应为 1 到 100 的整数"),
        "seed": ("-1", "应为 0 到"),
        "plan": ("preset:nothing", "请从列表中选一个方案"),
    }
    for name, (text, why) in faults.items():
        page = owner.post("/lab/runs", **({"plan": "preset:zengzhi", "scenario": TINY} | {name: text}))

        assert 422 == page.status, name
        assert why in page.words, name
        if name != "plan":
            assert f'value="{text}"' in page.text, name
    crowd = {"value:start.consumers": "90000000", "value:consumers.visits": "90"}
    assert "至多跑 50,000,000 笔订单" in owner.post("/lab/runs", plan="preset:zengzhi", scenario=TINY, **crowd).words
    assert 422 == owner.post("/lab/runs", plan="preset:zengzhi", scenario="nowhere").status
    assert there == len(console.service.jobs.list())


def test_script_in_a_plan_or_a_search_is_text(console: ConsoleSite, owner: Visitor) -> None:
    """A plan's title, a shop or a search may hold anything; none of it runs."""
    document = preset_text("zengzhi").replace("title: {zh: ", f"title: {{zh: '{SCRIPT}', en: '{SCRIPT}'}}\n#", 1)
    assert SCRIPT in document
    console.service.create("scripted", document, hold_seconds=0)
    number = begun(owner, plan="plan:scripted")
    ended(console, number)
    page = owner.get(f"/lab/runs/{number}")
    search = owner.get("/lab", q=SCRIPT)

    assert SCRIPT not in page.text + search.text
    assert SCRIPT in page.words
    assert POLICY == page.headers["content-security-policy"]


# ---------------------------------------------------------------- progress and cancel


def test_progress_is_polled_until_the_end_and_no_longer(console: ConsoleSite, owner: Visitor) -> None:
    """A page that goes on asking for what is over loads the server for nothing, and every night."""
    number = begun(owner, scenario="default", replications="50")
    deadline = time.monotonic() + 30
    while console.service.jobs.get(number).state != RUNNING:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    running = owner.part(f"/lab/runs/{number}/progress")
    busy = owner.part("/lab/busy")
    home = owner.get("/lab")
    cancelled = owner.post(f"/lab/runs/{number}/cancel")
    over = owner.part(f"/lab/runs/{number}/progress")
    idle = owner.part("/lab/busy")

    assert "every 1s" in running.text
    assert "every 2s" in busy.text
    assert "zengzhi × default" in busy.words
    assert 'id="busy" hx-get' in home.text
    assert 303 == cancelled.status
    assert CANCELLED == console.service.jobs.get(number).state
    assert ("true", "true") == (over.headers["hx-refresh"], idle.headers["hx-refresh"])
    assert "hx-trigger" not in over.text + idle.text
    assert "已取消" in owner.get(f"/lab/runs/{number}").words


def test_a_run_that_fails_says_why(console: ConsoleSite, owner: Visitor) -> None:
    """What was refused in the background is told like any other refusal."""
    jobs = console.service.jobs
    number = jobs.start("lab.run", jobs_work.refuse, {}, programme="", by="li", subject="refused", keep=True)
    jobs.wait(number, 30)
    page = owner.get(f"/lab/runs/{number}")

    assert 200 == page.status
    assert "seed:应为整数" in page.words
    assert "hx-trigger" not in page.text


def test_what_another_version_kept_in_another_shape_is_said(console: ConsoleSite, owner: Visitor) -> None:
    """After an upgrade an old result may not be readable; that is no crash and no empty page."""
    jobs = console.service.jobs
    number = jobs.start("lab.run", jobs_work.add, {"one": 1, "other": 2}, programme="", by="li", subject="old", keep=True)
    jobs.wait(number, 30)
    page = owner.get(f"/lab/runs/{number}")

    assert 422 == page.status
    assert "另一版本" in page.words


# ---------------------------------------------------------------- prospectus and comparison


def test_a_prospectus_is_one_file_that_asks_nobody(
    console: ConsoleSite, owner: Visitor, auditor: Visitor, tmp_path: Path
) -> None:
    """It is handed to people who have no account here; it must open anywhere, and anyone can make it again to the byte."""
    number = begun(owner, make="prospectus", replications="1")
    ended(console, number)
    page = auditor.get(f"/lab/runs/{number}")
    saved = auditor.get(f"/lab/runs/{number}/files/prospectus.html")
    (command,) = commands_on(page)
    ran = cli_runs.run(shlex.join(command[1:]), folder=tmp_path)

    assert saved.text.startswith("<!doctype html>") or saved.text.startswith("<!DOCTYPE html>")
    assert [] == re.findall(r'src="(?!data:)[^"]+"|<link[^>]+|@import[^;]+|url\((?!data:)[^)]+', saved.text)
    assert sha256(saved.data).hexdigest() in page.words
    assert "attachment" in saved.headers["content-disposition"]
    assert 0 == ran.status, ran.err
    assert saved.data == (tmp_path / "prospectus.html").read_bytes()


def test_plans_stand_side_by_side(console: ConsoleSite, owner: Visitor, tmp_path: Path) -> None:
    """The price of being lawful is seen only beside the plan that is not; the command makes the same page."""
    form = owner.get("/lab/compare")
    fields = {"plan1": "preset:zengzhi", "plan2": "preset:zengzhi-lawful", "plan3": "", "scenario": TINY}
    number = number_of(owner.post("/lab/compare", **fields))
    found = ended(console, number).result
    page = owner.get(f"/lab/runs/{number}")
    (command,) = commands_on(page)
    ran = cli_runs.run(shlex.join(command[1:]), folder=tmp_path)

    assert 4 == form.text.count('name="plan')
    assert found["change"]["zh"] in page.words
    assert all(report["lines"][0]["answer"]["zh"] in page.words for report in found["reports"])
    assert "差" in page.words
    assert 0 == ran.status, ran.err
    assert owner.get(f"/lab/runs/{number}/files/comparison.html").data == (tmp_path / "comparison.html").read_bytes()


def test_two_versions_of_one_plan_are_told_apart(console: ConsoleSite, owner: Visitor, tmp_path: Path) -> None:
    """A draft beside the active plan has the same name; columns say which is which, and the files are two."""
    console.service.create("sides", preset_text("zengzhi") + "\n# ours\n", hold_seconds=0)
    number = number_of(owner.post("/lab/compare", plan1="plan:sides", plan2="preset:zengzhi", scenario=TINY))
    ended(console, number)
    page = owner.get(f"/lab/runs/{number}")
    files_on(owner, page, tmp_path)
    (command,) = commands_on(page)

    assert "1. zengzhi" in page.words
    assert "2. zengzhi" in page.words
    assert ["plan-1.yaml", "zengzhi"] == command[2:4]
    assert (tmp_path / "plan-1.yaml").read_text(encoding="utf-8").endswith("# ours\n")


def test_a_comparison_needs_two_plans(owner: Visitor) -> None:
    """One plan beside nothing is a run."""
    page = owner.post("/lab/compare", plan1="preset:zengzhi", scenario=TINY)

    assert 422 == page.status
    assert "请选 2 到 4 个方案" in page.words


# ---------------------------------------------------------------- scenarios


def test_every_scenario_says_what_it_asks(owner: Visitor) -> None:
    """A name is no question; the list has the words, the length and the size of each, and can be searched."""
    page, found = owner.get("/lab/scenarios"), owner.get("/lab/scenarios", q="挤兑")

    assert "一座小城的两年" in page.words
    assert "run-on-the-points" in found.words
    assert "koubei" not in found.words
    for name in re.findall(r"/console/lab/scenarios/([\w-]+)", page.text):
        one = owner.get(f"/lab/scenarios/{name}")
        assert 200 == one.status, name
        assert html.escape(scenario_text(name), quote=False).splitlines()[0] in html.unescape(one.text), name
    assert 422 == owner.get("/lab/scenarios/nowhere").status


def test_a_scenario_begins_with_the_plan_that_it_was_written_for(owner: Visitor) -> None:
    """Whoever has not chosen gets what its author meant."""
    page = owner.get("/lab/scenarios/three-orders")

    assert '<option value="preset:zengzhi" selected>' in page.text


# ---------------------------------------------------------------- claims


def test_claims_show_what_was_computed_and_nothing_before(console: ConsoleSite, owner: Visitor, auditor: Visitor) -> None:
    """No verdict is written down anywhere; one that was never computed here is not shown."""
    before = owner.get("/lab/claims")
    facts = {"programme": "", "by": "li", "subject": "claims", "keep": True}
    console.service.jobs.wait(console.service.jobs.start("lab.claims", lab_work.few_claims, {}, **facts), 60)
    after = auditor.get("/lab/claims")
    held = auditor.get("/lab/claims", verdict="only-if")
    one = auditor.get("/lab/claims/packets-every-day")

    assert "还没有在这里检验过" in before.words
    assert "每天都能收到微信红包到账的消息通知" in before.words
    assert "只有这家店" not in before.words
    assert "1 条" in after.words
    assert "引擎已换了版本" in after.words
    assert 1 == held.words.count("每天都能收到微信红包到账的消息通知")
    assert "只有这家店同一档每天至多成交 1.67 笔" in one.words
    assert "reckon" in one.words
    assert 404 == auditor.get("/lab/claims/nothing").status
    assert "没有符合条件的记录" in auditor.get("/lab/claims", q="no such words").words


# ---------------------------------------------------------------- who may


def test_who_only_looks_begins_nothing(console: ConsoleSite, owner: Visitor, auditor: Visitor) -> None:
    """An auditor reads every result and finds no button that would be refused."""
    number = begun(owner)
    ended(console, number)

    assert 403 == auditor.post("/lab/runs", plan="preset:zengzhi", scenario=TINY).status
    assert 403 == auditor.post("/lab/compare", plan1="preset:zengzhi", plan2="preset:weituanbao", scenario=TINY).status
    assert 403 == auditor.post("/lab/claims").status
    assert 403 == auditor.post(f"/lab/runs/{number}/cancel").status
    for path in ("/lab", "/lab/compare", "/lab/claims", f"/lab/scenarios/{TINY}", f"/lab/runs/{number}"):
        page = auditor.get(path)
        assert 200 == page.status
        assert 'method="post" action="/console/lab' not in page.text, path


def test_another_programmes_runs_are_not_there(console: ConsoleSite, owner: Visitor) -> None:
    """A result tells a plan and a plan is its programme's business: a stranger finds neither, by whatever address."""
    for name in ("ours", "theirs"):
        console.service.create(name, preset_text("zengzhi") + f"\n# {name}\n", hold_seconds=0)
    number = begun(owner, plan="plan:theirs")
    both = number_of(owner.post("/lab/compare", plan1="plan:ours", plan2="plan:theirs", scenario=TINY))
    ended(console, number)
    stranger = console.visitor("operations", ["ours"])
    own = begun(stranger, plan="plan:ours:1")
    ended(console, own)

    for path in ("", "/progress", "/files/plan.yaml", "/files/result.json"):
        assert 404 == stranger.get(f"/lab/runs/{number}{path}").status, path
    assert 404 == stranger.get(f"/lab/runs/{both}").status
    assert 404 == stranger.post(f"/lab/runs/{number}/cancel").status
    assert 404 == stranger.post("/lab/runs", plan="plan:theirs", scenario=TINY).status
    assert 404 == stranger.post("/lab/runs", plan="draft:theirs:1", scenario=TINY).status
    assert 404 == stranger.get(f"/lab/runs/{own}/files/nothing.yaml").status
    seen = stranger.get("/lab").text + stranger.get("/lab", plan="plan:theirs").text + stranger.get("/lab/compare").text
    assert "theirs" not in seen.replace("/lab?plan=plan%3Atheirs", "").replace("plan=plan%3Atheirs", "")
    assert "ours 第 1 版" in seen


def test_a_draft_is_run_by_its_number(console: ConsoleSite, owner: Visitor) -> None:
    """A plan is tried before it is proposed; the pages of the draft lead there."""
    console.service.create("drafting", "zengzhi", hold_seconds=0)
    member = console.service.staff.member(owner.token)
    draft = console.service.drafts.begin(member, "drafting", preset_text("zengzhi") + "\n# a draft\n", "try")
    there = f"/lab?plan=draft:drafting:{draft.number}"
    leading = [owner.get(f"/p/drafting/drafts/{draft.number}{more}").text for more in ("", "/review")]
    page = owner.get(there)
    number = begun(owner, plan=f"draft:drafting:{draft.number}")
    view = ended(console, number)

    assert all(f'href="/console{there}"' in text for text in leading)
    assert f'<option value="draft:drafting:{draft.number}" selected>' in page.text
    assert view.arguments["plan"].endswith("# a draft\n")
    assert "drafting" == view.programme


def test_a_form_handed_in_twice_begins_one_run(console: ConsoleSite, owner: Visitor) -> None:
    """A double click costs nothing."""
    first = begun(owner, once="only-once-of-the-lab")
    there = len(console.service.jobs.list())
    again = owner.post("/lab/runs", plan="preset:zengzhi", scenario=TINY, once="only-once-of-the-lab")

    assert again.status >= 400
    assert there == len(console.service.jobs.list())
    ended(console, first)


def test_what_was_begun_and_cancelled_is_in_the_audit_log(console: ConsoleSite) -> None:
    """Who used the machine, for what, and who stopped it."""
    someone = console.visitor("operations")
    number = begun(someone)
    ended(console, number)
    someone.post(f"/lab/runs/{number}/cancel")
    acts = [act for act in someone.get("/acts").text.splitlines() if number in act]

    assert acts


def test_pages_ask_few_statements(console: ConsoleSite, owner: Visitor) -> None:
    """Runs are in memory and in files; the database is asked who looks and what there is, however many runs there are."""
    number = begun(owner)
    ended(console, number)
    for path in ("/lab", "/lab/scenarios", f"/lab/scenarios/{TINY}", "/lab/compare", "/lab/claims", f"/lab/runs/{number}"):
        made = console.statements(lambda path=path: owner.get(path))

        assert len(made) <= STATEMENTS_MAX, (path, made)


def test_the_table_of_runs_is_sorted_and_saved(console: ConsoleSite, owner: Visitor) -> None:
    """A list that grows is searched, turned round and taken along."""
    begun(owner, seed="101")
    ended(console, begun(owner, seed="102"))
    newest, oldest = owner.get("/lab", kind="lab.run"), owner.get("/lab", kind="lab.run", sort="oldest")
    saved = owner.get("/lab", **{"as": "csv", "kind": "lab.run"})

    def numbers(page: Page) -> list[str]:
        return re.findall(r"/console/lab/runs/([0-9a-f]{16})\"", page.text.partition('id="listing"')[2])

    assert numbers(newest) == numbers(oldest)[::-1]
    assert f"zengzhi × {TINY}" in saved.text
    assert 422 == owner.get("/lab", kind="nothing").status


def test_the_size_of_a_run_is_known_before_it_is_begun() -> None:
    """What would take hours is refused at once."""
    from rangli.errors import InputRefused
    from rangli.lab import load_scenario

    assert 6 == lab.check_size(load_scenario(TINY), 1)
    with pytest.raises(InputRefused, match="50,000,000"):
        lab.check_size(load_scenario("koubei"), 100)
