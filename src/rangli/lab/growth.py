"""The growth that a newcomer needs: the least monthly growth at which he has back, within the horizon, what he paid.

It is reckoned from the plan's own terms and from how things stand at the end of the last month, other people's sales aside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from rangli.engine.shares import linear
from rangli.engine.state import HEAD, LOT_ROOM, OPEN, POOL_MICRO, QUEUES_USED, START, SUPPLY, State
from rangli.lab.truths import Month
from rangli.lab.visits import DAYS
from rangli.money import BP_PER_ONE, MICRO_PER_FEN, mul_div
from rangli.plan import CompiledPlan
from rangli.plan import terms as parties
from rangli.plan.compile import PACKETS_NEVER
from rangli.plan.terms import ReleaseTerms

GROWTH_BP_MAX: Final = BP_PER_ONE
"""A doubling every month: what needs more than that needs what is not there."""
STEPS_A_MONTH: Final = 100


def growth_needed(compiled: CompiledPlan, state: State, months: Sequence[Month], horizon: int) -> int | None:
    """In bp a month; 0 if he is whole without growth; None if no growth up to GROWTH_BP_MAX does it."""
    last = next((month for month in reversed(months) if month.orders), None)
    if last is None:
        return None
    paid_fen = max(mul_div(last.paid_micro, 1, last.orders * MICRO_PER_FEN), 1)
    concession_bp = mul_div(last.concession_micro, BP_PER_ONE, last.paid_micro)
    if state.release is not None:
        return _of_release(compiled, paid_fen, concession_bp, horizon)
    if state.pool is not None:
        return _of_pool(compiled, state, last, paid_fen, horizon)
    if state.queues is not None and compiled.terms.packets.exit_packets == PACKETS_NEVER:
        return _of_queue(state, last, paid_fen, horizon)
    return None


def _least(is_enough: Callable[[int], bool]) -> int | None:
    """The least growth that is enough, by halving; more growth is never worse."""
    low, high = 0, GROWTH_BP_MAX
    if not is_enough(high):
        return None
    while low < high:
        middle = (low + high) >> 1
        if is_enough(middle):
            high = middle
        else:
            low = middle + 1
    return low


def _of_release(compiled: CompiledPlan, paid_fen: int, concession_bp: int, horizon: int) -> int | None:
    """By the schedule of the release, the pot's limit aside; vouchers count as if they were cash."""
    terms = compiled.terms
    mine = [line for line in terms.points if line[parties.PARTY] == parties.CONSUMER]
    points = sum(int(linear(line, paid_fen, concession_bp)) for line in mine)
    periods = mul_div(horizon * DAYS, 1, terms.release.days)
    periods = min(periods, terms.release.extended) if terms.release.extended else periods
    wanted = paid_fen * MICRO_PER_FEN
    if not points or mul_div(points, terms.release.multiple_bp, BP_PER_ONE) < wanted:
        return None
    return _least(lambda growth_bp: _released(terms.release, points, growth_bp, periods, wanted) >= wanted)


def _released(terms: ReleaseTerms, points: int, growth_bp: int, periods: int, wanted: int) -> int:
    """What points release in so many periods of this growth, each rounded down, as far as it is wanted."""
    total, joined, inflow = 0, BP_PER_ONE**2, BP_PER_ONE**2
    for _ in range(periods):
        base, parts = (points - total, 1) if terms.by_balance else (points * inflow, joined)
        total += mul_div(base, terms.rate_num, terms.rate_den * parts)
        if total >= wanted:
            return total
        inflow = mul_div(inflow, BP_PER_ONE + growth_bp, BP_PER_ONE)
    return total


def _of_pool(compiled: CompiledPlan, state: State, last: Month, paid_fen: int, horizon: int) -> int | None:
    """His points must be worth what he paid after what a sale keeps back, and a forced exit must not come before."""
    pool, terms = state.pool, compiled.terms.pool
    assert pool is not None
    inflow = mul_div(last.promised_new_micro, BP_PER_ONE, terms.mint_bp)
    share = mul_div(inflow, paid_fen * MICRO_PER_FEN, last.paid_micro)
    value = mul_div(share, terms.mint_bp, BP_PER_ONE)
    wanted = -mul_div(-paid_fen * MICRO_PER_FEN, BP_PER_ONE, terms.pays_bp) if terms.pays_bp else 0
    limit = mul_div(value, terms.exit_bp, BP_PER_ONE) if terms.basis_mint else paid_fen * terms.exit_bp
    held, supply = int(pool.totals[POOL_MICRO]), int(pool.totals[SUPPLY])
    if not wanted or not supply or not value or (terms.exit_bp and limit < wanted):
        return None

    def is_enough(growth_bp: int) -> bool:
        now, there, coming = held, supply, inflow
        for _ in range(horizon):
            step = mul_div(coming, 1, STEPS_A_MONTH)
            for _ in range(STEPS_A_MONTH):
                there += mul_div(mul_div(step, terms.mint_bp, BP_PER_ONE), there, now)
                now += step
            coming = mul_div(coming, BP_PER_ONE + growth_bp, BP_PER_ONE)
        return mul_div(value, now * supply, there * held) >= wanted

    return _least(is_enough)


def _of_queue(state: State, last: Month, paid_fen: int, horizon: int) -> int | None:
    """All who wait before him must be made whole first, and then he, out of what enters the pots."""
    queues = state.queues
    assert queues is not None
    owed = paid_fen
    for row in queues.rows[: int(queues.used[QUEUES_USED])]:
        first = int(row[START] + row[HEAD])
        owed += int(queues.lots[first : first + int(row[OPEN]), LOT_ROOM].sum())

    def is_enough(growth_bp: int) -> bool:
        came, coming = 0, last.funded_new_micro
        for _ in range(horizon):
            came += coming
            coming = mul_div(coming, BP_PER_ONE + growth_bp, BP_PER_ONE)
        return came >= owed * MICRO_PER_FEN

    return _least(is_enough)
