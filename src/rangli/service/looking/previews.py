"""A request as it would be decided now: every transfer of it, what it comes to, and nothing changes.

The engine decides it on a copy of its state that the settler hands out between two commits, by the same functions as ever.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import NamedTuple, TypeVar, cast

import msgspec
import numpy as np

from rangli.engine.state import POOL_MICRO, SUPPLY, Holdings, Pool, Queues, Release, State, price_pair
from rangli.errors import HeldOrder, OrderNotFound
from rangli.ledger import code_words
from rangli.ledger.accounts import CONSUMER, POCKETS, POINTS
from rangli.ledger.books import FIXED
from rangli.ledger.transfers import CODE_NAMES, RELEASE, UNIT_NAMES, UNIT_OF_CODE, VOUCHER_OUT, Transfers, concatenated
from rangli.money import parse_yuan, print_micro, print_ratio, print_yuan
from rangli.service.clock import rfc3339
from rangli.service.looking.reading import Reading, leg_views
from rangli.service.requests import ClosingRequest, InjectionRequest, OrderRequest, RefundRequest, SaleRequest
from rangli.service.settling.asked import facts_of, numbers_of
from rangli.service.settling.names import no_member
from rangli.service.settling.recovery import Recovered
from rangli.service.settling.replay import settled_of
from rangli.service.settling.standing import Standing
from rangli.service.views import TransferView
from rangli.settle import Chunk, Programme
from rangli.store import browse, journal, rows
from rangli.store.journal import Row

P = TypeVar("P", Holdings, Queues, Pool, Release)
Act = SaleRequest | InjectionRequest | ClosingRequest
"""What is decided on the programme's state alone."""


class Sum(msgspec.Struct, frozen=True):
    """All transfers of one reason."""

    code: str
    zh: str
    en: str
    count: int
    amount: str
    unit: str


class PoolPrice(msgspec.Struct, frozen=True):
    """The priced pool at one moment."""

    pool: str
    supply: str
    price: str
    """Yuan a point, six decimals, cut off."""


class ReleaseView(msgspec.Struct, frozen=True):
    """The release of one period."""

    period: int
    released: str
    """Yuan, in cash or behind vouchers."""
    held: str
    """What the dividend pot held before."""
    accounts: int
    """Into how many accounts."""


class Preview(msgspec.Struct, frozen=True):
    """What a request would do."""

    position: int
    """The last decision before which it was looked at."""
    amount: str
    """Yuan that it refunds or injects, points that it sells; empty for a closing."""
    left: str
    """What could be asked for after it: yuan of the order, points of the member. Empty where it would leave the same."""
    cancels: bool
    """The order is still held: nothing has been settled, and it is cancelled."""
    count: int
    """Transfers that it makes."""
    transfers: list[TransferView]
    """The first of them."""
    sums: list[Sum]
    pool: tuple[PoolPrice, PoolPrice] | None
    """Before and after it; None without a pool."""
    releases: list[ReleaseView]
    """Of a closing, one for each period."""


class Previews(Reading):
    """What requests to one programme would do."""

    def of(self, request: RefundRequest | Act, most: int | None = None) -> Preview:
        """What this request would do if it were decided now, with at most so many transfers one by one.

        Raises what the request would: FieldRefused, AmountMalformed, OrderNotFound, RefundTooLarge, HeldOrder, PointsShort,
        LimitReached.
        """
        numbers = numbers_of(request)
        if isinstance(request, RefundRequest):
            return self._refund(request.order_id, int(numbers[1]), most)
        points = self._points_of(request.consumer) if isinstance(request, SaleRequest) else 0
        found = self._settler.ask(lambda now: (_copied(now), now.standing.books.balance_micro(points))).result()
        standing, held_micro = cast("tuple[Standing, int]", found)
        told = _Told(standing, most, points)
        for chunk in _chunks(standing, request, int(numbers[-1])):
            told.take(chunk)
        facts = facts_of(request)
        if isinstance(request, SaleRequest):
            return told.preview(facts["points"], print_micro(held_micro + told.gained_micro))
        return told.preview(facts.get("amount", ""))

    def pool(self) -> PoolPrice | None:
        """The priced pool now; None for a plan without one."""
        return cast("PoolPrice | None", self._settler.ask(lambda now: _price(now.standing.programme)).result())

    def _points_of(self, consumer: str) -> int:
        """The account of a member's points. Raises FieldRefused."""
        holder = self._recovered().standing.programme.accounts.find(CONSUMER, consumer)
        if holder < 0:
            raise no_member(consumer)
        return holder * POCKETS + POINTS

    # ------------------------------------------------------------ refunds

    def _refund(self, order_id: str, fen: int, most: int | None) -> Preview:
        """All transfers of a refund; 0 fen for all that is not yet refunded."""
        recovered = self._recovered()
        with self._database.reading() as connection:
            row = self._find(recovered, connection, rows.ORDER, order_id)
        if row is None:
            return self._cancellation(order_id, fen)
        number = row.facts[0]
        kept = self._kept_lot(number)
        while True:
            seen = cast("_Seen", self._settler.ask(lambda now: _Seen(_copied(now), now.closed.find(number))).result())
            with self._database.reading() as connection:
                refunded, received, positions = journal.refunded(connection, self._number, number) or (0, -1, [])
            if not positions or positions[-1] <= seen.standing.position:
                break
        closed = kept or seen.closed
        if closed is None and not _is_open(seen.standing, row):  # a checkpoint has taken its lot along meanwhile
            closed = self._kept_lot(number)
        if received < 0 and closed is not None:
            received = closed[1]
        order = settled_of(seen.standing, row)
        order.refunded_fen, order.received_fen = refunded, received
        fen = fen or order.paid_fen - order.refunded_fen
        told = _Told(seen.standing, most)
        told.take(seen.standing.programme.refund(order, fen))
        return told.preview(print_yuan(fen), print_yuan(order.paid_fen - order.refunded_fen))

    def _cancellation(self, order_id: str, fen: int) -> Preview:
        """The refund of an order that is held: all of it, or nothing."""
        with self._database.reading() as connection:
            held = browse.one_held(connection, self._number, order_id)
        if held is None:
            raise OrderNotFound(f"没有订单 {order_id[:60]!r}", f"there is no order {order_id[:60]!r}")
        if held.due_at is None:
            raise HeldOrder(f"订单 {order_id} 已取消", f"the order {order_id} has been cancelled")
        paid_fen = parse_yuan(msgspec.json.decode(held.request, type=OrderRequest).amount)
        if fen not in (0, paid_fen):
            raise HeldOrder(
                f"订单 {order_id} 还在冻结期内,只能全额退款({print_yuan(paid_fen)} 元);"
                f"部分退款请待其结算({rfc3339(held.due_at)})之后",
                f"the order {order_id} is still held and can only be refunded whole ({print_yuan(paid_fen)} yuan);"
                f" refund a part of it after it settles at {rfc3339(held.due_at)}",
            )
        position = self._settler.published.position
        return Preview(
            position, print_yuan(paid_fen), "0.00", cancels=True, count=0, transfers=[], sums=[], pool=None, releases=[]
        )


class _Seen(NamedTuple):
    """A programme between two commits, as a copy, and what an order's closed lot had received."""

    standing: Standing
    closed: tuple[int, int] | None


class _Told:
    """What a copy's decision comes to, chunk by chunk."""

    def __init__(self, standing: Standing, most: int | None, account: int = 0) -> None:
        self.gained_micro = 0
        """What the account gained by it."""
        self._standing = standing
        self._most = most
        self._account = account
        self._before = _price(standing.programme)
        self._count = 0
        self._first: list[Transfers] = [Transfers.empty(0)]
        self._sums = np.zeros((len(CODE_NAMES), 2), np.int64)
        self._releases: list[ReleaseView] = []

    def take(self, chunk: Chunk) -> None:
        """What comes next. A closing may write many times what is told of it, so no more than that is kept."""
        legs = chunk.transfers
        for code in np.unique(legs.code).tolist():
            amounts = legs.amount[legs.code == code]
            self._sums[code] += len(amounts), amounts.sum()
        self.gained_micro += int(legs.amount[legs.destination == self._account].sum())
        self.gained_micro -= int(legs.amount[legs.source == self._account].sum())
        room = len(legs.code) if self._most is None else max(self._most - self._count, 0)
        self._first.append(concatenated([legs.first(room)]))
        self._count += len(legs.code)
        if chunk.released is not None:
            period, released, held = chunk.released
            is_paid = np.isin(legs.code, (RELEASE, VOUCHER_OUT)) & (legs.destination >= FIXED)
            accounts = len(np.unique(legs.destination[is_paid]))
            self._releases.append(ReleaseView(period, print_micro(released), print_micro(held), accounts))

    def preview(self, amount: str, left: str = "") -> Preview:
        """All of it."""
        before, after = self._before, _price(self._standing.programme)
        legs = concatenated(self._first)
        told = leg_views(
            legs.source.tolist(), legs.destination.tolist(), legs.amount.tolist(), legs.code.tolist(),
            self._standing.programme.accounts,
        )  # fmt: skip
        sums = [
            Sum(CODE_NAMES[code], *code_words(code), count, print_micro(micro), UNIT_NAMES[UNIT_OF_CODE[code]])
            for code, (count, micro) in enumerate(self._sums.tolist())
            if count
        ]
        pool = None if before is None or after is None else (before, after)
        return Preview(
            self._standing.position, amount, left, cancels=False, count=self._count, transfers=told, sums=sums, pool=pool,
            releases=self._releases,
        )  # fmt: skip


def _chunks(standing: Standing, request: Act, number: int) -> Iterator[Chunk]:
    """What the request makes a copy write; it begins when the first chunk is asked for. ``number``: points, micro or the day."""
    programme = standing.programme
    programme.adopt(standing.plans[standing.plan])
    if isinstance(request, SaleRequest):
        yield programme.sell(request.consumer, number)
    elif isinstance(request, InjectionRequest):
        yield programme.inject(number)
    else:
        yield from programme.close(number)


def _copied(recovered: Recovered) -> Standing:
    """Asked of the settler: a standing whose state is its own; register and plans are shared."""
    standing = copy.copy(recovered.standing)
    standing.programme = programme = copy.copy(standing.programme)
    programme.periods = []
    holdings, queues, pool, release = programme.state
    programme.state = State(_own(holdings), queues and _own(queues), pool and _own(pool), release and _own(release))
    return standing


def _own(part: P) -> P:
    """A part of the state in memory of its own."""
    return type(part)(*(array.copy() for array in part))


def _price(programme: Programme) -> PoolPrice | None:
    """The priced pool, if there is one."""
    pool = programme.state.pool
    if pool is None:
        return None
    held, supply = int(pool.totals[POOL_MICRO]), int(pool.totals[SUPPLY])
    return PoolPrice(print_micro(held), print_micro(supply), print_ratio(*price_pair(pool)))


def _is_open(standing: Standing, row: Row) -> bool:
    """Whether the order's lot is in its queue."""
    return standing.programme.open_lot(row.facts[0], settled_of(standing, row).queue) is not None
