"""What the sources' three plans mean, as the oracle takes it, and short words for tests of the oracle."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from oracle import Order, Plan, Transfer

DAY = date(2026, 1, 5)
SECRET = bytes(range(32))
YUAN = 1_000_000

PACKETS: Plan = {"per_order": 20, "tiers_fen": [10_000, 20_000, 50_000], "exit_packets": 20, "exit_received_bp": 10_000}
WEITUANBAO: Plan = {
    "concession": (600, 3000),
    "shares": [
        {"to": "packets", "of": "concession", "rate": 5000},
        {"to": "referrer", "of": "amount", "rate": 100},
        {"to": "recruiter", "of": "amount", "from": (600, 30), "upto": (3000, 100)},
        {"to": "agent.city", "of": "amount", "rate": 30},
        {"to": "agent.district", "of": "amount", "rate": 30},
    ],
    "packets": PACKETS,
    "bonus": [{"to": "recruiter", "amount_fen": 5000, "once_per": "merchant"}],
}
MOUDIAN: Plan = {
    "concession": (300, 2000),
    "shares": [
        {"to": "dividend", "of": "concession", "rate": 4000},
        {"to": "referrer", "of": "concession", "rate": 500, "as": "vouchers"},
        {"to": "recruiter", "of": "concession", "rate": 1000},
    ],
    "points": [
        {"to": "consumer", "of": "concession", "rate": 10_000},
        {"to": "merchant", "of": "concession", "rate": 10_000},
    ],
    "release": {"rate": Fraction(1, 200), "growth_bp": 11_500, "days": 30, "extended": 40, "multiple_bp": 50_000},
    "offset_bp": 10_000,
}
ZENGZHI: Plan = {
    "concession": (300, 2000),
    "shares": [
        {"to": "pool", "of": "concession", "rate": 8000},
        {"to": "referrer", "of": "concession", "rate": 150},
        {"to": "referrer2", "of": "concession", "rate": 100},
        {"to": "recruiter", "of": "concession", "rate": 250},
        {"to": "agent.district", "of": "concession", "rate": 50, "differential": True},
        {"to": "agent.city", "of": "concession", "rate": 100, "differential": True},
        {"to": "agent.province", "of": "concession", "rate": 150, "differential": True},
    ],
    "pool": {"mint_bp": 7000, "pays_bp": 8000, "exit_bp": 12_000},
}
EVERYBODY: dict[str, Any] = {
    "referrer": "Ref",
    "referrer2": "Ref2",
    "recruiter": "Rec",
    "agent_district": "D",
    "agent_city": "C",
    "agent_province": "P",
}


def bought(name: str, paid_fen: int, concession_bp: int, consumer: str, day: int = 0, **more: Any) -> Order:  # noqa: ANN401
    """An order at the only shop, on day ``day`` from the first."""
    return Order(name, DAY + timedelta(days=day), paid_fen, concession_bp, more.pop("merchant", "M"), consumer, **more)


def of_code(transfers: list[Transfer], code: str) -> list[Transfer]:
    """Those with this code."""
    return [each for each in transfers if each.code == code]


def amounts(transfers: list[Transfer]) -> list[tuple[str, int]]:
    """Code and amount of each."""
    return [(each.code, each.amount) for each in transfers]
