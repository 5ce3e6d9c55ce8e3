"""Periods of a releasing plan: which one is open, when it ends, what waits for its release, and on which days a closing may be.

A period ends with the first order of a later day (docs/rules.md, section 5) or, where no order comes, with a closing; nothing
closes one by the clock alone.
"""

from __future__ import annotations

from typing import cast

import msgspec

from rangli.engine.release import due_before
from rangli.engine.state import (
    CLOSED_ON,
    DAY,
    DIVIDEND_MICRO,
    INFLOW,
    NEVER,
    OPENED_ON,
    PERIOD,
    POINTS_OPEN,
    RELEASE_USED,
    WAITING,
)
from rangli.errors import FieldRefused
from rangli.money import mul_div, print_micro, print_percent
from rangli.plan.terms import Ints, ReleaseTerms
from rangli.service.looking.reading import BEIJING_MICRO, MICRO_PER_DAY, Reading
from rangli.service.settling.facts import day_of, day_text
from rangli.service.settling.recovery import Recovered


class PeriodsView(msgspec.Struct, frozen=True):
    """The periods of a programme as they stand."""

    period: int
    """The open one, from 0."""
    opened_on: str
    """Empty until the first order opens the first period."""
    ends_on: str
    """Its last day at the latest; empty as long."""
    growth: str
    """It closes earlier when its inflow reaches this share of the last one's; empty for never."""
    inflow: str
    """Yuan of concession that it has taken in."""
    waiting: int | None
    """The period that has closed and waits for its release, which comes with the next day."""
    closed_on: str
    """The last day of the period before; empty if there is none."""
    is_due: bool
    """Whether a closing today would release anything."""
    dividend: str
    """Yuan in the dividend pot."""
    points: str
    """Points that wait to be released."""
    lots: int
    """Lots that they are in."""
    since: str
    """The first day that a closing may be on: the one that orders or closings have reached. Empty for any."""
    until: str
    """The last one: today, unless an order has come from a later day."""


class Periods(Reading):
    """The periods of one programme that this process settles."""

    def are_there(self) -> bool:
        """Whether the plan releases points by period."""
        return self._recovered().standing.programme.terms.release.rate_den > 0

    def view(self) -> PeriodsView:
        """How they stand, for a plan that has them."""
        terms, clock = cast("tuple[ReleaseTerms, Ints]", self._settler.ask(_now).result())
        today = mul_div(self._clock() + BEIJING_MICRO, 1, MICRO_PER_DAY)
        has_begun = clock[OPENED_ON] != NEVER
        opened, reached, period, waiting = (int(clock[k]) for k in (OPENED_ON, DAY, PERIOD, WAITING))
        return PeriodsView(
            period=period,
            opened_on=day_text(opened) if has_begun else "",
            ends_on=day_text(opened + terms.days - 1) if has_begun else "",
            growth=print_percent(terms.growth_bp) if terms.growth_bp else "",
            inflow=print_micro(int(clock[INFLOW])),
            waiting=None if waiting < 0 else waiting,
            closed_on=day_text(int(clock[CLOSED_ON])) if period else "",
            is_due=bool(due_before(terms, clock, today)),
            dividend=print_micro(int(clock[DIVIDEND_MICRO])),
            points=print_micro(int(clock[POINTS_OPEN])),
            lots=int(clock[RELEASE_USED]),
            since=day_text(reached) if has_begun else "",
            until=day_text(max(today, reached)),
        )

    def check(self, on: str) -> None:
        """Whether people may close on this day. Raises FieldRefused.

        A day still to come would be the day of every order until then, and an earlier one closes nothing.
        """
        if not self.are_there():
            raise FieldRefused("on", "这个方案不按期释放,没有期可关", "this plan releases nothing by period: none can close")
        day_of(on)
        view = self.view()
        if on > view.until:
            raise FieldRefused("on", f"{on} 还没有到;至迟写 {view.until}", f"{on} has not come; write {view.until} at the latest")
        if on < view.since:
            raise FieldRefused(
                "on",
                f"{on} 早于账上已到的日子;应在 {view.since} 至 {view.until} 之间",
                f"{on} is before the day that the books have reached; it must be between {view.since} and {view.until}",
            )


def _now(recovered: Recovered) -> tuple[ReleaseTerms, Ints]:
    """Asked of the settler: the active plan's terms, and the clock of its periods, copied."""
    standing = recovered.standing
    release = standing.programme.state.release
    assert release is not None
    return standing.plans[standing.plan].terms.release, release.clock.copy()
