"""Compiled passes over columns of transfers, for writing and reading them by the million."""

from __future__ import annotations

from rangli.engine.kernel import kernel


@kernel
def add_by_code(code, amount, by_code):
    """Add the number and the sum of each code's transfers to by_code, int64 (codes, 2), written."""
    for i in range(code.shape[0]):
        by_code[code[i], 0] += 1
        by_code[code[i], 1] += amount[i]


@kernel
def number_lines(order, line):
    """Line of each transfer within its order, from 1; ``line`` int32, written."""
    before = -2
    count = 0
    for i in range(order.shape[0]):
        count = count + 1 if order[i] == before else 1
        before = order[i]
        line[i] = count


@kernel
def compact(account, place_of, used, count, out):
    """Number the accounts that occur: out[i] = place of account[i] among those used; the new count.

    place_of : int32 (accounts,)   -1 for those not yet used; written
    used     : int32               the accounts used, in order of first appearance; written from ``count`` on
    """
    for i in range(account.shape[0]):
        place = place_of[account[i]]
        if place < 0:
            place = count
            place_of[account[i]] = place
            used[place] = account[i]
            count += 1
        out[i] = place
    return count
