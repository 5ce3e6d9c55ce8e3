"""What a request asks: its numbers, and its facts in the form in which two requests of one id are compared."""

from __future__ import annotations

import msgspec

from rangli.errors import FieldRefused, RequestConflict
from rangli.money import MICRO_PER_FEN, parse_micro, parse_yuan, print_micro, print_percent, print_yuan
from rangli.plan import check, version
from rangli.service.requests import (
    ActivationRequest,
    ClosingRequest,
    InjectionRequest,
    OrderRequest,
    RefundRequest,
    Request,
    SaleRequest,
    id_of,
)
from rangli.service.settling.approval import signed_facts, signed_text
from rangli.service.settling.facts import day_of, instant_text
from rangli.service.settling.names import SHOWN_LETTERS, same_name
from rangli.service.settling.orders import check as check_orders

ID_BYTES_MAX = 200


def id_fault(request: Request) -> FieldRefused | None:
    """Why a request's id is none."""
    text, field = id_of(request), next(iter(type(request).__struct_fields__))
    if not text:
        return FieldRefused(field, "为空;必须填写", "is empty; it must be there")
    if len(text.encode()) > ID_BYTES_MAX:
        return FieldRefused(field, f"超过 {ID_BYTES_MAX} 字节", f"is longer than {ID_BYTES_MAX} bytes")
    return None


def numbers_of(request: Request) -> tuple[str | int, ...]:
    """The request's facts as they are compared. Raises FieldRefused or AmountMalformed."""
    if isinstance(request, RefundRequest):
        fen = parse_yuan(request.amount) if request.amount else 0
        if request.amount and fen == 0:
            raise FieldRefused("amount", "为 0;不写则退全部余额", "is 0; leave it out to refund all that is left")
        return request.order_id, fen
    if isinstance(request, SaleRequest):
        return request.consumer, parse_micro(request.points)
    if isinstance(request, InjectionRequest):
        return (parse_yuan(request.amount) * MICRO_PER_FEN,)
    if isinstance(request, ClosingRequest):
        return (day_of(request.on),)
    assert isinstance(request, ActivationRequest)
    return request.plan, *signed_facts(signed_text(request.signed))


def facts_of(request: Request) -> dict[str, str]:
    """What is asked, in the form in which it is compared and shown."""
    facts: dict[str, str] = {name: str(text) for name, text in msgspec.structs.asdict(request).items()}
    if isinstance(request, OrderRequest):
        checked = check_orders([request], (0, 10**6))
        _, paid, bp, voucher, _, instant = checked.facts[0].tolist()
        facts |= {"paid_at": instant_text(instant), "amount": print_yuan(paid), "concession": print_percent(bp)}
        facts["voucher"] = print_yuan(voucher)
    elif isinstance(request, RefundRequest):
        facts["amount"] = print_yuan(parse_yuan(request.amount)) if request.amount else ""
    elif isinstance(request, SaleRequest):
        facts["points"] = print_micro(parse_micro(request.points))
    elif isinstance(request, InjectionRequest):
        facts["amount"] = print_yuan(parse_yuan(request.amount))
    elif isinstance(request, ActivationRequest):
        plan, _ = check(request.plan)
        facts |= {"plan": request.plan if plan is None else version(plan), "signed": signed_text(request.signed)}
    return facts


def conflict(key: str, now: dict[str, str], before: dict[str, str]) -> RequestConflict | None:
    """The refusal that names the first field that differs."""
    for field, text in now.items():
        there = before.get(field, text)
        if same_name(field, text) != same_name(field, there):
            return RequestConflict(key, field, text[:SHOWN_LETTERS], there[:SHOWN_LETTERS])
    return None
