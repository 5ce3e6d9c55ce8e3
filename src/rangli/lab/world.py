"""The world of a scenario: a cast of holders, and each month's events as columns, one batch after the other.

    World.of(programme, scenario, key) ─▶ arrive(month) ─▶ events(month): Batches of Orders in order of time

Holders with names (shops, recruiters, agents) stand in the programme's register; then come, by number alone, accounts of shops,
of those who farm, the customers of before, and the consumers in order of arrival.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate, cycle, islice, pairwise, product
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rangli.engine.out import Orders
from rangli.lab.chance import (
    ALWAYS,
    SHOP,
    below,
    draw,
    happens,
    lab_key,
    listed_fen,
    log_normal_fen,
    threshold,
    word_of,
)
from rangli.lab.parts import Listed, Scenario, Ticket
from rangli.lab.scenario import consumers_by_month, shops_by_month
from rangli.lab.visits import DAYS, SLOTS, SLOTS_A_DAY, Actors, Calendar, Habits, People, Shops, columns, meet, spread, wake
from rangli.ledger.accounts import AGENT, HOLDERS_MAX, MERCHANT
from rangli.money import BP_PER_ONE, Ratio, mul_div
from rangli.plan.terms import ORDER_PARTIES, Ints
from rangli.settle import Programme

FIRST_DAY: Final = 20_454
"""2026-01-01, a Thursday."""
FIRST_WEEKDAY: Final = 3
"""From Monday, 0."""
BATCH: Final = 1 << 16


class Batch(NamedTuple):
    """Events of a month, in order of time."""

    who: NDArray[np.int32]
    visit: NDArray[np.int32]
    tables: Ints
    """(kinds of tickets, QUANTILES) amounts in fen."""
    orders: Orders
    refunded: NDArray[np.bool_]
    """Whether the order will be refunded."""
    with_vouchers: NDArray[np.bool_]
    """Whether its consumer pays with the vouchers that he has."""


class Cast(NamedTuple):
    """Who is there: ranges of holders, so that a number alone tells what somebody is."""

    first_merchant: int
    """Shops and their pots, up to the first recruiter."""
    first_recruiter: int
    first_agent: tuple[int, int, int, int]
    """District, city, province, region, each up to the next."""
    washer: tuple[int, ...]
    """All holders of the merchant who trades with himself; his agents are the last with names."""
    first_small: int
    """Own accounts of shops; the first holder without a name."""
    first_farmer: int
    first_earlier: int
    first_consumer: int


class World:
    """The people of one run, and what they do month by month."""

    def __init__(self, programme: Programme, scenario: Scenario, replication: int, seed: int) -> None:
        self.scenario = scenario
        self.programme = programme
        self.key = lab_key(seed, replication)
        self.consumers = consumers_by_month(scenario)
        self.open = shops_by_month(scenario)
        self.tables = np.array([_table(ticket) for ticket in scenario.shops.tickets])
        self.cast, self.shops = _cast(programme, scenario, self.key, self.open[-1])
        self.actors = _actors(scenario, self.cast, len(self.shops.holder) - 1)
        self.habits = _habits(scenario, self.cast)
        self.people = _nobody(self.consumers[-1])
        assert self.cast.first_consumer + self.consumers[-1] < HOLDERS_MAX
        programme.nameless = self.cast.first_consumer - len(programme.accounts)

    def arrive(self, month: int) -> None:
        """The newcomers of this month; month after month."""
        known = self.consumers[month - 1] if month else 0
        start = self.scenario.start
        if month == 0 and start.consumers:
            known = start.consumers
            meet(self.key, self.habits, self.people, self.shops, 0, known, 0, start.shops)
        meet(self.key, self.habits, self.people, self.shops, known, self.consumers[month], month, self.open[month])
        self.programme.nameless = self.cast.first_consumer - len(self.programme.accounts) + self.consumers[month]

    def calendar(self, month: int) -> Calendar:
        """What there is to know of a month."""
        first = DAYS * month
        weights = islice(cycle(self.scenario.consumers.rhythm), FIRST_WEEKDAY + first, FIRST_WEEKDAY + first + DAYS)
        sums = list(accumulate(weights))
        rhythm = np.array([mul_div(part, ALWAYS, sums[-1]) for part in sums], np.int64)
        return Calendar(month, FIRST_DAY + first, self.open[month], self.consumers[month], rhythm)

    def events(self, month: int, *, by_day: bool = False) -> Iterator[Batch]:
        """The orders of a month in order of time, in batches (``by_day``: of one day); each holds until the next is asked for."""
        calendar = self.calendar(month)
        wake(self.key, self.habits, self.people, calendar)
        slots = np.zeros(SLOTS + 1, np.int64)
        spread(self.key, self.people, self.actors, calendar, slots, np.empty((2, 0), np.int32))
        np.cumsum(slots, out=slots)
        starts, count = slots.copy(), int(slots[-1])
        rows = np.empty((2, max(count, 1)), np.int32)
        spread(self.key, self.people, self.actors, calendar, slots, rows)
        ends = starts[::SLOTS_A_DAY].tolist() if by_day else [0, count]
        batch = _room(min(BATCH, count), self.tables)
        for first, last in pairwise(ends):
            for start in range(first, last, BATCH):
                stop = min(start + BATCH, last)
                part = _part(batch, stop - start)._replace(who=rows[0, start:stop], visit=rows[1, start:stop])
                columns(self.key, self.habits, self.people, self.shops, self.actors, calendar, part)
                yield part


def _room(rows: int, tables: Ints) -> Batch:
    """Room for a batch of this many rows."""
    longs = np.zeros((5, rows), np.int64)
    orders = Orders(longs[0], longs[1], longs[2], longs[3], longs[4], np.full((rows, ORDER_PARTIES), -1, np.int32))
    return Batch(np.empty(0, np.int32), np.empty(0, np.int32), tables, orders, np.zeros(rows, np.bool_), np.zeros(rows, np.bool_))


def _part(batch: Batch, rows: int) -> Batch:
    """The first rows of a batch."""
    return batch._replace(
        orders=part_of(batch.orders, 0, rows), refunded=batch.refunded[:rows], with_vouchers=batch.with_vouchers[:rows]
    )


def part_of(orders: Orders, start: int, stop: int) -> Orders:
    """Some rows of a batch, as views."""
    paid_fen, concession_bp, voucher_fen, day, key, party = orders
    some = slice(start, stop)
    return Orders(paid_fen[some], concession_bp[some], voucher_fen[some], day[some], key[some], party[some])


# ---------------------------------------------------------------- who is there


def _table(ticket: Ticket | Listed) -> Ints:
    """A row of amounts."""
    if isinstance(ticket, Listed):
        return listed_fen(ticket.amounts_fen)
    return log_normal_fen(ticket.median_fen, ticket.sigma_bp, ticket.fen_min, ticket.fen_max)


def _cast(programme: Programme, scenario: Scenario, key: tuple[int, int], shops: int) -> tuple[Cast, Shops]:
    """Register everyone with a name, number everyone else, and furnish the shops."""
    first_merchant = len(programme.accounts)
    merchants = [programme.holder(MERCHANT, f"shop {i}") for i in range(shops)]
    first_recruiter = len(programme.accounts)
    recruiters = [programme.holder(AGENT, f"recruiter {i}") for i in range(scenario.shops.recruiters)]
    places = scenario.places
    areas = list(product(range(places.provinces), range(places.cities), range(places.districts)))
    first_agent, agents = [], []
    for rank, depth in (("district", 3), ("city", 2), ("province", 1), ("region", 0)):
        first_agent.append(len(programme.accounts))
        is_there = rank in scenario.agents
        agents.append([programme.holder(AGENT, f"{rank} {area[:depth]}") if is_there else -1 for area in areas])
    washer = [programme.holder(MERCHANT, "washer")]
    washer += [programme.holder(AGENT, f"washer {role}") for role in ("recruiter", "district", "city", "province", "region")]
    farmers = scenario.behaviour.farming.accounts if scenario.behaviour.farming else 0
    earlier = scenario.start.orders.count if scenario.start.orders else 0
    small = len(programme.accounts)
    first = [small, small + shops + 1, small + shops + 1 + farmers, small + shops + 1 + farmers + earlier]
    cast = Cast(first_merchant, first_recruiter, (first_agent[0], *first_agent[1:]), tuple(washer), *first)  # type: ignore[arg-type]
    rows = [_shop(programme, scenario, key, i) for i in range(shops)]
    table = np.array([(*row, *ranks) for row, ranks in zip(rows, cycle(zip(*agents, strict=True)), strict=False)], np.int64)
    concession, ticket, recruiter, own, *ranks = table.T
    holders = np.array(merchants, np.int64)
    recruiter = np.where(recruiter >= 0, np.array(recruiters, np.int64)[recruiter], -1)
    own = np.where(own > 0, small + np.arange(shops), -1)
    last = (washer[0], programme.terms.concession_bp_min, 0, washer[1], *washer[2:6], -1)
    columns_ = (holders, concession, ticket, recruiter, *ranks, own)
    return cast, Shops(*(np.append(column, value) for column, value in zip(columns_, last, strict=True)))


def _shop(programme: Programme, scenario: Scenario, key: tuple[int, int], shop: int) -> tuple[int, int, int, int]:
    """A shop's concession, kind of tickets, recruiter (-1 for none), and whether it binds by an account of its own (1)."""
    said, start = scenario.shops, scenario.start
    word = word_of(key, SHOP, 0, shop)
    concession_bp = said.concessions[_chosen(draw(word, 0), [one.share_bp for one in said.concessions])].rate_bp
    if said.outside == "nearest":
        concession_bp = min(max(concession_bp, programme.terms.concession_bp_min), programme.terms.concession_bp_max)
    ticket = _chosen(draw(word, 1), [one.share_bp for one in said.tickets])
    if start.recruited is not None and shop < start.shops:
        is_recruited = shop < start.recruited
    else:
        is_recruited = happens(draw(word, 2), threshold(said.recruited_bp))
    recruiter = below(draw(word, 3), said.recruiters) if is_recruited else -1
    return concession_bp, ticket, recruiter, int(happens(draw(word, 4), threshold(scenario.behaviour.small_accounts_bp)))


def _chosen(z: int, shares_bp: list[int]) -> int:
    """Which of several shares of a whole a draw falls on."""
    limits = [threshold(upto) for upto in accumulate(shares_bp)]
    return next(i for i, limit in enumerate(limits) if happens(z, limit))


def _actors(scenario: Scenario, cast: Cast, wash_shop: int) -> Actors:
    """The one who trades with himself, whose account as a consumer is the last of the small ones, and those who farm."""
    farming, wash = scenario.behaviour.farming, scenario.behaviour.wash
    count = farming.accounts if farming else 0
    own = [wash.orders, wash.amount_fen] if wash else [0, 1]
    return Actors(
        orders=np.array([own[0], *[farming.orders if farming else 0] * count], np.int64),
        amount_fen=np.array([own[1], *[farming.amount_fen if farming else 0] * count], np.int64),
        shop=np.array([wash_shop, *[-1] * count], np.int64),
        referrer=np.array([cast.washer[0], *[-1] * count], np.int64),
    )


def _habits(scenario: Scenario, cast: Cast) -> Habits:
    """The scenario's rates as thresholds."""
    crowd, start = scenario.consumers, scenario.start
    whole = Ratio(1, BP_PER_ONE).floor_of(crowd.visits_bp)
    return Habits(
        lean=scenario.shops.lean,
        start_consumers=start.consumers,
        start_locked=start.locked or 0,
        locked=threshold(crowd.locked_bp),
        bound=threshold(crowd.locked_bp + crowd.invited_bp),
        visits_whole=whole,
        visits_part=threshold(crowd.visits_bp - whole * BP_PER_ONE),
        churn=threshold(crowd.churn_bp),
        comeback=threshold(crowd.comeback_bp),
        loyalty=threshold(crowd.loyalty_bp),
        refunds=threshold(scenario.behaviour.refunds.share_bp) if scenario.behaviour.refunds else 0,
        vouchers=threshold(scenario.behaviour.vouchers_bp),
        first_actor=cast.first_farmer - 1,
        first_consumer=cast.first_consumer,
    )


def _nobody(count: int) -> People:
    """Room for this many consumers."""
    narrow = [np.zeros(count, np.int32) for _ in range(6)]
    return People(narrow[0], np.zeros(count, np.int8), *narrow[1:])
