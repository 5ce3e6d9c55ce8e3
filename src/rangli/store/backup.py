"""Backups: everything in the database in one file, as of one moment, and back again.

A backup is a zip file with one member per table, as PostgreSQL's binary COPY writes it, and ``manifest.json``, which says what
must be there: rows, bytes and SHA-256 of each table, and where each programme's journal ends. The file's comment is the SHA-256
of all bytes before it, so a changed byte is found wherever it is. All tables are read in one snapshot, so the file is consistent
while a settler writes, and nothing is ever held but a few megabytes. Secrets are in it: it is readable by its owner only.

Tables and columns are found in the catalog, so whatever later versions add is in it too. A restored database has the schema that
the backup was made of; the next start brings it up to date.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from graphlib import TopologicalSorter
from pathlib import Path
from typing import IO, Final, NamedTuple

import msgspec
import psycopg
from psycopg import IsolationLevel, sql

from rangli.errors import BackupRefused, DatabaseNotEmpty, FileRefused, SchemaNewer, StoreError
from rangli.store.database import HEAD, MIGRATING, MIGRATIONS, Connection, Database
from rangli.store.journal import PARTITION_BITS, ensure_partition

FORMAT: Final = 1
BLOCK_BYTES: Final = 1 << 20
MANIFEST: Final = "manifest.json"
_SEAL_BYTES: Final = 64
_DEFLATE_LEVEL: Final = 1
"""Half of the journal is hashes, which do not shrink; more effort costs time and saves little."""
_DAMAGE: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, UnicodeDecodeError)
"""What reading a damaged archive may raise."""

Progress = Callable[[str, int, int], None]
"""Told the table at hand, the bytes done, and the bytes in all: an estimate during a backup, exact during a restore."""


class Table(msgspec.Struct, frozen=True):
    """One table as it is in the file."""

    name: str
    columns: list[tuple[str, str]]
    """Name and type."""
    sequences: dict[str, int]
    """By identity column, the next number it gives."""
    rows: int
    bytes: int
    sha256: str


class Head(msgspec.Struct, frozen=True):
    """Where a programme's journal ends."""

    number: int
    name: str
    position: int
    hash: str
    """Of the last decision, in hex; empty for an empty journal."""


class Manifest(msgspec.Struct, frozen=True):
    """What is in a backup."""

    format: int
    version: str
    """Of the schema."""
    server: str
    """PostgreSQL's version."""
    tables: list[Table]
    """Each after those that it refers to."""
    programmes: list[Head]


class Found(NamedTuple):
    """A table as the catalog has it."""

    name: str
    columns: list[tuple[str, str]]
    identities: list[str]


# ---------------------------------------------------------------- there


def backup(database: Database, path: Path, progress: Progress) -> Manifest:
    """Write everything to a file that is not there yet; what is in it. Raises FileRefused, StoreError, DatabaseUnreachable."""
    if path.exists():
        raise FileRefused(f"{path} 已存在;请换一个文件名", f"{path} is there already; give another name")
    if database.schema() is None:
        raise StoreError(
            f"数据库 {database.shown} 中没有 rangli 的数据,无可备份;请检查地址",
            f"the database {database.shown} has nothing of rangli's to back up; check its address",
        )
    try:
        with _draft(path) as file, database.connect(autocommit=False) as connection:
            connection.isolation_level = IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            manifest = _write(connection, file, progress)
            _seal(file)
    except OSError as fault:
        raise FileRefused(f"无法写入 {path}:{fault.strerror}", f"cannot write {path}: {fault.strerror}") from fault
    return manifest


@contextmanager
def _draft(path: Path) -> Iterator[IO[bytes]]:
    """A file beside ``path`` that becomes it, on the disk and at once, when all has gone well."""
    number, name = tempfile.mkstemp(".partial", f".{path.name}.", path.parent)
    draft = Path(name)
    try:
        with os.fdopen(number, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write(connection: Connection, file: IO[bytes], progress: Progress) -> Manifest:
    """All tables and the manifest."""
    found = _tables(connection)
    whole = _bytes_of_all(connection)
    tables: list[Table] = []
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_DEFLATE_LEVEL) as archive:
        for table in found:
            done = sum(written.bytes for written in tables)
            tables.append(_copy_out(connection, archive, table, _ticks(progress, table.name, done, whole)))
        server = connection.info.parameter_status("server_version") or ""
        manifest = Manifest(FORMAT, _version(connection), server, tables, _heads(connection))
        with archive.open(MANIFEST, "w") as member:
            member.write(msgspec.json.format(msgspec.json.encode(manifest), indent=1))
        archive.comment = bytes(_SEAL_BYTES)
    return manifest


def _copy_out(connection: Connection, archive: zipfile.ZipFile, table: Found, tick: Callable[[int], None]) -> Table:
    """One table into its member."""
    digest, size = hashlib.sha256(), 0
    query = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT (FORMAT BINARY)").format(
        _names(table.columns), sql.Identifier(table.name)
    )
    with connection.cursor() as cursor:
        with archive.open(table.name, "w", force_zip64=True) as member, cursor.copy(query) as copy:
            for block in _blocks(copy):
                digest.update(block)
                member.write(block)
                size += len(block)
                tick(size)
        rows = cursor.rowcount
    # Read last: a sequence knows no snapshot, so by now it is past every row that was copied.
    sequences = {column: _next_number(connection, table.name, column) for column in table.identities}
    return Table(table.name, table.columns, sequences, rows, size, digest.hexdigest())


def _blocks(copy: psycopg.Copy) -> Iterator[bytes]:
    """What COPY gives row by row, in blocks."""
    block = bytearray()
    for row in copy:
        block += row
        if len(block) >= BLOCK_BYTES:
            yield bytes(block)
            block.clear()
    yield bytes(block)


def _seal(file: IO[bytes]) -> None:
    """Write the hash of all that comes before it into the archive's comment, which is its end."""
    size = file.seek(-_SEAL_BYTES, os.SEEK_END)
    seal = _hash_of_first(file, size)
    file.seek(size)
    file.write(seal)


def _hash_of_first(file: IO[bytes], size: int) -> bytes:
    """SHA-256, in hex, of so many bytes from the beginning."""
    digest = hashlib.sha256()
    file.seek(0)
    while size > 0 and (block := file.read(min(size, BLOCK_BYTES))):
        digest.update(block)
        size -= len(block)
    return digest.hexdigest().encode()


# ---------------------------------------------------------------- and back


def restore(database: Database, path: Path, progress: Progress) -> Manifest:
    """Put a backup into an empty database, all of it or nothing; what is in it now.

    Raises FileRefused, BackupRefused, DatabaseNotEmpty, SchemaNewer, DatabaseUnreachable.
    """
    try:
        with path.open("rb") as file:
            _check_seal(path, file)
            with zipfile.ZipFile(file) as archive:
                manifest = _manifest(path, archive)
                with _migrated(database, manifest.version) as connection:
                    _fill(connection, path, archive, manifest, progress)
    except OSError as fault:
        raise FileRefused(f"无法读取 {path}:{fault.strerror}", f"cannot read {path}: {fault.strerror}") from fault
    return manifest


def _check_seal(path: Path, file: IO[bytes]) -> None:
    """Refuse a file that is not as it was written. Raises BackupRefused."""
    size = file.seek(0, os.SEEK_END) - _SEAL_BYTES
    if size > 0 and _hash_of_first(file, size) == file.read():
        return
    damaged = _first_damaged(file)
    where_zh, where_en = (f"(在 {damaged} 中)", f" (in {damaged})") if damaged else ("", "")
    raise BackupRefused(
        f"{path} 不是完整的备份,或已损坏{where_zh};请换另一份",
        f"{path} is not a whole backup, or is damaged{where_en}; take another copy",
    )


def _first_damaged(file: IO[bytes]) -> str:
    """The first member that cannot be read, empty if that cannot be told."""
    with suppress(*_DAMAGE), zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            try:
                with archive.open(name) as member:
                    while member.read(BLOCK_BYTES):
                        pass
            except _DAMAGE:
                return name
    return ""


def _manifest(path: Path, archive: zipfile.ZipFile) -> Manifest:
    """What must be in a file. Raises BackupRefused, SchemaNewer."""
    try:
        manifest = msgspec.json.decode(archive.read(MANIFEST), type=Manifest)
    except (KeyError, msgspec.DecodeError) as fault:
        raise BackupRefused(f"{path} 不是 rangli 的备份", f"{path} is no backup of rangli's") from fault
    if manifest.format > FORMAT or manifest.version > HEAD:
        raise SchemaNewer(
            f"备份的格式 {manifest.format}、表结构 {manifest.version} 比本程序的({FORMAT}、{HEAD})新;请升级 rangli",
            f"the backup's format {manifest.format} or schema {manifest.version} is newer than this program's ({FORMAT}, {HEAD});"
            " upgrade rangli",
        )
    return manifest


@contextmanager
def _migrated(database: Database, version: str) -> Iterator[Connection]:
    """A transaction in what was an empty database and has this schema. Raises DatabaseNotEmpty."""
    from alembic import command  # noqa: PLC0415  (half a second, and only a restore needs it)
    from alembic.config import Config  # noqa: PLC0415
    from sqlalchemy import create_engine  # noqa: PLC0415

    engine = create_engine("postgresql+psycopg://", creator=lambda: database.connect(autocommit=False))
    try:
        with engine.begin() as transaction:
            connection = transaction.connection.driver_connection
            assert isinstance(connection, psycopg.Connection)
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [MIGRATING])
            _refuse_unless_empty(connection, database)
            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS))
            config.attributes["connection"] = transaction
            command.upgrade(config, version)
            yield connection
    finally:
        engine.dispose()


def _refuse_unless_empty(connection: Connection, database: Database) -> None:
    """Raises DatabaseNotEmpty."""
    row = connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = ANY('{r,p,v,m,S,f}')"
        " ORDER BY relname LIMIT 1"
    ).fetchone()
    if row is not None:
        shown = database.shown
        raise DatabaseNotEmpty(
            f"数据库 {shown} 不是空的(已有 {row[0]});请新建一个数据库,或用 --data 指定新目录,再恢复到那里",
            f"the database {shown} is not empty: there is {row[0]}; create a new one, or name a new folder with --data",
        )


def _fill(connection: Connection, path: Path, archive: zipfile.ZipFile, manifest: Manifest, progress: Progress) -> None:
    """Every table, checked while it is read. Raises BackupRefused."""
    there = {table.name: table.columns for table in _tables(connection)}
    if there != {table.name: table.columns for table in manifest.tables} or not there.keys() <= set(archive.namelist()):
        raise _differs(path, "tables")
    last = max((head.position for head in manifest.programmes), default=0)
    for number in range((last >> PARTITION_BITS) + 1):
        ensure_partition(connection, number << PARTITION_BITS)
    whole = sum(table.bytes for table in manifest.tables)
    done = 0
    for table in manifest.tables:
        if _copy_in(connection, archive, table, _ticks(progress, table.name, done, whole)) != table:
            raise _differs(path, table.name)
        done += table.bytes
    if _heads(connection) != manifest.programmes:
        raise _differs(path, "journal")


def _copy_in(connection: Connection, archive: zipfile.ZipFile, table: Table, tick: Callable[[int], None]) -> Table:
    """One table out of its member; what it was."""
    digest, size = hashlib.sha256(), 0
    query = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(sql.Identifier(table.name), _names(table.columns))
    with connection.cursor() as cursor:
        with archive.open(table.name) as member, cursor.copy(query) as copy:
            while block := member.read(BLOCK_BYTES):
                digest.update(block)
                copy.write(block)
                size += len(block)
                tick(size)
        rows = cursor.rowcount
    for column, number in table.sequences.items():
        connection.execute("SELECT setval(pg_get_serial_sequence(%s, %s), %s, false)", [table.name, column, number])
    return msgspec.structs.replace(table, rows=rows, bytes=size, sha256=digest.hexdigest())


def _differs(path: Path, what: str) -> BackupRefused:
    """A file that does not hold what it says."""
    return BackupRefused(
        f"{path} 中的 {what} 与其清单不符;请换另一份",
        f"{path} does not hold what its manifest says of {what}; take another copy",
    )


# ---------------------------------------------------------------- the catalog


def _tables(connection: Connection) -> list[Found]:
    """All tables but the migrations' own, each after those that it refers to."""
    found = connection.execute(
        """
        SELECT c.relname, array_agg(a.attname::text ORDER BY a.attnum),
               array_agg(format_type(a.atttypid, a.atttypmod) ORDER BY a.attnum),
               coalesce(array_agg(a.attname::text) FILTER (WHERE a.attidentity <> ''), '{}')
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = ANY('{r,p}') AND NOT c.relispartition
          AND c.relname <> 'alembic_version'
        GROUP BY c.relname ORDER BY c.relname
        """
    ).fetchall()
    tables = {name: Found(name, list(zip(columns, types, strict=True)), identities) for name, columns, types, identities in found}
    order: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(tables, ()))
    references = connection.execute(
        "SELECT DISTINCT child.relname, parent.relname FROM pg_constraint"
        " JOIN pg_class child ON child.oid = conrelid JOIN pg_class parent ON parent.oid = confrelid"
        " WHERE contype = 'f' AND conrelid <> confrelid"
    )
    for child, parent in references:
        order.add(child, parent)
    return [tables[name] for name in order.static_order() if name in tables]


def _version(connection: Connection) -> str:
    """The schema's version."""
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    assert row is not None
    return str(row[0])


def _names(columns: list[tuple[str, str]]) -> sql.Composable:
    """Columns as a list in SQL."""
    return sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns)


def _bytes_of_all(connection: Connection) -> int:
    """About how large all tables are."""
    row = connection.execute(
        "SELECT coalesce(sum(pg_table_size(oid)), 0)::int8 FROM pg_class"
        " WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
    ).fetchone()
    assert row is not None
    return int(row[0])


def _next_number(connection: Connection, table: str, column: str) -> int:
    """The number that an identity column gives next."""
    row = connection.execute("SELECT pg_get_serial_sequence(%s, %s)::regclass::text", [table, column]).fetchone()
    assert row is not None
    # The name comes quoted from the catalog.
    row = connection.execute(sql.SQL("SELECT last_value + is_called::int FROM {}").format(sql.SQL(row[0]))).fetchone()
    assert row is not None
    return int(row[0])


def _heads(connection: Connection) -> list[Head]:
    """Where each programme's journal ends."""
    rows = connection.execute(
        """
        SELECT p.number, p.name, coalesce(j.position, 0), coalesce(encode(j.hash, 'hex'), '')
        FROM programme p LEFT JOIN LATERAL (
            SELECT position, hash FROM journal WHERE programme = p.number ORDER BY position DESC LIMIT 1
        ) j ON true
        ORDER BY p.number
        """
    )
    return [Head(*row) for row in rows]


def _ticks(progress: Progress, name: str, done: int, whole: int) -> Callable[[int], None]:
    """Progress within one table."""

    def tick(size: int) -> None:
        progress(name, done + size, max(whole, done + size))

    return tick
