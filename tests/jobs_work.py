"""Work for jobs to do in tests: a worker imports it by name."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import NoReturn

from rangli.errors import FieldRefused
from rangli.service.work.worker import Progress


def add(progress: Progress, one: int, other: int) -> int:
    """The sum, after a word."""
    progress(1, 1, "加", "adding")
    return one + other


def count(progress: Progress, to: int, seconds: float) -> list[int]:
    """All numbers below, one every so many seconds."""
    for number in range(to):
        progress(number + 1, to, f"数到 {number + 1}", f"at {number + 1}")
        time.sleep(seconds)
    return list(range(to))


def sleep(_: Progress, seconds: float) -> None:
    """Nothing, in silence."""
    time.sleep(seconds)


def chatter(_: Progress) -> str:
    """A result, after printing."""
    print("this is no message")  # noqa: T201 (that it does is the point)
    return "said"


def refuse(_: Progress) -> NoReturn:
    """Nothing: what was asked for is no good."""
    raise FieldRefused("seed", "应为整数", "write a whole number")


def fail(_: Progress, words: str) -> NoReturn:
    """Nothing: a mistake of ours."""
    raise ValueError(words)


def answer_bytes(_: Progress) -> object:
    """What JSON cannot hold."""
    return object()


def die(_: Progress) -> NoReturn:
    """Nothing: the kernel ends the process."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def process(_: Progress) -> int:
    """The worker's process id."""
    return os.getpid()


def weight(_: Progress) -> dict[str, object]:
    """How far the worker has stepped back, and where it compiles."""
    return {
        "nice": os.nice(0),
        "first": Path("/proc/self/oom_score_adj").read_text(encoding="ascii").strip(),
        "cache": os.environ.get("NUMBA_CACHE_DIR", ""),
    }
