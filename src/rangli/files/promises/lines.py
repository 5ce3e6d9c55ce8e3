"""The promises, compiled: what is asked of every transfer, read from docs/rules.md and from nothing of the engine.

A check walks the lines of an order and asks of each whether the rules allow it here. Its state is its own: balances by the
auditor's account numbers, rates from the plan's document, and in ``queues`` a linked list of lots where the engine has blocks.

Codes, faults and flags are int64 constants, since Numba compiles a caller anew for each literal it is given.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rangli import money
from rangli.engine.kernel import kernel
from rangli.files.promises import faults as f
from rangli.ledger import transfers

Ints = NDArray[np.int64]
Numbers = NDArray[np.int32]
Codes = NDArray[np.int8]

MICRO_MAX: Final = np.int64(money.MICRO_MAX)
MICRO_PER_FEN: Final = np.int64(money.MICRO_PER_FEN)
BP_PER_ONE: Final = np.int64(money.BP_PER_ONE)
CONCESSION_MAX: Final = np.int64(2**50)
"""More than the concession of any order; forged amounts are cut to it, so that sums of many do not wrap."""
ZERO: Final = np.int64(0)
ONE: Final = np.int64(1)

PLATFORM: Final = np.int64(transfers.PLATFORM)
POT: Final = np.int64(transfers.POT)
BACKING: Final = np.int64(transfers.BACKING)
PACKET: Final = np.int64(transfers.PACKET)
BONUS: Final = np.int64(transfers.BONUS)
MINT: Final = np.int64(transfers.MINT)
VOUCHER_OUT: Final = np.int64(transfers.VOUCHER_OUT)
VOUCHER_SPENT: Final = np.int64(transfers.VOUCHER_SPENT)
VOUCHER_PAID: Final = np.int64(transfers.VOUCHER_PAID)

# What a line is for, by its code; lines of other kinds have no place in the files of a settlement.
STRANGE, USE, SHARE, EXTRA, PACKETS, POINTS, CLOSING = (np.int64(i) for i in range(7))

CLOSED_PERIOD: Final = np.int64(-1)
"""In place of an order: the lines of a period's closing."""
UNKNOWN: Final = np.int64(-2)
"""In place of an order: lines of no order that should have any."""

quotient = kernel(money.mul_div)
"""⌊a × b / c⌋ where a × b fits in 63 bits."""


class Lines(NamedTuple):
    """Some transfers, in the order of the file."""

    line: Numbers
    source: Numbers
    destination: Numbers
    amount: Ints
    unit: Codes
    code: Codes
    """-1: not one of ours."""


class Groups(NamedTuple):
    """The lines cut by order: group g has lines start[g] .. stop[g] - 1, none for an order without lines."""

    start: Ints
    stop: Ints
    order: Ints
    """Row of Facts; CLOSED_PERIOD or UNKNOWN."""


class Facts(NamedTuple):
    """What the orders say, one row an order that should settle. Accounts are the auditor's numbers, -1 for none."""

    paid_fen: Ints
    concession_bp: Ints
    voucher_fen: Ints
    day: Ints
    id_hash: Ints
    wallet: Numbers
    vouchers: Numbers
    concession: Numbers
    income: Numbers
    queue: Numbers
    taker: Numbers
    """(n, shares) the account of each share's party, -1 where it is not there."""
    stand_in: Numbers
    """(n, shares) who takes it then, -1 for the platform."""
    earner: Numbers
    """(n, points) the points account of each line of points."""
    bonus_to: Numbers
    """(n, bonuses)"""
    bonus_once: Numbers
    """(n, bonuses) any account of the one whose first order pays it."""


class Rates(NamedTuple):
    """Shares or points: line k of an order is ⌊paid × num[c, k] / den[c, k]⌋ micro; c counts from the plan's least concession."""

    num: Ints
    den: Ints
    code: Codes
    code_instead: Codes
    as_vouchers: NDArray[np.bool_]
    below: Ints
    """Bit j: what share j paid to a party that was there is subtracted (differential)."""


class Fixed(NamedTuple):
    """The plan's other numbers and the accounts of institutions."""

    concession_bp_min: np.int64
    surplus: np.int64
    reserve: np.int64
    points_issuer: np.int64
    voucher_issuer: np.int64
    kind_of_code: Codes
    """What a line of an order is for; STRANGE also where the plan has no such lines."""
    kind_in_closing: Codes
    bonus_micro: Ints


class Book(NamedTuple):
    """Balances, and what each account may do."""

    balance: Ints
    unit: Codes
    """-1: no such account."""
    overdraft: Codes
    """The fault of a negative balance, -1 where it is meant to be negative."""
    is_concession: NDArray[np.bool_]
    touched: NDArray[np.bool_]
    unit_of_code: Codes
    by_code: Ints
    """(codes, 2) count and sum."""


class Faults(NamedTuple):
    """What was found: rows of fault, group, line, expected, found; how often each fault; rows used."""

    rows: Ints
    times: Ints
    used: Ints

    @classmethod
    def none(cls) -> Faults:
        """Room for the faults of one pass."""
        return cls(np.zeros((len(f.FAULTS) * f.LISTED, 5), np.int64), np.zeros(len(f.FAULTS), np.int64), np.zeros(1, np.int64))


class Page(NamedTuple):
    """What the checks are given at a time: some lines cut by order, the facts of these orders, and room for what is found."""

    lines: Lines
    groups: Groups
    facts: Facts
    faults: Faults


@kernel
def note(faults: Faults, fault: int, group: int, line: int, expected: int, found: int) -> None:
    """Count a fault, and keep it if it is among the first of its kind."""
    faults.times[fault] += 1
    if faults.times[fault] <= f.LISTED and faults.used[0] < faults.rows.shape[0]:
        row = faults.rows[faults.used[0]]
        row[0], row[1], row[2], row[3], row[4] = fault, group, line, expected, found
        faults.used[0] += 1


# ---------------------------------------------------------------- every line


@kernel
def fold(page: Page, fixed: Fixed, book: Book) -> None:
    """Add every line to the balances: its number, amount, kind and units, no overdraft, and vouchers backed after each group."""
    lines, groups, _, faults = page
    for g in range(groups.start.shape[0]):
        kinds = fixed.kind_in_closing if groups.order[g] == CLOSED_PERIOD else fixed.kind_of_code
        for i in range(groups.start[g], groups.stop[g]):
            if lines.line[i] != i - groups.start[g] + 1:
                note(faults, f.LINE_NUMBER, g, i, i - groups.start[g] + 1, lines.line[i])
            source, destination, amount, code = lines.source[i], lines.destination[i], lines.amount[i], lines.code[i]
            if code < 0 or kinds[code] == STRANGE:
                note(faults, f.CODE_OUT_OF_PLACE, g, i, ZERO, ZERO)
            if amount < 1 or amount > MICRO_MAX:
                note(faults, f.AMOUNT_REFUSED, g, i, MICRO_MAX, amount)
                continue
            unit = lines.unit[i]
            if code < 0 or book.unit_of_code[code] != unit or book.unit[source] != unit or book.unit[destination] != unit:
                note(faults, f.UNIT_MIXED, g, i, ZERO, ZERO)
            if code >= 0:
                book.by_code[code, 0] += 1
                book.by_code[code, 1] += amount
            book.touched[source] = True
            book.touched[destination] = True
            before = book.balance[source]
            if before - amount < -MICRO_MAX or book.balance[destination] + amount > MICRO_MAX:
                note(faults, f.BALANCE_PAST_LIMIT, g, i, MICRO_MAX, amount)
                continue
            book.balance[source] -= amount
            book.balance[destination] += amount
            if before < amount and book.overdraft[source] >= 0:
                note(faults, book.overdraft[source], g, i, ZERO, before - amount)
        if book.balance[fixed.reserve] + book.balance[fixed.voucher_issuer] != 0:
            note(
                faults, f.VOUCHERS_UNBACKED, g, groups.start[g], -book.balance[fixed.voucher_issuer], book.balance[fixed.reserve]
            )


@kernel
def next_of(lines: Lines, kinds: Codes, kind: int, i: int, stop: int) -> int:
    """The next line of this kind from i on, or ``stop``."""
    while i < stop and (lines.code[i] < 0 or kinds[lines.code[i]] != kind):
        i += 1
    return i


@kernel
def is_line(lines: Lines, i: int, source: int, destination: int, amount: int, code: int) -> bool:
    """Whether line i is exactly this one."""
    fits: bool = lines.code[i] == code and lines.amount[i] == amount
    return fits and lines.source[i] == source and lines.destination[i] == destination


# ---------------------------------------------------------------- the concession and its shares


@kernel
def check_concession(page: Page, book: Book) -> None:
    """What leaves the merchant's concession account in an order is paid × concession, and nobody else's concession is touched."""
    lines, groups, facts, faults = page
    for g in range(groups.start.shape[0]):
        order = groups.order[g]
        if order < 0:
            continue
        gone = np.int64(0)
        for i in range(groups.start[g], groups.stop[g]):
            if lines.source[i] == facts.concession[order]:
                gone += min(max(lines.amount[i], 0), CONCESSION_MAX)
            elif book.is_concession[lines.source[i]]:
                note(faults, f.CONCESSION_OF_ANOTHER, g, i, ZERO, ZERO)
        due = facts.paid_fen[order] * facts.concession_bp[order]
        if gone != due:
            note(faults, f.CONCESSION_SUM, g, groups.start[g], due, gone)


@kernel
def check_shares(page: Page, rates: Rates, fixed: Fixed, taken: Ints) -> int:
    """The share lines of each order are those of the plan, in its order, and the platform has the remainder; how many there are.

    taken : int64 (shares,)   scratch: what each share paid to a party that was there
    """
    lines, groups, facts, faults = page
    checked = 0
    for g in range(groups.start.shape[0]):
        order = groups.order[g]
        if order < 0:
            continue
        stop, kinds = groups.stop[g], fixed.kind_of_code
        i = next_of(lines, kinds, SHARE, groups.start[g], stop)
        c = facts.concession_bp[order] - fixed.concession_bp_min
        left = facts.paid_fen[order] * facts.concession_bp[order]
        source = facts.concession[order]
        fits = True
        for k in range(rates.code.shape[0]):
            amount = quotient(facts.paid_fen[order], rates.num[c, k], rates.den[c, k])
            for j in range(k):
                if (rates.below[k] >> j) & 1:
                    amount -= taken[j]
            amount = max(amount, 0)
            to, code = np.int64(facts.taker[order, k]), rates.code[k]
            taken[k] = amount
            if to < 0:
                taken[k] = 0
                to, code = np.int64(facts.stand_in[order, k]), rates.code_instead[k]
            if to < 0 or amount == 0:
                continue
            left -= amount
            if rates.as_vouchers[k] and taken[k]:
                fits = i < stop and is_line(lines, i, source, fixed.reserve, amount, BACKING)
                i = next_of(lines, kinds, SHARE, i + 1, stop) if fits else i
                fits = fits and i < stop and is_line(lines, i, fixed.voucher_issuer, to, amount, VOUCHER_OUT)
            else:
                fits = i < stop and is_line(lines, i, source, to, amount, code)
            if not fits:
                note(faults, f.SHARE_DIFFERS, g, i, amount, lines.amount[i] if i < stop else ZERO)
                break
            checked += 1
            i = next_of(lines, kinds, SHARE, i + 1, stop)
        if fits and left:
            fits = i < stop and is_line(lines, i, source, fixed.surplus, left, PLATFORM)
            if not fits:
                note(faults, f.SHARE_DIFFERS, g, i, left, lines.amount[i] if i < stop else ZERO)
            checked += 1
            i = next_of(lines, kinds, SHARE, i + 1, stop)
        if fits and i < stop:
            note(faults, f.SHARE_DIFFERS, g, i, ZERO, lines.amount[i])
    return checked


# ---------------------------------------------------------------- vouchers used, bonuses, points earned


@kernel
def check_vouchers_used(page: Page, fixed: Fixed) -> int:
    """An order uses up the vouchers that it says and its merchant is paid for them, and no other does; how many orders do."""
    lines, groups, facts, faults = page
    checked = 0
    for g in range(groups.start.shape[0]):
        order = groups.order[g]
        if order < 0:
            continue
        stop, kinds = groups.stop[g], fixed.kind_of_code
        used = facts.voucher_fen[order] * MICRO_PER_FEN
        first = next_of(lines, kinds, USE, groups.start[g], stop)
        fits = first == stop
        if used:
            second = next_of(lines, kinds, USE, first + 1, stop)
            fits = (
                second < stop
                and is_line(lines, first, facts.vouchers[order], fixed.voucher_issuer, used, VOUCHER_SPENT)
                and is_line(lines, second, fixed.reserve, facts.income[order], used, VOUCHER_PAID)
                and next_of(lines, kinds, USE, second + 1, stop) >= stop
            )
            checked += 1
        if not fits:
            note(faults, f.VOUCHERS_USED, g, first, used, ZERO)
    return checked


@kernel
def check_bonus(page: Page, fixed: Fixed, paid: Ints) -> int:
    """Each bonus is paid once, on the first order at which its party is there; how many are.

    paid : int64 (accounts,)   bit b: bonus b was paid for this one; written
    """
    lines, groups, facts, faults = page
    checked = 0
    for g in range(groups.start.shape[0]):
        order = groups.order[g]
        if order < 0:
            continue
        stop = groups.stop[g]
        i = next_of(lines, fixed.kind_of_code, EXTRA, groups.start[g], stop)
        fits = True
        for b in range(fixed.bonus_micro.shape[0]):
            to, once = facts.bonus_to[order, b], facts.bonus_once[order, b]
            if to < 0 or (paid[once] >> b) & 1:
                continue
            paid[once] |= ONE << b
            fits = i < stop and is_line(lines, i, fixed.surplus, to, fixed.bonus_micro[b], BONUS)
            if not fits:
                note(faults, f.BONUS_DIFFERS, g, i, fixed.bonus_micro[b], lines.amount[i] if i < stop else ZERO)
                break
            checked += 1
            i = next_of(lines, fixed.kind_of_code, EXTRA, i + 1, stop)
        if fits and i < stop:
            note(faults, f.BONUS_DIFFERS, g, i, ZERO, lines.amount[i])
    return checked


@kernel
def check_points(page: Page, rates: Rates, fixed: Fixed) -> int:
    """Points by rate are what the plan says, for whom it says; how many mints there are."""
    lines, groups, facts, faults = page
    checked = 0
    for g in range(groups.start.shape[0]):
        order = groups.order[g]
        if order < 0:
            continue
        stop = groups.stop[g]
        i = next_of(lines, fixed.kind_of_code, POINTS, groups.start[g], stop)
        c = facts.concession_bp[order] - fixed.concession_bp_min
        fits = True
        for k in range(rates.code.shape[0]):
            amount, to = quotient(facts.paid_fen[order], rates.num[c, k], rates.den[c, k]), facts.earner[order, k]
            if amount == 0 or to < 0:
                continue
            fits = i < stop and is_line(lines, i, fixed.points_issuer, to, amount, MINT)
            if not fits:
                note(faults, f.POINTS_DIFFER, g, i, amount, lines.amount[i] if i < stop else ZERO)
                break
            checked += 1
            i = next_of(lines, fixed.kind_of_code, POINTS, i + 1, stop)
        if fits and i < stop:
            note(faults, f.POINTS_DIFFER, g, i, ZERO, lines.amount[i])
    return checked


# ---------------------------------------------------------------- texts


_MASK: Final = np.int64(2**31 - 1)
_FACTORS: Final = (np.int64(1_000_003), np.int64(16_777_619))


@kernel
def hash_texts(offsets: Numbers, data: NDArray[np.uint8], out: Ints) -> None:
    """62 bits of each text of an Arrow string array, by two multiplicative hashes that never wrap."""
    for i in range(out.shape[0]):
        one, two = np.int64(offsets[i + 1] - offsets[i]), np.int64(17)
        for at in range(offsets[i], offsets[i + 1]):
            byte = np.int64(data[at])
            one = ((one ^ byte) * _FACTORS[0]) & _MASK
            two = ((two ^ byte) * _FACTORS[1]) & _MASK
        out[i] = (one << 31) | two
