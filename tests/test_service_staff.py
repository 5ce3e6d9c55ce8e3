"""Members: passwords kept as argon2id, codes good for once, sessions that end everywhere, an audit log that only grows."""

from __future__ import annotations

import time
from contextlib import suppress
from threading import Barrier, Thread

import pyotp
import pytest
import staff_worlds
from argon2 import PasswordHasher
from staff_worlds import GOOD, HERE, NOON, OWNER, acts, added, code_now, signed_in, with_codes, with_owner

from rangli.errors import (
    ChangeWanted,
    CodeWanted,
    FieldRefused,
    FormReplayed,
    SessionEnded,
    SignInRefused,
    SignInTooOften,
)
from rangli.service.clock import MICRO_PER_SECOND, SetClock
from rangli.service.people import codes, waits
from rangli.service.people.access import CACHED_SECONDS
from rangli.service.people.staff import IDLE_SECONDS, KEPT_SECONDS, SESSION_SECONDS, TICKET_SECONDS, Staff
from rangli.service.people.waits import DOORS_MAX, FORGOTTEN_SECONDS, FREE, WAIT_SECONDS_MAX, Waits, doors_of
from rangli.store.database import Database

house = staff_worlds.house
url = staff_worlds.url
light = staff_worlds.light
database = staff_worlds.database
clock = staff_worlds.clock
staff = staff_worlds.staff


# ---------------------------------------------------------------- the first owner


@pytest.mark.usefixtures("light")
def test_the_first_owner_is_made_once_and_comes_in_with_the_password_shown(database: Database, clock: SetClock) -> None:
    """It is printed once and cannot be found anywhere afterwards."""
    staff = Staff(database, clock)
    name, password = staff.ensure_owner() or ("", "")

    assert "owner" == staff.member(signed_in(staff, name, password)).name
    assert None is staff.ensure_owner()
    with database.reading() as connection:
        kept = connection.execute("SELECT member::text FROM member").fetchall()
    assert password not in str(kept)


@pytest.mark.usefixtures("light")
def test_of_two_processes_that_start_together_one_makes_the_owner(database: Database, clock: SetClock) -> None:
    """Else the password that one of them prints would be a lie."""
    made: list[tuple[str, str] | None] = []
    both = Barrier(2)

    def start() -> None:
        staff = Staff(database, clock)
        both.wait()
        made.append(staff.ensure_owner())

    threads = [Thread(target=start) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (one,) = [owner for owner in made if owner is not None]

    assert signed_in(Staff(database, clock), *one)


def test_an_owner_who_was_there_before_is_enough(database: Database, clock: SetClock, staff: Staff) -> None:
    """A restart makes nobody."""
    assert [None, 1] == [Staff(database, clock).ensure_owner(), len(staff.members())]


# ---------------------------------------------------------------- passwords


def test_a_password_is_kept_as_argon2id_and_never_as_itself(database: Database, clock: SetClock) -> None:
    """Whoever reads the table, or a backup, still has to guess."""
    staff = with_owner(Staff(database, clock))
    assert signed_in(staff)
    with database.reading() as connection:
        (secret,) = connection.execute("SELECT secret FROM member").fetchone() or ("",)

    assert secret.startswith("$argon2id$")
    assert not PasswordHasher().check_needs_rehash(secret)


def test_a_password_hashed_with_weaker_parameters_is_hashed_anew_at_the_next_sign_in(
    database: Database, clock: SetClock, staff: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parameters grow with machines, and nobody is asked to do anything. Here the fixture's are the weaker ones."""
    assert signed_in(staff)
    monkeypatch.undo()
    staff = Staff(database, clock)
    signed_in(staff)
    with database.reading() as connection:
        (secret,) = connection.execute("SELECT secret FROM member").fetchone() or ("",)

    assert not PasswordHasher().check_needs_rehash(secret)
    assert signed_in(staff)


@pytest.mark.parametrize(
    "new", ["short one", "x" * 201, "OwnerOwner", "aaaaaaaaaaaa", GOOD], ids=["short", "long", "name", "one letter", "same"]
)
def test_a_password_that_is_too_easily_guessed_is_refused(staff: Staff, new: str) -> None:
    """Ten characters, not the name, not one letter, and another than before."""
    staff.add(OWNER, "OwnerOwner", "auditor")
    staff.change_password("OwnerOwner", "", GOOD)
    with pytest.raises(FieldRefused) as refusal:
        staff.change_password("OwnerOwner", GOOD, new)

    assert "new" == refusal.value.field


def test_a_password_is_changed_by_who_knows_it_and_ends_every_other_session(staff: Staff) -> None:
    """Whoever else was signed in may have been the reason."""
    mine, other = signed_in(staff), signed_in(staff)
    with pytest.raises(FieldRefused, match="present password"):
        staff.change_password("owner", "not the password", "another secret")
    staff.change_password("owner", GOOD, "another secret", keep=staff.member(mine).session)

    assert "owner" == staff.member(mine).name
    with pytest.raises(SessionEnded):
        staff.member(other)
    with pytest.raises(SignInRefused):
        signed_in(staff)
    assert signed_in(staff, "owner", "another secret")


def test_a_password_is_the_same_however_the_keyboard_composes_it(staff: Staff) -> None:
    """NFKC: é as one letter or as two, full-width or half-width, is one password."""
    staff.change_password("owner", GOOD, "cafe\u0301 \uff12\uff10\uff12\uff16")

    assert signed_in(staff, "owner", "caf\u00e9 2026")


def test_a_one_time_password_opens_nothing_but_its_own_change(staff: Staff) -> None:
    """Somebody else has seen it."""
    password = staff.add(OWNER, "ann", "finance")
    member = staff.member(signed_in(staff, "ann", password))
    with pytest.raises(ChangeWanted):
        member.require("read")
    token = signed_in(staff, "ann", password)
    staff.change_password("ann", "", GOOD, keep=staff.member(token).session)

    staff.member(token).require("read")
    with pytest.raises(SignInRefused):
        signed_in(staff, "ann", password)


# ---------------------------------------------------------------- refusals


def test_a_refused_sign_in_says_the_same_whatever_is_wrong(staff: Staff) -> None:
    """Which names there are is nobody's business."""
    added(staff, "ann")
    staff.end_member(OWNER, "ann")
    secret, _ = staff.begin_totp("owner")
    staff.confirm_totp("owner", secret, pyotp.TOTP(secret).at(NOON // MICRO_PER_SECOND))
    texts = set()
    tries = ("owner wrong", f"nobody {GOOD}", f"ann {GOOD}", "a\0b x", " ", f"owner {GOOD} 000000")
    for name, password, code in ((*tried.split(" "), "")[:3] for tried in tries):
        with pytest.raises(SignInRefused) as refusal:
            staff.sign_in(name, password, code, address="", agent="")
        texts.add((refusal.value.zh, refusal.value.en))

    assert 1 == len(texts)


def test_an_unknown_name_takes_as_long_as_a_wrong_password(database: Database, clock: SetClock) -> None:
    """Else a clock would tell which names there are. Argon2 takes most of the time, with the parameters as they are."""
    staff = with_owner(Staff(database, clock))

    def seconds(name: str) -> float:
        began = time.perf_counter()
        with pytest.raises(SignInRefused):
            staff.sign_in(name, "wrong", address="", agent="")
        return time.perf_counter() - began

    seconds("warm")
    known = min(seconds("owner") for _ in range(3))
    unknown = min(seconds(f"nobody{i}") for i in range(3))

    assert 0.5 < unknown / known < 2


def test_who_guesses_waits_longer_and_longer_and_then_is_let_in(staff: Staff, clock: SetClock) -> None:
    """Some are free, then a second, two, four …; a right password while waiting is not even looked at."""
    for _ in range(FREE["name"] + 1):
        with pytest.raises(SignInRefused):
            signed_in(staff, "owner", "wrong")
    seconds = []
    for _ in range(3):
        with pytest.raises(SignInTooOften) as refusal:
            signed_in(staff)
        seconds.append(refusal.value.seconds)
        clock.advance(refusal.value.seconds)
        with pytest.raises(SignInRefused):
            signed_in(staff, "owner", "wrong")

    assert [1, 2, 4] == seconds
    clock.advance(WAIT_SECONDS_MAX)
    assert signed_in(staff)
    with pytest.raises(SignInRefused):
        signed_in(staff, "owner", "wrong")  # and all is forgiven: this one is free again


def test_a_thousand_names_from_one_address_wait_too(staff: Staff) -> None:
    """Who tries one password with every name is not stopped by the names."""
    with pytest.raises(SignInTooOften):  # noqa: PT012 (the first ones are refused otherwise)
        for i in range(FREE["address"] + 2):
            with pytest.raises(SignInRefused):
                signed_in(staff, f"name{i}", "password123")

    assert signed_in(staff, address="198.51.100.1")


def test_what_can_be_no_name_takes_no_memory(staff: Staff) -> None:
    """A form may hold a megabyte, and ten thousand of them are remembered."""
    for name in ("x" * 1_000_000, "a b", ""):
        with pytest.raises(SignInRefused):
            signed_in(staff, name)

    assert {("name", ""), ("address", HERE)} == set(staff._waits._failures)


def test_waits_are_bounded_forgotten_and_survive_a_clock_that_is_set_back() -> None:
    """The memory of a flood is no flood of memory."""
    clock = SetClock(NOON)
    waits = Waits(clock)
    door = [("name", "ann")]
    for _ in range(FREE["name"] + 1):
        waits.charge(door)
    with pytest.raises(SignInTooOften):
        waits.charge(door)
    clock.advance(-FORGOTTEN_SECONDS)
    waits.charge(door)
    for i in range(DOORS_MAX + 10):
        waits.charge([("name", f"n{i}")])

    assert DOORS_MAX == len(waits._failures)


def test_the_wait_has_an_end_however_many_failures_there_were() -> None:
    """Nobody can keep an owner out for an hour."""
    clock = SetClock(NOON)
    waits = Waits(clock)
    for _ in range(200):
        waits.charge([("name", "owner")])
        clock.advance(WAIT_SECONDS_MAX)
    waits.charge([("name", "owner")])
    with pytest.raises(SignInTooOften) as refusal:
        waits.charge([("name", "owner")])

    assert WAIT_SECONDS_MAX == refusal.value.seconds


def test_an_ipv6_network_is_one_door() -> None:
    """Who has one address of it has 2⁶⁴."""
    same = {doors_of("a", address)[1] for address in ("2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:0:9::")}

    assert {("address", "2001:db8::")} == same
    assert ("address", "203.0.113.7") == waits.doors_of("a", "::ffff:203.0.113.7")[1]


# ---------------------------------------------------------------- the second step


def ticket(staff: Staff) -> str:
    """The ticket for the owner's second step."""
    with pytest.raises(CodeWanted) as wanted:
        signed_in(staff)
    return wanted.value.ticket


def test_with_an_authenticator_a_password_alone_opens_nothing(staff: Staff, clock: SetClock) -> None:
    """Its ticket is no session."""
    totp = with_codes(staff, clock)
    half = ticket(staff)
    with pytest.raises(SessionEnded):
        staff.member(half)
    token = staff.give_code(half, code_now(totp, clock), address=HERE, agent="Firefox")

    assert staff.member(token).has_totp
    assert token != half
    with pytest.raises(SignInRefused):
        staff.give_code(half, code_now(totp, clock, 1), address=HERE, agent="Firefox")


@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_a_code_is_taken_a_step_early_or_late_and_once(staff: Staff, clock: SetClock, steps: int) -> None:
    """RFC 6238: clocks differ; and who looks over a shoulder is too late."""
    totp = with_codes(staff, clock)
    clock.advance(codes.STEP_SECONDS)
    code = code_now(totp, clock, steps)

    assert signed_in(staff, code=code)
    with pytest.raises(SignInRefused):
        signed_in(staff, code=code)


@pytest.mark.parametrize("steps", [-2, 2])
def test_a_code_further_off_is_none(staff: Staff, clock: SetClock, steps: int) -> None:
    """A window of three steps, and no more."""
    totp = with_codes(staff, clock)
    clock.advance(codes.STEP_SECONDS * 3)
    with pytest.raises(SignInRefused):
        signed_in(staff, code=code_now(totp, clock, steps))


def test_who_vouches_shows_who_he_is_and_no_session_begins(staff: Staff, clock: SetClock) -> None:
    """By password and by a code that counts once; what is wrong is not said, and stands in the log."""
    added(staff, "ann", "operations")
    totp = with_codes(staff, clock, "ann")
    before = staff.sessions("ann")
    code = code_now(totp, clock)
    for password, given in (("wrong", code), (GOOD, ""), (GOOD, "000000")):
        with pytest.raises(SignInRefused):
            staff.vouch("ann", password, given, address=HERE)
    view = staff.vouch("ann", GOOD, code, address=HERE)
    with pytest.raises(SignInRefused):
        staff.vouch("ann", GOOD, code, address=HERE)

    assert ("ann", "operations", None) == (view.name, view.role, view.programmes)
    assert before == staff.sessions("ann")
    assert [("refused", "password"), ("refused", "code"), ("refused", "code"), ("done", None), ("refused", "code")] == [
        (act.outcome, act.facts.get("wrong")) for act in acts(staff, what="member.vouch")
    ]


def test_a_password_is_guessed_at_anothers_side_no_faster_than_at_the_door(staff: Staff) -> None:
    """Both count together; who has ended vouches for nothing."""
    added(staff, "ann")
    added(staff, "ben")
    staff.end_member(OWNER, "ben")
    with pytest.raises(SignInRefused):
        staff.vouch("ben", GOOD, address=HERE)
    with pytest.raises(SignInTooOften):  # noqa: PT012 (the first ones are refused otherwise)
        for turn in range(20):
            with suppress(SignInRefused):
                staff.vouch("ann", "wrong", address=HERE) if turn & 1 else signed_in(staff, "ann", "wrong")


def test_the_code_that_confirmed_an_authenticator_does_not_sign_in(staff: Staff, clock: SetClock) -> None:
    """It was used."""
    secret, _ = staff.begin_totp("owner")
    code = pyotp.TOTP(secret).at(clock() // MICRO_PER_SECOND)
    staff.confirm_totp("owner", secret, code)

    with pytest.raises(SignInRefused):
        signed_in(staff, code=code)


def test_codes_are_guessed_no_faster_than_passwords(staff: Staff, clock: SetClock) -> None:
    """A million codes are few; knowing the password, and asking for new tickets, forgives nothing."""
    with_codes(staff, clock)
    with pytest.raises(SignInTooOften):  # noqa: PT012 (the first ones are refused otherwise)
        for _ in range(FREE["name"] + 2):
            half = staff_ticket_or_wait(staff)
            with pytest.raises(SignInRefused):
                staff.give_code(half, "000000", address="", agent="")


def staff_ticket_or_wait(staff: Staff) -> str:
    """A ticket; raises SignInTooOften when there is none to be had now."""
    try:
        staff.sign_in("owner", GOOD, address="", agent="")
    except CodeWanted as wanted:
        return wanted.ticket
    raise AssertionError


def test_a_ticket_is_good_for_minutes(staff: Staff, clock: SetClock) -> None:
    """A password that was typed yesterday is not half a sign-in today."""
    totp = with_codes(staff, clock)
    half = ticket(staff)
    clock.advance(TICKET_SECONDS)

    with pytest.raises(SignInRefused):
        staff.give_code(half, code_now(totp, clock), address=HERE, agent="")


@pytest.mark.parametrize("secret", ["", "A" * 31, "not base32 at all!!!!!!!!!!!!!!!!", "a" * 32])
def test_an_authenticator_is_confirmed_by_a_code_of_a_secret_of_ours(staff: Staff, secret: str) -> None:
    """What comes back from a form may be anything."""
    with pytest.raises(FieldRefused):
        staff.confirm_totp("owner", secret, "123456")
    ours, _ = staff.begin_totp("owner")
    with pytest.raises(FieldRefused):
        staff.confirm_totp("owner", ours, "١٢٣٤٥٦")

    assert not staff.member(signed_in(staff)).has_totp


def test_an_authenticator_in_use_is_replaced_only_by_who_knows_the_password(staff: Staff, clock: SetClock) -> None:
    """A session left open must not be enough to lock its owner out."""
    with_codes(staff, clock)
    secret, _ = staff.begin_totp("owner")
    with pytest.raises(FieldRefused):
        staff.confirm_totp("owner", secret, pyotp.TOTP(secret).at(clock() // MICRO_PER_SECOND))
    with pytest.raises(FieldRefused):
        staff.end_totp("owner", "wrong password")
    staff.end_totp("owner", GOOD)

    assert not staff.member(signed_in(staff)).has_totp


# ---------------------------------------------------------------- sessions


def test_of_a_token_only_its_hash_is_kept(database: Database, staff: Staff) -> None:
    """Whoever reads the table cannot come in with what stands there."""
    token = signed_in(staff)
    with database.reading() as connection:
        rows = str(connection.execute("SELECT session::text FROM session").fetchall())

    assert 43 == len(token)
    assert token not in rows
    assert staff.member(token).session.hex() in rows
    with pytest.raises(SessionEnded):
        staff.member(staff.member(token).session.hex())


def test_every_sign_in_has_a_token_and_a_form_token_of_its_own(staff: Staff) -> None:
    """Nothing that somebody had before a sign-in is good after it."""
    one, other = signed_in(staff), signed_in(staff)

    assert one != other
    assert staff.member(one).csrf != staff.member(other).csrf
    assert staff.member(one).csrf not in (one, staff.member(one).session.hex())


@pytest.mark.parametrize("place", range(0, 43, 7))
def test_a_tampered_token_is_nobodys(staff: Staff, place: int) -> None:
    """One letter is enough."""
    token = signed_in(staff)
    tampered = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]

    with pytest.raises(SessionEnded):
        staff.member(tampered)


@pytest.mark.parametrize("token", ["", "x", "0" * 44, "é" * 43, "0" * 42 + "\0", "0" * 42 + "\ud800"])
def test_what_is_no_token_is_nobodys(staff: Staff, token: str) -> None:
    """A cookie may be anything."""
    with pytest.raises(SessionEnded):
        staff.member(token)


def test_a_session_ends_when_it_is_not_used_and_after_a_week_when_it_is(staff: Staff, clock: SetClock) -> None:
    """Twelve hours slide; seven days do not."""
    used, left = signed_in(staff), signed_in(staff)
    hours = 11
    for _ in range(SESSION_SECONDS // (hours * 3_600)):
        clock.advance(hours * 3_600)
        assert "owner" == staff.member(used).name
    with pytest.raises(SessionEnded):
        staff.member(left)
    clock.advance(hours * 3_600)
    with pytest.raises(SessionEnded):
        staff.member(used)


def test_a_session_is_read_from_the_table_once_in_two_seconds(database: Database, staff: Staff, clock: SetClock) -> None:
    """A page full of parts asks many times."""
    token = signed_in(staff)
    staff.member(token)
    with database.reading() as connection:
        connection.execute("UPDATE member SET language = 'en'")
    clock.advance(CACHED_SECONDS)
    clock.micro -= 1
    assert "zh" == staff.member(token).language
    clock.micro += 1

    assert "en" == staff.member(token).language


ENDINGS = {
    "sign out": lambda staff, member: staff.sign_out(member),
    "ended by himself": lambda staff, member: staff.end_session("ann", member.session.hex()),
    "all ended": lambda staff, _: staff.end_all("ann"),
    "password changed": lambda staff, _: staff.change_password("ann", GOOD, "another secret"),
    "reset": lambda staff, _: staff.reset(OWNER, "ann"),
    "member ended": lambda staff, _: staff.end_member(OWNER, "ann"),
}


@pytest.mark.parametrize("how", ENDINGS)
def test_a_session_that_is_ended_ends_here_at_once_and_elsewhere_within_two_seconds(
    database: Database, staff: Staff, clock: SetClock, how: str
) -> None:
    """Each way to end one; its forms are forgotten."""
    added(staff, "ann")
    token = signed_in(staff, "ann")
    elsewhere = Staff(database, clock)
    elsewhere.member(token)
    staff.use_once(staff.member(token).session, "a form")
    ENDINGS[how](staff, staff.member(token))

    with pytest.raises(SessionEnded):
        staff.member(token)
    clock.advance(CACHED_SECONDS)
    with pytest.raises(SessionEnded):
        elsewhere.member(token)
    with database.reading() as connection:
        assert None is connection.execute("SELECT FROM form_used").fetchone()


def test_nobody_ends_anothers_session(staff: Staff) -> None:
    """Its name in hex may be known; it has to be one's own."""
    token = signed_in(staff)
    added(staff, "ann")
    for digest in (staff.member(token).session.hex(), "no hex", "00"):
        staff.end_session("ann", digest)

    assert "owner" == staff.member(token).name


def test_my_sessions_are_those_that_go_on(staff: Staff, clock: SetClock) -> None:
    """With where they are, the last one used first; half sign-ins and others' are none."""
    first = signed_in(staff, address="198.51.100.1")
    clock.advance(90)
    signed_in(staff)
    added(staff, "ann")
    assert [HERE, "198.51.100.1"] == [view.address for view in staff.sessions("owner")]
    clock.advance(90)
    staff.member(first)

    assert ["198.51.100.1", HERE] == [view.address for view in staff.sessions("owner")]
    clock.advance(IDLE_SECONDS - 60)
    assert [first] == [first for view in staff.sessions("owner") if view.digest == staff.member(first).session.hex()]
    assert 1 == len(staff.sessions("owner"))


def test_sessions_that_are_over_are_swept_out(database: Database, staff: Staff, clock: SetClock) -> None:
    """The table does not grow for ever, nor do the forms of a session that simply stopped."""
    token = signed_in(staff)
    staff.use_once(staff.member(token).session, "a form")
    clock.advance(IDLE_SECONDS)
    signed_in(staff)
    with database.reading() as connection:
        assert None is connection.execute("SELECT FROM form_used").fetchone()
        assert (2,) == connection.execute("SELECT count(*) FROM session").fetchone()
    clock.advance(SESSION_SECONDS + KEPT_SECONDS)
    signed_in(staff)

    with database.reading() as connection:
        assert (1,) == connection.execute("SELECT count(*) FROM session").fetchone()


def test_a_form_counts_once(staff: Staff) -> None:
    """For its session; and what no form of ours carries is none."""
    one, other = (staff.member(signed_in(staff)).session for _ in range(2))
    staff.use_once(one, "f1")
    staff.use_once(other, "f1")
    staff.use_once(one, "f2")
    for once in ("f1", "", "x" * 65, "a\0b"):
        with pytest.raises(FormReplayed):
            staff.use_once(one, once)
