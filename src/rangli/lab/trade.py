"""Trade at one shop, order by order: what a claim says of the first order, of a sale or of a release is looked up here.

The engine is the one that settles live orders; ``lab.equal`` runs long streams, this runs short ones and looks at each step.
"""

from __future__ import annotations

import hashlib
from fractions import Fraction
from typing import Final

import numpy as np

from rangli.engine.state import MEMBER_POINTS, POOL_MICRO, SUPPLY, price_pair
from rangli.ledger import transfers as codes
from rangli.ledger.accounts import AGENT, CONSUMER, MERCHANT, POCKET_BITS
from rangli.plan import CompiledPlan
from rangli.plan import terms as parties
from rangli.settle import SETTLED, Chunk, Orders, Programme

FIRST_DAY: Final = 20_454
"""2026-01-01."""
SECRET: Final = hashlib.sha256(b"rangli claims").digest()


class Trade:
    """One shop, every party of the plan being there, and its consumers by number."""

    def __init__(self, compiled: CompiledPlan, paid_fen: int, concession_bp: int) -> None:
        self.programme = Programme(compiled, SECRET)
        self.paid_fen = paid_fen
        self.concession_bp = concession_bp
        self.count = 0
        """Orders so far."""
        self.released_on: list[int] = []
        """Days, from 0, on which a period was released."""
        self._row = np.full((1, parties.ORDER_PARTIES), -1, np.int32)
        self._row[0, parties.MERCHANT] = self.programme.holder(MERCHANT, "merchant")
        for party in (parties.REFERRER, parties.REFERRER2):
            self._row[0, party] = self.programme.holder(CONSUMER, parties.PARTY_NAMES[party])
        for party in range(parties.RECRUITER, parties.ORDER_PARTIES):
            self._row[0, party] = self.programme.holder(AGENT, parties.PARTY_NAMES[party])

    def order(self, consumer: int, day: int = 0, paid_fen: int | None = None, voucher_fen: int = 0) -> dict[str, int]:
        """Settle the next order; answers what its transfers came to by code and, as ``packet:N``, in packets by consumer."""
        row = self._row.copy()
        row[0, parties.CONSUMER] = self.programme.holder(CONSUMER, str(consumer))
        batch = Orders(
            paid_fen=np.array([self.paid_fen if paid_fen is None else paid_fen], np.int64),
            concession_bp=np.array([self.concession_bp], np.int64),
            voucher_fen=np.array([voucher_fen], np.int64),
            day=np.array([FIRST_DAY + day], np.int64),
            key=np.array([self.count], np.int64),
            party=row,
        )
        status = np.zeros(1, np.uint8)
        sums: dict[str, int] = {}
        for chunk in self.programme.run(batch, status):
            if chunk.released is not None:
                self.released_on.append(day)
            else:
                self._add(chunk, sums)
        assert status[0] == SETTLED, "a claim's orders are ones that its plan takes"
        self.count += 1
        return sums

    def _add(self, chunk: Chunk, sums: dict[str, int]) -> None:
        """Count a chunk's transfers."""
        moved = chunk.transfers
        for to, amount, code in zip(moved.destination.tolist(), moved.amount.tolist(), moved.code.tolist(), strict=True):
            names = [codes.CODE_NAMES[code]]
            if code == codes.PACKET:
                names += [f"packet:{self.programme.accounts.holders[to >> POCKET_BITS].name}"]
            for name in names:
                sums[name] = sums.get(name, 0) + amount

    def sell(self, consumer: int) -> int:
        """A consumer sells all points; answers the cash, in micro."""
        sums: dict[str, int] = {}
        self._add(self.programme.sell(str(consumer), self.points_of(consumer)), sums)
        return sums["sale"]

    def points_of(self, consumer: int) -> int:
        """The points of a consumer, in micro."""
        pool, holder = self.programme.state.pool, self.programme.holder(CONSUMER, str(consumer))
        assert pool is not None
        return int(pool.members[holder, MEMBER_POINTS])

    def vouchers_of(self, consumer: int) -> int:
        """The vouchers of a consumer, in micro."""
        return self.programme.vouchers_of(self.programme.holder(CONSUMER, str(consumer)))

    def price(self) -> Fraction:
        """The price of a point."""
        pool = self.programme.state.pool
        assert pool is not None
        return Fraction(*price_pair(pool))

    def pool_and_supply(self) -> tuple[int, int]:
        """What the pool holds, and the points there are, in micro."""
        pool = self.programme.state.pool
        assert pool is not None
        return int(pool.totals[POOL_MICRO]), int(pool.totals[SUPPLY])
