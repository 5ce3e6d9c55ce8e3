"""Databases for tests: servers in folders that are gone afterwards, and for each test a database of its own.

A plugin of pytest (conftest.py names it), so every test may ask for ``data_folder``, ``made_folder`` and ``database_url``.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from itertools import count
from pathlib import Path
from typing import TypeVar

import psycopg
import pytest

from rangli.store.server import EmbeddedServer

SERVERS = ("embedded", "debian")
"""Ours, and Debian's own when it is installed."""
DEBIAN = Path("/usr/lib/postgresql")
VERSION_MIN = 15
FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
"""For data that nobody needs again. What a test says about durability it must not say about this."""
MEMORY = Path("/dev/shm")  # noqa: S108 - folders in it have names of their own
MEMORY_BYTES_MIN = 2**30
"""A file system in memory makes the thousand files of a cluster several times sooner; a container's may be tiny."""
PATIENCE_SECONDS = 10
"""For what takes a moment, on a machine that has other things to do."""
_numbers = count(1)
T = TypeVar("T")


def debian_binaries() -> Path | None:
    """The programs of Debian's newest PostgreSQL, if one is installed that we support."""
    versions = [int(path.name) for path in DEBIAN.glob("*") if path.name.isdecimal() and path.joinpath("bin", "initdb").exists()]
    newest = max(versions, default=0)
    return DEBIAN / str(newest) / "bin" if newest >= VERSION_MIN else None


def bin_folder_of(kind: str) -> Path | None:
    """The programs of one of SERVERS, None for ours; skips the test when there are none."""
    found = None if kind == "embedded" else debian_binaries()
    if kind != "embedded" and found is None:
        pytest.skip(f"no PostgreSQL {VERSION_MIN} or later in {DEBIAN}; apt-get install postgresql")
    return found


# ---------------------------------------------------------------- questions


def ask(url: str, question: str) -> str:
    """The one value that a database answers with, as text."""
    with psycopg.connect(url) as connection:
        row = connection.execute(question.encode()).fetchone()
    assert row is not None
    return str(row[0])


def note(url: str, text: str) -> None:
    """Commits one line of text."""
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS note (text text)")
        connection.execute("INSERT INTO note VALUES (%s)", [text])


def notes(url: str) -> str:
    """All that was noted."""
    return ask(url, "SELECT string_agg(text, ' ' ORDER BY text) FROM note")


# ---------------------------------------------------------------- folders and processes

_ORPHANED = """
read -r _
how=INT
while test -d "$0"; do
    for found in $(grep -lsF -- "$0" /proc/[0-9]*/cmdline); do
        process=${found#/proc/}; process=${process%/cmdline}
        test "$process" = "$$" || kill -s "$how" "$process"
    done
    sleep 0.3
    test "$how" = INT || rm -rf "$0"
    how=KILL
done
"""
"""Waits for the end of its input, which comes when the test's process has ended, however; ends and removes what is left then."""


@contextmanager
def scratch(*, on_disk: bool = False) -> Iterator[Path]:
    """An empty folder that a server of another user can reach; afterwards neither it is there nor a process at work in it."""
    has_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MEMORY_BYTES_MIN
    folder = Path(tempfile.mkdtemp(prefix="rangli-test-", dir=MEMORY if has_memory and not on_disk else None))
    folder.chmod(0o711)  # pytest's own folders are closed to all but root when root runs the tests
    quiet = subprocess.DEVNULL
    with subprocess.Popen(
        ["/bin/sh", "-c", _ORPHANED, folder], stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, start_new_session=True
    ):
        try:
            yield folder
        finally:
            while processes := processes_in(folder):  # one of them may have started another meanwhile
                end(processes)
            shutil.rmtree(folder)


def contents(folder: Path) -> list[str]:
    """The names of all that is in a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def processes_in(folder: Path) -> list[int]:
    """The processes at work in a folder, as all of a server are in its cluster."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if process.joinpath("cwd").readlink().is_relative_to(folder):
                found.append(int(process.name))
    return found


def left_in(folder: Path) -> list[int]:
    """The processes that stay at work in a folder; without those that end, which are there a moment longer than their locks."""
    until = time.monotonic() + PATIENCE_SECONDS
    while (found := processes_in(folder)) and time.monotonic() < until:
        time.sleep(0.005)
    return found


def seen_of(processes: list[int], look: Callable[[Path], T]) -> list[T]:
    """What was seen of each process in the system's own notes; without those that ended meanwhile, as a server's workers do."""
    seen = []
    for process in processes:
        with suppress(FileNotFoundError, ProcessLookupError):
            seen.append(look(Path(f"/proc/{process}")))
    return seen


def end(processes: list[int]) -> None:
    """Ends processes at once, as a power cut would, and waits until they are gone."""
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    while any(_lives(process) for process in processes):
        time.sleep(0.005)


def _lives(process: int) -> bool:
    """Whether a process is there and not merely waiting to be taken note of."""
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


# ---------------------------------------------------------------- fixtures


@pytest.fixture
def data_folder() -> Iterator[Path]:
    """Where a server may keep its data; not there yet. Its server is durable unless the test says otherwise."""
    with scratch() as folder:
        yield folder / "data"


@pytest.fixture(scope="session")
def _pristine() -> Iterator[Path]:
    """A data folder that no test touches."""
    with scratch() as folder:
        EmbeddedServer.start(folder / "data").stop()
        yield folder / "data"


@pytest.fixture
def made_folder(_pristine: Path, data_folder: Path) -> Path:
    """A data folder with a cluster in it, as after a first start and a stop, but sooner there."""
    subprocess.run(["/bin/cp", "-a", _pristine, data_folder], check=True)
    return data_folder


@pytest.fixture(scope="session")
def _servers() -> Iterator[Callable[[str], EmbeddedServer]]:
    """One server of each kind, started when the first test wants it."""
    with ExitStack() as until_the_end:

        @cache
        def server(kind: str) -> EmbeddedServer:
            bin_folder = bin_folder_of(kind)
            folder = until_the_end.enter_context(scratch())
            return until_the_end.enter_context(EmbeddedServer.start(folder / "data", bin_folder=bin_folder, settings=FAST))

        yield server


@pytest.fixture(params=SERVERS)
def database_url(request: pytest.FixtureRequest, _servers: Callable[[str], EmbeddedServer]) -> Iterator[str]:
    """A fresh, empty database, once on each kind of server; fast, not durable."""
    server = _servers(request.param)
    name = f"test_{next(_numbers)}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        yield server.url.replace("/rangli?", f"/{name}?", 1)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
