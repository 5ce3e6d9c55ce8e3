"""Which decisions touched an account, in the order in which they were made.

A decision says of each of its accounts which one touched it before, so those of an account are a chain, which is walked down from
the last of them. There are two ways forward:

    they lie thinly  ─▶ down the chain to its beginning, once, by primary key; the positions are kept, and pages go up along them
    they lie densely ─▶ the journal itself, from where a page begins: enough of them are among the decisions that it looks through

Which it is shows itself on the way down. So nobody looks through two million decisions for the three that touched an account, nor
walks two million steps down one that every order touches, be it the platform's, a fund or an agent's.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from rangli.ledger.accounts import POCKET_BITS
from rangli.money import mul_div
from rangli.store import browse, journal
from rangli.store.database import Connection

STEPS_MAX: Final = 1 << 11
"""Down a chain in one statement."""
WALKS_MAX: Final = 2
"""Such statements that a page makes: one may end a walk that was begun before, one goes down from the newest decision to that."""
WAIT_STEPS: Final = 1 << 18
"""Of a walk that anybody waits for: sixty-four pages; beyond it the journal is looked through, however thinly they lie."""
LOOK_MAX: Final = 1 << 15
"""Decisions of the journal that a page looks through."""
KEPT_MAX: Final = 1 << 21
"""Positions in memory, of all chains of a programme: eight megabytes. The chain that nobody has asked for longest goes first."""
_CHAIN: Final = 1 << 6
"""What a chain takes besides its positions, in positions."""

Positions = NDArray[np.int32]
_NONE: Final[Positions] = np.zeros(0, np.int32)


class Reach(NamedTuple):
    """The next decisions that touched an account."""

    positions: list[int]
    stop: int
    """The last decision that was looked at, if there are fewer of them than were wanted."""
    percent: int = 100
    """Of a walk that has to come to its end first."""
    is_waiting: bool = False
    """Whether they are not known yet; each time that somebody asks, less of the walk is missing."""


class Chain(NamedTuple):
    """What is known of an account's decisions; it is replaced and never changed."""

    known: Positions = _NONE
    """All of them up to the last of these, rising."""
    above: Positions = _NONE
    """Later ones, falling, of a walk that has not come down to the known ones."""
    at: int = 0
    """Where that walk goes on, 0 when there is none."""

    @property
    def top(self) -> int:
        """The last decision of those known, 0 for none."""
        return int(self.known[-1]) if len(self.known) else 0

    def within(self, first: int, upto: int, count: int) -> Positions:
        """The first few of those known, from one position to another."""
        start, stop = np.searchsorted(self.known, [first, upto + 1]).tolist()
        return self.known[start : min(stop, start + count)]

    def holds(self, first: int, upto: int, count: int) -> bool:
        """Whether there is none besides them that could be among the first few."""
        return self.top >= upto or len(self.within(first, upto, count)) == count

    def is_searched(self, count: int) -> bool:
        """Whether a page looks through the journal: it finds so many if all lie like those walked to, or the walk has no end."""
        steps = len(self.above)
        return self.at > 0 and (steps >= WAIT_STEPS or steps * LOOK_MAX >= (int(self.above[0]) - self.at) * count)

    def percent(self) -> int:
        """Of the way down."""
        start = int(self.above[0])
        return mul_div(100, start - self.at, start - self.top)

    def walked(self, found: list[int], at: int) -> Self:
        """After some more steps of the walk, which goes on at a position or is over."""
        above = np.concatenate([self.above, np.array(found, np.int32)])
        if at > self.top:
            return self._replace(above=above, at=at)
        assert at == self.top, "the decisions of an account are one chain"
        return self._replace(known=np.concatenate([self.known, above[::-1]]), above=_NONE, at=0)


class Chains:
    """The chains of one programme that somebody has asked for."""

    def __init__(self, programme: int) -> None:
        self._programme = programme
        self._kept: OrderedDict[int, Chain] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def reach(self, connection: Connection, account: int, last: int, places: tuple[int, int], count: int) -> Reach:
        """The first ``count`` decisions that touched an account, from one position to another.

        last   : the last one that has, as things stand     places : the first position and the last, which is none after that
        """
        first, upto = places
        assert 0 < first <= upto <= last
        chain = self._get(account)
        for _ in range(WALKS_MAX):
            if chain.holds(first, upto, count) or chain.is_searched(count):
                break
            start = chain.at or last
            chain = chain.walked(*journal.chain(connection, self._programme, account, start, chain.top, STEPS_MAX))
            self._keep(account, chain)
        if chain.holds(first, upto, count):
            return Reach(chain.within(first, upto, count).tolist(), upto)
        if not chain.is_searched(count):
            return Reach([], first, chain.percent(), is_waiting=True)
        if first == 1:
            first = min(upto, max(1, browse.holder_since(connection, self._programme, account >> POCKET_BITS)))
        stop = min(upto, first + LOOK_MAX - 1)
        return Reach(browse.touches(connection, self._programme, account, first, stop, count), stop)

    def _get(self, account: int) -> Chain:
        """What is known of an account."""
        with self._lock:
            if account not in self._kept:
                return Chain()
            self._kept.move_to_end(account)
            return self._kept[account]

    def _keep(self, account: int, chain: Chain) -> None:
        """Remember it, and forget others when there is no room for all."""
        with self._lock:
            self._size += _size(chain) - (_size(self._kept[account]) if account in self._kept else 0)
            self._kept[account] = chain
            self._kept.move_to_end(account)
            while self._size > KEPT_MAX and len(self._kept) > 1:
                self._size -= _size(self._kept.popitem(last=False)[1])


def _size(chain: Chain) -> int:
    return len(chain.known) + len(chain.above) + _CHAIN
