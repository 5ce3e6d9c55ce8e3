"""Members: what a role may, who sees what, an owner who stays, and an audit log that only grows."""

from __future__ import annotations

from threading import Barrier, Thread

import psycopg
import pytest
import staff_worlds
from service_worlds import connected
from staff_worlds import GOOD, HERE, OWNER, acts, added, signed_in, with_codes

from rangli.errors import (
    FieldRefused,
    LastOwner,
    MemberNotFound,
    ProgrammeNotFound,
    RangliError,
    ScopeRefused,
    SignInRefused,
)
from rangli.service.clock import MICRO_PER_SECOND, SetClock
from rangli.service.people.access import CACHED_SECONDS, SCOPES
from rangli.service.people.acts import ActFilter
from rangli.service.people.staff import ROLES, Staff
from rangli.service.people.waits import FREE
from rangli.store.database import Database

house = staff_worlds.house
url = staff_worlds.url
light = staff_worlds.light
database = staff_worlds.database
clock = staff_worlds.clock
staff = staff_worlds.staff


# ---------------------------------------------------------------- roles


@pytest.mark.parametrize("role", ROLES)
def test_a_member_may_what_his_role_may(staff: Staff, role: str) -> None:
    """And nothing else, in the words of API keys."""
    member = added(staff, "ann", role)
    for scope in ROLES[role]:
        member.require(scope)
    for scope in set(SCOPES) - ROLES[role]:
        with pytest.raises(ScopeRefused) as refusal:
            member.require(scope)
        assert scope == refusal.value.missing

    assert ROLES["auditor"] <= ROLES[role] <= ROLES["owner"]


def test_a_programme_that_a_member_may_not_see_is_as_if_there_were_none(staff: Staff) -> None:
    """Word for word, also for a scope that he lacks."""
    member = added(staff, "ann", "auditor", ["moudian"])
    member.require("read", "moudian")
    said = []
    for programme in ("weituanbao", "nothing"):
        with pytest.raises(ProgrammeNotFound) as refusal:
            member.require("money", programme)
        said.append(refusal.value.en.replace(programme, "…"))

    assert 1 == len(set(said))


def test_a_role_or_programmes_count_at_once_here_and_within_two_seconds_elsewhere(
    database: Database, staff: Staff, clock: SetClock
) -> None:
    """Somebody who is moved keeps his session and loses what he may not do any more."""
    added(staff, "ann", "finance")
    token = signed_in(staff, "ann")
    elsewhere = Staff(database, clock)
    elsewhere.member(token)
    staff.set_role(OWNER, "ann", "auditor")
    staff.set_programmes(OWNER, "ann", ["moudian"])
    clock.advance(CACHED_SECONDS - 1)

    assert ("auditor", {"moudian"}) == (staff.member(token).role, staff.member(token).programmes)
    assert "finance" == elsewhere.member(token).role
    clock.advance(1)
    assert "auditor" == elsewhere.member(token).role
    staff.set_programmes(OWNER, "ann", None)
    assert None is staff.member(token).programmes


def test_the_last_owner_stays_one(staff: Staff) -> None:
    """Else nobody could let anybody in."""
    for act in (lambda: staff.end_member(OWNER, "owner"), lambda: staff.set_role(OWNER, "owner", "auditor")):
        with pytest.raises(LastOwner):
            act()
    added(staff, "ann", "owner")
    staff.set_role(OWNER, "owner", "auditor")
    with pytest.raises(LastOwner):
        staff.end_member(OWNER, "ann")

    assert {"owner": "auditor", "ann": "owner"} == {view.name: view.role for view in staff.members()}


def test_two_owners_who_end_each_other_leave_one(database: Database, staff: Staff, clock: SetClock) -> None:
    """In two processes at the same time."""
    added(staff, "ann", "owner")
    both = Barrier(2)
    refused: list[RangliError] = []

    def end(name: str) -> None:
        elsewhere = Staff(database, clock)
        both.wait()
        try:
            elsewhere.end_member(OWNER, name)
        except LastOwner as refusal:
            refused.append(refusal)

    threads = [Thread(target=end, args=[name]) for name in ("owner", "ann")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (1, 1) == (len(refused), sum(not view.ended_at for view in staff.members()))


@pytest.mark.parametrize("name", ["", " ", "a b", "a/b", "<b>", "x" * 41, "a\0", ".a", "a-"])
def test_a_name_that_reads_badly_is_refused(staff: Staff, name: str) -> None:
    """It stands in every line of the audit log."""
    with pytest.raises(FieldRefused, match="name"):
        staff.add(OWNER, name, "auditor")


@pytest.mark.parametrize("name", ["ann", "李小明", "ann.lee@example.com", "a", "值班-1"])
def test_names_as_people_have_them_are_taken(staff: Staff, name: str) -> None:
    """Chinese, Latin, an address of mail."""
    assert name == staff.member(signed_in(staff, name, staff.add(OWNER, name, "auditor"))).name


def test_a_name_is_somebodys_for_ever(staff: Staff) -> None:
    """The audit log must not speak of two people by one name."""
    added(staff, "ann")
    staff.end_member(OWNER, "ann")
    with pytest.raises(FieldRefused):
        staff.add(OWNER, "ann", "auditor")
    for act in (lambda: staff.reset(OWNER, "ann"), lambda: staff.end_member(OWNER, "ann"), lambda: staff.end_all("nobody")):
        with pytest.raises(MemberNotFound):
            act()


def test_roles_programmes_and_languages_that_are_none_are_refused(staff: Staff) -> None:
    """What comes from a form may be anything."""
    with pytest.raises(FieldRefused):
        staff.add(OWNER, "ann", "king")
    with pytest.raises(FieldRefused):
        staff.add(OWNER, "ann", "auditor", [])
    with pytest.raises(FieldRefused, match="every programme"):
        staff.add(OWNER, "ann", "owner", ["moudian"])
    with pytest.raises(FieldRefused, match="every programme"):
        staff.set_programmes(OWNER, "owner", ["moudian"])
    with pytest.raises(ProgrammeNotFound):
        staff.add(OWNER, "ann", "auditor", ["moudian", "nothing"])
    with pytest.raises(FieldRefused):
        staff.set_language("owner", "fr")

    assert ["owner"] == [view.name for view in staff.members()]


def test_a_reset_takes_the_authenticator_away_and_lets_in_who_guessed_too_often(staff: Staff, clock: SetClock) -> None:
    """It is for somebody who lost both."""
    with_codes(staff, clock)
    for _ in range(FREE["name"] + 1):
        with pytest.raises(SignInRefused):
            signed_in(staff, "owner", "wrong")
    password = staff.reset(OWNER, "owner")

    assert staff.member(signed_in(staff, password=password)).must_change


def test_members_are_listed_with_all_that_an_owner_needs(staff: Staff, clock: SetClock) -> None:
    """And without their secrets."""
    clock.advance(1)
    staff.add(OWNER, "ann", "finance", ["weituanbao", "moudian"])
    owner, ann = staff.members()

    assert ("owner", None, False, False, "") == (owner.role, owner.programmes, owner.has_totp, owner.must_change, owner.seen_at)
    assert ("finance", ["moudian", "weituanbao"], True, "") == (ann.role, ann.programmes, ann.must_change, ann.seen_at)
    signed_in(staff)
    assert "2026-01-01T00:00:01.000000Z" == staff.members()[0].seen_at


# ---------------------------------------------------------------- the audit log


def test_every_act_of_and_about_members_stands_in_the_audit_log(staff: Staff, clock: SetClock) -> None:
    """In its order, by whom, from where; no secret is in it."""
    password = staff.add(OWNER, "ann", "finance", ["moudian"])
    with pytest.raises(SignInRefused):
        signed_in(staff, "ann", "wrong")
    with pytest.raises(SignInRefused):
        signed_in(staff, "my-password-in-the-wrong-field", "x")
    token = signed_in(staff, "ann", password)
    staff.change_password("ann", "", GOOD, keep=staff.member(token).session, address=HERE)
    with_codes(staff, clock, "ann")
    staff.end_totp("ann", GOOD)
    staff.sign_out(staff.member(token), HERE)
    staff.set_role(OWNER, "ann", "auditor")
    staff.end_all("ann")
    reset = staff.reset(OWNER, "ann")
    staff.end_member(OWNER, "ann")
    lines = acts(staff)[2:-1]  # what the fixture did, and this reading's own sign-in

    assert [
        ("owner", "member.add", "ann", "done"),
        ("ann", "session.begin", "", "refused"),
        ("", "session.begin", "", "refused"),
        ("ann", "session.begin", "", "done"),
        ("ann", "password.change", "ann", "done"),
        ("ann", "totp.on", "ann", "done"),
        ("ann", "totp.off", "ann", "done"),
        ("ann", "session.end", lines[7].object, "done"),
        ("owner", "member.role", "ann", "done"),
        ("ann", "session.end_all", "ann", "done"),
        ("owner", "member.reset", "ann", "done"),
        ("owner", "member.end", "ann", "done"),
    ] == [(line.member, line.what, line.object, line.outcome) for line in lines]
    assert {"role": "finance", "programmes": ["moudian"]} == lines[0].facts
    assert all(secret not in str(lines) for secret in (password, reset, GOOD, token, "wrong-field"))


def test_the_audit_log_is_only_added_to(url: str, staff: Staff) -> None:
    """By no statement of this connection, whoever sends it."""
    before = acts(staff)
    with connected(url) as connection:
        for statement in ("UPDATE act SET member = 'x'", "DELETE FROM act", "TRUNCATE act", "UPDATE act SET at = 0 WHERE false"):
            with pytest.raises(psycopg.errors.RestrictViolation, match="only added to"):
                connection.execute(statement.encode())

    assert before == acts(staff)[: len(before)]


def test_whatever_was_tried_can_be_written_down(staff: Staff) -> None:
    """Also what PostgreSQL has no text for; and asking for it finds nothing."""
    staff.note("owner", "owner", "a\0b", "\ud800", "p\0", facts={"k\0": ["v\0", 1, None, {"x": "\0"}]})
    (act,) = acts(staff, what="a\ufffdb")

    assert ("?", "p\ufffd", {"k\ufffd": ["v\ufffd", 1, None, {"x": "\ufffd"}]}) == (act.object, act.programme, act.facts)
    assert [] == acts(staff, what="a\0b")


def test_a_refused_change_writes_no_line_that_it_was_done(staff: Staff) -> None:
    """The change and its line are one transaction."""
    with pytest.raises(LastOwner):
        staff.end_member(OWNER, "owner")

    assert [] == acts(staff, what="member.end")


def test_the_audit_log_is_read_newest_first_by_filters_and_pages(staff: Staff, clock: SetClock) -> None:
    """By member, act, object, programme, outcome and time; a page goes on where the last one ended."""
    owner = staff.member(signed_in(staff))
    since = clock()
    for i in range(5):
        clock.advance(1)
        staff.note("bob", "finance", "refund", f"o{i}", "moudian", "failed" if i % 2 else "done", {"amount": "1.00"}, HERE)
    found = staff.acts(owner, ActFilter(member="bob", what="refund", programme="moudian"), 0, 3)

    assert ["o4", "o3", "o2"] == [act.object for act in found]
    assert ["o1", "o0"] == [act.object for act in staff.acts(owner, ActFilter(member="bob"), found[-1].number, 3)]
    assert ["o3", "o1"] == [act.object for act in staff.acts(owner, ActFilter(outcome="failed"), 0, 9)]
    second = MICRO_PER_SECOND
    between = ActFilter(object="", since=since + 2 * second, until=since + 4 * second)
    assert ["o2", "o1"] == [act.object for act in staff.acts(owner, between, 0, 9)]
    assert ["o4"] == [act.object for act in staff.acts(owner, ActFilter(object="o4"), 0, 9)]


def test_who_sees_what_of_the_audit_log(staff: Staff) -> None:
    """Owners and auditors all of the programmes that they may see; others what they did themselves."""
    finance = added(staff, "ann", "finance")
    auditor = added(staff, "ben", "auditor", ["moudian"])
    for programme in ("moudian", "weituanbao", ""):
        staff.note("owner", "owner", "look", programme=programme)

    assert ["", "moudian"] == [act.programme for act in staff.acts(auditor, ActFilter(what="look"), 0, 9)]
    assert [] == staff.acts(finance, ActFilter(what="look"), 0, 9)
    assert [] == staff.acts(finance, ActFilter(member="owner"), 0, 9)
    assert {"ann"} == {act.member for act in staff.acts(finance, ActFilter(), 0, 9)}
