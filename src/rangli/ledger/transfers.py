"""Transfers: (source, destination, amount, code). Balanced by construction; the code says why and fixes the unit."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

CNY: Final = 0
POINT: Final = 1
VOUCHER: Final = 2
UNIT_NAMES: Final = ("CNY", "POINT", "VOUCHER")

# Shares of the concession, one code per party.
PLATFORM: Final = 0
POT: Final = 1
POOL: Final = 2
DIVIDEND: Final = 3
REFERRER: Final = 4
REFERRER2: Final = 5
RECRUITER: Final = 6
AGENT_DISTRICT: Final = 7
AGENT_CITY: Final = 8
AGENT_PROVINCE: Final = 9
AGENT_REGION: Final = 10
MERCHANT: Final = 11
CONSUMER: Final = 12
FUND: Final = 13
BACKING: Final = 14
# What follows from an order, a sale, an injection or a closing.
PACKET: Final = 15
BONUS: Final = 16
MINT: Final = 17
BURN: Final = 18
SALE: Final = 19
EXIT: Final = 20
INJECTION: Final = 21
RELEASE: Final = 22
VOUCHER_OUT: Final = 23
VOUCHER_SPENT: Final = 24
VOUCHER_PAID: Final = 25
ZEROED: Final = 26
TAKEBACK: Final = 27
REFUND: Final = 32
"""Added to a code: the reversal of such a transfer."""

CODES: Final = (
    ("platform", CNY, "平台盈余", "what no share names is the platform's"),
    ("pot", CNY, "红包池", "the packet share enters its queue's pot"),
    ("pool", CNY, "盈利池", "the pool share enters the pool"),
    ("dividend", CNY, "分红池", "the dividend share enters the dividend pot"),
    ("referrer", CNY, "直推", "whoever bound this consumer"),
    ("referrer2", CNY, "间推", "the referrer's referrer"),
    ("recruiter", CNY, "招商", "who brought the merchant"),
    ("agent.district", CNY, "区代", "agent of the district"),
    ("agent.city", CNY, "市代", "agent of the city"),
    ("agent.province", CNY, "省代", "agent of the province"),
    ("agent.region", CNY, "大区代", "agent of the great region"),
    ("merchant", CNY, "商家", "a share that goes back to the merchant"),
    ("consumer", CNY, "消费者", "a share that goes to the consumer at once"),
    ("fund", CNY, "专项基金", "a named fund of the plan"),
    ("backing", CNY, "券储备", "cash set aside behind vouchers"),
    ("packet", CNY, "红包", "one red packet, from the pot to an earlier order's consumer"),
    ("bonus", CNY, "一次性奖励", "a one-off bonus out of the platform's surplus"),
    ("mint", POINT, "铸积分", "points minted"),
    ("burn", POINT, "销积分", "points burned when sold, forced out or used up"),
    ("sale", CNY, "卖出积分", "cash for points sold"),
    ("exit", CNY, "封顶退出", "cash for points sold by a forced exit"),
    ("injection", CNY, "注资", "funds injected into the pool without minting"),
    ("release", CNY, "释放", "cash released from the dividend pot"),
    ("voucher", VOUCHER, "发券", "vouchers issued, backed one to one"),
    ("voucher_spent", VOUCHER, "用券", "vouchers used up by an order"),
    ("voucher_paid", CNY, "券款", "the merchant is paid for vouchers out of the reserve"),
    ("zeroed", POINT, "清零", "points that ran out of periods"),
    ("takeback", CNY, "追回红包", "packets that a refunded order had received"),
)
"""Per code: name, unit, Chinese, English."""


def code_name(code: int) -> str:
    """The code's name; a reversal is ``refund.<name>``."""
    assert code >= 0
    return f"refund.{CODES[code - REFUND][0]}" if code >= REFUND else CODES[code][0]


CODE_NAMES: Final = tuple(code_name(c) if c % REFUND < len(CODES) else "" for c in range(2 * REFUND))
UNIT_OF_CODE: Final = np.array([CODES[c % REFUND][1] if c % REFUND < len(CODES) else CNY for c in range(2 * REFUND)], np.int8)


class Transfers(NamedTuple):
    """Columns of transfers; the engine writes them, everyone else reads them.

    order       : int32 (n,)   index of the order in its batch; -1 for a period closing
    source      : int32 (n,)   account number
    destination : int32 (n,)   account number
    amount      : int64 (n,)   micro of the unit, > 0
    code        : int8  (n,)   one of the codes above, which fixes the unit
    """

    order: NDArray[np.int32]
    source: NDArray[np.int32]
    destination: NDArray[np.int32]
    amount: NDArray[np.int64]
    code: NDArray[np.int8]

    @classmethod
    def empty(cls, size: int) -> Transfers:
        """Room for ``size`` transfers."""
        return cls(
            np.empty(size, np.int32),
            np.empty(size, np.int32),
            np.empty(size, np.int32),
            np.empty(size, np.int64),
            np.empty(size, np.int8),
        )

    def first(self, count: int) -> Transfers:
        """The first ``count`` rows, as views."""
        return self.part(0, count)

    def part(self, start: int, stop: int) -> Transfers:
        """The rows from ``start`` to before ``stop``, as views."""
        some = slice(start, stop)
        return Transfers(self.order[some], self.source[some], self.destination[some], self.amount[some], self.code[some])


def concatenated(parts: list[Transfers]) -> Transfers:
    """A copy of these transfers one after another."""
    return Transfers(
        np.concatenate([part.order for part in parts]),
        np.concatenate([part.source for part in parts]),
        np.concatenate([part.destination for part in parts]),
        np.concatenate([part.amount for part in parts]),
        np.concatenate([part.code for part in parts]),
    )
