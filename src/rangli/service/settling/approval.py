"""What the law's guards say to a plan that is to go live: the sandbox runs every plan, a real channel runs no refused one.

    plan ─▶ plan.guards.judge ─▶ ok | sign-off: two people, each with reason and legal opinion | refuse: nobody can

Signatures stand beside the plan's version, and the decision that activates it holds their digest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from rangli.errors import FieldRefused, PlanRefused, Problem, SignOffMissing
from rangli.plan import CompiledPlan, Finding, judge, verdict
from rangli.service.requests import Signature

SANDBOX: Final = "sandbox"
"""No money moves."""
REAL: Final = "real"
"""Money moves by a payment channel."""
CHANNELS: Final = (SANDBOX, REAL)
SIGNERS: Final = 2
"""How many people a sign-off takes (models.md, section 6)."""
LETTERS_MAX: Final = 4_000
SECONDS_PER_DAY: Final = 86_400


def check_channel(channel: str) -> None:
    """Raises FieldRefused."""
    if channel not in CHANNELS:
        raise FieldRefused(
            "channel", f"没有通道 {channel[:40]!r};可用 {'、'.join(CHANNELS)}", f"is none; choose {' or '.join(CHANNELS)}"
        )


def admit(plan: CompiledPlan, channel: str, hold_seconds: int, signed: Sequence[Signature]) -> None:
    """Let a plan run on a channel, orders being held so long.

    Raises PlanRefused or SignOffMissing when it may not, FieldRefused for half a signature, or for a real channel that settles
    before the days are over that the plan was judged by.
    """
    for signature in signed:
        for field, text in msgspec.structs.asdict(signature).items():
            if not text.strip() or len(text) > LETTERS_MAX:
                raise FieldRefused(
                    "signed",
                    f"签字的 {field} 为空或超过 {LETTERS_MAX} 字;姓名、理由和法律意见都要写明",
                    f"a signature's {field} is empty or longer than {LETTERS_MAX} letters; write name, reason and legal opinion",
                )
    if channel == SANDBOX:
        return
    if hold_seconds < plan.plan.hold_days * SECONDS_PER_DAY:
        raise FieldRefused(
            "hold_seconds",
            f"真实通道上的冻结时间不得短于方案的 {plan.plan.hold_days} 天",
            f"a real channel holds orders for the plan's {plan.plan.hold_days} day(s) at least",
        )
    found = judge(plan)
    if verdict(found) == "refuse":
        raise PlanRefused(_as_problems(found, "refuse"))
    people = {signature.name.strip().casefold() for signature in signed}
    if verdict(found) == "sign-off" and len(people) < SIGNERS:
        raise SignOffMissing(_as_problems(found, "sign-off"), SIGNERS, len(people))


def signed_text(signed: Sequence[Signature]) -> str:
    """Signatures as they are kept and compared."""
    return msgspec.json.encode(signed).decode()


def signed_facts(text: str) -> tuple[str, ...]:
    """What the digest of an activation holds of kept signatures, beside the document; nothing when nobody signed."""
    return () if text == "[]" else (text,)


def _as_problems(found: Sequence[Finding], severity: str) -> list[Problem]:
    """The findings of this severity."""
    return [Problem(one.guard, one.clause, 0, one.zh, one.en) for one in found if one.verdict == severity]
