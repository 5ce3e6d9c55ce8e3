"""A scan by a process of its own, for long ones: whoever decides the rows again keeps the interpreter to itself.

    caller ─ what to read (stdin) ─▶ python -m rangli.store.apart ─ blocks (stdout) ─▶ caller

A block is the number of its rows, where each begins and at last the end, all int64, and the rows. 0 rows end the scan; FAULT is
followed by the length of a text and the text.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from typing import IO, Final

import msgspec
import numpy as np
import psycopg
from psycopg import sql

from rangli.store import journal
from rangli.store.database import Connection, Database
from rangli.store.rows import Bytes, Ints

FAULT: Final = -1
PIPE_BYTES: Final = 1 << 20
"""What the system lets any user have."""


class Scan(msgspec.Struct, frozen=True):
    """What to read."""

    url: str
    snapshot: str
    """As ``pg_export_snapshot`` names it."""
    programme: int
    bounds: list[int]
    """After the first position up to the last; no block goes past any of those between."""


def scan_apart(scan: Scan) -> Iterator[tuple[Bytes, Ints]]:
    """The same blocks as ``journal.scan``. Raises psycopg.OperationalError."""
    with subprocess.Popen(  # noqa: S603 -- ourselves
        [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, pipesize=PIPE_BYTES
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(BrokenPipeError):  # it has ended, and that is seen below
            process.stdin.write(msgspec.msgpack.encode(scan))
            process.stdin.close()
        try:
            while count := int(_read(process.stdout, 8).view(np.int64)[0]):
                if count == FAULT:
                    size = int(_read(process.stdout, 8).view(np.int64)[0])
                    raise psycopg.OperationalError(_read(process.stdout, size).tobytes().decode())
                ends = _read(process.stdout, 8 * (count + 1)).view(np.int64)
                yield _read(process.stdout, int(ends[-1])), ends
        finally:
            process.kill()


def _read(source: IO[bytes], size: int) -> Bytes:
    """So many bytes. Raises psycopg.OperationalError when there are fewer."""
    out = np.empty(size, np.uint8)
    rest = memoryview(out)  # type: ignore[arg-type]  # NumPy's arrays are buffers
    while rest:
        got = source.readinto(rest)  # type: ignore[attr-defined]  # a raw stream has it
        if not got:
            raise psycopg.OperationalError("the process that reads the journal has ended")
        rest = rest[got:]
    return out


# ---------------------------------------------------------------- in the other process


def main() -> None:
    """Read what stdin asks for."""
    scan = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Scan)
    try:
        with Database(scan.url).connect() as connection:
            see(connection, scan.snapshot)
            for after, upto in pairwise(scan.bounds):
                for data, ends in journal.scan(connection, scan.programme, after, upto):
                    _write(np.array([len(ends) - 1, *ends.tolist()], np.int64).tobytes())
                    _write(data.tobytes())
        _write(bytes(8))
    except BrokenPipeError:  # nobody listens any more
        pass
    except Exception as fault:  # noqa: BLE001 -- whoever asked is told
        text = str(fault).encode()
        _write(np.array([FAULT, len(text)], np.int64).tobytes() + text)


def see(connection: Connection, snapshot: str) -> None:
    """Let a connection see the database as another one does, until it is closed."""
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    connection.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(snapshot))


def _write(data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(1, rest) :]


if __name__ == "__main__":
    main()
