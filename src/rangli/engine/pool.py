"""The priced pool: mint, sell, inject, and forced exits (docs/rules.md, section 4).

Members wait for their exits in a heap, lowest exit price first. A member's exit price (limit - out) / points is compared as a
fraction through 128-bit products, so no price is ever rounded.
"""

from __future__ import annotations

import numpy as np

from rangli.engine import book
from rangli.engine.arith import mul_div, mul_less
from rangli.engine.book import put
from rangli.engine.kernel import kernel
from rangli.engine.out import LINES_MAX, WRITTEN
from rangli.engine.state import (
    CYCLE_FROM,
    EXITS,
    FIRST_EXIT,
    HEAP_USED,
    LAST_POOL,
    LAST_SUPPLY,
    MEMBER_HOLDER,
    MEMBER_LIMIT,
    MEMBER_NUMBER,
    MEMBER_OUT,
    MEMBER_PLACE,
    MEMBER_POINTS,
    MEMBERS_USED,
    ORDERS,
    POOL_MICRO,
    RETURNED_MICRO,
    SUPPLY,
)
from rangli.ledger.accounts import POCKETS, POINTS, WALLET
from rangli.money import BP_PER_ONE, MICRO_MAX

# ---------------------------------------------------------------- the heap of exit prices


@kernel
def _before(members, a, b):
    """Whether member a exits before member b: at a lower price, or at the same and sooner a member."""
    need_a = max(members[a, MEMBER_LIMIT] - members[a, MEMBER_OUT], 0)
    need_b = max(members[b, MEMBER_LIMIT] - members[b, MEMBER_OUT], 0)
    if mul_less(need_a, members[b, MEMBER_POINTS], need_b, members[a, MEMBER_POINTS]):
        return True
    if mul_less(need_b, members[a, MEMBER_POINTS], need_a, members[b, MEMBER_POINTS]):
        return False
    return members[a, MEMBER_NUMBER] < members[b, MEMBER_NUMBER]


@kernel
def _rise(pool, place):
    """Move the member at this place up as long as it exits before its parent; its new place."""
    heap, members = pool.heap, pool.members
    member = heap[place]
    while place > 0:
        parent = (place - 1) >> 1
        if not _before(members, member, heap[parent]):
            break
        heap[place] = heap[parent]
        members[heap[place], MEMBER_PLACE] = place
        place = parent
    heap[place] = member
    members[member, MEMBER_PLACE] = place
    return place


@kernel
def _sink(pool, place):
    """Move the member at this place down as long as a child exits before it."""
    heap, members = pool.heap, pool.members
    used = pool.totals[HEAP_USED]
    member = heap[place]
    while True:
        child = 2 * place + 1
        if child >= used:
            break
        if child + 1 < used and _before(members, heap[child + 1], heap[child]):
            child += 1
        if not _before(members, heap[child], member):
            break
        heap[place] = heap[child]
        members[heap[place], MEMBER_PLACE] = place
        place = child
    heap[place] = member
    members[member, MEMBER_PLACE] = place


@kernel
def place_member(pool, member):
    """Put the member where its points, limit and paid-out now belong: in, out, or elsewhere in the heap."""
    place = pool.members[member, MEMBER_PLACE]
    if pool.members[member, MEMBER_POINTS] == 0:
        if place >= 0:
            _leave(pool, member, place)
        return
    if place < 0:
        place = pool.totals[HEAP_USED]
        pool.totals[HEAP_USED] = place + 1
        pool.heap[place] = member
        _rise(pool, place)
    elif _rise(pool, place) == place:
        _sink(pool, place)


@kernel
def _leave(pool, member, place):
    """Take the member out of the heap; the last one fills its place."""
    last = pool.totals[HEAP_USED] - 1
    pool.totals[HEAP_USED] = last
    pool.members[member, MEMBER_PLACE] = -1
    if place != last:
        moved = pool.heap[last]
        pool.heap[place] = moved
        pool.members[moved, MEMBER_PLACE] = place
        if _rise(pool, place) == place:
            _sink(pool, place)


# ---------------------------------------------------------------- mint, sell, exit, inject


@kernel
def minted_of(terms, totals, share):
    """(mint value, points) that a share of this many micro would mint at the present price; points -1 when past all limits."""
    value = mul_div(share, terms.mint_bp, BP_PER_ONE)
    if totals[SUPPLY] > 0:
        return value, mul_div(value, totals[SUPPLY], totals[POOL_MICRO])
    return value, mul_div(value, totals[LAST_SUPPLY], totals[LAST_POOL])


@kernel
def may_mint(terms, pool, consumer, paid_fen, share):
    """Whether all limits hold after an order that brings at most this share."""
    totals = pool.totals
    value, points = minted_of(terms, totals, share)
    if points < 0 or totals[SUPPLY] + points > MICRO_MAX or totals[POOL_MICRO] + share > MICRO_MAX:
        return False
    limit = np.int64(0) if terms.by_order else pool.members[consumer, MEMBER_LIMIT]
    return limit + limit_of(terms, paid_fen, value) <= MICRO_MAX


@kernel
def mint(terms, pool, holder, paid_fen, share, order, transfers, n):
    """The share enters the pool and mints points for the holder at the price before; the next transfer.

    The caller has checked by ``may_mint`` that the limits hold.
    """
    totals, members = pool.totals, pool.members
    value, points = minted_of(terms, totals, share)
    totals[POOL_MICRO] += share
    totals[SUPPLY] += points
    n = put(transfers, n, order, book.POINT_ISSUER, holder * POCKETS + POINTS, points, book.MINT_CODE)
    member = totals[MEMBERS_USED] if terms.by_order else holder
    if members[member, MEMBER_NUMBER] == 0:
        totals[MEMBERS_USED] += 1
        members[member, MEMBER_NUMBER] = totals[MEMBERS_USED]
        members[member, MEMBER_HOLDER] = holder
    members[member, MEMBER_POINTS] += points
    if terms.exit_bp:
        members[member, MEMBER_LIMIT] += limit_of(terms, paid_fen, value)
        place_member(pool, member)
    return n


@kernel
def limit_of(terms, paid_fen, value):
    """What an order adds to the amount at which its member is forced out."""
    if terms.basis_mint:
        return mul_div(value, terms.exit_bp, BP_PER_ONE)
    return paid_fen * terms.exit_bp


@kernel
def note_last_price(totals, points):
    """When the last points are about to burn, the price of before is the last price."""
    if points == totals[SUPPLY]:
        totals[LAST_POOL], totals[LAST_SUPPLY] = totals[POOL_MICRO], totals[SUPPLY]


@kernel
def burn_for_cash(terms, totals, points):
    """Take points out of the supply and their price, less what stays, out of the pool; the cash paid, floored twice."""
    pool, supply = totals[POOL_MICRO], totals[SUPPLY]
    cash = mul_div(mul_div(points, pool, supply), terms.pays_bp, BP_PER_ONE)
    note_last_price(totals, points)
    totals[POOL_MICRO] = pool - cash
    totals[SUPPLY] = supply - points
    return cash


@kernel
def sell(terms, pool, member, points, code, order, transfers, n):
    """Sell points of a member that has them: burn, then cash into the wallet; (next transfer, cash).

    A voluntary sale counts towards the member's limit; a forced exit ends the cycle.
    """
    members = pool.members
    wallet = members[member, MEMBER_HOLDER] * POCKETS + WALLET
    cash = burn_for_cash(terms, pool.totals, points)
    n = put(transfers, n, order, wallet - WALLET + POINTS, book.POINT_ISSUER, points, book.BURN_CODE)
    n = put(transfers, n, order, book.POOL, wallet, cash, code)
    members[member, MEMBER_POINTS] -= points
    if code == book.EXIT_CODE:
        members[member, MEMBER_LIMIT] = 0
        members[member, MEMBER_OUT] = 0
    else:
        members[member, MEMBER_OUT] += cash
    if terms.exit_bp:
        place_member(pool, member)
    return n, cash


@kernel
def sell_out(terms, pool, tally, members, start, out):
    """Members[start:] sell all their points in turn, each sale followed by the exits that come due; the next one.

    Writes ``out`` from the beginning and comes back when it is full; exits that were left are written first.
    """
    out.count[:] = 0
    room = out.transfers.amount.shape[0] - 2 * LINES_MAX
    if terms.exit_bp and not exits(terms, pool, tally, 0, out):
        return start
    for i in range(start, members.shape[0]):
        if out.count[WRITTEN] > room:
            return i
        points = pool.members[members[i], MEMBER_POINTS]
        if points == 0:
            continue
        n, cash = sell(terms, pool, members[i], points, book.SALE_CODE, 0, out.transfers, out.count[WRITTEN])
        out.count[WRITTEN] = n
        tally[RETURNED_MICRO] += cash
        if terms.exit_bp and not exits(terms, pool, tally, 0, out):
            return i + 1
    return members.shape[0]


@kernel
def inject(pool, amount, transfers, n):
    """Funds enter the pool without minting; the next transfer."""
    pool.totals[POOL_MICRO] += amount
    return put(transfers, n, 0, book.FUNDING, book.POOL, amount, book.INJECTION_CODE)


@kernel
def exit_due(pool):
    """Whether the member with the lowest exit price is due: points x pool >= need x supply."""
    totals, members = pool.totals, pool.members
    if totals[HEAP_USED] == 0:
        return False
    member = pool.heap[0]
    need = max(members[member, MEMBER_LIMIT] - members[member, MEMBER_OUT], 0)
    return not mul_less(members[member, MEMBER_POINTS], totals[POOL_MICRO], need, totals[SUPPLY])


@kernel
def exits(terms, pool, tally, order, out):
    """Write all exits that are due, each raising the price for the next; False when ``out`` is full before the end."""
    n = out.count[WRITTEN]
    while exit_due(pool):
        if n + LINES_MAX > out.transfers.amount.shape[0]:
            out.count[WRITTEN] = n
            return False
        member = pool.heap[0]
        points = pool.members[member, MEMBER_POINTS]
        n, cash = sell(terms, pool, member, points, book.EXIT_CODE, order, out.transfers, n)
        pool.members[member, CYCLE_FROM] = tally[ORDERS]
        if pool.totals[EXITS] == 0:
            pool.totals[FIRST_EXIT] = tally[ORDERS]
        pool.totals[EXITS] += 1
        tally[RETURNED_MICRO] += cash
    out.count[WRITTEN] = n
    return True
