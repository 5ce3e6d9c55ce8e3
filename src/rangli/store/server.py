"""The embedded PostgreSQL: a server of our own in a folder of ours, reached by a socket only.

Three locks in ``run`` hold it together. The kernel keeps them, and drops each with the last process that has it open, however
that process ended.

turn    whoever starts, makes or stops the server; a program that makes the cluster holds it too, and so outlives us unharmed
alive   every process of the server, by inheritance: while it is taken something of the server lives, once it is free nothing does
users   all who use the server, together; the last one to leave stops it
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Final, NamedTuple, Self, TypeVar
from urllib.parse import quote

import psycopg

from rangli.errors import FolderRefused, FolderTaken, ServerFailed
from rangli.store.places import (
    SOCKET_NAME,
    Place,
    Runner,
    binaries,
    default_data,
    need_version,
    open_ours,
    own,
    prepare,
    programs_for,
    runner_of,
)

__all__ = ["EmbeddedServer", "ServerState", "binaries", "default_data", "state_of"]

ROLE: Final = "rangli"
DATABASE: Final = "rangli"

SETTINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "listen_addresses": "",  # the socket is the only door
        "unix_socket_permissions": "0700",  # the folder is closed already; this is the second lock
        "cluster_name": ROLE,  # shown by ps
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_error_verbosity": "terse",  # the detail of an error may quote a row, and the log is no place for personal data
        "log_min_error_statement": "panic",  # the same, of a statement
    }
)
"""What differs from PostgreSQL's defaults. Nothing here touches durability: fsync, full pages and synchronous commit stay on."""
MAKING: Final = ("--username", ROLE, "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--data-checksums")
"""How a cluster is made. Locale C sorts by bytes, on every system and in every version of its libraries."""
WAIT_SECONDS_MAX: Final = 300
"""For a start, with recovery after a crash, and for a stop, with the checkpoint before it."""
ANSWER_SECONDS_MAX: Final = 10
ENDING_SECONDS_MAX: Final = 5
"""From the moment in which a dying process lets go of its locks to that in which it is gone."""
PAUSE: Final = timedelta(milliseconds=5)


class ServerState(NamedTuple):
    """What there is in a data folder."""

    data: Path
    version: str
    """Major version of the cluster, as "16"; empty when there is none yet."""
    user: str
    """Whose the cluster is, or would be."""
    size_bytes: int
    pid: int | None
    """The server's process if it runs."""


class EmbeddedServer:
    """One use of the server of a data folder. It runs as long as anybody uses it; the last to leave stops it."""

    url: str
    """For libpq and psycopg; SQLAlchemy wants postgresql+psycopg:// before it."""
    version: str
    """As "16.14"."""

    def __init__(self, place: Place, runner: Runner, programs: Path, version: str, settings: Mapping[str, str]) -> None:
        self.place = place
        self.version = version
        self._runner = runner
        self._programs = programs
        self._settings = settings
        self._users: _Lock | None = None

    @classmethod
    def start(
        cls, data: Path, *, bin_folder: Path | None = None, settings: Mapping[str, str] = MappingProxyType({})
    ) -> EmbeddedServer:
        """Starts the server of a folder, which is made if it is missing or empty, or joins those who use it already.

        ``bin_folder`` has other PostgreSQL programs than ours; ``settings`` add to SETTINGS, and only who starts it sets them.
        Raises ServerRefused, and says what would be right.
        """
        place = Place(data.expanduser().resolve())
        with _faults_of_the_system(place):
            runner = runner_of(place)
            programs, version = programs_for(runner, bin_folder)
            prepare(place, runner)
        server = cls(place, runner, programs, version, {**SETTINGS, **settings})
        server.revive()
        return server

    def revive(self) -> None:
        """Starts the server again if it died; its address stays. Does nothing while it is well."""
        with _faults_of_the_system(self.place), _turn(self.place, self._runner) as turn:
            if self._users is None:
                self._users = _Lock(self.place.run.joinpath("users"), self._runner)
                assert self._users.try_take(shared=True), "only who has the turn takes it alone"
            try:
                if not self.place.cluster.exists():
                    self._make_cluster(turn)
                need_version(self.place, self.version)
                self.url = self._launch()
            except BaseException:
                self._users.close()
                self._users = None
                raise

    def stop(self) -> None:
        """Leaves the server, and stops it if nobody else uses it. A second call does nothing."""
        if self._users is None:
            return
        with _faults_of_the_system(self.place), _turn(self.place, self._runner):
            try:
                if self._users.try_take():
                    _shut_down(self.place, self._runner)
            finally:
                self._users.close()
                self._users = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    # ------------------------------------------------------------ making

    def _make_cluster(self, turn: _Lock) -> None:
        """Makes the cluster with its database beside its place and renames it: what is there is whole."""
        draft = self.place.draft
        if draft.exists():
            shutil.rmtree(draft)  # of one who was killed; nobody is at it, for its programs would hold the turn
        own(draft, self._runner)
        self._run(turn, "initdb", "--pgdata", str(draft), *MAKING)
        self._run(turn, "postgres", "--single", "-D", str(draft), "postgres", said=f"CREATE DATABASE {DATABASE}\n")
        draft.rename(self.place.cluster)
        folder = os.open(self.place.data, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def _run(self, turn: _Lock, program: str, *arguments: str, said: str = "") -> None:
        """Runs one of PostgreSQL's programs to its end."""
        ran = subprocess.run(  # noqa: S603 - PostgreSQL's own program
            [self._programs.joinpath(program), *arguments],
            check=False,
            input=said,
            capture_output=True,
            text=True,
            pass_fds=[turn.number],
            **self._runner.identity(),
        )
        # A single-user server says that a statement failed, and ends as if it had not.
        if ran.returncode or "ERROR:" in ran.stderr:
            raise _failed(ran.stderr, ran.returncode)

    # ------------------------------------------------------------ starting

    def _launch(self) -> str:
        """The address of the server that runs, or of one that is started now."""
        alive = _Lock(self.place.run.joinpath("alive"), self._runner)
        try:
            found = _awaited(lambda: _NOBODY if alive.try_take() else _answering(self.place))
            if found is None:
                raise FolderTaken(
                    self.place.data,
                    "的 PostgreSQL 在运行但不应答;请结束它的进程再试",
                    "has a PostgreSQL that runs and does not answer; end its processes and try again",
                )
            return found or self._started(alive)
        finally:
            alive.close()  # what we started holds it now

    def _started(self, alive: _Lock) -> str:
        """Starts the server, and answers with its address once it accepts."""
        _drop_stale_locks(self.place)
        process = self._spawned(alive)
        url = None
        try:
            # While it recovers after a crash it accepts nobody; when it cannot start it ends.
            url = _awaited(lambda: _NOBODY if process.poll() is not None else _answering(self.place))
        finally:
            if not url:
                process.send_signal(signal.SIGINT)
            # Somebody must take note of its end, or its number stays in use and PostgreSQL believes that it lives.
            threading.Thread(target=process.wait, name="postgresql-end", daemon=True).start()
        if not url:
            said = self.place.log.read_text(encoding="utf-8", errors="replace")
            raise _failed(said, process.returncode, self.place.log)
        return url

    def _spawned(self, alive: _Lock) -> subprocess.Popen[bytes]:
        """The server's first process, in a session of its own, so that Ctrl-C in our terminal is not for it."""
        with suppress(FileNotFoundError):
            self.place.log.replace(self.place.log.with_name(f"{self.place.log.name}.1"))
        folder = self.place.socket_folder()
        own(folder, self._runner)
        quoted = str(folder).replace('"', '""')
        settings = {**self._settings, "unix_socket_directories": f'"{quoted}"'}
        log = open_ours(self.place.log, os.O_WRONLY | os.O_APPEND, self._runner)
        try:
            return subprocess.Popen(  # noqa: S603 - PostgreSQL's own program
                [
                    self._programs.joinpath("postgres"),
                    "-D",
                    self.place.cluster,
                    *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=[alive.number],
                **self._runner.identity(),
            )
        finally:
            os.close(log)


def state_of(data: Path) -> ServerState:
    """What there is in a data folder, without starting or changing anything."""
    place = Place(data.expanduser().resolve())
    with _faults_of_the_system(place):
        runner = runner_of(place)
        if not place.cluster.exists():
            return ServerState(place.data, "", runner.name(), 0, None)
        version = place.cluster.joinpath("PG_VERSION").read_text(encoding="ascii").strip()
        size_bytes = 0
        for folder, _, files in os.walk(place.cluster):
            for name in files:
                with suppress(FileNotFoundError):  # PostgreSQL makes and removes files all the time
                    size_bytes += Path(folder, name).lstat().st_size
        said = _said(place) if _answering(place) is not None else None
        return ServerState(place.data, version, runner.name(), size_bytes, said.pid if said is not None else None)


# ---------------------------------------------------------------- locks


class _Lock:
    """A lock on a file: held until it is closed here and in every process that inherited it, however they end."""

    def __init__(self, path: Path, runner: Runner) -> None:
        self.number = open_ours(path, os.O_RDONLY, runner)

    def try_take(self, *, shared: bool = False) -> bool:
        """Takes it alone, or together with others, if that is possible now."""
        try:
            fcntl.flock(self.number, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Lets go of it; who inherited it holds on."""
        os.close(self.number)


@contextmanager
def _turn(place: Place, runner: Runner) -> Iterator[_Lock]:
    """One at a time starts, makes or stops the server of a folder."""
    turn = _Lock(place.run.joinpath("turn"), runner)
    try:
        if not _awaited(lambda: turn.try_take() or None):
            raise FolderTaken(
                place.data,
                f"已被另一个进程启动或停止了 {WAIT_SECONDS_MAX} 秒;请结束该进程再试",
                f"is being started or stopped by another process for {WAIT_SECONDS_MAX} s; end that process and try again",
            )
        yield turn
    finally:
        turn.close()


_Answer = TypeVar("_Answer")


def _awaited(ask: Callable[[], _Answer | None], seconds_max: int | None = None) -> _Answer | None:
    """The first answer, or None when there is none in all that time."""
    end = time.monotonic() + (WAIT_SECONDS_MAX if seconds_max is None else seconds_max)
    while (answer := ask()) is None and time.monotonic() < end:
        time.sleep(PAUSE.total_seconds())
    return answer


@contextmanager
def _faults_of_the_system(place: Place) -> Iterator[None]:
    """What the system does not let us do in a data folder, as a refusal of ours."""
    try:
        yield
    except OSError as fault:
        where, why = fault.filename or place.data, fault.strerror or str(fault)
        raise FolderRefused(
            place.data,
            f"不能使用({where}:{why});请放开权限或腾出空间,或用 --data 另选一个目录",
            f"cannot be used ({where}: {why}); open it or make room, or choose another folder with --data",
        ) from fault


# ---------------------------------------------------------------- the server's own words


_NOBODY: Final = ""
"""The address where no server is."""


class _Said(NamedTuple):
    """What a server writes into its postmaster.pid."""

    pid: int
    socket_folder: str
    is_ready: bool


def _said(place: Place) -> _Said | None:
    """The lines of postmaster.pid that we need; None when it is missing or being written."""
    try:
        lines = place.cluster.joinpath("postmaster.pid").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return None
    if len(lines) < 8:  # noqa: PLR2004 - process, folder, time, port, socket, address, memory, status
        return None
    return _Said(int(lines[0]), lines[4], lines[7].strip() == "ready")


def _address(socket_folder: str, database: str) -> str:
    """For libpq; with the port, or the environment would choose one."""
    return f"postgresql://{ROLE}@/{database}?host={quote(socket_folder, safe='')}&port=5432"


def _answering(place: Place) -> str | None:
    """The address of the folder's server if it lets us in."""
    said = _said(place)
    # While it starts it would refuse us, and write that into its log each time.
    if said is None or not said.is_ready:
        return None
    try:
        psycopg.connect(_address(said.socket_folder, "postgres"), connect_timeout=ANSWER_SECONDS_MAX).close()
    except psycopg.OperationalError:
        return None
    return _address(said.socket_folder, DATABASE)


def _at_work(place: Place) -> set[int] | None:
    """The processes at work in the cluster, as all of a server are; None where the system does not tell."""
    if not Path("/proc/self/cwd").exists():
        return None
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is another user's, who could not open the cluster
            if process.joinpath("cwd").readlink() == place.cluster:
                found.add(int(process.name))
    return found


def _drop_stale_locks(place: Place) -> None:
    """Removes what a server that was killed has left, for which PostgreSQL might not start.

    PostgreSQL's own locks are files with the number of a process, and count for it as long as any process of its user has that
    number: one that is ending, that nobody has taken note of, or that got the number later. We know better: nothing of a server
    that we started lives, or ``alive`` would not be ours, and whether somebody started one by hand the system can tell.
    """
    locks = (place.cluster.joinpath("postmaster.pid"), place.socket_folder().joinpath(f"{SOCKET_NAME}.lock"))
    if not any(lock.exists() for lock in locks):
        return
    by_hand = _answering(place) is not None
    if by_hand or not _awaited(lambda: not _at_work(place) or None, ENDING_SECONDS_MAX):
        raise FolderTaken(
            place.data,
            f"的 PostgreSQL 由别的程序启动(进程 {sorted(_at_work(place) or ())});请先停止它",
            f"has a PostgreSQL that another program started (processes {sorted(_at_work(place) or ())}); stop that first",
        )
    if _at_work(place) is not None:
        for lock in locks:
            lock.unlink(missing_ok=True)


def _shut_down(place: Place, runner: Runner) -> None:
    """A clean stop: open transactions are rolled back, all that was committed is written, and every process has ended."""
    alive = _Lock(place.run.joinpath("alive"), runner)
    try:
        if alive.try_take():
            return  # it died before
        said, at_work = _said(place), _at_work(place)
        if said is not None and (at_work is None or said.pid in at_work):
            with suppress(ProcessLookupError):
                os.kill(said.pid, signal.SIGINT)
        if not _awaited(lambda: alive.try_take() or None):
            seconds = WAIT_SECONDS_MAX
            raise ServerFailed(
                f"{seconds} 秒后仍未停止,请稍候", f"it is still stopping after {seconds} s; wait for it", place.log
            )
        if place.socket_folder() != place.run:
            with suppress(OSError):  # somebody else's temporary folder may be another one
                place.socket_folder().rmdir()
    finally:
        alive.close()


def _failed(said: str, status: int | None, log: Path | None = None) -> ServerFailed:
    """The refusal for a program that failed: the last that it calls fatal or an error, or else the last that it said."""
    if status is not None and status < 0:  # it could not say why
        return ServerFailed(f"被信号 {-status} 终止;请再启动一次", f"killed by signal {-status}; start it again", log)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    faults = [line for line in lines if any(word in line for word in ("FATAL:", "PANIC:", "ERROR:", "error:", "child process"))]
    reason = (faults or lines or [f"status {status}"])[-1]
    return ServerFailed(reason, reason, log)
