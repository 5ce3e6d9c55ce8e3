"""How far programmes have come: the last commit of each, and its checkpoints."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from rangli.store.database import Connection


class CheckpointRow(NamedTuple):
    """A checkpoint that is kept."""

    programme: int
    position: int
    bytes: int
    """Of the engine's state and the register, as they are kept."""


def last_commits(connection: Connection, programmes: Iterable[int]) -> dict[int, tuple[int, int]]:
    """Position and instant of the last decision of each of these; none for an empty journal."""
    cursor = connection.execute(
        "SELECT asked.number, j.position, j.at FROM unnest(%s::int4[]) AS asked (number), LATERAL"
        " (SELECT position, at FROM journal WHERE programme = asked.number ORDER BY position DESC LIMIT 1) AS j",
        [list(programmes)],
    )
    return {number: (position, at) for number, position, at in cursor}


def checkpoints(connection: Connection, programmes: Iterable[int]) -> list[CheckpointRow]:
    """The checkpoints of these, newest first. Their bytes are not read."""
    cursor = connection.execute(
        "SELECT programme, position, sum(octet_length(bytes))::int8 FROM checkpoint WHERE programme = ANY(%s)"
        " GROUP BY programme, position ORDER BY programme, position DESC",
        [list(programmes)],
    )
    return [CheckpointRow(*row) for row in cursor]
