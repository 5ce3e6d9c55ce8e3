"""The log: one JSON line to stderr for each request, and for each mistake of ours; no names, no ids of orders, no bodies.

Lines are gathered and written once a second, or sooner when there are many: thousands of requests a second need not be as many
writes.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Final

import msgspec

from rangli.errors import RangliError
from rangli.service.clock import Clock, rfc3339

LINES_MAX: Final = 1000
FLUSH_SECONDS: Final = 1


class RequestLine(msgspec.Struct, frozen=True):
    """What is logged of a request."""

    at: str
    level: str
    event: str
    method: str
    route: str
    """The template, as ``/v1/programmes/{programme}/orders``; empty for an address that is not there."""
    status: int
    ms: msgspec.Raw
    request: str
    """The request's number, which its answer carries as X-Request-Id."""
    key: str
    """The id of its key; the key itself is nowhere."""
    code: str
    """The problem's code, if it was answered with one."""


class MistakeLine(msgspec.Struct, frozen=True):
    """What is logged of an exception that nobody expected: its type and place, and not what it says, for that may name people."""

    at: str
    level: str
    event: str
    request: str
    kind: str
    places: list[str]


class TroubleLine(msgspec.Struct, frozen=True):
    """What is logged of a refusal that the operator must mend; its text names addresses and folders, and no people."""

    at: str
    level: str
    event: str
    request: str
    code: str
    what: str


class Log:
    """Writes the lines, in order, from any thread."""

    def __init__(self, clock: Clock, write: Callable[[str], object] | None = None) -> None:
        self._clock = clock
        self._write = write
        self._lines: list[msgspec.Struct] = []
        self._lock = threading.Lock()
        self._encoder = msgspec.json.Encoder()
        self._planned = False

    def request(self, method: str, route: str, status: int, ms: str, request: str, key: str, code: str) -> None:
        """Note a request that was answered; on the event loop."""
        level = "info" if status < 500 else "error"  # noqa: PLR2004 - 5xx
        at = rfc3339(self._clock())
        self._lines.append(RequestLine(at, level, "request", method, route, status, msgspec.Raw(ms.encode()), request, key, code))
        if len(self._lines) >= LINES_MAX:
            self.flush()
        elif not self._planned:
            self._planned = True
            asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._flush_planned)

    def mistake(self, request: str, mistake: BaseException) -> None:
        """Note what nobody expected, at once."""
        places = [
            f"{frame.filename.rpartition('rangli')[2]}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(mistake.__traceback__)
        ]
        self._lines.append(MistakeLine(rfc3339(self._clock()), "error", "mistake", request, type(mistake).__name__, places))
        self.flush()

    def trouble(self, request: str, refusal: RangliError) -> None:
        """Note what the operator must mend, at once."""
        self._lines.append(TroubleLine(rfc3339(self._clock()), "error", "trouble", request, refusal.code, refusal.en))
        self.flush()

    def flush(self) -> None:
        """Write what has gathered."""
        with self._lock:
            lines, self._lines = self._lines, []
            if lines:
                (self._write or sys.stderr.write)(self._encoder.encode_lines(lines).decode())

    def _flush_planned(self) -> None:
        """The write of the second."""
        self._planned = False
        self.flush()
