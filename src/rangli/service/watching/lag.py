"""Lag: how far each programme's settler has come, how long its commits take, and what a restart would have to decide again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from rangli.money import print_ratio
from rangli.service.clock import MICRO_PER_SECOND, rfc3339
from rangli.store import lag
from rangli.store.database import Database

if TYPE_CHECKING:
    from rangli.service.running import Running


class Kept(msgspec.Struct, frozen=True):
    """A checkpoint."""

    position: int
    bytes: int


class Lag(msgspec.Struct, frozen=True):
    """One programme's settler as it stands. Figures are of this process since it started."""

    name: str
    role: str
    fault: str
    """Why it stopped for good; empty while it has not."""
    position: int
    """The last decision in the journal."""
    committed_at: str
    """When it was made; empty for an empty journal."""
    queued: int
    """Requests that wait."""
    orders: int
    refused: int
    repeated: int
    batches: int
    batch_ms: str
    """How long a batch took from the queue to its commit, on average; empty before the first."""
    failures: int
    checkpoints: list[Kept]
    """Newest first."""
    behind: int
    """Decisions since the newest checkpoint, which a restart decides again."""


def lags(database: Database, running: Sequence[Running]) -> list[Lag]:
    """The settlers of these programmes, in two statements."""
    numbers = [one.number for one in running]
    with database.reading() as connection:
        commits = lag.last_commits(connection, numbers)
        rows = lag.checkpoints(connection, numbers)
    return [_lag(one, commits.get(one.number), [Kept(row.position, row.bytes) for row in rows if row.programme == one.number])
            for one in running]  # fmt: skip


def _lag(running: Running, last: tuple[int, int] | None, kept: list[Kept]) -> Lag:
    figures = running.figures
    position, at = last or (0, None)
    micro = int(figures.batch_seconds * MICRO_PER_SECOND)
    return Lag(
        name=running.name,
        role=running.role,
        fault=running.settler.fault,
        position=position,
        committed_at="" if at is None else rfc3339(at),
        queued=figures.queued,
        orders=figures.orders,
        refused=figures.refused,
        repeated=figures.repeated,
        batches=figures.batches,
        batch_ms=print_ratio(micro, figures.batches * 1_000, 1) if figures.batches else "",
        failures=figures.failures,
        checkpoints=kept,
        behind=max(0, position - (kept[0].position if kept else 0)),
    )
