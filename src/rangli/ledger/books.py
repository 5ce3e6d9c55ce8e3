"""Books: balances as a fold of transfers.

``balance[account]`` is int64 micro of the one unit that the account holds. A transfer takes its amount from the
source and gives it to the destination, so each unit's balances always sum to zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from rangli.errors import LedgerError, LimitReached, RangliError
from rangli.ledger.accounts import INSTITUTIONS, POCKET_NAMES, POCKETS, POINT_ISSUER, POINTS, VOUCHER_ISSUER, VOUCHERS, Accounts
from rangli.ledger.transfers import CNY, CODE_NAMES, POINT, UNIT_NAMES, UNIT_OF_CODE, VOUCHER, Transfers
from rangli.money import MICRO_MAX

NO_ACCOUNT: Final = -1
"""The unit of a pocket that nobody has."""
NO_CODE: Final = -2
"""The unit of a code that nothing means; it equals no account's."""

FIXED: Final = len(INSTITUTIONS) * POCKETS
"""How many accounts the fixed institutions take up; after them an account's pocket alone says its unit."""

assert POCKETS == 2**3, "account >> 3 is the holder and account & 7 the pocket"


def _units_by_account() -> NDArray[np.int8]:
    """Units of the fixed institutions' accounts, followed by one per pocket of everyone else."""
    units = np.full(FIXED + POCKETS, NO_ACCOUNT, np.int8)
    units[:FIXED:POCKETS] = CNY
    units[POINT_ISSUER * POCKETS] = POINT
    units[VOUCHER_ISSUER * POCKETS] = VOUCHER
    units[FIXED : FIXED + len(POCKET_NAMES)] = CNY
    units[FIXED + POINTS] = POINT
    units[FIXED + VOUCHERS] = VOUCHER
    return units


_UNIT_BY_ACCOUNT: Final = _units_by_account()
_UNIT_BY_CODE: Final = np.where([name != "" for name in CODE_NAMES], UNIT_OF_CODE, np.int8(NO_CODE)).astype(np.int8)


def unit_of_account(account: int) -> int:
    """The one unit that an account holds: CNY, POINT or VOUCHER; NO_ACCOUNT for a pocket that nobody has."""
    return int(_UNIT_BY_ACCOUNT[account if account < FIXED else FIXED + (account & (POCKETS - 1))])


class Row(NamedTuple):
    """One line of a list of balances."""

    path: str
    unit: str
    amount_micro: int


class Books:
    """The balances of one programme."""

    def __init__(self) -> None:
        self.balance: NDArray[np.int64] = np.zeros(FIXED, np.int64)
        """Micro by account; accounts past its end hold nothing."""
        self._touched: NDArray[np.bool_] = np.zeros(FIXED, np.bool_)

    def balance_micro(self, account: int) -> int:
        """What the account holds."""
        return int(self.balance[account]) if account < len(self.balance) else 0

    def fold(self, transfers: Transfers, count: int | None = None) -> None:
        """The first ``count`` transfers (default all) onto the balances; all of them or, with an exception, none.

        Raises LimitReached when a balance would pass MICRO_MAX, and LedgerError for a transfer that no engine may
        write: an account or code that is not there, a code of another unit than its accounts, an amount that is not positive.
        """
        from rangli.ledger import fold  # noqa: PLC0415  Numba is loaded by the first fold, not by the first import

        rows = transfers if count is None else transfers.first(count)
        if not len(rows.source):
            return
        self._grow(1 + max(int(rows.source.max()), int(rows.destination.max())))
        units = fold.Units(_UNIT_BY_ACCOUNT, _UNIT_BY_CODE, FIXED, POCKETS - 1)
        status, row = fold.fold(self.balance, self._touched, units, rows)
        if status != fold.OK:
            raise _refusal(status, int(row), rows)

    def follow(self, other: Books, transfers: Transfers) -> None:
        """Bring the accounts of these transfers, which ``other`` has folded, to what they hold there."""
        from rangli.ledger import fold  # noqa: PLC0415  as above

        self._grow(len(other.balance))
        fold.follow(other.balance, transfers.source, transfers.destination, self.balance, self._touched)

    def _grow(self, size: int) -> None:
        """Room for ``size`` accounts, at least doubling, so that growth is linear in all."""
        known = len(self.balance)
        if size > known:
            more = max(size - known, known)
            self.balance = np.concatenate([self.balance, np.zeros(more, np.int64)])
            self._touched = np.concatenate([self._touched, np.zeros(more, np.bool_)])

    def touched(self) -> NDArray[np.int64]:
        """The accounts that any transfer has ever touched, ascending."""
        return np.flatnonzero(self._touched)

    def trial_balance(self) -> dict[str, int]:
        """The sum of all balances by unit; anything but zeros is a fault."""
        accounts = self.touched()
        units = _UNIT_BY_ACCOUNT[np.where(accounts < FIXED, accounts, FIXED + (accounts & (POCKETS - 1)))]
        return {name: _exact_sum(self.balance[accounts[units == unit]]) for unit, name in enumerate(UNIT_NAMES)}

    def rows(self, accounts: Accounts) -> Iterator[Row]:
        """Every account that was ever touched, by path."""
        touched = self.touched().tolist()
        for path, account in sorted(zip(accounts.paths(touched), touched, strict=True)):
            yield Row(path, UNIT_NAMES[unit_of_account(account)], int(self.balance[account]))

    def freeze(self) -> bytes:
        """The books as bytes: a mark, the count, the touched accounts (int32) and their balances (int64), little-endian.

        Equal books give equal bytes, whatever batches they were folded in.
        """
        accounts = self.touched()
        balances = self.balance[accounts]
        return _MARK + len(accounts).to_bytes(8, "little") + accounts.astype("<i4").tobytes() + balances.astype("<i8").tobytes()

    @classmethod
    def thaw(cls, frozen: bytes) -> Self:
        """The books that ``freeze`` was called on.

        Raises LedgerError when the bytes are damaged: cut short, out of order, beyond the limits, or not adding up to zero.
        """
        head = len(_MARK) + 8
        count = int.from_bytes(frozen[len(_MARK) : head], "little")
        if not frozen.startswith(_MARK) or len(frozen) != head + count * (4 + 8):
            raise _damaged("长度或标记不对", "the mark or the length is wrong")
        accounts = np.frombuffer(frozen, "<i4", count, head).astype(np.int64)
        balances = np.frombuffer(frozen, "<i8", count, head + count * 4).astype(np.int64)
        if count and (accounts[0] < 0 or (np.diff(accounts) <= 0).any()):
            raise _damaged("账户未按序排列", "the accounts are not in ascending order")
        if ((balances > MICRO_MAX) | (balances < -MICRO_MAX)).any():
            raise _damaged("余额超过上限", "a balance is past the limit")
        books = cls()
        books._grow(int(accounts[-1]) + 1 if count else 0)
        books.balance[accounts] = balances
        books._touched[accounts] = True
        if any(books.trial_balance().values()):
            raise _damaged("各单位余额之和不为零", "the balances of a unit do not sum to zero")
        return books


_MARK: Final = b"RLBOOKS1"


def _exact_sum(balances: NDArray[np.int64]) -> int:
    """The sum as a Python integer. A whole-array sum wraps without a word, so the halves are summed by themselves."""
    high, low = balances >> 32, balances & (2**32 - 1)
    return (int(high.sum()) << 32) + int(low.sum())


def _damaged(zh: str, en: str) -> LedgerError:
    """The refusal of bytes that are not books."""
    return LedgerError(
        f"账簿存档已损坏:{zh};请用未改动的存档,或由流水重新汇总",
        f"the frozen books are damaged: {en}; use an unchanged copy, or fold the transfers again",
    )


def _refusal(status: int, row: int, transfers: Transfers) -> RangliError:
    """The exception for a refused row, which names the row, its facts and what would be right."""
    from rangli.ledger import fold  # noqa: PLC0415

    zh, en = {
        fold.ACCOUNT_UNKNOWN: ("账户号为负", "an account number is negative"),
        fold.CODE_UNKNOWN: ("没有这个代码;代码见 CODES", "there is no such code; CODES lists them"),
        fold.UNIT_MIXED: (
            "代码的单位与账户不同;三者必须同一单位",
            "the code's unit is not that of both accounts; all three must agree",
        ),
        fold.AMOUNT_OUT_OF_RANGE: (f"金额须在 1 至 {MICRO_MAX} 之间", f"the amount must be 1 to {MICRO_MAX}"),
        fold.LIMIT_PASSED: (f"余额将超过 ±{MICRO_MAX}", f"a balance would pass ±{MICRO_MAX}"),
    }[status]
    facts = tuple(int(column[row]) for column in (transfers.source, transfers.destination, transfers.amount, transfers.code))
    texts = (
        f"第 {row} 行转账(源、目的、金额、代码)= {facts} 被拒绝:{zh};本批未记账",
        f"transfer {row} (source, destination, amount, code) = {facts} is refused: {en}; nothing of its batch is booked",
    )
    if status != fold.LIMIT_PASSED:
        return LedgerError(*texts)
    refusal = LimitReached(*texts)
    refusal.row = row
    return refusal
