"""Drafts: nobody's work is lost, nobody approves himself, and what is activated is byte for byte what was proposed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import service_worlds
from service_worlds import SEASON, changed, connected, done, opened

from rangli.errors import (
    DraftClosed,
    DraftMoved,
    DraftNotFound,
    FieldRefused,
    OwnProposal,
    PlanFaulty,
    PlanRefused,
    PlanUnfit,
    ProgrammeNotFound,
    RangliError,
    RequestConflict,
    ScopeRefused,
)
from rangli.plan import judge, load, preset_text, verdict
from rangli.service import Service
from rangli.service.people.drafts import UNASKED, DraftView, digest_of
from rangli.service.people.staff import ROLES, By, Member
from rangli.service.requests import ActivationRequest
from rangli.service.settling.approval import REAL
from rangli.service.settling.verify import verify
from rangli.store.database import Database

house = service_worlds.house
url = service_worlds.url

ROOT = By("root", "owner", "")
LAWFUL = preset_text("weituanbao-lawful")
OTHER = changed(LAWFUL, ("rate: 1% of amount", "rate: 0.5% of amount"))
THIRD = changed(LAWFUL, ("rate: 1% of amount", "rate: 0.7% of amount"))
SILENT = changed(LAWFUL, ("  order_max: 1000\n", ""))
"""The law leaves it to people."""
BOASTING = changed(LAWFUL, ("law:\n", "claims: [稳赚不赔]\nlaw:\n"))
"""The law refuses it."""
FAULTY = changed(LAWFUL, ("50% of concession", "150% of concession"))
UNFIT = preset_text("zengzhi-lawful")
"""Another kind of plan altogether."""


def member(name: str, role: str = "operations", programmes: frozenset[str] | None = None) -> Member:
    """Somebody who is signed in."""
    return Member(name, role, ROLES[role], programmes, "zh", False, b"", "")  # noqa: FBT003


ANN, BEN, CLEO = (member(name) for name in ("Ann", "Ben", "Cleo"))


@contextmanager
def shop(url: str, *people: str, **more: str) -> Iterator[Service]:
    """A service with a programme under LAWFUL, and these members who may write plans."""
    with opened(url) as service:
        for name in people:
            service.staff.add(ROOT, name, "operations")
        service.create("shop", LAWFUL, **more)  # type: ignore[arg-type]
        yield service


def proposed(service: Service, document: str = OTHER, by: Member = ANN, opinion: str = "") -> DraftView:
    """A draft that waits for approval."""
    draft = service.drafts.begin(by, "shop", document)
    return service.drafts.propose(by, "shop", draft.number, draft.revision, "half a percent", opinion)


def approved(service: Service, draft: DraftView, by: Member = BEN, opinion: str = "") -> DraftView:
    """It is approved."""
    return service.drafts.approve(by, "shop", draft.number, draft.digest, 1, "looked at it", opinion)


def together(*acts: Callable[[], object]) -> list[object]:
    """What each comes to, all begun at once; a refusal is what it comes to."""
    barrier = threading.Barrier(len(acts))

    def run(act: Callable[[], object]) -> object:
        barrier.wait(20)
        try:
            return act()
        except RangliError as refusal:
            return refusal

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


# ---------------------------------------------------------------- writing


def test_the_documents_are_what_they_are_meant_to_be() -> None:
    """Else the tests below would prove nothing."""
    assert ["ok", "ok", "sign-off", "refuse"] == [verdict(judge(load(text))) for text in (LAWFUL, OTHER, SILENT, BOASTING)]


def test_what_is_saved_is_there_and_each_saving_is_a_revision(url: str) -> None:
    """To the letter, whatever is wrong with it: a draft may be faulty as long as it is one."""
    with shop(url) as service:
        draft = service.drafts.begin(ANN, "shop", LAWFUL, " 降佣金 ")
        saved = service.drafts.save(BEN, "shop", draft.number, 1, FAULTY, "")
        again = service.drafts.save(BEN, "shop", draft.number, 2, FAULTY, " ")
        found = service.drafts.get("shop", draft.number)

        assert ("降佣金", "Ann", 1, "open", 1) == (draft.title, draft.author, draft.revision, draft.status, draft.based_on)
        assert (2, 2, FAULTY, "") == (saved.revision, again.revision, saved.document, saved.title)
        assert saved == found
        assert ["Ben"] == [said.name for said in found.said]
        assert [("", 2)] == [(one.document, one.revision) for one in service.drafts.list("shop")]


def test_of_two_who_save_one_is_told_and_nothing_is_lost(url: str) -> None:
    """The second still has his text in hand, and the first one's stays."""
    with shop(url) as service:
        draft = service.drafts.begin(ANN, "shop", LAWFUL)

        def save(by: Member, text: str) -> Callable[[], object]:
            return lambda: service.drafts.save(by, "shop", draft.number, draft.revision, text, "")

        answers = together(save(ANN, OTHER), save(BEN, THIRD), save(CLEO, SILENT))
        kept = [answer for answer in answers if isinstance(answer, DraftView)]
        told = [answer for answer in answers if isinstance(answer, DraftMoved)]

        assert (1, 2) == (len(kept), len(told))
        assert kept[0].document == service.drafts.get("shop", draft.number).document
        assert all(kept[0].said[-1].name in str(refusal) for refusal in told)


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"title": "长" * 101}, "title"), ({"document": "x" * 1_000_001}, "document"), ({"document": "a\0"}, "document")],
)
def test_what_cannot_be_kept_is_refused_by_its_field(url: str, fields: dict[str, str], field: str) -> None:
    """PostgreSQL has no text with a zero in it, and would say so in its own words."""
    with shop(url) as service:
        draft = service.drafts.begin(ANN, "shop", LAWFUL)
        with pytest.raises(FieldRefused, match=field):
            service.drafts.begin(ANN, "shop", **({"document": LAWFUL} | fields))
        with pytest.raises(FieldRefused, match=field):
            service.drafts.save(ANN, "shop", draft.number, 1, **({"document": LAWFUL, "title": ""} | fields))


@pytest.mark.parametrize("number", [0, 7, -1, 2**62, 2**70])
def test_a_draft_of_another_programme_is_not_there(url: str, number: int) -> None:
    """A number in an address is easily changed."""
    with shop(url) as service:
        service.create("other", "weituanbao")
        service.drafts.begin(ANN, "other", LAWFUL)
        for at in (1, number):
            with pytest.raises(DraftNotFound):
                service.drafts.get("shop", at)
            with pytest.raises(DraftNotFound):
                service.drafts.save(ANN, "shop", at, 1, OTHER, "")


@pytest.mark.parametrize(
    ("who", "refused"),
    [
        (member("Fay", "finance"), ScopeRefused),
        (member("Ida", "auditor"), ScopeRefused),
        (member("Eve", "owner", frozenset({"other"})), ProgrammeNotFound),
    ],
)
def test_who_may_not_write_plans_changes_nothing(url: str, who: Member, refused: type[RangliError]) -> None:
    """Whichever way he tries; a stranger does not even learn that the programme is there."""
    with shop(url, "Ann", "Ben") as service:
        waiting = proposed(service)
        number, digest = waiting.number, waiting.digest
        acts: list[Callable[[], object]] = [
            lambda: service.drafts.begin(who, "shop", OTHER),
            lambda: service.drafts.save(who, "shop", number, 1, THIRD, ""),
            lambda: service.drafts.give_up(who, "shop", number),
            lambda: service.drafts.propose(who, "shop", number, 1, "r"),
            lambda: service.drafts.send_back(who, "shop", number, digest, "r"),
            lambda: service.drafts.approve(who, "shop", number, digest, 1, "r"),
        ]
        for act in acts:
            with pytest.raises(refused):
                act()

        assert waiting == service.drafts.get("shop", number)
        assert 1 == len(service.running("shop").plans())


# ---------------------------------------------------------------- four eyes


def test_two_members_let_a_plan_take_over(url: str) -> None:
    """What is activated is what was proposed, to the letter, and both names are in the journal, which verifies."""
    with shop(url, "Ann", "Ben", channel=REAL) as service:
        waiting = proposed(service)
        ended = approved(service, waiting)
        plan = service.running("shop").plans()[-1]

        assert ("proposed", digest_of(OTHER)) == (waiting.status, waiting.digest)
        assert ("activated", 2, 2) == (ended.status, ended.plan_number, plan.number)
        assert OTHER == plan.document
        assert [("Ann", "half a percent", UNASKED), ("Ben", "looked at it", UNASKED)] == [
            (one["name"], one["reason"], one["opinion"]) for one in plan.signed
        ]
        assert ["proposed", "approved"] == [said.what for said in ended.said]
    with Database(url) as database:
        assert 2 == verify(database, "shop").position


def test_nobody_approves_what_he_proposed(url: str) -> None:
    """He is told by name who could; on a real channel even when there is nobody else."""
    with shop(url, "Ann", channel=REAL) as service:
        waiting = proposed(service)
        with pytest.raises(OwnProposal, match=r"Ann.*owner has to add"):
            approved(service, waiting, ANN)
        service.staff.add(ROOT, "Ben", "operations")
        with pytest.raises(OwnProposal, match=r"Ann.*\(Ben\)"):
            approved(service, waiting, ANN)
        with pytest.raises(OwnProposal):
            approved(service, waiting, member("ann"))

        assert waiting == service.drafts.get("shop", waiting.number)
        assert 1 == len(service.running("shop").plans())


def test_in_the_sandbox_one_is_enough_until_there_are_two(url: str) -> None:
    """Whoever tries the product alone can go on; as soon as another one may, it takes both."""
    with shop(url, "Ann") as service:
        service.create("other", "weituanbao")
        service.staff.add(ROOT, "Ida", "auditor")
        service.staff.add(ROOT, "Olga", "operations", ["other"])

        assert ("Ann",) == service.drafts.approvers("shop")
        assert "activated" == approved(service, proposed(service), ANN).status
        assert ["Ann"] == [one["name"] for one in service.running("shop").plans()[-1].signed]

        service.staff.add(ROOT, "Ben", "operations", ["shop"])
        waiting = proposed(service, THIRD)
        with pytest.raises(OwnProposal):
            service.drafts.approve(ANN, "shop", waiting.number, waiting.digest, 2, "")
        service.staff.end_member(ROOT, "Ben")

        assert "activated" == service.drafts.approve(ANN, "shop", waiting.number, waiting.digest, 2, "").status


def test_what_was_proposed_by_somebody_who_left_is_proposed_again(url: str) -> None:
    """The first pair of eyes must be a member's as well."""
    with shop(url, "Ann", "Ben", "Cleo", channel=REAL) as service:
        waiting = proposed(service)
        service.staff.end_member(ROOT, "Ann")
        with pytest.raises(DraftClosed, match="Ann"):
            approved(service, waiting)

        service.drafts.send_back(BEN, "shop", waiting.number, waiting.digest, "Ann has left")
        again = service.drafts.propose(CLEO, "shop", waiting.number, 1, "still right")

        assert "activated" == approved(service, again).status


def test_two_who_approve_at_once_activate_once(url: str) -> None:
    """One does it, the other is told who did."""
    with shop(url, "Ann", "Ben", "Cleo", channel=REAL) as service:
        waiting = proposed(service)
        answers = together(*(lambda by=by: approved(service, waiting, by) for by in (BEN, CLEO, BEN, CLEO)))
        ended = [answer for answer in answers if isinstance(answer, DraftView)]

        assert [1, 3] == [len(ended), len([answer for answer in answers if isinstance(answer, DraftClosed)])]
        assert [1, 2] == [plan.number for plan in service.running("shop").plans()]
        assert 2 == service.running("shop").position()
        assert all(ended[0].said[-1].name in str(answer) for answer in answers if isinstance(answer, DraftClosed))


def test_of_two_drafts_that_are_approved_at_once_the_second_is_looked_at_again(url: str) -> None:
    """It was compared with a version that is no longer the active one, and would take back what the first changed."""
    with shop(url, "Ann", "Ben", channel=REAL) as service:
        waiting = [proposed(service, text) for text in (OTHER, THIRD)]
        answers = together(*(lambda one=one: approved(service, one) for one in waiting))

        assert ["DraftMoved", "DraftView"] == sorted(type(answer).__name__ for answer in answers)
        assert [1, 2] == [plan.number for plan in service.running("shop").plans()]


def test_editing_what_is_proposed_takes_the_proposal_back(url: str) -> None:
    """Nobody can change what another one is about to approve."""
    with shop(url, "Ann", "Ben", channel=REAL) as service:
        waiting = proposed(service)
        same = service.drafts.save(BEN, "shop", waiting.number, 1, OTHER, "")
        edited = service.drafts.save(ANN, "shop", waiting.number, 1, THIRD, "")

        assert waiting == same
        assert ("open", "", "") == (edited.status, edited.digest, edited.proposed_by)
        with pytest.raises(DraftClosed):
            approved(service, waiting)
        with pytest.raises(DraftMoved):
            service.drafts.propose(BEN, "shop", waiting.number, 1, "what I looked at")
        again = service.drafts.propose(BEN, "shop", waiting.number, 2, "better")
        with pytest.raises(DraftMoved):
            approved(service, waiting, ANN)

        assert 2 == approved(service, again, ANN).plan_number
        assert THIRD == service.running("shop").plans()[-1].document


@pytest.mark.parametrize("attempt", range(4))
def test_proposing_and_editing_at_once_never_proposes_what_nobody_looked_at(url: str, attempt: int) -> None:
    """Either the proposal is of the old text and off again, or it is refused; approving the new text is not possible."""
    with shop(url, "Ann", "Ben", channel=REAL) as service:
        draft = service.drafts.begin(ANN, "shop", OTHER)
        acts: list[Callable[[], object]] = [
            lambda: service.drafts.propose(ANN, "shop", draft.number, 1, "r"),
            lambda: service.drafts.save(BEN, "shop", draft.number, 1, THIRD, ""),
        ]
        answers = together(*acts[:: 1 if attempt & 1 else -1])
        now = service.drafts.get("shop", draft.number)

        assert (THIRD, 2, "open") == (now.document, now.revision, now.status)
        assert {DraftView} | {type(answer) for answer in answers} <= {DraftView, DraftMoved}
        with pytest.raises(DraftClosed):
            service.drafts.approve(BEN, "shop", draft.number, digest_of(OTHER), 1, "r")


def test_approving_and_editing_at_once_activates_what_was_proposed_or_nothing(url: str) -> None:
    """Whoever is first; a text that nobody proposed never takes over."""
    with shop(url, "Ann", "Ben", channel=REAL) as service:
        waiting = proposed(service)
        together(
            lambda: approved(service, waiting),
            lambda: service.drafts.save(ANN, "shop", waiting.number, 1, THIRD, ""),
        )
        plans = service.running("shop").plans()
        now = service.drafts.get("shop", waiting.number)

        assert [OTHER] * (now.status == "activated") == [plan.document for plan in plans[1:]]
        assert now.document == (OTHER if now.status == "activated" else THIRD)


def test_a_document_that_was_changed_behind_our_back_is_not_activated(url: str) -> None:
    """The digest is compared with the text itself."""
    with shop(url, "Ann", "Ben", channel=REAL) as service, connected(url) as connection:
        waiting = proposed(service)
        connection.execute("UPDATE draft SET document = document || '# more'")
        with pytest.raises(DraftMoved):
            approved(service, waiting)

        assert 1 == len(service.running("shop").plans())


def test_an_activation_that_was_cut_off_is_found_again(url: str) -> None:
    """Activated, and the process died before the draft said so: whoever approves next does not activate it twice."""
    with shop(url, "Ann", "Ben", "Cleo", channel=REAL) as service, connected(url) as connection:
        waiting = proposed(service)
        approved(service, waiting)
        connection.execute("UPDATE draft SET status = 'proposed', activated_at = NULL, plan_number = NULL")
        with pytest.raises(DraftMoved):
            approved(service, waiting, CLEO)
        ended = service.drafts.approve(CLEO, "shop", waiting.number, waiting.digest, 2, "again")

        assert 2 == ended.plan_number
        assert [1, 2] == [plan.number for plan in service.running("shop").plans()]


def test_what_is_sent_back_says_why_and_can_be_proposed_again(url: str) -> None:
    """Words are asked for: a return without them helps nobody."""
    with shop(url, "Ann", "Ben", channel=REAL) as service:
        waiting = proposed(service)
        with pytest.raises(FieldRefused, match="reason"):
            service.drafts.send_back(BEN, "shop", waiting.number, waiting.digest, " ")
        back = service.drafts.send_back(BEN, "shop", waiting.number, waiting.digest, "too low")
        with pytest.raises(DraftClosed):
            approved(service, waiting)
        again = service.drafts.propose(ANN, "shop", waiting.number, 1, "not too low")

        assert ("returned", "too low") == (back.status, back.said[-1].reason)
        assert "activated" == approved(service, again).status


def test_what_is_given_up_or_activated_stays_as_it_is(url: str) -> None:
    """It can be read, and a new one begun from it."""
    with shop(url, "Ann", "Ben", channel=REAL) as service:
        gone = service.drafts.give_up(ANN, "shop", service.drafts.begin(ANN, "shop", THIRD).number)
        ended = approved(service, proposed(service))
        for draft in (gone, ended):
            acts: list[Callable[[], object]] = [
                lambda draft=draft: service.drafts.save(ANN, "shop", draft.number, 1, SILENT, ""),  # type: ignore[misc]
                lambda draft=draft: service.drafts.give_up(ANN, "shop", draft.number),  # type: ignore[misc]
                lambda draft=draft: service.drafts.propose(ANN, "shop", draft.number, 1, "r"),  # type: ignore[misc]
                lambda draft=draft: service.drafts.approve(BEN, "shop", draft.number, digest_of(OTHER), 2, "r"),  # type: ignore[misc]
            ]
            for act in acts:
                with pytest.raises(DraftClosed):
                    act()

        assert ("withdrawn", False, "activated", False) == (gone.status, gone.is_editable, ended.status, ended.is_editable)


# ---------------------------------------------------------------- what may be proposed


@pytest.mark.parametrize(
    ("document", "channel", "refused"),
    [
        (FAULTY, "sandbox", PlanFaulty),
        (LAWFUL, "sandbox", FieldRefused),
        (UNFIT, "sandbox", PlanUnfit),
        (SEASON, "sandbox", PlanUnfit),
        (BOASTING, REAL, PlanRefused),
        (changed(OTHER, ("hold: 7", "hold: 8")), REAL, FieldRefused),
    ],
)
def test_what_could_not_be_activated_is_not_proposed(
    url: str, document: str, channel: str, refused: type[RangliError]
) -> None:  # fmt: skip
    """The other member's time is not for finding that out; the law's findings are all in the refusal."""
    with shop(url, "Ann", "Ben", channel=channel) as service:
        with pytest.raises(refused) as found:
            proposed(service, document)

        assert ["open"] == [draft.status for draft in service.drafts.list("shop")]
        if isinstance(found.value, PlanRefused):
            assert {"G14"} == {problem.code for problem in found.value.problems}


def test_the_sandbox_takes_what_the_law_refuses(url: str) -> None:
    """No money moves there."""
    with shop(url, "Ann", "Ben") as service:
        assert "activated" == approved(service, proposed(service, BOASTING)).status


def test_what_the_law_leaves_to_people_names_its_legal_opinion(url: str) -> None:
    """Both of them; they are in the journal with it."""
    with shop(url, "Ann", "Ben", channel=REAL) as service:
        with pytest.raises(FieldRefused, match="opinion"):
            proposed(service, SILENT)
        waiting = proposed(service, SILENT, opinion="律所意见书 2026-17")
        with pytest.raises(FieldRefused, match="opinion"):
            approved(service, waiting)
        approved(service, waiting, opinion="the firm's 2026-18")

        assert ["律所意见书 2026-17", "the firm's 2026-18"] == [
            one["opinion"] for one in service.running("shop").plans()[-1].signed
        ]


def test_a_proposal_says_why(url: str) -> None:
    """So does an approval."""
    with shop(url, "Ann", "Ben", channel=REAL) as service:
        draft = service.drafts.begin(ANN, "shop", OTHER)
        with pytest.raises(FieldRefused, match="reason"):
            service.drafts.propose(ANN, "shop", draft.number, 1, " ")
        waiting = service.drafts.propose(ANN, "shop", draft.number, 1, "r")
        with pytest.raises(FieldRefused, match="reason"):
            service.drafts.approve(BEN, "shop", waiting.number, waiting.digest, 1, "")


def test_a_refused_activation_leaves_the_proposal_as_it_is(url: str) -> None:
    """An id that somebody else used is the one refusal that cannot be foreseen."""
    with shop(url, "Ann", "Ben", channel=REAL) as service:
        waiting = proposed(service)
        done(service.running("shop").do([ActivationRequest(f"draft-{waiting.number}-{waiting.digest[:16]}", THIRD)]))
        with pytest.raises(RequestConflict):
            service.drafts.approve(BEN, "shop", waiting.number, waiting.digest, 2, "r")

        assert waiting == service.drafts.get("shop", waiting.number)
