"""The console's pages about plans: a programme is made, its plan is read and changed, and what is wrong with it is named."""

from __future__ import annotations

import os
import re
from html import unescape

import console_worlds
import pytest
from console_worlds import PASSWORD, SCRIPT, ConsoleSite
from plans_worlds import LAWFUL, OTHER, acts, asked, begun, document_in, drafting, looked, programme, saved, visitor_of
from service_worlds import changed
from web_worlds import until

from rangli.errors import InputRefused
from rangli.money import parse_micro
from rangli.plan import load, preset_text, presets
from rangli.plan.vocabulary import HOLDERS
from rangli.service.work.truths import truths
from rangli.web.console.planparts import WIDTH, example, judged, numbered
from rangli.web.console.programmes import cards

console = console_worlds.console

SIGNED = {
    "channel": "real", "reason": "试点", "opinion": "意见书 1", "other_reason": "r", "other_opinion": "opinion 2",
    "other_password": PASSWORD,
}  # fmt: skip
"""Two signatures, but for the second name."""
SLOW_LANE = os.environ.get("NUMBA_DISABLE_JIT") == "1"


# ---------------------------------------------------------------- programmes


def test_a_member_sees_his_programmes_and_no_others(console: ConsoleSite) -> None:
    """With plan, channel, orders and state; in a constant number of questions to the database."""
    mine, other = programme(console), programme(console)
    page = console.visitor("auditor", [mine]).get("/programmes")
    owner = visitor_of(console, "owner")
    few = asked(console, owner, "/programmes")
    for _ in range(3):
        programme(console)

    assert all(word in page.words for word in (mine, "weituanbao-lawful", "沙箱", "结算中"))
    assert other not in page.words
    assert other in owner.get("/programmes").words
    assert other not in owner.get("/programmes", name=mine).words
    assert mine in owner.get("/programmes", **{"as": "csv"}).text
    assert few == asked(console, owner, "/programmes")
    assert few <= 4


def test_a_programme_is_made_with_one_of_the_plans_that_ship(console: ConsoleSite) -> None:
    """Each is told in one sentence, with what the law says of it."""
    owner = visitor_of(console, "owner")
    form = owner.get("/programmes/new")
    page = owner.post("/programmes/new", name="新 店".replace(" ", ""), plan="zengzhi-lawful", channel="sandbox", hold_days="3")
    view = console.service.running("新店").view()

    assert all(card.about.zh in form.words and card.state.zh in form.words for card in cards())
    assert (303, "/console/p/%E6%96%B0%E5%BA%97/plan") == (page.status, page.headers["location"])
    assert ("zengzhi-lawful", 3 * 86_400, "sandbox") == (view.plan, view.hold_seconds, view.channel)
    assert "新店" in owner.get("/p/新店/plan").words
    assert ["programme.create"] == [act.what for act in acts(console, owner, "")[-1:]]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "a b"}, "不能作项目名"),
        ({"name": SCRIPT}, "不能作项目名"),
        ({"name": "shop"}, "换一个名字"),
        ({"plan": "nothing"}, "请选一个方案"),
        ({"channel": "wechat"}, "没有通道"),
        ({"hold_days": "-1"}, "应为 0 到 400 的整数"),
        ({"hold_days": "６"}, "应为 0 到 400 的整数"),
        ({"channel": "real", "hold_days": "6"}, "不得短于方案的 7 天"),
        ({"channel": "real", "plan": "zengzhi"}, "不能在真实通道上运行"),
        ({"channel": "real"}, "应为 1 到 4000 个字"),
        ({"channel": "real", "reason": "r", "other": "Ben"}, "应为 1 到 4000 个字"),
        (
            {"channel": "real", "reason": "r", "other": "nobody", "other_reason": "r", "other_password": PASSWORD},
            "密码或验证码不对",
        ),
        ({"channel": "real", "plan": "weituanbao", "reason": "r"}, "应为 1 到 4000 个字"),
    ],
)
def test_what_is_wrong_with_a_new_programme_is_said_in_place(console: ConsoleSite, fields: dict[str, str], said: str) -> None:
    """With everything that was entered still there, and nothing made."""
    owner = visitor_of(console, "owner")
    before = [view.name for view in console.service.programmes()]
    page = owner.post("/programmes/new", **({"name": "fresh-one", "plan": "weituanbao-lawful", "channel": "sandbox"} | fields))

    assert page.status in {400, 409, 422}, page.words
    assert said in page.words
    assert 'name="plan"' in page.text
    assert SCRIPT not in page.text
    assert fields.get("hold_days", "") in page.text
    assert before == [view.name for view in console.service.programmes()]


def test_a_plan_that_the_law_leaves_to_people_starts_with_two_names(console: ConsoleSite) -> None:
    """The member's own is the first; the second shows at his side who he is, and signs nowhere else by it."""
    owner, other = visitor_of(console, "owner"), visitor_of(console, "operations")
    name = "signed"
    before = len(console.service.staff.sessions(other.name))
    page = owner.post("/programmes/new", **(SIGNED | {"name": name, "plan": "weituanbao", "other": other.name}))

    assert 303 == page.status, page.words
    assert [owner.name, other.name] == [one["name"] for one in console.service.running(name).plans()[0].signed]
    assert before == len(console.service.staff.sessions(other.name))
    assert ["member.vouch"] == [act.what for act in acts(console, other, "")[-1:]]


@pytest.mark.parametrize(
    ("role", "programmes", "changed", "field", "said"),
    [
        ("operations", None, {"other_password": "not his password"}, "other_password", "密码或验证码不对"),
        ("finance", None, {}, "other", "不能为新项目的方案签字"),
        ("operations", ["shop"], {}, "other", "不能为新项目的方案签字"),
        ("operations", None, {"other_opinion": ""}, "other_opinion", "应为 1 到 4000 个字"),
        ("operations", None, {"plan": "zengzhi"}, "", "不能在真实通道上运行"),
    ],
)
def test_who_may_not_sign_is_told_at_his_field(
    console: ConsoleSite, role: str, programmes: list[str] | None, changed: dict[str, str], field: str, said: str
) -> None:
    """And no password comes back with the page."""
    owner, other = visitor_of(console, "owner"), console.visitor(role, programmes)
    page = owner.post("/programmes/new", **(SIGNED | {"name": "unsigned", "plan": "weituanbao", "other": other.name} | changed))

    assert page.status in {400, 409, 422}, page.words
    assert said in page.words
    assert not field or re.search(rf'name="{field}"[^>]*aria-invalid="true"', page.text)
    assert PASSWORD not in page.text
    assert "unsigned" not in [view.name for view in console.service.programmes()]


def test_nobody_signs_twice(console: ConsoleSite) -> None:
    """Whatever he knows of himself."""
    owner = visitor_of(console, "owner")
    page = owner.post("/programmes/new", **(SIGNED | {"name": "alone", "plan": "weituanbao-lawful", "other": owner.name}))

    assert "须是另一位成员" in page.words
    assert "alone" not in [view.name for view in console.service.programmes()]


# ---------------------------------------------------------------- the plan's page


@pytest.mark.parametrize("name", presets())
@pytest.mark.parametrize(
    "asked", [{}, {"amount": "0.01"}, {"amount": "99999999.99"}, {"asked": "1"}, {"asked": "1", "with.referrer": "on"}]
)
def test_the_waterfall_of_every_plan_comes_to_the_concession(name: str, asked: dict[str, str]) -> None:
    """To the micro, whoever is there; and its bars go from one end to the other without a gap."""
    shown = example(load(name), asked)
    there = {party.code for party in shown.parties if party.there}

    assert parse_micro(shown.whole) == sum(parse_micro(bar.yuan) for bar in shown.bars)
    assert parse_micro(shown.whole) + parse_micro(shown.kept) == parse_micro(shown.amount)
    assert there == ({party.code for party in shown.parties} if "asked" not in asked else there & {"referrer"})
    assert {party.code for party in shown.parties} <= set(HOLDERS) - {"consumer", "merchant"}
    ends = [0, *(bar.start for bar in reversed(shown.bars)), WIDTH]
    assert ends == sorted(ends)
    assert all(bar.start + bar.width == above.start for above, bar in zip(shown.bars, shown.bars[1:], strict=False))
    assert (WIDTH, 0) == (shown.bars[0].start + shown.bars[0].width, shown.bars[-1].start)


@pytest.mark.parametrize(
    "asked",
    [{"amount": "x"}, {"amount": "-5"}, {"amount": "0"}, {"concession": "99"}, {"concession": "1.234"}],
)
def test_an_order_that_cannot_be_is_said_in_place(console: ConsoleSite, asked: dict[str, str]) -> None:
    """While somebody types there, what stands there is no amount most of the time."""
    refused = example(load("weituanbao"), asked).refused
    page = visitor_of(console, "auditor").part("/p/shop/plan/example", **asked)

    assert isinstance(refused, InputRefused)
    assert 200 == page.status
    assert refused.zh in page.words


def test_the_plan_is_shown_in_words_figures_guards_and_lines(console: ConsoleSite) -> None:
    """An operator who never read a document of ours understands what his programme does."""
    name = programme(console, preset_text("zengzhi"))
    visitor = console.visitor("auditor", [name])
    page = visitor.get(f"/p/{name}/plan")
    part = visitor.part(f"/p/{name}/plan/example", amount="1000", concession="20", asked="1", **{"with.recruiter": "on"})

    assert all(
        word in page.words for word in ("消费增值积分", "盈利池:实付的 16%", "¥16.00", "80.0%", "强制退出", "G6", "不得启用")
    )
    assert all(word in page.words for word in ("禁止传销条例", "2005", "这是工程依据,不是法律意见"))
    assert "<!doctype" not in part.text
    assert all(word in part.words for word in ("¥160.00", "¥5.00", "直推人:实付的 0.3%;不在,归平台", "¥200.00", "¥800.00"))
    assert f"{len(numbered(preset_text('zengzhi')))} shares" not in page.words
    assert 'id="L31"' in page.text
    assert "修改此方案" not in page.words


def test_the_guards_that_trip_come_first() -> None:
    """Those that pass are told in one line."""
    found = judged(load("zengzhi"))
    verdicts = [state.code for _, state, _ in found.findings]

    assert verdicts == sorted(verdicts, key=["refuse", "sign-off", "ok"].index)
    assert ("refuse", verdicts.count("ok")) == (found.state.code, found.passed)
    assert "refuse" not in [state.code for _, state, _ in judged(load("zengzhi-lawful")).findings]


@pytest.mark.skipif(SLOW_LANE, reason="a run of the lab takes minutes without the compiler")
def test_the_lab_runs_the_plan_and_its_truths_are_shown_as_they_are(console: ConsoleSite) -> None:
    """With progress, until it is done; once it is done nothing is asked any more, and the next reader finds it there."""
    name = programme(console)
    visitor = console.visitor("auditor", [name])
    asked = visitor.get(f"/p/{name}/plan")
    begins = visitor.post(f"/p/{name}/plan/truths", part=True)
    address = re.search(r'hx-get="/console([^"]+)" hx-trigger="every 1s"', begins.text)
    assert address is not None, begins.text
    until(lambda: "every 1s" not in visitor.part(address[1]).text, 120)
    shown, there = visitor.part(address[1]), visitor.get(f"/p/{name}/plan")
    found = truths(lambda *_: None, LAWFUL)

    assert "让实验室跑一遍" in asked.words
    for line in found["lines"]:
        assert all(line[part]["zh"] in shown.words for part in ("question", "answer", "detail"))
        assert line["answer"]["zh"] in there.words
    assert all(row["value"]["zh"] in shown.words for row in found["rows"])
    assert "不是预测" in shown.words
    assert 404 == console.visitor("auditor", ["shop"]).part(address[1].replace(name, "shop")).status


# ---------------------------------------------------------------- the editor


def test_a_draft_begins_with_the_active_plan_another_version_another_draft_or_a_preset(console: ConsoleSite) -> None:
    """To the letter."""
    name, owner = drafting(console), visitor_of(console, "owner")
    first = begun(owner, name, title="一")
    saved(owner, first, OTHER, title="一")
    sources = {
        "active": LAWFUL,
        "version:1": LAWFUL,
        "preset:moudian": preset_text("moudian"),
        f"draft:{first.rpartition('/')[2]}": OTHER,
    }
    for source, document in sources.items():
        assert document == document_in(owner.get(begun(owner, name, source)))

    for source in ("version:2", "preset:nothing", "draft:999999", "draft:x", "x"):
        assert owner.post(f"/p/{name}/drafts", **{"from": source}).status in {404, 422}
    assert all(word in owner.get(f"/p/{name}/drafts").words for word in ("一", "编辑中", owner.name))


def test_a_change_in_the_form_changes_the_document_there_alone(console: ConsoleSite) -> None:
    """And what follows from it is shown at once."""
    name, owner = drafting(console), visitor_of(console, "owner")
    where = begun(owner, name)
    page = looked(owner, where, LAWFUL.replace("\n", "\r\n"), act="put", name="shares[0].rate", value="40")

    assert changed(LAWFUL, ("50% of concession", "40% of concession")) == document_in(page)
    assert "红包池:让利的 40% ¥8.00" in page.words
    assert "没有问题" in page.words
    assert 'id="plan-form"' not in page.text, "whoever is typing there goes on undisturbed"


def test_a_change_in_the_document_refills_the_form(console: ConsoleSite) -> None:
    """But not the document, where somebody is typing."""
    name, owner = drafting(console), visitor_of(console, "owner")
    where = begun(owner, name)
    page = looked(owner, where, changed(LAWFUL, ("50% of concession", "37% of concession")))

    assert re.search(r'id="c-shares\[0\]\.rate"[^>]* value="37"', page.text)
    assert '<textarea id="document"' not in page.text
    assert 'hx-swap-oob="true"' in page.text


def test_parts_are_added_and_taken_out(console: ConsoleSite) -> None:
    """Form and document follow together."""
    name, owner = drafting(console), visitor_of(console, "owner")
    where = begun(owner, name)
    more = looked(owner, where, LAWFUL, act="add", place="shares[]", where="shares")
    named = looked(
        owner, where, LAWFUL, act="add", place="packets.merchant_tiers.<name>", where="packets.merchant_tiers", value=SCRIPT
    )  # fmt: skip
    back = looked(owner, where, document_in(more), act="remove", where="shares[5]")
    refused = looked(owner, where, LAWFUL, act="remove", where="concession")

    assert "  - {to: consumer, rate: 0% of concession}\n" in document_in(more)
    assert 'id="c-shares[5].rate"' in more.text
    assert SCRIPT in document_in(named)
    assert SCRIPT not in named.text
    assert LAWFUL == document_in(back)
    assert "没有可去掉的" in refused.words


FAULTS = [
    (("50% of concession", "500% of concession"), "shares[0].rate", 19, "超过 100%"),
    (("to: referrer", "to: refferer"), "shares[1].to", 20, "是否指"),
    (("per_order: 20", "per_order: 0"), "packets.per_order", 27, "1 到 100 的整数"),
    (("hold: 7", "hold: 7\nholld: 8"), "holld", 14, "没有 'holld' 这个字段"),
    (("{min: 6%, max: 20%}", "{min: 6%, max: 5%}"), "concession", 10, "最低让利"),
]


@pytest.mark.parametrize(("change", "where", "line", "words"), FAULTS)
def test_a_fault_is_named_with_its_place_and_what_would_be_right(
    console: ConsoleSite, change: tuple[str, str], where: str, line: int, words: str
) -> None:  # fmt: skip
    """At its line and, by its path, at its field, in the reader's language."""
    name, owner = drafting(console), visitor_of(console, "owner")
    page = looked(owner, begun(owner, name), changed(LAWFUL, change))
    items = re.findall(r'<li data-where="([^"]*)" data-line="(\d+)" data-words="([^"]*)">', page.text)

    assert (where, str(line)) in [item[:2] for item in items], items
    assert any(words in unescape(item[2]) for item in items)
    assert f"第 {line} 行" in page.words
    assert "改好问题之后" in page.words
    assert "¥" not in page.words.partition("改好问题之后")[2]


def test_a_text_that_is_no_document_is_still_there_to_be_mended(console: ConsoleSite) -> None:
    """The form comes back with it."""
    name, owner = drafting(console), visitor_of(console, "owner")
    where = begun(owner, name)
    page = looked(owner, where, "plan: [")
    refused = looked(owner, where, "plan: [", act="put", name="hold", value="7")

    assert "不是合法的 YAML" in page.words
    assert "文档能读成 YAML 之后" in page.words
    assert "问题" in refused.words
    assert 303 == saved(owner, where, "plan: [").status
    assert "plan: [" == document_in(owner.get(where))


def test_a_plan_that_the_programme_cannot_go_over_to_is_told_while_it_is_written(console: ConsoleSite) -> None:
    """What its queues and points mean hangs on the present one."""
    name, owner = drafting(console), visitor_of(console, "owner")

    assert "请为它新建一个项目" in looked(owner, begun(owner, name), preset_text("moudian-lawful")).words


def test_the_example_order_can_be_another_one_while_writing(console: ConsoleSite) -> None:
    """It is kept from change to change."""
    name, owner = drafting(console), visitor_of(console, "owner")
    page = looked(owner, begun(owner, name), LAWFUL, act="example", amount="250", concession="10", asked="1")

    assert all(word in page.words for word in ("¥25.00", "¥12.50", "不在,归平台"))
    assert 'id="example"' not in page.text


@pytest.mark.skipif(SLOW_LANE, reason="a run of the lab takes minutes without the compiler")
def test_the_lab_drops_what_is_no_longer_written(console: ConsoleSite) -> None:
    """A newer change takes the place of the one before it."""
    name, owner = drafting(console), visitor_of(console, "owner")
    where = begun(owner, name)
    first = owner.post(f"{where}/truths", part=True, document=LAWFUL)
    second = owner.post(f"{where}/truths", part=True, document=OTHER)
    again = owner.post(f"{where}/truths", part=True, document=OTHER + "# a comment\n")
    faulty = owner.post(f"{where}/truths", part=True, document="x")
    addresses = [re.findall(r'hx-get="/console([^"]+)"', page.text) for page in (first, second, again)]

    assert "已被更新的修改取代" in owner.part(addresses[0][0]).words
    assert addresses[1] == addresses[2], "a comment is no other plan"
    assert 200 == faulty.status
    until(lambda: "every 1s" not in owner.part(addresses[1][0]).text, 120)
    assert "收得回本钱吗?" in looked(owner, where, OTHER).words


def test_of_two_who_save_the_second_is_told_what_differs_and_loses_nothing(console: ConsoleSite) -> None:
    """His text is still there, and saving again makes it the next revision."""
    name, ann, ben = drafting(console), visitor_of(console, "operations1"), visitor_of(console, "operations2")
    where = begun(ann, name)
    theirs, mine = OTHER, changed(LAWFUL, ("hold: 7", "hold: 9"))
    assert 303 == saved(ann, where, theirs, title="佣金").status
    told = saved(ben, where, mine, title=SCRIPT)

    assert 409 == told.status
    assert ann.name in told.words
    assert mine == document_in(told)
    assert all(word in told.words for word in ("hold: 7", "hold: 9", "直推人的实付份额", "0.5%"))
    assert 'name="revision" value="2"' in told.text
    assert SCRIPT not in told.text
    assert theirs == document_in(ann.get(where))
    assert 303 == saved(ben, where, mine, revision=2).status
    assert mine == document_in(ann.get(where))


def test_what_is_kept_is_the_document_to_the_letter(console: ConsoleSite) -> None:
    """Blank lines at its ends too; a browser's line ends are not part of it."""
    name, owner = drafting(console), visitor_of(console, "owner")
    where = begun(owner, name)
    odd = "\n\n" + LAWFUL + "# </textarea>\n\n"
    saved(owner, where, odd.replace("\n", "\r\n"))

    assert odd == console.service.drafts.get(name, int(where.rpartition("/")[2])).document
    assert odd == document_in(owner.get(where))
