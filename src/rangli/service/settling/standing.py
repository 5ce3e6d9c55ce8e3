"""A programme as it stands after a decision: engine, balances, the accounts' last positions, and the hash of its journal.

The settler lets it go forward with what is asked, ``replay`` with what the journal says; both write the same rows, to the byte.

    orders, refunds, … ──▶ Standing ──▶ Written: rows of the journal, closed lots ──▶ COPY (settler) or comparison (replay)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rangli.engine.draw import siphash_strings
from rangli.errors import LimitReached
from rangli.ledger import Books
from rangli.ledger.accounts import POCKETS
from rangli.ledger.transfers import Transfers, concatenated
from rangli.plan import CompiledPlan
from rangli.settle import SETTLED, Chunk, Orders, Programme, Settled
from rangli.store import rows, sha
from rangli.store.rows import HASH_BYTES, LEGS_MAX, Bytes, Decisions, Ints

GENESIS: Final = bytes(HASH_BYTES)
"""The hash before the first decision."""
POSITION_MAX: Final = 2**31 - 1
NO_REQUEST: Final = bytes(HASH_BYTES)
"""Of a decision that nobody asked for."""
GENESIS_KEY: Final = "genesis"
"""The id of the activation with which a programme begins."""


class OrderRows(NamedTuple):
    """Orders to settle, checked and with their parties resolved, as columns."""

    at: Ints
    key_ends: Ints
    keys: Bytes
    request: Bytes
    facts: Ints
    """(n, 6) as rows.FACTS[ORDER]; the number is written by ``orders``."""
    party: NDArray[np.int32]


class Asked(NamedTuple):
    """Of one decision: when it is made, and who asked."""

    at: int
    key: str = ""
    request: bytes = NO_REQUEST


@dataclass
class Written:
    """What decisions wrote, until it is stored or compared."""

    data: list[Bytes] = field(default_factory=list)
    closed: list[Ints] = field(default_factory=list)
    moved: list[Transfers] = field(default_factory=list)
    """What balances and last positions go forward by."""
    hashes: bytearray = field(default_factory=bytearray)
    """One after another."""
    refunded: list[tuple[int, int, int, int]] = field(default_factory=list)
    """(order number, refunded in all, received by its lot, position) after each refund."""
    apart: Executor | None = None
    """A thread that writes rows and hashes while the next decisions are made; None: they are made after it."""
    blocks: int = 0
    """How many ``data`` will have."""
    _coming: list[Future[None]] = field(default_factory=list)

    def write(self, block: Callable[[], None]) -> None:
        """Let a block be written, after those before it."""
        self.blocks += 1
        if self.apart is None:
            block()
        else:
            self._coming.append(self.apart.submit(block))

    def wait(self) -> None:
        """Until ``data`` and ``hashes`` are whole, and with them the standing's head and last positions."""
        coming, self._coming = self._coming, []
        for block in coming:
            block.result()


class Standing:
    """One programme after ``position`` decisions."""

    def __init__(self, number: int, programme: Programme, plans: dict[int, CompiledPlan]) -> None:
        self.number = number
        self.programme = programme
        self.plans = plans
        self.plan = 0
        """The active plan's number; 0 before the first activation."""
        self.books = Books()
        self.last = np.zeros(0, np.int32)
        """By account, the last decision that touched it."""
        self.position = 0
        self.head = GENESIS
        self.is_torn = False
        """Whether the engine has decided what the books then refused: a balance past its limit. Only starting anew mends it."""
        self.torn_order = 0
        """Which of the orders that were to be settled did it."""
        self.engine_seconds: float = 0
        """Time spent in the engine."""

    # ------------------------------------------------------------ decisions

    def activate(self, plan: int, asked: Asked, out: Written) -> None:
        """A version of the plan takes over. Raises PlanUnfit."""
        self.programme.adopt(self.plans[plan])
        self.plan = plan
        self._one(rows.ACTIVATION, plan, asked, (plan,), (), None, out)

    def orders(self, plan: int, orders: OrderRows, out: Written) -> tuple[NDArray[np.uint8], Ints]:
        """Settle orders under a plan; the status of each, and its position (0: refused). Raises LimitReached, and is torn."""
        self.programme.adopt(self.plans[plan])
        count = len(orders.at)
        status = np.zeros(count, np.uint8)
        before = self.programme.order_count
        parts: list[Transfers] = []
        releases: list[tuple[int, Chunk]] = []
        closed = []
        engine_orders = self._engine_orders(orders)
        started = perf_counter()
        for chunk in self.programme.run(engine_orders, status):
            if chunk.released is not None:
                releases.append((chunk.settled[0], chunk._replace(transfers=concatenated([chunk.transfers]))))
            elif len(chunk.transfers.code):
                parts.append(concatenated([chunk.transfers]))
            if len(chunk.closed):
                closed.append(chunk.closed.copy())
        self.engine_seconds += perf_counter() - started
        out.closed += closed
        settled = status == SETTLED
        orders.facts[:, 0] = before + np.cumsum(settled) - 1
        legs = concatenated(parts) if parts else Transfers.empty(0)
        ends = np.zeros(count + 1, np.int64)
        np.cumsum(np.bincount(legs.order, minlength=count), out=ends[1:])
        positions = np.zeros(count, np.int64)
        start = 0
        for upto, release in releases:
            self._order_rows(plan, orders, slice(start, upto), settled, legs, ends, positions, out)
            self.torn_order = upto
            self._release_rows(plan, release, int(orders.at[upto]), out)
            start = upto
        self._order_rows(plan, orders, slice(start, count), settled, legs, ends, positions, out)
        return status, positions

    def refund(self, order: Settled, order_position: int, plan: int, fen: int, asked: Asked, out: Written) -> None:
        """Refund a part of a settled order. Raises RefundTooLarge."""
        self.programme.adopt(self.plans[plan])
        before, received = order.refunded_fen, order.received_fen
        chunk = self.programme.refund(order, fen)
        facts = order_position, order.number, fen, before, received
        self._one(rows.REFUND, plan, asked, facts, (order.consumer, order.merchant), chunk, out)
        out.refunded.append((order.number, order.refunded_fen, order.received_fen, self.position))

    def sell(self, consumer: int, points_micro: int, asked: Asked, out: Written) -> None:
        """A member's points sold. Raises PointsShort."""
        self.programme.adopt(self.plans[self.plan])  # an order's refund, or a look at one, may have left its plan there
        chunk = self.programme.sell(self.programme.accounts.holders[consumer].name, points_micro)
        self._one(rows.SALE, self.plan, asked, (points_micro,), (consumer,), chunk, out)

    def inject(self, amount_micro: int, asked: Asked, out: Written) -> None:
        """Funds into the pool. Raises LimitReached."""
        self.programme.adopt(self.plans[self.plan])
        chunk = self.programme.inject(amount_micro)
        self._one(rows.INJECTION, self.plan, asked, (amount_micro,), (), chunk, out)

    def close(self, day: int, asked: Asked, out: Written) -> int:
        """Everything that is due before this day closes and is released; how many periods."""
        self.programme.adopt(self.plans[self.plan])
        periods = 0
        for chunk in self.programme.close(day):
            self._release_rows(self.plan, chunk, asked.at, out)
            periods += 1
        self._one(rows.CLOSING, self.plan, asked, (day,), (), None, out)
        return periods

    def cancel(self, plan: int, refund_fen: int, asked: Asked, out: Written) -> None:
        """A held order is refunded before it was settled."""
        self._one(rows.CANCELLATION, plan, asked, (refund_fen,), (), None, out)

    # ------------------------------------------------------------ their rows

    def _engine_orders(self, orders: OrderRows) -> Orders:
        """The same orders as the engine takes them, with their keys for draws."""
        facts = np.ascontiguousarray(orders.facts.T)
        days, day_row = np.unique(facts[4], return_inverse=True)
        keys = np.array([self.programme.sip_key(day) for day in days.tolist()], np.int64).reshape(-1, 2)
        draw = np.empty(len(orders.at), np.int64)
        siphash_strings(orders.key_ends.astype(np.int32), orders.keys, day_row.astype(np.int64), keys, draw)
        return Orders(facts[1], facts[2], facts[3], facts[4], draw, orders.party)

    def _order_rows(
        self, plan: int, orders: OrderRows, part: slice, settled: NDArray[np.bool_], legs: Transfers, ends: Ints, positions: Ints,
        out: Written,
    ) -> None:  # fmt: skip
        """Rows of those orders of a part of the batch that settled."""
        some = np.flatnonzero(settled[part]) + part.start
        if not len(some):
            return
        first, stop = int(ends[some[0]]), int(ends[some[-1] + 1])
        positions[some] = self.position + 1 + np.arange(len(some))
        key_ends, keys, which = orders.key_ends, orders.keys, some
        if len(some) == part.stop - part.start:
            key_ends, which = key_ends[part.start : part.stop + 1], part
        else:
            keys = np.concatenate([keys[key_ends[i] : key_ends[i + 1]] for i in some])
            key_ends = np.concatenate([[0], np.cumsum((key_ends[1:] - key_ends[:-1])[some])])
        decisions = Decisions(
            rows.ORDER, plan, orders.at[which], key_ends, keys, orders.request[which], orders.facts[which], orders.party[which],
            legs.part(first, stop), np.append(ends[some], stop) - first,
        )  # fmt: skip
        try:
            self._write(decisions, out)
        except LimitReached as refused:
            self.torn_order = int(some[np.searchsorted(decisions.leg_ends, refused.row, side="right") - 1])
            raise

    def _release_rows(self, plan: int, chunk: Chunk, at: int, out: Written) -> None:
        """A period's release, in rows of at most LEGS_MAX legs."""
        assert chunk.released is not None
        legs = chunk.transfers
        for part, start in enumerate(range(0, max(len(legs.code), 1), LEGS_MAX)):
            some = legs.part(start, start + LEGS_MAX)
            self._row(rows.RELEASE, plan, Asked(at), (*chunk.released, part), (), some, out)

    def _one(
        self, kind: int, plan: int, asked: Asked, facts: Sequence[int], party: Sequence[int], chunk: Chunk | None, out: Written
    ) -> None:  # fmt: skip
        """The row of a decision that is no order."""
        legs = Transfers.empty(0) if chunk is None else concatenated([chunk.transfers])
        if chunk is not None and len(chunk.closed):
            out.closed.append(chunk.closed.copy())
        self._row(kind, plan, asked, facts, party, legs, out)

    def _row(
        self, kind: int, plan: int, asked: Asked, facts: Sequence[int], party: Sequence[int], legs: Transfers, out: Written
    ) -> None:  # fmt: skip
        key = np.frombuffer(asked.key.encode(), np.uint8)
        decisions = Decisions(
            kind, plan, np.array([asked.at], np.int64), np.array([0, len(key)], np.int64), key,
            np.frombuffer(asked.request, np.uint8).reshape(1, -1), np.array([facts], np.int64).reshape(1, -1),
            np.array([party], np.int32).reshape(1, -1), legs, np.array([0, len(legs.code)], np.int64),
        )  # fmt: skip
        self._write(decisions, out)

    def _write(self, decisions: Decisions, out: Written) -> None:
        """Balances and position go forward now, last positions and hash when the rows are written."""
        assert self.position + decisions.count_rows <= POSITION_MAX
        self.is_torn = True
        self.books.fold(decisions.legs)
        self.is_torn = False
        out.moved.append(decisions.legs)
        out.write(partial(self._write_rows, decisions, self.position + 1, self.programme.holders * POCKETS, out))
        self.position += decisions.count_rows

    def _write_rows(self, decisions: Decisions, first: int, accounts: int, out: Written) -> None:
        """The rows from position ``first`` on, when there were this many accounts, with their hashes."""
        self.last = with_room(self.last, accounts)
        data, ends = rows.encode(decisions, self.number, first, self.last)
        hashes = sha.chain(data, ends, self.head)
        self.head = hashes[-1].tobytes()
        out.hashes += hashes.tobytes()
        out.data.append(data[HASH_BYTES:])


def with_room(array: NDArray[np.int32], size: int) -> NDArray[np.int32]:
    """The array with at least ``size`` entries, grown by doubling."""
    if len(array) >= size:
        return array
    longer = np.zeros(max(size, 2 * len(array), 1024), np.int32)
    longer[: len(array)] = array
    return longer


def publish(moved: Iterable[Transfers], standing: Standing, books: Books, last: NDArray[np.int32]) -> NDArray[np.int32]:
    """Let published balances and last positions follow by what was committed; the last positions, with room."""
    last = with_room(last, len(standing.last))
    for legs in moved:
        books.follow(standing.books, legs)
        rows.follow(legs.source, legs.destination, standing.last, last)
    return last
