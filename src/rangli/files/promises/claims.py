"""What a settlement's summary.json claims."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from rangli.errors import FileRefused

FILE: Final = "summary.json"
SECRET_DIGITS: Final = 64


class Total(msgspec.Struct):
    """The transfers of one code."""

    unit: str
    count: int
    amount_micro: int


class Day(msgspec.Struct):
    """A day and the commitment to its secret."""

    day: str
    commitment: str


class Period(msgspec.Struct):
    """A released period."""

    released_micro: int
    held_micro: int


class Claims(msgspec.Struct):
    """The part of the summary that the checks rely on or look at."""

    plan: str
    version: str
    orders: int
    rejected: int
    duplicates: int
    transfers: int
    paid_fen: int
    concession_micro: int
    by_code: dict[str, Total]
    trial_balance_micro: int
    units: dict[str, int]
    secret: str
    days: list[Day]
    periods: list[Period]
    orders_file: str = ""
    orders_sha256: str = ""


def read_claims(directory: Path) -> tuple[Claims, dict[str, Any]]:
    """The claims, and the whole summary as it is. Raises FileRefused when it is none."""
    path = directory / FILE
    try:
        text = path.read_bytes()
        claims, whole = msgspec.json.decode(text, type=Claims), msgspec.json.decode(text)
    except (OSError, msgspec.DecodeError) as fault:
        raise FileRefused(
            f"{path} 不是结算写出的 summary.json:{fault}", f"{path} is not the summary.json of a settlement: {fault}"
        ) from fault
    secret = claims.secret
    if len(secret) != SECRET_DIGITS or set(secret) - set("0123456789abcdef"):
        raise FileRefused(
            f"{path} 的 secret 应为 {SECRET_DIGITS} 位十六进制小写数字",
            f"the secret in {path} should be {SECRET_DIGITS} lower-case hex digits",
        )
    return claims, whole
