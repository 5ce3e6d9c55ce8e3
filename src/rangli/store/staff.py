"""The SQL of the console's members: who they are, their sessions, the forms they handed in, and what they did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from rangli.store.database import Connection

OWNER: Final = "owner"
SHOWN_MAX: Final = 100
"""Sessions of one member that are listed; who has more ends them all at once."""


class MemberRow(NamedTuple):
    """Somebody who may sign in; of the password only argon2id's hash is kept."""

    name: str
    secret: str
    must_change: bool
    """Whether the password was made here, for one sign-in."""
    totp: str | None
    """The secret in base32, None when there is no second step."""
    totp_step: int
    """The last step whose code was used: none is good for twice."""
    role: str
    programmes: list[str] | None
    """None: all of them."""
    language: str
    created_at: int
    ended_at: int | None = None


class SessionRow(NamedTuple):
    """A signed-in browser; of its token only the SHA-256 is kept."""

    digest: bytes
    member: str
    awaits_code: bool
    """Whether the password was right and the code is still to come: such a session opens nothing."""
    created_at: int
    seen_at: int
    ends_at: int
    ended_at: int | None
    agent: str
    address: str


class ActRow(NamedTuple):
    """A line of the audit log."""

    number: int
    at: int
    member: str
    role: str
    programme: str
    what: str
    object: str
    outcome: str
    facts: dict[str, Any]
    address: str


class Seen(NamedTuple):
    """A member and the last time one of his sessions was used."""

    member: MemberRow
    seen_at: int | None


_MEMBER: Final = sql.SQL(", ").join(map(sql.Identifier, MemberRow._fields))
_SESSION: Final = sql.SQL(", ").join(map(sql.Identifier, SessionRow._fields))


# ---------------------------------------------------------------- members


def insert_first(connection: Connection, member: MemberRow) -> bool:
    """The first owner; False when there is one already, whoever was sooner, or his name is somebody's."""
    cursor = connection.execute(
        "INSERT INTO member (name, secret, must_change, role, language, created_at)"
        " SELECT %(name)s, %(secret)s, %(must_change)s, %(role)s, %(language)s, %(created_at)s"
        " WHERE NOT EXISTS (SELECT FROM member WHERE role = %(role)s) ON CONFLICT DO NOTHING",
        member._asdict(),
    )
    return cursor.rowcount == 1


def insert_member(connection: Connection, member: MemberRow) -> bool:
    """A new member; False when the name was ever taken."""
    cursor = connection.execute(
        "INSERT INTO member (name, secret, must_change, role, programmes, language, created_at)"
        " VALUES (%(name)s, %(secret)s, %(must_change)s, %(role)s, %(programmes)s, %(language)s, %(created_at)s)"
        " ON CONFLICT DO NOTHING",
        member._asdict(),
    )
    return cursor.rowcount == 1


def member(connection: Connection, name: str, *, locked: bool = False) -> MemberRow | None:
    """A member by name, also one who has ended; locked until the transaction's end if so asked."""
    with connection.cursor(row_factory=class_row(MemberRow)) as cursor:
        query = sql.SQL("SELECT {} FROM member WHERE name = %s {}").format(_MEMBER, sql.SQL("FOR UPDATE" if locked else ""))
        cursor.execute(query, [name])
        return cursor.fetchone()


def members(connection: Connection) -> list[Seen]:
    """Everybody, in the order in which they came."""
    rows = connection.execute(
        sql.SQL("SELECT {}, (SELECT max(seen_at) FROM session WHERE member = member.name) FROM member ORDER BY created_at, name")
        .format(_MEMBER)
    ).fetchall()  # fmt: skip
    return [Seen(MemberRow(*row[:-1]), row[-1]) for row in rows]


def owners(connection: Connection) -> list[str]:
    """Those who own the console now, locked until the transaction's end: two who end each other take turns."""
    rows = connection.execute(
        "SELECT name FROM member WHERE role = %s AND ended_at IS NULL ORDER BY name FOR UPDATE", [OWNER]
    ).fetchall()
    return [str(name) for (name,) in rows]


def update_member(connection: Connection, name: str, **changes: object) -> None:
    """Set some columns of a member."""
    sets = sql.SQL(", ").join(sql.SQL("{} = {}").format(sql.Identifier(key), sql.Placeholder(key)) for key in changes)
    connection.execute(sql.SQL("UPDATE member SET {} WHERE name = %(_name)s").format(sets), {**changes, "_name": name})


def use_step(connection: Connection, name: str, step: int) -> bool:
    """Use up a step of the second factor; False when it, or a later one, was used before."""
    cursor = connection.execute(
        "UPDATE member SET totp_step = %(step)s WHERE name = %(name)s AND totp_step < %(step)s", {"name": name, "step": step}
    )
    return cursor.rowcount == 1


# ---------------------------------------------------------------- sessions


def insert_session(connection: Connection, session: SessionRow) -> None:
    """A new session."""
    connection.execute(sql.SQL("INSERT INTO session ({}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)").format(_SESSION), session)


def live(connection: Connection, digest: bytes, now: int, idle: int) -> tuple[SessionRow, MemberRow] | None:
    """A session that goes on, and its member, who has not ended."""
    row = connection.execute(
        sql.SQL(
            "SELECT s.*, m.* FROM (SELECT {} FROM session) s, (SELECT {} FROM member) m"
            " WHERE s.digest = %(digest)s AND m.name = s.member AND m.ended_at IS NULL"
            " AND s.ended_at IS NULL AND s.ends_at > %(now)s AND s.seen_at > %(now)s - %(idle)s::int8"
        ).format(_SESSION, _MEMBER),
        {"digest": digest, "now": now, "idle": idle},
    ).fetchone()
    if row is None:
        return None
    width = len(SessionRow._fields)
    return SessionRow(*row[:width]), MemberRow(*row[width:])


def sessions(connection: Connection, name: str, now: int, idle: int) -> list[SessionRow]:
    """A member's sessions that go on, the last ones used first."""
    with connection.cursor(row_factory=class_row(SessionRow)) as cursor:
        cursor.execute(
            sql.SQL(
                "SELECT {} FROM session WHERE member = %(name)s AND NOT awaits_code AND ended_at IS NULL AND ends_at > %(now)s"
                " AND seen_at > %(now)s - %(idle)s::int8 ORDER BY seen_at DESC, digest LIMIT %(limit)s"
            ).format(_SESSION),
            {"name": name, "now": now, "idle": idle, "limit": SHOWN_MAX},
        )
        return cursor.fetchall()


def touch_session(connection: Connection, digest: bytes, at: int) -> None:
    """Note that a session was used."""
    connection.execute(
        "UPDATE session SET seen_at = %(at)s WHERE digest = %(digest)s AND seen_at < %(at)s", {"at": at, "digest": digest}
    )


def end_session(connection: Connection, name: str, digest: bytes, at: int) -> bool:
    """End one session of a member, and forget its forms; whether it went on until now."""
    cursor = connection.execute(
        "UPDATE session SET ended_at = %s WHERE member = %s AND digest = %s AND ended_at IS NULL", [at, name, digest]
    )
    connection.execute("DELETE FROM form_used WHERE session = %s", [digest])
    return cursor.rowcount == 1


def end_sessions(connection: Connection, name: str, at: int, but: bytes = b"") -> int:
    """End a member's sessions, but perhaps for one; how many."""
    cursor = connection.execute(
        "UPDATE session SET ended_at = %s WHERE member = %s AND digest <> %s AND ended_at IS NULL", [at, name, but]
    )
    connection.execute(
        "DELETE FROM form_used USING session WHERE form_used.session = digest AND member = %s AND digest <> %s", [name, but]
    )
    return cursor.rowcount


def sweep(connection: Connection, now: int, idle: int, kept: int) -> None:
    """Forget the forms of sessions that are over, and after a while those sessions."""
    connection.execute(
        "DELETE FROM form_used USING session WHERE form_used.session = digest"
        " AND (ended_at IS NOT NULL OR ends_at <= %(now)s OR seen_at <= %(now)s - %(idle)s::int8)",
        {"now": now, "idle": idle},
    )
    connection.execute("DELETE FROM session WHERE ends_at <= %(now)s - %(kept)s::int8", {"now": now, "kept": kept})


def use_form(connection: Connection, session: bytes, once: str) -> bool:
    """Use up a form; False when it was handed in before."""
    cursor = connection.execute("INSERT INTO form_used (session, once) VALUES (%s, %s) ON CONFLICT DO NOTHING", [session, once])
    return cursor.rowcount == 1


# ---------------------------------------------------------------- what they did


def insert_act(connection: Connection, act: ActRow) -> None:
    """A new line of the audit log; its number is given to it."""
    connection.execute(
        "INSERT INTO act (at, member, role, programme, what, object, outcome, facts, address)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [*act[1:8], Jsonb(act.facts), act.address],
    )


def kinds(connection: Connection) -> list[str]:
    """What was ever done, by a few steps through the index and not by reading all lines."""
    rows = connection.execute(
        "WITH RECURSIVE kind (what) AS ((SELECT what FROM act ORDER BY what LIMIT 1) UNION ALL"
        " SELECT (SELECT what FROM act WHERE what > kind.what ORDER BY what LIMIT 1) FROM kind WHERE kind.what IS NOT NULL)"
        " SELECT what FROM kind WHERE what IS NOT NULL"
    ).fetchall()
    return [str(what) for (what,) in rows]


def acts(
    connection: Connection,
    equal: Mapping[str, str],
    programmes: list[str] | None,
    since: int,
    until: int,
    beyond: int,
    limit: int,
    *,
    oldest_first: bool = False,
) -> list[ActRow]:
    """Lines of the audit log before a number, newest first, or after it, oldest first: the same index read the other way.

    equal       : by column, what it must be      programmes : those that may be seen, None for all
    since, until: when it was done, the second not included
    """
    wanted: list[sql.Composable] = [
        sql.SQL("number > %(_beyond)s" if oldest_first else "number < %(_beyond)s"),
        sql.SQL("at >= %(_since)s AND at < %(_until)s"),
        *(sql.SQL("{} = {}").format(sql.Identifier(key), sql.Placeholder(key)) for key in equal),
    ]
    if programmes is not None:
        wanted.append(sql.SQL("programme = ANY(%(_programmes)s)"))
    query = sql.SQL("SELECT {} FROM act WHERE {} ORDER BY number {} LIMIT %(_limit)s").format(
        sql.SQL(", ").join(map(sql.Identifier, ActRow._fields)),
        sql.SQL(" AND ").join(wanted),
        sql.SQL("ASC" if oldest_first else "DESC"),
    )
    bound = {**equal, "_programmes": programmes, "_since": since, "_until": until, "_beyond": beyond, "_limit": limit}
    with connection.cursor(row_factory=class_row(ActRow)) as cursor:
        cursor.execute(query, bound)
        return cursor.fetchall()
