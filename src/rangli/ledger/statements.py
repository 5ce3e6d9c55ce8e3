"""Statements: what happened on one account, entry by entry, up to any point in time.

Time is a **position**: the place of a transfer in the stream of all transfers, counted from 0. "At position p" means after
the p transfers before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from rangli.ledger.accounts import Accounts
from rangli.ledger.books import unit_of_account
from rangli.ledger.transfers import CODES, REFUND, UNIT_NAMES, Transfers, code_name


class Entry(NamedTuple):
    """One line of a statement."""

    position: int
    batch: int
    order: int
    """Index of the order in its batch; -1 for a period closing."""
    counterparty: str
    """Path of the other account."""
    amount_micro: int
    """Positive when it came in, negative when it went out."""
    balance_micro: int
    """What the account held after it."""
    code: str
    zh: str
    en: str


class Statement(NamedTuple):
    """The entries of one account between two positions, with what it held before and after them."""

    path: str
    unit: str
    opening_micro: int
    entries: list[Entry]
    closing_micro: int


def statement(
    batches: Iterable[Transfers], account: int, accounts: Accounts, *, since: int = 0, until: int | None = None
) -> Statement:
    """The account's entries at positions ``since`` to before ``until`` (default: to the end).

    batches : the transfers from the very first; those from ``until`` on are not asked for
    """
    assert since >= 0
    assert until is None or since <= until
    opening_micro = balance_micro = 0
    entries: list[Entry] = []
    for move in _moves(batches, account, until):
        balance_micro += move.amount_micro
        if move.position < since:
            opening_micro = balance_micro
            continue
        counterparty, code, words = accounts.path(move.counterparty), code_name(move.code), code_words(move.code)
        entries.append(Entry(move.position, move.batch, move.order, counterparty, move.amount_micro, balance_micro, code, *words))
    return Statement(accounts.path(account), UNIT_NAMES[unit_of_account(account)], opening_micro, entries, balance_micro)


class _Move(NamedTuple):
    position: int
    batch: int
    order: int
    counterparty: int
    amount_micro: int
    code: int


def _moves(batches: Iterable[Transfers], account: int, until: int | None) -> Iterator[_Move]:
    """Each time that a transfer takes from the account or gives to it; both, when it is a transfer to itself."""
    start = 0
    for batch_index, whole in enumerate(batches):
        batch = whole if until is None else whole.first(until - start)
        for row in np.flatnonzero((batch.source == account) | (batch.destination == account)).tolist():
            order, source, destination, amount, code = (int(column[row]) for column in batch)
            if source == account:
                yield _Move(start + row, batch_index, order, destination, -amount, code)
            if destination == account:
                yield _Move(start + row, batch_index, order, source, amount, code)
        start += len(batch.source)
        if start == until:
            return


def code_words(code: int) -> tuple[str, str]:
    """What a code means, in Chinese and English.

    >>> code_words(15)
    ('红包', "one red packet, from the pot to an earlier order's consumer")
    """
    _, _, zh, en = CODES[code & (REFUND - 1)]
    return (f"退款冲回:{zh}", f"reversed by a refund: {en}") if code >= REFUND else (zh, en)
