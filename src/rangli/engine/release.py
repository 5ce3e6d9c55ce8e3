"""Points and their release by period, never beyond what the dividend pot holds (docs/rules.md, section 5)."""

from __future__ import annotations

from typing import Final

import numpy as np

from rangli.engine import book
from rangli.engine.arith import div, mul_div, mul_less
from rangli.engine.book import CLOSING, put
from rangli.engine.kernel import kernel
from rangli.engine.out import WRITTEN
from rangli.engine.shares import linear
from rangli.engine.state import (
    CLOSED_ON,
    DAY,
    DIVIDEND_MICRO,
    INFLOW,
    LAST_INFLOW,
    NEVER,
    OPENED_ON,
    PERIOD,
    POINTS_OPEN,
    PROMISED,
    RELEASE_AGE,
    RELEASE_DONE,
    RELEASE_DUE,
    RELEASE_FIRST,
    RELEASE_HOLDER,
    RELEASE_LAST,
    RELEASE_PERIOD,
    RELEASE_POINTS,
    RELEASE_USED,
    RETURNED_MICRO,
    WAITING,
)
from rangli.ledger.accounts import POCKETS, POINTS, VOUCHERS, WALLET
from rangli.money import BP_PER_ONE, MICRO_MAX
from rangli.plan.terms import PARTY

LINES_PER_LOT: Final = 3
PRODUCT_MAX: Final = 2**62


@kernel
def due_before(terms, clock, day):
    """Whether a release comes before an order of this day: one that waits, or the end of a period's last day."""
    if clock[OPENED_ON] == NEVER:
        return False
    day = max(day, clock[DAY])
    return (clock[WAITING] >= 0 and day > clock[CLOSED_ON]) or day >= clock[OPENED_ON] + terms.days


@kernel
def reach(clock, day):
    """The day reached, which never goes back; the first order opens the first period."""
    if clock[OPENED_ON] == NEVER:
        clock[OPENED_ON] = day
    clock[DAY] = max(clock[DAY], day)


@kernel
def _close_period(release, on, next_opens):
    """The period closes at the end of the day ``on``; the next one opens. Its release waits."""
    clock = release.clock
    period = clock[PERIOD]
    release.inflow[period] = clock[INFLOW]
    clock[WAITING] = period
    clock[CLOSED_ON] = on
    clock[LAST_INFLOW] = clock[INFLOW]
    clock[INFLOW] = 0
    clock[PERIOD] = period + 1
    clock[OPENED_ON] = next_opens


@kernel
def promise_of(terms, points):
    """All that points may ever release."""
    return mul_div(points, terms.multiple_bp, BP_PER_ONE)


@kernel
def may_earn(terms, points, release, paid_fen, concession_bp):
    """Whether the limits hold after this order, so that no product of a release can wrap.

    Points and inflow stay below 2**62 / the rate's terms; the dividend pot and all open promises below MICRO_MAX.
    """
    clock = release.clock
    most = min(div(PRODUCT_MAX, max(terms.rate_num, terms.rate_den)), MICRO_MAX)
    concession = paid_fen * concession_bp
    promised, earned = clock[PROMISED], clock[POINTS_OPEN]
    for i in range(points.shape[0]):
        amount = linear(points[i], paid_fen, concession_bp)
        promised += promise_of(terms, amount) + 1
        earned += amount
    fits = clock[INFLOW] + concession <= most and clock[DIVIDEND_MICRO] + concession <= MICRO_MAX
    return fits and promised <= most and earned <= most


@kernel
def earn(terms, release, orders, i, number, transfers, n):
    """Each party's points join its lot of this period, and the concession its inflow; the next transfer.

    The period closes when its inflow has grown enough over the last one's, unless a release waits.
    """
    clock, lots = release.clock, release.lots
    paid_fen, concession_bp = orders.paid_fen[i], orders.concession_bp[i]
    for k in range(terms.points.shape[0]):
        amount = linear(terms.points[k], paid_fen, concession_bp)
        if amount == 0:
            continue
        holder = np.int64(orders.party[i, terms.points[k, PARTY]])
        n = put(transfers, n, i, book.POINT_ISSUER, holder * POCKETS + POINTS, amount, book.MINT_CODE)
        lot = release.lot_of[holder]
        if lot < 0 or (not terms.release.by_balance and lots[lot, RELEASE_PERIOD] != clock[PERIOD]):
            lot = clock[RELEASE_USED]
            clock[RELEASE_USED] = lot + 1
            for column in range(lots.shape[1]):
                lots[lot, column] = 0
            lots[lot, RELEASE_HOLDER] = holder
            lots[lot, RELEASE_PERIOD] = clock[PERIOD]
            release.lot_of[holder] = lot
            lots[lot, RELEASE_FIRST] = number
        lots[lot, RELEASE_LAST] = number
        clock[PROMISED] -= outstanding(terms.release, lots[lot])
        lots[lot, RELEASE_POINTS] += amount
        clock[POINTS_OPEN] += amount
        clock[PROMISED] += outstanding(terms.release, lots[lot])
    clock[INFLOW] += paid_fen * concession_bp
    if terms.release.growth_bp and clock[LAST_INFLOW] and clock[WAITING] < 0:  # noqa: SIM102 (the product only when it matters)
        if not mul_less(clock[INFLOW], BP_PER_ONE, clock[LAST_INFLOW], terms.release.growth_bp):
            _close_period(release, clock[DAY], clock[DAY])
    return n


@kernel
def outstanding(terms, lot):
    """What a lot has been promised and not yet released; a refund may leave it a micro ahead of its promise."""
    return max(promise_of(terms, lot[RELEASE_POINTS]) - lot[RELEASE_DONE], 0)


@kernel
def due_of(terms, lot, inflow, inflow_joined):
    """What a lot is due in a period of this inflow, the pot's limit aside."""
    left = outstanding(terms, lot)
    if terms.by_balance:
        return mul_div(left, terms.rate_num, terms.rate_den)
    if inflow_joined == 0:
        return np.int64(0)
    due = mul_div(lot[RELEASE_POINTS] * terms.rate_num, inflow, inflow_joined * terms.rate_den)
    return left if due < 0 else min(due, left)


@kernel
def release_period(terms, release, vouchers, tally, out):
    """Release the period that waits, or close and release the one whose last day has passed.

    vouchers : int64 (holders,)   written     tally : int64 (5,)   written
    out      : room for LINES_PER_LOT transfers a lot and one more; written from its WRITTEN on
    Returns (what the dividend pot held before, what was released).
    Every lot's due is scaled down alike when the dividend pot holds less; what rounding leaves stays in the pot.
    """
    clock, lots = release.clock, release.lots
    if clock[WAITING] < 0:
        _close_period(release, clock[OPENED_ON] + terms.days - 1, clock[OPENED_ON] + terms.days)
    inflow = release.inflow[clock[WAITING]]
    total = 0
    for i in range(clock[RELEASE_USED]):
        if lots[i, RELEASE_PERIOD] <= clock[WAITING]:
            lots[i, RELEASE_DUE] = due_of(terms, lots[i], inflow, release.inflow[lots[i, RELEASE_PERIOD]])
            total += lots[i, RELEASE_DUE]
    held = clock[DIVIDEND_MICRO]
    if total > held:
        wanted, total = total, 0
        for i in range(clock[RELEASE_USED]):
            if lots[i, RELEASE_PERIOD] <= clock[WAITING]:
                lots[i, RELEASE_DUE] = mul_div(lots[i, RELEASE_DUE], held, wanted)
                total += lots[i, RELEASE_DUE]
    n = out.count[WRITTEN]
    if not terms.pays_cash:
        n = put(out.transfers, n, CLOSING, book.DIVIDEND, book.RESERVE, total, book.RELEASE_CODE)
    for i in range(clock[RELEASE_USED]):
        if lots[i, RELEASE_PERIOD] <= clock[WAITING]:
            n = _pay_lot(terms, release, vouchers, i, out.transfers, n)
    clock[DIVIDEND_MICRO] -= total
    clock[PROMISED] -= total
    tally[RETURNED_MICRO] += total
    out.count[WRITTEN] = n
    clock[WAITING] = -1
    _drop_ended(terms, release)
    return held, total


@kernel
def _has_ended(terms, lot):
    """Whether a lot has released all it may, or has run out of periods."""
    return outstanding(terms, lot) == 0 or lot[RELEASE_AGE] == terms.extended


@kernel
def _pay_lot(terms, release, vouchers, i, transfers, n):
    """The lines of one lot: what it is due, and its end if this was its last; the next transfer."""
    lot = release.lots[i]
    holder, due = lot[RELEASE_HOLDER], lot[RELEASE_DUE]
    lot[RELEASE_DONE] += due
    lot[RELEASE_AGE] += 1
    points = holder * POCKETS + POINTS
    if terms.pays_cash:
        n = put(transfers, n, CLOSING, book.DIVIDEND, holder * POCKETS + WALLET, due, book.RELEASE_CODE)
        n = put(transfers, n, CLOSING, points, book.POINT_ISSUER, due, book.BURN_CODE)
    else:
        n = put(transfers, n, CLOSING, book.VOUCHER_ISSUER, holder * POCKETS + VOUCHERS, due, book.VOUCHER_CODE)
        vouchers[holder] += due
    if _has_ended(terms, lot):
        left = outstanding(terms, lot)
        release.clock[PROMISED] -= left
        release.clock[POINTS_OPEN] -= lot[RELEASE_POINTS]
        held = lot[RELEASE_POINTS] - lot[RELEASE_DONE] if terms.pays_cash else lot[RELEASE_POINTS]
        n = put(transfers, n, CLOSING, points, book.POINT_ISSUER, held, book.ZEROED_CODE if left else book.BURN_CODE)
    return n


@kernel
def _drop_ended(terms, release):
    """Take the ended lots out; the others keep their order."""
    clock, lots, lot_of = release.clock, release.lots, release.lot_of
    kept = 0
    for i in range(clock[RELEASE_USED]):
        holder = lots[i, RELEASE_HOLDER]
        ended = lots[i, RELEASE_AGE] > 0 and _has_ended(terms, lots[i])
        if lot_of[holder] == i:
            lot_of[holder] = -1 if ended else kept
        if not ended:
            if kept != i:
                for column in range(lots.shape[1]):
                    lots[kept, column] = lots[i, column]
            kept += 1
    clock[RELEASE_USED] = kept
