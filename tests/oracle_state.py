"""What a programme of the oracle remembers between orders."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import NamedTuple

from oracle_orders import Leg, Order


@dataclass
class Lot:
    """One order waiting for packets."""

    order_id: str
    consumer: str
    merchant: str
    tier: int
    paid_fen: int
    room_fen: int
    """What it may still receive."""
    left: int | None
    """Packets it may still receive; None for any number."""
    packets: int = 0
    received_fen: int = 0
    open: bool = True


@dataclass
class Member:
    """Whoever the exit rule looks at: a consumer, or one order."""

    number: int
    name: str
    """The consumer's, or with exit scope order the order's."""
    consumer: str
    points: int = 0
    limit: int = 0
    out: int = 0
    cycle: int = 0
    """How often it has exited."""


@dataclass
class PointLot:
    """A holder's points of one period (of a balance plan: all of them)."""

    holder: str
    period: int
    points: int
    left: int
    """Those of the points that are still in the holder's account."""
    released: int = 0
    open: bool = True


@dataclass
class Record:
    """What a settled order leaves for its refunds."""

    order: Order
    legs: list[Leg]
    lot: Lot | None = None
    member: Member | None = None
    cycle: int = 0
    minted: int = 0
    limit_added: int = 0
    mints: list[tuple[PointLot, int]] = field(default_factory=list)
    refunded_fen: int = 0


class PoolState(NamedTuple):
    """The priced pool: micro, micro-points, the pair of the last price, and the members as (points, limit, out)."""

    pool: int
    supply: int
    last_price: tuple[int, int]
    members: dict[str, tuple[int, int, int]]


class PeriodState(NamedTuple):
    """The period that is open now; ``closed_on`` is the day on which the one before closed and still waits for its release."""

    number: int
    opened: date | None
    inflow: int
    last_inflow: int
    closed_on: date | None


@dataclass
class State:
    """All that a programme remembers."""

    balances: Counter[tuple[str, str]] = field(default_factory=Counter)
    records: dict[str, Record] = field(default_factory=dict)
    bonus_paid: set[tuple[int, str]] = field(default_factory=set)
    lots: list[Lot] = field(default_factory=list)
    queues: dict[tuple[str, int], list[Lot]] = field(default_factory=dict)
    """The open lots of each queue, oldest first."""
    last_price: tuple[int, int] = (1, 1)
    members: dict[str, Member] = field(default_factory=dict)
    triggers: list[tuple[Fraction, int, str]] = field(default_factory=list)
    """A heap of (trigger price, member's number, name); an entry that is no longer its member's trigger is void."""
    inflows: list[int] = field(default_factory=list)
    """Of each period; the last one is open."""
    opened: date | None = None
    reached: date | None = None
    closed_on: date | None = None
    point_lots: list[PointLot] = field(default_factory=list)
