"""Refunds of settled orders: what was recorded is reversed, cumulatively and exactly (docs/rules.md, section 6)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rangli.engine import book
from rangli.engine.arith import mul_div, mul_less
from rangli.engine.book import put
from rangli.engine.kernel import kernel
from rangli.engine.out import CLOSED, WRITTEN
from rangli.engine.packets import cap_fen, drop_lot
from rangli.engine.pool import limit_of, note_last_price, place_member
from rangli.engine.release import outstanding
from rangli.engine.state import (
    CYCLE_FROM,
    DIVIDEND_MICRO,
    HEAD,
    LOT_ORDER,
    LOT_PAID,
    LOT_ROOM,
    MEMBER_LIMIT,
    MEMBER_POINTS,
    OPEN,
    POINTS_OPEN,
    POOL_MICRO,
    POT,
    POT_ACCOUNT,
    PROMISED,
    RELEASE_DONE,
    RELEASE_FIRST,
    RELEASE_HOLDER,
    RELEASE_LAST,
    RELEASE_POINTS,
    RELEASE_USED,
    START,
    SUPPLY,
)
from rangli.ledger import transfers as codes
from rangli.ledger.accounts import BORNE, CONCESSION, INCOME, POCKET_BITS, POCKETS, POINTS, VOUCHERS, WALLET
from rangli.ledger.transfers import REFUND
from rangli.money import BP_PER_ONE, MICRO_PER_FEN
from rangli.plan.terms import Ints

# Columns of Refund.legs and Refund.minted, and Refund.facts.
LEG_TO, LEG_MICRO, LEG_CODE, LEG_VOUCHERS = range(4)
MINTED_HOLDER, MINTED_POINTS = range(2)
NUMBER, PAID_FEN, CONCESSION_BP, VOUCHER_FEN, CONSUMER, MERCHANT, QUEUE, RECEIVED_FEN, BEFORE_FEN, AFTER_FEN = range(10)
STILL_OPEN = -1
"""RECEIVED_FEN of an order whose own lot may still be open: the kernel looks for it and writes what it finds."""


class Refund(NamedTuple):
    """One refund of one settled order."""

    facts: Ints
    """(10,) order number, paid, concession, voucher, consumer and merchant (holders), queue (-1), received by its lot, refunded
    in all before and after this refund. RECEIVED_FEN is written when the lot closes here."""
    legs: Ints
    """(n, 4) the recorded share lines in their order: account paid, micro, code, voucher account of a backing (else -1)."""
    minted: Ints
    """(k, 2) the recorded mints: holder, points."""
    parts: Ints
    """(2, n) written; scratch."""


@kernel
def refund(terms, holdings, queues, pool, release, request, out):
    """Reverse one more part of a settled order; transfers from the beginning of ``out``, all of order index 0.

    The caller has checked BEFORE_FEN < AFTER_FEN <= PAID_FEN, and sees to the exits that come due (``pool.exits``).
    """
    facts = request.facts
    out.count[WRITTEN], out.count[CLOSED] = 0, 0
    burned, worth = np.int64(0), np.int64(0)
    if pool is not None:
        burned = _to_burn(terms.pool, pool, request)
        if burned:
            worth = mul_div(burned, pool.totals[POOL_MICRO], pool.totals[SUPPLY])
            note_last_price(pool.totals, burned)
    n = _reverse_legs(terms, holdings, pool, release, request, worth, out.transfers)
    if queues is not None:
        n = _take_back(terms.packets, queues, facts, out, n)
    if release is not None:
        for k in range(request.minted.shape[0]):
            n = _unearn(terms.release, holdings, release, facts, request.minted[k], out.transfers, n)
    if pool is not None:
        n = _unmint(terms.pool, pool, request, burned, out.transfers, n)
    n = _return_vouchers(holdings, facts, out.transfers, n)
    out.count[WRITTEN] = n


@kernel
def part_of(facts, whole):
    """This refund's part of what is reversed in proportion: the floor in all now, less the floor in all before."""
    return mul_div(whole, facts[AFTER_FEN], facts[PAID_FEN]) - mul_div(whole, facts[BEFORE_FEN], facts[PAID_FEN])


# ---------------------------------------------------------------- legs


@kernel
def reversed_parts(legs, total, parts):
    """How much of each leg stands reversed when ``total`` of their sum does: the twin of money.reversed_of.

    legs : int64 (n, 4)     parts : int64 (n,)   written
    """
    whole, given = np.int64(0), np.int64(0)
    for i in range(legs.shape[0]):
        whole += legs[i, LEG_MICRO]
    if whole == 0:
        return
    for i in range(legs.shape[0]):
        parts[i] = mul_div(total, legs[i, LEG_MICRO], whole)
        given += parts[i]
    for _ in range(total - given):
        best = 0
        for i in range(1, legs.shape[0]):
            if mul_less(legs[best, LEG_MICRO], parts[i] + 1, legs[i, LEG_MICRO], parts[best] + 1):
                best = i
        parts[best] += 1


@kernel
def _reverse_legs(terms, holdings, pool, release, request, worth, transfers):
    """Each leg back to the merchant's concession; ``worth`` is the most that the pool gives. The next transfer."""
    facts, legs, old, new = request.facts, request.legs, request.parts[0], request.parts[1]
    reversed_parts(legs, facts[BEFORE_FEN] * facts[CONCESSION_BP], old)
    reversed_parts(legs, facts[AFTER_FEN] * facts[CONCESSION_BP], new)
    to = facts[MERCHANT] * POCKETS + CONCESSION
    bearer = facts[MERCHANT] * POCKETS + BORNE if terms.refund_merchant_bears else book.SURPLUS
    n = np.int64(0)
    for i in range(legs.shape[0]):
        amount, code = new[i] - old[i], legs[i, LEG_CODE]
        gives, giver, rest = amount, legs[i, LEG_TO], book.SURPLUS
        if code == codes.POT:
            giver = bearer
        elif code == codes.BACKING:
            gives, rest = _vouchers_back(holdings.vouchers, legs[i, LEG_VOUCHERS], amount)
        if pool is not None and code == codes.POOL:
            gives = min(amount, worth)
            worth -= gives
            pool.totals[POOL_MICRO] -= gives
        if release is not None and code == codes.DIVIDEND:
            gives = min(amount, release.clock[DIVIDEND_MICRO])
            release.clock[DIVIDEND_MICRO] -= gives
        n = put(transfers, n, 0, giver, to, gives, REFUND + code)
        n = put(transfers, n, 0, rest, to, amount - gives, REFUND + code)
        if code == codes.BACKING:
            n = put(transfers, n, 0, legs[i, LEG_VOUCHERS], book.VOUCHER_ISSUER, gives, REFUND + book.VOUCHER_CODE)
    return n


@kernel
def _vouchers_back(vouchers, account, amount):
    """(vouchers taken from their holder, its wallet): what it has spent already, it owes in cash."""
    holder = account >> POCKET_BITS
    taken = min(amount, max(vouchers[holder], 0))
    vouchers[holder] -= taken
    return taken, holder * POCKETS + WALLET


# ---------------------------------------------------------------- packets


@kernel
def _take_back(packets, queues, facts, out, n):
    """The order's own lot closes; of what it has received, a part goes back into its pot. The next transfer."""
    row = queues.rows[facts[QUEUE]]
    if facts[RECEIVED_FEN] == STILL_OPEN:
        first = row[START] + row[HEAD]
        for i in range(row[OPEN]):
            if queues.lots[first + i, LOT_ORDER] == facts[NUMBER]:
                facts[RECEIVED_FEN] = cap_fen(packets, queues.lots[first + i, LOT_PAID]) - queues.lots[first + i, LOT_ROOM]
                drop_lot(packets, row, queues.lots, i, out)
                break
    fen = part_of(facts, max(facts[RECEIVED_FEN], 0))
    row[POT] += fen * MICRO_PER_FEN
    wallet = facts[CONSUMER] * POCKETS + WALLET
    return put(out.transfers, n, 0, wallet, row[POT_ACCOUNT], fen * MICRO_PER_FEN, book.TAKEBACK_CODE)


# ---------------------------------------------------------------- points


@kernel
def _to_burn(terms, pool, request):
    """The points that this refund burns: its part of those minted, as far as the member still has them."""
    minted = np.int64(0)
    for k in range(request.minted.shape[0]):
        minted += request.minted[k, MINTED_POINTS]
    member = request.facts[NUMBER] if terms.by_order else request.facts[CONSUMER]
    return min(part_of(request.facts, minted), pool.members[member, MEMBER_POINTS])


@kernel
def _unmint(terms, pool, request, burned, transfers, n):
    """Burn the member's points; its limit falls unless the cycle that the order belonged to has ended. The next transfer."""
    facts, totals = request.facts, pool.totals
    member = facts[NUMBER] if terms.by_order else facts[CONSUMER]
    n = put(transfers, n, 0, facts[CONSUMER] * POCKETS + POINTS, book.POINT_ISSUER, burned, book.BURN_CODE)
    pool.members[member, MEMBER_POINTS] -= burned
    totals[SUPPLY] -= burned
    if terms.exit_bp:
        if pool.members[member, CYCLE_FROM] <= facts[NUMBER]:
            share = np.int64(0)
            for i in range(request.legs.shape[0]):
                if request.legs[i, LEG_CODE] == codes.POOL:
                    share += request.legs[i, LEG_MICRO]
            added = limit_of(terms, facts[PAID_FEN], mul_div(share, terms.mint_bp, BP_PER_ONE))
            pool.members[member, MEMBER_LIMIT] -= part_of(facts, added)
        place_member(pool, member)
    return n


@kernel
def _unearn(terms, holdings, release, facts, minted, transfers, n):
    """The lot that the order's points joined shrinks, and what they brought returns to the dividend pot. The next transfer.

    A lot that has ended is settled for good.
    """
    clock, lots, holder = release.clock, release.lots, minted[MINTED_HOLDER]
    points = part_of(facts, minted[MINTED_POINTS])
    for i in range(clock[RELEASE_USED]):
        lot = lots[i]
        if lot[RELEASE_HOLDER] != holder or not lot[RELEASE_FIRST] <= facts[NUMBER] <= lot[RELEASE_LAST] or points == 0:
            continue
        clock[PROMISED] -= outstanding(terms, lot)
        returned = mul_div(lot[RELEASE_DONE], points, lot[RELEASE_POINTS])
        gone = returned if terms.pays_cash else np.int64(0)
        lot[RELEASE_POINTS] -= points
        clock[POINTS_OPEN] -= points
        lot[RELEASE_DONE] -= returned
        clock[PROMISED] += outstanding(terms, lot)
        clock[DIVIDEND_MICRO] += returned
        n = put(transfers, n, 0, holder * POCKETS + POINTS, book.POINT_ISSUER, points - gone, book.BURN_CODE)
        backed, wallet = np.int64(0), holder * POCKETS + WALLET
        if not terms.pays_cash:
            backed, wallet = _vouchers_back(holdings.vouchers, holder * POCKETS + VOUCHERS, returned)
        n = put(transfers, n, 0, book.RESERVE, book.DIVIDEND, backed, REFUND + book.RELEASE_CODE)
        n = put(transfers, n, 0, wallet, book.DIVIDEND, returned - backed, REFUND + book.RELEASE_CODE)
        n = put(transfers, n, 0, holder * POCKETS + VOUCHERS, book.VOUCHER_ISSUER, backed, REFUND + book.VOUCHER_CODE)
        break
    return n


@kernel
def _return_vouchers(holdings, facts, transfers, n):
    """What vouchers had paid returns as vouchers, and the merchant gives the cash back. The next transfer."""
    micro = part_of(facts, facts[VOUCHER_FEN]) * MICRO_PER_FEN
    holdings.vouchers[facts[CONSUMER]] += micro
    account = facts[CONSUMER] * POCKETS + VOUCHERS
    n = put(transfers, n, 0, book.VOUCHER_ISSUER, account, micro, REFUND + book.VOUCHER_SPENT_CODE)
    return put(transfers, n, 0, facts[MERCHANT] * POCKETS + INCOME, book.RESERVE, micro, REFUND + book.VOUCHER_PAID_CODE)
