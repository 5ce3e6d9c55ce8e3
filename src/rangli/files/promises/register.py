"""The auditor's own register: a number for each account path that occurs, and what the path says of the account."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rangli.files.promises import faults as f
from rangli.files.promises.lines import Book, Numbers
from rangli.ledger.accounts import KIND_NAMES
from rangli.ledger.transfers import CNY, CODE_NAMES, POINT, UNIT_NAMES, UNIT_OF_CODE, VOUCHER

NO_ACCOUNT: Final = -1
"""In place of a unit: no path of ours."""
MAY_OWE: Final = -1
"""In place of a fault: the balance is meant to be negative."""

SURPLUS: Final = "platform:surplus"
FUNDING: Final = "platform:funding"
POOL: Final = "programme:pool"
DIVIDEND: Final = "programme:dividend"
RESERVE: Final = "programme:reserve"
POINTS_ISSUER: Final = "programme:points"
VOUCHER_ISSUER: Final = "programme:vouchers"


class Nature(NamedTuple):
    """What an account is."""

    unit: int
    overdraft: int
    """The fault of a negative balance, or MAY_OWE."""


_INSTITUTIONS: Final = {
    SURPLUS: Nature(CNY, MAY_OWE),
    FUNDING: Nature(CNY, MAY_OWE),
    POOL: Nature(CNY, int(f.POOL_OVERDRAWN)),
    DIVIDEND: Nature(CNY, int(f.DIVIDEND_OVERDRAWN)),
    RESERVE: Nature(CNY, int(f.VOUCHERS_OVERDRAWN)),
    POINTS_ISSUER: Nature(POINT, MAY_OWE),
    VOUCHER_ISSUER: Nature(VOUCHER, MAY_OWE),
}
_POCKETS: Final = {
    "wallet": Nature(CNY, int(f.OVERDRAWN)),
    "points": Nature(POINT, int(f.OVERDRAWN)),
    "vouchers": Nature(VOUCHER, int(f.VOUCHERS_OVERDRAWN)),
    "concession": Nature(CNY, MAY_OWE),
    "income": Nature(CNY, int(f.OVERDRAWN)),
}
_NOTHING: Final = Nature(NO_ACCOUNT, int(f.OVERDRAWN))
_POT: Final = Nature(CNY, int(f.POT_OVERDRAWN))
_FUND: Final = Nature(CNY, int(f.OVERDRAWN))


def nature(path: str) -> Nature:
    """What the path says (docs/rules.md, section 1)."""
    match path.split(":"):
        case [kind, _, pocket] if kind in KIND_NAMES:
            return _POCKETS.get(pocket, _NOTHING)
        case ["programme", "packets", _, _]:
            return _POT
        case ["programme", "fund", _]:
            return _FUND
    return _INSTITUTIONS.get(path, _NOTHING)


class Register:
    """Numbers for paths, in order of first appearance, and the balances of these accounts."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self._number: dict[str, int] = {}
        self._known = 0
        self._book = Book(
            balance=np.zeros(0, np.int64),
            unit=np.zeros(0, np.int8),
            overdraft=np.zeros(0, np.int8),
            is_concession=np.zeros(0, np.bool_),
            touched=np.zeros(0, np.bool_),
            unit_of_code=UNIT_OF_CODE,
            by_code=np.zeros((len(CODE_NAMES), 2), np.int64),
        )

    def __len__(self) -> int:
        return len(self.paths)

    def number(self, path: str) -> int:
        """The number of a path, given now if it is new."""
        known = self._number.get(path)
        if known is None:
            known = self._number[path] = len(self.paths)
            self.paths.append(path)
        return known

    def numbers(self, paths: pa.StringArray) -> Numbers:
        """The numbers of many paths."""
        return np.fromiter(map(self.number, paths.to_numpy(zero_copy_only=False)), np.int32, len(paths))

    def book(self) -> Book:
        """The balances of all accounts so far, which the compiled checks write."""
        new = self.paths[self._known :]
        if new:
            at = slice(self._known, len(self.paths))
            self._known = len(self.paths)
            book = self._book = _with_room(self._book, self._known)
            natures = [nature(path) for path in new]
            book.unit[at] = [one.unit for one in natures]
            book.overdraft[at] = [one.overdraft for one in natures]
            book.is_concession[at] = [path.endswith(":concession") for path in new]
        return self._book

    def balances(self) -> list[tuple[str, str, int]]:
        """Path, unit and balance of every account that a transfer touched, by path."""
        book = self.book()
        return sorted(
            (self.paths[account], UNIT_NAMES[book.unit[account]], int(book.balance[account]))
            for account in np.flatnonzero(book.touched[: self._known]).tolist()
            if book.unit[account] != NO_ACCOUNT
        )

    def sum_of(self, unit: int) -> int:
        """What all accounts of a unit come to."""
        book = self.book()
        return sum(book.balance[book.unit == unit].tolist())


def _with_room(book: Book, size: int) -> Book:
    """The book with at least so many accounts, grown by doubling."""
    if len(book.unit) >= size:
        return book
    return book._replace(
        balance=longer(book.balance, size),
        unit=longer(book.unit, size, NO_ACCOUNT),
        overdraft=longer(book.overdraft, size),
        is_concession=longer(book.is_concession, size),
        touched=longer(book.touched, size),
    )


def longer(array: NDArray[Any], size: int, fill: int = 0) -> NDArray[Any]:
    """The array with at least ``size`` rows, grown by doubling."""
    have = len(array)
    if have >= size:
        return array
    grown = np.full((max(size, 2 * have, 64), *array.shape[1:]), fill, array.dtype)
    grown[:have] = array
    return grown
