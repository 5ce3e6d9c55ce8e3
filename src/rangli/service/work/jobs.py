"""Jobs: work that takes long, done in a worker process of its own, with progress, so that nothing here has to wait for it.

    start ─▶ waiting ─▶ running (a worker does it) ─▶ done | failed | cancelled
                           ▲ cancel: asked to stop, and killed if it does not

A worker is started when there is something to do and stays warm while there is. Whoever wants a job's end asks for it by its id:
jobs live in this process. What is to outlive it is kept as files, if there is a folder for them.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import msgspec

from rangli.errors import JobNotFound, JobsBusy
from rangli.service.clock import Clock
from rangli.service.work.worker import Ended, Step, Stop, Task

log = logging.getLogger("rangli.jobs")

WAITING: Final = "waiting"
RUNNING: Final = "running"
DONE: Final = "done"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"

REMEMBERED_MAX: Final = 200
"""Jobs that are over: so many that are kept, and so many that are not."""
WAITING_MAX: Final = 200
IDLE_SECONDS: Final = 600
"""After so long without a job a worker is let go, with the memory that it holds."""
PATIENCE: Final = timedelta(milliseconds=500)
"""How long one that is cancelled may take to stop by itself, which keeps the worker warm."""
PATIENCE_WITH_OLDER: Final = timedelta(seconds=10)
"""The same, when a newer job takes its place and can use the warm worker."""


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """A job as it stands. Instants are microseconds since 1970, 0 for what has not come yet."""

    id: str
    kind: str
    subject: str
    programme: str
    by: str
    state: str
    """waiting, running, done, failed or cancelled."""
    asked_at: int
    began_at: int = 0
    ended_at: int = 0
    done: int = 0
    total: int = 0
    zh: str = ""
    en: str = ""
    """What it is at."""
    error_zh: str = ""
    error_en: str = ""
    arguments: dict[str, object] = {}
    """Of a job that is kept; those of others may hold what is not to be shown."""
    result: Any = None
    """What the function answered, as JSON has it."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self.state in {DONE, FAILED, CANCELLED}


JobViews = list[JobView]


@dataclass
class _Job:
    """A job, and what only this module knows of it."""

    view: JobView
    """Without the result."""
    task: Task
    supersedes: str = ""
    is_kept: bool = False
    result: bytes = b"null"
    file: Path | None = None
    """Where the whole of it is, if it is kept and done; the result is not held in memory then."""
    worker: _Worker | None = None
    """The one that is busy with it."""


class Jobs:
    """The jobs of this process. Everything here may be called from any thread."""

    def __init__(self, clock: Clock, folder: Path | None = None, workers: int = 1) -> None:
        self._clock = clock
        self._folder = folder
        self._workers = workers
        self._environment = _environment(folder)
        self._jobs: dict[str, _Job] = {}
        """Oldest first."""
        self._waiting: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._closing = False
        self._remember()

    @property
    def is_keeping(self) -> bool:
        """Whether what is to be kept is there after a restart."""
        return self._folder is not None

    def start(
        self,
        kind: str,
        function: Callable[..., object],
        arguments: Mapping[str, object],
        *,
        programme: str,
        by: str,
        subject: str = "",
        supersedes: str = "",
        keep: bool = False,
    ) -> str:
        """Let ``function(progress, **arguments)`` be done by a worker, and answer the job's id.

        function   : importable by name; it tells ``progress(done, total, zh, en)`` how far it is and answers what JSON can hold
        supersedes : a key; older jobs with the same one are cancelled
        keep       : with its arguments and result, in the folder if there is one, so that it is there after a restart

        Raises JobsBusy when too many wait already, or none is taken any more.
        """
        name = f"{function.__module__}:{function.__qualname__}"
        assert function.__module__ != "__main__", "a worker cannot import it"
        assert function.__qualname__.isidentifier(), "a worker imports what stands at the top of a module"
        number = secrets.token_hex(8)
        view = JobView(
            id=number, kind=kind, subject=subject, programme=programme, by=by, state=WAITING, asked_at=self._clock(),
            arguments=dict(arguments) if keep else {},
        )  # fmt: skip
        job = _Job(view, Task(number, name, dict(arguments)), supersedes, keep)
        msgspec.json.encode(job.task)  # what cannot go over the line is a mistake of the caller's, and raised here
        with self._changed:
            if self._closing or len(self._waiting) >= WAITING_MAX:
                raise JobsBusy(
                    f"后台任务已排满({WAITING_MAX} 个),或服务正在停止;请稍后再试",
                    f"{WAITING_MAX} jobs are waiting, or the service is stopping; try again later",
                )
            older = [one for one in self._jobs.values() if supersedes and one.supersedes == supersedes]
            self._jobs[number] = job
            self._waiting.append(job)
            if len(self._threads) < self._workers:
                self._threads.append(threading.Thread(target=self._attend, name="rangli jobs", daemon=True))
                self._threads[-1].start()
            self._changed.notify_all()
        for one in older:
            self._cancel(one, PATIENCE_WITH_OLDER)
        return number

    def get(self, number: str) -> JobView:
        """A job with its result. Raises JobNotFound."""
        with self._changed:
            job = self._found(number)
            view, raw, file = job.view, job.result, job.file
        if file is not None:
            with suppress(OSError, msgspec.DecodeError):  # somebody took it away; what we know of it is here
                return msgspec.json.decode(file.read_bytes(), type=JobView)
        return msgspec.structs.replace(view, result=msgspec.json.decode(raw))

    def list(self, kind: str = "", programme: str = "") -> JobViews:
        """The newest first; results are left out (``get`` has them)."""
        with self._changed:
            views = [job.view for job in reversed(self._jobs.values())]
        return [view for view in views if kind in {"", view.kind} and programme in {"", view.programme}]

    def cancel(self, number: str) -> JobView:
        """Let it be; what is over stays as it is. Raises JobNotFound."""
        with self._changed:
            job = self._found(number)
        self._cancel(job, PATIENCE)
        return self.get(number)

    def wait(self, number: str, timeout: float | None = None) -> JobView:
        """The job once it is over, or as it stands after so many seconds. Raises JobNotFound."""
        with self._changed:
            job = self._found(number)
            self._changed.wait_for(lambda: job.view.is_over, timeout)
        return self.get(number)

    def close(self) -> None:
        """Cancel what is not over and end the workers."""
        with self._changed:
            self._closing = True
            unfinished = [job for job in self._jobs.values() if not job.view.is_over]
        for job in unfinished:
            self._cancel(job, timedelta(0))
        with self._changed:
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    # ------------------------------------------------------------ inside

    def _found(self, number: str) -> _Job:
        if number not in self._jobs:
            raise JobNotFound(
                f"没有任务 {number[:20]!r};它已不再保留,或服务重启过",
                f"there is no job {number[:20]!r}; it is no longer kept, or the service was started again",
            )
        return self._jobs[number]

    def _cancel(self, job: _Job, patience: timedelta) -> None:
        with self._changed:
            if job.view.is_over:
                return
            if job in self._waiting:
                self._waiting.remove(job)
            worker = job.worker
            self._end(job, state=CANCELLED)
        if worker is None:
            return
        if patience:
            worker.tell(Stop(job.view.id))
            timer = threading.Timer(patience.total_seconds(), self._lose_patience, [job])
            timer.daemon = True
            timer.start()
        else:
            self._lose_patience(job)

    def _lose_patience(self, job: _Job) -> None:
        """Kill the worker that is still at it."""
        with self._changed:
            if job.worker is not None:
                job.worker.kill()

    def _end(self, job: _Job, **facts: object) -> None:
        """It is over. Called with the lock held."""
        job.view = msgspec.structs.replace(job.view, ended_at=self._clock(), **facts)
        self._forget(is_kept=job.is_kept)
        self._changed.notify_all()

    def _forget(self, *, is_kept: bool) -> None:
        """The oldest of those that are over, beyond so many."""
        over = [number for number, job in self._jobs.items() if job.view.is_over and job.is_kept == is_kept]
        for number in over[:-REMEMBERED_MAX]:
            file = self._jobs.pop(number).file
            if file is not None:
                file.unlink(missing_ok=True)

    # ------------------------------------------------------------ a worker and its thread

    def _attend(self) -> None:
        """See job after job through, until we close."""
        worker: _Worker | None = None
        while not self._closing:
            is_asked = self._is_asked()
            if worker is not None and not (is_asked and worker.is_alive):
                worker.bury()
                worker = None
            if is_asked:
                worker = worker or self._hired()
                job = self._taken(worker)
                if job is not None:
                    self._see_through(job, worker)
        if worker is not None:
            worker.bury()

    def _hired(self) -> _Worker:
        """A new worker; what it compiles and what is kept is nobody else's to read."""
        if self._folder is not None:
            with suppress(OSError):
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _Worker(self._environment)

    def _is_asked(self) -> bool:
        """Wait for a job; whether there is one, and not the end or nothing for long."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing, IDLE_SECONDS)
            return bool(self._waiting) and not self._closing

    def _taken(self, worker: _Worker) -> _Job | None:
        """The job that has waited longest, if it still does."""
        with self._changed:
            if self._closing or not self._waiting:
                return None
            job = self._waiting.popleft()
            job.worker = worker
            job.view = msgspec.structs.replace(job.view, state=RUNNING, began_at=self._clock())
            self._changed.notify_all()
            return job

    def _see_through(self, job: _Job, worker: _Worker) -> None:
        """From the task to its end, whatever that is."""

        def step(told: Step) -> None:
            with self._changed:
                if not job.view.is_over:
                    job.view = msgspec.structs.replace(job.view, done=told.done, total=told.total, zh=told.zh, en=told.en)

        ended = worker.do(job.task, step)
        with self._changed:
            job.worker = None
            if job.view.is_over:  # cancelled meanwhile
                return
        if ended.fault or ended.zh:
            number = job.view.id
            if ended.fault:
                log.error("job %s (%s) failed: %s", number, job.view.kind, ended.fault)
            zh = ended.zh or f"任务出错了,原因在服务日志中,编号 {number}"
            en = ended.en or f"the job failed; the service's log says why, under {number}"
            with self._changed:
                self._end(job, state=FAILED, error_zh=zh, error_en=en)
            return
        with self._changed:
            job.result = bytes(ended.result)
            self._end(job, state=DONE)
        if job.is_kept:
            self._keep(job)

    # ------------------------------------------------------------ what is kept

    def _keep(self, job: _Job) -> None:
        """As a file that is whole or not there."""
        if self._folder is None:
            return
        file = self._folder.joinpath(f"{job.view.id}.json")
        hidden = file.with_name(f".{file.name}")
        whole = msgspec.structs.replace(job.view, result=msgspec.Raw(job.result))
        try:
            hidden.write_bytes(msgspec.json.encode(whole))
            hidden.replace(file)
        except OSError:
            log.warning("job %s cannot be kept in %s", job.view.id, self._folder, exc_info=True)
            return
        with self._changed:
            job.file, job.result = file, b"null"

    def _remember(self) -> None:
        """What was kept before. A file that is none of ours is left alone."""
        kept = []
        for file in self._folder.glob("*.json") if self._folder is not None and self._folder.is_dir() else ():
            with suppress(OSError, msgspec.DecodeError):
                kept.append((msgspec.json.decode(file.read_bytes(), type=JobView), file))
        for view, file in sorted(kept, key=lambda one: one[0].asked_at):
            job = _Job(msgspec.structs.replace(view, result=None), Task(view.id, "", {}), is_kept=True, file=file)
            self._jobs[view.id] = job
        self._forget(is_kept=True)


class _Worker:
    """A worker process, from this side."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "rangli.service.work.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C in a terminal is for the service, which ends its workers itself
        )
        self._saying = threading.Lock()
        self._is_killed = False

    @property
    def is_alive(self) -> bool:
        """Whether it can be given a task."""
        return not self._is_killed and self._process.poll() is None

    def do(self, task: Task, step: Callable[[Step], None]) -> Ended:
        """Let it do a task, and wait for its end; its death is one too."""
        self.tell(task)
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = msgspec.json.decode(line, type=Step | Ended)
            if isinstance(message, Ended):
                return message
            step(message)
        self.bury()
        status = self._process.returncode
        zh, en = (",多半是内存不足", ", most likely out of memory") if status == -signal.SIGKILL else ("", "")
        return Ended(
            zh=f"工作进程意外结束(退出码 {status}{zh});请重试,或缩小规模",
            en=f"the worker ended unexpectedly (exit status {status}{en}); try again, or with less",
        )

    def tell(self, message: Task | Stop) -> None:
        """Send it a message; one that is dead does not hear it, which whoever listens to it finds out."""
        assert self._process.stdin is not None
        with self._saying, suppress(OSError, ValueError):
            self._process.stdin.write(msgspec.json.encode(message) + b"\n")
            self._process.stdin.flush()

    def kill(self) -> None:
        """End it, whatever it is at."""
        self._is_killed = True
        self._process.kill()

    def bury(self) -> None:
        """End it and leave nothing of it. For the thread that listens to it."""
        self.kill()
        self._process.wait()
        for line in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # what it had not heard yet
                line.close()  # type: ignore[union-attr]  # both are pipes


def _environment(folder: Path | None) -> dict[str, str]:
    """A worker's: what can be imported here can be imported there, and it compiles into a cache of its own.

    Two processes that compile into one cache at the same time may take each other's code.
    """
    facts = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    common = os.environ.get("NUMBA_CACHE_DIR")
    if common:
        facts["NUMBA_CACHE_DIR"] = str(Path(common).joinpath("worker"))
    elif folder is not None:
        facts["NUMBA_CACHE_DIR"] = str(folder.joinpath(f"kernels-{version('rangli')}").absolute())
    return facts
