"""The parts of a plan: what a document says, typed. Rates are basis points, amounts fen, lengths of time days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """One text in both languages."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Concession:
    """The range that a merchant may choose its concession from, both ends included."""

    bp_min: int
    bp_max: int


@dataclass(frozen=True, slots=True)
class Network:
    """How many referrers above a consumer may be paid."""

    depth: int


@dataclass(frozen=True, slots=True)
class Rate:
    """A fixed rate of a base: ``amount`` or ``concession``; of a release, ``points`` or ``balance``."""

    bp: int
    base: str


@dataclass(frozen=True, slots=True)
class Slide:
    """A rate of the amount that slides with the concession, from ``low`` to ``high``: (concession_bp, rate_bp)."""

    base: str
    by: str
    low: tuple[int, int]
    high: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Share:
    """One share of the concession."""

    to: str
    rate: Rate | Slide
    otherwise: str
    """Who takes it when ``to`` is not there."""
    pays: str
    """``cash`` or ``vouchers``."""
    differential: bool


@dataclass(frozen=True, slots=True)
class Envelope:
    """A budget that its inner shares must fit into."""

    name: str
    rate: Rate | Slide
    shares: tuple[Share, ...]


@dataclass(frozen=True, slots=True)
class PacketExit:
    """When a lot stops receiving packets."""

    packets: int | None
    """None for never."""
    received_bp: int


@dataclass(frozen=True, slots=True)
class Packets:
    """Red packets to earlier orders of the same merchant and tier."""

    per_order: int
    tiers_fen: tuple[int, ...]
    """Inclusive upper bounds; the last tier has none."""
    merchant_tiers_fen: Mapping[str, tuple[int, ...]]
    exit: PacketExit
    own_orders: str
    """``count`` or ``skip``."""


@dataclass(frozen=True, slots=True)
class PoolExit:
    """The forced exit of a member."""

    at_bp: int
    scope: str
    """``member`` or ``order``."""
    basis: str
    """``spend`` or ``mint_value``."""


@dataclass(frozen=True, slots=True)
class Pool:
    """The priced pool of appreciating points."""

    mint_bp: int
    pays_bp: int
    opening_price_fen: int
    exit: PoolExit | None


@dataclass(frozen=True, slots=True)
class Points:
    """Points that an order earns one of its parties."""

    to: str
    rate: Rate | Slide


@dataclass(frozen=True, slots=True)
class Close:
    """When a period closes."""

    growth_bp: int | None
    days: int


@dataclass(frozen=True, slots=True)
class Release:
    """The release of points by period, out of the dividend pot."""

    rate: Rate
    close: Close
    periods: int | None
    extended: int | None
    multiple_bp: int
    pays: str
    """``vouchers`` or ``cash``."""


@dataclass(frozen=True, slots=True)
class Bonus:
    """A one-off bonus out of the platform's surplus."""

    to: str
    amount_fen: int
    once_per: str


@dataclass(frozen=True, slots=True)
class Offset:
    """How much of an order vouchers may pay."""

    vouchers_bp: int


@dataclass(frozen=True, slots=True)
class Refund:
    """Who bears packets that a refunded order has already handed out."""

    packets_borne_by: str


@dataclass(frozen=True, slots=True)
class Payout:
    """How people are paid, as the operator declares it; None: not declared."""

    by: str | None
    """``claim`` or ``profit_sharing``."""
    least_fen: int | None
    most_fen: int | None
    daily_fen: int | None
    named: bool | None


@dataclass(frozen=True, slots=True)
class Law:
    """What the operator declares beside the plan, since the law asks for it; None: not declared."""

    entry_fee_fen: int | None
    collected_by: str | None
    """``merchant`` or ``platform``."""
    top_up: bool | None
    transfers: bool | None
    vouchers: str | None
    """``given``, ``sold`` or ``cashed``."""
    order_fen_max: int | None
    refund_days: int | None
    tax: str | None
    """``discount`` or ``incidental``."""
    payout: Payout | None


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole plan, as its document says it."""

    name: str
    title: Words
    about: Words | None
    claims: tuple[str, ...]
    """Copy that advertises the plan."""
    concession: Concession
    hold_days: int
    network: Network
    funds: tuple[str, ...]
    shares: tuple[Share | Envelope, ...]
    packets: Packets | None
    pool: Pool | None
    points: tuple[Points, ...]
    release: Release | None
    bonus: tuple[Bonus, ...]
    offset: Offset | None
    refund: Refund
    law: Law | None
