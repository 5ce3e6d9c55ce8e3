"""Shares: how an order's concession is split (docs/rules.md, section 2)."""

from __future__ import annotations

from rangli.engine import book
from rangli.engine.arith import div, place
from rangli.engine.book import put
from rangli.engine.kernel import kernel
from rangli.ledger import accounts
from rangli.ledger.accounts import POCKETS
from rangli.plan import terms as parties
from rangli.plan.terms import (
    AS_VOUCHERS,
    CODE,
    CONSTANT,
    DEN,
    FIRST_FUND,
    HIGH,
    LESS,
    LOW,
    ORDER_PARTIES,
    OTHERWISE,
    PARTY,
    PLATFORM,
    SLOPE,
)


@kernel
def linear(line, paid_fen, concession_bp):
    """Micro of a line of Terms.shares or Terms.points; the remainder is the platform's."""
    rate = line[CONSTANT] + line[SLOPE] * min(max(concession_bp, line[LOW]), line[HIGH])
    if line[DEN] == 1:
        return paid_fen * rate
    return div(paid_fen * rate, line[DEN])


@kernel
def _account_of(party, holders, pot_account):
    """The cash account of a party; ``holders`` is the order's row of Orders.party."""
    if party < ORDER_PARTIES:
        return holders[party] * POCKETS + (accounts.INCOME if party == parties.MERCHANT else accounts.WALLET)
    if party == parties.PACKETS:
        return pot_account
    if party == parties.POOL:
        return book.POOL
    if party == parties.DIVIDEND:
        return book.DIVIDEND
    if party == PLATFORM:
        return book.SURPLUS
    return (accounts.FIRST_FUND + party - FIRST_FUND) * POCKETS


@kernel
def _code_instead(party):
    """The code under which an ``else`` party takes a share."""
    if party == parties.PACKETS:
        return book.POT_CODE
    if party == parties.POOL:
        return book.POOL_CODE
    if party == parties.DIVIDEND:
        return book.DIVIDEND_CODE
    if party == parties.MERCHANT:
        return book.MERCHANT_CODE
    return book.FUND_CODE


@kernel
def pay_shares(shares, orders, i, pot_account, taken, transfers, n):
    """Write the share lines and the platform's.

    taken : int64 (SHARES_MAX,)   written: what each share paid to a party that was there
    Returns (next transfer, into packets, into the pool, into the dividend pot, vouchers issued) in micro.
    """
    holders = orders.party[i]
    paid_fen, concession_bp = orders.paid_fen[i], orders.concession_bp[i]
    source = holders[parties.MERCHANT] * POCKETS + accounts.CONCESSION
    left = paid_fen * concession_bp
    into_pot, into_pool, into_dividend, vouchers = 0, 0, 0, 0
    for k in range(shares.shape[0]):
        line = shares[k]
        amount = linear(line, paid_fen, concession_bp)
        if line[LESS]:
            for below in range(k):
                if (line[LESS] >> below) & 1:
                    amount -= taken[below]
            amount = max(amount, 0)
        party = place(line[PARTY])
        code = line[CODE]
        taken[k] = amount
        if party < ORDER_PARTIES and holders[party] < 0:
            taken[k] = 0
            party = line[OTHERWISE]
            if party == PLATFORM:
                continue
            code = _code_instead(party)
        elif party == PLATFORM:
            continue
        elif line[AS_VOUCHERS]:
            n = put(transfers, n, i, source, book.RESERVE, amount, book.BACKING_CODE)
            to = holders[party] * POCKETS + accounts.VOUCHERS
            n = put(transfers, n, i, book.VOUCHER_ISSUER, to, amount, book.VOUCHER_CODE)
            vouchers += amount
            left -= amount
            continue
        n = put(transfers, n, i, source, _account_of(party, holders, pot_account), amount, code)
        left -= amount
        if party == parties.PACKETS:
            into_pot += amount
        elif party == parties.POOL:
            into_pool += amount
        elif party == parties.DIVIDEND:
            into_dividend += amount
    n = put(transfers, n, i, source, book.SURPLUS, left, book.PLATFORM_CODE)
    return n, into_pot, into_pool, into_dividend, vouchers
