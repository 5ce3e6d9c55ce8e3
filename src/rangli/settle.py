"""Settle: a batch of orders through a plan, out come transfers. This is the page an auditor reads first.

    orders ──resolve names once──▶ Orders (numbers) ──engine.step──▶ Chunk (transfers, closed lots) ──▶ books, files, journal
                                        ▲                  │
                                    day's secret      Programme.state

A ``Programme`` is one plan being run: its compiled terms, its register of accounts, its secret, its state. It knows no file,
no clock and no generator of chance. The same orders in any batches give the same transfers and the same state, to the byte.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

import numpy as np

from rangli.engine.book import SALE_CODE
from rangli.engine.draw import commitment, day_secret, sip_key
from rangli.engine.out import CLOSED, LINES_MAX, PERIOD_DUE, QUEUE_FULL, SETTLED, STATUS_NAMES, STOPPED, WRITTEN, Orders, Out
from rangli.engine.packets import cap_fen
from rangli.engine.pool import exits, inject, sell, sell_out
from rangli.engine.refund import RECEIVED_FEN, STILL_OPEN, Refund, refund
from rangli.engine.release import LINES_PER_LOT, due_before, release_period
from rangli.engine.state import (
    DAY,
    HEAD,
    LOT_ORDER,
    MEMBER_HOLDER,
    MEMBER_POINTS,
    MEMBERS_USED,
    NEVER,
    OPEN,
    OPENED_ON,
    ORDERS,
    PERIOD,
    POOL_MICRO,
    QUEUES_USED,
    RELEASE_USED,
    RETURNED_MICRO,
    ROOM_LOTS,
    START,
    WAITING,
    Pool,
    State,
    add_queues,
    freeze,
    move_queue,
    new_state,
    reserve,
    state_hash,
    thaw,
)
from rangli.engine.step import queue_of, step
from rangli.errors import LimitReached, PlanUnfit, PointsShort, RefundTooLarge
from rangli.ledger import transfers as codes
from rangli.ledger.accounts import CONSUMER, MERCHANT, POCKET_BITS, POCKETS, Accounts
from rangli.ledger.transfers import Transfers, concatenated
from rangli.money import MICRO_MAX, print_micro, print_yuan
from rangli.plan import CompiledPlan
from rangli.plan import terms as parties
from rangli.plan.terms import BONUS_ONCE_PER, BONUS_PARTY, Ints

TRANSFERS_ROOM: Final = 1 << 18
"""Transfers that a step may write before they are handed on: few megabytes, which stay in the processor's cache."""

__all__ = ["LINES_MAX", "SETTLED", "STATUS_NAMES", "Chunk", "Leg", "Orders", "Programme", "Settled"]


class Chunk(NamedTuple):
    """What one step wrote, as views that the next step overwrites."""

    transfers: Transfers
    """``order`` is the row of the batch; -1 for the closing of a period, which stands before the order that follows."""
    closed: Ints
    """(n, 6) lots of packets that closed: number of the order (from 0), wallet, pot account, paid fen, packets, received fen."""
    settled: tuple[int, int]
    """Rows of the batch that this step went through, as a half-open range; their statuses are final."""
    released: tuple[int, int, int] | None = None
    """Of a period's release: the period, what it released, and what the dividend pot held before, in micro."""


class Leg(NamedTuple):
    """One recorded share line of a settled order."""

    account: int
    amount_micro: int
    code: int
    vouchers: int = -1
    """Of a backing: the account that got the vouchers."""


@dataclass
class Settled:
    """A settled order as its refund needs it: facts, recorded lines, and how far it has been refunded."""

    number: int
    """Number of the order in its programme, from 0."""
    paid_fen: int
    concession_bp: int
    voucher_fen: int
    consumer: int
    merchant: int
    queue: int
    """Its queue, -1 for none."""
    legs: list[Leg]
    minted: list[tuple[int, int]]
    """Holder and points of each mint."""
    received_fen: int = STILL_OPEN
    """What its lot had received when it closed; -1 while it may be open."""
    refunded_fen: int = 0

    @classmethod
    def of(cls, programme: Programme, orders: Orders, i: int, number: int, transfers: Transfers) -> Self:
        """Row i of a batch, settled as order ``number`` with these transfers (its own and no others, in their order)."""
        queues = programme.state.queues
        legs, minted = [], []
        for to, amount, code in zip(transfers.destination, transfers.amount, transfers.code, strict=True):
            if code < codes.PACKET:
                legs.append(Leg(int(to), int(amount), int(code)))
            elif code == codes.VOUCHER_OUT:
                legs[-1] = legs[-1]._replace(vouchers=int(to))
            elif code == codes.MINT:
                minted.append((int(to) >> POCKET_BITS, int(amount)))
        return cls(
            number=number,
            paid_fen=int(orders.paid_fen[i]),
            concession_bp=int(orders.concession_bp[i]),
            voucher_fen=int(orders.voucher_fen[i]),
            consumer=int(orders.party[i, parties.CONSUMER]),
            merchant=int(orders.party[i, parties.MERCHANT]),
            queue=-1 if queues is None else int(queue_of(programme.terms.packets, queues, orders, i)),
            legs=legs,
            minted=minted,
        )

    def request(self, refund_fen: int) -> Refund:
        """The next refund, as the kernel takes it."""
        after = self.refunded_fen + refund_fen
        facts = (self.number, self.paid_fen, self.concession_bp, self.voucher_fen, self.consumer, self.merchant, self.queue)
        return Refund(
            facts=np.array((*facts, self.received_fen, self.refunded_fen, after), np.int64),
            legs=np.array(self.legs, np.int64).reshape(-1, len(Leg._fields)),
            minted=np.array(self.minted, np.int64).reshape(-1, 2),
            parts=np.zeros((2, len(self.legs)), np.int64),
        )


class Programme:
    """One plan being run."""

    def __init__(self, compiled: CompiledPlan, secret: bytes) -> None:
        self.compiled = compiled
        self.terms = compiled.terms
        self.accounts = Accounts(compiled.funds)
        self.nameless = 0
        """Holders past the register, for simulations that need numbers and no names."""
        self.secret = secret
        self.state: State = reserve(self.terms, new_state(self.terms), len(self.accounts), 0)
        self.periods: list[tuple[int, int]] = []
        """Per released period: what it released, and what the dividend pot held before, in micro."""
        self.pots: list[tuple[int, int, int]] = []
        """Per queue: the holder number of its pot (ascending), its merchant's, and its tier (from 1)."""
        self._sip_keys: dict[int, tuple[int, int]] = {}
        self._names, self._named = bytearray(), 0
        """The register as bytes, as far as somebody has asked for it, and how many holders that is."""
        self._out = Out.of(0, TRANSFERS_ROOM)

    # ------------------------------------------------------------ who

    @property
    def holders(self) -> int:
        """How many holders there are."""
        return len(self.accounts) + self.nameless

    def holder(self, kind: int, name: str) -> int:
        """The number of a holder, given now if it is new; a new merchant gets the pots of its queues with it.

        Numbers are given in the order of the calls, so callers resolve names row by row (docs/rules.md, section 4).
        """
        known = len(self.accounts)
        number = self.accounts.number(kind, name)
        if number < known:
            return number
        if kind == MERCHANT and self.state.queues is not None:
            for tier in range(self.terms.packets.tiers_fen.shape[1] + 1):
                self.pots.append((self.accounts.packets_pot(name, tier + 1), number, tier + 1))
        return number

    def _seat_merchants(self) -> None:
        """Queues for the merchants that came since the last batch."""
        queues = self.state.queues
        if queues is None or len(self.pots) == queues.used[QUEUES_USED]:
            return
        first = int(queues.used[QUEUES_USED])
        for queue, (_, merchant, tier) in enumerate(self.pots[first:], first):
            if tier == 1:
                queues.first_of[merchant] = queue
                queues.tier_row[merchant] = self.compiled.merchant_tier_rows.get(self.accounts.holders[merchant].name, 0)
        self.state = add_queues(self.state, [pot * POCKETS for pot, _, _ in self.pots[first:]])

    # ------------------------------------------------------------ chance

    def day_secret(self, day: int) -> bytes:
        """The secret of a day (days since 1970-01-01, Beijing)."""
        return day_secret(self.secret, str(np.datetime64(int(day), "D")))

    def commitment(self, day: int) -> str:
        """What is published before that day."""
        return commitment(self.day_secret(day))

    def sip_key(self, day: int) -> tuple[int, int]:
        """The SipHash key of the order ids of that day."""
        if day not in self._sip_keys:
            self._sip_keys[day] = sip_key(self.day_secret(day))
        return self._sip_keys[day]

    # ------------------------------------------------------------ orders

    def run(self, orders: Orders, status: np.ndarray) -> Iterator[Chunk]:
        """Settle a batch and yield what each step wrote; ``status`` (uint8, one a row) says of each row whether it settled.

        A yielded chunk holds until the next one is asked for. All holders of the batch have been numbered by ``holder``.
        """
        rows = len(orders.paid_fen)
        assert len(status) == rows
        self.state = reserve(self.terms, self.state, self.holders, rows)
        self._seat_merchants()
        out = self._out._replace(status=status)
        out.count[STOPPED] = 0
        start = 0
        while True:
            upto = step(self.terms, *self.state, orders, start, out)
            stopped = int(out.count[STOPPED])
            if out.count[WRITTEN] or out.count[CLOSED] or upto > start:
                yield _chunk(out, start, upto)
            start = upto
            if stopped == QUEUE_FULL:
                assert self.state.queues is not None
                queue = int(queue_of(self.terms.packets, self.state.queues, orders, start))
                self.state = move_queue(self.state, queue, 2 * int(self.state.queues.rows[queue, ROOM_LOTS]))
            elif stopped == PERIOD_DUE:
                yield self._release(start)
            elif stopped == 0 and start == rows:
                return

    def _release(self, at: int) -> Chunk:
        """Release the period that comes before row ``at`` of the batch."""
        release, holdings = self.state.release, self.state.holdings
        assert release is not None
        period = int(release.clock[PERIOD] if release.clock[WAITING] < 0 else release.clock[WAITING])
        out = Out.of(0, int(release.clock[RELEASE_USED]) * LINES_PER_LOT + LINES_MAX)
        held, released = release_period(self.terms.release, release, holdings.vouchers, holdings.tally, out)
        self.periods.append((int(released), int(held)))
        self.state = reserve(self.terms, self.state, self.holders, 0)
        return _chunk(out, at, at)._replace(released=(period, int(released), int(held)))

    # ------------------------------------------------------------ what else moves money

    def close(self, day: int) -> Iterator[Chunk]:
        """The day ``day`` has begun: what is due before it closes and is released, one chunk a period."""
        release = self.state.release
        if release is None or release.clock[OPENED_ON] == NEVER:
            return
        while due_before(self.terms.release, release.clock, day):
            yield self._release(0)
            release = self.state.release
            assert release is not None
        release.clock[DAY] = max(int(release.clock[DAY]), day)

    def refund(self, order: Settled, refund_fen: int) -> Chunk:
        """Refund a part of a settled order, or all that is left of it; ``order`` remembers how far it has come.

        Raises RefundTooLarge, and nothing has changed.
        """
        left = order.paid_fen - order.refunded_fen
        if not 0 < refund_fen <= left:
            raise RefundTooLarge(
                f"退款 {print_yuan(refund_fen)} 元不在 0.01 至 {print_yuan(left)} 元(尚未退的部分)之间",
                f"a refund of {print_yuan(refund_fen)} yuan is not between 0.01 and {print_yuan(left)}, what is not yet refunded",
            )
        request = order.request(refund_fen)
        out = Out.of(1, 2 * LINES_MAX + 4 * len(order.legs))
        refund(self.terms, *self.state, request, out)
        order.received_fen = int(request.facts[RECEIVED_FEN])
        order.refunded_fen += refund_fen
        return self._with_exits(out)

    def sell(self, consumer: str, points: int) -> Chunk:
        """Sell a member's points at the present price: with ``exit.scope: order`` its oldest orders' points first.

        Raises PointsShort, and nothing has changed.
        """
        pool, holder = self.state.pool, self.accounts.find(CONSUMER, consumer)
        entries = [] if pool is None or holder < 0 else self._entries(pool, holder)
        held = sum(points_held for _, points_held in entries)
        if pool is None or not 0 < points <= held:
            raise PointsShort(
                f"{consumer} 有 {print_micro(held)} 个积分,不能卖出 {print_micro(points)} 个",
                f"{consumer} has {print_micro(held)} points and cannot sell {print_micro(points)}",
            )
        out = Out.of(1, 2 * LINES_MAX + 2 * len(entries))
        n = 0
        for member, points_held in entries:
            part = min(points, points_held)
            if part:
                n, cash = sell(self.terms.pool, pool, member, part, SALE_CODE, 0, out.transfers, n)
                self.state.holdings.tally[RETURNED_MICRO] += cash
            points -= part
        out.count[WRITTEN] = n
        return self._with_exits(out)

    def sell_out(self, holders: Ints) -> Iterator[Chunk]:
        """These holders, by number, sell all their points in this order, each at the price that it finds."""
        pool = self.state.pool
        if pool is None:
            return
        members = holders
        if self.terms.pool.by_order:
            members = np.array([entry for holder in holders for entry, _ in self._entries(pool, int(holder))], np.int64)
        at = 0
        while True:
            after = sell_out(self.terms.pool, pool, self.state.holdings.tally, members, at, self._out)
            if after == at and not self._out.count[WRITTEN]:
                return
            yield _chunk(self._out, 0, 0)
            at = after

    def _entries(self, pool: Pool, holder: int) -> list[tuple[int, int]]:
        """The members that are this holder, oldest first, and the points of each."""
        if not self.terms.pool.by_order:
            return [(holder, int(pool.members[holder, MEMBER_POINTS]))]
        rows = pool.members[: int(pool.totals[MEMBERS_USED])]
        return [(int(i), int(rows[i, MEMBER_POINTS])) for i in np.flatnonzero(rows[:, MEMBER_HOLDER] == holder)]

    def inject(self, amount_micro: int) -> Chunk:
        """Put funds into the pool without minting. Raises LimitReached, and nothing has changed."""
        pool = self.state.pool
        if pool is None:
            raise LimitReached("这个方案没有盈利池,不能注资", "this plan has no pool that funds could enter")
        most = MICRO_MAX - int(pool.totals[POOL_MICRO])
        if not 0 < amount_micro <= most:
            raise LimitReached(
                f"注资 {print_micro(amount_micro)} 元不可行:应大于 0,至多 {print_micro(most)} 元",
                f"cannot inject {print_micro(amount_micro)} yuan: it must be more than 0 and at most {print_micro(most)}",
            )
        out = Out.of(1, 2 * LINES_MAX)
        out.count[WRITTEN] = inject(pool, amount_micro, out.transfers, 0)
        return self._with_exits(out)

    def _with_exits(self, out: Out) -> Chunk:
        """What was written, and the forced exits that follow from it."""
        pool = self.state.pool
        if pool is None or not self.terms.pool.exit_bp:
            return _chunk(out, 0, 1)
        parts = []
        while True:
            done = exits(self.terms.pool, pool, self.state.holdings.tally, 0, out)
            parts.append(_chunk(out, 0, 1))
            if done:
                break
            out = Out.of(1, len(out.transfers.code))
        return Chunk(concatenated([part.transfers for part in parts]), parts[0].closed, (0, 1))

    # ------------------------------------------------------------ plans

    def adopt(self, compiled: CompiledPlan) -> None:
        """Settle under another version of the plan from now on. Raises PlanUnfit when the state would not mean the same."""
        if compiled is self.compiled:
            return
        differs = [name for name, now, then in zip(_SHAPE, _shape(self.compiled), _shape(compiled), strict=True) if now != then]
        if differs:
            raise PlanUnfit(
                f"新方案的 {'、'.join(differs)} 与现行方案不同,已有的排队、积分或账户会失去意义;请为它新建一个项目",
                f"the new plan's {', '.join(differs)} differ from the present one's, and the queues, points or accounts that are"
                " there would lose their meaning; create a programme of its own for it",
            )
        self.compiled, self.terms = compiled, compiled.terms

    # ------------------------------------------------------------ state

    def open_lot(self, number: int, queue: int) -> tuple[int, int, int] | None:
        """Of an order's lot while it is open: its place in its queue (from 1), packets and fen received."""
        queues = self.state.queues
        if queues is None or not 0 <= queue < len(queues.rows):
            return None
        first, count = int(queues.rows[queue, START] + queues.rows[queue, HEAD]), int(queues.rows[queue, OPEN])
        found = np.flatnonzero(queues.lots[first : first + count, LOT_ORDER] == number)
        if not len(found):
            return None
        _, _, paid_fen, room_fen, left = queues.lots[first + int(found[0])].tolist()
        packets = self.terms.packets
        return int(found[0]) + 1, packets.exit_packets - left, int(cap_fen(packets, paid_fen)) - room_fen

    def release_before(self, compiled: CompiledPlan, day: int) -> bool:
        """Whether a release comes before an order of this day under this plan."""
        release = self.state.release
        return release is not None and bool(due_before(compiled.terms.release, release.clock, day))

    def vouchers_of(self, holder: int) -> int:
        """The vouchers that a holder has, in micro; 0 for a number that is nobody's."""
        held = self.state.holdings.vouchers
        return int(held[holder]) if 0 <= holder < len(held) else 0

    @property
    def order_count(self) -> int:
        """Orders settled so far."""
        return int(self.state.holdings.tally[ORDERS])

    def names(self) -> bytes:
        """The register of accounts as bytes: kind, length and name of each holder in order of number."""
        new = ((holder.kind, holder.name.encode()) for holder in self.accounts.holders[self._named :])
        self._names += b"".join(struct.pack("<BI", kind, len(name)) + name for kind, name in new)
        self._named = len(self.accounts)
        return bytes(self._names)

    def hash(self) -> str:
        """SHA-256 of the state and of the register, in hex."""
        self._settle_down()
        return state_hash(self.terms, self.state, self.holders, self.names())

    def freeze(self) -> tuple[bytes, bytes]:
        """The register and the state as bytes, for ``thaw``."""
        self._settle_down()
        return self.names(), freeze(self.terms, self.state, self.holders)

    def _settle_down(self) -> None:
        """Room and queues for every holder that has been numbered, so that the state covers the register."""
        self.state = reserve(self.terms, self.state, self.holders, 0)
        self._seat_merchants()

    @classmethod
    def thaw(cls, compiled: CompiledPlan, secret: bytes, names: bytes, frozen: bytes) -> Self:
        """The programme that was frozen."""
        programme = cls(compiled, secret)
        at = 0
        while at < len(names):
            kind, length = struct.unpack_from("<BI", names, at)
            at += struct.calcsize("<BI") + length
            programme.holder(kind, names[at - length : at].decode())
        programme.state = thaw(compiled.terms, frozen, len(programme.accounts))
        return programme


_SHAPE: Final = ("packets.tiers", "packets.exit.packets", "pool", "release", "funds", "bonus")


def _shape(compiled: CompiledPlan) -> tuple[object, ...]:
    """What the state's meaning depends on, in the order of _SHAPE: versions that agree in it can follow one another."""
    terms = compiled.terms
    return (
        (terms.packets.per_order > 0, terms.packets.tiers_fen.shape, sorted(compiled.merchant_tier_rows.items())),
        terms.packets.exit_packets,
        (terms.pool.mint_bp > 0, terms.pool.by_order, terms.pool.exit_bp > 0),
        (terms.release.rate_den > 0, terms.release.by_balance, terms.release.pays_cash, terms.points.shape),
        compiled.funds,
        terms.bonus[:, [BONUS_PARTY, BONUS_ONCE_PER]].tolist(),
    )


def _chunk(out: Out, start: int, upto: int) -> Chunk:
    """The written part of ``out``."""
    transfers, closed = int(out.count[WRITTEN]), int(out.count[CLOSED])
    return Chunk(out.transfers.first(transfers), out.closed[:closed], (start, upto))
