"""The second step of a sign-in: time-based one-time passwords as RFC 6238 has them and every authenticator knows."""

from __future__ import annotations

import hmac
import re
from typing import Final

import pyotp

from rangli.money import mul_div
from rangli.service.clock import MICRO_PER_SECOND

STEP_SECONDS: Final = 30
WINDOW: Final = 1
"""Steps before and after the present one whose codes are taken: clocks differ, and fingers are slow."""
ISSUER: Final = "Rangli"
_CODE: Final = re.compile(r"[0-9]{6}")
_SECRET: Final = re.compile(r"[A-Z2-7]{32}")


def new_secret() -> str:
    """160 random bits in base32."""
    return pyotp.random_base32()


def is_secret(text: str) -> bool:
    """Whether it is one of ours."""
    return _SECRET.fullmatch(text) is not None


def uri(secret: str, name: str) -> str:
    """What the QR code says."""
    return pyotp.TOTP(secret, interval=STEP_SECONDS).provisioning_uri(name=name, issuer_name=ISSUER)


def code_at(secret: str, step: int) -> str:
    """The code of a step."""
    return pyotp.HOTP(secret).at(step)


def step_at(now: int) -> int:
    """The step of a time."""
    return mul_div(now, 1, STEP_SECONDS * MICRO_PER_SECOND)


def step_of(secret: str, code: str, now: int) -> int | None:
    """The step that this is the code of, the newest of those that are taken now; None when it is the code of none."""
    digits = "".join(code.split())
    if not _CODE.fullmatch(digits):
        return None
    present = step_at(now)
    steps = [step for step in range(present - WINDOW, present + WINDOW + 1) if hmac.compare_digest(code_at(secret, step), digits)]
    return max(steps, default=None)
