"""Programmes, their plans and holders, and the checkpoints from which they start again."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
import psycopg
from numpy.typing import NDArray

from rangli.errors import Broken, ProgrammeExists
from rangli.store import journal
from rangli.store.database import Connection
from rangli.store.rows import Ints

PART_BYTES: Final = 1 << 18
"""Of a checkpoint, in a row."""
CHECKPOINTS_KEPT: Final = 3
"""Enough to start from an older one should the newest be damaged; ``verify --since`` starts from any of them."""


class ProgrammeRow(NamedTuple):
    """A programme."""

    number: int
    name: str
    secret: bytes
    hold_seconds: int
    created_at: int
    channel: str = "sandbox"
    """By which its money moves."""


class PlanRow(NamedTuple):
    """A version of a programme's plan."""

    number: int
    name: str
    version: str
    document: str
    signed: str = "[]"
    """Who signed for it, as JSON."""


class Checkpoint(NamedTuple):
    """A programme after ``position`` decisions."""

    position: int
    plan: int
    head: bytes
    state_hash: str
    names: bytes
    state: bytes
    books: bytes
    last: NDArray[np.int32]
    """The last decision that touched each account of the books, in their order."""


# ---------------------------------------------------------------- programmes and plans


def create(
    connection: Connection, name: str, secret: bytes, hold_seconds: int, created_at: int, channel: str = "sandbox"
) -> int:  # fmt: skip
    """A new programme; its number. Raises ProgrammeExists."""
    try:
        row = connection.execute(
            "INSERT INTO programme (number, name, secret, hold_seconds, created_at, channel)"
            " SELECT coalesce(max(number), 0) + 1, %s, %s, %s, %s, %s FROM programme RETURNING number",
            [name, secret, hold_seconds, created_at, channel],
        ).fetchone()
    except psycopg.errors.UniqueViolation as fault:
        raise ProgrammeExists(
            f"已有名为 {name} 的项目,请换一个名字", f"there is a programme named {name}; choose another name"
        ) from fault
    assert row is not None
    return int(row[0])


def programmes(connection: Connection) -> list[ProgrammeRow]:
    """All programmes, oldest first."""
    rows = connection.execute("SELECT number, name, secret, hold_seconds, created_at, channel FROM programme ORDER BY number")
    return [ProgrammeRow(number, name, bytes(secret), *rest) for number, name, secret, *rest in rows]


def plans(connection: Connection, programme: int) -> list[PlanRow]:
    """The versions of a programme's plan."""
    rows = connection.execute(
        "SELECT number, name, version, document, signed FROM plan WHERE programme = %s ORDER BY number", [programme]
    )
    return [PlanRow(*row) for row in rows]


def plan(connection: Connection, programme: int, number: int) -> PlanRow:
    """The version with this number, which is there."""
    return next(row for row in plans(connection, programme) if row.number == number)


def add_plan(connection: Connection, programme: int, plan: PlanRow) -> None:
    """Keep a version."""
    connection.execute(
        "INSERT INTO plan (programme, number, name, version, document, signed) VALUES (%s, %s, %s, %s, %s, %s)",
        [programme, *plan],
    )


def holders(connection: Connection, programme: int, since: int, upto: int) -> list[tuple[int, int, str, int]]:
    """Number, kind and name of the holders that came after one position up to another, and with which decision each came."""
    rows = connection.execute(
        "SELECT number, kind, name, since FROM holder WHERE programme = %s AND since > %s AND since <= %s ORDER BY number",
        [programme, since, upto],
    )
    return [(number, kind, name, at) for number, kind, name, at in rows]


# ---------------------------------------------------------------- checkpoints


class Passed(NamedTuple):
    """What has come since the checkpoint before, and is kept with this one."""

    first: int
    """Position of the first decision."""
    hashes: Ints
    """Of the ids, by position."""
    closed: Ints
    """(n, 3) lots that closed: order number, packets, received fen."""


def save(
    connection: Connection, programme: int, checkpoint: Checkpoint, passed: Passed, breathe: Callable[[], None] = journal.at_once
) -> None:
    """Keep a checkpoint and what has come since the one before, in one transaction; older ones go.

    breathe : called after every part, by who has time, to let others have the disk: a commit that comes meanwhile waits for
              whatever has been written before it
    """
    blob = _packed(checkpoint)
    parts = [blob[at : at + PART_BYTES] for at in range(0, len(blob), PART_BYTES)]
    with connection.transaction():
        connection.execute(  # one that was found damaged
            "DELETE FROM checkpoint WHERE programme = %s AND position = %s", [programme, checkpoint.position]
        )
        for number, part in enumerate(parts):
            connection.execute(
                "INSERT INTO checkpoint (programme, position, head, state, part, parts, bytes)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s)",
                [programme, checkpoint.position, checkpoint.head, checkpoint.state_hash, number, len(parts), part],
            )
            breathe()
        if len(passed.closed):
            journal.keep_lots(connection, programme, passed.closed, breathe)
        if len(passed.hashes):
            connection.execute(
                "INSERT INTO key_block (programme, first, hashes) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                [programme, passed.first, passed.hashes.astype("<i8").tobytes()],
            )
        connection.execute(
            "INSERT INTO balances (programme, position, books, last) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
            [programme, checkpoint.position, checkpoint.books, checkpoint.last.astype("<i4").tobytes()],
        )
        connection.execute(
            "DELETE FROM checkpoint WHERE programme = %s AND position NOT IN"
            " (SELECT DISTINCT position FROM checkpoint WHERE programme = %s ORDER BY position DESC LIMIT %s)",
            [programme, programme, CHECKPOINTS_KEPT],
        )


def newest(connection: Connection, programme: int, upto: int) -> Checkpoint | None:
    """The newest checkpoint at or before a position. Raises Broken when it is not whole."""
    row = connection.execute(
        "SELECT max(position) FROM checkpoint WHERE programme = %s AND position <= %s", [programme, upto]
    ).fetchone()
    if row is None or row[0] is None:
        return None
    parts = connection.execute(
        "SELECT head, state, bytes, parts FROM checkpoint WHERE programme = %s AND position = %s ORDER BY part",
        [programme, row[0]],
    ).fetchall()
    books = connection.execute(
        "SELECT books, last FROM balances WHERE programme = %s AND position = %s", [programme, row[0]]
    ).fetchone()
    blob = b"".join(part[2] for part in parts)
    if books is None or len(parts) != parts[0][3] or not _is_whole(blob) or len(books[1]) & 3:
        raise Broken(int(row[0]), "检查点不完整", "its checkpoint is not whole")
    plan, names, state = _unpacked(blob)
    last = np.frombuffer(books[1], "<i4").astype(np.int32)
    return Checkpoint(int(row[0]), plan, bytes(parts[0][0]), parts[0][1], names, state, bytes(books[0]), last)


def books_before(connection: Connection, programme: int, position: int) -> tuple[int, bytes] | None:
    """The newest kept balances at or before a position, and theirs."""
    row = connection.execute(
        "SELECT position, books FROM balances WHERE programme = %s AND position <= %s ORDER BY position DESC LIMIT 1",
        [programme, position],
    ).fetchone()
    return None if row is None else (int(row[0]), bytes(row[1]))


def key_blocks(connection: Connection, programme: int, upto: int) -> Sequence[tuple[int, Ints]]:
    """First position and hashes of each block, in order, none past ``upto``. Raises Broken for a block that is not whole."""
    rows = connection.execute(
        "SELECT first, hashes FROM key_block WHERE programme = %s AND first <= %s ORDER BY first", [programme, upto]
    ).fetchall()
    for first, hashes in rows:
        if len(hashes) & 7:
            raise Broken(int(first), "编号块不完整", "the block of ids that begins with it is not whole")
    return [(int(first), np.frombuffer(hashes, "<i8").astype(np.int64)) for first, hashes in rows]


def _packed(checkpoint: Checkpoint) -> bytes:
    """Plan, register and state in one."""
    return struct.pack("<qq", checkpoint.plan, len(checkpoint.names)) + checkpoint.names + checkpoint.state


def _is_whole(blob: bytes) -> bool:
    """Whether there is a register of the length that is named."""
    start = struct.calcsize("<qq")
    return len(blob) >= start and 0 <= struct.unpack_from("<qq", blob)[1] <= len(blob) - start


def _unpacked(blob: bytes) -> tuple[int, bytes, bytes]:
    """Plan, register and state."""
    plan, size = struct.unpack_from("<qq", blob)
    start = struct.calcsize("<qq")
    return plan, blob[start : start + size], blob[start + size :]
