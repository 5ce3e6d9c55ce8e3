"""A service among others and on a fresh machine: it finds what they create, and makes no caller wait for a compiler."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
import service_worlds
from cli_runs import SLOW_LANE
from service_worlds import NOON, SECRET, TABLES, connected, done, order, orders, running
from web_worlds import until

from rangli.service import Service
from rangli.service.clock import SetClock, rfc3339
from rangli.service.settling.settler import SETTLING
from rangli.store import programmes
from rangli.store.database import Connection, Database

house = service_worlds.house
url = service_worlds.url


@contextmanager
def process(url: str, *, rehearsing: bool = False) -> Iterator[Service]:
    """A service as another process has it: what it shares with others is the database."""
    with Database(url) as database, Service.open(database, clock=SetClock(NOON), rehearsing=rehearsing) as service:
        yield service


# ---------------------------------------------------------------- programmes of other processes


def test_what_another_process_creates_is_found_and_taken_over_without_being_named(database_url: str) -> None:
    """A standby that nobody asks stands by all the same: when the first process ends, its programmes go on."""
    with process(database_url) as standby:
        with process(database_url) as first:
            first.create("new", "weituanbao", secret=SECRET)
            [answer] = done(first.running("new").do([order("o1")]))
            until(lambda: standby.health().programmes == {"new": "standby"})
            assert {"new": "settling"} == first.health().programmes
        until(lambda: standby.health().programmes == {"new": "settling"})

        assert 2 == answer.position == standby.running("new").position()


def test_a_creation_is_answered_when_another_process_settles_it_sooner(url: str) -> None:
    """Whoever creates a programme need not be who settles it; an answer after a minute, and a refusal, would be a lie."""
    with connected(url) as sooner, process(url) as service:
        sooner.execute("SELECT pg_advisory_lock(%s, 1)", [SETTLING])
        view = service.create("new", "weituanbao")

        assert ("new", "standby", 1) == (view.name, view.role, programmes.programmes(sooner)[0].number)


def test_the_search_for_programmes_outlives_a_lost_connection(url: str) -> None:
    """A database that restarts must not end it for good."""
    with process(url) as service, connected(url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name LIKE 'rangli%' AND datname = current_database()"
        )
        with process(url) as other:
            other.create("new", "weituanbao")
            until(lambda: "new" in service.health().programmes)


# ---------------------------------------------------------------- compiling beforehand


def test_a_programme_is_warming_until_its_rehearsal_is_over(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who watches /readyz sends no order that would wait a quarter of a minute; who sends one all the same is answered."""
    go, seen = threading.Event(), []

    def rehearse(connection: Connection, plan: programmes.PlanRow) -> None:
        seen.append((connection.closed, plan.name))
        assert go.wait(20)

    monkeypatch.setattr("rangli.service.running.rehearse", rehearse)
    with process(url, rehearsing=True) as service:
        service.create("new", "zengzhi")
        before = service.health()
        done(service.running("new").do([order("o1")]))
        assert not service.wait_rehearsed(0)
        go.set()
        assert service.wait_rehearsed(20)
        after = service.health()

    assert ((False, {"new": "warming"}), (True, {"new": "settling"})) == tuple((h.ready, h.programmes) for h in (before, after))
    assert [(False, "zengzhi")] == seen


def test_a_rehearsal_that_fails_is_told_and_stops_nothing(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is there for speed; a service that refused to serve for want of speed would be slower still."""

    def rehearse(_: Connection, plan: programmes.PlanRow) -> None:
        raise psycopg.OperationalError(plan.name)

    monkeypatch.setattr("rangli.service.running.rehearse", rehearse)
    with process(url, rehearsing=True) as service:
        service.create("new", "weituanbao")
        assert service.wait_rehearsed(20)

        assert service.health().ready
        assert ["programme new was not rehearsed; its first order may take longer"] == [
            record.getMessage() for record in caplog.records if record.name == "rangli.service"
        ]


def test_a_rehearsal_leaves_no_trace(url: str) -> None:
    """It decides like any settler, and what it decides is nobody's."""
    with process(url) as service, connected(url) as connection:
        for plan in ("weituanbao", "moudian", "zengzhi"):
            service.create(plan, plan)
        before = {name: connection.execute(f"TABLE {name}".encode()).fetchall() for name in TABLES}
        for plan in ("weituanbao", "moudian", "zengzhi"):
            service.running(plan).rehearsed.clear()
            service.running(plan).rehearse()

        assert before == {name: connection.execute(f"TABLE {name}".encode()).fetchall() for name in TABLES}
        assert {1} == {service.running(plan).position() for plan in ("weituanbao", "moudian", "zengzhi")}


PROGRAM = """
import gc, sys
from numba.core.registry import CPUDispatcher
from rangli.service import Service
from rangli.service.requests import OrderRequest, RefundRequest
from rangli.store.database import Database

def compiled():
    kernels = [one for one in gc.get_objects() if isinstance(one, CPUDispatcher)]
    return {(one.__module__, one.__name__, sign) for one in kernels for sign in one.signatures}

with Database(sys.argv[1]) as database, Service.open(database, rehearsing=True) as service:
    for plan in sys.argv[2:]:
        service.create(plan, plan)
    assert service.wait_rehearsed(300)
    before = compiled()
    for plan in sys.argv[2:]:
        facts = "2026-01-05 12:00:00", "面馆", "张三", "100", "20%"
        orders = [OrderRequest(f"o{n}", *facts, referrer="阿姨", recruiter="merchant:老王") for n in range(3)]
        answers = service.running(plan).do([*orders, RefundRequest("r", "o1", "10"), OrderRequest("last", *facts)])
        assert {"done"} == {answer.status for answer in answers}, answers
    print(len(before), sorted({(module, name) for module, name, _ in compiled() - before}))
"""


@pytest.mark.skipif(SLOW_LANE, reason="nothing is compiled in this lane")
def test_after_a_rehearsal_orders_and_refunds_compile_nothing(url: str) -> None:
    """The first customer of a fresh machine waited a quarter of a minute; each plan has kernels of its own."""
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, url, "weituanbao", "moudian", "zengzhi"], capture_output=True, text=True, check=False
    )

    assert 0 == ran.returncode, ran.stderr
    kernels, _, later = ran.stdout.partition(" ")
    assert int(kernels) > 20
    assert "[]\n" == later


def test_decisions_are_in_the_order_of_their_times_though_the_clock_is_set_back(url: str) -> None:
    """Whoever looks for a day looks between two decisions; a restart does not forget when the last one was."""
    hour = 3_600 * 10**6
    instants = []
    for number, now in enumerate((NOON, NOON - hour, NOON + hour)):
        with running(url, clock=SetClock(now)) as programme:
            done(programme.do(orders([number])))
            instants.append(programme.decisions(0, 100)[-1].decided_at)

    assert [rfc3339(now) for now in (NOON, NOON, NOON + hour)] == instants
