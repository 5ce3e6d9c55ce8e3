"""A service: all programmes of one database, and what belongs to none of them."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import psycopg

from rangli.engine.draw import SECRET_BYTES
from rangli.errors import FieldRefused, NotSettling, PlanFaulty, ProgrammeNotFound, RangliError
from rangli.plan import check, compile_plan, preset_text, presets
from rangli.service.clock import Clock, system_clock
from rangli.service.people.access import Access
from rangli.service.people.drafts import Drafts
from rangli.service.people.staff import Staff
from rangli.service.requests import Signature
from rangli.service.running import Running
from rangli.service.settling.approval import SANDBOX, SECONDS_PER_DAY, admit, check_channel, signed_text
from rangli.service.settling.orders import digest
from rangli.service.settling.settler import CHECKPOINT_EVERY
from rangli.service.settling.standing import GENESIS_KEY, NO_REQUEST, Asked, Standing, Written
from rangli.service.views import Health, ProgrammeView
from rangli.service.watching.checkup import settled_since
from rangli.service.watching.today import Today
from rangli.service.webhooks import Webhooks
from rangli.service.work.copies import Copies
from rangli.service.work.imports import Imports
from rangli.service.work.jobs import Jobs
from rangli.service.work.seal import Seal
from rangli.settle import Programme
from rangli.store import programmes, rows
from rangli.store.database import Database
from rangli.store.journal import Appender
from rangli.store.programmes import PlanRow, ProgrammeRow

HOLD_SECONDS_MAX = 400 * 86_400
NAME_LETTERS_MAX = 60
READY_SECONDS = 60
LOOK_SECONDS = 1
"""How often a service looks for programmes that other processes created."""


class Service:
    """All programmes of one database, served by this process."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        checkpoint_every: int,
        *,
        rehearsing: bool = False,
        private_webhooks: bool = False,
        jobs_folder: Path | None = None,
    ) -> None:
        self.database = database
        self.clock = clock
        self.jobs = Jobs(clock, jobs_folder)
        self.access = Access(database, clock)
        self.imports = Imports(database, clock)
        self.staff = Staff(database, clock)
        self.drafts = Drafts(database, clock, self.staff, self.running)
        self.today = Today(database, clock)
        self.seal = Seal(database, clock, self.running)
        self.copies = Copies(database, clock, None if jobs_folder is None else jobs_folder.joinpath("backups"))
        self.webhooks = Webhooks(
            database,
            clock,
            lambda programme, after, limit: self.running(programme).decisions(after, limit),
            private_allowed=private_webhooks,
        )
        self._checkpoint_every = checkpoint_every
        self._rehearsing = rehearsing
        self._running: dict[str, Running] = {}
        """Never changed but replaced, so that nobody who goes through it is disturbed."""
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._attendant = threading.Thread(target=self._attend, name="rangli attendant", daemon=True)

    @classmethod
    def open(
        cls,
        database: Database,
        *,
        clock: Clock = system_clock,
        checkpoint_every: int = CHECKPOINT_EVERY,
        rehearsing: bool = False,
        private_webhooks: bool = False,
        jobs_folder: Path | None = None,
    ) -> Self:
        """Bring the schema up to date and begin to serve every programme, as settler or as standby.

        rehearsing       : compile in the background what each programme's first order needs; until then it is ``warming``
        private_webhooks : webhooks may be at private and loopback addresses
        jobs_folder      : what jobs leave that is to be kept, as runs of the lab, is there after a restart
        """
        database.migrate()
        service = cls(
            database,
            clock,
            checkpoint_every,
            rehearsing=rehearsing,
            private_webhooks=private_webhooks,
            jobs_folder=jobs_folder,
        )
        service._adopt_new()
        service.seal.start()
        service.webhooks.start()
        service._attendant.start()
        return service

    def create(
        self, name: str, plan: str, *, hold_seconds: int | None = None, secret: bytes | None = None, channel: str = SANDBOX,
        signed: Sequence[Signature] = (),
    ) -> ProgrammeView:  # fmt: skip
        """A new programme under a preset or a plan document.

        hold_seconds : how long an order is held before it settles; None for the plan's own days
        channel      : a real one runs no plan that the law's guards refuse     signed : who signs for the plan
        Raises FieldRefused, PlanFaulty, PlanRefused, SignOffMissing or ProgrammeExists.
        """
        _check_name(name)
        check_channel(channel)
        document = preset_text(plan) if plan in presets() else plan
        checked, problems = check(document)
        if checked is None:
            raise PlanFaulty(problems)
        compiled = compile_plan(checked)
        if hold_seconds is None:
            hold_seconds = checked.hold_days * SECONDS_PER_DAY
        if not 0 <= hold_seconds <= HOLD_SECONDS_MAX:
            raise FieldRefused("hold_seconds", f"应在 0 至 {HOLD_SECONDS_MAX} 之间", f"it must be 0 to {HOLD_SECONDS_MAX}")
        admit(compiled, channel, hold_seconds, signed)
        signatures = signed_text(signed)
        request = digest(rows.ACTIVATION, GENESIS_KEY, document, signatures) if signed else NO_REQUEST
        secret = secrets.token_bytes(SECRET_BYTES) if secret is None else secret
        now = self.clock()
        with self.database.connect() as connection, connection.transaction():
            number = programmes.create(connection, name, secret, hold_seconds, now, channel)
            programmes.add_plan(connection, number, PlanRow(1, checked.name, compiled.version, document, signatures))
            standing = Standing(number, Programme(compiled, secret), {1: compiled})
            out = Written()
            standing.activate(1, Asked(now, GENESIS_KEY, request), out)
            with Appender(connection, number) as to:
                to.stream(1, out.data)
                to.finish()
                to.holders(0, 0, standing.programme.accounts.holders)
        self._adopt_new()
        running = self.running(name)
        for _ in range(READY_SECONDS):
            if running.settler.wait_ready(1) or self._is_settled_elsewhere(running):
                return running.view()
        raise NotSettling(f"项目 {name} 已建立,但未能开始结算", f"{name} was created and did not begin to settle")

    def programmes(self) -> list[ProgrammeView]:
        """Every programme, oldest first."""
        self._adopt_new()
        return [running.view() for running in self._running.values()]

    def running(self, name: str) -> Running:
        """A programme by name. Raises ProgrammeNotFound."""
        if name not in self._running:
            self._adopt_new()
        if name not in self._running:
            raise ProgrammeNotFound(f"没有项目 {name[:60]!r}", f"there is no programme {name[:60]!r}")
        return self._running[name]

    def wait_ready(self, timeout: float = READY_SECONDS) -> bool:
        """Whether every programme is settled here, after at most this many seconds each."""
        return all(running.settler.wait_ready(timeout) for running in self._running.values())

    def wait_rehearsed(self, timeout: float | None = None) -> bool:
        """Whether no first order has to wait for a compiler, after at most this many seconds for each programme."""
        return all(running.rehearsed.wait(timeout) for running in self._running.values())

    def health(self) -> Health:
        """Whether this process can serve."""
        roles = {name: running.role for name, running in self._running.items()}
        try:
            with self.database.reading() as connection:
                connection.execute("SELECT 1")
            reachable = "reachable"
        except Exception:  # noqa: BLE001 (whatever it is, the database is not reachable)
            reachable = "unreachable"
        return Health(reachable == "reachable" and all(role == "settling" for role in roles.values()), reachable, roles)

    def close(self) -> None:
        """Answer what has queued, keep checkpoints, give up the locks."""
        self._closing.set()
        if self._attendant.is_alive():
            self._attendant.join()
        self.imports.close()
        self.jobs.close()
        self.seal.close()
        self.copies.close()
        self.webhooks.stop()
        for running in self._running.values():
            running.browsing.close()
            running.money.close()
            running.settler.close()
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ------------------------------------------------------------ programmes that come

    def _attend(self) -> None:
        """Begin to serve what other processes create, and rehearse what is new here, until we close.

        A programme is left for a moment to the process that creates it, so that it is settled where it was asked for.
        """
        seen: set[str] = set()
        while not self._closing.is_set():
            self._rehearse_new()
            self._closing.wait(LOOK_SECONDS)
            with suppress(psycopg.Error, RangliError):  # settlers and webhooks have said that the database is away
                there = self._there()
                self._adopt(programme for programme in there if programme.name in seen)
                seen = {programme.name for programme in there}

    def _rehearse_new(self) -> None:
        for running in self._running.values():
            if not (running.rehearsed.is_set() or self._closing.is_set()):
                running.rehearse()

    def _there(self) -> list[ProgrammeRow]:
        """The programmes of the database."""
        with self.database.reading() as connection:
            return programmes.programmes(connection)

    def _adopt_new(self) -> None:
        """Begin to serve every programme, at once."""
        self._adopt(self._there())

    def _adopt(self, some: Iterable[ProgrammeRow]) -> None:
        """Begin to serve those of them that are not served yet."""
        with self._lock:
            for programme in some:
                if programme.name not in self._running:
                    running = Running(self.database, programme, self.clock, self._checkpoint_every)
                    running.settler.on_commit = self.webhooks.notify
                    if not self._rehearsing:
                        running.rehearsed.set()
                    running.settler.start()
                    self._running = {**self._running, programme.name: running}

    def _is_settled_elsewhere(self, running: Running) -> bool:
        """Whether another process was sooner."""
        with self.database.reading() as connection:
            return settled_since(connection, running.number) is not None and running.settler.role == "standby"


def _check_name(name: str) -> None:
    """A programme's name goes into addresses. Raises FieldRefused."""
    letters = name.replace("-", "").replace("_", "")
    if not (letters and letters.isalnum() and name == name.strip() and len(name) <= NAME_LETTERS_MAX):
        raise FieldRefused(
            "name",
            f"{name[:60]!r} 不能作项目名;用字母、数字、汉字、- 和 _,至多 {NAME_LETTERS_MAX} 个",
            f"{name[:60]!r} cannot be a programme's name; use letters, digits, - and _, at most {NAME_LETTERS_MAX}",
        )
