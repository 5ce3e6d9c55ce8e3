"""COPY by libpq's own calls: rows in and out without a Python object for each step, and with other commands in the same message.

psycopg's ``Copy`` costs a message to and fro for every command around it, and on the way out more a row than all else that is
done with one. The connection's lock is not taken: a connection used here belongs to one writer or reader.
"""

from __future__ import annotations

import select
from collections.abc import Iterator
from typing import Final

import psycopg
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from rangli.store.rows import COPY_HEAD, COPY_TAIL

_FINE: Final = (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK)


def begin_copy(wire: PGconn, commands: str) -> None:
    """Commands up to a COPY FROM STDIN, which now waits for its rows; those after it follow its end. Raises psycopg.Error."""
    wire.send_query(commands.encode())
    _flush(wire)
    while True:
        result = _result(wire)
        if result is None:
            raise psycopg.ProgrammingError("no COPY among the commands")
        if result.status == ExecStatus.COPY_IN:
            return
        _check(wire, result)


def put(wire: PGconn, data: bytes | memoryview) -> None:
    """A part of the rows. Raises psycopg.Error."""
    while wire.put_copy_data(data) == 0:
        _send_some(wire)
    _flush(wire)


def end_copy(wire: PGconn, refusal: bytes | None = None) -> None:
    """All rows are there, or none shall be; wait for the commands to end. Raises psycopg.Error, for a refusal too."""
    while wire.put_copy_end(refusal) == 0:
        _send_some(wire)
    _flush(wire)
    while (result := _result(wire)) is not None:
        _check(wire, result)


def copied_out(wire: PGconn, query: str, rows: int) -> Iterator[list[bytes]]:
    """The rows that a binary COPY TO STDOUT hands out, so many at a time. Raises psycopg.Error."""
    wire.send_query(query.encode())
    _flush(wire)
    begun = _result(wire)
    assert begun is not None
    if begun.status != ExecStatus.COPY_OUT:
        _check(wire, begun)
    parts: list[bytes] = []
    next_part, note, skip = wire.get_copy_data, parts.append, len(COPY_HEAD)
    while True:
        size, data = next_part(1)
        if size == 0:
            _wait(wire, select.POLLIN)
            wire.consume_input()
            continue
        if size < 0:
            break
        note(bytes(data)[skip:])
        skip = 0
        if len(parts) > rows:  # the last part may be the tail
            yield parts[:rows]
            del parts[:rows]
    rest = [part for part in parts if part and part != COPY_TAIL]
    if rest:
        yield rest
    while (ended := _result(wire)) is not None:
        _check(wire, ended)


def _result(wire: PGconn) -> PGresult | None:
    """The next result, None after the last."""
    while wire.is_busy():
        _wait(wire, select.POLLIN)
        wire.consume_input()
    return wire.get_result()


def _check(wire: PGconn, result: PGresult) -> None:
    """Raise what the server said was wrong, when nothing is left to be read."""
    if result.status in _FINE:
        return
    while (after := _result(wire)) is not None and after.status != ExecStatus.COPY_IN:
        pass
    raise psycopg.errors.error_from_result(result)


def _flush(wire: PGconn) -> None:
    """Everything that was written is on its way."""
    while wire.flush() == 1:
        _send_some(wire)


def _send_some(wire: PGconn) -> None:
    """Wait until some of it can go. The server may have to say something before it reads on."""
    _wait(wire, select.POLLIN | select.POLLOUT)
    wire.consume_input()


def _wait(wire: PGconn, events: int) -> None:
    waiting = select.poll()
    waiting.register(wire.socket, events)
    waiting.poll()
