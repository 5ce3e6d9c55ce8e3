"""The seal: whether a programme's books are as they should be, and how that is known. It is green only when it is true.

    verify_now  ─▶ lock, row ─▶ worker (decides the whole journal again) ─▶ row: clean | broken | failed | cancelled
    verify_here ─▶ the same without a worker, for the command line
    of          ─▶ that row, the journal's hash at its position now, the trial balance now ─▶ green | amber | red | grey

A worker is a process of its own that gives way to the settler. Whoever verifies holds an advisory lock, so the service begins one
verification of a programme at a time, in whatever process; a row whose lock nobody holds was left by a process that is gone.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import msgspec
import psycopg

from rangli.errors import Broken, LedgerError, RangliError, VerifyRunning
from rangli.money import mul_div, print_micro
from rangli.service.clock import MICRO_PER_SECOND, Clock, rfc3339, system_clock
from rangli.service.work.jobs import CANCELLED, DONE, Jobs
from rangli.service.work.worker import Progress
from rangli.store import journal, people, seal
from rangli.store.database import Connection, Database
from rangli.store.seal import Newest, VerificationRow

if TYPE_CHECKING:
    from rangli.service.running import Running
    from rangli.service.settling.verify import Verified

GREEN, AMBER, RED, GREY = "green", "amber", "red", "grey"
AGE_SECONDS_MAX: Final = 86_400
"""How old a verification may be."""
SINCE_MAX: Final = 100_000
"""Decisions that may have come since."""
TOTALS_SECONDS: Final = 5
"""How old the trial balance may be: adding up millions of accounts takes a third of a second, in which nothing is published."""
WORKERS: Final = 2
"""Programmes that are verified at a time."""
STOPPED: Final = ("服务停止,核验没有做完", "the service stopped before it was done")
LEFT: Final = ("进行核验的进程已不在,核验没有做完", "the process that verified it is gone and had not done it")
LET_BE: Final = ("已取消", "cancelled")
ANOTHER: Final = (
    "此刻另有一次核验在进行,相符的结论由那一次记录",
    "another verification of it runs at the moment, and a clean finding is left to that one",
)

log = logging.getLogger("rangli.seal")


class Verification(msgspec.Struct, frozen=True):
    """One verification, for people. Instants are RFC 3339; empty for what has not come."""

    number: int
    asked_by: str
    began_at: str
    ended_at: str
    position: int | None
    head: str
    outcome: str
    zh: str
    en: str
    seconds: str


class Checking(msgspec.Struct, frozen=True):
    """A verification that runs."""

    by: str
    done: int
    """Decisions that have been decided again; known where it runs."""
    total: int
    is_here: bool
    """Whether this process runs it, and can cancel it."""


class SealView(msgspec.Struct, frozen=True):
    """What is known of a programme's books."""

    tone: str
    """green, amber, red or grey (never verified)."""
    zh: str
    en: str
    """Why."""
    position: int
    """Where the journal ends now."""
    since: int
    """Decisions since the last verdict."""
    verdict: Verification | None
    """The last verification that came to an end of its own."""
    checking: Checking | None
    """The one that runs now."""
    totals: dict[str, str]
    """The trial balance by unit, which must be 0; empty where this process does not settle."""


class Said(NamedTuple):
    """A tone and its reason."""

    tone: str
    zh: str
    en: str


class Found(NamedTuple):
    """What a verification in this process came to, and whether it is on record."""

    result: Verified | LedgerError
    """A difference is a result."""
    unkept: tuple[str, str] | None
    """Why it is not, in Chinese and English."""


class _Added(NamedTuple):
    """A trial balance, and when it was drawn up."""

    at: int
    totals: dict[str, int]


class Seal:
    """The verifications of all programmes. All methods may be called from any thread."""

    def __init__(self, database: Database, clock: Clock, running: Callable[[str], Running]) -> None:
        self._database = database
        self._clock = clock
        self._running = running
        self._jobs = Jobs(clock, workers=WORKERS)
        self._added: dict[str, _Added] = {}
        self._live: dict[str, str] = {}
        """Programme -> the job that verifies it here."""
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._closing = False

    # ------------------------------------------------------------ looking

    def of(self, programme: str) -> SealView:
        """The seal of one programme. Raises ProgrammeNotFound."""
        return self.of_all([self._running(programme)])[programme]

    def of_all(self, running: Sequence[Running]) -> dict[str, SealView]:
        """The seals of these programmes by name: one statement, one more if a verification was left behind."""
        names = [one.name for one in running]
        with self._database.reading() as connection:
            known = seal.newest(connection, names)
            if self._are_left(known) and seal.end_orphans(connection, self._clock(), *LEFT):
                known = seal.newest(connection, names)
        return {one.name: self._view(one, known[one.name]) for one in running}

    def history(self, programme: str, beyond: int = 0, limit: int = 100, *, oldest_first: bool = False) -> list[Verification]:
        """The verifications of a programme beyond a number (0: all), newest or oldest first."""
        start = beyond or (0 if oldest_first else 2**62)
        with self._database.reading() as connection:
            return [_view(row) for row in seal.verifications(connection, programme, start, limit, oldest_first=oldest_first)]

    def _are_left(self, known: dict[str, Newest]) -> bool:
        """Whether any is said to run that does not run here."""
        return any(
            one.attempt is not None and one.attempt.outcome == seal.RUNNING and name not in self._live
            for name, one in known.items()
        )

    def _view(self, running: Running, known: Newest) -> SealView:
        totals = self._totals(running)
        verdict = known.verdict
        said = self._said(known, totals)
        return SealView(
            *said,
            position=known.head,
            since=max(0, known.head - (verdict.position or 0)) if verdict is not None else known.head,
            verdict=None if verdict is None else _view(verdict),
            checking=self._checking(running.name, known.attempt),
            totals={} if totals is None else {unit: print_micro(total) for unit, total in totals.items()},
        )

    def _checking(self, programme: str, attempt: VerificationRow | None) -> Checking | None:
        """How far it is, if it runs."""
        if attempt is None or attempt.outcome != seal.RUNNING:
            return None
        number = self._live.get(programme, "")
        if not number:
            return Checking(attempt.asked_by, 0, 0, is_here=False)
        job = self._jobs.get(number)
        return Checking(attempt.asked_by, job.done, job.total, is_here=True)

    def _totals(self, running: Running) -> dict[str, int] | None:
        """The sum of all balances by unit, as they were some seconds ago at most; None where they are not known."""
        if running.settler.recovered is None:
            return None
        now = self._clock()
        added = self._added.get(running.name)
        if added is None or not 0 <= now - added.at < TOTALS_SECONDS * MICRO_PER_SECOND:
            seen = running.settler.published
            with seen.lock:
                added = _Added(now, seen.books.trial_balance())
            self._added[running.name] = added
        return added.totals

    def _said(self, known: Newest, totals: dict[str, int] | None) -> Said:
        """The worst that is so, and if nothing is, green."""
        verdict = known.verdict
        wrong = _wrong(known, totals)
        if wrong is not None:
            return wrong
        if verdict is None:
            failed = known.attempt
            if failed is not None and failed.outcome == "failed":
                return Said(
                    GREY, f"还没有核验成功过;上次没有做完:{failed.zh}", f"never verified; the last try failed: {failed.en}"
                )
            return Said(GREY, "还没有核验过", "never verified")
        since = known.head - (verdict.position or 0)
        when = rfc3339(verdict.ended_at or verdict.began_at)
        zh = f"已核验到第 {verdict.position:,} 条决定;其后又有 {since:,} 条"
        en = f"verified up to decision {verdict.position:,}; {since:,} have come since"
        attempt = known.attempt
        if attempt is not None and attempt.outcome == "failed" and attempt.number > verdict.number:
            return Said(AMBER, f"{zh}。之后的一次没有做完:{attempt.zh}", f"{en}. A later try failed: {attempt.en}")
        if self._clock() - (verdict.ended_at or verdict.began_at) > AGE_SECONDS_MAX * MICRO_PER_SECOND:
            hours = mul_div(AGE_SECONDS_MAX, 1, 3600)
            return Said(AMBER, f"{zh}。距今已超过 {hours} 小时({when})", f"{en}. That is more than {hours} hours ago ({when})")
        if since > SINCE_MAX:
            return Said(AMBER, f"{zh},超过 {SINCE_MAX:,} 条", f"{en}, more than {SINCE_MAX:,}")
        if totals is None:
            return Said(
                AMBER, f"{zh}。本进程不结算此项目,看不到试算表", f"{en}. This process does not settle it and sees no balance"
            )
        return Said(GREEN, zh, en)

    # ------------------------------------------------------------ verifying

    def start(self) -> None:
        """End what a process that is gone has left behind."""
        with self._database.reading() as connection:
            seal.end_orphans(connection, self._clock(), *LEFT)

    def verify_now(self, programme: str, by: str) -> int:
        """Begin to decide the whole journal again, in the background; the verification's number.

        Raises ProgrammeNotFound, VerifyRunning while one of this programme runs, JobsBusy.
        """
        running = self._running(programme)
        with self._lock:
            if self._closing:
                raise _running_already(programme)
            record = Record.begin(self._database, self._clock, programme, running.number, by)
            try:
                arguments = {"url": self._database.url, "programme": programme}
                job = self._jobs.start("verify", prove, arguments, programme=programme, by=by)
            except BaseException as fault:
                record.end(**_unfinished(fault))
                raise
            self._live[programme] = job
            thread = threading.Thread(target=self._see_through, args=(record, job), name="rangli seal", daemon=True)
            self._threads = [*(one for one in self._threads if one.is_alive()), thread]
            thread.start()
            return record.row.number

    def cancel(self, programme: str) -> bool:
        """Let the verification of a programme be; whether one ran here."""
        job = self._live.get(programme)
        if job is None:
            return False
        self._jobs.cancel(job)
        return True

    def wait(self, programme: str, seconds: float) -> bool:
        """Whether no verification of this programme runs here, after at most this many seconds."""
        threads = [one for one in self._threads if one.is_alive()]
        for thread in threads:
            thread.join(seconds)
        return programme not in self._live

    def close(self) -> None:
        """Cancel what runs; it is kept as failed."""
        with self._lock:
            self._closing = True
        self._jobs.close()
        for thread in self._threads:
            thread.join()

    def _see_through(self, record: Record, number: str) -> None:
        """Wait for the end of a verification, and keep how it ended."""
        programme = record.row.programme
        try:
            job = self._jobs.wait(number)
            if job.state == DONE:
                record.end(**job.result)
            elif job.state == CANCELLED and not self._closing:
                record.end(**_ended("cancelled", LET_BE))
            elif job.state == CANCELLED:
                record.end(**_ended("failed", STOPPED))
            else:
                record.end(**_ended("failed", (job.error_zh, job.error_en)))
        except (psycopg.Error, RangliError):  # whoever looks next finds it left behind
            log.warning("how the verification of %s ended was not kept", programme, exc_info=True)
        finally:
            record.close()
            with self._lock:
                self._live.pop(programme, None)


# ---------------------------------------------------------------- on record


class Record:
    """A verification on record while it runs: its row, and the lock of its connection, which says that it still does."""

    def __init__(self, connection: Connection, clock: Clock, row: VerificationRow) -> None:
        self.row = row
        self._connection = connection
        self._clock = clock

    @classmethod
    def begin(cls, database: Database, clock: Clock, programme: str, number: int, by: str) -> Self:
        """Take the lock, and keep that it has begun. Raises VerifyRunning, or psycopg's error where nothing can be written."""
        connection = database.connect()
        try:
            _lock(connection, programme, number)
            seal.end_orphans(connection, clock(), *LEFT)
            return cls(connection, clock, seal.begin(connection, programme, by, clock()))
        except BaseException:
            connection.close()
            raise

    def end(self, **facts: Any) -> None:  # noqa: ANN401 (values of columns)
        """Keep how it has ended, and give the lock back."""
        try:
            seal.end(self._connection, self.row._replace(ended_at=self._clock(), **facts))
        finally:
            self.close()

    def close(self) -> None:
        """Give the lock back."""
        with suppress(psycopg.Error):
            self._connection.close()


def verify_here(
    database: Database,
    programme: str,
    number: int,
    by: str,
    *,
    clock: Clock = system_clock,
    progress: Callable[[int], None] | None = None,
) -> Found:
    """Decide the whole journal again in this process, and keep what was found where the service keeps it.

    A database that takes no writes is verified all the same. So is a programme that somebody else verifies at the moment: what is
    clean is then left to that one, which may have seen a later journal, and a difference is kept beside it.

    Raises ProgrammeNotFound, or whatever ends it early; that is on record as failed, and Ctrl-C as cancelled.
    """
    from rangli.service.settling.verify import verify  # noqa: PLC0415 -- the engine, which who only looks does not need

    began_at, record, unkept = clock(), None, None
    try:
        record = Record.begin(database, clock, programme, number, by)
    except VerifyRunning:
        unkept = ANOTHER
    except psycopg.Error as fault:
        unkept = _unwritable(fault)
    result: Verified | LedgerError
    try:
        result = verify(database, programme, progress=progress)
    except LedgerError as fault:
        result = fault
    except BaseException as fault:
        if record is not None:
            with suppress(psycopg.Error):  # whoever looks next finds it left behind
                record.end(**_unfinished(fault))
        raise
    try:
        if record is not None:
            record.end(**_finding(result))
        elif isinstance(result, LedgerError):
            _keep_beside(database, programme, by, began_at, clock(), _finding(result))
            unkept = None
    except psycopg.Error as fault:
        unkept = _unwritable(fault)
    return Found(result, unkept)


def _keep_beside(database: Database, programme: str, by: str, began_at: int, ended_at: int, finding: dict[str, Any]) -> None:
    """Keep what is over, without the lock of who is still at it."""
    with database.connect() as connection, connection.transaction():
        row = seal.begin(connection, programme, by, began_at)
        seal.end(connection, row._replace(ended_at=ended_at, **finding))


def _finding(result: Verified | LedgerError) -> dict[str, Any]:
    """What is kept of a verification that came to its end."""
    if isinstance(result, LedgerError):
        position = result.position if isinstance(result, Broken) else None
        return {"outcome": "broken", "position": position, "zh": result.zh, "en": result.en}
    return {"outcome": "clean", "position": result.position, "head": result.head, "seconds": f"{result.seconds:.1f}"}


def _unfinished(fault: BaseException) -> dict[str, Any]:
    """What is kept of one that did not."""
    if isinstance(fault, KeyboardInterrupt):
        return _ended("cancelled", LET_BE)
    if isinstance(fault, RangliError):
        return _ended("failed", (fault.zh, fault.en))
    what = f"{type(fault).__name__}: {' '.join(str(fault).split())}"
    return _ended("failed", (f"出错了:{what}", f"it went wrong: {what}"))


def _ended(outcome: str, words: tuple[str, str]) -> dict[str, Any]:
    return {"outcome": outcome, "zh": words[0], "en": words[1]}


def _unwritable(fault: psycopg.Error) -> tuple[str, str]:
    """Why a finding is not on record."""
    what = " ".join(str(fault).split())
    return f"数据库没有让它写下来({what})", f"the database did not let it be written ({what})"


def _lock(connection: Connection, programme: str, number: int) -> None:
    """Say that this connection verifies the programme. Raises VerifyRunning."""
    if not people.try_lock(connection, seal.VERIFYING, number):
        raise _running_already(programme)


def _running_already(programme: str) -> VerifyRunning:
    return VerifyRunning(
        f"项目 {programme} 正在核验;请等它结束,或先取消", f"{programme} is being verified; wait for its end, or cancel it"
    )


def prove(progress: Progress, url: str, programme: str) -> dict[str, Any]:
    """Verify a programme, in a worker; what is kept of it. A difference is an outcome, whatever else goes wrong is raised."""
    from rangli.service.settling.verify import verify  # noqa: PLC0415 -- the engine, which only the worker needs

    with Database(url) as database:
        with database.connect() as connection:
            number = people.programme_number(connection, programme)
            total = 0 if number is None else journal.head(connection, number)
        done = 0

        def step(count: int) -> None:
            nonlocal done
            done += count
            progress(done, max(done, total), "逐条重算并对照", "deciding again and comparing")

        try:
            return _finding(verify(database, programme, progress=step))
        except LedgerError as fault:
            return _finding(fault)


# ---------------------------------------------------------------- what is so


def _wrong(known: Newest, totals: dict[str, int] | None) -> Said | None:
    """What is wrong, if anything is."""
    verdict = known.verdict
    odd = {unit: total for unit, total in (totals or {}).items() if total}
    if odd:
        said = ", ".join(f"{print_micro(total)} {unit}" for unit, total in odd.items())
        return Said(RED, f"试算表不平:各单位合计应为 0,现为 {said}", f"the trial balance must be 0 in every unit and is {said}")
    if verdict is None:
        return None
    if verdict.outcome == "broken":
        return Said(RED, f"核验发现不符:{verdict.zh}", f"the verification found a difference: {verdict.en}")
    if verdict.head != known.there:
        return Said(
            RED,
            f"第 {verdict.position} 条决定已不是核验时的那一条(哈希不同或缺失)",
            f"decision {verdict.position} is no longer the one that was verified: its hash differs, or it is missing",
        )
    return None


def _view(row: VerificationRow) -> Verification:
    """For people."""
    return Verification(
        row.number, row.asked_by, rfc3339(row.began_at), "" if row.ended_at is None else rfc3339(row.ended_at), row.position,
        row.head or "", row.outcome, row.zh, row.en, row.seconds,
    )  # fmt: skip
