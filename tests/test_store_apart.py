"""A scan by another process says what a scan by this one says, and leaves nobody behind."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest
import service_worlds
from service_worlds import connected, done, orders, running

from rangli.store import apart, journal
from rangli.store.apart import Scan, scan_apart, see
from rangli.store.database import Connection

house = service_worlds.house
url = service_worlds.url

pytestmark = pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="looks at processes in /proc")

COUNT = 40


@pytest.fixture
def moment(url: str) -> Iterator[tuple[Connection, str]]:
    """A connection that sees forty orders, and the name of that moment; by now there are more."""
    with running(url) as programme, connected(url) as connection:
        done(programme.do(orders(range(COUNT))))
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        [(snapshot,)] = connection.execute("SELECT pg_export_snapshot()").fetchall()
        done(programme.do(orders(range(COUNT, COUNT + 5))))
        yield connection, snapshot


def children() -> set[int]:
    """Processes of ours that read."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = int(process.joinpath("stat").read_text("ascii", "replace").rpartition(")")[2].split()[1])
            if parent == os.getpid() and apart.__name__.encode() in process.joinpath("cmdline").read_bytes():
                found.add(int(process.name))
    return found


def test_the_blocks_are_those_of_a_scan_here_and_none_goes_past_a_bound(url: str, moment: tuple[Connection, str]) -> None:
    """Whoever compares at a checkpoint must come to stand there; and what was written since is not seen."""
    connection, snapshot = moment
    bounds = [0, 7, 8, 30, COUNT + 1]
    there = list(scan_apart(Scan(url, snapshot, 1, bounds)))
    here = [block for after, upto in pairwise(bounds) for block in journal.scan(connection, 1, after, upto)]

    assert [7, 1, 22, 11] == [len(ends) - 1 for _, ends in there]
    assert [(data.tobytes(), ends.tolist()) for data, ends in here] == [(data.tobytes(), ends.tolist()) for data, ends in there]


def test_readers_take_turns_and_nobody_sees_it(url: str, moment: tuple[Connection, str]) -> None:
    """More spans than readers, and some of them without a row: whoever counts rows finds what is missing."""
    connection, _ = moment
    connection.execute("ROLLBACK")
    connection.execute("DELETE FROM journal WHERE position BETWEEN 8 AND 15")
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    [(snapshot,)] = connection.execute("SELECT pg_export_snapshot()").fetchall()
    there = list(scan_apart(Scan(url, snapshot, 1, [0, 7, 15, 20, 21, 22, 30])))

    assert [7, 5, 1, 1, 8] == [len(ends) - 1 for _, ends in there]


def test_what_goes_wrong_there_is_told_here(url: str) -> None:
    """A scan that ended early must not look like a short journal."""
    with pytest.raises(psycopg.OperationalError, match="snapshot"):
        list(scan_apart(Scan(url, "no such moment", 1, [0, 9])))


def test_a_reader_that_dies_is_noticed(url: str, moment: tuple[Connection, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """However it ends: killed, or unable to start."""
    monkeypatch.setattr(apart.sys, "executable", "/bin/false")
    with pytest.raises(psycopg.OperationalError, match="has ended"):
        list(scan_apart(Scan(url, moment[1], 1, [0, 9])))


def test_who_stops_listening_leaves_no_process(url: str, moment: tuple[Connection, str]) -> None:
    """Verify ends at the first difference, with most of the journal unread."""
    with closing(scan_apart(Scan(url, moment[1], 1, [0, 1, COUNT]))) as blocks:
        next(blocks)

        assert children()
    assert set() == children()


def test_seeing_a_moment_that_is_over_is_refused(url: str) -> None:
    """Rows of two moments side by side would look like a fault of the journal."""
    with connected(url) as connection, pytest.raises(psycopg.Error):
        see(connection, "00000003-0000001B-1")


def test_its_address_does_not_stand_among_the_processes(url: str, moment: tuple[Connection, str]) -> None:
    """It may hold a password, and any user of the machine can read arguments."""
    with closing(scan_apart(Scan(url, moment[1], 1, [0, 1, COUNT]))) as blocks:
        next(blocks)
        words = [Path(f"/proc/{child}/cmdline").read_text("utf-8") for child in children()]

    assert {f"{sys.executable}\0-m\0{apart.__name__}\0"} == set(words)
