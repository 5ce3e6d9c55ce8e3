"""The settler: the one writer of a programme. It takes what has queued, in order, and answers after the commit.

    submit ─▶ queue ─▶ [ checked, decided, written in one transaction, published ] ─▶ answers
                              ▲ everything in between belongs to this thread

It holds an advisory lock on the connection that it writes by, so when either is lost both are, and a standby takes over.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from time import perf_counter, sleep
from typing import Final

import numpy as np
import psycopg

from rangli.errors import Broken, Failed, NotSettling, RangliError
from rangli.ledger import Books
from rangli.service.clock import Clock
from rangli.service.requests import Request
from rangli.service.settling.batch import Batch
from rangli.service.settling.lots import ClosedLots
from rangli.service.settling.recovery import Recovered, checkpoint_of, recover
from rangli.service.settling.standing import publish
from rangli.service.views import Answer
from rangli.store import journal, programmes
from rangli.store.database import Connection, Database
from rangli.store.journal import Appender
from rangli.store.programmes import Checkpoint, Passed, ProgrammeRow

log = logging.getLogger("rangli.settler")

BATCH_MAX: Final = 20_000
"""Requests that one commit takes."""
CHECKPOINT_EVERY: Final = 100_000
"""Decisions between checkpoints: what a restart decides again."""
BREATH: Final = timedelta(milliseconds=5)
"""Between the parts of a checkpoint that is kept in the background."""
RETRY_SECONDS: Final = 1
HOLDS_SECONDS: Final = 1
"""How often held orders are looked at."""
SETTLING: Final = 0x52414E
"""Advisory lock of whoever settles a programme; its second half is the programme's number."""

Answers = list[Answer | RangliError]


@dataclass
class Figures:
    """What a programme's settler has done since it started."""

    orders: int = 0
    refused: int = 0
    repeated: int = 0
    transfers: int = 0
    batches: int = 0
    queued: int = 0
    batch_seconds: float = 0
    failures: int = 0
    checkpoints: int = 0


@dataclass
class Published:
    """What readers see: the programme after its last commit. ``lock`` is held while it goes forward."""

    position: int = 0
    head: bytes = b""
    plan: int = 0
    orders: int = 0
    holders: int = 0
    books: Books = field(default_factory=Books)
    last: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))
    lock: threading.Lock = field(default_factory=threading.Lock)
    moved: threading.Condition = field(default_factory=threading.Condition)


class Settler:
    """One programme's writer, in a thread of its own."""

    def __init__(
        self, database: Database, programme: ProgrammeRow, clock: Clock, *, checkpoint_every: int = CHECKPOINT_EVERY
    ) -> None:
        self.programme = programme
        self.figures = Figures()
        self.published = Published()
        self.on_commit: Callable[[str], None] = lambda _: None
        self.recovered: Recovered | None = None
        """None while another process settles, or while this one recovers."""
        self.fault = ""
        """Why it stopped for good."""
        self._database = database
        self._clock = clock
        self._checkpoint_every = checkpoint_every
        self._queue: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._ready = threading.Event()
        self._connection: Connection | None = None
        self._reader: Connection | None = None
        """For what has been committed before; the other connection may be in the middle of a COPY."""
        self._saving: threading.Thread | None = None
        self._checkpoint_at = 0
        self._at = 0
        """When the last decision was made."""
        self._unsaved: list[np.ndarray] = []
        self._saved_lots: list[tuple[ClosedLots, int]] = []
        """Whose lots, and how many of them, a checkpoint has taken along."""
        self._accepting = threading.Lock()
        self._thread = threading.Thread(target=self._live, name=f"settler {programme.name}", daemon=True)

    # ------------------------------------------------------------ for callers

    def start(self) -> None:
        """Begin, as settler or as standby."""
        self._thread.start()

    def wait_ready(self, timeout: float) -> bool:
        """Whether it settles, after at most this many seconds."""
        return self._ready.wait(timeout)

    @property
    def role(self) -> str:
        """settling, standby, recovering or broken."""
        if self.fault:
            return "broken"
        return "settling" if self.recovered is not None else "recovering" if self._connection is not None else "standby"

    def submit(self, requests: Sequence[Request]) -> Future[Answers]:
        """The answers to these requests, in their order, once they are durable. Raises NotSettling."""
        work = _Work("requests", list(requests))
        with self._accepting:
            if self.recovered is None or self._closing.is_set():
                raise _not_settling(self.programme.name)
            self.figures.queued += len(work.requests)
            if work.requests:
                self._queue.put(work)
            else:
                work.answers.set_result([])
        return work.answers

    def ask(self, question: Callable[[Recovered], object]) -> Future[object]:
        """Something to read from the live state, between two commits."""
        work = _Work("question", [], question)
        with self._accepting:
            if self.recovered is None or self._closing.is_set():
                raise _not_settling(self.programme.name)
            self._queue.put(work)
        return work.asked

    def close(self) -> None:
        """Answer what has queued, keep a checkpoint, and give up the lock."""
        with self._accepting:
            self._closing.set()
        self._queue.put(None)
        connection = self._connection
        if connection is not None and self.recovered is None:
            connection.cancel_safe(timeout=1)
        if self._thread.is_alive():
            self._thread.join()

    # ------------------------------------------------------------ its life

    def _live(self) -> None:
        """Wait for the lock, recover, settle; and again when the connection is lost."""
        while not self._closing.is_set():
            try:
                self._settle_until_lost()
            except Broken as fault:
                self.fault = fault.en
                log.critical("programme %s does not recover: decision %d", self.programme.name, fault.position)
                break
            except (psycopg.Error, RangliError) as fault:
                self.figures.failures += 1
                log.warning("programme %s lost its connection: %s", self.programme.name, type(fault).__name__)
                self._stop_settling()
                self._closing.wait(RETRY_SECONDS)
            except Exception:  # our own mistake: nothing more may be settled on top of it
                self.fault = "an unexpected fault; see the log"
                log.exception("programme %s stopped", self.programme.name)
                break
            finally:
                self._stop_settling()
        self._stop_settling()

    def _settle_until_lost(self) -> None:
        connection = self._database.connect()
        try:
            if not self._locked(connection):
                return
            self._recover(connection)
            appender = Appender(connection, self.programme.number)
            with appender, self._database.connect() as self._reader:
                while self._take(appender):
                    pass
            self._save(connection, wait=True)
        finally:
            self._connection = None
            connection.close()

    def _locked(self, connection: Connection) -> bool:
        """Wait until no other process settles this programme. The wait ends with the other's connection."""
        self._connection = None  # a standby, until the lock is ours
        self._waiting = connection
        while not self._closing.is_set():
            connection.execute("SET lock_timeout = '500ms'")
            try:
                connection.execute("SELECT pg_advisory_lock(%s, %s)", [SETTLING, self.programme.number])
            except psycopg.errors.LockNotAvailable:
                continue
            connection.execute("SET lock_timeout = 0")
            self._connection = connection
            return True
        return False

    def _recover(self, connection: Connection) -> None:
        """Read the programme back, and publish it."""
        recovered = recover(connection, self.programme)
        standing = recovered.standing
        self._unsaved = list(recovered.unsaved)
        self._checkpoint_at = recovered.checkpoint
        last = journal.read(connection, self.programme.number, [recovered.standing.position])
        self._at = max((row.at for row in last.values()), default=0)
        with self.published.lock:
            seen = self.published
            seen.position, seen.head, seen.plan = standing.position, standing.head, standing.plan
            seen.orders, seen.holders = standing.programme.order_count, len(standing.programme.accounts)
            seen.books, seen.last = Books.thaw(standing.books.freeze()), standing.last.copy()
        with self._accepting:
            self.recovered = recovered
        self._ready.set()

    def _stop_settling(self) -> None:
        """Refuse what has queued."""
        with self._accepting:
            self.recovered = None
            self._ready.clear()
        while True:
            try:
                work = self._queue.get_nowait()
            except queue.Empty:
                return
            if work is not None:
                self.figures.queued -= len(work.requests)
                work.fail(_failed(self.programme.name) if not self._closing.is_set() else _not_settling(self.programme.name))

    # ------------------------------------------------------------ one commit

    def _take(self, appender: Appender) -> bool:
        """Settle what has queued; whether to go on."""
        works = self._drain()
        if works and works[-1] is None:
            works.pop()
            closing = True
        else:
            closing = self._closing.is_set()
        some = [work for work in works if work is not None]
        asked = [work for work in some if work.requests]
        try:
            if asked or not some:
                self._commit(appender, asked)
            for work in some:
                if work.question is not None:
                    assert self.recovered is not None
                    work.answer_question(self.recovered)
        except BaseException:
            for work in some:
                work.fail(_failed(self.programme.name))
            raise
        self._save(appender.connection, wait=False)
        return not closing

    def _drain(self) -> list[_Work | None]:
        """The next works, at most BATCH_MAX requests of them; none after HOLDS_SECONDS without any."""
        works: list[_Work | None] = []
        count = 0
        try:
            works.append(self._queue.get(timeout=HOLDS_SECONDS))
            while count < BATCH_MAX and works[-1] is not None:
                count += len(works[-1].requests)
                works.append(self._queue.get_nowait())
        except queue.Empty:
            pass
        return works

    def _commit(self, appender: Appender, works: Sequence[_Work]) -> None:
        """Decide, write in one transaction, publish, answer."""
        started = perf_counter()
        requests = [request for work in works for request in work.requests]
        self.figures.queued -= len(requests)
        batch = self._decided(requests, appender)
        if batch is None or not batch.changes:
            appender.connection.execute("SELECT 1")  # with it the lock is lost, and what was decided here is not so any more
        if batch is None:
            return
        if batch.changes:
            batch.store()
            self._publish(batch)
        answers = batch.answers
        self._count(batch, perf_counter() - started)
        at = 0
        for work in works:
            work.answers.set_result(answers[at : at + len(work.requests)])
            at += len(work.requests)
        if batch.written.data:
            self.on_commit(self.programme.name)

    def _decided(self, requests: list[Request], appender: Appender) -> Batch | None:
        """The batch with its decisions made in memory; a row that must leave no trace is left out at a second try."""
        barred: dict[int | str, RangliError] = {}
        while True:
            assert self.recovered is not None
            assert self._reader is not None
            batch = Batch(self._reader, self.programme, self.recovered, self._time(), barred, appender)
            if not requests and not batch.due():
                return None
            batch.decide(requests)
            if not batch.trace:
                return batch
            barred |= batch.trace
            if batch.has_begun:
                appender.rollback()
            self._recover(appender.connection)

    def _publish(self, batch: Batch) -> None:
        """What was committed becomes what readers see."""
        assert self.recovered is not None
        standing = self.recovered.standing
        seen = self.published
        with seen.lock:
            seen.last = publish(batch.written.moved, standing, seen.books, seen.last)
            seen.position, seen.head, seen.plan = standing.position, standing.head, standing.plan
            seen.orders, seen.holders = standing.programme.order_count, len(standing.programme.accounts)
        self.recovered.closed.add(batch.written.closed)
        if len(batch.hashes):
            self._unsaved.append(batch.hashes)
        with seen.moved:
            seen.moved.notify_all()

    def _count(self, batch: Batch, seconds: float) -> None:
        figures = self.figures
        figures.batches += 1
        figures.batch_seconds += seconds
        figures.orders += batch.orders_settled
        figures.transfers += sum(len(legs.code) for legs in batch.written.moved)
        for answer in batch.answers:
            if isinstance(answer, RangliError):
                figures.refused += 1
            elif answer.repeated:
                figures.repeated += 1

    def _time(self) -> int:
        """Now; a clock that was set back stands still until it has caught up: decisions are in the order of their times."""
        self._at = max(self._at, self._clock())
        return self._at

    # ------------------------------------------------------------ checkpoints

    def _save(self, connection: Connection, *, wait: bool) -> None:
        """Keep a checkpoint when it is time, in a thread of its own; at the end (``wait``) in any case."""
        recovered = self.recovered
        if self._saving is not None and (wait or not self._saving.is_alive()):
            self._saving.join()
            self._saving = None
            while self._saved_lots:
                closed, count = self._saved_lots.pop()
                closed.forget(count)
        if recovered is None or self._saving is not None:
            return
        standing = recovered.standing
        since = standing.position - self._checkpoint_at
        if since == 0 or (since < self._checkpoint_every and not wait):
            return
        checkpoint = checkpoint_of(standing)
        hashes = np.concatenate(self._unsaved) if self._unsaved else np.zeros(0, np.int64)
        assert len(hashes) == since
        passed = Passed(self._checkpoint_at + 1, hashes, recovered.closed.all())
        self._checkpoint_at, self._unsaved = standing.position, []  # should it fail, a restart reads these ids from the journal
        if wait:
            programmes.save(connection, self.programme.number, checkpoint, passed)
            self.figures.checkpoints += 1
        else:
            self._saving = threading.Thread(target=self._save_apart, args=(checkpoint, passed, recovered.closed), daemon=True)
            self._saving.start()

    def _save_apart(self, checkpoint: Checkpoint, passed: Passed, closed: ClosedLots) -> None:
        """Keep it through another connection; a lost one only makes the next restart longer, and the next one takes its lots."""
        try:
            with self._database.connect() as connection:
                programmes.save(connection, self.programme.number, checkpoint, passed, partial(sleep, BREATH.total_seconds()))
            self._saved_lots.append((closed, len(passed.closed)))
            self.figures.checkpoints += 1
        except (psycopg.Error, RangliError) as fault:
            log.warning("a checkpoint of programme %s was not kept: %s", self.programme.name, fault)


class _Work:
    """Something for the settler's thread."""

    def __init__(self, kind: str, requests: list[Request], question: Callable[[Recovered], object] | None = None) -> None:
        self.kind = kind
        self.requests = requests
        self.question = question
        self.answers: Future[Answers] = Future()
        self.asked: Future[object] = Future()
        for future in (self.answers, self.asked):
            future.set_running_or_notify_cancel()  # what has been submitted will be decided, whether or not anyone still waits

    def answer_question(self, recovered: Recovered) -> None:
        assert self.question is not None
        try:
            self.asked.set_result(self.question(recovered))
        except Exception as fault:  # noqa: BLE001 (whoever asked is told; settling goes on)
            self.asked.set_exception(fault)

    def fail(self, fault: RangliError) -> None:
        future: Future[object] | Future[Answers] = self.asked if self.question is not None else self.answers
        if not future.done():
            future.set_exception(fault)


def _not_settling(name: str) -> NotSettling:
    return NotSettling(
        f"项目 {name} 此刻不由本进程结算;请稍后用同一编号重试",
        f"this process does not settle {name} now; try again soon with the same id",
    )


def _failed(name: str) -> Failed:
    return Failed(
        f"项目 {name} 的这次提交没有得到确认;请用同一编号重试,不会重复结算",
        f"this commit of {name} was not confirmed; try again with the same id, it cannot count twice",
    )
