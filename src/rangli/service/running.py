"""A programme that this process serves: ask it to decide, ask it questions."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import Future

import msgspec

from rangli.service.clock import Clock, rfc3339
from rangli.service.looking.browsing import Browsing
from rangli.service.looking.money import Money
from rangli.service.looking.periods import Periods
from rangli.service.looking.previews import Previews
from rangli.service.looking.reading import Reading
from rangli.service.looking.redraw import Redrawing
from rangli.service.requests import Request
from rangli.service.settling.rehearsal import rehearse
from rangli.service.settling.settler import Answers, Figures, Settler
from rangli.service.views import (
    BalanceView,
    DecisionView,
    DrawView,
    OrderView,
    PlanView,
    ProgrammeView,
    StatementView,
    TrialBalanceView,
)
from rangli.store import programmes, rows
from rangli.store.database import Database
from rangli.store.programmes import ProgrammeRow

log = logging.getLogger("rangli.service")


class Running:
    """One programme that this process serves."""

    def __init__(self, database: Database, programme: ProgrammeRow, clock: Clock, checkpoint_every: int) -> None:
        self.name = programme.name
        self.number = programme.number
        self.settler = Settler(database, programme, clock, checkpoint_every=checkpoint_every)
        self._programme = programme
        self._database = database
        self._reading = Reading(database, self.settler, clock)
        self.browsing = Browsing(database, self.settler, clock)
        self.money = Money(database, self.settler, clock)
        self.periods = Periods(database, self.settler, clock)
        self.previews = Previews(database, self.settler, clock)
        self.redrawing = Redrawing(database, self.settler, clock)
        self.rehearsed = threading.Event()
        """Set once its kernels are there, or could not be made ready in advance."""

    @property
    def figures(self) -> Figures:
        """What its settler has done since it started."""
        return self.settler.figures

    @property
    def role(self) -> str:
        """Of its settler; warming while that settles and would still have to compile what an order needs."""
        role = self.settler.role
        return role if role != "settling" or self.rehearsed.is_set() else "warming"

    def rehearse(self) -> None:
        """Let what an order needs be compiled now. It is for speed alone: whatever goes wrong here is told where it matters."""
        try:
            with self._database.connect() as connection:
                rehearse(connection, programmes.plans(connection, self.number)[-1])
        except Exception:
            log.warning("programme %s was not rehearsed; its first order may take longer", self.name, exc_info=True)
        finally:
            self.rehearsed.set()

    # ------------------------------------------------------------ deciding

    def submit(self, requests: Sequence[Request]) -> Future[Answers]:
        """The answers, in the order of the requests, once they are durable; a refusal is an answer. Raises NotSettling."""
        return self.settler.submit(requests)

    def do(self, requests: Sequence[Request]) -> Answers:
        """``submit``, waited for. Raises NotSettling or Failed."""
        return self.submit(requests).result()

    # ------------------------------------------------------------ questions

    def view(self) -> ProgrammeView:
        """The programme as it stands."""
        seen = self.settler.published
        with seen.lock:
            number, position, orders, head = seen.plan, seen.position, seen.orders, seen.head.hex()
        with self._database.reading() as connection:  # afterwards, so that the version that was seen is there
            plans = {plan.number: plan for plan in programmes.plans(connection, self.number)}
        plan = plans[number or max(plans)]
        return ProgrammeView(
            self.name, plan.name, plan.version, plan.number, self._programme.hold_seconds, rfc3339(self._programme.created_at),
            position, orders, head, self.settler.role, self._programme.channel,
        )  # fmt: skip

    def plans(self) -> list[PlanView]:
        """Every version of its plan that was activated."""
        with self._database.reading() as connection:
            activated = connection.execute(
                "SELECT plan, at, position FROM journal WHERE programme = %s AND kind = %s ORDER BY position",
                [self.number, rows.ACTIVATION],
            ).fetchall()
            plans = {plan.number: plan for plan in programmes.plans(connection, self.number)}
        return [
            PlanView(
                number,
                plans[number].name,
                plans[number].version,
                rfc3339(at),
                position,
                plans[number].document,
                msgspec.json.decode(plans[number].signed),
            )
            for number, at, position in activated
        ]

    def order(self, order_id: str) -> OrderView:
        """An order, what was done with it, and why. Raises OrderNotFound."""
        return self._reading.order(order_id)

    def balance(self, path: str, *, at: int | None = None) -> BalanceView:
        """What an account holds, or held after decision ``at``. Raises AccountNotFound."""
        return self._reading.balance(path, at)

    def statement(self, path: str, *, before: str = "", limit: int = 100) -> StatementView:
        """A page of an account's entries, newest first. Raises AccountNotFound."""
        return self._reading.statement(path, before, limit)

    def trial_balance(self) -> TrialBalanceView:
        """The sum of all balances by unit."""
        return self._reading.trial_balance()

    def draw(self, order_id: str) -> DrawView:
        """What anyone needs to draw an order's packets again. Raises OrderNotFound."""
        return self._reading.draw(order_id)

    def decisions(self, after: int, limit: int) -> list[DecisionView]:
        """The journal after a position, in order."""
        return self._reading.decisions(after, limit)

    def state_hash(self) -> str:
        """SHA-256 of the engine's state and register."""
        return self._reading.state_hash()

    def position(self) -> int:
        """The last committed decision."""
        return self.settler.published.position

    def wait(self, after: int, timeout: float) -> int:
        """The position, once it has passed ``after`` or the time is over."""
        moved = self.settler.published.moved
        with moved:
            moved.wait_for(lambda: self.position() > after, timeout)
        return self.position()
