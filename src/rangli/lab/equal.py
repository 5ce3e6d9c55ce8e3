"""The lab: what a plan does, before it goes live. Here: a stream of equal orders, and the promise of a release plan.

Both run the very engine that settles live orders.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from rangli.engine.draw import siphash_strings
from rangli.engine.release import due_of
from rangli.engine.state import (
    EXITS,
    FIRST_EXIT,
    ORDERS,
    PACKETS_SENT,
    PAID_FEN,
    POOL_MICRO,
    PROMISED,
    RELEASE_DONE,
    RELEASE_POINTS,
    RETURNED_MICRO,
    SUPPLY,
    price_pair,
)
from rangli.errors import InputRefused
from rangli.ledger.accounts import AGENT, CONSUMER, MERCHANT
from rangli.ledger.transfers import CODE_NAMES, PLATFORM
from rangli.money import AMOUNT_FEN_MAX, BP_PER_ONE, mul_div, print_percent, print_yuan
from rangli.plan import CompiledPlan
from rangli.plan import terms as parties
from rangli.plan.terms import Terms
from rangli.settle import Orders, Programme

BATCH: Final = 1 << 16
FIRST_DAY: Final = 20_454
"""2026-01-01."""
PER_DAY: Final = 1000

Progress = Callable[[int], None]


class Simulation(NamedTuple):
    """What a stream of equal orders came to."""

    orders: int
    transfers: int
    paid_fen: int
    returned_micro: int
    """Packets, cash for points, and releases: all that consumers and merchants got back beyond the shares."""
    packets: int
    surplus_micro: int
    """What the platform kept."""
    pool_micro: int
    supply_micro: int
    price: tuple[int, int]
    """As (pool, supply); (1, 1) for a plan without a pool."""
    exits: int
    first_exit: int
    """Number of the order, from 1; 0 for none."""
    periods: list[tuple[int, int]]
    """Released, and held before, of each period that closed, in micro."""
    promised_micro: int
    """Promised by points and not yet released."""
    by_code: dict[str, int]
    state_hash: str


def simulate(
    compiled: CompiledPlan,
    orders: int,
    paid_fen: int,
    concession_bp: int,
    seed: int,
    per_day: int = PER_DAY,
    progress: Progress | None = None,
) -> Simulation:
    """Settle this many equal orders, each of a new consumer, at one merchant, every party of the plan being there.

    Raises InputRefused when the plan does not take such an order.
    """
    check_order(compiled.terms, paid_fen, concession_bp)
    programme = Programme(compiled, hashlib.sha256(f"rangli simulate {seed}".encode()).digest())
    row = _parties(programme)
    first_consumer = len(programme.accounts)
    programme.nameless = orders
    transfers = 0
    by_code = np.zeros(len(CODE_NAMES), np.int64)
    for start in range(0, orders, BATCH):
        count = min(BATCH, orders - start)
        party = np.repeat(row, count, axis=0)
        party[:, parties.CONSUMER] = first_consumer + start + np.arange(count)
        number = start + np.arange(count)
        day = FIRST_DAY + np.searchsorted(np.arange(0, orders + per_day, per_day), number, "right") - 1
        batch = Orders(
            paid_fen=np.full(count, paid_fen, np.int64),
            concession_bp=np.full(count, concession_bp, np.int64),
            voucher_fen=np.zeros(count, np.int64),
            day=day.astype(np.int64),
            key=_keys(programme, number, day),
            party=party,
        )
        for chunk in programme.run(batch, np.zeros(count, np.uint8)):
            transfers += len(chunk.transfers.code)
            np.add.at(by_code, chunk.transfers.code, chunk.transfers.amount)
        if progress is not None:
            progress(count)
    return _result(programme, transfers, by_code)


def check_order(terms: Terms, paid_fen: int, concession_bp: int) -> None:
    """Raises InputRefused when a plan with these terms does not take an order of this amount and concession."""
    if not 1 <= paid_fen <= AMOUNT_FEN_MAX:
        raise InputRefused(
            f"金额 {print_yuan(paid_fen)} 不在 0.01 至 {print_yuan(AMOUNT_FEN_MAX)} 元之间",
            f"the amount {print_yuan(paid_fen)} is not between 0.01 and {print_yuan(AMOUNT_FEN_MAX)} yuan",
        )
    low, high = terms.concession_bp_min, terms.concession_bp_max
    if not low <= concession_bp <= high:
        bounds = f"{print_percent(low)}–{print_percent(high)}"
        raise InputRefused(
            f"让利 {print_percent(concession_bp)} 不在方案的范围 {bounds} 内",
            f"the concession {print_percent(concession_bp)} is outside the plan's range {bounds}",
        )


def _parties(programme: Programme) -> np.ndarray:
    """The row of parties that every order shares."""
    row = np.full((1, parties.ORDER_PARTIES), -1, np.int32)
    row[0, parties.MERCHANT] = programme.holder(MERCHANT, "merchant")
    for party in (parties.REFERRER, parties.REFERRER2):
        row[0, party] = programme.holder(CONSUMER, parties.PARTY_NAMES[party])
    for party in range(parties.RECRUITER, parties.ORDER_PARTIES):
        row[0, party] = programme.holder(AGENT, parties.PARTY_NAMES[party])
    return row


def _keys(programme: Programme, number: np.ndarray, day: np.ndarray) -> np.ndarray:
    """The draw keys of orders that are called by their numbers, as 8 little-endian bytes."""
    days, row = np.unique(day, return_inverse=True)
    keys = np.array([programme.sip_key(int(d)) for d in days], np.int64)
    offsets = np.arange(0, 8 * len(number) + 1, 8, dtype=np.int64)
    out = np.empty(len(number), np.int64)
    siphash_strings(offsets, number.astype("<i8").view(np.uint8), row.astype(np.int64), keys, out)
    return out


def _result(programme: Programme, transfers: int, by_code: np.ndarray) -> Simulation:
    """The figures of a finished run."""
    tally, pool, release = programme.state.holdings.tally, programme.state.pool, programme.state.release
    return Simulation(
        orders=int(tally[ORDERS]),
        transfers=transfers,
        paid_fen=int(tally[PAID_FEN]),
        returned_micro=int(tally[RETURNED_MICRO]),
        packets=int(tally[PACKETS_SENT]),
        surplus_micro=int(by_code[PLATFORM]),
        pool_micro=int(pool.totals[POOL_MICRO]) if pool else 0,
        supply_micro=int(pool.totals[SUPPLY]) if pool else 0,
        price=price_pair(pool) if pool else (1, 1),
        exits=int(pool.totals[EXITS]) if pool else 0,
        first_exit=int(pool.totals[FIRST_EXIT]) if pool else 0,
        periods=programme.periods,
        promised_micro=int(release.clock[PROMISED]) if release else 0,
        by_code={CODE_NAMES[code]: int(amount) for code, amount in enumerate(by_code) if amount},
        state_hash=programme.hash(),
    )


class Promise(NamedTuple):
    """One period of what a release plan promises when the inflow grows evenly and the pot never runs dry."""

    period: int
    released_micro: int
    total_micro: int
    capped_micro: int
    """The total with the plan's own multiple as its end."""


def promises(compiled: CompiledPlan, points_micro: int, growth_bp: int, periods: int) -> list[Promise]:
    """What points would release, period by period, if every period took in ``growth_bp`` more than the last: the sources' 5.07 x.

    Raises InputRefused for a plan that releases nothing.
    """
    terms = compiled.terms.release
    if not terms.rate_den:
        raise InputRefused("该方案没有积分释放(release)", "this plan releases no points (it has no `release`)")
    limit = mul_div(points_micro, terms.multiple_bp, BP_PER_ONE)
    endless = terms._replace(multiple_bp=2**40)
    joined = inflow = 10**14
    lot = np.zeros(6, np.int64)
    lot[RELEASE_POINTS] = points_micro
    rows = []
    for period in range(1, periods + 1):
        due = int(due_of(endless, lot, inflow, joined))
        lot[RELEASE_DONE] += due
        total = int(lot[RELEASE_DONE])
        rows.append(Promise(period, due, total, min(total, limit)))
        inflow = mul_div(inflow, BP_PER_ONE + growth_bp, BP_PER_ONE)
    return rows
