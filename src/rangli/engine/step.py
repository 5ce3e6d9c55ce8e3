"""One step: as many orders of a batch as ``out`` has room for. Live settlement, replay, audit and simulation all run this."""

from __future__ import annotations

from typing import Final

import numpy as np

from rangli.engine import book
from rangli.engine import out as row
from rangli.engine.arith import mul_div
from rangli.engine.book import put
from rangli.engine.kernel import kernel, passage
from rangli.engine.out import CLOSED, LINES_MAX, STOPPED, WRITTEN
from rangli.engine.packets import fetch_window, hand_out, has_room, join, tier_of
from rangli.engine.pool import exits, may_mint, mint
from rangli.engine.release import due_before, earn, may_earn, reach
from rangli.engine.shares import pay_shares
from rangli.engine.state import DIVIDEND_MICRO, ORDERS, PACKETS_SENT, PAID_FEN, POT, POT_ACCOUNT, RETURNED_MICRO
from rangli.ledger.accounts import INCOME, POCKETS, VOUCHERS, WALLET
from rangli.money import AMOUNT_FEN_MAX, BP_PER_ONE, MICRO_MAX, MICRO_PER_FEN
from rangli.plan.terms import (
    AS_VOUCHERS,
    BONUS_MICRO,
    BONUS_ONCE_PER,
    BONUS_PARTY,
    CONSUMER,
    MERCHANT,
    PARTY,
)

AHEAD: Final = 8
"""Orders between asking the memory for a window and using it: with many queues, the waiting would be half of an order's time."""


@kernel
def step(terms, holdings, queues, pool, release, orders, start, out):
    """Settle orders[start:] until the end or until the caller has something to do; the next order.

    terms, orders, out               : Terms, Orders, Out
    holdings, queues, pool, release  : the parts of State; the last three may be None
    Writes ``out`` (from the beginning) and the state. ``out.count[STOPPED]`` says why it came back: DONE; OUT_FULL or EXITS_LEFT
    (empty ``out`` and call again); QUEUE_FULL (widen the order's queue); PERIOD_DUE (release the period, then call again).
    Each order is settled whole, or refused whole with a status and without a trace.
    """
    room = min(out.transfers.amount.shape[0], out.closed.shape[0]) - LINES_MAX
    exits_left = out.count[STOPPED] == row.EXITS_LEFT
    out.count[:] = 0
    if pool is not None:  # noqa: SIM102 (Numba leaves out what tests a missing part, and only that)
        if exits_left and not exits(terms.pool, pool, holdings.tally, start - 1, out):
            out.count[STOPPED] = row.EXITS_LEFT
            return start
    for i in range(start, orders.paid_fen.shape[0]):
        if out.count[WRITTEN] > room or out.count[CLOSED] > room:
            out.count[STOPPED] = row.OUT_FULL
            return i
        if release is not None:  # noqa: SIM102
            if due_before(terms.release, release.clock, orders.day[i]):
                out.count[STOPPED] = row.PERIOD_DUE
                return i
        if queues is not None:
            if i + AHEAD < orders.paid_fen.shape[0]:
                fetch_window(terms.packets, queues.rows[queue_of(terms.packets, queues, orders, i + AHEAD)], queues.lots)
            lane = queues.rows[queue_of(terms.packets, queues, orders, i)]
            if not has_room(lane, queues.lots):
                out.count[STOPPED] = row.QUEUE_FULL
                return i
        status = refusal(terms, holdings, queues, pool, release, orders, i)
        out.status[i] = status
        if status != row.SETTLED:
            continue
        settle_one(terms, holdings, queues, pool, release, orders, i, out)
        if pool is not None:  # noqa: SIM102
            if terms.pool.exit_bp and not exits(terms.pool, pool, holdings.tally, i, out):
                out.count[STOPPED] = row.EXITS_LEFT
                return i + 1
    return orders.paid_fen.shape[0]


@kernel
def queue_of(packets, queues, orders, i):
    """The queue that order i pays and joins."""
    merchant = orders.party[i, MERCHANT]
    return queues.first_of[merchant] + tier_of(packets.tiers_fen[queues.tier_row[merchant]], orders.paid_fen[i])


@passage
def refusal(terms, holdings, queues, pool, release, orders, i):
    """The status of a row before anything is written: SETTLED, or why not.

    Limits are checked with the whole concession, so what an order really adds never passes them.
    """
    paid_fen, bp, voucher_fen = orders.paid_fen[i], orders.concession_bp[i], orders.voucher_fen[i]
    consumer = orders.party[i, CONSUMER]
    if paid_fen < 1 or paid_fen > AMOUNT_FEN_MAX:
        return row.AMOUNT_OUT_OF_RANGE
    if bp < terms.concession_bp_min or bp > terms.concession_bp_max:
        return row.CONCESSION_OUT_OF_RANGE
    if voucher_fen != 0:
        if voucher_fen < 0 or voucher_fen > mul_div(paid_fen, terms.offset_bp, BP_PER_ONE):
            return row.VOUCHERS_OVER_LIMIT
        if voucher_fen * MICRO_PER_FEN > holdings.vouchers[consumer]:
            return row.VOUCHERS_SHORT
    concession = paid_fen * bp
    fits = True
    if queues is not None:
        fits &= queues.rows[queue_of(terms.packets, queues, orders, i), POT] + concession <= MICRO_MAX
    if pool is not None:
        fits &= may_mint(terms.pool, pool, consumer, paid_fen, concession)
    if release is not None:
        fits &= may_earn(terms.release, terms.points, release, paid_fen, bp)
    return row.SETTLED if fits else row.LIMIT_REACHED


@passage
def settle_one(terms, holdings, queues, pool, release, orders, i, out):
    """Write the lines of one order, in the order of docs/rules.md section 2, and change the state."""
    transfers, n, tally = out.transfers, out.count[WRITTEN], holdings.tally
    holders = orders.party[i]
    consumer = np.int64(holders[CONSUMER])
    paid_fen = orders.paid_fen[i]
    number = tally[ORDERS]
    tally[ORDERS] = number + 1
    tally[PAID_FEN] += paid_fen

    if orders.voucher_fen[i]:
        used = orders.voucher_fen[i] * MICRO_PER_FEN
        merchant = np.int64(holders[MERCHANT])
        holdings.vouchers[consumer] -= used
        n = put(transfers, n, i, consumer * POCKETS + VOUCHERS, book.VOUCHER_ISSUER, used, book.VOUCHER_SPENT_CODE)
        n = put(transfers, n, i, book.RESERVE, merchant * POCKETS + INCOME, used, book.VOUCHER_PAID_CODE)
    pot_account = np.int64(-1)
    if queues is not None:
        lane = queues.rows[queue_of(terms.packets, queues, orders, i)]
        pot_account = lane[POT_ACCOUNT]
    n, into_pot, into_pool, into_dividend, backed = pay_shares(terms.shares, orders, i, pot_account, holdings.taken, transfers, n)
    if backed:
        note_vouchers(terms.shares, holdings.vouchers, holders, holdings.taken)
    n = pay_bonus(terms.bonus, holdings.bonus_paid, holders, i, transfers, n)

    if queues is not None:
        wallet = consumer * POCKETS + WALLET
        lane[POT] += into_pot
        out.count[WRITTEN] = n
        handed_fen, sent = hand_out(terms.packets, lane, queues.lots, queues.scratch, wallet, orders.key[i], i, out)
        n = out.count[WRITTEN]
        tally[PACKETS_SENT] += sent
        tally[RETURNED_MICRO] += handed_fen * MICRO_PER_FEN
        join(terms.packets, lane, queues.lots, number, wallet, paid_fen, out)
    if pool is not None:
        n = mint(terms.pool, pool, consumer, paid_fen, into_pool, i, transfers, n)
    if release is not None:
        release.clock[DIVIDEND_MICRO] += into_dividend
        reach(release.clock, orders.day[i])
        n = earn(terms, release, orders, i, number, transfers, n)
    out.count[WRITTEN] = n


@kernel
def note_vouchers(shares, vouchers, holders, taken):
    """Count the vouchers that shares paid to their holders."""
    for i in range(shares.shape[0]):
        if shares[i, AS_VOUCHERS] and taken[i]:
            vouchers[holders[shares[i, PARTY]]] += taken[i]


@kernel
def pay_bonus(bonus, bonus_paid, holders, order, transfers, n):
    """One-off bonuses on the first order of a merchant or consumer at which the party is there; the next transfer."""
    for b in range(bonus.shape[0]):
        party, once = np.int64(holders[bonus[b, BONUS_PARTY]]), holders[bonus[b, BONUS_ONCE_PER]]
        if party >= 0 and not (bonus_paid[once] >> b) & 1:
            bonus_paid[once] |= np.int64(1) << b
            n = put(transfers, n, order, book.SURPLUS, party * POCKETS + WALLET, bonus[b, BONUS_MICRO], book.BONUS_CODE)
    return n
