"""The clock: microseconds since 1970, UTC. Only the service has one; whatever needs the time is given it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from rangli.money import mul_div

Clock = Callable[[], int]

MICRO_PER_SECOND: Final = 1_000_000
_NANO_PER_MICRO: Final = 1_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def system_clock() -> int:
    """The machine's time."""
    return mul_div(time.time_ns(), 1, _NANO_PER_MICRO)


class SetClock:
    """A clock that stands where it is set, for tests and for replaying a day."""

    def __init__(self, micro: int) -> None:
        self.micro = micro

    def __call__(self) -> int:
        """The time it is set to."""
        return self.micro

    def advance(self, seconds: int) -> None:
        """Let this much time pass."""
        self.micro += seconds * MICRO_PER_SECOND


def rfc3339(micro: int) -> str:
    """A time as RFC 3339 has it: UTC, with all six decimals.

    >>> rfc3339(1_767_225_600_000_001)
    '2026-01-01T00:00:00.000001Z'
    """
    return (_EPOCH + timedelta(microseconds=micro)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
