"""The kernels of truths: transfers and orders onto running sums, as they are written, so that no history is kept.

A **cube** holds the sum of all transfers by (code, group that gave, group that got); every figure about money is read off it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rangli.engine.arith import mul_div
from rangli.engine.kernel import kernel
from rangli.engine.out import SETTLED
from rangli.ledger import transfers as codes
from rangli.ledger.accounts import INSTITUTIONS, POCKET_BITS
from rangli.ledger.transfers import REFUND
from rangli.money import BP_PER_ONE, MICRO_PER_FEN
from rangli.plan import terms as parties
from rangli.plan.terms import Ints

# Groups of holders; the institutions keep their numbers, and funds come last.
POTS, MERCHANTS, RECRUITERS, DISTRICT, CITY, PROVINCE, REGION, WASHER, SMALL, FARMERS, EARLIER, CONSUMERS = range(
    len(INSTITUTIONS), len(INSTITUTIONS) + 12
)
FIRST_FUND: Final = CONSUMERS + 1
CODES_ROOM: Final = 2 * REFUND

# Figures of a month in Tally.sums, and the largest ones in Tally.most.
ORDERS, REFUSED, PAID_FEN, CONCESSION, VOUCHERS_FEN = range(5)
PACKET_MOST, PAYOUT_MOST = range(2)

# What a code means for a consumer's own cash and vouchers.
NOTHING, CASH, CASH_BACK, VOUCHERS, VOUCHERS_BACK = range(5)


def _meaning() -> NDArray[np.int8]:
    """What each code means for the consumer who gets, or gives back."""
    table = np.full(CODES_ROOM, NOTHING, np.int8)
    for code in (codes.PACKET, codes.SALE, codes.EXIT, codes.RELEASE, codes.CONSUMER):
        table[code], table[code + REFUND] = CASH, CASH_BACK
    table[codes.TAKEBACK] = CASH_BACK
    table[codes.VOUCHER_OUT], table[codes.VOUCHER_OUT + REFUND] = VOUCHERS, VOUCHERS_BACK
    return table


MEANING: Final = _meaning()


class Tally(NamedTuple):
    """Everything that is counted while a run goes on."""

    group: NDArray[np.uint8]
    """(first_consumer,) of each holder that is no consumer."""
    cube: Ints
    """(CODES_ROOM, groups, groups) of this month."""
    sums: Ints
    """(5,) of this month."""
    most: Ints
    """(2,) of the run."""
    spent: Ints
    """(consumers,) cash spent, in micro."""
    cash: Ints
    """(consumers,) cash received as a customer, in micro."""
    vouchers: Ints
    """(consumers,) vouchers received as a customer, in micro."""
    used: Ints
    """(consumers,) vouchers spent, in micro."""
    made: NDArray[np.int32]
    """(consumers,) orders settled."""


@kernel
def count_transfers(transfers, tally, first_consumer, meaning, party):
    """Add transfers to the cube, and to what consumers got.

    transfers : Transfers     tally : Tally   written     meaning : int8 (CODES_ROOM,)
    party     : int32 (orders, ORDER_PARTIES) of the orders that the transfers name; vouchers of an order count as a
                customer's for its own consumer, and for others who earn by it not
    """
    group, cube = tally.group, tally.cube
    for t in range(transfers.amount.shape[0]):
        code, amount = transfers.code[t], transfers.amount[t]
        giver, taker = transfers.source[t] >> POCKET_BITS, transfers.destination[t] >> POCKET_BITS
        gives = CONSUMERS if giver >= first_consumer else group[giver]
        gets = CONSUMERS if taker >= first_consumer else group[taker]
        cube[code, gives, gets] += amount
        means = meaning[code]
        if means == CASH:
            if gets == CONSUMERS:
                tally.cash[taker - first_consumer] += amount
            tally.most[PAYOUT_MOST] = max(tally.most[PAYOUT_MOST], amount)
            if code == codes.PACKET:
                tally.most[PACKET_MOST] = max(tally.most[PACKET_MOST], amount)
        elif means == VOUCHERS:
            order = transfers.order[t]
            if gets == CONSUMERS and (order < 0 or party[order, parties.CONSUMER] == taker):
                tally.vouchers[taker - first_consumer] += amount
        elif means == CASH_BACK:
            if gives == CONSUMERS:
                tally.cash[giver - first_consumer] -= amount
        elif means == VOUCHERS_BACK and gives == CONSUMERS and party[transfers.order[t], parties.CONSUMER] == giver:
            tally.vouchers[giver - first_consumer] -= amount


@kernel
def count_orders(orders, status, start, stop, tally, first_consumer):
    """Add rows start:stop of a batch, whose statuses are final.

    orders : Orders     status : uint8 (n,)     tally : Tally   written
    """
    sums = tally.sums
    for r in range(start, stop):
        if status[r] != SETTLED:
            sums[REFUSED] += 1
            continue
        sums[ORDERS] += 1
        sums[PAID_FEN] += orders.paid_fen[r]
        sums[CONCESSION] += orders.paid_fen[r] * orders.concession_bp[r]
        sums[VOUCHERS_FEN] += orders.voucher_fen[r]
        consumer = np.int64(orders.party[r, parties.CONSUMER]) - first_consumer
        if consumer >= 0:
            tally.spent[consumer] += (orders.paid_fen[r] - orders.voucher_fen[r]) * MICRO_PER_FEN
            tally.used[consumer] += orders.voucher_fen[r] * MICRO_PER_FEN
            tally.made[consumer] += 1


@kernel
def whole_lots(closed, first_order):
    """How many of these closed lots, of orders from ``first_order`` on, had received all that they paid.

    closed : int64 (n, 6)   order number, wallet, pot, paid fen, packets, received fen
    """
    count = np.int64(0)
    for i in range(closed.shape[0]):
        count += np.int64(closed[i, 0] >= first_order and closed[i, 5] >= closed[i, 3])
    return count


@kernel
def pay_with_vouchers(orders, vouchers, offset_bp, may, first_consumer):
    """Let each consumer who may pay with the vouchers that he has, as far as the plan allows, whole fen, order after order.

    orders : Orders   voucher_fen is written     vouchers : int64 (holders,)   what each holds; unchanged in the end
    may    : bool (n,)
    """
    for r in range(orders.paid_fen.shape[0]):
        consumer = np.int64(orders.party[r, parties.CONSUMER])
        if may[r] and consumer >= first_consumer:
            held = mul_div(vouchers[consumer], 1, MICRO_PER_FEN)
            used = min(held, mul_div(orders.paid_fen[r], offset_bp, BP_PER_ONE))
            orders.voucher_fen[r] = used
            vouchers[consumer] -= used * MICRO_PER_FEN
    for r in range(orders.paid_fen.shape[0]):
        vouchers[np.int64(orders.party[r, parties.CONSUMER])] += orders.voucher_fen[r] * MICRO_PER_FEN


@kernel
def ratios(got, spent, out):
    """What each got in parts of what he spent, in bp, rounded down; -1 for one who spent nothing.

    got, spent, out : int64 (n,)   out is written
    """
    for i in range(got.shape[0]):
        out[i] = mul_div(max(got[i], 0), BP_PER_ONE, spent[i]) if spent[i] > 0 else -1
