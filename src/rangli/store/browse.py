"""What an operator looks through: the journal in stretches and single rows, held orders, and balances of long ago.

Everything here is found by a primary key, or reads a stretch of bounded length.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from rangli.ledger.accounts import INSTITUTIONS
from rangli.ledger.transfers import CODES, REFUND
from rangli.store import rows
from rangli.store.database import Connection
from rangli.store.rows import Ints

CODE_ROOM: Final = 2 * REFUND
BOOKS_HEAD_BYTES: Final = 16
"""Of frozen balances: a mark, and how many accounts there are in eight bytes."""
FEW: Final = len(INSTITUTIONS)
"""As many accounts stand first, in every programme the same: one for each institution that was ever touched."""
assert len(CODES) <= REFUND

_HEAD: Final = (
    "int2send(kind) || int4send(coalesce(party[1], -1)) || int4send(coalesce(party[2], -1))"
    f" || int4send(CASE WHEN kind = {rows.ORDER} THEN facts[1]::int4 ELSE -1 END)"
    f" || int8send(CASE WHEN kind = {rows.ORDER} THEN facts[2] ELSE 0 END)"
)
_WRITTEN: Final = np.dtype([("kind", ">i2"), ("consumer", ">i4"), ("merchant", ">i4"), ("number", ">i4"), ("paid_fen", ">i8")])
HEADS: Final = _WRITTEN.newbyteorder("=")
"""What is searched by: kind, consumer and merchant (holders, -1 for none), an order's number (else -1) and what was paid."""

Heads = NDArray[Any]
"""(n,) of HEADS"""


class Line(NamedTuple):
    """A decision as a list shows it."""

    position: int
    kind: int
    plan: int
    at: int
    key: str
    facts: list[int]
    party: list[int]
    transfers: int
    hash: bytes
    refunded_fen: int
    """Of an order."""


class Leg(NamedTuple):
    """One leg of a decision."""

    position: int
    line: int
    """Its place in the decision, from 1."""
    kind: int
    at: int
    key: str
    source: int
    destination: int
    amount: int
    code: int

    def gained(self, account: int) -> int:
        """What it brought an account, in micro."""
        return self.amount * ((self.destination == account) - (self.source == account))


class HeldLine(NamedTuple):
    """An order that waits, or was cancelled (``due_at`` None)."""

    order_id: str
    sequence: int
    plan: int
    captured_at: int
    due_at: int | None
    request: str


class Kept(NamedTuple):
    """Balances that were kept with a checkpoint."""

    position: int
    books: bytes
    last: NDArray[np.int32]
    """The last decision on each account of the books, in their order."""

    @classmethod
    def of(cls, position: int, books: bytes, last: bytes) -> Self:
        """From their row."""
        return cls(position, bytes(books), np.frombuffer(last, "<i4").astype(np.int32))


# ---------------------------------------------------------------- the journal


def heads(connection: Connection, programme: int, after: int, upto: int) -> Heads:
    """What the decisions after one position up to another are searched by; they are read in their order."""
    row = (
        connection.cursor(binary=True)
        .execute(
            f"SELECT string_agg({_HEAD}, '' ORDER BY position) FROM journal"  # noqa: S608 -- our own columns
            " WHERE programme = %s AND position > %s AND position <= %s",
            [programme, after, upto],
        )
        .fetchone()
    )
    return np.frombuffer(b"" if row is None or row[0] is None else row[0], _WRITTEN).astype(HEADS)


def lines(connection: Connection, programme: int, positions: Sequence[int]) -> dict[int, Line]:
    """The decisions at these positions."""
    cursor = connection.execute(
        "SELECT j.position, j.kind, j.plan, j.at, j.key, j.facts, j.party, cardinality(j.code), j.hash,"
        " coalesce(r.refunded_fen, 0) FROM journal j"
        " LEFT JOIN refunded r ON j.kind = %s AND r.programme = j.programme AND r.number = j.facts[1]"
        " WHERE j.programme = %s AND j.position = ANY(%s)",
        [rows.ORDER, programme, list(positions)],
    )
    return {row[0]: Line(*row) for row in cursor}


def instant(connection: Connection, programme: int, position: int) -> int:
    """When a decision was made, 0 when there is none."""
    row = connection.execute("SELECT at FROM journal WHERE programme = %s AND position = %s", [programme, position]).fetchone()
    return 0 if row is None else int(row[0])


def before_instants(connection: Connection, programme: int, head: int, instants: Sequence[int]) -> list[int]:
    """For each instant the last decision made before it, 0 for none; ``head`` is the journal's last position.

    Decisions are made in the order of their positions, so this halves the journal until one is left.
    """
    cursor = connection.execute(
        """
        WITH RECURSIVE half (place, instant, low, high) AS (
            SELECT place, instant, 0::int8, %(head)s::int8 FROM unnest(%(instants)s::int8[]) WITH ORDINALITY AS w (instant, place)
            UNION ALL
            SELECT place, instant, CASE WHEN j.at < instant THEN j.position ELSE low END,
                   CASE WHEN j.at < instant THEN high ELSE j.position - 1 END
            FROM half JOIN journal j ON j.programme = %(programme)s AND j.position = (low + high + 1) / 2 WHERE low < high
        )
        SELECT low FROM half WHERE low = high ORDER BY place
        """,
        {"programme": programme, "head": head, "instants": list(instants)},
    )
    return [int(row[0]) for row in cursor]


def positions_of(connection: Connection, programme: int, spread: tuple[int, int], numbers: Sequence[int]) -> dict[int, int]:
    """The position of the order with each of these numbers. Orders are numbered from 0 in the order of their positions.

    spread : the journal's last position, and how many of its decisions are no orders; no order stands further behind its number
    """
    cursor = connection.execute(
        """
        WITH RECURSIVE half (number, low, high) AS (
            SELECT number, number, least(%(head)s, number + 1 + %(others)s)
            FROM unnest(%(numbers)s::int8[]) AS w (number)
            UNION ALL
            SELECT half.number, CASE WHEN o.number < half.number THEN middle.place ELSE low END,
                   CASE WHEN o.number < half.number THEN high ELSE middle.place - 1 END
            FROM half CROSS JOIN LATERAL (SELECT (low + high + 1) / 2 AS place) AS middle
            CROSS JOIN LATERAL (
                SELECT coalesce(max(before.number), -1) AS number FROM (
                    SELECT j.facts[1] AS number FROM journal j
                    WHERE j.programme = %(programme)s AND j.position <= middle.place AND j.kind = %(order)s
                    ORDER BY j.position DESC LIMIT 1) AS before) AS o
            WHERE low < high
        )
        SELECT number, low + 1 FROM half WHERE low = high
        """,
        {"programme": programme, "head": spread[0], "others": spread[1], "numbers": list(numbers), "order": rows.ORDER},
    )
    return {int(number): int(position) for number, position in cursor}


def sums_by_code(connection: Connection, programme: int, after: int, upto: int) -> Ints:
    """(codes, 2) how many transfers of each code the decisions after one position up to another made, and their sum in micro."""
    out = np.zeros((CODE_ROOM, 2), np.int64)
    cursor = connection.execute(
        "SELECT leg.code, count(*), sum(leg.amount)::int8 FROM journal j, unnest(j.amount, j.code) AS leg (amount, code)"
        " WHERE j.programme = %s AND j.position > %s AND j.position <= %s GROUP BY leg.code",
        [programme, after, upto],
    )
    for code, count, micro in cursor:
        out[code] = count, micro
    return out


def moves(
    connection: Connection, programme: int, accounts: tuple[int, int], after: int, upto: int
) -> list[tuple[int, int, int, int]]:
    """The decisions after one position up to another that changed either account: position, when, and what each gained."""
    cursor = connection.execute(
        """
        SELECT j.position, j.at,
               sum(leg.amount * ((leg.destination = %(one)s)::int4 - (leg.source = %(one)s)::int4))::int8,
               sum(leg.amount * ((leg.destination = %(other)s)::int4 - (leg.source = %(other)s)::int4))::int8
        FROM journal j, unnest(j.source, j.destination, j.amount) AS leg (source, destination, amount)
        WHERE j.programme = %(programme)s AND j.position > %(after)s AND j.position <= %(upto)s
          AND (leg.source IN (%(one)s, %(other)s) OR leg.destination IN (%(one)s, %(other)s))
        GROUP BY j.position, j.at ORDER BY j.position
        """,
        {"programme": programme, "one": accounts[0], "other": accounts[1], "after": after, "upto": upto},
    )
    return [(int(position), int(at), int(one), int(other)) for position, at, one, other in cursor]


def gained(connection: Connection, programme: int, account: int, after: int, upto: int) -> int:
    """What an account gained in the decisions after one position up to another.

    It is ``journal.moved`` for an account that most decisions touch once: only where it occurs twice are legs taken apart.
    """
    row = connection.execute(
        """
        SELECT coalesce(sum(
            CASE WHEN came IS NULL THEN 0
                 WHEN array_position(destination, %(account)s, came + 1) IS NULL THEN amount[came]
                 ELSE (SELECT sum(amount[place]) FROM unnest(array_positions(destination, %(account)s)) AS place) END
            - CASE WHEN went IS NULL THEN 0
                   WHEN array_position(source, %(account)s, went + 1) IS NULL THEN amount[went]
                   ELSE (SELECT sum(amount[place]) FROM unnest(array_positions(source, %(account)s)) AS place) END), 0)::int8
        FROM (SELECT source, destination, amount, array_position(destination, %(account)s) AS came,
                     array_position(source, %(account)s) AS went
              FROM journal WHERE programme = %(programme)s AND position > %(after)s AND position <= %(upto)s) AS j
        """,
        {"account": account, "programme": programme, "after": after, "upto": upto},
    ).fetchone()
    assert row is not None
    return int(row[0])


def last_touch(connection: Connection, programme: int, account: int, after: int, upto: int) -> int:
    """The last decision after one position up to another that touched an account; 0 for none."""
    row = connection.execute(
        "SELECT position FROM journal WHERE programme = %s AND position > %s AND position <= %s"
        " AND (%s = ANY(source) OR %s = ANY(destination)) ORDER BY position DESC LIMIT 1",
        [programme, after, upto, account, account],
    ).fetchone()
    return 0 if row is None else int(row[0])


def touches(connection: Connection, programme: int, account: int, first: int, last: int, limit: int) -> list[int]:
    """The first few decisions from one position to another that touched an account, found by looking at all of them in order."""
    cursor = connection.execute(
        "SELECT position FROM journal WHERE programme = %s AND position >= %s AND position <= %s"
        " AND (%s = ANY(source) OR %s = ANY(destination)) ORDER BY position LIMIT %s",
        [programme, first, last, account, account, limit],
    )
    return [int(row[0]) for row in cursor]


def legs(
    connection: Connection, programme: int, account: int, positions: Sequence[int], place: tuple[int, int], limit: int
) -> list[Leg]:
    """The first few legs that touched an account in the decisions at these positions, from a place (position, line) on."""
    cursor = connection.execute(
        """
        SELECT j.position, leg.line, j.kind, j.at, j.key, leg.source, leg.destination, leg.amount, leg.code
        FROM journal j, unnest(j.source, j.destination, j.amount, j.code)
             WITH ORDINALITY AS leg (source, destination, amount, code, line)
        WHERE j.programme = %(programme)s AND j.position = ANY(%(positions)s)
          AND (leg.source = %(account)s OR leg.destination = %(account)s) AND (j.position > %(position)s OR leg.line >= %(line)s)
        ORDER BY j.position, leg.line LIMIT %(limit)s
        """,
        {
            "programme": programme, "positions": list(positions), "account": account, "position": place[0], "line": place[1],
            "limit": limit,
        },
    )  # fmt: skip
    return [Leg(*row) for row in cursor]


def holder_since(connection: Connection, programme: int, holder: int) -> int:
    """The decision that brought a holder, 0 for those that came with the programme."""
    row = connection.execute("SELECT since FROM holder WHERE programme = %s AND number = %s", [programme, holder]).fetchone()
    return 0 if row is None else int(row[0])


# ---------------------------------------------------------------- refunds and holds


def refunds(connection: Connection, programme: int) -> Ints:
    """(n, 2) the numbers of the orders that were refunded, ascending, and how many fen of each."""
    row = (
        connection.cursor(binary=True)
        .execute(
            "SELECT string_agg(int8send(number) || int8send(refunded_fen), '' ORDER BY number) FROM refunded"
            " WHERE programme = %s",
            [programme],
        )
        .fetchone()
    )
    return np.frombuffer(b"" if row is None or row[0] is None else row[0], ">i8").astype(np.int64).reshape(-1, 2)


def held(
    connection: Connection, programme: int, after: tuple[int, int] | None, limit: int, *, newest_first: bool
) -> list[HeldLine]:
    """Orders that wait, by the time at which they settle, beyond (that time, sequence)."""
    beyond, order = ("<", "DESC") if newest_first else (">", "ASC")
    due, sequence = after or ((1 << 62, 0) if newest_first else (-1, 0))
    cursor = connection.execute(
        "SELECT order_id, sequence, plan, captured_at, due_at, request FROM held"  # noqa: S608 -- two words of our own
        f" WHERE programme = %s AND due_at IS NOT NULL AND (due_at, sequence) {beyond} (%s, %s)"
        f" ORDER BY due_at {order}, sequence {order} LIMIT %s",
        [programme, due, sequence, limit],
    )
    return [HeldLine(*row) for row in cursor]


def held_by_id(connection: Connection, programme: int, after: str, limit: int) -> list[HeldLine]:
    """Orders that wait or were cancelled, by their ids, after one."""
    cursor = connection.execute(
        "SELECT order_id, sequence, plan, captured_at, due_at, request FROM held WHERE programme = %s AND order_id > %s"
        " ORDER BY order_id LIMIT %s",
        [programme, after, limit],
    )
    return [HeldLine(*row) for row in cursor]


def one_held(connection: Connection, programme: int, order_id: str) -> HeldLine | None:
    """The order of this id that waits or was cancelled."""
    row = connection.execute(
        "SELECT order_id, sequence, plan, captured_at, due_at, request FROM held WHERE programme = %s AND order_id = %s",
        [programme, order_id],
    ).fetchone()
    return None if row is None else HeldLine(*row)


def requests_at(connection: Connection, programme: int, positions: Sequence[int]) -> dict[int, tuple[int, str, bytes]]:
    """Kind, id and digest of what was asked, of the decisions at these positions."""
    cursor = connection.execute(
        "SELECT position, kind, key, request FROM journal WHERE programme = %s AND position = ANY(%s)",
        [programme, list(positions)],
    )
    return {position: (kind, key, bytes(request)) for position, kind, key, request in cursor}


# ---------------------------------------------------------------- balances of long ago


_KEPT: Final = "SELECT position, books, last FROM balances WHERE programme = %s AND "


def kept_before(connection: Connection, programme: int, position: int) -> Kept | None:
    """The newest kept balances at or before a position."""
    row = connection.execute(_KEPT + "position <= %s ORDER BY position DESC LIMIT 1", [programme, position]).fetchone()
    return None if row is None else Kept.of(*row)


def kept_after(connection: Connection, programme: int, position: int) -> Kept | None:
    """The oldest kept balances after a position."""
    row = connection.execute(_KEPT + "position > %s ORDER BY position LIMIT 1", [programme, position]).fetchone()
    return None if row is None else Kept.of(*row)


def kept_first(connection: Connection, programme: int, known: Sequence[int], limit: int) -> list[tuple[int, int, dict[int, int]]]:
    """Position, time and the balances of the first few accounts of kept balances, newest first, but those that are known.

    Of each kept balances only their two beginnings are read: ``Books.freeze`` writes accounts, then what they hold.
    """
    cursor = connection.execute(
        """
        SELECT b.position, j.at, substring(b.books FROM %(head)s + 1 FOR 4 * least(%(few)s, c.count)),
               substring(b.books FROM %(head)s + 1 + 4 * c.count FOR 8 * least(%(few)s, c.count))
        FROM balances b JOIN journal j ON j.programme = b.programme AND j.position = b.position,
             LATERAL (SELECT substring(b.books FROM %(head)s - 7 FOR 4) AS bytes) AS n,
             LATERAL (SELECT get_byte(bytes, 0) + (get_byte(bytes, 1) << 8) + (get_byte(bytes, 2) << 16)
                             + (get_byte(bytes, 3) << 24) AS count) AS c
        WHERE b.programme = %(programme)s AND b.position <> ALL(%(known)s::int8[]) ORDER BY b.position DESC LIMIT %(limit)s
        """,
        {"programme": programme, "known": list(known), "limit": limit, "head": BOOKS_HEAD_BYTES, "few": FEW},
    )
    return [
        (int(position), int(at), dict(zip(_ints(accounts, "<i4"), _ints(balances, "<i8"), strict=True)))
        for position, at, accounts, balances in cursor
    ]


def _ints(data: bytes, kind: str) -> list[int]:
    found: list[int] = np.frombuffer(data, kind).tolist()
    return found
