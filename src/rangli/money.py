"""Money: units, exact text, and the only division in the house.

Vocabulary
----------
fen    whole cash units, 1 yuan = 100 fen. Cash moves in fen.
micro  accrual units, 1 micro = 10**-6 yuan, 1 fen = 10,000 micro. Entitlements accrue in micro.
bp     basis points, 0.01 %, the finest rate of any source. ``fen * bp == micro``, exactly:
       a share of the paid amount never rounds.

All of it is ``int``. ``//`` and ``%`` stand only here and in the compiled twin ``engine/arith.py``;
``/``, ``float`` and ``round`` stand nowhere. Each function that divides says who keeps the remainder.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import gcd
from typing import Final, NamedTuple, Self

from rangli.errors import AmountMalformed, RateMalformed

FEN_PER_YUAN: Final = 100
MICRO_PER_FEN: Final = 10_000
MICRO_PER_YUAN: Final = FEN_PER_YUAN * MICRO_PER_FEN
BP_PER_ONE: Final = 10_000

INT64_MAX: Final = 2**63 - 1

AMOUNT_FEN_MAX: Final = 10**10
"""The largest order: a hundred million yuan."""
MICRO_MAX: Final = 2**60
"""The most that any account, pot, pool or supply may hold: 1.15 thousand billion yuan."""

# The widest products of the kernels, proved to fit (style.md, principle 2).
assert AMOUNT_FEN_MAX * BP_PER_ONE <= MICRO_MAX
assert AMOUNT_FEN_MAX * BP_PER_ONE * BP_PER_ONE < INT64_MAX, "paid_fen x concession_bp x rate_bp"
assert MICRO_MAX * 2 < INT64_MAX, "a sum of two balances"


class Ratio(NamedTuple):
    """A rate as a reduced fraction of integers; ``den`` is positive."""

    num: int
    den: int

    @classmethod
    def of(cls, num: int, den: int) -> Self:
        """The reduced fraction num / den; ``den`` may not be zero."""
        assert den != 0
        shared = gcd(num, den) if den > 0 else -gcd(num, den)
        return cls(num // shared, den // shared)

    def floor_of(self, amount: int) -> int:
        """``amount`` times this ratio, rounded down; the caller keeps the remainder."""
        return amount * self.num // self.den


def mul_div(a: int, b: int, c: int) -> int:
    """``a * b // c`` with the full product; the remainder stays where the amount came from."""
    return a * b // c


def whole_fen(micro: int) -> int:
    """The whole fen in ``micro``, rounded down; the account that pays keeps the rest."""
    return micro // MICRO_PER_FEN


# ---------------------------------------------------------------- text in

_YUAN = re.compile(r"(0|[1-9][0-9]{0,8})(?:\.([0-9]{1,2}))?", re.ASCII)
_MICRO = re.compile(r"(0|[1-9][0-9]{0,12})(?:\.([0-9]{1,6}))?", re.ASCII)
_PERCENT = re.compile(r"(0|[1-9][0-9]{0,3})(?:\.([0-9]{1,2}))?%", re.ASCII)
_WIDE_DIGITS = re.compile(r"[\uff10-\uff19\uff0e\uff05\uffe5]")


def parse_yuan(text: str) -> int:
    """Yuan as text, at most two decimals, to fen.

    >>> parse_yuan("12.5"), parse_yuan("0.01"), parse_yuan("1000")
    (1250, 1, 100000)

    Raises AmountMalformed, which says what is wrong and what would be right.
    """
    match = _YUAN.fullmatch(text)
    if match is None:
        raise AmountMalformed(text, _why_not_a_number(text, whole_digits=10))
    whole, part = match.groups()
    fen = int(whole) * FEN_PER_YUAN + int((part or "").ljust(2, "0"))
    if fen > AMOUNT_FEN_MAX:
        raise AmountMalformed(text, "too_large")
    return fen


def parse_micro(text: str) -> int:
    """Points as text, at most six decimals, to micro.

    >>> parse_micro("112"), parse_micro("0.000001")
    (112000000, 1)

    Raises AmountMalformed.
    """
    match = _MICRO.fullmatch(text)
    if match is None:
        fault = _why_not_a_number(text, whole_digits=13)
        raise AmountMalformed(text, "not_a_number" if fault == "too_fine" else fault, of_points=True)
    whole, part = match.groups()
    micro = int(whole) * MICRO_PER_YUAN + int((part or "").ljust(6, "0"))
    if micro > MICRO_MAX:
        raise AmountMalformed(text, "too_large", of_points=True)
    return micro


def _why_not_a_number(text: str, *, unit: str = "", whole_digits: int) -> str:
    """The name of the first fault in a malformed number that ends in ``unit``; messages are in errors.py."""
    number = text.removesuffix(unit)
    checks = (
        ("empty", not text.strip()),
        ("spaces", text != text.strip()),
        ("full_width", _WIDE_DIGITS.search(text) is not None),
        ("negative", text.startswith("-")),
        ("sign", text.startswith("+")),
        ("thousands", "," in text or "_" in text or "\uff0c" in text),
        ("exponent", re.fullmatch(r"[0-9.]+[eE][+-]?[0-9]+", number) is not None),
        ("not_finite", number.lower() in {"nan", "inf", "infinity"}),
        ("too_fine", re.fullmatch(r"[0-9]+\.[0-9]{3,} ?", number, re.ASCII) is not None),
        ("leading_zero", re.fullmatch(r"0[0-9]+(\.[0-9]*)?", number, re.ASCII) is not None),
        ("too_large", re.fullmatch(rf"[0-9]{{{whole_digits},}}(\.[0-9]{{1,2}})?", number, re.ASCII) is not None),
        ("no_percent_sign", bool(unit) and re.fullmatch(r"[0-9]+(\.[0-9]*)?", text, re.ASCII) is not None),
    )
    return next((name for name, is_so in checks if is_so), "not_a_number")


def parse_percent(text: str) -> int:
    """A percentage as text to basis points.

    >>> parse_percent("20%"), parse_percent("0.3%"), parse_percent("6.25%")
    (2000, 30, 625)

    Raises RateMalformed: no percent sign, finer than 0.01 %, not a number.
    """
    match = _PERCENT.fullmatch(text)
    if match is None:
        raise RateMalformed(text, _why_not_a_number(text, unit="%", whole_digits=5))
    whole, part = match.groups()
    return int(whole) * 100 + int((part or "").ljust(2, "0"))


# ---------------------------------------------------------------- text out


def print_yuan(fen: int) -> str:
    """Fen as yuan with two decimals.

    >>> print_yuan(1250), print_yuan(-1)
    ('12.50', '-0.01')
    """
    sign, size = ("-", -fen) if fen < 0 else ("", fen)
    return f"{sign}{size // FEN_PER_YUAN}.{size % FEN_PER_YUAN:02d}"


def print_micro(micro: int) -> str:
    """Micro as yuan: two decimals, and up to six where they are needed.

    >>> print_micro(1_500_000), print_micro(45_123), print_micro(-1)
    ('1.50', '0.045123', '-0.000001')
    """
    sign, size = ("-", -micro) if micro < 0 else ("", micro)
    tail = f"{size % MICRO_PER_YUAN:06d}"
    return f"{sign}{size // MICRO_PER_YUAN}.{tail[:2]}{tail[2:].rstrip('0')}"


def print_percent(bp: int) -> str:
    """Basis points as a percentage.

    >>> print_percent(2000), print_percent(30), print_percent(625)
    ('20%', '0.3%', '6.25%')
    """
    sign, size = ("-", -bp) if bp < 0 else ("", bp)
    part = f"{size % 100:02d}".rstrip("0")
    return f"{sign}{size // 100}{'.' if part else ''}{part}%"


def print_ratio(num: int, den: int, places: int = 6) -> str:
    """num / den with ``places`` decimals, cut off towards zero; for reports, never for booking.

    >>> print_ratio(480_000_000, 257_040_000)
    '1.867413'
    """
    assert den > 0
    sign, size = ("-", -num) if num < 0 else ("", num)
    scaled = size * 10**places // den
    if places == 0:
        return f"{sign}{scaled}"
    return f"{sign}{scaled // 10**places}.{scaled % 10**places:0{places}d}"


# ---------------------------------------------------------------- splitting


def split(total: int, weights: Sequence[int]) -> list[int]:
    """``total`` by ``weights``, largest remainder; of equal remainders the earlier entry takes it.

    >>> split(100, [1, 1, 1])
    [34, 33, 33]
    """
    weight = sum(weights)
    assert total >= 0
    assert weight > 0
    assert min(weights) >= 0
    parts = [total * w // weight for w in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % weight), i))
    for i in by_remainder[: total - sum(parts)]:
        parts[i] += 1
    return parts


def reversed_of(legs: Sequence[int], total: int) -> list[int]:
    """How much of each leg stands reversed when ``total`` of their sum does (Jefferson/D'Hondt).

    legs  : the recorded legs of one order, each >= 0
    total : 0 .. sum(legs)

    The divisor rule is house-monotone: as ``total`` grows no part ever shrinks, no part passes its leg, and at
    the full sum every part equals its leg. So the difference of two calls is what one refund reverses, and it is
    never negative. (Splitting each partial refund by itself over-reverses a leg: docs/decisions/0005-jefferson-refunds.md.)
    """
    whole = sum(legs)
    assert 0 <= total <= whole
    if whole == 0:
        return [0] * len(legs)
    # The rule never gives less than the rounded-down quota, so start there and hand out the few seats left,
    # each to the greatest leg / (part + 1); of equal quotients the earlier leg takes it.
    parts = [total * leg // whole for leg in legs]
    for _ in range(total - sum(parts)):
        best = 0
        for i in range(1, len(legs)):
            if legs[i] * (parts[best] + 1) > legs[best] * (parts[i] + 1):
                best = i
        parts[best] += 1
    return parts
