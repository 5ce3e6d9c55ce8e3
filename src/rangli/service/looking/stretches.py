"""Stretches: what has been read of a journal for looking through it, kept in memory, piece by piece of one length.

A question loads the few pieces that it may wait for; the rest follow in a thread of their own, newest first, so the same question
is soon answered without reading anything. Decisions never change, so what is kept is right for ever; only the last piece grows.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Final, Generic, TypeVar

import psycopg

from rangli.errors import RangliError
from rangli.store.database import Connection, Database

T = TypeVar("T")

SIZE_BITS: Final = 14
"""Of how many decisions a stretch is: some twenty milliseconds to read."""
KEPT_MAX: Final = 1 << 10
"""Stretches in memory: sixteen million decisions. Older ones are read each time they are asked for."""

log = logging.getLogger("rangli.stretches")


class Stretches(Generic[T]):
    """One programme's journal as values of one kind, a value for each stretch."""

    def __init__(
        self,
        database: Database,
        load: Callable[[Connection, int, int], T],
        joined: Callable[[T, T], T],
        size_bits: int = SIZE_BITS,
    ) -> None:
        """``load`` makes the value of the decisions after one position up to another, ``joined`` that of two neighbours."""
        self._size_bits = size_bits
        self._database = database
        self._load = load
        self._joined = joined
        self._kept: dict[int, tuple[int, T]] = {}
        """By stretch: the last position that its value covers, and the value. Pairs are replaced, never changed."""
        self._filling: threading.Thread | None = None
        self._starting = threading.Lock()
        self._closing = threading.Event()

    def number_of(self, position: int) -> int:
        """Which stretch a position is in."""
        return (position - 1) >> self._size_bits

    def first_of(self, number: int) -> int:
        """The first position of a stretch."""
        return (number << self._size_bits) + 1

    def kept(self, number: int, upto: int) -> T | None:
        """The value of a stretch as far as ``upto``, if it is in memory."""
        covered, value = self._kept.get(number, (0, None))
        return value if covered >= min(self.first_of(number + 1) - 1, upto) else None

    def has_begun(self, number: int) -> bool:
        """Whether any of a stretch is in memory."""
        return number in self._kept

    def get(self, number: int, upto: int) -> T:
        """The same, read as far as it is missing."""
        first, last = self.first_of(number), min(self.first_of(number + 1) - 1, upto)
        there = self._kept.get(number)
        if there is not None and there[0] >= last:
            return there[1]
        with self._database.reading() as connection:
            value = self._load(connection, first - 1 if there is None else there[0], last)
        if there is not None:
            value = self._joined(there[1], value)
        if number in self._kept or len(self._kept) < KEPT_MAX:
            self._kept[number] = last, value
        return value

    def covered(self, upto: int) -> int:
        """How many of the decisions up to a position are in memory."""
        there = [(self.first_of(number), last) for number, (last, _) in list(self._kept.items())]
        return sum(min(last, upto) + 1 - first for first, last in there if first <= upto)

    @property
    def room(self) -> int:
        """How many more stretches memory has room for."""
        return KEPT_MAX - len(self._kept)

    def fill(self, upto: int, numbers: Iterable[int] = ()) -> None:
        """Begin to read these stretches as far as a position, or all of them newest first, if nothing is being read."""
        numbers = numbers or range(self.number_of(upto), -1, -1)
        with self._starting:
            if not self._closing.is_set() and (self._filling is None or not self._filling.is_alive()):
                self._filling = threading.Thread(target=self._fill, args=(upto, numbers), name="rangli stretches", daemon=True)
                self._filling.start()

    def wait_filled(self, seconds: float) -> bool:
        """Whether nothing is being read any more, after at most so many seconds."""
        filling = self._filling
        if filling is not None:
            filling.join(seconds)
        return filling is None or not filling.is_alive()

    def close(self) -> None:
        """Stop reading."""
        with self._starting:
            self._closing.set()
        if self._filling is not None:
            self._filling.join()

    def _fill(self, upto: int, numbers: Iterable[int]) -> None:
        """A database that is away now is asked again by the next question."""
        try:
            for number in numbers:
                if self._closing.is_set() or len(self._kept) >= KEPT_MAX:
                    return
                self.get(number, upto)
        except (psycopg.Error, RangliError) as fault:
            log.warning("reading ahead ended: %s", fault)
