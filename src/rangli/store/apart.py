"""A scan by processes of their own, for long ones: whoever decides the rows again keeps the interpreter to itself.

    caller ─ what to read (stdin) ─▶ python -m rangli.store.apart ─ spans (stdout) ─▶ caller
                                     … READERS of them, the spans in turn

A span is the number of its rows, where each begins and at last the end, all int64, and the rows; or FAULT, the length of a text
and the text. One reader alone would be waited for: its server writes every array element by element.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import cycle, pairwise
from typing import IO, Final

import msgspec
import numpy as np
import psycopg
from psycopg import sql

from rangli.store import journal
from rangli.store.database import Connection, Database
from rangli.store.journal import BLOCK_ROWS
from rangli.store.rows import Bytes, Ints

READERS: Final = 2
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

    def spans(self) -> list[tuple[int, int]]:
        """After one position up to another, so short that each is one block."""
        starts = [range(after, upto, BLOCK_ROWS) for after, upto in pairwise(self.bounds)]
        return [(start, min(start + BLOCK_ROWS, some.stop)) for some in starts for start in some]


def scan_apart(scan: Scan) -> Iterator[tuple[Bytes, Ints]]:
    """The same rows as ``journal.scan``, in order. Raises psycopg.OperationalError."""
    with ExitStack() as stack:
        sources = [stack.enter_context(_reader(scan, turn)) for turn in range(READERS)]
        for _, source in zip(scan.spans(), cycle(sources), strict=False):
            count = int(_read(source, 8).view(np.int64)[0])
            if count == FAULT:
                size = int(_read(source, 8).view(np.int64)[0])
                raise psycopg.OperationalError(_read(source, size).tobytes().decode())
            if count:
                ends = _read(source, 8 * (count + 1)).view(np.int64)
                yield _read(source, int(ends[-1])), ends


@contextmanager
def _reader(scan: Scan, turn: int) -> Iterator[IO[bytes]]:
    """What a process says that reads every READERS-th span from the ``turn``-th on. It ends with the context."""
    with subprocess.Popen(  # noqa: S603 -- ourselves
        [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, pipesize=PIPE_BYTES
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(BrokenPipeError):  # it has ended, and that is seen when it is read
            process.stdin.write(msgspec.msgpack.encode((scan, turn)))
            process.stdin.close()
        try:
            yield process.stdout
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
    scan, turn = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=tuple[Scan, int])
    try:
        with Database(scan.url).connect() as connection:
            see(connection, scan.snapshot)
            for after, upto in scan.spans()[turn::READERS]:
                blocks = list(journal.scan(connection, scan.programme, after, upto))
                for data, ends in blocks:
                    _write(np.concatenate([[len(ends) - 1], ends]).tobytes())
                    _write(data)
                if not blocks:
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


def _write(data: bytes | Bytes) -> None:
    rest = memoryview(data)  # type: ignore[arg-type]  # as above
    while rest:
        rest = rest[os.write(1, rest) :]


if __name__ == "__main__":
    main()
