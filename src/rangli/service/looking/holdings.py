"""Accounts as they stand, in the order in which their holders came, of their balances, or of the last decisions on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from rangli.ledger import unit_of_account
from rangli.ledger.accounts import INSTITUTION, KIND_NAMES, POCKET_BITS, POCKET_NAMES, POCKETS, Accounts, Holder
from rangli.ledger.transfers import UNIT_NAMES
from rangli.money import mul_div, print_micro
from rangli.service.looking import ranked
from rangli.service.looking.browsing import LARGEST, NEWEST, OLDEST, SMALLEST, Looked, place_of
from rangli.service.looking.ranked import Rank
from rangli.service.settling.settler import Published

HOLDERS_MAX: Final = 50_000
"""Holders, or accounts in another order than theirs, that a page looks at."""
PIECE: Final = 1 << 16
"""Accounts that are looked at in one go."""
HOLDER_KINDS: Final = (*KIND_NAMES, "institution")
LATEST: Final = "latest"
EARLIEST: Final = "earliest"
SORTS: Final = (OLDEST, NEWEST, LARGEST, SMALLEST, LATEST, EARLIEST)
"""By the numbers of holders, both ways; by balances; by last decisions."""


class AccountsWanted(NamedTuple):
    """Which accounts, of those that were ever touched; whatever is empty narrows nothing."""

    kind: str = ""
    """One of HOLDER_KINDS."""
    name: str = ""
    """How the holder's name begins, or an institution's path."""
    pocket: str = ""
    """One of POCKET_NAMES; institutions have none, and are among them all the same."""
    sort: str = OLDEST
    """One of SORTS."""


class AccountLine(msgspec.Struct, frozen=True):
    """An account in a list."""

    account: str
    kind: str
    unit: str
    balance: str
    last_position: int
    """The last decision that touched it."""


class Holdings:
    """The accounts of one programme.

    In the order of holders a page goes on at a number, which is for ever. Balances and last decisions move while somebody pages:
    their cursor is a value and an account, and the next page begins after that place as things stand then. An account that has
    stayed where it was is on exactly one page. One that has moved past the cursor meanwhile may be on two pages, or on none;
    what a page shows of it was true after the one decision that all of the page is read at.
    """

    def __init__(self, published: Published) -> None:
        self._published = published
        self._kinds: NDArray[np.int8] = np.zeros(0, np.int8)
        """Of holders, by their numbers, as far as anybody has asked."""

    def page(self, accounts: Accounts, wanted: AccountsWanted, cursor: str, limit: int) -> Looked:
        """A page of accounts. Raises FieldRefused."""
        assert wanted.sort in SORTS
        look = self._by_holder if wanted.sort in (OLDEST, NEWEST) else self._by_value
        return look(accounts, wanted, cursor, limit)

    def _by_holder(self, accounts: Accounts, wanted: AccountsWanted, cursor: str, limit: int) -> Looked:
        """By the numbers of their holders, which are given in the order of first appearance."""
        holders = accounts.holders
        with self._published.lock:
            last, count = self._published.last, self._published.holders
        is_rising = wanted.sort == OLDEST
        start = place_of(cursor, count) if cursor else 0 if is_rising else count - 1
        walk = range(start, count) if is_rising else range(start, -1, -1)
        pockets = (POCKET_NAMES.index(wanted.pocket),) if wanted.pocket else tuple(range(len(POCKET_NAMES)))
        found: list[int] = []
        for number in walk[:HOLDERS_MAX]:
            holder = holders[number]
            if not _is_wanted(holder, wanted):
                continue
            mine = (number * POCKETS + one for one in (pockets if holder.kind != INSTITUTION else (0,)))
            found += [account for account in mine if account < len(last) and last[account]]
            if len(found) >= limit:
                following = number + (1 if is_rising else -1)
                return Looked(self._standing(accounts, found), str(following) if 0 <= following < count else "")
        lines = self._standing(accounts, found)
        if len(walk) <= HOLDERS_MAX:
            return Looked(lines)
        following = walk[HOLDERS_MAX]
        return Looked(lines, str(following), percent=mul_div(100, following if is_rising else count - 1 - following, count))

    def _standing(self, accounts: Accounts, found: Sequence[int]) -> list[AccountLine]:
        """These accounts with what they hold, all after the same decision."""
        seen = self._published
        with seen.lock:
            held = [(account, seen.books.balance_micro(account), int(seen.last[account])) for account in found]
        return [_line(accounts, *one) for one in held]

    def _by_value(self, accounts: Accounts, wanted: AccountsWanted, cursor: str, limit: int) -> Looked:
        """By their balances as numbers, whatever their units are, or by the last decisions on them; then by their own numbers."""
        after, is_falling = ranked.rank_of(cursor), wanted.sort in (LARGEST, LATEST)
        most = HOLDERS_MAX if wanted.name else limit
        seen = self._published
        with seen.lock:
            some = ranked.ranked(self._pieces(accounts.holders, wanted), most + 1, after, is_falling=is_falling)
            numbers = [rank.number for rank in some]
            held = list(zip(numbers, seen.books.balance[numbers].tolist(), seen.last[numbers].tolist(), strict=True))
        found: list[AccountLine] = []
        looked = 0
        while looked < min(len(some), most) and len(found) < limit:
            account, balance_micro, last = held[looked]
            if accounts.holders[account >> POCKET_BITS].name.startswith(wanted.name):
                found.append(_line(accounts, account, balance_micro, last))
            looked += 1
        if looked == len(some):
            return Looked(found)
        following = some[looked - 1]
        percent = 100 if len(found) == limit else self._percent(accounts.holders, wanted, following, is_falling=is_falling)
        return Looked(found, following.cursor(), percent=percent)

    def _percent(self, holders: Sequence[Holder], wanted: AccountsWanted, place: Rank, *, is_falling: bool) -> int:
        """How much of the accounts stands before a place, or on it."""
        with self._published.lock:
            counts = [
                (len(piece[0]), ranked.beyond(piece, place, is_falling=is_falling)) for piece in self._pieces(holders, wanted)
            ]
        total = sum(count for count, _ in counts)
        return mul_div(100, total - sum(left for _, left in counts), total)

    def _pieces(self, holders: Sequence[Holder], wanted: AccountsWanted) -> Iterator[ranked.Piece]:
        """The accounts of this kind and pocket with the values that they are sorted by; asked for while one holds the lock."""
        seen = self._published
        kinds = self._kinds_of(holders, seen.holders if wanted.kind or wanted.pocket else 0)
        values = seen.books.balance if wanted.sort in (LARGEST, SMALLEST) else seen.last
        for first in range(0, len(seen.last), PIECE):
            numbers = np.flatnonzero(seen.last[first : first + PIECE]) + first
            if wanted.kind:
                numbers = numbers[kinds[numbers >> POCKET_BITS] == HOLDER_KINDS.index(wanted.kind)]
            if wanted.pocket:
                is_institution = kinds[numbers >> POCKET_BITS] == INSTITUTION
                numbers = numbers[is_institution | ((numbers & (POCKETS - 1)) == POCKET_NAMES.index(wanted.pocket))]
            yield values[numbers].astype(np.int64, copy=False), numbers

    def _kinds_of(self, holders: Sequence[Holder], count: int) -> NDArray[np.int8]:
        """The kinds of the first holders. Published ones never change, so only new ones are asked."""
        known = self._kinds
        if len(known) < count:
            more = np.fromiter((holder.kind for holder in holders[len(known) : count]), np.int8)
            known = self._kinds = np.concatenate([known, more])
        return known[:count]


def _is_wanted(holder: Holder, wanted: AccountsWanted) -> bool:
    """Whether a holder is of this kind and name."""
    return (not wanted.kind or HOLDER_KINDS[holder.kind] == wanted.kind) and holder.name.startswith(wanted.name)


def _line(accounts: Accounts, account: int, balance_micro: int, last: int) -> AccountLine:
    """An account, for people."""
    kind = HOLDER_KINDS[accounts.holders[account >> POCKET_BITS].kind]
    return AccountLine(accounts.path(account), kind, UNIT_NAMES[unit_of_account(account)], print_micro(balance_micro), last)
