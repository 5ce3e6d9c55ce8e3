"""What kernels write down: the accounts of institutions, the codes of transfers, and the one function that writes a line.

The constants are int64 and not Python integers, since Numba compiles a caller anew for each literal it is given.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from rangli.engine.arith import place
from rangli.engine.kernel import kernel
from rangli.ledger import accounts, transfers

SURPLUS: Final = np.int64(accounts.SURPLUS * accounts.POCKETS)
FUNDING: Final = np.int64(accounts.FUNDING * accounts.POCKETS)
POOL: Final = np.int64(accounts.POOL * accounts.POCKETS)
DIVIDEND: Final = np.int64(accounts.DIVIDEND * accounts.POCKETS)
RESERVE: Final = np.int64(accounts.RESERVE * accounts.POCKETS)
POINT_ISSUER: Final = np.int64(accounts.POINT_ISSUER * accounts.POCKETS)
VOUCHER_ISSUER: Final = np.int64(accounts.VOUCHER_ISSUER * accounts.POCKETS)

PLATFORM_CODE: Final = np.int64(transfers.PLATFORM)
POT_CODE: Final = np.int64(transfers.POT)
POOL_CODE: Final = np.int64(transfers.POOL)
DIVIDEND_CODE: Final = np.int64(transfers.DIVIDEND)
MERCHANT_CODE: Final = np.int64(transfers.MERCHANT)
FUND_CODE: Final = np.int64(transfers.FUND)
BACKING_CODE: Final = np.int64(transfers.BACKING)
PACKET_CODE: Final = np.int64(transfers.PACKET)
BONUS_CODE: Final = np.int64(transfers.BONUS)
MINT_CODE: Final = np.int64(transfers.MINT)
BURN_CODE: Final = np.int64(transfers.BURN)
SALE_CODE: Final = np.int64(transfers.SALE)
EXIT_CODE: Final = np.int64(transfers.EXIT)
INJECTION_CODE: Final = np.int64(transfers.INJECTION)
RELEASE_CODE: Final = np.int64(transfers.RELEASE)
VOUCHER_CODE: Final = np.int64(transfers.VOUCHER_OUT)
VOUCHER_SPENT_CODE: Final = np.int64(transfers.VOUCHER_SPENT)
VOUCHER_PAID_CODE: Final = np.int64(transfers.VOUCHER_PAID)
ZEROED_CODE: Final = np.int64(transfers.ZEROED)
TAKEBACK_CODE: Final = np.int64(transfers.TAKEBACK)

CLOSING: Final = np.int64(-1)
"""In place of an order's index: the line belongs to a period's closing."""


@kernel
def put(transfers, n, order, source, destination, amount, code):
    """Write transfer n unless the amount is 0; the next n."""
    if amount == 0:
        return n
    n = place(n)
    transfers.order[n] = order
    transfers.source[n] = source
    transfers.destination[n] = destination
    transfers.amount[n] = amount
    transfers.code[n] = code
    return n + 1
