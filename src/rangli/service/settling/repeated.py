"""Ids that have been used: with the same facts they get the first answer again, with others a refusal that names the field."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec
import numpy as np

from rangli.errors import RangliError
from rangli.money import parse_yuan
from rangli.service.clock import rfc3339
from rangli.service.requests import RefundRequest, Request, id_of
from rangli.service.settling.asked import conflict, facts_of
from rangli.service.settling.facts import asked_facts
from rangli.service.settling.orders import Checked, digest
from rangli.service.settling.recovery import NAMESPACE, Recovered
from rangli.service.views import Answer
from rangli.store import journal, rows
from rangli.store.database import Connection
from rangli.store.journal import Row
from rangli.store.keys import hash_of
from rangli.store.rows import Ints

Answers = list[Answer | RangliError]

_KIND_ASKED: Final = {rows.CANCELLATION: "refund"}
"""As whoever asked calls it."""


class Run(NamedTuple):
    """Orders that were settled together."""

    positions: Ints
    """(n,) 0 for one that was refused."""
    some: Ints
    """(n,) which of ``checked`` they are."""
    start: int
    """Place among the answers of the first of ``checked``."""
    checked: Checked


class _Before(NamedTuple):
    """An earlier request of the same batch."""

    digest: bytes
    place: int
    request: Request


class Repeated:
    """What ids were used for: in the journal, and in one batch that is not committed yet."""

    def __init__(self, connection: Connection, programme: int, recovered: Recovered) -> None:
        self._connection = connection
        self._programme = programme
        self._recovered = recovered
        self._first = recovered.standing.position + 1
        self._runs: list[Run] = []
        self._others: dict[tuple[int, str], _Before] = {}

    def note_orders(self, run: Run) -> None:
        """Orders of this batch, settled."""
        self._runs.append(run)

    def note(self, kind: int, place: int, request: Request, asked: bytes) -> None:
        """Any other request of this batch that was done."""
        self._others[kind, id_of(request)] = _Before(asked, place, request)

    def answer(self, kind: int, request: Request, asked: bytes, answers: Answers) -> Answer | RangliError | None:
        """The answer of a request whose id has been used; None when it is new.

        asked : the request's digest     answers : those of the batch
        """
        key = id_of(request)
        here = self._order_here(key) if kind == rows.ORDER else self._others.get((kind, key))
        if here is None:
            return self._from_journal(kind, request, asked)
        fault = None if here.digest == asked else conflict(key, facts_of(request), facts_of(here.request))
        first = answers[here.place]
        return fault or (first if isinstance(first, RangliError) else msgspec.structs.replace(first, repeated=True))

    def _order_here(self, order_id: str) -> _Before | None:
        for position in self._recovered.keys.candidates(hash_of(rows.ORDER, order_id)):
            for run in self._runs if position >= self._first else ():
                for k in np.flatnonzero(run.positions == position).tolist():
                    i = int(run.some[k])
                    if run.checked.requests[i].order_id == order_id:
                        return _Before(run.checked.digest(i), run.start + i, run.checked.requests[i])
        return None

    def _from_journal(self, kind: int, request: Request, asked: bytes) -> Answer | RangliError | None:
        key = id_of(request)
        candidates = self._recovered.keys.candidates(hash_of(kind, key))
        found = journal.read(self._connection, self._programme, candidates) if candidates else {}
        for row in found.values():
            if row.key == key and NAMESPACE.get(row.kind, row.kind) == kind:
                if bytes(row.request) != asked:
                    fault = conflict(key, facts_of(request), self._asked_before(row, request))
                    if fault is not None:
                        return fault
                name = _KIND_ASKED.get(row.kind, rows.KIND_NAMES[row.kind])
                status = "cancelled" if row.kind == rows.CANCELLATION else "done"
                return Answer(key, name, status, row.position, rfc3339(row.at), bytes(row.hash).hex(), repeated=True)
        return None

    def _asked_before(self, row: Row, request: Request) -> dict[str, str]:
        """What the id of this request was used for, as ``facts_of`` has it."""
        before = asked_facts(self._recovered.standing, self._connection, self._programme, row)
        if isinstance(request, RefundRequest):  # its row says what "all the rest" came to, and not which held order was cancelled
            order_id, amount = before.setdefault("order_id", request.order_id), before["amount"]
            written = {digest(rows.REFUND, row.key, order_id, fen): text for fen, text in ((parse_yuan(amount), amount), (0, ""))}
            if bytes(row.request) in written:
                before["amount"] = written[bytes(row.request)]
            else:
                before["order_id"] = ""
        return before
