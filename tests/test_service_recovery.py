"""Crash and recovery: what was acknowledged is there once, what was not is there once after a retry."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from itertools import count
from random import Random
from threading import Thread

import psycopg
import pytest
import service_worlds
from service_worlds import (
    MARKET,
    NOON,
    SEASON,
    SECRET,
    House,
    changed,
    connected,
    cut_off,
    cut_off_and_wait,
    done,
    insist,
    journal_of,
    known,
    opened,
    order,
    orders,
    paused,
    running,
    saved,
    settling_again,
)

from rangli.errors import Failed, NotSettling, Unavailable
from rangli.service import Running, Service
from rangli.service.clock import SetClock
from rangli.service.requests import (
    ActivationRequest,
    ClosingRequest,
    InjectionRequest,
    RefundRequest,
    Request,
    SaleRequest,
)
from rangli.service.settling import batch, recovery, settler
from rangli.service.settling.verify import verify
from rangli.store import journal, programmes
from rangli.store.database import Connection, Database

house = service_worlds.house
url = service_worlds.url

LIFE: list[Request] = [
    *orders(range(6)), RefundRequest("r1", "o1", "10"), SaleRequest("s1", "c2", "0.5"), InjectionRequest("i1", "12.34"),
    *orders(range(6, 9)), RefundRequest("r2", "o1"), ActivationRequest("a1", changed(MARKET, ("pays: 80%", "pays: 70%"))),
    order("refused", amount="0"), *orders(range(9, 12)), SaleRequest("s2", "c2", "0.5"), RefundRequest("r3", "o8"),
    *orders(range(12, 24)), RefundRequest("r4", "o20", "0.01"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost connection is made again at once."""
    monkeypatch.setattr(settler, "RETRY_SECONDS", 0.01)


def undisturbed(house: House, requests: Sequence[Request] = LIFE) -> tuple[str, str, int]:
    """State, head and position of a programme that was told the same and knew no accident."""
    with house.database() as url, running(url, MARKET) as programme:
        programme.do(requests)
        return whereabouts(programme)


def whereabouts(programme: Running) -> tuple[str, str, int]:
    """State, head and position."""
    return programme.state_hash(), programme.view().head, programme.position()


# ---------------------------------------------------------------- starts


def test_every_checkpoint_and_none_lead_to_the_same_state(house: House) -> None:
    """One request at a time, a checkpoint every three decisions; then a start from each that is kept, and from the beginning."""
    with house.database() as url, connected(url) as connection:
        with running(url, MARKET, checkpoint_every=3) as programme:
            for request in LIFE:
                programme.do([request])
                saved(programme)
            expected = whereabouts(programme)
        found = connection.execute("SELECT DISTINCT position FROM checkpoint ORDER BY 1 DESC").fetchall()
        kept = [position for (position,) in found]
        connection.close()

        assert programmes.CHECKPOINTS_KEPT == len(kept)
        assert expected == undisturbed(house)
        for newest in (*kept, 0):
            with house.database(like=url) as copy:
                with connected(copy) as elsewhere:
                    elsewhere.execute("DELETE FROM checkpoint WHERE position > %s", [newest])
                with running(copy, MARKET) as programme:
                    assert expected == whereabouts(programme)
                    assert all(answer.repeated for answer in done(programme.do(LIFE[:14])))
                with Database(copy) as database:
                    assert expected[0] == verify(database, "w").state_hash


@pytest.mark.parametrize(
    "damage",
    [
        "bytes = set_byte(bytes, 700, get_byte(bytes, 700) # 1)",
        "bytes = substr(bytes, 1, 700)",
        "bytes = ''",
        "state = 'x'",
        "parts = 2",
    ],
)
def test_a_damaged_checkpoint_is_passed_over_and_made_again(url: str, damage: str) -> None:
    """An older one is kept for that; nobody may settle on top of a state that was not."""
    for start in (0, 8, 16):
        with running(url, MARKET) as programme:
            done(programme.do(orders(range(start, start + 8))))
            expected = whereabouts(programme)
    with connected(url) as connection:
        connection.execute(f"UPDATE checkpoint SET {damage} WHERE position = (SELECT max(position) FROM checkpoint)".encode())
    with running(url, MARKET) as programme:
        assert expected == whereabouts(programme)
    with Database(url) as database:
        assert expected[0] == verify(database, "w", since=expected[2]).state_hash
        assert expected[2] == verify(database, "w", since=expected[2]).since


def test_a_checkpoint_that_was_not_kept_costs_nothing_but_time(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its ids are read from the journal instead, in front of, between and after those that were kept."""
    save, fails = programmes.save, [True, False, True, False, True]

    def unsure(*arguments: object) -> None:
        if fails and fails.pop():
            message = "no connection"
            raise psycopg.OperationalError(message)
        save(*arguments)  # type: ignore[arg-type]  # whatever it was called with

    monkeypatch.setattr(programmes, "save", unsure)
    with running(url, MARKET, checkpoint_every=4) as programme, connected(url) as connection:
        for request in LIFE:
            programme.do([request])
            saved(programme)
        expected = whereabouts(programme)
        cut_off(programme, connection)
        blocks = connection.execute("SELECT first, length(hashes) / 8 FROM key_block ORDER BY 1").fetchall()

    assert [] == fails
    assert sum(length for _, length in blocks) < expected[2]
    with running(url, MARKET) as programme:
        assert expected == whereabouts(programme)
        answers = programme.do(LIFE)
        assert len(LIFE) - 1 == sum(answer.repeated for answer in done([a for a in answers if not isinstance(a, Exception)]))
        assert expected == whereabouts(programme)


def test_a_closed_lot_is_found_wherever_it_is(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """In memory, in the table, after a start from before its checkpoint, and when none could be kept: a refund takes the same."""
    save, told = programmes.save, []

    def failing(*_: object) -> None:
        message = "no connection"
        raise psycopg.OperationalError(message)

    for every, is_kept, cut in ((1000, True, False), (1000, True, True), (3, True, False), (3, False, False), (3, False, True)):
        monkeypatch.setattr(programmes, "save", save if is_kept else failing)
        with house.database() as url, running(url, MARKET, checkpoint_every=every) as programme, connected(url) as connection:
            for request in orders(range(16)):
                programme.do([request])
                saved(programme)
            if cut:
                cut_off_and_wait(programme, connection)
            kept = journal.all_lots(connection, 1)
            lots = [programme.order(f"o{k}").lot for k in range(16)]
            done(programme.do([RefundRequest("r", "o0")]))
            monkeypatch.setattr(programmes, "save", save)
            told.append((lots, *whereabouts(programme)))
            assert told[-1][1] == verify(Database(url), "w").state_hash

        assert (every == 3 and is_kept) == (len(kept) > 0)
        assert lots[0] is not None
        assert not lots[0]["open"]
    assert [told[0]] * 5 == told


def test_a_start_reads_only_what_came_after_its_checkpoint(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else every restart would take as long as all that was ever settled."""
    with running(url, MARKET) as programme:
        programme.do(LIFE)
    read: list[int] = []
    scan = recovery.journal.scan

    def counted(connection: Connection, number: int, after: int, upto: int) -> Iterator[object]:
        read.append(upto - after)
        return scan(connection, number, after, upto)

    monkeypatch.setattr(recovery.journal, "scan", counted)
    with running(url, MARKET) as programme, connected(url) as connection:
        assert 0 == sum(read)
        done(programme.do([order("more")]))
        cut_off_and_wait(programme, connection)

        assert 1 == sum(read)


# ---------------------------------------------------------------- accidents


@pytest.mark.parametrize("seed", range(3))
def test_a_connection_lost_at_any_moment_loses_and_doubles_nothing(house: House, seed: int) -> None:
    """The settler's connections are ended while requests are on their way; their callers ask again until they are answered."""
    chance = Random(seed)
    failed = 0
    with house.database() as url, running(url, MARKET, checkpoint_every=7) as programme, connected(url) as connection:
        at = 0
        while at < len(LIFE):
            some = [LIFE[k : k + 2] for k in range(at, min(at + 6, len(LIFE)), 2)]
            with paused(programme) if at == 0 else nullcontext():  # the first ones certainly come too late
                futures = [programme.submit(requests) for requests in some]
                time.sleep(chance.random() / 200)
                cut_off(programme, connection, readers=chance.random() < 0.3 and at > 0)
            for requests, future in zip(some, futures, strict=True):
                try:
                    future.result(20)
                except Unavailable:
                    failed += 1
                    insist(programme, requests)
            at += 6
            while programme.settler.role != "settling":
                time.sleep(0.005)
        found = whereabouts(programme)
        proof = verify(Database(url), "w")

    assert failed
    assert undisturbed(house) == found
    assert found[:2] == (proof.state_hash, proof.head)


def test_a_failed_commit_leaves_nothing_behind_and_its_callers_know(url: str) -> None:
    """PostgreSQL refuses the COPY: all callers of the batch are told, nobody sees anything of it, and the retry does it once."""
    with running(url, MARKET) as programme, connected(url) as connection:
        done(programme.do(orders(range(4))))
        before, lost = known(programme, connection), programme.settler._connection
        connection.execute("ALTER TABLE journal_0 ADD CONSTRAINT no_room CHECK (position <> 9) NOT VALID")
        with paused(programme):
            futures = [programme.submit(orders(range(k, k + 2))) for k in (4, 6, 8)]
        for future in futures:
            with pytest.raises(Failed, match="try again with the same id"):
                future.result(20)
        settling_again(programme, lost)

        assert before == known(programme, connection)
        connection.execute("ALTER TABLE journal_0 DROP CONSTRAINT no_room")
        assert [False] * 6 == [answer.repeated for answer in done(programme.do(orders(range(4, 10))))]
        assert 11 == len(journal_of(programme))


COMMITTING = """
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(20); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON journal_0 DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()
"""


def waits(connection: Connection, event: str, unless: Callable[[], bool] = lambda: False) -> bool:
    """Whether some connection to this database comes to wait for this in its COMMIT; not if something else is so before."""
    until = time.monotonic() + 20
    while not unless():
        if connection.execute(
            "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%%COMMIT' AND wait_event = %s AND state = 'active'"
            " AND datname = current_database()",
            [event],
        ).fetchone():
            return True
        assert time.monotonic() < until
        time.sleep(0.005)
    return False


def test_a_connection_lost_in_commit_before_it_was_done(url: str) -> None:
    """The server had not come to the end of COMMIT: there is no effect, and the retry has the only one."""
    with running(url, MARKET) as programme, connected(url) as connection:
        lost = programme.settler._connection
        connection.execute(COMMITTING.encode())
        future = programme.submit([order("o")])
        assert waits(connection, "PgSleep")
        cut_off(programme, connection)
        with pytest.raises(Failed):
            future.result(20)
        connection.execute("DROP TRIGGER slow ON journal_0")
        settling_again(programme, lost)

        assert [False, True] == [done(insist(programme, [order("o")]))[0].repeated for _ in range(2)]
        assert 2 == programme.position()


def test_a_connection_lost_in_commit_after_it_was_done(house: House, url: str) -> None:
    """The server had done it and could not say so: the caller is told nothing, and the retry finds the effect that is there."""
    with running(url, MARKET) as programme, connected(url) as connection, connected(house._url) as server:
        name = connection.info.dbname
        connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = on".encode())
        cut_off_and_wait(programme, connection)
        server.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        server.execute("SELECT pg_reload_conf()")
        try:
            for number in count():  # until the server has read its settings
                last = order(f"o{number}")
                future = programme.submit([last])
                if waits(connection, "SyncRep", unless=future.done):
                    break
            lost = programme.settler._connection
            cut_off(programme, connection)
            with pytest.raises(Failed):
                future.result(20)
        finally:
            server.execute("ALTER SYSTEM RESET synchronous_standby_names")
            server.execute("SELECT pg_reload_conf()")
        settling_again(programme, lost)

        assert [True, True] == [done(insist(programme, [last]))[0].repeated for _ in range(2)]
        assert number + 2 == programme.position()


# ---------------------------------------------------------------- callers and questions


def test_a_caller_who_gives_up_changes_nothing(url: str) -> None:
    """A client that disconnects cancels its future; the settler decides all the same, and goes on."""
    with running(url, MARKET) as programme:
        with paused(programme):
            future = programme.submit([order("left")])
            future.cancel()
        [answer] = done(programme.do([order("left")]))

        assert answer.repeated
        assert "settling" == programme.settler.role


def test_a_question_that_fails_is_its_askers_alone(url: str) -> None:
    """A fault in a view must not stop the money."""
    with running(url, MARKET) as programme:
        for question in (lambda _: 1 // 0, lambda _: {}["nothing"], lambda _: done([Failed("", "")])):
            asked: Callable[..., object] = question
            with pytest.raises((ArithmeticError, LookupError, AssertionError)):
                programme.settler.ask(asked).result(20)

        assert [False] == [answer.repeated for answer in done(programme.do([order("o")]))]


def test_nothing_asked_is_answered_with_nothing(url: str) -> None:
    """An empty batch is what a poll without orders sends."""
    with running(url, MARKET) as programme:
        assert [] == programme.submit([]).result(20)
        assert [] == programme.do([])
        assert 0 == programme.figures.queued


def test_what_has_queued_is_answered_before_the_end(url: str) -> None:
    """Closing is no accident: nobody has to ask again."""
    with opened(url) as service:
        service.create("w", MARKET)
        programme = service.running("w")
        with paused(programme):
            futures = [programme.submit(orders(range(k, k + 3))) for k in (0, 3)]
            closing = Thread(target=programme.settler.close)
            closing.start()
        closing.join(20)

        assert 6 == sum(len(done(future.result(0))) for future in futures)
        with pytest.raises(NotSettling):
            programme.submit([order("late")])
        with pytest.raises(NotSettling):
            programme.state_hash()


# ---------------------------------------------------------------- two services


@pytest.fixture
def pair(url: str) -> Iterator[tuple[Service, Service]]:
    """Two services on one database, the first of which settles; the kernels of a replay are there, as in a service that runs."""
    with opened(url) as first:
        first.create("w", MARKET, secret=SECRET)
        verify(first.database, "w")
        second = Service.open(Database(url), clock=SetClock(NOON))
        try:
            yield first, second
        finally:
            second.close()


def roles(*services: Service, name: str = "w") -> list[str]:
    """What each is to a programme."""
    return [service.running(name).settler.role for service in services]


def until_roles(expected: list[str], *services: Service, name: str = "w", seconds: float = 5) -> None:
    """Wait until each is what is expected."""
    until = time.monotonic() + seconds
    while roles(*services, name=name) != expected:
        assert time.monotonic() < until, roles(*services, name=name)
        time.sleep(0.005)


def test_a_standby_refuses_and_knows_why(pair: tuple[Service, Service]) -> None:
    """Only one may settle; a standby says so at once rather than letting its caller wait."""
    first, second = pair
    until_roles(["settling", "standby"], first, second)
    for asked in (lambda it: it.submit([order("o")]), lambda it: it.state_hash(), lambda it: it.statement("platform:surplus")):
        with pytest.raises(NotSettling):
            asked(second.running("w"))
    assert second.health().programmes == {"w": "standby"}
    assert not second.health().ready


def test_a_standby_takes_over_within_five_seconds(
    pair: tuple[Service, Service], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first loses its connection, and with it the lock; its callers are told, the second has all that was acknowledged."""
    first, second = pair
    one, two = first.running("w"), second.running("w")
    done(one.do(orders(range(5))))
    expected = whereabouts(one)
    monkeypatch.setattr(settler, "RETRY_SECONDS", 3)  # the first is slow to come back
    with connected(url) as connection:
        cut_off(one, connection)
        until_roles(["standby", "settling"], first, second)

        assert expected == whereabouts(two)
        assert [True] * 5 + [False] == [answer.repeated for answer in done(two.do(orders(range(6))))]
        with pytest.raises(NotSettling):
            one.do(orders(range(6)))


def test_a_service_that_lost_its_lock_answers_nothing_from_memory(pair: tuple[Service, Service], url: str) -> None:
    """Another one settles by then, and neither a refusal nor a statement of its own is true any more."""
    first, second = pair
    one = first.running("w")
    done(one.do(orders(range(5))))
    with connected(url) as connection:
        cut_off(one, connection)
        with pytest.raises(Unavailable):
            one.do([SaleRequest("s", "c1", "1000000")])
        until_roles(["standby", "settling"], first, second)


def test_an_idle_service_notices_that_it_lost_its_lock(pair: tuple[Service, Service], url: str) -> None:
    """Without a request it must not go on as if it settled."""
    first, second = pair
    with connected(url) as connection:
        cut_off(first.running("w"), connection)
        until_roles(["standby", "settling"], first, second)


def test_two_services_never_settle_both(pair: tuple[Service, Service], url: str) -> None:
    """Both are asked the same all the time while the lock goes back and forth; each decision is made once, in one chain."""
    requests = orders(range(40))
    answers: list[list[str]] = [[], []]

    def ask(service: Service, into: list[str]) -> None:
        for request in requests:
            while True:
                try:
                    [answer] = done(service.running("w").do([request]))
                except Unavailable:
                    if len(answers[0]) == len(requests) or len(answers[1]) == len(requests):
                        return
                    time.sleep(0.002)
                else:
                    into.append(f"{answer.position} {answer.hash}")
                    break

    threads = [Thread(target=ask, args=(service, into)) for service, into in zip(pair, answers, strict=True)]
    with connected(url) as connection:
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            for service in pair:
                cut_off(service.running("w"), connection)
                time.sleep(0.1)
        for thread in threads:
            thread.join()
    proof = verify(pair[0].database, "w")

    assert 41 == proof.position
    assert max(answers) == [*max(answers)][:40]
    assert min(answers) == max(answers)[: len(min(answers))]


def test_a_programme_created_elsewhere_is_served_here_when_its_service_ends(url: str) -> None:
    """A standby need not know the programme beforehand."""
    with opened(url) as second:
        with opened(url) as first:
            first.create("w", SEASON, secret=SECRET)
            done(first.running("w").do([*orders(range(3)), ClosingRequest("c", "2026-01-20")]))
            expected = whereabouts(first.running("w"))
            second.programmes()
            until_roles(["settling", "standby"], first, second)
        until_roles(["settling"], second)

        assert expected == whereabouts(second.running("w"))


# ---------------------------------------------------------------- faults that end it


def test_a_journal_that_was_changed_is_not_settled_on(url: str) -> None:
    """What came after the checkpoint is decided again at a start; if it comes out otherwise this one stops, others go on."""
    with opened(url) as service:
        for name in ("sound", "changed"):
            service.create(name, MARKET)
            done(service.running(name).do(orders(range(3))))
    with opened(url) as service, connected(url) as connection:
        done(service.running("changed").do(orders(range(3, 6))))
        connection.execute("UPDATE journal SET amount[1] = amount[1] + 1 WHERE programme = 2 AND position = 6")
        cut_off(service.running("changed"), connection)
        until_roles(["broken"], service, name="changed", seconds=20)

        assert "decision 6" in service.running("changed").settler.fault
        assert {"sound": "settling", "changed": "broken"} == service.health().programmes
        assert not service.health().ready
        with pytest.raises(NotSettling):
            service.running("changed").do([order("more")])
        assert 1 == len(done(service.running("sound").do([order("more")])))


def test_our_own_mistake_stops_the_settler_and_leaves_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a fault that nobody foresaw nothing may be settled on top of it; a restart goes on from what was committed."""
    with running(url, MARKET) as programme:
        done(programme.do(orders(range(3))))
        expected = whereabouts(programme)
        with monkeypatch.context() as patch:
            patch.setattr(batch.Batch, "store", lambda self: done([self.mistake]))
            with pytest.raises(Failed):
                programme.do([order("unlucky")])
            with pytest.raises(NotSettling):
                insist_on_nothing(programme)

        assert "broken" == programme.settler.role
    with running(url, MARKET) as programme:
        assert expected == whereabouts(programme)
        assert [False] == [answer.repeated for answer in done(programme.do([order("unlucky")]))]


def insist_on_nothing(programme: Running) -> None:
    """Ask once more after the settler has stopped."""
    programme.settler._thread.join(20)
    programme.do([order("unlucky")])
