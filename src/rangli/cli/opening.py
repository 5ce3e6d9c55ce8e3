"""What commands on a live service open: its database, the journals in it, and a programme, here or through the API.

The database is the one that RANGLI_DATABASE_URL names, or the embedded one in a folder; ``--data`` names the folder, and goes
before the environment.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

from rangli.cli import lane
from rangli.errors import (
    DatabaseUnreachable,
    FolderRefused,
    InputRefused,
    NotSettling,
    ProgrammeNotFound,
    RangliError,
    Unavailable,
)

if TYPE_CHECKING:
    from rangli.client import ApiRefused, ProgrammeClient
    from rangli.service import Running
    from rangli.store.database import Database
    from rangli.store.server import EmbeddedServer

DATABASE_URL: Final = "RANGLI_DATABASE_URL"
WATCH_SECONDS: Final = 1
"""How often a command that waits for its turn to settle asks whether it waits for nothing."""
PATIENCE_SECONDS: Final = 60
"""How long an import waits for a service that starts again."""


class Opened(NamedTuple):
    """A database, and the embedded server that it is in, if it is."""

    database: Database
    server: EmbeddedServer | None

    @property
    def shown(self) -> str:
        """Where it is, for people."""
        return self.database.shown if self.server is None else str(self.server.place.data)

    @property
    def lab(self) -> Path | None:
        """Where runs of the lab are kept; a database that is not ours has no folder for them."""
        return None if self.server is None else self.server.place.lab


@contextmanager
def opened(data: Path | None, *, make: bool = False, migrate: bool = True) -> Iterator[Opened]:
    """The database for as long as this lasts; its server, if it is ours, is started again should it die meanwhile.

    make    : a folder without data gets an empty database; else that is refused, for somebody mistook the folder
    migrate : bring its schema up to date
    Raises StoreError, DatabaseUnreachable; the latter also when the database goes away or gives up meanwhile.
    """
    import psycopg

    with _interruptible(), _found(data, make=make) as it:
        try:
            if migrate:
                it.database.migrate()
            yield it
        except psycopg.OperationalError as fault:
            why = " ".join(str(fault).split())
            raise DatabaseUnreachable(
                f"数据库 {it.shown} 没有完成:{why};请执行 rangli doctor",
                f"the database {it.shown} could not go on: {why}; run rangli doctor",
            ) from fault


@contextmanager
def _found(data: Path | None, *, make: bool) -> Iterator[Opened]:
    from rangli.store.database import Database
    from rangli.store.server import EmbeddedServer

    url = os.environ.get(DATABASE_URL, "")
    if data is None and url:
        with Database(url) as database:
            yield Opened(database, None)
        return
    folder = data_folder(data)
    if not make and not has_data(folder):
        raise FolderRefused(
            folder,
            "里还没有数据;请先执行 rangli serve 或 rangli programme create,或用 --data 另选一个目录",
            "has no data yet; begin with rangli serve or rangli programme create, or choose another folder with --data",
        )
    with EmbeddedServer.start(folder) as server, Database(server.url, server.revive) as database:
        yield Opened(database, server)


def data_folder(data: Path | None) -> Path:
    """The folder asked for, or the one that there is when nobody asks."""
    from rangli.store.server import default_data

    return default_data() if data is None else data


def again(data: Path | None) -> str:
    """How the next command names the same folder."""
    return "" if data is None else f" --data {data}"


def has_data(folder: Path) -> bool:
    """Whether an embedded server has begun there."""
    from rangli.store.places import Place

    return Place(folder.expanduser().resolve()).cluster.exists()


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM, and the end of the terminal, act as Ctrl-C does, so that what is open is closed; what is ignored stays ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {signal.SIGTERM: _interrupt, signal.SIGHUP: _hang_up}
    heard = {number: handler for number, handler in handlers.items() if signal.getsignal(number) is not signal.SIG_IGN}
    before = {number: signal.signal(number, handler) for number, handler in heard.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _hang_up(*_: object) -> None:
    """As SIGTERM, for which whoever runs meanwhile (the API) may have a handler of its own."""
    signal.raise_signal(signal.SIGTERM)


# ---------------------------------------------------------------- journals


class Journal(NamedTuple):
    """A programme and how long its journal is; known before anything that loads the engine."""

    number: int
    name: str
    position: int


def journals(database: Database) -> list[Journal]:
    """All programmes, oldest first."""
    with database.connect() as connection:
        rows = connection.execute(
            "SELECT number, name, (SELECT coalesce(max(position), 0) FROM journal WHERE programme = number)"
            " FROM programme ORDER BY number"
        )
        return [Journal(*row) for row in rows]


def journal_of(database: Database, name: str) -> Journal:
    """One programme. Raises ProgrammeNotFound, which names those that there are."""
    there = journals(database)
    for journal in there:
        if journal.name == name:
            return journal
    names = ", ".join(journal.name for journal in there)
    raise ProgrammeNotFound(
        f"没有项目 {name[:60]!r};" + (f"现有 {names}" if names else "还没有任何项目,请用 rangli programme create 新建"),
        f"there is no programme {name[:60]!r}; "
        + (f"there are {names}" if names else "there is none yet: make one with rangli programme create"),
    )


# ---------------------------------------------------------------- a programme, here


@contextmanager
def settled_here(opened: Opened, name: str, *, orders: int = 0) -> Iterator[Running]:
    """A programme that this process settles for as long as this lasts.

    orders : about how many are to be settled, which says whether compiling is worth its time
    Raises NotSettling when another process does, and says how to ask that one; ProgrammeNotFound.
    """
    journal = journal_of(opened.database, name)
    lane.choose_for_orders(journal.position + orders)
    from rangli.service import Running
    from rangli.service.clock import system_clock
    from rangli.service.settling.settler import CHECKPOINT_EVERY
    from rangli.store import programmes

    with opened.database.connect() as connection:
        if is_settled(connection, journal.number):
            raise _settled_elsewhere(name)
        row = next(row for row in programmes.programmes(connection) if row.number == journal.number)
    running = Running(opened.database, row, system_clock, CHECKPOINT_EVERY)
    running.settler.start()
    try:
        while not running.settler.wait_ready(WATCH_SECONDS):
            _need_progress(opened, running)
        yield running
    finally:
        running.settler.close()


def _need_progress(opened: Opened, running: Running) -> None:
    """Go on waiting, unless it is for nothing. Raises Unavailable."""
    if running.settler.fault:
        raise Unavailable(
            f"项目 {running.name} 不能恢复({running.settler.fault});请执行 rangli verify --programme {running.name}",
            f"{running.name} does not recover ({running.settler.fault}); run rangli verify --programme {running.name}",
        )
    if running.settler.role == "standby":
        with opened.database.connect() as connection:
            if is_settled(connection, running.number):
                raise _settled_elsewhere(running.name)


def is_settled(connection: Any, number: int) -> bool:  # noqa: ANN401 - psycopg is loaded when it is needed
    """Whether any process settles this programme now."""
    from rangli.service.watching.checkup import settled_since

    return settled_since(connection, number) is not None


def _settled_elsewhere(name: str) -> NotSettling:
    return NotSettling(
        f"项目 {name} 正由另一个进程结算;请经它的 API:--url http://127.0.0.1:8000 --key rl_…",
        f"another process settles {name}; go through its API: --url http://127.0.0.1:8000 --key rl_…",
    )


# ---------------------------------------------------------------- a programme, through the API


@contextmanager
def through_api(url: str, key: str | None, name: str, *, patience_seconds: int = 0) -> Iterator[ProgrammeClient]:
    """A programme of a service that runs. What the service refuses is raised as the refusal that it would be here."""
    import httpx

    from rangli.client import ApiRefused, Client

    if not key:
        raise InputRefused(
            "经 API 需要密钥:--key rl_… 或环境变量 RANGLI_KEY;密钥由 rangli key create 发放",
            "the API needs a key: --key rl_…, or RANGLI_KEY in the environment; rangli key create makes one",
        )
    try:
        with Client(url, key, patience_seconds=patience_seconds) as client:
            yield client.programme(name)
    except ApiRefused as refused:
        raise as_refusal(refused) from refused
    except (httpx.TransportError, httpx.InvalidURL) as fault:
        raise Unavailable(
            f"连不上 {url}({fault});请检查地址,以及 rangli serve 是否在运行",
            f"cannot reach {url} ({fault}); check the address, and whether rangli serve is running",
        ) from fault


def as_refusal(refused: ApiRefused) -> RangliError:
    """What the service refused, as the class that has its code."""
    kinds: list[type[RangliError]] = [RangliError]
    for kind in kinds:
        kinds.extend(kind.__subclasses__())
    kind = next((kind for kind in kinds if kind.code == refused.code), RangliError)
    made = kind.__new__(kind)
    RangliError.__init__(made, refused.zh, refused.en)
    return made
