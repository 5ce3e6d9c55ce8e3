"""Truths: what a plan came to in a scenario. Integers only; how each is computed stands in docs/truths.md.

micro are millionths of a yuan, bp are hundredths of a percent.
"""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    import pyarrow as pa

PERCENTILES: Final = (1, 5, 10, 25, 50, 75, 90, 95, 99)
"""Of ``Cohort.percentiles_bp``."""


class Cohort(msgspec.Struct, frozen=True):
    """The consumers who came in one month, and what they had got back by the end."""

    month: int
    """Of arrival (first purchase), from 0."""
    consumers: int
    spent_micro: int
    cash_micro: int
    """Cash they received as customers: packets, sales of points, exits, releases; what they earned as referrers is apart."""
    vouchers_micro: int
    """Vouchers they received."""
    made_whole: int
    """Consumers whose cash is at least what they spent."""
    percentiles_bp: tuple[int, ...]
    """Cash-back ratio at each of PERCENTILES."""


class Month(msgspec.Struct, frozen=True):
    """What happened in a month, and how things stood at its end."""

    month: int
    consumers: int
    shops: int
    orders: int
    refused: int
    refunds: int
    paid_micro: int
    concession_micro: int
    vouchers_spent_micro: int
    returned_micro: int
    """Cash and vouchers given back to consumers (and to merchants, for points) in the month."""
    promised_micro: int
    """Promised and not yet given, at its end."""
    promised_new_micro: int
    """Promised by this month's orders."""
    funded_new_micro: int
    """Set aside for promises by this month's orders."""
    pool_micro: int
    supply_micro: int
    price: tuple[int, int]
    """As (pool, supply); (1, 1) for a plan without a pool."""
    exits: int
    backing_micro: int
    """Cash that backs what is owed: pots, dividend pot, reserve, pool."""
    surplus_micro: int
    """The platform's in the month, after bounties, before channel fee and tax."""
    reserve_micro: int
    """Of the backing, what stands behind vouchers in circulation, one to one."""
    uncovered_micro: int
    """Promised, and held neither in the dividend pot nor in the pool."""
    releases: int
    """Periods released in the month."""
    emptied: int
    """... of which took all that the dividend pot held."""


class Flow(msgspec.Struct, frozen=True):
    """Who paid whom, net of what went back."""

    source: str
    sink: str
    micro: int


class Result(msgspec.Struct, frozen=True):
    """All truths of one run."""

    run: str
    """SHA-256 of (plan version, scenario hash, replication, seed, engine version), the first 16 hex digits."""
    plan: str
    version: str
    scenario: str
    scenario_hash: str
    replication: int
    seed: int
    engine: str
    orders: int
    orders_made_whole: int
    consumers: int
    consumers_made_whole: int
    cohorts: tuple[Cohort, ...]
    months: tuple[Month, ...]
    flows: tuple[Flow, ...]
    balance_micro: dict[str, int]
    """Net of each role; sums to zero."""
    unfunded_from: int | None
    """The first month from which on promises are not covered."""
    short_from: int | None
    """The first month in which a release took all that the pot held: less was given than was due."""
    growth_needed_bp: int | None
    """Monthly growth that a newcomer of the last month needs to be made whole; None: no growth does."""
    wash_micro: int | None
    """What a wash trade of 100 yuan costs (+) or earns (-) one who holds every role."""
    surplus_gross_micro: int
    channel_fee_micro: int
    bounties_micro: int
    tax_micro: int
    surplus_net_micro: int
    meters: dict[str, int]
    """Exposure against the law, named as in the guards' Meters."""
    state_hash: str


def run_id(*facts: str | int) -> str:
    """The id of a run that hangs on these facts and on the engine's version: SHA-256, the first 16 hex digits."""
    return hashlib.sha256("\n".join([*map(str, facts), version("rangli")]).encode()).hexdigest()[:16]


def tables(result: Result) -> dict[str, pa.Table]:
    """Months, cohorts and flows as Arrow tables, amounts in micro; a price is two columns, percentiles are one column each."""
    import pyarrow as pa  # noqa: PLC0415  half a second, for whoever wants tables

    months = [{**msgspec.to_builtins(one), "price": one.price[0], "price_of": one.price[1]} for one in result.months]
    cohorts = []
    for one in result.cohorts:
        row = msgspec.to_builtins(one)
        points = row.pop("percentiles_bp")
        cohorts.append(row | {f"p{percentile}_bp": bp for percentile, bp in zip(PERCENTILES, points, strict=True)})
    rows = {"months": months, "cohorts": cohorts, "flows": [msgspec.to_builtins(one) for one in result.flows]}
    return {name: pa.Table.from_pylist(some) for name, some in rows.items()}
