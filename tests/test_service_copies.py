"""Backups that a service takes of itself: whole, one at a time, for their owner only, and gone when they were not wanted."""

from __future__ import annotations

import stat
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import service_worlds as worlds
from service_worlds import MARKET, NOON, done, orders

from rangli.errors import NotFound, StoreError
from rangli.service import Service
from rangli.service.clock import SetClock
from rangli.service.work import copies
from rangli.service.work.copies import Copies
from rangli.store.backup import Progress, restore
from rangli.store.database import Database

house, url = worlds.house, worlds.url

NAME = "rangli-20260105-040000.backup"


@pytest.fixture
def service(url: str) -> Iterator[Service]:
    """A programme with a few orders."""
    with worlds.opened(url, SetClock(NOON)) as service:
        service.create("w", MARKET, secret=worlds.SECRET, hold_seconds=0)
        done(service.running("w").do(orders(range(10))))
        yield service


def taken(kept: Copies) -> str:
    """How taking one ended."""
    assert kept.start("Ann")
    kept.wait(60)
    copying = kept.copying()
    assert copying is not None
    return copying.state


def test_a_backup_taken_beside_the_settler_restores_to_the_same_journal(
    service: Service,
    tmp_path: Path,
    _servers: Any,  # noqa: ANN401, PT019 (the server with an empty database)
) -> None:
    """A backup that was never restored is a hope."""
    kept = Copies(service.database, service.clock, tmp_path / "backups")

    assert "done" == taken(kept)
    (copy,) = kept.list()
    path = kept.path(copy.name)
    assert (NAME, path.stat().st_size) == (copy.name, copy.bytes)

    empty = worlds.house_on(_servers("embedded").url)._create("template1")
    with Database(empty) as database:
        manifest = restore(database, path, lambda *_: None)
    worlds.house_on(_servers("embedded").url).drop(empty)

    assert [("w", 11, service.running("w").view().head)] == [(one.name, one.position, one.hash) for one in manifest.programmes]


def test_only_its_owner_can_read_it(service: Service, tmp_path: Path) -> None:
    """The secrets of all programmes are in it."""
    kept = Copies(service.database, service.clock, tmp_path / "backups")
    taken(kept)

    assert 0o700 == stat.S_IMODE((tmp_path / "backups").stat().st_mode)
    assert 0o600 == stat.S_IMODE(kept.path(NAME).stat().st_mode)


def slow(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """A backup goes on when the event is set, and tells its progress then."""
    go = threading.Event()

    def backup(_: Database, path: Path, progress: Progress) -> None:
        progress("journal", 1, 4)
        assert go.wait(20)
        progress("journal", 4, 4)
        path.write_bytes(b"")

    monkeypatch.setattr(copies, "backup", backup)
    return go


def test_one_is_taken_at_a_time_and_says_how_far_it_is(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two readings of everything at once help nobody."""
    go = slow(monkeypatch)
    kept = Copies(service.database, service.clock, tmp_path)
    assert kept.start("Ann")
    while (copying := kept.copying()) is not None and not copying.total:
        kept.wait(0)
    second = kept.start("Bob")
    go.set()
    kept.wait(20)
    ended = kept.copying()

    assert copying is not None
    assert ended is not None
    assert ("running", "Ann", 1, 4, False) == (copying.state, copying.by, copying.done, copying.total, second)
    assert ("done", "Ann") == (ended.state, ended.by)


def test_a_cancelled_one_leaves_nothing(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a backup must not be found by somebody in need of a whole one."""
    go = slow(monkeypatch)
    kept = Copies(service.database, service.clock, tmp_path)
    assert kept.start("Ann")
    kept.cancel()
    go.set()
    kept.wait(20)
    copying = kept.copying()

    assert copying is not None
    assert ("cancelled", [], []) == (copying.state, kept.list(), list(tmp_path.iterdir()))


def test_one_that_fails_says_why(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is told where somebody reads it."""

    def refused(*_: object) -> None:
        raise StoreError("磁盘满了", "the disk is full")

    monkeypatch.setattr(copies, "backup", refused)
    kept = Copies(service.database, service.clock, tmp_path)
    state, copying = taken(kept), kept.copying()

    assert copying is not None
    assert ("failed", "磁盘满了", "the disk is full") == (state, copying.zh, copying.en)


@pytest.mark.parametrize("name", ["../secrets", "/etc/passwd", "rangli-20260105-040001.backup", "", "notes.txt"])
def test_only_backups_are_handed_out(service: Service, tmp_path: Path, name: str) -> None:
    """A name in an address is no path."""
    (tmp_path / "notes.txt").write_text("mine", encoding="ascii")
    kept = Copies(service.database, service.clock, tmp_path)
    taken(kept)
    with pytest.raises(NotFound):
        kept.path(name)
    with pytest.raises(NotFound):
        kept.remove(name)

    assert [NAME] == [copy.name for copy in kept.list()]
    assert (tmp_path / "notes.txt").exists()


def test_without_a_folder_they_go_with_the_service(service: Service) -> None:
    """What nobody would find again must not lie about."""
    kept = Copies(service.database, service.clock)
    taken(kept)
    folder = kept.path(NAME).parent
    kept.close()

    assert not kept.is_keeping
    assert not folder.exists()


def test_with_a_folder_they_are_there_after_a_restart(service: Service, tmp_path: Path) -> None:
    """And one that somebody removed is gone."""
    kept = Copies(service.database, service.clock, tmp_path)
    taken(kept)
    kept.close()
    again = Copies(service.database, service.clock, tmp_path)

    assert again.is_keeping
    assert [NAME] == [copy.name for copy in again.list()]
    assert zipfile.is_zipfile(again.path(NAME))
    again.remove(NAME)
    assert [] == again.list()


def test_a_service_that_keeps_what_jobs_leave_keeps_its_backups_there(url: str, tmp_path: Path) -> None:
    """A folder beside the cluster would make ours look like somebody else's when the cluster is gone, and a backup is needed."""
    with Service.open(Database(url), clock=SetClock(NOON), jobs_folder=tmp_path) as service:
        assert "done" == taken(service.copies)

    assert [NAME] == [path.name for path in (tmp_path / "backups").iterdir()]
