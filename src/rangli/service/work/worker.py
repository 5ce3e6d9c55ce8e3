"""The worker: a process beside the service that does one job after another, so that long work never holds up the settler.

    Task, Stop ─▶ standard input ─▶ [ the function, imported by name ] ─▶ standard output ─▶ Step … Step, Ended

Lines of JSON go both ways, so what comes back is data and runs no code. It gives way to whoever else wants the processor, is the
first to go when memory runs out, and ends with the service, however that ends.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from time import monotonic_ns
from typing import BinaryIO, Final

import msgspec

from rangli.errors import RangliError

NICE: Final = 10
"""A tenth of the weight of a process that has not stepped back."""
OOM_FIRST: Final = "1000"
"""What the kernel is told, so that it ends this process and not the settler's or the database's."""
STEP_NANO: Final = 50_000_000
"""Steps that come sooner than this after another are not told."""

Progress = Callable[[int, int, str, str], None]
"""Told (done, total, Chinese, English) by a function that runs as a job; it does not come back once the job is cancelled."""


class Task(msgspec.Struct, frozen=True, tag=True):
    """What is to be done."""

    id: str
    function: str
    """``module:name``; called with a ``Progress`` and the arguments."""
    arguments: dict[str, object]


class Stop(msgspec.Struct, frozen=True, tag=True):
    """That a task is no longer wanted."""

    id: str


class Step(msgspec.Struct, frozen=True, tag=True):
    """How far a task is."""

    done: int
    total: int
    zh: str
    en: str


class Ended(msgspec.Struct, frozen=True, tag=True):
    """How a task ended: with a result, or with words if it was refused, or with a traceback if that was a mistake of ours."""

    result: msgspec.Raw = msgspec.Raw(b"null")
    zh: str = ""
    en: str = ""
    fault: str = ""
    is_stopped: bool = False


class Stopped(BaseException):
    """The task is no longer wanted. No ``Exception``, so that whoever catches those lets it pass."""


class Desk:
    """The worker's side of the line."""

    def __init__(self, hear: BinaryIO, say: BinaryIO) -> None:
        self._hear, self._say = hear, say
        self._tasks: queue.SimpleQueue[Task] = queue.SimpleQueue()
        self._stopped = ""
        """The last task that is no longer wanted."""
        self._told = 0

    def work(self) -> None:
        """Do task after task; the process ends when nobody can ask for more."""
        threading.Thread(target=self._listen, name="rangli worker listens", daemon=True).start()
        while True:
            self._tell(self._ended(self._tasks.get()))

    def _listen(self) -> None:
        for line in self._hear:
            message = msgspec.json.decode(line, type=Task | Stop)
            if isinstance(message, Task):
                self._tasks.put(message)
            else:
                self._stopped = message.id
        os._exit(0)  # whatever is running, nobody waits for it

    def _ended(self, task: Task) -> Ended:
        """Do it, and say how it ended."""

        def progress(done: int, total: int, zh: str, en: str) -> None:
            if self._stopped == task.id:
                raise Stopped
            if done == total or monotonic_ns() - self._told > STEP_NANO:
                self._told = monotonic_ns()
                self._tell(Step(done, total, zh, en))

        try:
            module, _, name = task.function.partition(":")
            result = getattr(import_module(module), name)(progress, **task.arguments)
            return Ended(msgspec.Raw(msgspec.json.encode(result)))
        except Stopped:
            return Ended(is_stopped=True)
        except RangliError as refusal:
            return Ended(zh=refusal.zh, en=refusal.en)
        except Exception:  # noqa: BLE001 (whatever a function gets wrong is its job's end and not the worker's)
            return Ended(fault=traceback.format_exc())

    def _tell(self, message: Step | Ended) -> None:
        self._say.write(msgspec.json.encode(message) + b"\n")
        self._say.flush()


def main() -> None:
    """Step back, and work. What functions print goes where errors go, for standard output is the line home."""
    os.nice(NICE)
    with suppress(OSError):  # there is such a file on Linux only
        Path("/proc/self/oom_score_adj").write_text(OOM_FIRST, encoding="ascii")
    say = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    Desk(sys.stdin.buffer, say).work()


if __name__ == "__main__":
    main()
