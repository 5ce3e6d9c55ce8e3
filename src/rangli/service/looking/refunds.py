"""A refund as it would be decided now: every reversal of it, and nothing changes.

The engine decides it on a copy of its state that the settler hands out between two commits, by the same function as ever.
"""

from __future__ import annotations

import copy
from typing import NamedTuple, TypeVar, cast

import msgspec

from rangli.engine.state import Holdings, Pool, Queues, Release, State
from rangli.errors import FieldRefused, HeldOrder, OrderNotFound
from rangli.ledger.transfers import concatenated
from rangli.money import parse_yuan, print_yuan
from rangli.service.clock import rfc3339
from rangli.service.looking.reading import Reading, transfer_views
from rangli.service.requests import OrderRequest
from rangli.service.settling.recovery import Recovered
from rangli.service.settling.replay import settled_of
from rangli.service.settling.standing import Standing
from rangli.service.views import TransferView
from rangli.store import browse, journal, rows
from rangli.store.journal import Row

P = TypeVar("P", Holdings, Queues, Pool, Release)


class RefundPreview(msgspec.Struct, frozen=True):
    """What a refund would do."""

    order_id: str
    amount: str
    """Yuan that it refunds."""
    left: str
    """Yuan that can still be refunded after it."""
    cancels: bool
    """The order is still held: nothing has been settled, and it is cancelled."""
    position: int
    """The last decision before which it was looked at."""
    transfers: list[TransferView]


class _Seen(NamedTuple):
    """A programme between two commits, as a copy, and what the order's closed lot had received."""

    standing: Standing
    closed: tuple[int, int] | None


class Refunds(Reading):
    """What refunds of one programme's orders would do."""

    def preview(self, order_id: str, amount: str) -> RefundPreview:
        """All transfers of a refund of this order that would be decided now.

        amount : yuan; empty for all that is not yet refunded
        Raises what the refund would: OrderNotFound, RefundTooLarge, HeldOrder, AmountMalformed, FieldRefused.
        """
        fen = parse_yuan(amount) if amount else 0
        if amount and not fen:
            raise FieldRefused("amount", "为 0;不写则退全部余额", "is 0; leave it out to refund all that is left")
        recovered = self._recovered()
        with self._database.reading() as connection:
            row = self._find(recovered, connection, rows.ORDER, order_id)
        if row is None:
            return self._cancellation(order_id, fen)
        number = row.facts[0]
        kept = self._kept_lot(number)
        while True:
            seen = cast("_Seen", self._settler.ask(lambda now: _seen(now, number)).result())
            with self._database.reading() as connection:
                refunded, received, positions = journal.refunded(connection, self._number, number) or (0, -1, [])
            if not positions or positions[-1] <= seen.standing.position:
                break
        closed = kept or seen.closed
        if closed is None and not _is_open(seen.standing, row):  # a checkpoint has taken its lot along meanwhile
            closed = self._kept_lot(number)
        if received < 0 and closed is not None:
            received = closed[1]
        return _decided(seen.standing, row, fen, refunded, received)

    def _cancellation(self, order_id: str, fen: int) -> RefundPreview:
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
        return RefundPreview(order_id, print_yuan(paid_fen), left="0.00", cancels=True, position=position, transfers=[])


def _seen(recovered: Recovered, number: int) -> _Seen:
    """Asked of the settler: arrays are copied, the register and the plans are shared."""
    standing = copy.copy(recovered.standing)
    standing.programme = copy.copy(standing.programme)
    holdings, queues, pool, release = standing.programme.state
    standing.programme.state = State(
        _copied(holdings), queues and _copied(queues), pool and _copied(pool), release and _copied(release)
    )
    return _Seen(standing, recovered.closed.find(number))


def _copied(part: P) -> P:
    """A part of the state in memory of its own."""
    return type(part)(*(array.copy() for array in part))


def _is_open(standing: Standing, row: Row) -> bool:
    """Whether the order's lot is in its queue."""
    return standing.programme.open_lot(row.facts[0], settled_of(standing, row).queue) is not None


def _decided(standing: Standing, row: Row, fen: int, refunded_fen: int, received_fen: int) -> RefundPreview:
    """The refund, decided on the copy."""
    order = settled_of(standing, row)
    order.refunded_fen, order.received_fen = refunded_fen, received_fen
    fen = fen or order.paid_fen - order.refunded_fen
    legs = concatenated([standing.programme.refund(order, fen).transfers])
    made = row._replace(
        source=legs.source.tolist(), destination=legs.destination.tolist(), amount=legs.amount.tolist(), code=legs.code.tolist()
    )
    transfers = transfer_views(made, standing.programme.accounts)
    left = print_yuan(order.paid_fen - order.refunded_fen)
    return RefundPreview(row.key, print_yuan(fen), left=left, cancels=False, position=standing.position, transfers=transfers)
