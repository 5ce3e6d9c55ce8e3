"""The SQL of those around a programme: API keys, webhooks, and what was delivered to them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from psycopg.rows import class_row

from rangli.store.database import Connection


class KeyRow(NamedTuple):
    """An API key; of its token only the SHA-256 is kept."""

    id: str
    name: str
    digest: bytes
    scopes: list[str]
    programmes: list[str] | None
    """None: all of them."""
    per_second: int
    created_at: int
    last_used_at: int | None = None
    revoked_at: int | None = None


class WebhookRow(NamedTuple):
    """An endpoint that is told of a programme's decisions."""

    programme: int
    id: str
    url: str
    kinds: list[int]
    """As store.rows has them; an empty list means all."""
    secret: str
    position: int
    """The last decision that stands in one of its deliveries or that it does not want."""
    created_at: int
    paused_at: int | None = None
    fault: str = ""
    """Why it is paused."""


class DeliveryRow(NamedTuple):
    """A message to an endpoint: its decisions from ``first`` to ``last``."""

    programme: int
    webhook: str
    first: int
    last: int
    asked_at: int
    """When it was written, or asked for again."""
    due_at: int
    attempts: int = 0
    tried_at: int | None = None
    delivered_at: int | None = None
    fault: str = ""
    """Why the last attempt failed."""


# ---------------------------------------------------------------- programmes


def programme_number(connection: Connection, name: str) -> int | None:
    """The number of a programme, None when there is none of that name."""
    row = connection.execute("SELECT number FROM programme WHERE name = %s", [name]).fetchone()
    return None if row is None else int(row[0])


# ---------------------------------------------------------------- API keys


def insert_key(connection: Connection, key: KeyRow) -> None:
    """A new key."""
    connection.execute(
        "INSERT INTO api_key (id, name, digest, scopes, programmes, per_second, created_at, last_used_at, revoked_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        key,
    )


def keys(connection: Connection, *, live: bool = False) -> list[KeyRow]:
    """All keys in the order of their creation, or those that are not revoked."""
    with connection.cursor(row_factory=class_row(KeyRow)) as cursor:
        cursor.execute("SELECT * FROM api_key WHERE revoked_at IS NULL OR NOT %s ORDER BY created_at, id", [live])
        return cursor.fetchall()


def revoke_key(connection: Connection, key_id: str, at: int) -> bool:
    """End a key for ever, at the first time it is asked for; whether there is such a key."""
    cursor = connection.execute("UPDATE api_key SET revoked_at = coalesce(revoked_at, %s) WHERE id = %s", [at, key_id])
    return cursor.rowcount == 1


def touch_key(connection: Connection, key_id: str, at: int) -> None:
    """Note that a key was used."""
    connection.execute(
        "UPDATE api_key SET last_used_at = %(at)s WHERE id = %(id)s AND (last_used_at IS NULL OR last_used_at < %(at)s)",
        {"at": at, "id": key_id},
    )


# ---------------------------------------------------------------- webhooks


def insert_webhook(connection: Connection, webhook: WebhookRow) -> WebhookRow:
    """A new endpoint, told of whatever is decided from now on; as it stands in the table."""
    with connection.cursor(row_factory=class_row(WebhookRow)) as cursor:
        cursor.execute(
            """
            INSERT INTO webhook (programme, id, url, kinds, secret, created_at, position)
            VALUES (%(programme)s, %(id)s, %(url)s, %(kinds)s, %(secret)s, %(created_at)s,
                    coalesce((SELECT position FROM journal WHERE programme = %(programme)s ORDER BY position DESC LIMIT 1), 0))
            RETURNING *
            """,
            webhook._asdict(),
        )
        (row,) = cursor.fetchall()
        return row


def webhooks(connection: Connection, programme: int) -> list[WebhookRow]:
    """The endpoints of a programme in the order of their creation."""
    with connection.cursor(row_factory=class_row(WebhookRow)) as cursor:
        cursor.execute("SELECT * FROM webhook WHERE programme = %s ORDER BY created_at, id", [programme])
        return cursor.fetchall()


def webhook(connection: Connection, programme: int, webhook_id: str) -> WebhookRow | None:
    """One endpoint."""
    with connection.cursor(row_factory=class_row(WebhookRow)) as cursor:
        cursor.execute("SELECT * FROM webhook WHERE programme = %s AND id = %s", [programme, webhook_id])
        return cursor.fetchone()


def remove_webhook(connection: Connection, programme: int, webhook_id: str) -> bool:
    """Take an endpoint and its deliveries out; whether it was there."""
    cursor = connection.execute("DELETE FROM webhook WHERE programme = %s AND id = %s", [programme, webhook_id])
    return cursor.rowcount == 1


def awaiting(connection: Connection) -> dict[int, str]:
    """Programmes with an endpoint that is not paused: number and name."""
    cursor = connection.execute(
        "SELECT number, name FROM programme WHERE EXISTS"
        " (SELECT FROM webhook WHERE programme = programme.number AND paused_at IS NULL)"
    )
    return dict(cursor.fetchall())


def try_lock(connection: Connection, purpose: int, programme: int) -> bool:
    """Take an advisory lock of the connection's, if nobody has it."""
    row = connection.execute("SELECT pg_try_advisory_lock(%s::int4, %s::int4)", [purpose, programme]).fetchone()
    return row is not None and bool(row[0])


def due(connection: Connection, programmes: Iterable[int], now: int) -> list[tuple[int, str]]:
    """The endpoints (programme, id) that have something to be sent now: a message whose time has come, or a new decision."""
    cursor = connection.execute(
        """
        SELECT w.programme, w.id FROM webhook w LEFT JOIN LATERAL (
            SELECT due_at FROM delivery d
            WHERE d.programme = w.programme AND d.webhook = w.id AND d.delivered_at IS NULL ORDER BY d.first LIMIT 1
        ) next ON true
        WHERE w.programme = ANY(%(programmes)s) AND w.paused_at IS NULL AND CASE
            WHEN next.due_at IS NOT NULL THEN next.due_at <= %(now)s
            ELSE EXISTS (SELECT FROM journal j WHERE j.programme = w.programme AND j.position > w.position) END
        """,
        {"programmes": list(programmes), "now": now},
    )
    return [(programme, webhook_id) for programme, webhook_id in cursor]


def next_page(connection: Connection, row: WebhookRow, upto: int, rows_max: int, legs_max: int) -> tuple[int, int] | None:
    """The next decision, none past ``upto``, that the endpoint wants, and the last one to be sent with it; None if it wants none.

    A page spans at most so many decisions, and so many transfers unless its first decision has more.
    """
    found = connection.execute(
        """
        WITH wanted AS (
            SELECT position FROM journal
            WHERE programme = %(programme)s AND position > %(position)s AND position <= %(upto)s
              AND (kind = ANY(%(kinds)s) OR cardinality(%(kinds)s::int2[]) = 0)
            ORDER BY position LIMIT 1
        ), page AS (
            SELECT wanted.position AS first, j.position, sum(cardinality(j.amount)) OVER (ORDER BY j.position) AS legs
            FROM wanted, journal j
            WHERE j.programme = %(programme)s AND j.position >= wanted.position AND j.position <= %(upto)s
              AND j.position < wanted.position + %(rows_max)s
        )
        SELECT min(position), max(position) FROM page WHERE position = first OR legs <= %(legs_max)s
        """,
        {**row._asdict(), "upto": upto, "rows_max": rows_max, "legs_max": legs_max},
    ).fetchone()
    assert found is not None
    return None if found[0] is None else (int(found[0]), int(found[1]))


def advance(connection: Connection, row: WebhookRow, position: int) -> bool:
    """Move an endpoint's position on; False when somebody else moved it, or it is gone."""
    cursor = connection.execute(
        "UPDATE webhook SET position = %s WHERE programme = %s AND id = %s AND position = %s",
        [position, row.programme, row.id, row.position],
    )
    return cursor.rowcount == 1


def pause(connection: Connection, programme: int, webhook_id: str, at: int | None, fault: str) -> None:
    """Send nothing to an endpoint any more; with ``at`` None, send again."""
    connection.execute(
        "UPDATE webhook SET paused_at = %s, fault = %s WHERE programme = %s AND id = %s", [at, fault, programme, webhook_id]
    )


# ---------------------------------------------------------------- deliveries


def insert_delivery(connection: Connection, row: DeliveryRow) -> None:
    """A message that is to be sent."""
    connection.execute(
        "INSERT INTO delivery (programme, webhook, first, last, asked_at, due_at) VALUES (%s, %s, %s, %s, %s, %s)", row[:6]
    )


def next_delivery(connection: Connection, programme: int, webhook_id: str) -> DeliveryRow | None:
    """The first message that an endpoint has not taken."""
    with connection.cursor(row_factory=class_row(DeliveryRow)) as cursor:
        cursor.execute(
            "SELECT * FROM delivery WHERE programme = %s AND webhook = %s AND delivered_at IS NULL ORDER BY first LIMIT 1",
            [programme, webhook_id],
        )
        return cursor.fetchone()


def deliveries(connection: Connection, programme: int, webhook_id: str, limit: int) -> list[DeliveryRow]:
    """The newest messages to an endpoint, newest first."""
    with connection.cursor(row_factory=class_row(DeliveryRow)) as cursor:
        cursor.execute(
            "SELECT * FROM delivery WHERE programme = %s AND webhook = %s ORDER BY first DESC LIMIT %s",
            [programme, webhook_id, limit],
        )
        return cursor.fetchall()


def tried(connection: Connection, row: DeliveryRow) -> None:
    """Keep what became of an attempt, unless the message was asked for again meanwhile."""
    connection.execute(
        """
        UPDATE delivery SET attempts = %(attempts)s, tried_at = %(tried_at)s, delivered_at = %(delivered_at)s,
                            due_at = %(due_at)s, fault = %(fault)s
        WHERE programme = %(programme)s AND webhook = %(webhook)s AND first = %(first)s AND asked_at = %(asked_at)s
        """,
        row._asdict(),
    )


def ask_again(connection: Connection, programme: int, webhook_id: str, first: int, at: int) -> bool:
    """Let a message be sent again, now; whether it is there."""
    cursor = connection.execute(
        "UPDATE delivery SET delivered_at = NULL, attempts = 0, asked_at = %(at)s, due_at = %(at)s, fault = ''"
        " WHERE programme = %(programme)s AND webhook = %(webhook)s AND first = %(first)s",
        {"at": at, "programme": programme, "webhook": webhook_id, "first": first},
    )
    return cursor.rowcount == 1


def forget_deliveries(connection: Connection, programme: int, webhook_id: str, kept: int) -> None:
    """Drop delivered messages but for the newest ``kept``."""
    connection.execute(
        """
        DELETE FROM delivery WHERE programme = %(programme)s AND webhook = %(webhook)s AND delivered_at IS NOT NULL AND first <=
            (SELECT first FROM delivery WHERE programme = %(programme)s AND webhook = %(webhook)s ORDER BY first DESC
             OFFSET %(kept)s LIMIT 1)
        """,
        {"programme": programme, "webhook": webhook_id, "kept": kept},
    )
