"""Worlds for the kernels: orders as the engine takes them, in numbers, without names or files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from rangli.ledger.accounts import AGENT, CONSUMER, MERCHANT
from rangli.plan import load
from rangli.plan import terms as parties
from rangli.settle import Orders, Programme

SECRET: Final = bytes(range(32))
SEED: Final = 20_260_105
FIRST_DAY: Final = 20_454
PEOPLE: Final = 200
"""Recruiters, and agents of each rank."""


class World(NamedTuple):
    """A programme before its first order, and orders for it."""

    programme: Programme
    orders: Orders


def world(plan: str, orders: int, merchants: int, consumers: int, days: int = 1, changes: Sequence[str] = ()) -> World:
    """Orders of consumers at merchants, both even at random, every party being there; the same each time.

    Amounts are lognormal around 120 yuan, so that every tier has its share, and concessions 6 % to 20 % in steps of 0.5 %, or
    the plan's only one.
    """
    programme = Programme(load(plan, changes), SECRET)
    rng = np.random.Generator(np.random.PCG64(SEED))
    party = np.empty((orders, parties.ORDER_PARTIES), np.int32)
    shops = np.array([programme.holder(MERCHANT, f"m{i}") for i in range(merchants)])
    party[:, parties.MERCHANT] = shops[rng.integers(0, merchants, orders)]
    for column in range(parties.REFERRER, parties.ORDER_PARTIES):
        kind = CONSUMER if column in (parties.REFERRER, parties.REFERRER2) else AGENT
        numbers = np.array([programme.holder(kind, f"{parties.PARTY_NAMES[column]} {i}") for i in range(PEOPLE)])
        party[:, column] = numbers[rng.integers(0, PEOPLE, orders)]
    party[:, parties.CONSUMER] = len(programme.accounts) + rng.integers(0, consumers, orders)
    programme.nameless = consumers
    low, high = programme.terms.concession_bp_min, min(programme.terms.concession_bp_max, 2000)
    return World(
        programme,
        Orders(
            paid_fen=np.maximum(rng.lognormal(np.log(12_000), 0.9, orders).astype(np.int64), 1),
            concession_bp=low + 50 * rng.integers(0, (high - low) // 50 + 1, orders),
            voucher_fen=np.zeros(orders, np.int64),
            day=FIRST_DAY + np.sort(rng.integers(0, days, orders)),
            key=rng.integers(-(2**63), 2**63, orders, dtype=np.int64),
            party=party,
        ),
    )


def slices(orders: Orders, size: int) -> Iterator[Orders]:
    """The orders in batches of ``size``."""
    for start in range(0, len(orders.paid_fen), size):
        yield Orders._make(column[start : start + size] for column in orders)


def settle(programme: Programme, orders: Orders) -> int:
    """Settle a batch, all of which must settle; how many transfers were written."""
    status = np.zeros(len(orders.paid_fen), np.uint8)
    written = sum(len(chunk.transfers.code) for chunk in programme.run(orders, status))
    assert not status.any()
    return written
