"""Terms: a checked plan as flat int64 numbers, which is all that the engine ever sees of it.

Every share is one linear form of the order's concession rate c (in bp), so one line of arithmetic pays them all::

    amount_micro = paid_fen * (constant + slope * clamp(c, low, high)) // den

* a share of the amount:      constant = rate_bp, slope = 0,       den = 1
* a share of the concession:  constant = 0,       slope = rate_bp, den = 10,000, reduced
* a rate sliding from (c0, r0) to (c1, r1): constant = r0*(c1-c0) - c0*(r1-r0), slope = r1-r0, low = c0, high = c1,
  den = c1-c0, reduced

The remainder of a division is the platform's, because the platform takes what is left of the concession.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

# Parties of an order: a column of Orders.party holds the holder's number, or -1 for "none".
CONSUMER: Final = 0
MERCHANT: Final = 1
REFERRER: Final = 2
REFERRER2: Final = 3
RECRUITER: Final = 4
AGENT_DISTRICT: Final = 5
AGENT_CITY: Final = 6
AGENT_PROVINCE: Final = 7
AGENT_REGION: Final = 8
ORDER_PARTIES: Final = 9
# Parties that are there for every order.
PACKETS: Final = 9
POOL: Final = 10
DIVIDEND: Final = 11
PLATFORM: Final = 12
FIRST_FUND: Final = 13

PARTY_NAMES: Final = (
    "consumer",
    "merchant",
    "referrer",
    "referrer2",
    "recruiter",
    "agent.district",
    "agent.city",
    "agent.province",
    "agent.region",
    "packets",
    "pool",
    "dividend",
    "platform",
)

SHARES_MAX: Final = 24
TIERS_MAX: Final = 16
PER_ORDER_MAX: Final = 100


# Columns of a line: Terms.shares and Terms.points.
PARTY, OTHERWISE, CODE, CONSTANT, SLOPE, LOW, HIGH, DEN, LESS, AS_VOUCHERS = range(10)
LINE_COLUMNS: Final = 10
"""OTHERWISE: who takes it when PARTY is not there: PLATFORM, MERCHANT, PACKETS, POOL, DIVIDEND or a fund. CODE: of the transfer.
CONSTANT, SLOPE, LOW, HIGH, DEN: the linear form above. LESS: bit i set: what share i paid to a party that was there is
subtracted (differential, 级差). AS_VOUCHERS: 1: the holder gets vouchers, the cash goes into the reserve. Points use PARTY
and the form."""

# Columns of Terms.bonus.
BONUS_PARTY, BONUS_MICRO, BONUS_ONCE_PER = range(3)
"""ONCE_PER: MERCHANT or CONSUMER, whose first order pays it."""


class PacketTerms(NamedTuple):
    """The queues of red packets; ``per_order`` 0 means that the plan has none."""

    per_order: int
    exit_packets: int
    """A lot closes at this many packets; 2**31 for never."""
    exit_received_bp: int
    """A lot closes when it received this share of what it paid."""
    skip_own: int
    """1: the payer's own earlier orders are passed over."""
    tiers_fen: Ints
    """(rows, tiers - 1) upper bounds, inclusive, ascending, row 0 the plan's own, padded with 2**62."""


class PoolTerms(NamedTuple):
    """The priced pool; ``mint_bp`` 0 means that the plan has none."""

    mint_bp: int
    """Share of what enters the pool that is minted as points."""
    pays_bp: int
    """Share of a sale's value that the seller gets."""
    price_num: int
    price_den: int
    """Opening price."""
    exit_bp: int
    """Forced exit when points' value and what was paid out reach this share of the basis; 0 for never."""
    by_order: int
    """1: each order is its own member (exit.scope: order)."""
    basis_mint: int
    """1: the basis is the mint value; 0: what was spent."""


class ReleaseTerms(NamedTuple):
    """The release of points by period; ``rate_den`` 0 means that the plan has none."""

    rate_num: int
    rate_den: int
    by_balance: int
    """1: of the balance that is left; 0: of the points, times the growth of the inflow since they joined."""
    growth_bp: int
    """A period closes when its inflow reaches this share of the last one's (115 % = 11,500); 0 for never."""
    days: int
    """... or at the end of this day of the period."""
    periods: int
    extended: int
    """A lot ends after ``extended`` periods (``periods`` is the promise); 0 for never."""
    multiple_bp: int
    """... or when it has released this multiple of its points."""
    pays_cash: int
    """1: into the wallet; 0: as vouchers."""


class Terms(NamedTuple):
    """All of a plan that money depends on."""

    concession_bp_min: int
    concession_bp_max: int
    shares: Ints
    """(n, 10) the shares in plan order."""
    points: Ints
    """(n, 10) points that an order of a release plan earns."""
    packets: PacketTerms
    pool: PoolTerms
    release: ReleaseTerms
    bonus: Ints
    """(n, 3) one-off bonuses, paid by the platform on the first order of a merchant or consumer."""
    offset_bp: int
    """The share of an order that vouchers may pay; 0 for none."""
    refund_merchant_bears: int
    """1: the merchant bears packets already handed out when an order is refunded; 0: the platform."""
