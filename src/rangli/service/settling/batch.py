"""One commit of the settler: requests in, decisions made on the standing, what to write, and the answers.

Orders in a row are decided together, as columns; everything else one by one. A repeated id is answered from the journal, or from
this very batch. A refusal leaves no trace; one that is known only after names were numbered (a limit of the books)
or after a release that came before the order is named in ``trace``, and the settler decides the batch again without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import groupby, repeat
from typing import Final, NamedTuple

import msgspec
import numpy as np

from rangli.errors import (
    FieldRefused,
    HeldOrder,
    LimitReached,
    OrderNotFound,
    OrderRefused,
    PlanFaulty,
    RangliError,
)
from rangli.files.reasons import reject
from rangli.money import BP_PER_ONE, MICRO_PER_FEN, mul_div, parse_yuan, print_yuan
from rangli.plan import check, compile_plan
from rangli.service.clock import MICRO_PER_SECOND, rfc3339
from rangli.service.requests import (
    ActivationRequest,
    ClosingRequest,
    InjectionRequest,
    OrderRequest,
    RefundRequest,
    Request,
    SaleRequest,
    id_of,
)
from rangli.service.settling.approval import admit, signed_text
from rangli.service.settling.asked import conflict, facts_of, id_fault, numbers_of
from rangli.service.settling.names import no_member
from rangli.service.settling.orders import Checked, digest, unreadable_field
from rangli.service.settling.orders import check as check_orders
from rangli.service.settling.recovery import Recovered
from rangli.service.settling.repeated import Repeated, Run
from rangli.service.settling.replay import settled_of
from rangli.service.settling.standing import Asked, OrderRows, Written
from rangli.service.views import Answer
from rangli.settle import SETTLED, STATUS_NAMES
from rangli.store import journal, rows
from rangli.store.database import Connection
from rangli.store.journal import Appender, Row
from rangli.store.keys import hash_of, hashes_of
from rangli.store.programmes import PlanRow, ProgrammeRow, add_plan
from rangli.store.rows import HASH_BYTES, Ints

KIND: Final[dict[type[Request], int]] = {
    OrderRequest: rows.ORDER,
    RefundRequest: rows.REFUND,
    SaleRequest: rows.SALE,
    InjectionRequest: rows.INJECTION,
    ClosingRequest: rows.CLOSING,
    ActivationRequest: rows.ACTIVATION,
}
STREAM_ROWS: Final = 1_000
"""Orders decided together, while the rows of those before them are on their way."""
_VOUCHER: Final = rows.FACTS[rows.ORDER].index("voucher_fen")


class Held(NamedTuple):
    """An order captured and not yet settled."""

    order_id: str
    sequence: int
    plan: int
    captured_at: int
    due_at: int | None
    """None: it was cancelled."""
    request: str


class Batch:
    """Requests that are committed together."""

    def __init__(
        self,
        connection: Connection,
        programme: ProgrammeRow,
        recovered: Recovered,
        now: int,
        barred: dict[int | str, RangliError],
        to: Appender,
    ) -> None:
        self.written = Written()
        self.answers: list[Answer | RangliError] = []
        self.trace: dict[int | str, RangliError] = {}
        """Refusals that were not known in time, by the request's place, or of a held order by its id."""
        self.orders_settled = 0
        self.hashes = np.zeros(0, np.int64)
        self._connection = connection
        self._programme = programme
        self._recovered = recovered
        self._standing = recovered.standing
        self._now = now
        self._barred = barred
        self._to = to
        self._streamed = 0
        """Blocks of ``written.data`` that are on their way."""
        self._first = self._standing.position + 1
        self._holders = len(self._standing.programme.accounts)
        self._names = recovered.names
        self._unanswered: list[Run] = []
        """Orders that have settled."""
        self._repeated = Repeated(connection, programme.number, recovered)
        self._key_hashes: list[Ints] = []
        self._refunded: dict[int, tuple[int, int, list[int]]] = {}
        self._plans: list[PlanRow] = []
        self._captured: dict[str, Held] = {}
        self._done_holds: list[str] = []

    @property
    def changes(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.written.data or self._captured)

    # ------------------------------------------------------------ deciding

    def due(self) -> list[Held]:
        """Held orders whose hold has passed, in the order of capture."""
        if not self._programme.hold_seconds:
            return []
        cursor = self._connection.execute(
            "SELECT order_id, sequence, plan, captured_at, due_at, request FROM held"
            " WHERE programme = %s AND due_at <= %s ORDER BY due_at, sequence LIMIT 20000",
            [self._programme.number, self._now],
        )
        return [Held(*row) for row in cursor]

    def decide(self, requests: Sequence[Request]) -> None:
        """All of them, in order; first the held orders whose time has come."""
        self.answers = [_PENDING] * len(requests)
        if len(requests) > STREAM_ROWS:
            self.written.apart = self._to.apart
        try:
            self._settle_due()
            self._decide_all(requests)
        except _Torn as torn:
            self.trace[torn.place] = _past_limit()
        self._answer_settled()
        if self._key_hashes:
            self.hashes = np.concatenate(self._key_hashes)

    def _decide_all(self, requests: Sequence[Request]) -> None:
        for kind, group in groupby(range(len(requests)), key=lambda i: type(requests[i])):
            places = list(group)
            for start in range(places[0], places[-1] + 1, STREAM_ROWS):
                stop = min(start + STREAM_ROWS, places[-1] + 1)
                if kind is OrderRequest:
                    self._orders(start, requests[start:stop])  # type: ignore[arg-type]  # all of one type
                    self._stream()
                else:
                    for i in range(start, stop):
                        self.answers[i] = self._other(i, requests[i])

    def _orders(self, start: int, some: Sequence[OrderRequest]) -> None:
        """Orders one after another, the first of them request ``start``; together, unless one of them asks for more care."""
        terms = self._standing.plans[self._standing.plan].terms
        checked = check_orders(some, (terms.concession_bp_min, terms.concession_bp_max))
        hashes = hashes_of(rows.ORDER, checked.key_ends, checked.keys)
        known = self._recovered.keys.find(hashes)
        needs_care = checked.refusals or self._barred or self._programme.hold_seconds or checked.facts[:, _VOUCHER].any()
        if not needs_care and not known.any() and len(np.unique(hashes)) == len(hashes):
            self._settle(list(range(len(some))), checked, start, hashes)
        else:
            self._carefully(checked, start, hashes, known.tolist())

    def _carefully(self, checked: Checked, start: int, hashes: Ints, known: list[int]) -> None:
        """The same, row by row: those between two that ask for care are settled together."""
        run: list[int] = []
        met: set[str] = set()
        for i, request in enumerate(checked.requests):
            place = start + i
            fault = self._barred.get(place) or checked.refusals.get(i)
            if fault is not None and not _is_of_this_plan(fault):
                self.answers[place] = fault
                continue
            if request.order_id in met:
                run = self._settle(run, checked, start, hashes)
            if known[i] or request.order_id in met or self._programme.hold_seconds:
                is_known = known[i] != 0 or request.order_id in met
                self.answers[place] = self._known_order(request, checked.digest(i), fault, is_known=is_known)
                if self.answers[place] is not _PENDING:
                    continue
            if fault is not None:
                self.answers[place] = fault
                continue
            met.add(request.order_id)
            if checked.facts[i, _VOUCHER]:
                run = self._settle(run, checked, start, hashes)
                fault = self._names.fault(request) or self._voucher_fault(self._standing.plan, request, checked, i)
                if fault is not None:
                    self.answers[place] = fault
                else:
                    self._settle([i], checked, start, hashes)
            else:
                run.append(i)
        self._settle(run, checked, start, hashes)

    def _settle(self, run: list[int], checked: Checked, start: int, hashes: Ints) -> list[int]:
        """Settle a run of orders under the active plan; an empty run to go on with."""
        if not run:
            return []
        some = np.array(run, np.int64)
        holders = len(self._standing.programme.accounts)
        party, refusals = self._names.party(checked.packed, some)
        if refusals:
            for k, fault in refusals.items():
                self.answers[start + run[k]] = fault
            good = np.array([k not in refusals for k in range(len(run))])
            some, party = some[good], party[good]
            if not len(some):
                return []
        orders = _order_rows(checked, some, party, self._now)
        first = self._standing.position + 1
        try:
            status, positions = self._standing.orders(self._standing.plan, orders, self.written)
        except LimitReached as refused:
            place = start + int(some[self._standing.torn_order])
            raise _Torn(place) from refused
        is_settled = status == SETTLED
        for i, why in zip(some[~is_settled].tolist(), status[~is_settled].tolist(), strict=True):
            self.answers[start + i] = _refused(checked.requests[i].order_id, why, int(checked.facts[i, 1]))
        if self._has_traces(holders, first, status):
            places = (some[~is_settled] + start).tolist()
            self.trace |= {place: fault for place in places if isinstance(fault := self.answers[place], RangliError)}
        run_now = Run(positions, some, start, checked)
        self._note_keys(first, positions[is_settled], hashes[some[is_settled]])
        self._repeated.note_orders(run_now)
        self._unanswered.append(run_now)
        self.orders_settled += int(is_settled.sum())
        return []

    def _stream(self) -> None:
        """Send what has been written since the last time, or will have been when its turn comes."""
        if self.written.apart is None or self.written.blocks == self._streamed:
            return
        new = [partial(self.written.data.__getitem__, block) for block in range(self._streamed, self.written.blocks)]
        self._to.stream_apart(self._first, new, begin=not self._streamed)
        self._streamed = self.written.blocks

    @property
    def has_begun(self) -> bool:
        """Whether a transaction is open for it."""
        return self._streamed > 0

    def _has_traces(self, holders: int, first: int, status: np.ndarray) -> bool:
        """Whether orders with these statuses left more than their decisions: names, or a release that came before one of them."""
        made = self._standing.position + 1 - first
        return len(self._standing.programme.accounts) > holders or made > int((status == SETTLED).sum())

    def _answer_settled(self) -> None:
        """An answer for each order that has settled, when its row has its hash."""
        self.written.wait()
        at, width = rfc3339(self._now), 2 * HASH_BYTES
        for run in self._unanswered:
            is_settled = run.positions > 0
            places, positions = run.some[is_settled].tolist(), run.positions[is_settled].tolist()
            if not positions:
                continue
            first = positions[0]
            text = self.written.hashes[HASH_BYTES * (first - self._first) : HASH_BYTES * (positions[-1] + 1 - self._first)].hex()
            hashes = [text[k : k + width] for k in (width * (run.positions[is_settled] - first)).tolist()]
            ids = [run.checked.requests[i].order_id for i in places]
            made = map(Answer, ids, repeat("order"), repeat("done"), positions, repeat(at), hashes)
            if len(places) == places[-1] + 1 - places[0]:
                self.answers[run.start + places[0] : run.start + places[-1] + 1] = made
            else:
                for i, answer in zip(places, made, strict=True):
                    self.answers[run.start + i] = answer
        self._unanswered = []

    def _note_keys(self, first: int, positions: Ints, hashes: Ints) -> None:
        """Keep the hashes of the decisions made since ``first``, 0 for those that nobody asked for."""
        made = np.zeros(self._standing.position + 1 - first, np.int64)
        made[positions - first] = hashes
        self._key_hashes.append(made)
        self._recovered.keys.add(made, first)

    def _voucher_fault(self, plan: int, request: OrderRequest, checked: Checked, i: int) -> RangliError | None:
        """Why vouchers cannot pay this order under this plan, known before anything is numbered.

        A release that comes before the order may bring its consumer vouchers; then only the engine can say.
        """
        paid_fen, used_fen, day = (int(checked.facts[i, k]) for k in (1, 3, 4))
        compiled, programme = self._standing.plans[plan], self._standing.programme
        most = mul_div(paid_fen, compiled.terms.offset_bp, BP_PER_ONE)
        held = programme.vouchers_of(self._names.find("consumer", request.consumer))
        if used_fen <= most and (used_fen * MICRO_PER_FEN <= held or programme.release_before(compiled, day)):
            return None
        code = "vouchers_over_limit" if used_fen > most else "vouchers_short"
        reason = reject(0, request.order_id, "voucher", code, value=print_yuan(used_fen), other=print_yuan(most))
        return OrderRefused("voucher", code, reason.zh, reason.en)

    # ------------------------------------------------------------ repeated

    def _known_order(
        self, request: OrderRequest, asked: bytes, fault: RangliError | None, *, is_known: bool
    ) -> Answer | RangliError:
        """The answer of an order whose id has been used, or that is held from now on; _PENDING when it is to be settled.

        fault : why it would be refused under today's plan, if its id is new
        """
        self._answer_settled()
        again = self._repeated.answer(rows.ORDER, request, asked, self.answers) if is_known else None
        if again is not None:
            return again
        if not self._programme.hold_seconds:
            return _PENDING
        held = self._held(request.order_id)
        if held is None:
            fault = fault or self._names.fault(request)
            return fault if fault is not None else self._hold(request)
        before = msgspec.json.decode(held.request, type=OrderRequest)
        return conflict(request.order_id, facts_of(request), facts_of(before)) or self._held_answer(held)

    # ------------------------------------------------------------ all but orders

    def _other(self, place: int, request: Request) -> Answer | RangliError:
        """A refund, a sale, an injection, a closing or an activation."""
        fault = self._barred.get(place) or unreadable_field(request) or id_fault(request)
        if fault is not None:
            return fault
        kind = KIND[type(request)]
        try:
            facts = numbers_of(request)
            asked = digest(kind, id_of(request), *facts)
            self._answer_settled()
            again = self._repeated.answer(kind, request, asked, self.answers)
            if again is not None:
                return again
            first = self._standing.position + 1
            status = self._make(request, facts, Asked(self._now, id_of(request), asked))
        except RangliError as refused:
            if self._standing.is_torn:
                raise _Torn(place) from refused
            return refused
        position = self._standing.position
        self._note_keys(first, np.array([position]), np.array([hash_of(kind, id_of(request))]))
        self._repeated.note(kind, place, request, asked)
        self.written.wait()
        digest_hex = self.written.hashes[-HASH_BYTES:].hex()
        return Answer(id_of(request), rows.KIND_NAMES[kind], status, position, rfc3339(self._now), digest_hex)

    def _make(self, request: Request, facts: tuple[str | int, ...], asked: Asked) -> str:
        """The decision; its status. Raises the refusal."""
        standing = self._standing
        if isinstance(request, RefundRequest):
            return self._refund(request, facts, asked)
        if isinstance(request, SaleRequest):
            holder = self._names.find("consumer", request.consumer)
            if holder < 0:
                raise no_member(request.consumer)
            standing.sell(holder, int(facts[1]), asked, self.written)
        elif isinstance(request, InjectionRequest):
            standing.inject(int(facts[0]), asked, self.written)
        elif isinstance(request, ClosingRequest):
            standing.close(int(facts[0]), asked, self.written)
        else:
            assert isinstance(request, ActivationRequest)
            self._activate(request, asked)
        return "done"

    def _activate(self, request: ActivationRequest, asked: Asked) -> None:
        plan, problems = check(request.plan)
        if plan is None:
            raise PlanFaulty(problems)
        compiled = compile_plan(plan)
        admit(compiled, self._programme.channel, self._programme.hold_seconds, request.signed)
        number = max(self._standing.plans) + 1
        self._standing.plans[number] = compiled
        try:
            self._standing.activate(number, asked, self.written)
        except RangliError:
            del self._standing.plans[number]
            raise
        self._plans.append(PlanRow(number, plan.name, compiled.version, request.plan, signed_text(request.signed)))

    def _refund(self, request: RefundRequest, facts: tuple[str | int, ...], asked: Asked) -> str:
        """Of a settled order, or of one that is held, which cancels it."""
        row = self._order_row(request.order_id)
        if row is None:
            return self._cancel(request, facts, asked)
        standing = self._standing
        order = settled_of(standing, row)
        before = self._refunded.get(order.number) or journal.refunded(self._connection, self._programme.number, order.number)
        closed = self._closed_lot(order.number)
        order.refunded_fen, order.received_fen, positions = before or (0, -1, [])
        if order.received_fen < 0 and closed is not None:
            order.received_fen = closed
        fen = int(facts[1]) or order.paid_fen - order.refunded_fen
        standing.refund(order, row.position, row.plan, fen, asked, self.written)
        self._refunded[order.number] = (order.refunded_fen, order.received_fen, [*positions, standing.position])
        return "done"

    def _closed_lot(self, number: int) -> int | None:
        """What an order's lot had received when it closed, None while it is open."""
        for closed in reversed(self.written.closed):
            found = np.flatnonzero(closed[:, 0] == number)
            if len(found):
                return int(closed[found[0], 5])
        there = self._recovered.closed.find(number)
        there = there or journal.lots(self._connection, self._programme.number, [number]).get(number)
        return None if there is None else there[1]

    def _order_row(self, order_id: str) -> Row | None:
        """The journal's row of a settled order, of this batch too."""
        here = [
            position for position in self._recovered.keys.candidates(hash_of(rows.ORDER, order_id)) if position >= self._first
        ]
        self.written.wait()
        for data in self.written.data if here else ():
            for row in (Row(*values) for values in rows.rows_of(data)):
                if row.kind == rows.ORDER and row.key == order_id:
                    return row
        candidates = self._recovered.keys.candidates(hash_of(rows.ORDER, order_id))
        for row in journal.read(self._connection, self._programme.number, candidates).values() if candidates else ():
            if row.kind == rows.ORDER and row.key == order_id:
                return row
        return None

    # ------------------------------------------------------------ holds

    def _held(self, order_id: str) -> Held | None:
        """A captured order that is not settled."""
        if order_id in self._captured:
            return self._captured[order_id]
        row = self._connection.execute(
            "SELECT order_id, sequence, plan, captured_at, due_at, request FROM held WHERE programme = %s AND order_id = %s",
            [self._programme.number, order_id],
        ).fetchone()
        return None if row is None else Held(*row)

    def _hold(self, request: OrderRequest) -> Answer:
        """Capture an order, to be settled when its hold has passed."""
        due = self._now + self._programme.hold_seconds * MICRO_PER_SECOND
        held = Held(request.order_id, 0, self._standing.plan, self._now, due, _held_text(request))
        self._captured[request.order_id] = held
        return msgspec.structs.replace(self._held_answer(held), repeated=False)

    def _held_answer(self, held: Held) -> Answer:
        """The answer of an order that is held, or was cancelled."""
        if held.due_at is None:
            return Answer(held.order_id, "order", "cancelled", None, rfc3339(held.captured_at), "", repeated=True)
        return Answer(
            held.order_id, "order", "held", None, rfc3339(held.captured_at), "", settles_at=rfc3339(held.due_at), repeated=True
        )

    def _cancel(self, request: RefundRequest, facts: tuple[str | int, ...], asked: Asked) -> str:
        """A refund inside the hold. Raises OrderNotFound, or HeldOrder for a part of it or for the second one."""
        held = self._held(request.order_id)
        if held is None:
            raise OrderNotFound(f"没有订单 {request.order_id[:60]!r}", f"there is no order {request.order_id[:60]!r}")
        if held.due_at is None:
            raise HeldOrder(f"订单 {request.order_id} 已取消", f"the order {request.order_id} has been cancelled")
        paid_fen = parse_yuan(msgspec.json.decode(held.request, type=OrderRequest).amount)
        if int(facts[1]) not in (0, paid_fen):
            raise HeldOrder(
                f"订单 {request.order_id} 还在冻结期内,只能全额退款({print_yuan(paid_fen)} 元);"
                f"部分退款请待其结算({rfc3339(held.due_at)})之后",
                f"the order {request.order_id} is still held and can only be refunded whole ({print_yuan(paid_fen)} yuan);"
                f" refund a part of it after it settles at {rfc3339(held.due_at)}",
            )
        self._standing.cancel(held.plan, paid_fen, asked, self.written)
        self._captured[held.order_id] = held._replace(due_at=None)
        return "cancelled"

    def _settle_due(self) -> None:
        """Held orders whose hold has passed, each under the plan that it was captured under."""
        due = self.due()
        for plan, group in groupby(due, key=lambda held: held.plan):
            some = list(group)
            requests = [msgspec.json.decode(held.request, type=OrderRequest) for held in some]
            terms = self._standing.plans[plan].terms
            checked = check_orders(requests, (terms.concession_bp_min, terms.concession_bp_max))
            hashes = hashes_of(rows.ORDER, checked.key_ends, checked.keys)
            for i in range(len(some)):  # one by one: vouchers may have been spent since it was captured
                fault = checked.refusals.get(i) or self._barred.get(some[i].order_id)
                if fault is None and checked.facts[i, 3]:
                    fault = self._voucher_fault(plan, requests[i], checked, i)
                if fault is not None:
                    self._captured[some[i].order_id] = some[i]._replace(due_at=None)
                    continue
                holders, first = len(self._standing.programme.accounts), self._standing.position + 1
                party, _ = self._names.party(checked.packed, np.array([i]))
                orders = _order_rows(checked, np.array([i]), party, self._now)
                try:
                    status, positions = self._standing.orders(plan, orders, self.written)
                except LimitReached as refused:
                    raise _Torn(some[i].order_id) from refused
                if status[0] == SETTLED:
                    self._note_keys(first, positions, hashes[[i]])
                    self.orders_settled += 1
                    self._done_holds.append(some[i].order_id)
                    continue
                self._captured[some[i].order_id] = some[i]._replace(due_at=None)
                if self._has_traces(holders, first, status):
                    self.trace[some[i].order_id] = _refused(some[i].order_id, int(status[0]), int(checked.facts[i, 1]))

    # ------------------------------------------------------------ writing

    def store(self) -> None:
        """Everything, in one transaction."""
        to, number, connection = self._to, self._programme.number, self._to.connection
        new = self._standing.programme.accounts.holders[self._holders :]
        is_alone = not (new or self._plans or self._refunded or self._captured or self._done_holds)
        if self._streamed:
            self._stream()
            to.finish()
        elif self.written.data:
            to.stream(self._first, self.written.data, begin=True, commit=is_alone)
            to.finish()
            if is_alone:
                return
        else:
            to.begin()
        for plan in self._plans:
            add_plan(connection, number, plan)
        for order, (refunded, received, positions) in self._refunded.items():
            connection.execute(
                "INSERT INTO refunded VALUES (%s, %s, %s, %s, %s) ON CONFLICT (programme, number) DO UPDATE"
                " SET refunded_fen = excluded.refunded_fen, received_fen = excluded.received_fen, positions = excluded.positions",
                [number, order, refunded, received, positions],
            )
        for held in self._captured.values():
            connection.execute(
                "INSERT INTO held (programme, order_id, plan, captured_at, due_at, request) VALUES (%s, %s, %s, %s, %s, %s)"
                " ON CONFLICT (programme, order_id) DO UPDATE SET due_at = excluded.due_at",
                [number, held.order_id, held.plan, held.captured_at, held.due_at, held.request],
            )
        if self._done_holds:
            connection.execute("DELETE FROM held WHERE programme = %s AND order_id = ANY(%s)", [number, self._done_holds])
        if new:
            to.holders(self._holders, self._first, new, commit=True)
        else:
            to.commit()


class _Torn(Exception):
    """The engine has decided what the books refused: nothing of this batch counts, and the request at ``place`` is left out."""

    def __init__(self, place: int | str) -> None:
        super().__init__(place)
        self.place = place


_PENDING: Final = Answer("", "", "pending", None, "", "")
"""In the place of an answer that is still to come; told by identity."""


def _order_rows(checked: Checked, chosen: Ints, party: np.ndarray, now: int) -> OrderRows:
    """The chosen orders as the standing takes them."""
    count = len(chosen)
    if count == len(checked.requests):
        ends, keys = checked.key_ends, checked.keys
        request = checked.digests
    else:
        ends, keys = rows.texts_of(checked.keys, checked.key_ends[chosen], checked.key_ends[chosen + 1])
        request = checked.digests[chosen]
    return OrderRows(np.full(count, now, np.int64), ends, keys, request, checked.facts[chosen], party)


def _refused(order_id: str, why: int, paid_fen: int) -> OrderRefused:
    """The engine's refusal of an order."""
    field = "voucher" if STATUS_NAMES[why].startswith("voucher") else "amount"
    reason = reject(0, order_id, field, STATUS_NAMES[why], value=print_yuan(paid_fen))
    return OrderRefused(field, STATUS_NAMES[why], reason.zh, reason.en)


def _past_limit() -> LimitReached:
    return LimitReached(
        "会使某个账户的余额超过上限;请用较小的金额", "would take an account's balance past its limit; a smaller amount may pass"
    )


def _is_of_this_plan(fault: RangliError) -> bool:
    """Whether a refusal may be today's plan's alone: the same order may have been settled or captured under another version."""
    return isinstance(fault, FieldRefused) and fault.field == "concession"


def _held_text(request: OrderRequest) -> str:
    return msgspec.json.encode(request).decode()
