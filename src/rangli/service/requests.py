"""What can be asked of a programme: six kinds of requests, each with an id of its own that counts once and for ever.

Fields are texts, as they would stand in an order file; ``docs/errors.md`` shows why one is refused. The id makes a request
idempotent: the same id with the same facts gets the first answer again, with other facts it is refused, and the refusal names the
field.
"""

from __future__ import annotations

import msgspec


class OrderRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A paid order. Parties are names; an empty one means that there is none."""

    order_id: str
    paid_at: str
    """``YYYY-MM-DD[ T]HH:MM[:SS[.f]][Z|±HH:MM]``, or a date; without an offset it is Beijing's time."""
    merchant: str
    consumer: str
    amount: str
    """Yuan with at most two decimals, as ``12.50``."""
    concession: str
    """A percentage of at most two decimals, as ``20%``."""
    voucher: str = ""
    """Yuan paid with vouchers; empty for none."""
    referrer: str = ""
    referrer2: str = ""
    recruiter: str = ""
    agent_district: str = ""
    agent_city: str = ""
    agent_province: str = ""
    agent_region: str = ""


class RefundRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A refund of a settled order, or of one that is still held, which cancels it."""

    refund_id: str
    order_id: str
    amount: str = ""
    """Yuan; empty for all that is not yet refunded."""


class SaleRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A member sells points at the present price."""

    sale_id: str
    consumer: str
    points: str
    """Points with at most six decimals."""


class InjectionRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Funds enter the pool without minting."""

    injection_id: str
    amount: str


class ClosingRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The day ``on`` has begun: every period that is over by then closes, and what waits is released."""

    closing_id: str
    on: str
    """``YYYY-MM-DD``, in Beijing."""


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One person's yes to a plan that the law leaves to people (docs/law.md)."""

    name: str
    reason: str
    opinion: str
    """The legal opinion that it rests on."""


class ActivationRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A version of the plan takes over; orders captured before it keep theirs."""

    activation_id: str
    plan: str
    """The plan document (YAML)."""
    signed: tuple[Signature, ...] = ()
    """Who signs for it; on a real channel two people, when a guard asks for a sign-off."""


Request = OrderRequest | RefundRequest | SaleRequest | InjectionRequest | ClosingRequest | ActivationRequest

ID_FIELD: dict[type[Request], str] = {
    OrderRequest: "order_id",
    RefundRequest: "refund_id",
    SaleRequest: "sale_id",
    InjectionRequest: "injection_id",
    ClosingRequest: "closing_id",
    ActivationRequest: "activation_id",
}
"""The field that holds the request's id."""


def id_of(request: Request) -> str:
    """The request's id."""
    text: str = getattr(request, ID_FIELD[type(request)])
    return text
