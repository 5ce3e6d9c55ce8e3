"""The feed: each decision as a server-sent event, as soon as it is durable, from any position on and for ever.

One thread per programme waits for its journal to grow, however many clients read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import msgspec

from rangli.errors import FieldRefused, Unavailable
from rangli.web.asked import Asked, Reply
from rangli.web.bodies import Since

if TYPE_CHECKING:
    from rangli.service import Running
    from rangli.web.desk import Desk

HEARTBEAT_SECONDS: Final = 15
WAIT_SECONDS: Final = 1
"""How long the thread waits before it asks whether anyone still reads."""
PAGE: Final = 500
EVENT_STREAM: Final = b"text/event-stream"
NOT_STORED: Final = ((b"cache-control", b"no-store"), (b"x-accel-buffering", b"no"))


class Watch:
    """Wakes the readers of one programme's feed when its journal has grown."""

    def __init__(self, running: Running, *, stopped: bool = False) -> None:
        self._running = running
        self._position = 0
        self._readers = 0
        self._moved = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.stopped = stopped

    @contextmanager
    def reading(self) -> Iterator[None]:
        """One more reader for as long as this lasts."""
        self._readers += 1
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._watch())
        try:
            yield
        finally:
            self._readers -= 1

    async def beyond(self, after: int, seconds: int = HEARTBEAT_SECONDS) -> bool:
        """Wait for a decision after this one, or the end of the feed; False when the time was over first."""
        if self._position <= after and not self.stopped:
            try:
                await asyncio.wait_for(self._moved.wait(), seconds)
            except TimeoutError:
                return False
        return True

    def stop(self) -> None:
        """Let every reader end."""
        self.stopped = True
        self._moved.set()

    async def _watch(self) -> None:
        """Wait in a thread for as long as anyone reads."""
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "rangli feed") as thread:
            while self._readers and not self.stopped:
                try:
                    position = await loop.run_in_executor(thread, self._running.wait, self._position, WAIT_SECONDS)
                except Unavailable:
                    await asyncio.sleep(WAIT_SECONDS)
                    continue
                if position > self._position:
                    self._position = position
                    self._moved.set()
                    self._moved = asyncio.Event()
        self._task = None


def events(running: Running, after: int) -> tuple[bytes, int]:
    """The next decisions as events, and the position of the last one; ``after`` when there are none."""
    decisions = running.decisions(after, PAGE)
    parts: list[bytes] = []
    for decision in decisions:
        parts += (b"id: ", str(decision.position).encode(), b"\ndata: ", msgspec.json.encode(decision), b"\n\n")
    return b"".join(parts), decisions[-1].position if decisions else after


async def _stream(desk: Desk, running: Running, after: int) -> AsyncIterator[bytes]:
    """Events as they come, and a comment now and then so that nobody on the way takes the silence for an end."""
    watch = desk.watch(running)
    yield b"retry: 1000\n\n"
    with watch.reading():
        while not watch.stopped:
            part, after = await desk.ask(events, running, after)
            if part:
                yield part
                continue
            if not await watch.beyond(after):
                yield b": still here\n\n"


async def feed(desk: Desk, asked: Asked) -> Reply:
    """The endpoint. A client that comes back says with Last-Event-ID what it has."""
    running = await desk.running(asked.param("programme"))
    after, last = asked.query(Since).after, asked.header(b"last-event-id")
    if last:
        if not (last.isascii() and last.isdigit() and len(last) <= len(str(2**62))):
            raise FieldRefused("Last-Event-ID", "应为决定的序号,如 42", "it must be the position of a decision, as 42")
        after = int(last)
    if asked.method == "HEAD":
        return Reply(200, b"", EVENT_STREAM, NOT_STORED)
    return Reply(200, _stream(desk, running, after), EVENT_STREAM, NOT_STORED)
