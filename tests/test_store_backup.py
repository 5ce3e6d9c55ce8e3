"""Backups: everything, of one moment, found damaged if it is, and put back exactly or not at all."""

from __future__ import annotations

import json
import os
import stat
import threading
import zipfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from rangli.errors import BackupRefused, DatabaseNotEmpty, FileRefused, SchemaNewer, StoreError
from rangli.store import backup as backups
from rangli.store.backup import backup, restore
from rangli.store.database import HEAD, Connection, Database
from rangli.store.journal import PARTITION_BITS, ensure_partition

_numbers = count(1)


def quiet(_: str, __: int, ___: int) -> None:
    """Nobody is watching."""


def another(url: str) -> str:
    """A second, empty database on the same server."""
    name = f"again_{next(_numbers)}"
    with psycopg.connect(url, autocommit=True) as connection:
        old = connection.info.dbname
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return url.replace(f"/{old}?", f"/{name}?")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with rows in every table, in two partitions of the journal."""
    with Database(database_url) as database:
        database.migrate()
        with database.connect() as connection:
            fill(connection)
        yield database


@pytest.fixture
def empty(database_url: str) -> Iterator[Database]:
    """A database to restore into."""
    url = another(database_url)
    with Database(url) as database:
        yield database
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(psycopg.conninfo.conninfo_to_dict(url)["dbname"]))
        )


VALUES = {
    "int2": "{i}",
    "int4": "{i}",
    "int8": "{i}",
    "text": "'小李 {i} \\N \"'",
    "bytea": "decode(repeat('00ff0d0a5c', {i} * 1000), 'hex')",
    "_int2": "ARRAY[{i}, -1]::int2[]",
    "_int4": "ARRAY[{i}, NULL]::int4[]",
    "_int8": "'{{}}'::int8[]",
    "_text": "ARRAY['让利 {i}', '']",
    "bool": "{i} = 1",
    "jsonb": "'{{\"让利\": {i}}}'",
}
"""A value of each type, as SQL; the same ``i`` gives the same value, so rows refer to each other."""
CHECKED = {("act", "outcome"): "'done'", ("draft", "status"): "'open'", ("verification", "outcome"): "'clean'"}
"""Values of columns that take only some."""


def fill(connection: Connection) -> None:
    """Three rows in every table, with NULL wherever the third may have it, and one more far on in the journal."""
    ensure_partition(connection, 1)
    ensure_partition(connection, 1 << PARTITION_BITS)
    for table in backups._tables(connection):
        for i in (1, 2, 3):
            columns = connection.execute(
                "SELECT attname, typname, NOT attnotnull FROM pg_attribute JOIN pg_type t ON t.oid = atttypid"
                " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attidentity = '' ORDER BY attnum",
                [table.name],
            ).fetchall()
            values = [
                "NULL" if nullable and i == 3 else CHECKED.get((table.name, name), VALUES[kind].format(i=i))
                for name, kind, nullable in columns
            ]
            connection.execute(
                sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                    sql.Identifier(table.name),
                    sql.SQL(", ").join(sql.Identifier(name) for name, _, _ in columns),
                    sql.SQL(", ").join(map(sql.SQL, values)),
                )
            )
    decision(connection, 2, 1 << PARTITION_BITS)


def decision(connection: Connection, programme: int, position: int) -> None:
    """One decision more, like the first of its programme."""
    connection.execute(
        """
        INSERT INTO journal
        SELECT programme, %(position)s, kind, plan, at, key, request, facts, party, source, destination, amount, code,
               source_before, destination_before, decode(lpad(to_hex(%(position)s), 64, '0'), 'hex')
        FROM journal WHERE programme = %(programme)s LIMIT 1
        """,
        {"position": position, "programme": programme},
    )


def checksums(database: Database) -> dict[str, str]:
    """Of every table, how many rows there are and what is in them."""
    query = sql.SQL("SELECT count(*) || ' ' || md5(string_agg(t::text, E'\\n' ORDER BY t::text)) FROM {} t")
    with database.connect() as connection:
        rows = {
            table.name: connection.execute(query.format(sql.Identifier(table.name))).fetchone() for table in tables_of(database)
        }
    return {name: str(row) if row is None else str(row[0]) for name, row in rows.items()}


# ---------------------------------------------------------------- round trip


def test_a_restored_database_is_the_same_in_every_table(database: Database, empty: Database, tmp_path: Path) -> None:
    """A table that a backup forgets is found out when it is too late; tables of later versions are in this test by themselves."""
    path = tmp_path / "rangli.zip"
    written = backup(database, path, quiet)
    read = restore(empty, path, quiet)
    expected = checksums(database)

    assert expected == checksums(empty)
    assert {"api_key", "delivery", "holder", "journal", "plan", "programme", "webhook"} <= expected.keys()
    assert all(int(text.split()[0]) >= 3 for text in expected.values())
    assert written == read


def test_a_restored_database_goes_on_where_it_was(database: Database, empty: Database, tmp_path: Path) -> None:
    """Schema, partitions and sequences too: the next decision and the next held order find their place."""
    path = tmp_path / "rangli.zip"
    with database.connect() as connection:
        connection.execute("DELETE FROM held WHERE sequence > 1")
    backup(database, path, quiet)
    restore(empty, path, quiet)
    empty.migrate()
    with empty.connect() as connection:
        decision(connection, 2, (1 << PARTITION_BITS) + 1)
        connection.execute("INSERT INTO held (programme, order_id, plan, captured_at, request) VALUES (1, 'new', 1, 1, '')")
        sequence = connection.execute("SELECT sequence FROM held WHERE order_id = 'new'").fetchone()

    assert HEAD == empty.schema()
    assert (4,) == sequence


def test_a_backup_says_what_is_in_it(database: Database, tmp_path: Path) -> None:
    """Whoever finds the file in ten years can read it with any zip program and PostgreSQL's manual."""
    path = tmp_path / "rangli.zip"
    written = backup(database, path, quiet)
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        sizes = {member.filename: member.file_size for member in archive.infolist()}
        begins = archive.read("programme")[:11]

    assert (1, HEAD) == (manifest["format"], manifest["version"])
    assert {table["name"]: table["bytes"] for table in manifest["tables"]} == {
        name: size for name, size in sizes.items() if name != "manifest.json"
    }
    assert {
        "name": '小李 2 \\N "',
        "number": 2,
        "position": 1 << PARTITION_BITS,
        "hash": f"{1 << PARTITION_BITS:064x}",
    } == manifest["programmes"][1]
    assert b"PGCOPY\n\xff\r\n\x00" == begins
    assert [4] == [table.rows for table in written.tables if table.name == "journal"]


def test_a_backup_is_for_its_owner_alone_and_leaves_nothing_beside_it(database: Database, tmp_path: Path) -> None:
    """The secrets of draws and webhooks are in it."""
    path = tmp_path / "rangli.zip"
    backup(database, path, quiet)

    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert [path] == list(tmp_path.iterdir())


def test_progress_goes_forward_to_the_end(database: Database, empty: Database, tmp_path: Path) -> None:
    """A bar that runs backwards or stops short makes people press Ctrl-C."""
    path = tmp_path / "rangli.zip"
    there: list[tuple[str, int, int]] = []
    back: list[tuple[str, int, int]] = []
    backup(database, path, lambda *told: there.append(told))
    written = restore(empty, path, lambda *told: back.append(told))
    whole = sum(table.bytes for table in written.tables)

    for told in (there, back):
        assert sorted(done for _, done, _ in told) == [done for _, done, _ in told]
        assert all(done <= total for _, done, total in told)
        assert [table.name for table in written.tables] == list(dict.fromkeys(name for name, _, _ in told))
    assert whole == there[-1][1] == back[-1][1]
    assert {whole} == {total for _, _, total in back}


# ---------------------------------------------------------------- while others write


def test_a_backup_while_a_settler_writes_is_of_one_moment(database: Database, empty: Database, tmp_path: Path) -> None:
    """Two tables from two moments are books that do not balance. Here each transaction writes a decision and a lot."""
    first = (1 << PARTITION_BITS) + 1
    enough, done = threading.Event(), threading.Event()
    names: list[str] = []

    def write() -> None:
        with database.connect(autocommit=False) as connection:
            for position in count(first):
                decision(connection, 2, position)
                connection.execute("INSERT INTO lot (programme, number, packets, received_fen) VALUES (2, %s, 1, 1)", [position])
                connection.commit()
                if position > first + 20:
                    enough.set()
                if done.is_set():
                    return

    def slowly(name: str, _: int, __: int) -> None:
        """Between two tables the settler gets on."""
        if name not in names:
            names.append(name)
            done.wait(0.02)

    settler = threading.Thread(target=write)
    settler.start()
    assert enough.wait(60)
    written = backup(database, tmp_path / "rangli.zip", slowly)
    done.set()
    settler.join()
    restore(empty, tmp_path / "rangli.zip", quiet)
    with empty.connect() as connection:
        lots = connection.execute("SELECT max(number), count(*) FROM lot WHERE number >= %s", [first]).fetchone()
        decisions = connection.execute("SELECT max(position), count(*) FROM journal WHERE position >= %s", [first]).fetchone()
    with database.connect() as connection:
        now = connection.execute("SELECT max(position) FROM journal").fetchone()

    assert lots == decisions
    assert decisions is not None
    assert now is not None
    assert decisions[0] == written.programmes[1].position < now[0]


def test_a_settler_enters_a_new_partition_while_a_backup_runs(database: Database, tmp_path: Path) -> None:
    """A backup of a large journal takes minutes; settling must not stand still for it."""
    entered: list[str] = []

    def meanwhile(name: str, _: int, __: int) -> None:
        if name == "programme" and "journal" in seen and not entered:
            enter()
        seen.add(name)

    def enter() -> None:
        with database.connect() as connection:
            connection.execute("SET lock_timeout = '2s'")
            entered.append(ensure_partition(connection, 7 << PARTITION_BITS))

    seen: set[str] = set()
    order = [table.name for table in tables_of(database)]
    assert order.index("journal") < order.index("programme"), "the journal must have been read before"
    backup(database, tmp_path / "rangli.zip", meanwhile)

    assert ["journal_7"] == entered


def tables_of(database: Database) -> list[backups.Found]:
    """The tables in the order in which they are copied."""
    with database.connect() as connection:
        return backups._tables(connection)


# ---------------------------------------------------------------- refusals


def test_a_changed_byte_is_found_wherever_it_is(database: Database, empty: Database, tmp_path: Path) -> None:
    """Disks and networks change bytes; a backup that is silently wrong is worse than none."""
    path = tmp_path / "rangli.zip"
    backup(database, path, quiet)
    whole = path.read_bytes()
    for place in [*range(0, len(whole), max(len(whole) // 60, 1)), len(whole) - 65, len(whole) - 1]:
        changed = bytearray(whole)
        changed[place] ^= 1
        path.write_bytes(changed)
        with pytest.raises(BackupRefused):
            restore(empty, path, quiet)

    assert empty.schema() is None


def test_a_damaged_backup_says_where(database: Database, empty: Database, tmp_path: Path) -> None:
    """Which table it is decides whether somebody can live with an older copy."""
    path = tmp_path / "rangli.zip"
    backup(database, path, quiet)
    with zipfile.ZipFile(path) as archive:
        place = archive.getinfo("journal").header_offset + 60
    changed = bytearray(path.read_bytes())
    changed[place] ^= 1
    path.write_bytes(changed)
    with pytest.raises(BackupRefused, match=r"damaged \(in journal\); take another copy") as refused:
        restore(empty, path, quiet)

    assert "(在 journal 中)" in refused.value.zh


@pytest.mark.parametrize("size", [0, 10, 64, 1_000])
def test_what_is_no_backup_is_refused(empty: Database, tmp_path: Path, size: int) -> None:
    """A wrong file name must not become half a database."""
    path = tmp_path / "rangli.zip"
    path.write_bytes(os.urandom(size))
    with pytest.raises(BackupRefused, match="not a whole backup"):
        restore(empty, path, quiet)
    with pytest.raises(FileRefused, match="nowhere"):
        restore(empty, tmp_path / "nowhere.zip", quiet)


def rewritten(path: Path, change: dict[str, bytes]) -> None:
    """Write a sealed backup in which some members are others."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with path.open("w+b") as file:
        with zipfile.ZipFile(file, "w") as archive:
            for name, data in (members | change).items():
                archive.writestr(zipfile.ZipInfo(name), data)
            archive.comment = bytes(64)
        backups._seal(file)


def test_a_table_that_is_not_what_the_manifest_says_is_refused_and_nothing_is_kept(
    database: Database, empty: Database, tmp_path: Path
) -> None:
    """The seal is checked first and the tables by other means, while they are read; a restore is all or nothing."""
    path = tmp_path / "rangli.zip"
    backup(database, path, quiet)
    with zipfile.ZipFile(path) as archive:
        plan = bytearray(archive.read("plan"))
    plan[plan.index("小李".encode()) + 7] = ord("9")
    rewritten(path, {"plan": bytes(plan)})
    with pytest.raises(BackupRefused, match="its manifest says of plan"):
        restore(empty, path, quiet)

    assert empty.schema() is None


def test_a_backup_of_a_later_version_or_of_something_else_is_refused(database: Database, empty: Database, tmp_path: Path) -> None:
    """What this program does not know it would lose."""
    path = tmp_path / "rangli.zip"
    backup(database, path, quiet)
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    rewritten(path, {"manifest.json": json.dumps(manifest | {"version": "9999"}).encode()})
    with pytest.raises(SchemaNewer, match="upgrade rangli"):
        restore(empty, path, quiet)
    rewritten(path, {"manifest.json": json.dumps(manifest | {"tables": manifest["tables"][1:]}).encode()})
    with pytest.raises(BackupRefused, match="its manifest says of tables"):
        restore(empty, path, quiet)
    rewritten(path, {"manifest.json": b"{}"})
    with pytest.raises(BackupRefused, match="no backup of rangli's"):
        restore(empty, path, quiet)


def test_a_restore_into_a_database_that_is_not_empty_changes_nothing(database: Database, tmp_path: Path) -> None:
    """Two journals cannot be mixed, and the one that is there may be the only one."""
    path = tmp_path / "rangli.zip"
    backup(database, path, quiet)
    before = checksums(database)
    with pytest.raises(DatabaseNotEmpty, match="create a new one"):
        restore(database, path, quiet)

    assert before == checksums(database)


def test_nothing_is_written_over_and_nothing_is_left_of_a_failure(database: Database, empty: Database, tmp_path: Path) -> None:
    """Yesterday's backup is worth more than a name that fits."""
    path = tmp_path / "rangli.zip"
    path.write_bytes(b"yesterday")
    with pytest.raises(FileRefused, match="is there already"):
        backup(database, path, quiet)
    with pytest.raises(StoreError, match="nothing of rangli's"):
        backup(empty, tmp_path / "empty.zip", quiet)
    with pytest.raises(FileRefused, match="cannot write"):
        backup(database, tmp_path / "missing" / "rangli.zip", quiet)

    def full(_: str, __: int, ___: int) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(FileRefused, match="No space left on device"):
        backup(database, tmp_path / "full.zip", full)

    assert b"yesterday" == path.read_bytes()
    assert [path] == list(tmp_path.iterdir())
