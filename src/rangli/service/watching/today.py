"""Today: what a programme's decisions of this day in Beijing come to. Sums that follow the journal, reading only what is new.

A question reads at most ``DECISIONS_MAX`` decisions, so it takes as long on a day of ten orders as on one of two million; who
asks for the first time on such a day is told how far the figures have come (``Day.behind``), and the next questions go on.
Nothing is kept: after a restart the day's first decision is searched for, and the day is counted again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Final

import msgspec

from rangli.money import mul_div
from rangli.service.clock import Clock
from rangli.service.looking.reading import BEIJING_MICRO, MICRO_PER_DAY
from rangli.service.settling.facts import day_text
from rangli.store import rows, today
from rangli.store.database import Connection, Database

if TYPE_CHECKING:
    from rangli.service.running import Running

DECISIONS_MAX: Final = 4_000
"""That one question reads, of all programmes together."""
LEGS_MAX: Final = 100_000
"""... and their transfers, of each programme."""
HOURS: Final = 24


class Hour(msgspec.Struct, frozen=True):
    """What one hour came to."""

    orders: int = 0
    turnover_fen: int = 0


class Day(msgspec.Struct, frozen=True):
    """The figures of one day."""

    on: str
    """The date in Beijing."""
    orders: int
    """Orders settled."""
    turnover_fen: int
    """What was paid for them."""
    concession_micro: int
    """What merchants gave up of it."""
    given_micro: int
    """Given back to consumers in cash, less what refunds reversed; no commissions for bringing others."""
    vouchers_micro: int
    """The same, in vouchers."""
    surplus_micro: int
    """Kept by the platform, less its bonuses and what refunds reversed."""
    refunds: int
    refunded_fen: int
    hours: tuple[Hour, ...]
    """Of all 24, from midnight on."""
    position: int
    """The last decision that is counted."""
    behind: int
    """Decisions that are not counted yet."""


@dataclass
class _Counted:
    """How far the day of one programme has been counted."""

    day: int
    position: int
    head: int = 0
    sums: dict[tuple[int, int], today.Summed] = field(default_factory=dict)
    """By hour and kind."""

    def add(self, new: today.Summed) -> None:
        """More decisions of an hour and kind."""
        self.position = max(self.position, new.last)
        if new.hour is not None:
            known = self.sums.get((new.hour, new.kind))
            self.sums[new.hour, new.kind] = new if known is None else known.plus(new)


class Today:
    """The figures of today of every programme. All methods may be called from any thread."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._lock = Lock()
        self._counted: dict[int, _Counted] = {}

    def of(self, running: Running) -> Day:
        """One programme's day."""
        return self.of_all([running])[running.name]

    def of_all(self, running: Sequence[Running]) -> dict[str, Day]:
        """The days of these programmes by name; a constant number of statements, and none when nothing is new."""
        day = mul_div(self._clock() + BEIJING_MICRO, 1, MICRO_PER_DAY)
        with self._lock:
            behind = [one for one in running if not self._is_up(one, day)]
            if behind:
                with self._database.reading() as connection:
                    self._count(connection, [one.number for one in behind], day)
            return {one.name: _day(self._counted[one.number]) for one in running}

    def _is_up(self, running: Running, day: int) -> bool:
        """Whether everything that was decided here is counted already."""
        counted = self._counted.get(running.number)
        return counted is not None and counted.day == day and counted.head == counted.position == running.position() > 0

    def _count(self, connection: Connection, numbers: Sequence[int], day: int) -> None:
        """Go on from where each was left."""
        heads = today.heads(connection, numbers)
        begin = day * MICRO_PER_DAY - BEIJING_MICRO
        fresh = {number: head for number, head in heads.items() if not self._goes_on(number, head, day)}
        if fresh:
            starts = today.last_before(connection, fresh, begin)
            self._counted |= {number: _Counted(day, starts[number]) for number in fresh}
        for number, head in heads.items():
            self._counted[number].head = head
        behind = [number for number in numbers if self._counted[number].position < heads[number]]
        most = max(1, mul_div(DECISIONS_MAX, 1, max(1, len(behind))))
        asked = [today.Asked(number, self._counted[number].position, most) for number in behind]
        if asked:
            for found in today.sums(connection, asked, begin, begin + MICRO_PER_DAY, LEGS_MAX):
                counted = self._counted[found.programme]
                counted.add(found)
                counted.head = max(counted.head, counted.position)

    def _goes_on(self, number: int, head: int, day: int) -> bool:
        """Whether what has been counted is the beginning of this day of this journal."""
        counted = self._counted.get(number)
        return counted is not None and counted.day == day and counted.position <= head


def _day(counted: _Counted) -> Day:
    """The sums as they are shown."""
    orders = [found for (_, kind), found in counted.sums.items() if kind == rows.ORDER]
    refunds = [found for (_, kind), found in counted.sums.items() if kind == rows.REFUND]
    by_hour = {hour: Hour(found.decisions, found.fen) for (hour, kind), found in counted.sums.items() if kind == rows.ORDER}
    return Day(
        on=day_text(counted.day),
        orders=sum(found.decisions for found in orders),
        turnover_fen=sum(found.fen for found in orders),
        concession_micro=sum(found.concession_micro for found in orders),
        given_micro=sum(found.given_micro for found in counted.sums.values()),
        vouchers_micro=sum(found.vouchers_micro for found in counted.sums.values()),
        surplus_micro=sum(found.surplus_micro for found in counted.sums.values()),
        refunds=sum(found.decisions for found in refunds),
        refunded_fen=sum(found.fen for found in refunds),
        hours=tuple(by_hour.get(hour, Hour()) for hour in range(HOURS)),
        position=counted.position,
        behind=counted.head - counted.position,
    )


def together(days: Iterable[Day]) -> Day:
    """The sums of several programmes' days, of which there is one at least."""
    some = list(days)
    hours = zip(*(day.hours for day in some), strict=True)
    return Day(
        on=max(day.on for day in some),
        orders=sum(day.orders for day in some),
        turnover_fen=sum(day.turnover_fen for day in some),
        concession_micro=sum(day.concession_micro for day in some),
        given_micro=sum(day.given_micro for day in some),
        vouchers_micro=sum(day.vouchers_micro for day in some),
        surplus_micro=sum(day.surplus_micro for day in some),
        refunds=sum(day.refunds for day in some),
        refunded_fen=sum(day.refunded_fen for day in some),
        hours=tuple(Hour(sum(one.orders for one in hour), sum(one.turnover_fen for one in hour)) for hour in hours),
        position=sum(day.position for day in some),
        behind=sum(day.behind for day in some),
    )
