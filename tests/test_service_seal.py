"""The seal: green only when it is true, and every way in which it may stop being true takes the green away."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import service_worlds as worlds
from service_worlds import MARKET, NOON, connected, done, orders

from rangli.errors import DatabaseUnreachable, LedgerError, ProgrammeNotFound, VerifyRunning
from rangli.service import Service
from rangli.service.clock import SetClock
from rangli.service.people.acts import COMMAND_LINE
from rangli.service.work import seal
from rangli.service.work.seal import Found, SealView
from rangli.store import people
from rangli.store.database import Database
from rangli.store.seal import VERIFYING

house, url = worlds.house, worlds.url

SECONDS = 120
DAY = 86_400


@pytest.fixture(autouse=True)
def _interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers of these tests decide some thirty orders; compiling would take longer than that."""
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")


@pytest.fixture
def clock() -> SetClock:
    """Noon, until a test says otherwise."""
    return SetClock(NOON)


@pytest.fixture
def service(url: str, clock: SetClock) -> Iterator[Service]:
    """A programme with a few orders."""
    with worlds.opened(url, clock) as service:
        service.create("w", MARKET, secret=worlds.SECRET, hold_seconds=0)
        done(service.running("w").do(orders(range(20))))
        yield service


def verified(service: Service) -> SealView:
    """The seal after a verification."""
    service.seal.verify_now("w", "Ann")
    assert service.seal.wait("w", SECONDS)
    return service.seal.of("w")


def kept_as(service: Service, outcome: str, url: str, **facts: Any) -> None:  # noqa: ANN401 (values of columns)
    """A verification that another process made, on record."""
    values = {"programme": "w", "asked_by": "Ann", "began_at": service.clock(), "ended_at": service.clock(), "outcome": outcome}
    values |= {"zh": "某事", "en": "something"} | facts
    with connected(url) as connection:
        names, marks = ", ".join(values), ", ".join(["%s"] * len(values))
        connection.execute(f"INSERT INTO verification ({names}) VALUES ({marks})".encode(), list(values.values()))


def head_of(url: str, position: int) -> str:
    """The journal's hash at a position."""
    with connected(url) as connection:
        row = connection.execute("SELECT encode(hash, 'hex') FROM journal WHERE position = %s", [position]).fetchone()
    assert row is not None
    return str(row[0])


# ---------------------------------------------------------------- a real verification


def test_it_is_green_after_a_verification_that_found_no_difference(service: Service, url: str) -> None:
    """Green is the promise that the whole journal was decided again, and equal."""
    before = service.seal.of("w")
    view = verified(service)

    assert ("grey", None, 21) == (before.tone, before.verdict, before.since)
    assert view.verdict is not None
    assert ("green", "clean", 21, head_of(url, 21)) == (view.tone, view.verdict.outcome, view.verdict.position, view.verdict.head)
    assert "verified up to decision 21; 0 have come since" == view.en
    assert {"CNY": "0.00", "POINT": "0.00", "VOUCHER": "0.00"} == view.totals
    assert (None, "Ann") == (view.checking, view.verdict.asked_by)


def test_it_says_how_many_decisions_have_come_since(service: Service) -> None:
    """A seal that does not say where it ends is read as if it covered everything."""
    verified(service)
    done(service.running("w").do(orders(range(20, 27))))
    view = service.seal.of("w")

    assert ("green", 7) == (view.tone, view.since)
    assert "verified up to decision 21; 7 have come since" == view.en
    assert "已核验到第 21 条决定;其后又有 7 条" == view.zh


def test_a_changed_decision_is_found_and_shown_red(service: Service, url: str) -> None:
    """What the seal is for: somebody changed an amount in the database."""
    with connected(url) as connection:
        connection.execute("UPDATE journal SET amount[1] = amount[1] + 1 WHERE position = 7")
    view = verified(service)

    assert view.verdict is not None
    assert ("red", "broken", 7) == (view.tone, view.verdict.outcome, view.verdict.position)
    assert view.en.startswith("the verification found a difference: decision 7:")
    assert view.zh.startswith("核验发现不符:第 7 条决定:")


def test_a_journal_whose_end_was_rewritten_after_a_clean_verification_turns_red(service: Service, url: str) -> None:
    """Yesterday's clean verification must not vouch for a decision that was written anew today."""
    assert "green" == verified(service).tone
    with connected(url) as connection:
        connection.execute("UPDATE journal SET hash = sha256(hash) WHERE position = 21")
    view = service.seal.of("w")

    assert "red" == view.tone
    assert "decision 21 is no longer the one that was verified" in view.en


def test_an_unbalanced_trial_balance_turns_it_red_within_seconds(service: Service, clock: SetClock) -> None:
    """The books are looked at now, not as they were at the verification."""
    assert "green" == verified(service).tone
    books = service.running("w").settler.published.books
    books.balance[int(books.touched()[0])] += 1
    clock.advance(seal.TOTALS_SECONDS)
    view = service.seal.of("w")

    assert ("red", "0.000001") == (view.tone, view.totals["CNY"])
    assert "the trial balance must be 0 in every unit and is 0.000001 CNY" == view.en


# ---------------------------------------------------------------- what is on record


def test_it_is_amber_when_the_verification_is_a_day_old(service: Service, url: str, clock: SetClock) -> None:
    """What was true last week is no seal for today."""
    kept_as(service, "clean", url, position=21, head=head_of(url, 21))
    clock.advance(DAY)
    just = service.seal.of("w")
    clock.advance(1)
    after = service.seal.of("w")

    assert ["green", "amber"] == [just.tone, after.tone]
    assert "more than 24 hours ago" in after.en
    assert after.en.startswith("verified up to decision 21; 0 have come since")


def test_it_is_amber_when_too_many_decisions_have_come_since(service: Service, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clean beginning says nothing of a long rest."""
    monkeypatch.setattr(seal, "SINCE_MAX", 15)
    kept_as(service, "clean", url, position=6, head=head_of(url, 6))
    just = service.seal.of("w")
    done(service.running("w").do(orders([99])))
    after = service.seal.of("w")

    assert ["green", "amber"] == [just.tone, after.tone]
    assert "verified up to decision 6; 16 have come since, more than 15" == after.en


def test_a_later_try_that_failed_takes_the_green_away(service: Service, url: str) -> None:
    """A verification that cannot be finished any more may hide the reason why."""
    kept_as(service, "clean", url, position=21, head=head_of(url, 21))
    kept_as(service, "failed", url)
    view = service.seal.of("w")

    assert ("amber", True) == (view.tone, view.en.endswith("A later try failed: something"))


def test_a_cancelled_try_changes_nothing(service: Service, url: str) -> None:
    """Somebody changed his mind; the books are what they were."""
    kept_as(service, "clean", url, position=21, head=head_of(url, 21))
    kept_as(service, "cancelled", url)

    assert "green" == service.seal.of("w").tone


def test_a_clean_verification_after_a_broken_one_is_what_counts(service: Service, url: str) -> None:
    """After a backup was restored the seal may be green again, and not before."""
    kept_as(service, "broken", url, position=3)
    broken = service.seal.of("w").tone
    kept_as(service, "failed", url)
    still = service.seal.of("w").tone
    kept_as(service, "clean", url, position=21, head=head_of(url, 21))

    assert ["red", "red", "green"] == [broken, still, service.seal.of("w").tone]


def test_a_verification_of_decisions_that_are_gone_turns_red(service: Service, url: str) -> None:
    """The journal was cut, or an older backup restored under our feet."""
    kept_as(service, "clean", url, position=25, head="00" * 32)

    assert "red" == service.seal.of("w").tone


def test_who_does_not_settle_does_not_see_the_balance_and_shows_no_green(url: str, clock: SetClock) -> None:
    """An empty book adds up to zero, too."""
    with worlds.opened(url, clock) as service:
        service.create("w", MARKET, secret=worlds.SECRET, hold_seconds=0)
        standby = Service.open(Database(url), clock=clock)
        try:
            kept_as(service, "clean", url, position=1, head=head_of(url, 1))
            seen, here = standby.seal.of("w"), service.seal.of("w")
        finally:
            standby.close()

        assert ("amber", {}) == (seen.tone, seen.totals)
        assert "does not settle it" in seen.en
        assert "green" == here.tone


# ---------------------------------------------------------------- one at a time, cancelled, left behind


def waits(monkeypatch: pytest.MonkeyPatch, service: Service) -> threading.Event:
    """Verifications end when the event is set, not before; nothing is decided."""
    go = threading.Event()
    wait = service.seal._jobs.wait

    def held(number: str, timeout: float | None = None) -> Any:  # noqa: ANN401 (as Jobs has it)
        assert go.wait(SECONDS)
        return wait(number, timeout)

    monkeypatch.setattr(service.seal._jobs, "wait", held)
    return go


def test_one_verification_of_a_programme_runs_at_a_time_in_whatever_process(
    service: Service, clock: SetClock, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten impatient clicks must not start ten readings of the whole journal."""
    go = waits(monkeypatch, service)
    service.seal.verify_now("w", "Ann")
    elsewhere = Service.open(Database(url), clock=clock)
    try:
        for one in (service, elsewhere):
            with pytest.raises(VerifyRunning):
                one.seal.verify_now("w", "Bob")
        here, there = service.seal.of("w").checking, elsewhere.seal.of("w").checking
    finally:
        elsewhere.close()
    go.set()
    assert service.seal.wait("w", SECONDS)

    assert here is not None
    assert there is not None
    assert [("Ann", True), ("Ann", False)] == [(one.by, one.is_here) for one in (here, there)]
    assert ["clean"] == [one.outcome for one in service.seal.history("w")]
    assert None is service.seal.of("w").checking


def test_a_cancelled_verification_is_kept_as_that_and_another_may_begin(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever started the wrong one must not wait for it."""
    go = waits(monkeypatch, service)
    service.seal.verify_now("w", "Ann")
    assert service.seal.cancel("w")
    go.set()
    assert service.seal.wait("w", SECONDS)
    assert not service.seal.cancel("w")
    cancelled = service.seal.of("w")

    assert ("grey", None) == (cancelled.tone, cancelled.checking)
    assert "green" == verified(service).tone
    assert ["clean", "cancelled"] == [one.outcome for one in service.seal.history("w")]


def test_a_stop_of_the_service_ends_it_as_failed(url: str, clock: SetClock) -> None:
    """After the restart nobody may believe that it still runs, or that it was clean."""
    with worlds.opened(url, clock) as service:
        service.create("w", MARKET, secret=worlds.SECRET, hold_seconds=0)
        service.seal.verify_now("w", "Ann")
    with worlds.opened(url, clock) as service:
        found = service.seal.history("w")

        assert [("failed", "the service stopped before it was done")] == [(one.outcome, one.en) for one in found]
        assert "grey" == service.seal.of("w").tone


def test_what_a_killed_service_left_behind_is_ended_at_the_next_start(url: str, clock: SetClock) -> None:
    """A power cut writes no last word; whoever comes next writes it."""
    with worlds.opened(url, clock) as service:
        service.create("w", MARKET, secret=worlds.SECRET, hold_seconds=0)
        kept_as(service, "running", url, ended_at=None)
        looked = service.seal.of("w")
        kept_as(service, "running", url, ended_at=None)
    with worlds.opened(url, clock) as service:
        assert None is looked.checking
        assert [("failed", seal.LEFT[1])] * 2 == [(one.outcome, one.en) for one in service.seal.history("w")]
        assert "green" == verified(service).tone


def test_a_worker_that_dies_is_a_failure_with_a_reason(service: Service) -> None:
    """Out of memory is no verdict about the books."""
    service.seal.verify_now("w", "Ann")
    job = service.seal._live["w"]
    while service.seal._jobs._jobs[job].worker is None:
        service.seal._jobs.wait(job, 0)
    worker = service.seal._jobs._jobs[job].worker
    assert worker is not None
    worker.kill()
    assert service.seal.wait("w", SECONDS)
    (found,) = service.seal.history("w")

    assert "failed" == found.outcome
    assert "the worker ended unexpectedly" in found.en


def test_a_verification_tells_how_far_it_is(service: Service) -> None:
    """An hour without a sign of life is taken for a fault."""
    steps: list[tuple[int, int]] = []
    found = seal.prove(lambda done, total, *_: steps.append((done, total)), service.database.url, "w")

    assert (21, 21) == steps[-1]
    assert ("clean", 21) == (found["outcome"], found["position"])


def test_a_programme_that_is_not_there_cannot_be_verified(service: Service) -> None:
    """A name in an address may be anything."""
    with pytest.raises(ProgrammeNotFound):
        service.seal.verify_now("nobody", "Ann")

    assert [] == service.seal.history("nobody")


# ---------------------------------------------------------------- on the command line


def here(service: Service, url: str, progress: Callable[[int], None] | None = None) -> Found:
    """A verification in this process, as the command line makes it."""
    with Database(url) as database:
        number = service.running("w").number
        return seal.verify_here(database, "w", number, COMMAND_LINE.role, clock=service.clock, progress=progress)


def tampered(url: str) -> None:
    """An amount is not what it was."""
    with connected(url) as connection:
        connection.execute("UPDATE journal SET amount[1] = amount[1] + 1 WHERE position = 7")


def test_what_the_command_line_finds_moves_the_seal(service: Service, url: str) -> None:
    """Whoever verifies in a terminal every night must not be told in the morning that nobody has verified."""
    clean = here(service, url)
    green = service.seal.of("w")
    tampered(url)
    broken = here(service, url)
    red = service.seal.of("w")

    assert (None, None) == (clean.unkept, broken.unkept)
    assert not isinstance(clean.result, LedgerError)
    assert isinstance(broken.result, LedgerError)
    assert ["green", "red"] == [green.tone, red.tone]
    assert green.verdict is not None
    assert red.verdict is not None
    assert ("command line", 21, clean.result.head) == (green.verdict.asked_by, green.verdict.position, green.verdict.head)
    assert ("broken", 7, broken.result.en) == (red.verdict.outcome, red.verdict.position, red.verdict.en)


def test_while_the_command_line_verifies_the_console_says_so_and_waits(service: Service, url: str) -> None:
    """It is the same journal that is read, and once at a time is enough."""
    seen: list[SealView] = []

    def look(_: int) -> None:
        if not seen:
            seen.append(service.seal.of("w"))
            with pytest.raises(VerifyRunning):
                service.seal.verify_now("w", "Ann")

    here(service, url, look)
    checking = seen[0].checking

    assert checking is not None
    assert ("command line", False) == (checking.by, checking.is_here)
    assert ["clean"] == [one.outcome for one in service.seal.history("w")]
    assert "green" == verified(service).tone


def test_beside_a_verification_of_the_service_a_difference_is_kept_and_a_clean_finding_is_not(service: Service, url: str) -> None:
    """Who asks in a terminal gets his answer; a clean one must not hide what the other, which may have seen more, will find."""
    number = service.running("w").number
    with connected(url) as busy:
        assert people.try_lock(busy, VERIFYING, number)
        kept_as(service, "running", url, ended_at=None)
        clean = here(service, url)
        after = service.seal.of("w")
        tampered(url)
        broken = here(service, url)
        red = service.seal.of("w")
        outcomes = [one.outcome for one in service.seal.history("w")]

    assert (seal.ANOTHER, None) == (clean.unkept, broken.unkept)
    assert ("grey", "red") == (after.tone, red.tone)
    assert ["broken", "running"] == outcomes


@pytest.mark.parametrize(
    ("fault", "outcome", "words"),
    [
        (KeyboardInterrupt(), "cancelled", "cancelled"),
        (DatabaseUnreachable("断了", "it is gone"), "failed", "it is gone"),
        (MemoryError("no\nmore"), "failed", "it went wrong: MemoryError: no more"),
    ],
    ids=["Ctrl-C", "a refusal", "a mistake"],
)
def test_what_ends_it_early_leaves_no_row_that_runs(
    service: Service, url: str, fault: BaseException, outcome: str, words: str
) -> None:
    """A verification that runs for ever on the page would keep everybody from beginning another."""
    kept_as(service, "clean", url, position=21, head=head_of(url, 21))

    def stop(_: int) -> None:
        raise fault

    with pytest.raises(type(fault)):
        here(service, url, stop)
    newest = service.seal.history("w")[0]
    view = service.seal.of("w")

    assert (outcome, words, COMMAND_LINE.role) == (newest.outcome, newest.en, newest.asked_by)
    assert newest.ended_at
    assert ({"cancelled": "green", "failed": "amber"}[outcome], None) == (view.tone, view.checking)
    assert "green" == verified(service).tone


def test_a_database_that_takes_no_writes_is_verified_all_the_same(service: Service, url: str) -> None:
    """A copy that only follows another is where an auditor verifies; and he is told that nobody else will see it."""
    only_reading = f"{url}&options=-c%20default_transaction_read_only%3Don"
    clean = here(service, only_reading)
    tampered(url)
    broken = here(service, only_reading)

    assert not isinstance(clean.result, LedgerError)
    assert isinstance(broken.result, LedgerError)
    for found in (clean, broken):
        assert found.unkept is not None
        assert "read-only transaction" in found.unkept[1]
    assert [] == service.seal.history("w")


def test_a_finding_that_cannot_be_written_at_the_end_is_told_nevertheless(service: Service, url: str) -> None:
    """An hour's work is not thrown away because the database was switched over in the last second."""

    def switch(_: int) -> None:
        with connected(url) as connection:
            connection.execute("ALTER TABLE verification RENAME TO verification_away")

    found = here(service, url, switch)
    with connected(url) as connection:
        connection.execute("ALTER TABLE verification_away RENAME TO verification")

    assert not isinstance(found.result, LedgerError)
    assert found.unkept is not None
    assert "verification" in found.unkept[1]
    assert None is service.seal.of("w").checking
    assert [("failed", seal.LEFT[1])] == [(one.outcome, one.en) for one in service.seal.history("w")]
