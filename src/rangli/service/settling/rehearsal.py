"""A rehearsal: what a programme decides, decided once for nobody, so that no caller waits for a compiler.

Kernels are compiled when they are first called, and for the parts of each plan anew: a quarter of a minute on a machine that has
not done so before, a moment on one that has. What is decided here stays in memory, and is forgotten.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from rangli.engine.draw import SECRET_BYTES
from rangli.ledger import Books
from rangli.money import print_percent
from rangli.service.requests import ClosingRequest, InjectionRequest, OrderRequest, RefundRequest, Request, SaleRequest
from rangli.service.settling.batch import Batch
from rangli.service.settling.lots import ClosedLots
from rangli.service.settling.names import Names
from rangli.service.settling.recovery import Recovered, compiled, standing_of
from rangli.service.settling.standing import Asked, Written, publish
from rangli.store import rows
from rangli.store.database import Connection
from rangli.store.journal import Appender
from rangli.store.keys import Keys
from rangli.store.programmes import PlanRow, ProgrammeRow

NOBODY: Final = ProgrammeRow(number=0, name="", secret=bytes(SECRET_BYTES), hold_seconds=0, created_at=0)
"""A programme that no database has; theirs count from 1."""


def rehearse(connection: Connection, plan: PlanRow) -> None:
    """Let a new programme under this plan decide a request of each kind. The database is read as ever, and nothing is written.

    What the plan refuses is refused, which is no fault. Raises Broken when the plan is faulty.
    """
    terms = compiled(plan)
    standing = standing_of(NOBODY, {1: terms}, None)
    standing.activate(1, Asked(0), Written())
    recovered = Recovered(standing, Names(standing.programme), Keys(), [], ClosedLots(), 0)
    with Appender(connection, NOBODY.number) as unused:
        batch = Batch(connection, NOBODY, recovered, 0, {}, unused)
        batch.decide(_requests(print_percent(terms.terms.concession_bp_max)))
    publish(batch.written.moved, standing, Books(), np.zeros(0, np.int32))
    recovered.closed.add(batch.written.closed)
    rows.encode_lots(NOBODY.number, recovered.closed.all())


def _requests(concession: str) -> list[Request]:
    """One of each kind that a kernel has a part in: names that are looked at letter by letter, a closing long after the order."""
    return [
        OrderRequest("1", "2026-01-05 12:00:00", "1", "1 2", "100", concession, recruiter="merchant:1"),
        RefundRequest("1", "1", "1"),
        SaleRequest("1", "1 2", "0.000001"),
        InjectionRequest("1", "1"),
        ClosingRequest("1", "2027-01-05"),
    ]
