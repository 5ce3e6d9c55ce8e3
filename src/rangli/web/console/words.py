"""Values as a page shows them: amounts with their unit, links, states, and times in Beijing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final, NamedTuple

BEIJING: Final = timezone(timedelta(hours=8))
CENTS: Final = 2
GROUP: Final = 3
UNITS: Final = {"CNY": ("元", "yuan"), "POINT": ("积分", "points"), "VOUCHER": ("元抵用券", "yuan in vouchers")}
"""Unit of a ledger's account -> what it is called beside a number."""

ROLES: Final = {
    "owner": ("所有者", "Owner"),
    "finance": ("财务", "Finance"),
    "operations": ("运营", "Operations"),
    "auditor": ("审计", "Auditor"),
}
"""What the roles of members are called."""


class Amount(NamedTuple):
    """Exact text of a number, and its unit as the ledger names it."""

    text: str
    unit: str = "CNY"


class Measured(NamedTuple):
    """A number as it is read at a glance, 1.23 MB, and exactly, 1234567 B."""

    text: str
    number: str
    unit: str


class Link(NamedTuple):
    """Words that lead somewhere; ``href`` is relative to the console."""

    text: str
    href: str


class State(NamedTuple):
    """A state in words; tone: good, wait, bad or plain."""

    code: str
    zh: str
    en: str
    tone: str = "plain"


def grouped(text: str) -> str:
    """The same number with its thousands apart, and no zeros that say nothing: 1234.500000 -> 1,234.50."""
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    whole, _, rest = digits.partition(".")
    rest = rest.rstrip("0")
    head = [whole[max(0, stop - GROUP) : stop] for stop in range(len(whole), 0, -GROUP)]
    return f"{sign}{','.join(reversed(head))}" + (f".{rest.ljust(CENTS, '0')}" if rest or "." in text else "")


def shown(amount: Amount, lang: str) -> str:
    """The amount with its unit: ¥1,234.50, 12.5 积分."""
    text = grouped(amount.text)
    if amount.unit == "CNY":
        return f"-¥{text[1:]}" if text.startswith("-") else f"¥{text}"
    zh, en = UNITS[amount.unit]
    return f"{text} {zh if lang == 'zh' else en}"


def in_beijing(instant: str) -> str:
    """An RFC 3339 instant as the clock in Beijing shows it, to the second; nothing for nothing."""
    if not instant:
        return ""
    return datetime.fromisoformat(instant).astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def exact(value: object, kind: str, lang: str) -> dict[str, str]:
    """What a cell holds where it does not show just that: the value and its unit, as files have them, and what a time sorts by.

    >>> exact(Amount("1234.500000"), "money", "en")
    {'value': '1234.500000', 'unit': 'yuan'}
    >>> exact("2026-01-05T12:30:00+08:00", "time", "en")
    {'order': '20260105043000000000'}
    """
    if isinstance(value, Amount):
        return {"value": value.text, "unit": UNITS[value.unit][lang != "zh"]} if value.text else {}
    if isinstance(value, Measured):
        return {"value": value.number, "unit": value.unit}
    if not value or not isinstance(value, str | int):
        return {}
    if kind == "time":
        return {"order": datetime.fromisoformat(str(value)).astimezone(UTC).strftime("%Y%m%d%H%M%S%f")}
    return {"value": str(value)} if kind in ("hash", "count") else {}


def decimals(value: object) -> int:
    """How many decimals an amount in yuan shows; 0 for anything else."""
    return len(grouped(value.text).partition(".")[2]) if isinstance(value, Amount) and value.unit == "CNY" else 0


def widest(rows: Sequence[Any], keys: Iterable[Any]) -> dict[Any, int]:
    """The most decimals in each of these columns of rows, which are mappings or sequences."""
    return {
        key: max((decimals(row.get(key) if isinstance(row, Mapping) else row[key]) for row in rows), default=0) for key in keys
    }


def padding(value: object, width: int) -> str:
    """What an amount in yuan lacks of so many decimals: written where nobody sees it, it keeps the points below each other."""
    if not (width and isinstance(value, Amount) and value.text and value.unit == "CNY"):
        return ""
    there = decimals(value)
    return "0" * (width - there) if there else "." + "0" * width
