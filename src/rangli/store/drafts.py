"""The SQL of drafts: plans that are being written, proposed and approved."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from rangli.store.database import Connection

ACTIVATING: Final = 0x52414E4B
"""The space of advisory locks on activations by draft, one for each programme."""


class DraftRow(NamedTuple):
    """A draft as it is kept."""

    number: int
    programme: str
    document: str
    based_on: int
    """The version of the plan that it was begun from."""
    title: str
    author: str
    created_at: int
    changed_at: int
    revision: int
    status: str
    """open, proposed, returned, activated or withdrawn."""
    proposed_by: str | None
    proposed_at: int | None
    digest: str | None
    """SHA-256 of the document that was proposed, in hex."""
    signatures: list[dict[str, Any]]
    """What was said of it, in order."""
    activated_at: int | None
    plan_number: int | None


class VersionRow(NamedTuple):
    """A programme and one version of its plan, without its document."""

    programme: str
    channel: str
    created_at: int
    plan_number: int
    plan: str
    version: str


_COLUMNS: Final = sql.SQL(", ").join(map(sql.Identifier, DraftRow._fields))
_NEW: Final = ("programme", "document", "based_on", "title", "author", "created_at", "changed_at", "status")


def insert(connection: Connection, **columns: object) -> int:
    """A new draft; its number."""
    row = connection.execute(
        sql.SQL("INSERT INTO draft ({}) VALUES ({}) RETURNING number").format(
            sql.SQL(", ").join(map(sql.Identifier, _NEW)), sql.SQL(", ").join(map(sql.Placeholder, _NEW))
        ),
        columns,
    ).fetchone()
    assert row is not None
    return int(row[0])


def draft(connection: Connection, programme: str, number: int, *, locked: bool = False) -> DraftRow | None:
    """A programme's draft; locked until the transaction's end if so asked."""
    with connection.cursor(row_factory=class_row(DraftRow)) as cursor:
        query = sql.SQL("SELECT {} FROM draft WHERE programme = %s AND number = %s {}")
        cursor.execute(query.format(_COLUMNS, sql.SQL("FOR UPDATE" if locked else "")), [programme, number])
        return cursor.fetchone()


def drafts(
    connection: Connection, programme: str, beyond: int, limit: int, status: str = "", *, oldest_first: bool = False
) -> list[DraftRow]:  # fmt: skip
    """A programme's drafts before a number, newest first, without their documents; or after it, oldest first."""
    with connection.cursor(row_factory=class_row(DraftRow)) as cursor:
        columns = [sql.SQL("'' AS document") if name == "document" else sql.Identifier(name) for name in DraftRow._fields]
        order = "number > %s ORDER BY number" if oldest_first else "number < %s ORDER BY number DESC"
        query = sql.SQL("SELECT {} FROM draft WHERE programme = %s AND %s IN ('', status) AND {} LIMIT %s")
        cursor.execute(query.format(sql.SQL(", ").join(columns), sql.SQL(order)), [programme, status, beyond, limit])
        return cursor.fetchall()


def update(connection: Connection, number: int, **changes: object) -> None:
    """Set some columns of a draft."""
    sets = sql.SQL(", ").join(sql.SQL("{} = {}").format(sql.Identifier(key), sql.Placeholder(key)) for key in changes)
    bound = {key: Jsonb(value) if key == "signatures" else value for key, value in changes.items()}
    connection.execute(sql.SQL("UPDATE draft SET {} WHERE number = %(_number)s").format(sets), {**bound, "_number": number})


def lock_activations(connection: Connection, programme: int) -> None:
    """One activation by draft at a time, until the transaction's end."""
    connection.execute("SELECT pg_advisory_xact_lock(%s::int4, %s::int4)", [ACTIVATING, programme])


def versions(connection: Connection) -> list[VersionRow]:
    """Every version of every programme's plan, oldest first."""
    rows = connection.execute(
        "SELECT p.name, p.channel, p.created_at, v.number, v.name, v.version FROM programme p"
        " JOIN plan v ON v.programme = p.number ORDER BY p.number, v.number"
    ).fetchall()
    return [VersionRow(*row) for row in rows]
