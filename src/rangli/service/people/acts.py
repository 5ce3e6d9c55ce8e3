"""The audit log: one line for whatever a member does, and for what he was refused. It is only added to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from rangli.service.clock import rfc3339
from rangli.store import staff as store
from rangli.store.database import Connection
from rangli.store.staff import ActRow

OUTCOMES: Final = ("done", "refused", "failed")
ALL: Final = 1 << 62
"""Past every number and every time."""


class By(NamedTuple):
    """Who does something."""

    name: str
    role: str
    address: str = ""


COMMAND_LINE: Final = By("", "command line")
"""Whoever has the data folder or the database's address may do everything."""


class ActView(msgspec.Struct, frozen=True):
    """A line of the audit log."""

    number: int
    at: str
    member: str
    """Empty for the command line, and for names that nobody has."""
    role: str
    programme: str
    what: str
    object: str
    outcome: str
    """Of OUTCOMES."""
    facts: dict[str, Any]
    address: str


class ActFilter(NamedTuple):
    """Which lines are wanted; empty means all."""

    member: str = ""
    what: str = ""
    programme: str = ""
    outcome: str = ""
    object: str = ""
    since: int = 0
    until: int = ALL
    """Not included."""


def note(
    connection: Connection,
    now: int,
    by: By,
    what: str,
    object: str = "",  # noqa: A002 (the word of the audit log)
    programme: str = "",
    outcome: str = "done",
    facts: Mapping[str, object] | None = None,
) -> None:
    """Write a line, in the transaction of what it is about if there is one."""
    assert outcome in OUTCOMES
    row = ActRow(0, now, by.name, by.role, programme, what, object, outcome, dict(facts or {}), by.address)
    store.insert_act(connection, ActRow(*map(_storable, row)))


def acts(
    connection: Connection, want: ActFilter, programmes: list[str] | None, beyond: int, limit: int, *, oldest_first: bool = False
) -> list[ActView]:
    """Lines before a number, newest first, or after it, oldest first (0: all); of these programmes, unless they are None."""
    if any("\0" in text for text in want[:5]):
        return []
    equal = {name: value for name, value in want._asdict().items() if value and name not in ("since", "until")}
    start = beyond or (0 if oldest_first else ALL)
    rows = store.acts(connection, equal, programmes, want.since, want.until, start, limit, oldest_first=oldest_first)
    return [ActView(row.number, rfc3339(row.at), *row[2:]) for row in rows]


def _storable(value: Any) -> Any:  # noqa: ANN401 (whatever JSON can hold)
    """The value with a mark instead of what PostgreSQL has no text for: people's mistakes and attempts are written down too."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
    if isinstance(value, dict):
        return {_storable(name): _storable(one) for name, one in value.items()}
    return [_storable(one) for one in value] if isinstance(value, list | tuple) else value
