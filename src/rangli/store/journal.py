"""The journal in PostgreSQL: appending by binary COPY, reading back the very bytes, and walking down an account."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, Final, NamedTuple, Self

import numpy as np
import psycopg

from rangli.store import wires
from rangli.store.database import Connection
from rangli.store.rows import COPY_HEAD, COPY_TAIL, Bytes, Ints, encode_holders, encode_lots

PARTITION_BITS: Final = 22
"""A partition holds 2**22 positions, of all programmes."""
COLUMNS: Final = (
    "programme, position, kind, plan, at, key, request, facts, party, source, destination, amount, code, source_before,"
    " destination_before, hash"
)
BLOCK_ROWS: Final = 1 << 14
_LOTS_BYTES: Final = 1 << 16
"""Of closed lots handed over before a breath."""
ROOM: Final = 1 << 17
"""More positions than one transaction takes."""
_PARTITIONING: Final = 0x52414E48
"""Advisory lock of whoever adds a partition."""


class Row(NamedTuple):
    """One decision as the database holds it."""

    position: int
    kind: int
    plan: int
    at: int
    key: str
    request: bytes
    facts: list[int]
    party: list[int]
    source: list[int]
    destination: list[int]
    amount: list[int]
    code: list[int]
    hash: bytes


_ROW: Final = ", ".join(Row._fields)
_BEFORE: Final = (
    "coalesce(j.source_before[array_position(j.source, %(account)s)],"
    " j.destination_before[array_position(j.destination, %(account)s)], 0)::int8"
)
"""The decision before ``j`` that touched the account, 0 for none."""


# ---------------------------------------------------------------- writing


def ensure_partition(connection: Connection, position: int) -> str:
    """The partition of a position, made if it is not there; its name.

    It is made apart and attached, which waits for nobody: ``CREATE TABLE … PARTITION OF`` would wait for every reader of the
    journal, a backup say, and everyone else would wait behind it.
    """
    number = position >> PARTITION_BITS
    name = f"journal_{number}"
    if not _is_there(connection, name):
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [_PARTITIONING])
            if not _is_there(connection, name):
                low, high = number << PARTITION_BITS, (number + 1) << PARTITION_BITS
                # Vacuum writes every page once more into the log (full_page_writes, checksums). While rows are coming it would
                # make commits wait, so it comes when the next partition does.
                connection.execute(
                    f"CREATE TABLE {name} (LIKE journal INCLUDING ALL)"
                    " WITH (toast_tuple_target = 8160, autovacuum_vacuum_insert_threshold = -1)"
                )
                connection.execute(f"ALTER TABLE journal ATTACH PARTITION {name} FOR VALUES FROM ({low}) TO ({high})")
                if number and _is_there(connection, f"journal_{number - 1}"):
                    connection.execute(f"ALTER TABLE journal_{number - 1} RESET (autovacuum_vacuum_insert_threshold)")
    return name


def _is_there(connection: Connection, table: str) -> bool:
    row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", [table]).fetchone()
    return row is not None and bool(row[0])


class Appender:
    """Appends to one programme's tables through one connection, in one transaction at a time.

    ``stream_apart`` is for while decisions are still being made: a thread of its own hands the rows to the server, which reads
    them on another processor meanwhile. Nothing is there for anyone before ``commit``.
    """

    def __init__(self, connection: Connection, programme: int) -> None:
        self._connection = connection
        self._programme = programme
        self._partition = (-1, "")
        self._is_copying = False
        self._sender = ThreadPoolExecutor(1, f"copy {programme}")
        self._sent: list[Future[None]] = []

    @property
    def connection(self) -> Connection:
        """For what else belongs into the transaction."""
        return self._connection

    @property
    def apart(self) -> Executor:
        """The thread that hands rows over; what it was given before has been done before."""
        return self._sender

    def begin(self) -> None:
        """Begin a transaction without rows."""
        self._connection.execute("BEGIN")

    def commit(self) -> None:
        """Make it durable."""
        self._connection.execute("COMMIT")

    def rollback(self) -> None:
        """As if nothing had been written. What a lost connection leaves is the server's to roll back."""
        self._partition = (-1, "")  # one that was made in this transaction is gone too
        try:
            if self._is_copying:
                self._end(b"not wanted any more")
        except psycopg.Error:
            if self._connection.closed:
                return
        self._connection.execute("ROLLBACK")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, fault_type: type[BaseException] | None, *_: object) -> None:
        """No more is sent; after a fault the connection goes too, so that nothing waits for it."""
        if fault_type is not None:
            self._connection.close()
        self._sender.shutdown()

    def stream(self, first: int, data: Sequence[Bytes], *, begin: bool = False, commit: bool = False) -> None:
        """Rows of consecutive positions, ``first`` being that of this transaction's first row.

        begin : begin the transaction with them     commit : make it durable with their ``finish``
        """
        self._begin_rows(first, begin=begin, commit=commit)
        for block in data:
            self._put(block)

    def stream_apart(self, first: int, data: Sequence[Callable[[], Bytes]], *, begin: bool = False) -> None:
        """The same rows, asked for and handed over by the other thread."""
        self._begin_rows(first, begin=begin, commit=False)
        self._sent += [self._sender.submit(self._put_asked, block) for block in data]

    def _begin_rows(self, first: int, *, begin: bool, commit: bool) -> None:
        """Be in the COPY."""
        wire = self._connection.pgconn
        if not self._is_copying:
            into = f"COPY {self._target(first)} ({COLUMNS}) FROM STDIN (FORMAT BINARY)"
            wires.begin_copy(wire, ("BEGIN; " if begin else "") + into + ("; COMMIT" if commit else ""))
            wires.put(wire, COPY_HEAD)
            self._is_copying = True

    def _put(self, block: Bytes) -> None:
        wires.put(self._connection.pgconn, memoryview(block))  # type: ignore[arg-type]  # NumPy's arrays are buffers

    def _put_asked(self, block: Callable[[], Bytes]) -> None:
        self._put(block())

    def finish(self) -> None:
        """Every streamed row has been read by the server."""
        self._end(None)

    def _end(self, refusal: bytes | None) -> None:
        """Leave the COPY, in peace or with a refusal of ours."""
        self._is_copying = False
        sent, self._sent = self._sent, []
        faults = [one.exception() for one in sent]
        for fault in faults:
            if fault is not None:
                raise fault
        wire = self._connection.pgconn
        if refusal is None:
            wires.put(wire, COPY_TAIL)
        wires.end_copy(wire, refusal)

    def _target(self, first: int) -> str:
        """The partition of the rows from ``first`` on; the whole journal when they might reach into the next."""
        number = first >> PARTITION_BITS
        if number == (first + ROOM) >> PARTITION_BITS:
            if self._partition[0] != number:
                self._partition = (number, ensure_partition(self._connection, first))
            return self._partition[1]
        ensure_partition(self._connection, first)
        ensure_partition(self._connection, first + ROOM)
        return "journal"

    def holders(self, first: int, since: int, new: Sequence[tuple[int, str]], *, commit: bool = False) -> None:
        """Kind and name of new holders, numbered from ``first`` on.

        commit : make it durable with them
        """
        wire = self._connection.pgconn
        into = "COPY holder (programme, number, kind, name, since) FROM STDIN (FORMAT BINARY)"
        wires.begin_copy(wire, into + ("; COMMIT" if commit else ""))
        wires.put(wire, COPY_HEAD + encode_holders(self._programme, first, since, new) + COPY_TAIL)
        wires.end_copy(wire)


# ---------------------------------------------------------------- reading


def scan(connection: Connection, programme: int, after: int, upto: int) -> Iterator[tuple[Bytes, Ints]]:
    """The rows after one position up to another, in order, as they were written: blocks of bytes and where each row ends."""
    query = (
        f"COPY (SELECT {COLUMNS} FROM journal WHERE programme = {int(programme)} AND position > {int(after)}"  # noqa: S608
        f" AND position <= {int(upto)} ORDER BY position) TO STDOUT (FORMAT BINARY)"
    )
    for parts in wires.copied_out(connection.pgconn, query, BLOCK_ROWS):
        ends = np.zeros(len(parts) + 1, np.int64)
        np.cumsum(np.fromiter(map(len, parts), np.int64, len(parts)), out=ends[1:])
        yield np.frombuffer(b"".join(parts), np.uint8), ends


def read(connection: Connection, programme: int, positions: Sequence[int]) -> dict[int, Row]:
    """The decisions at these positions."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {_ROW} FROM journal WHERE programme = %s AND position = ANY(%s)",  # noqa: S608 -- our own columns
            [programme, list(positions)],
        )
        return {row[0]: Row(*row) for row in cursor}


def after(connection: Connection, programme: int, position: int, upto: int, limit: int) -> list[Row]:
    """At most ``limit`` decisions after a position, in order, none past ``upto``."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {_ROW} FROM journal WHERE programme = %s AND position > %s AND position <= %s"  # noqa: S608
            " ORDER BY position LIMIT %s",
            [programme, position, upto, limit],
        )
        return [Row(*row) for row in cursor]


def walk(connection: Connection, programme: int, account: int, position: int, limit: int) -> list[tuple[Row, int]]:
    """The decision at a position and those before it that touched the account, newest first, each with the position of the next.

    Every step is one look-up by primary key.
    """
    columns = ", ".join(f"j.{name}" for name in Row._fields)
    query = f"""
        WITH RECURSIVE walk AS (
            SELECT {columns}, {_BEFORE} AS before, 1 AS step FROM journal j
            WHERE j.programme = %(programme)s AND j.position = %(position)s
            UNION ALL
            SELECT {columns}, {_BEFORE}, walk.step + 1 FROM walk JOIN journal j
            ON j.programme = %(programme)s AND j.position = walk.before WHERE walk.step < %(limit)s AND walk.before > 0
        )
        SELECT {_ROW}, before FROM walk ORDER BY step
    """  # noqa: S608 -- our own columns
    with connection.cursor() as cursor:
        cursor.execute(query, {"programme": programme, "account": account, "position": position, "limit": limit})
        return [(Row(*row[:-1]), row[-1]) for row in cursor]


def chain(connection: Connection, programme: int, account: int, position: int, stop: int, steps: int) -> tuple[list[int], int]:
    """The positions of the same decisions, newest first, as far as those above ``stop``; and the next one down, 0 for none."""
    cursor = connection.execute(
        f"""
        WITH RECURSIVE walk AS (
            SELECT %(position)s::int8 AS position, 0 AS step
            UNION ALL
            SELECT {_BEFORE}, walk.step + 1 FROM walk JOIN journal j
            ON j.programme = %(programme)s AND j.position = walk.position WHERE walk.step < %(steps)s AND walk.position > %(stop)s
        )
        SELECT position FROM walk ORDER BY step
        """,  # noqa: S608 -- our own columns
        {"programme": programme, "account": account, "position": position, "stop": stop, "steps": steps},
    )
    *found, following = [int(row[0]) for row in cursor]
    return found, following


def moved(connection: Connection, programme: int, account: int, after_position: int, upto: int) -> int:
    """What an account gained in the decisions after one position up to another."""
    row = connection.execute(
        """
        SELECT coalesce(sum(CASE WHEN leg.destination = %(account)s THEN leg.amount ELSE 0 END
                          - CASE WHEN leg.source = %(account)s THEN leg.amount ELSE 0 END), 0)::int8
        FROM journal j, unnest(j.source, j.destination, j.amount) AS leg (source, destination, amount)
        WHERE j.programme = %(programme)s AND j.position > %(after)s AND j.position <= %(upto)s
          AND (leg.source = %(account)s OR leg.destination = %(account)s)
        """,
        {"account": account, "programme": programme, "after": after_position, "upto": upto},
    ).fetchone()
    assert row is not None
    return int(row[0])


def head(connection: Connection, programme: int) -> int:
    """The last position, 0 for an empty journal."""
    row = connection.execute(
        "SELECT position FROM journal WHERE programme = %s ORDER BY position DESC LIMIT 1", [programme]
    ).fetchone()
    return 0 if row is None else int(row[0])


def at_once() -> None:
    """The breath of who has no time."""


def keep_lots(connection: Connection, programme: int, closed: Ints, breathe: Callable[[], None] = at_once) -> None:
    """Lots that have closed: (n, 3) order number, packets, received fen. Those that are there stay as they are.

    The caller has begun a transaction. That some are there is rare (a start from an older checkpoint), and looking is slow.

    breathe : as ``programmes.save`` has it
    """
    try:
        with connection.transaction():
            _copy_lots(connection, "lot", programme, closed, breathe)
    except psycopg.errors.UniqueViolation:
        connection.execute("CREATE TEMP TABLE closed (LIKE lot) ON COMMIT DROP")
        _copy_lots(connection, "closed", programme, closed, breathe)
        connection.execute("INSERT INTO lot SELECT * FROM closed ON CONFLICT DO NOTHING")


def _copy_lots(connection: Connection, table: str, programme: int, closed: Ints, breathe: Callable[[], None]) -> None:
    """Into this table, by number, which is how its index grows."""
    rows = encode_lots(programme, closed[np.argsort(closed[:, 0])])
    wires.begin_copy(connection.pgconn, f"COPY {table} (programme, number, packets, received_fen) FROM STDIN (FORMAT BINARY)")
    wires.put(connection.pgconn, COPY_HEAD)
    for at in range(0, len(rows), _LOTS_BYTES):
        wires.put(connection.pgconn, rows[at : at + _LOTS_BYTES].tobytes())
        breathe()
    wires.put(connection.pgconn, COPY_TAIL)
    wires.end_copy(connection.pgconn)


def lots(connection: Connection, programme: int, numbers: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Packets and received fen of those of these orders whose lots have closed."""
    cursor = connection.execute(
        "SELECT number, packets, received_fen FROM lot WHERE programme = %s AND number = ANY(%s)", [programme, list(numbers)]
    )
    return {number: (packets, received) for number, packets, received in cursor}


_LOT: Final = np.dtype(
    [
        ("fields", ">i2"),
        *(
            (name, kind)
            for size in ("a", "b", "c")
            for name, kind in ((size, ">i4"), (f"{size}_value", ">i4" if size == "b" else ">i8"))
        ),
    ]
)
"""A row of ``all_lots`` as a binary COPY writes it: the number of fields, and each with its length before it."""


def all_lots(connection: Connection, programme: int) -> Ints:
    """(n, 3) order number, packets and received fen of every closed lot, by number."""
    query = (
        f"COPY (SELECT number, packets, received_fen FROM lot WHERE programme = {int(programme)} ORDER BY number)"  # noqa: S608
        " TO STDOUT (FORMAT BINARY)"
    )
    data = b"".join(b"".join(parts) for parts in wires.copied_out(connection.pgconn, query, BLOCK_ROWS))
    found = np.frombuffer(data, _LOT)
    return np.stack([found[f"{name}_value"].astype(np.int64) for name in ("a", "b", "c")], axis=1)


def lots_of(connection: Connection, programme: int, numbers: Ints) -> Ints:
    """The same of those of these orders whose lots have closed."""
    found = lots(connection, programme, numbers.tolist())
    return np.array([(number, *found[number]) for number in sorted(found)], np.int64).reshape(-1, 3)


def refunded(connection: Connection, programme: int, number: int) -> tuple[int, int, list[int]] | None:
    """How much of an order is refunded, what its lot had received, and the positions of its refunds."""
    row: tuple[Any, ...] | None = connection.execute(
        "SELECT refunded_fen, received_fen, positions FROM refunded WHERE programme = %s AND number = %s", [programme, number]
    ).fetchone()
    return None if row is None else (int(row[0]), int(row[1]), list(row[2]))
