"""The fold's kernel: transfers onto balances. Importing this module loads Numba; ``books`` does so at its first fold."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from rangli.ledger.transfers import Transfers
from rangli.money import MICRO_MAX

OK: Final = 0
# Why a row is refused; of several faults the lowest number is named.
ACCOUNT_UNKNOWN: Final = 1
CODE_UNKNOWN: Final = 2
UNIT_MIXED: Final = 3
AMOUNT_OUT_OF_RANGE: Final = 4
LIMIT_PASSED: Final = 5


class Units(NamedTuple):
    """The unit of every account and code, as tables.

    of_account : int8   the accounts of the fixed institutions, then one entry per pocket; -1 where there is no account
    of_code    : int8   by code; -2 where there is no code, so that it equals the unit of no account
    fixed      : int    how many accounts the fixed institutions have
    pocket     : int    bit mask: the pocket of an account number
    """

    of_account: NDArray[np.int8]
    of_code: NDArray[np.int8]
    fixed: int
    pocket: int


@njit(cache=True, nogil=True)
def fold(balance: NDArray[np.int64], touched: NDArray[np.bool_], units: Units, transfers: Transfers) -> tuple[int, int]:
    """All of the transfers onto the balances, or none: (status, row).

    balance   : int64 (n_accounts,)   written; as it was unless the status is OK
    touched   : bool  (n_accounts,)   written; True for every account of a transfer; as it was unless OK
    units     : Units                 read
    transfers : Transfers             read, every row

    The row is the first refused one, or the number of rows. Nothing can wrap: a balance within MICRO_MAX and an
    amount within MICRO_MAX add up to less than 2**62.
    """
    # Columns as locals: in the loop, a field of a NamedTuple would cost more than the work itself.
    _, sources, destinations, amounts, codes = transfers
    of_account, of_code, fixed, pocket = units
    status = OK
    done = 0
    for row in range(sources.size):
        source, destination, amount, code = sources[row], destinations[row], amounts[row], codes[row]
        if source < 0 or source >= balance.size or destination < 0 or destination >= balance.size:
            status = ACCOUNT_UNKNOWN
        elif code < 0 or code >= of_code.size or of_code[code] < 0:
            status = CODE_UNKNOWN
        elif (
            of_account[source if source < fixed else fixed + (source & pocket)] != of_code[code]
            or of_account[destination if destination < fixed else fixed + (destination & pocket)] != of_code[code]
        ):
            status = UNIT_MIXED
        elif amount <= 0 or amount > MICRO_MAX:
            status = AMOUNT_OUT_OF_RANGE
        elif source != destination and (balance[source] < amount - MICRO_MAX or balance[destination] > MICRO_MAX - amount):
            status = LIMIT_PASSED
        if status != OK:
            break
        balance[source] -= amount
        balance[destination] += amount
        done += 1
    if status == OK:
        for row in range(done):
            touched[sources[row]] = True
            touched[destinations[row]] = True
    else:
        for row in range(done):
            balance[sources[row]] += amounts[row]
            balance[destinations[row]] -= amounts[row]
    return status, done


@njit(cache=True, nogil=True)
def follow(
    balance: NDArray[np.int64],
    source: NDArray[np.int32],
    destination: NDArray[np.int32],
    follower: NDArray[np.int64],
    touched: NDArray[np.bool_],
) -> None:
    """Copy the balances of these accounts.

    balance : int64 (n_accounts,)   read     follower, touched : as long at least; written
    """
    for row in range(source.size):
        one, other = source[row], destination[row]
        follower[one] = balance[one]
        follower[other] = balance[other]
        touched[one] = touched[other] = True
