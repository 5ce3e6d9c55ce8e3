"""Verifications as they are kept, and what the journal says now of what they saw."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from psycopg.rows import class_row

from rangli.store.database import Connection

VERIFYING: Final = 0x52414E4A
"""Advisory lock of whoever verifies a programme; its second half is the programme's number."""
RUNNING: Final = "running"


class VerificationRow(NamedTuple):
    """One verification."""

    number: int
    programme: str
    asked_by: str
    began_at: int
    ended_at: int | None
    since: int | None
    position: int | None
    """The last decision that was verified, or the one that is broken."""
    head: str | None
    """Its hash, in hex."""
    outcome: str
    """running, clean, broken, failed or cancelled."""
    zh: str
    en: str
    seconds: str


_COLUMNS: Final = ", ".join(VerificationRow._fields)


class Newest(NamedTuple):
    """What is known of one programme."""

    verdict: VerificationRow | None
    """The newest that is clean or broken."""
    attempt: VerificationRow | None
    """The newest that was not cancelled."""
    there: str | None
    """The hash that the journal has now at the verdict's position; None when there is no such decision."""
    head: int
    """Where the journal ends."""


def begin(connection: Connection, programme: str, asked_by: str, at: int) -> VerificationRow:
    """Keep that a verification has begun."""
    with connection.cursor(row_factory=class_row(VerificationRow)) as cursor:
        cursor.execute(
            "INSERT INTO verification (programme, asked_by, began_at, since, outcome) VALUES (%s, %s, %s, 0, %s)"  # noqa: S608
            f" RETURNING {_COLUMNS}",
            [programme, asked_by, at, RUNNING],
        )
        (row,) = cursor.fetchall()
        return row


def end(connection: Connection, row: VerificationRow) -> None:
    """Keep how one that runs has ended."""
    connection.execute(
        "UPDATE verification SET ended_at = %(ended_at)s, position = %(position)s, head = %(head)s, outcome = %(outcome)s,"
        " zh = %(zh)s, en = %(en)s, seconds = %(seconds)s WHERE number = %(number)s AND outcome = 'running'",
        row._asdict(),
    )


def end_orphans(connection: Connection, at: int, zh: str, en: str) -> int:
    """End as failed whatever runs no more: whoever verifies holds the lock from before it begins until it has ended. How many."""
    cursor = connection.execute(
        """
        UPDATE verification v SET outcome = 'failed', ended_at = %s, zh = %s, en = %s
        WHERE outcome = 'running' AND NOT EXISTS (
            SELECT FROM pg_locks l JOIN programme p ON p.number = l.objid::int8
            WHERE p.name = v.programme AND l.locktype = 'advisory' AND l.classid = %s AND l.objsubid = 2 AND l.granted
              AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))
        """,
        [at, zh, en, VERIFYING],
    )
    return cursor.rowcount


def newest(connection: Connection, programmes: Iterable[str]) -> dict[str, Newest]:
    """What is known of each of these programmes, in one statement."""
    cursor = connection.execute(
        f"""
        SELECT p.name, coalesce((SELECT position FROM journal WHERE programme = p.number ORDER BY position DESC LIMIT 1), 0),
               (SELECT encode(hash, 'hex') FROM journal WHERE programme = p.number AND position = v.position),
               {", ".join(f"v.{name}" for name in VerificationRow._fields)}
        FROM programme p LEFT JOIN LATERAL (
            (SELECT * FROM verification WHERE programme = p.name AND outcome IN ('clean', 'broken') ORDER BY number DESC LIMIT 1)
            UNION
            (SELECT * FROM verification WHERE programme = p.name AND outcome <> 'cancelled' ORDER BY number DESC LIMIT 1)
        ) v ON true
        WHERE p.name = ANY(%s) ORDER BY p.name, v.number
        """,  # noqa: S608 -- our own columns
        [list(programmes)],
    )
    known: dict[str, Newest] = {}
    for name, head, there, *columns in cursor:
        before = known.setdefault(name, Newest(None, None, None, head))
        if columns[0] is None:
            continue
        row = VerificationRow(*columns)
        known[name] = before._replace(attempt=row)
        if row.outcome in {"clean", "broken"}:
            known[name] = known[name]._replace(verdict=row, there=there)
    return known


def verifications(
    connection: Connection, programme: str, beyond: int, limit: int, *, oldest_first: bool = False
) -> list[VerificationRow]:
    """Those of a programme before a number, newest first, or after it, oldest first."""
    there = "number > %s ORDER BY number" if oldest_first else "number < %s ORDER BY number DESC"
    with connection.cursor(row_factory=class_row(VerificationRow)) as cursor:
        cursor.execute(
            f"SELECT {_COLUMNS} FROM verification WHERE programme = %s AND {there} LIMIT %s",  # noqa: S608 -- words of our own
            [programme, beyond, limit],
        )
        return cursor.fetchall()
