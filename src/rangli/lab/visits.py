"""The kernels of a scenario's world: who comes, who stays away, and what each visit is. All draws are those of ``chance``.

A visit is (who, which of his visits), never a place in a stream: so it is the same in every scenario in which it happens.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rangli.engine.arith import MASK32, rem, shift_right
from rangli.engine.kernel import kernel
from rangli.lab.chance import ACTOR, MONTH_OF, PERSON, QUANTILE_BITS, SELLER, VISIT, below, draw, happens, leaning, word_of
from rangli.plan import terms as parties
from rangli.plan.terms import Ints

DAYS: Final = 30
"""Of a month, so that a month is a period of the sources."""
SLOTS_A_DAY: Final = 96
"""Quarters of an hour; visits in the same one come in the order of their consumers."""
SLOTS: Final = DAYS * SLOTS_A_DAY

Narrow = NDArray[np.int32]


class Shops(NamedTuple):
    """One row a shop, in the order of joining; the last is the merchant who trades with himself. All int64."""

    holder: Ints
    concession_bp: Ints
    ticket: Ints
    """Row of its table of amounts."""
    recruiter: Ints
    """Holder, -1 for none; so the agents."""
    district: Ints
    city: Ints
    province: Ints
    region: Ints
    small: Ints
    """Its own account, through which it binds its customers; -1: it binds them itself."""


class People(NamedTuple):
    """One row a consumer, in the order of arrival. ``referrer`` and ``referrer2`` are holders, -1 for none."""

    arrived: Narrow
    away: NDArray[np.int8]
    visits: Narrow
    """Made before this month."""
    due: Narrow
    """Of this month."""
    home: Narrow
    referrer: Narrow
    referrer2: Narrow


class Actors(NamedTuple):
    """Accounts that do the same every month: those who farm by tiny orders, and the one who trades with himself."""

    orders: Ints
    """A month."""
    amount_fen: Ints
    shop: Ints
    """Always this one; -1: any."""
    referrer: Ints


class Habits(NamedTuple):
    """What the scenario says of everyone, as numbers; rates are thresholds of ``happens``."""

    lean: int
    start_consumers: int
    start_locked: int
    """0: bound by the shares."""
    locked: int
    bound: int
    """Locked or invited."""
    visits_whole: int
    visits_part: int
    churn: int
    comeback: int
    loyalty: int
    refunds: int
    vouchers: int
    first_actor: int
    first_consumer: int


class Calendar(NamedTuple):
    """One month."""

    month: int
    first_day: int
    shops_open: int
    consumers: int
    rhythm: Ints
    """(DAYS,) thresholds of the days, ascending, the last one ALWAYS."""


@kernel
def meet(key, habits, people, shops, start, stop, month, shops_open):
    """Consumers start:stop arrive in this month: each finds a shop, and is bound by it, by an earlier consumer, or by nobody.

    people : written
    """
    for i in range(start, stop):
        word = word_of(key, PERSON, 0, i)
        home = leaning(draw(word, 0), shops_open, habits.lean)
        at_start = habits.start_locked > 0 and i < habits.start_consumers
        bound = draw(word, 1)
        locked = i < habits.start_locked if at_start else happens(bound, habits.locked)
        referrer, referrer2 = np.int64(-1), np.int64(-1)
        if locked:
            if shops.small[home] >= 0:
                referrer, referrer2 = shops.small[home], shops.holder[home]
            else:
                referrer, referrer2 = shops.holder[home], shops.recruiter[home]
        elif i > 0 and (at_start or happens(bound, habits.bound)):
            by = rem(i, habits.start_locked) if at_start else below(draw(word, 2), i)
            referrer, referrer2 = np.int64(habits.first_consumer + by), np.int64(people.referrer[by])
        people.arrived[i] = month
        people.away[i] = 0
        people.visits[i] = 0
        people.home[i] = home
        people.referrer[i] = referrer
        people.referrer2[i] = referrer2


@kernel
def wake(key, habits, people, calendar):
    """Who is there this month, and how often each comes; whoever arrives comes at least once.

    people : away and due are written, and visits of the month before added up
    """
    for i in range(calendar.consumers):
        age = calendar.month - np.int64(people.arrived[i])
        word = word_of(key, MONTH_OF, age, i)
        if age > 0:
            people.visits[i] += people.due[i]
            if people.away[i]:
                people.away[i] = not happens(draw(word, 0), habits.comeback)
            else:
                people.away[i] = happens(draw(word, 0), habits.churn)
        due = np.int64(0)
        if not people.away[i]:
            due = habits.visits_whole + np.int64(happens(draw(word, 1), habits.visits_part))
        people.due[i] = max(due, 1) if age == 0 else due


@kernel
def day_of(z, rhythm):
    """The day of the month that a draw falls on."""
    u = shift_right(z, 32)
    day = np.int64(0)
    while u >= rhythm[day]:
        day += 1
    return day


@kernel
def slot_of(word, rhythm):
    """The quarter of an hour of the month at which a visit takes place."""
    z = draw(word, 0)
    return day_of(z, rhythm) * SLOTS_A_DAY + (((z & MASK32) * SLOTS_A_DAY) >> 32)


@kernel
def _note(slot, who, visit, slots, rows):
    """Count a visit, or write it down at the place that is next in its slot."""
    if rows.shape[1] == 0:
        slots[slot + 1] += 1
    else:
        rows[0, slots[slot]] = who
        rows[1, slots[slot]] = visit
        slots[slot] += 1


@kernel
def spread(key, people, actors, calendar, slots, rows):
    """Every visit of the month to its slot: counted while ``rows`` is empty, else written down in order of time.

    slots : int64 (SLOTS + 1,)   written; counts by slot + 1, or the next place of each slot
    rows  : int32 (2, n)         who (a consumer from 0; -1 - the actor) and which of his visits, written unless n is 0
    """
    for i in range(calendar.consumers):
        first = np.int64(people.visits[i])
        for visit in range(first, first + people.due[i]):
            _note(slot_of(word_of(key, VISIT, visit, i), calendar.rhythm), i, visit, slots, rows)
    for a in range(actors.orders.shape[0]):
        first = calendar.month * actors.orders[a]
        for visit in range(first, first + actors.orders[a]):
            _note(slot_of(word_of(key, ACTOR, visit, a), calendar.rhythm), -1 - a, visit, slots, rows)


@kernel
def columns(key, habits, people, shops, actors, calendar, batch):
    """The columns of a batch of visits.

    batch : Batch   ``who`` and ``visit`` are read; all else is written
    """
    orders, tables = batch.orders, batch.tables
    for r in range(batch.who.shape[0]):
        who, visit = np.int64(batch.who[r]), np.int64(batch.visit[r])
        if who >= 0:
            word = word_of(key, VISIT, visit, who)
            shop = np.int64(people.home[who])
            if not happens(draw(word, 1), habits.loyalty):
                shop = leaning(draw(word, 2), calendar.shops_open, habits.lean)
            paid_fen = tables[shops.ticket[shop], shift_right(draw(word, 3), 64 - QUANTILE_BITS)]
            consumer = habits.first_consumer + who
            referrer, referrer2 = np.int64(people.referrer[who]), np.int64(people.referrer2[who])
            batch.refunded[r] = happens(draw(word, 4), habits.refunds)
            batch.with_vouchers[r] = happens(draw(word, 6), habits.vouchers)
        else:
            actor = -1 - who
            word = word_of(key, ACTOR, visit, actor)
            shop = actors.shop[actor]
            if shop < 0:
                shop = leaning(draw(word, 2), calendar.shops_open, habits.lean)
            paid_fen = actors.amount_fen[actor]
            consumer = habits.first_actor + actor
            referrer, referrer2 = actors.referrer[actor], actors.referrer[actor]
            batch.refunded[r] = False
            batch.with_vouchers[r] = False
        orders.paid_fen[r] = paid_fen
        orders.concession_bp[r] = shops.concession_bp[shop]
        orders.voucher_fen[r] = 0
        orders.day[r] = calendar.first_day + day_of(draw(word, 0), calendar.rhythm)
        orders.key[r] = draw(word, 5)
        party = orders.party[r]
        party[parties.CONSUMER] = consumer
        party[parties.MERCHANT] = shops.holder[shop]
        party[parties.REFERRER] = referrer
        party[parties.REFERRER2] = referrer2
        party[parties.RECRUITER] = shops.recruiter[shop]
        party[parties.AGENT_DISTRICT] = shops.district[shop]
        party[parties.AGENT_CITY] = shops.city[shop]
        party[parties.AGENT_PROVINCE] = shops.province[shop]
        party[parties.AGENT_REGION] = shops.region[shop]


@kernel
def sellers(key, month, holders, first_consumer, limits, place):
    """Of holders of points, who sells at the end of a month, and when among the others.

    holders : int64 (n,)        limits : thresholds of an ordinary sale, and of a run
    place   : int64 (n,)        written; the order of selling, -1 for not at all
    """
    for i in range(holders.shape[0]):
        who = holders[i] - first_consumer
        word = word_of(key, SELLER, month, who if who >= 0 else 2**40 - who)
        sells = happens(draw(word, 0), limits[0]) or happens(draw(word, 1), limits[1])
        place[i] = shift_right(draw(word, 2), 1) if sells else -1
