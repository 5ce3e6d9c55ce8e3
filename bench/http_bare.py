"""The least that a server can do which answers after durability: what came in is appended to a file and synced, and nothing else.

Its waits, measured by the same client in the same run, are what this machine takes from any server at that moment: its
processor when neighbours hold it, its disk when it is slow. What ours waits beyond them is ours.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Final

ANSWER: Final = b"HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: 400\r\n\r\n" + b" " * 400
"""As long as ours."""


class Commits:
    """One write and one sync for all that came in during the last."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._waiting: list[tuple[asyncio.Transport, bytes]] = []
        self._running: asyncio.Task[None] | None = None

    def add(self, caller: asyncio.Transport, body: bytes) -> None:
        """Answer the caller when the body is durable."""
        self._waiting.append((caller, body))
        if self._running is None:
            self._running = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while self._waiting:
            some, self._waiting = self._waiting, []
            await asyncio.to_thread(self._commit, b"\n".join(body for _, body in some))
            for caller, _ in some:
                caller.write(ANSWER)
        self._running = None

    def _commit(self, data: bytes) -> None:
        os.write(self._file, data)
        os.fdatasync(self._file)


class Caller(asyncio.Protocol):
    """One connection: a request at a time, as the client sends them."""

    def __init__(self, commits: Commits) -> None:
        self._commits = commits
        self._come = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """A part of a request; a whole one is committed."""
        self._come += data
        head, _, body = self._come.partition(b"\r\n\r\n")
        if body and len(body) == int(head.rpartition(b":")[2]):
            self._come = b""
            self._commits.add(self._transport, body)


async def main(folder: Path) -> None:
    """Serve until a line comes in; print the port."""
    loop = asyncio.get_running_loop()
    commits = Commits(os.open(folder / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    server = await loop.create_server(lambda: Caller(commits), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    server.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
