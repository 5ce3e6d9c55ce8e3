"""Sections 1 and 2 of docs/rules.md: the parties of an order, their accounts, and the shares of its concession."""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

Plan = dict[str, Any]
"""What a plan means; see oracle.py."""

AMOUNT_FEN_MAX = 10_000_000_000
MICRO_MAX = 2**60
MICRO_PER_FEN = 10_000
BP = 10_000

# ---------------------------------------------------------------- 1. parties, accounts, transfers

SURPLUS = "platform:surplus"
FUNDING = "platform:funding"
POOL = "programme:pool"
DIVIDEND = "programme:dividend"
RESERVE = "programme:reserve"
POINTS = "programme:points"
VOUCHERS = "programme:vouchers"

KINDS = ("consumer", "merchant", "agent")
RANKS = ("agent.district", "agent.city", "agent.province", "agent.region")
"""Region agents, lowest first."""
UNITS = {"mint": "POINT", "burn": "POINT", "zeroed": "POINT", "voucher": "VOUCHER", "voucher_spent": "VOUCHER"}
"""The unit of each code that is not in CNY."""


class Transfer(NamedTuple):
    """One movement; ``amount`` in millionths of ``unit``."""

    source: str
    destination: str
    amount: int
    unit: str
    code: str


@dataclass(frozen=True)
class Order:
    """One paid order; ``day`` is the day of payment in Beijing."""

    order_id: str
    day: date
    paid_fen: int
    concession_bp: int
    merchant: str
    consumer: str
    referrer: str | None = None
    referrer2: str | None = None
    recruiter: str | None = None
    agent_district: str | None = None
    agent_city: str | None = None
    agent_province: str | None = None
    agent_region: str | None = None
    voucher_fen: int = 0


def encoded(name: str) -> str:
    """The name as one part of a path: colon, percent sign and control characters percent-encoded as UTF-8."""
    return "".join(
        "".join(f"%{byte:02X}" for byte in letter.encode()) if letter in ":%" or unicodedata.category(letter) == "Cc" else letter
        for letter in name
    )


def holder_of(order: Order, party: str) -> str | None:
    """The party of this order as ``kind:name``, or None when it is not there (or is a pot, the platform or a fund)."""
    if party in ("consumer", "merchant"):
        return f"{party}:{encoded(getattr(order, party))}"
    if party in ("referrer", "referrer2", "recruiter", *RANKS):
        name = getattr(order, party.replace(".", "_"))
        if not name:
            return None
        kind, colon, rest = name.partition(":")
        if colon and kind in KINDS:
            return f"{kind}:{encoded(rest)}"
        return f"{'consumer' if party.startswith('referrer') else 'agent'}:{encoded(name)}"
    return None


def tier_of(plan: Plan, order: Order) -> int:
    """The first tier, counted from 1, whose inclusive upper bound is not below what was paid."""
    bounds = plan["packets"].get("merchant_tiers", {}).get(order.merchant, plan["packets"]["tiers_fen"])
    return 1 + sum(int(bound < order.paid_fen) for bound in bounds)


def cash_account(plan: Plan, order: Order, party: str) -> str:
    """Where the party's cash goes (the table of section 1)."""
    institutions = {"pool": POOL, "dividend": DIVIDEND, "platform": SURPLUS}
    if party in institutions:
        return institutions[party]
    if party == "packets":
        return f"programme:packets:{encoded(order.merchant)}:{tier_of(plan, order)}"
    if party == "merchant":
        return f"merchant:{encoded(order.merchant)}:income"
    holder = holder_of(order, party)
    if holder is not None:
        return f"{holder}:wallet"
    assert party in plan["funds"], party
    return f"programme:fund:{encoded(party)}"


# ---------------------------------------------------------------- 2. shares


class Leg(NamedTuple):
    """One recorded share line: who got how much of the concession, and the account of the vouchers if it backs vouchers."""

    account: str
    amount: int
    code: str
    vouchers: str | None = None


def linear(entry: Plan, paid_fen: int, concession_bp: int) -> int:
    """The amount of a share or of points, in micro, rounded down once."""
    if "from" in entry:
        (c0, r0), (c1, r1) = entry["from"], entry["upto"]
        c = min(max(concession_bp, c0), c1)
        return int(paid_fen * (r0 * (c1 - c0) + (c - c0) * (r1 - r0)) // (c1 - c0))
    if entry["of"] == "amount":
        return int(paid_fen * entry["rate"])
    assert entry["of"] == "concession"
    return int(paid_fen * concession_bp * entry["rate"] // BP)


def share_legs(plan: Plan, order: Order) -> list[Leg]:
    """Steps 2 and 3: the shares in the order of the plan, then the platform with what is left."""
    legs = []
    taken: Counter[str] = Counter()
    for share in plan["shares"]:
        party = share["to"]
        if party == "platform":
            continue
        amount = linear(share, order.paid_fen, order.concession_bp)
        if share.get("differential"):
            amount = max(0, amount - sum(taken[rank] for rank in RANKS[: RANKS.index(party)]))
        if party in ("referrer", "referrer2", "recruiter", *RANKS):
            if holder_of(order, party) is not None:
                taken[party] += amount
            else:
                party = share.get("else", "platform")
                if party == "platform":
                    continue
        holder = holder_of(order, party)
        if share.get("as", "cash") == "vouchers" and party == share["to"] and holder is not None:
            legs.append(Leg(RESERVE, amount, "backing", f"{holder}:vouchers"))
        else:
            code = "pot" if party == "packets" else "fund" if party in plan.get("funds", []) else party
            legs.append(Leg(cash_account(plan, order, party), amount, code))
    rest = order.paid_fen * order.concession_bp - sum(leg.amount for leg in legs)
    assert rest >= 0, "the shares exceed the concession"
    legs.append(Leg(SURPLUS, rest, "platform"))
    return [leg for leg in legs if leg.amount > 0]
