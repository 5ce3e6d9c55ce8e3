"""A PostgreSQL database: connections, a pool for reading, and its schema brought up to date."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from rangli.errors import DatabaseUnreachable, SchemaNewer, StoreError

MIGRATIONS: Final = Path(__file__).parent.joinpath("migrations")
HEAD: Final = "0004"
"""The schema this version of Rangli works with; a test compares it with the newest migration."""
POSTGRESQL_MIN: Final = 15
READERS_MAX: Final = 8
READER_SECONDS: Final = 5
"""How long a question waits for a connection."""
MIGRATING: Final = 0x52414E47
"""Advisory lock of whoever changes the schema."""

Connection = psycopg.Connection[Any]


class Database:
    """One database. ``connect`` is for what lasts (a settler), ``reading`` for a question."""

    def __init__(self, url: str, revive: Callable[[], None] | None = None) -> None:
        """``revive`` starts a server of ours again that has died."""
        self.url = url
        self._revive = revive
        self._pool: ConnectionPool[Connection] | None = None
        self._lock = threading.Lock()

    def connect(self, *, autocommit: bool = True) -> Connection:
        """A connection of one's own. Raises DatabaseUnreachable."""
        try:
            return self._connected(autocommit=autocommit)
        except psycopg.OperationalError as fault:
            try:
                self._bring_back()
                return self._connected(autocommit=autocommit)
            except (psycopg.OperationalError, StoreError):
                raise _unreachable(self.url, fault) from fault

    def _connected(self, *, autocommit: bool) -> Connection:
        return psycopg.connect(self.url, autocommit=autocommit, application_name="rangli")

    def _bring_back(self) -> None:
        """Start our own server again, should it have died."""
        with self._lock:
            if self._revive is not None:
                self._revive()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A pooled connection in autocommit, given back at the end of the ``with``. Raises DatabaseUnreachable."""
        try:
            with self._readers().connection(timeout=READER_SECONDS) as connection:
                yield connection
        except (PoolTimeout, psycopg.OperationalError) as fault:
            with suppress(StoreError):
                self._bring_back()
            raise _unreachable(self.url, fault) from fault

    def _readers(self) -> ConnectionPool[Connection]:
        """The pool, made at the first question."""
        with self._lock:
            if self._pool is None:
                self._pool = ConnectionPool(
                    self.url,
                    min_size=1,
                    max_size=READERS_MAX,
                    kwargs={"autocommit": True, "application_name": "rangli reader"},
                    check=ConnectionPool.check_connection,
                    open=True,
                )
            return self._pool

    def close(self) -> None:
        """Give the pooled connections back to the server."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ------------------------------------------------------------ schema

    def schema(self) -> str | None:
        """The schema's version, None for an empty database."""
        with self.connect() as connection:
            row = connection.execute("SELECT to_regclass('alembic_version')").fetchone()
            if row is None or row[0] is None:
                return None
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            return None if row is None else str(row[0])

    def migrate(self) -> None:
        """Bring the schema up to date; at once when it is. Raises SchemaNewer, or DatabaseUnreachable."""
        there = self.schema()
        if there == HEAD:
            return
        if there is not None and there > HEAD:
            raise SchemaNewer(
                f"数据库的表结构是 {there} 版,本程序只认识到 {HEAD} 版;请升级 rangli",
                f"the database's schema is of version {there} and this program knows {HEAD}; upgrade rangli",
            )
        with self.connect() as lock:
            if lock.info.server_version < POSTGRESQL_MIN * 10_000:
                raise SchemaNewer(
                    f"PostgreSQL 版本为 {lock.info.parameter_status('server_version')},需要 {POSTGRESQL_MIN} 或更新",
                    f"PostgreSQL is {lock.info.parameter_status('server_version')}; Rangli needs {POSTGRESQL_MIN} or later",
                )
            lock.execute("SELECT pg_advisory_lock(%s)", [MIGRATING])
            self._upgrade()

    def _upgrade(self) -> None:
        """Run what is missing of the migrations, all in one transaction."""
        from alembic import command  # noqa: PLC0415  (half a second, and only the first start needs it)
        from alembic.config import Config  # noqa: PLC0415
        from sqlalchemy import create_engine  # noqa: PLC0415

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(self.url))
        try:
            with engine.begin() as connection:
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
        finally:
            engine.dispose()

    @property
    def shown(self) -> str:
        """The address without its password."""
        parts = urlsplit(self.url)
        return self.url if parts.password is None else self.url.replace(f":{parts.password}@", ":…@")


def _unreachable(url: str, fault: Exception) -> DatabaseUnreachable:
    """Why there is no connection."""
    shown = Database(url).shown
    return DatabaseUnreachable(
        f"连不上数据库 {shown}:{fault};请检查 RANGLI_DATABASE_URL,或不设它以使用自带的数据库",
        f"cannot reach the database {shown}: {fault}; check RANGLI_DATABASE_URL, or unset it to use the embedded one",
    )
