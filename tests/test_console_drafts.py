"""Four eyes on the console: a draft is proposed by one member, approved or sent back by another; who may not, cannot."""

from __future__ import annotations

import re
from html import unescape

import console_worlds
import pytest
from console_worlds import SCRIPT, ConsoleSite, Page
from plans_worlds import BOASTING, LAWFUL, OTHER, SILENT, acts, asked, begun, programme, proposed, saved, visitor_of
from service_worlds import changed

from rangli.service.people.drafts import digest_of
from rangli.service.settling.approval import REAL
from rangli.web.console.planparts import compared

console = console_worlds.console


# ---------------------------------------------------------------- four eyes


def test_a_plan_takes_over_when_another_member_approves_it(console: ConsoleSite) -> None:
    """Each step is in the audit log with the digest of the document, both names are in the journal."""
    name = programme(console, channel=REAL)
    ann, ben = visitor_of(console, "operations1"), visitor_of(console, "owner")
    where, digest = proposed(ann, name)
    own = ann.post(f"{where}/approve", digest=digest, active="1", reason="mine")
    page = ben.get(f"{where}/review")
    done = ben.post(f"{where}/approve", digest=digest, active="1", reason="looked at it")
    plan = console.service.running(name).plans()[-1]

    assert 409 == own.status
    assert f"{ann.name} 不能批准自己的提案" in own.words
    assert "这是您自己的提案" in ann.get(f"{where}/review").words or "已启用" in ann.get(f"{where}/review").words
    assert all(word in page.words for word in ("直推人的实付份额", "1%", "0.5%", "half a percent", ann.name, "批准并启用"))
    assert (303, f"/console/p/{name}/plan") == (done.status, done.headers["location"])
    assert (2, OTHER, [ann.name, ben.name]) == (plan.number, plan.document, [one["name"] for one in plan.signed])
    assert "第 2 版" in ben.get(f"/p/{name}/plan").words
    told = [(act.member, act.what, act.outcome) for act in acts(console, ben, name)]
    assert [
        (ann.name, "draft.begin", "done"), (ann.name, "draft.save", "done"), (ann.name, "draft.propose", "done"),
        (ann.name, "POST /p/{programme}/drafts/{number}/approve", "refused"), (ben.name, "draft.approve", "done"),
    ] == told  # fmt: skip
    assert [digest_of(LAWFUL), digest, digest, digest] == [
        act.facts["digest"] for act in acts(console, ben, name) if act.outcome == "done"
    ]


def test_versions_are_listed_with_who_signed_and_compared(console: ConsoleSite) -> None:
    """In words, and line by line."""
    name = programme(console, channel=REAL)
    ann, ben = visitor_of(console, "operations1"), visitor_of(console, "operations2")
    where, digest = proposed(ann, name)
    ben.post(f"{where}/approve", digest=digest, active="1", reason="r")
    page = ben.get(f"/p/{name}/versions")

    assert all(
        word in page.words for word in (ann.name, ben.name, "现行", "已被取代", "直推人的实付份额", "rate: 0.5% of amount")
    )
    assert "完全相同" in ben.get(f"/p/{name}/versions", **{"from": "1", "to": "1"}).words
    assert ben.get(f"/p/{name}/versions", **{"from": "7"}).status in {400, 422}
    assert all(word in ben.get(f"/p/{name}/versions/2").words for word in (OTHER.splitlines()[3], "half a percent", ann.name))
    assert ben.get(f"/p/{name}/versions/3").status in {400, 404, 422}


def test_a_change_of_a_share_is_told_in_words() -> None:
    """By whom it is for, whatever stands before it, with the percentages."""
    after = changed(
        LAWFUL, ("  - {to: packets", "  - {to: platform, rate: 1% of concession}\n  - {to: packets"), ("hold: 7", "hold: 9")
    )
    found = compared(changed(after, ("rate: 1% of concession", "rate: 15% of concession")), after)

    assert ["平台的让利份额:15% → 1%"] == [one.words("zh") for one in found.words]
    assert ["concession share of the platform: 15% → 1%"] == [one.words("en") for one in found.words]
    assert (1, 1) == (found.added, found.removed)
    words = [one.words("en") for one in compared(LAWFUL, after).words]
    assert ["days from payment to settlement: 7 → 9", "concession share of the platform: none → 1%"] == words
    assert () == compared(LAWFUL, LAWFUL + "# more\n").words


def test_what_is_sent_back_comes_with_words(console: ConsoleSite) -> None:
    """They are the first thing that its author sees."""
    name, ann, ben = programme(console, channel=REAL), visitor_of(console, "operations1"), visitor_of(console, "operations2")
    where, digest = proposed(ann, name)
    silent = ben.post(f"{where}/return", digest=digest, reason="")
    back = ben.post(f"{where}/return", digest=digest, reason=f"太低 {SCRIPT}")
    page = ann.get(where)

    assert (422, 303) == (silent.status, back.status)
    assert "太低" in page.words
    assert SCRIPT not in page.text
    assert "已退回" in page.words


def test_the_law_asks_for_an_opinion_or_forbids_in_place(console: ConsoleSite) -> None:
    """With every finding."""
    name, ann, ben = programme(console, channel=REAL), visitor_of(console, "operations1"), visitor_of(console, "operations2")
    boasting, silent = begun(ann, name), begun(ann, name)
    saved(ann, boasting, BOASTING)
    saved(ann, silent, SILENT)
    refused = ann.post(f"{boasting}/propose", revision="2", reason="r")
    missing = ann.post(f"{silent}/propose", revision="2", reason="r")
    waits = ann.post(f"{silent}/propose", revision="2", reason="r", opinion="意见书 7")
    alone = ben.post(f"{silent}/approve", digest=digest_of(SILENT), active="1", reason="r")
    done = ben.post(f"{silent}/approve", digest=digest_of(SILENT), active="1", reason="r", opinion="意见书 8")

    assert 422 == refused.status
    assert all(word in refused.words for word in ("不能在真实通道上运行", "稳赚", "G14"))
    assert (422, 303, 422, 303) == (missing.status, waits.status, alone.status, done.status)
    assert 'name="opinion"' in missing.text
    assert ["意见书 7", "意见书 8"] == [one["opinion"] for one in console.service.running(name).plans()[-1].signed]


def test_a_form_that_is_handed_in_twice_counts_once(console: ConsoleSite) -> None:
    """An approval above all."""
    name, ann, ben = programme(console, channel=REAL), visitor_of(console, "operations1"), visitor_of(console, "operations2")
    where, digest = proposed(ann, name)
    pages = [ben.post(f"{where}/approve", digest=digest, active="1", reason="r", once="the same form") for _ in range(2)]

    assert [303, 409] == [page.status for page in pages]
    assert 2 == len(console.service.running(name).plans())


def test_an_activated_draft_is_read_only_and_one_can_be_given_up(console: ConsoleSite) -> None:
    """Both can be read, and begun from."""
    name, ann, ben = programme(console, channel=REAL), visitor_of(console, "operations1"), visitor_of(console, "operations2")
    where, digest = proposed(ann, name)
    ben.post(f"{where}/approve", digest=digest, active="1", reason="r")
    gone = begun(ann, name)
    assert 303 == ann.post(f"{gone}/give-up").status
    for draft, state in ((where, "已启用"), (gone, "已作废")):
        page = ann.get(draft)
        assert state in page.words
        assert "<textarea" not in page.text
        assert "以此起草" in page.words
        assert 409 == saved(ann, draft, SILENT).status


# ---------------------------------------------------------------- who may


@pytest.mark.parametrize("role", ["finance", "auditor"])
def test_who_may_not_write_plans_reads_them(console: ConsoleSite, role: str) -> None:
    """Without a form or a button that would be refused; and a form of his own making is."""
    name, ann = programme(console), visitor_of(console, "operations1")
    where, digest = proposed(ann, name)
    visitor = visitor_of(console, role)
    pages = [
        visitor.get(path) for path in (f"/p/{name}/plan", f"/p/{name}/drafts", where, f"{where}/review", f"/p/{name}/versions/1")
    ]
    forms = {"propose": {"revision": "2"}, "give-up": {}, "look": {}, "approve": {"active": "1"}, "return": {}}
    tries = [visitor.post(f"{where}/{act}", document="x", digest=digest, reason="r", **more) for act, more in forms.items()]
    tries += [visitor.post(f"/p/{name}/drafts", **{"from": "active"}), saved(visitor, where, SILENT)]
    tries += [visitor.post("/programmes/new", name="n", plan="moudian", channel="sandbox"), visitor.get("/programmes/new")]

    assert {200} == {page.status for page in pages}
    assert not [page for page in pages if re.search(r'<form method="post" action="/console/p/', page.text)]
    assert {403} == {page.status for page in tries}
    assert "proposed" == console.service.drafts.get(name, int(where.rpartition("/")[2])).status


def test_another_programmes_name_in_the_address_leads_nowhere(console: ConsoleSite) -> None:
    """A stranger learns nothing, and a draft of one programme is none of another's."""
    mine, other, owner = programme(console), programme(console), visitor_of(console, "owner")
    where, digest = proposed(owner, other)
    number = where.rpartition("/")[2]
    stranger = console.visitor("operations", [mine])
    pages = [
        stranger.get(path)
        for path in (f"/p/{other}/plan", f"/p/{other}/drafts", where, f"{where}/review", f"/p/{other}/versions")
    ]
    pages += [stranger.get(f"/p/{mine}/drafts/{number}"), stranger.get(f"/p/{mine}/drafts/{number}/review")]
    pages += [
        stranger.post(f"/p/{mine}/drafts/{number}/approve", digest=digest, active="1", reason="r"),
        saved(stranger, where, OTHER),
    ]
    pages += [stranger.get(f"/p/{mine}/drafts/{odd}") for odd in ("x", "-1", "9" * 40, "１")]

    assert {404} == {page.status for page in pages}
    assert all("rate: 0.5%" not in page.text for page in pages)


def test_a_page_of_many_drafts_asks_no_more_than_one_of_few(console: ConsoleSite) -> None:
    """And the next page is there."""
    name, owner = programme(console), visitor_of(console, "owner")
    member = console.service.staff.member(owner.token)
    console.service.drafts.begin(member, name, LAWFUL)
    few = asked(console, owner, f"/p/{name}/drafts")
    for i in range(119):
        console.service.drafts.begin(member, name, LAWFUL, f"n{i}")
    many = asked(console, owner, f"/p/{name}/drafts")
    page = owner.get(f"/p/{name}/drafts")
    follows = re.search(r'rel="next" href="/console([^"]+)"', page.text)
    assert follows is not None

    assert few == many
    assert few <= 4
    assert 100 == page.text.count('class="chip plain"')
    assert 20 == Page(owner.http.get(f"/console{unescape(follows[1])}")).text.count('class="chip plain"')


def test_drafts_are_narrowed_and_turned_round(console: ConsoleSite) -> None:
    """By state, and from the oldest on; across pages none is missing and none twice."""
    name, owner = programme(console), visitor_of(console, "owner")
    member = console.service.staff.member(owner.token)
    numbers = [console.service.drafts.begin(member, name, LAWFUL).number for _ in range(3)]
    console.service.drafts.give_up(member, name, numbers[1])
    pages = [owner.get(f"/p/{name}/drafts", **query) for query in ({}, {"sort": "oldest"}, {"status": "withdrawn"})]

    expected = [numbers[::-1], numbers, [numbers[1]]]
    assert expected == [[int(number) for number in re.findall(r">#(\d+)</a>", page.text)] for page in pages]
    assert numbers == [one.number for one in console.service.drafts.list(name, after=0)]
    assert owner.get(f"/p/{name}/drafts", status="x").status in {400, 422}


@pytest.mark.parametrize("revision", ["²", "x", "", "9" * 30])
def test_a_revision_that_is_none_is_not_the_one_there_is(console: ConsoleSite, revision: str) -> None:
    """A form of somebody's own making breaks nothing."""
    name, owner = programme(console), visitor_of(console, "owner")
    page = owner.post(begun(owner, name), document=OTHER, revision=revision)

    assert 409 == page.status


@pytest.mark.parametrize("path", ["plan", "versions", "versions/1", "drafts"])
def test_the_pages_ask_little_of_the_database(console: ConsoleSite, path: str) -> None:
    """However many versions there are."""
    name, owner = programme(console), visitor_of(console, "owner")

    assert asked(console, owner, f"/p/{name}/{path}") <= 6


def test_every_page_is_there_in_english_too(console: ConsoleSite) -> None:
    """With the Chinese beside its heads."""
    name, owner = programme(console), visitor_of(console, "owner")
    where, _ = proposed(owner, name)
    owner.http.cookies.set("rangli_language", "en")
    paths = ("/programmes", "/programmes/new", f"/p/{name}/plan", f"/p/{name}/drafts", where, f"{where}/review")
    words = " ".join(owner.get(path).words for path in (*paths, f"/p/{name}/versions"))

    for said in (
        "New programme",
        "packet pot: 50% of the concession",
        "exactly the concession",
        "No problems.",
        "This draft is proposed",
    ):
        assert said in words
