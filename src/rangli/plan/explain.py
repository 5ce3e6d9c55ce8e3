"""Explaining: who gets what of one order, as exact lines and in words. Plain integers; the engine is not asked."""

from __future__ import annotations

from collections.abc import Collection
from fractions import Fraction
from typing import NamedTuple

from rangli.errors import InputRefused
from rangli.money import AMOUNT_FEN_MAX, BP_PER_ONE, print_micro, print_percent, print_yuan
from rangli.plan.compile import CompiledPlan
from rangli.plan.parts import Plan, Rate, Share
from rangli.plan.shares import after_differentials, flat, form_of, is_always_there, print_rate
from rangli.plan.story import story
from rangli.plan.vocabulary import FUND_PREFIX, HOLDERS, party_words


class Line(NamedTuple):
    """What one share of the order came to, and who took it."""

    party: str
    """Who took it; the ``else`` party if the share's own was not there."""
    base: str
    """``amount`` or ``concession``; empty for what is left to the platform."""
    rate: str
    """The rate that was paid, as ``50%``; empty for what is left."""
    amount_micro: int
    destination: str
    """An account path, with placeholders for names."""
    zh: str
    en: str


class Explanation(NamedTuple):
    """One order under a plan. The lines add up to the concession."""

    paid_fen: int
    concession_bp: int
    concession_micro: int
    lines: tuple[Line, ...]
    zh: tuple[str, ...]
    """What happens, a paragraph each."""
    en: tuple[str, ...]


def explain(compiled: CompiledPlan, paid_fen: int, concession_bp: int, present: Collection[str] | None = None) -> Explanation:
    """Who gets what of an order of this amount and concession.

    present : the parties that the order has besides consumer and merchant; None for all

    Raises InputRefused for an amount or a concession outside the limits, or a party that there is not.
    """
    plan = compiled.plan
    there = _parties(present)
    _refuse_out_of_range(plan, paid_fen, concession_bp)
    shares = flat(plan)
    forms = [form_of(share.rate) for share in shares]
    amounts = after_differentials(shares, [form.micro(paid_fen, concession_bp) for form in forms], there)
    rates = after_differentials(shares, [form.bp(concession_bp) for form in forms], there)
    lines = [
        _line(share, micro, rate, concession_bp, there=share.to in there or is_always_there(share.to))
        for share, micro, rate in zip(shares, amounts, rates, strict=True)
    ]
    concession_micro = paid_fen * concession_bp
    left = concession_micro - sum(line.amount_micro for line in lines)
    assert left >= 0, "the shares of a checked plan fit inside the concession"
    of_amount = print_rate(Fraction(left, paid_fen))
    words = f"余下归平台,合实付的 {of_amount}", f"what is left is the platform's: {of_amount} of the amount"
    lines.append(Line("platform", "", "", left, "platform:surplus", *words))
    zh, en = story(plan, paid_fen, concession_bp, there, _taken(lines))
    opening = _opening(paid_fen, concession_bp, lines)
    return Explanation(paid_fen, concession_bp, concession_micro, tuple(lines), (opening[0], *zh), (opening[1], *en))


def _parties(present: Collection[str] | None) -> set[str]:
    """The parties that are there, consumer and merchant always among them."""
    unknown = sorted(set(present or ()) - set(HOLDERS))
    if unknown:
        raise InputRefused(
            f"没有 {unknown[0]!r} 这一方;订单的各方有 {', '.join(HOLDERS)}",
            f"there is no party {unknown[0]!r}; an order has {', '.join(HOLDERS)}",
        )
    return set(HOLDERS) if present is None else {"consumer", "merchant", *present}


def _refuse_out_of_range(plan: Plan, paid_fen: int, concession_bp: int) -> None:
    """Refuse what no order of the plan can be."""
    if not 1 <= paid_fen <= AMOUNT_FEN_MAX:
        amount, least, most = print_yuan(paid_fen), print_yuan(1), print_yuan(AMOUNT_FEN_MAX)
        raise InputRefused(
            f"金额 {amount} 元超出范围,应在 {least} 到 {most} 元之间",
            f"the amount {amount} is out of range; an order is of {least} to {most} yuan",
        )
    low, high = print_percent(plan.concession.bp_min), print_percent(plan.concession.bp_max)
    if not plan.concession.bp_min <= concession_bp <= plan.concession.bp_max:
        raise InputRefused(
            f"让利 {print_percent(concession_bp)} 不在方案的范围 {low} 到 {high} 之内",
            f"a concession of {print_percent(concession_bp)} is outside the plan's range of {low} to {high}",
        )


def _line(share: Share, micro: int, rate: Fraction, concession_bp: int, *, there: bool) -> Line:
    """The line of one share."""
    taker = share.to if there else share.otherwise
    base = share.rate.base
    if isinstance(share.rate, Rate) and not share.differential:
        percent = print_percent(share.rate.bp)
    elif base == "amount":
        percent = print_rate(rate)
    else:
        percent = print_rate(rate * Fraction(BP_PER_ONE, max(concession_bp, 1)))
    (zh, en), (base_zh, base_en) = party_words(share.to), _BASES[base]
    zh, en = f"{zh}:{base_zh}的 {percent}", f"{en}: {percent} of {base_en}"
    if share.differential:
        zh, en = f"{zh}(级差后)", f"{en}, after lower agents"
    vouchers = there and share.pays == "vouchers"
    if vouchers:
        zh, en = f"{zh},发券", f"{en}, in vouchers"
    if not there:
        instead = party_words(taker)
        zh, en = f"{zh};不在,归{instead[0]}", f"{en}; not there, so it goes to {instead[1]}"
    return Line(taker, base, percent, micro, destination(taker, vouchers=vouchers), zh, en)


_BASES = {"amount": ("实付", "the amount"), "concession": ("让利", "the concession")}


def destination(party: str, *, vouchers: bool = False) -> str:
    """The account that a party is paid into, with placeholders for names (docs/rules.md, section 1)."""
    pocket = "vouchers" if vouchers else "wallet"
    if party.startswith(FUND_PREFIX):
        return f"programme:fund:{party.removeprefix(FUND_PREFIX)}"
    if party.startswith("agent.") or party == "recruiter":
        return f"agent:<{party}>:{pocket}"
    return {
        "consumer": f"consumer:<consumer>:{pocket}",
        "merchant": f"merchant:<merchant>:{'vouchers' if vouchers else 'income'}",
        "referrer": f"consumer:<referrer>:{pocket}",
        "referrer2": f"consumer:<referrer2>:{pocket}",
        "packets": "programme:packets:<merchant>:<tier>",
        "pool": "programme:pool",
        "dividend": "programme:dividend",
        "platform": "platform:surplus",
    }[party]


def _taken(lines: Collection[Line]) -> dict[str, int]:
    """What each party took of the order, in micro."""
    taken: dict[str, int] = {}
    for line in lines:
        taken[line.party] = taken.get(line.party, 0) + line.amount_micro
    return taken


def _opening(paid_fen: int, concession_bp: int, lines: Collection[Line]) -> tuple[str, str]:
    """The first paragraph: the order, and who gets how much of its concession."""
    micro, percent = print_micro(paid_fen * concession_bp), print_percent(concession_bp)
    taken = _taken(lines).items()
    zh = "、".join(f"{party_words(party)[0]} {print_micro(amount)} 元" for party, amount in taken)
    en = ", ".join(f"{party_words(party)[1]} {print_micro(amount)}" for party, amount in taken)
    paid = print_yuan(paid_fen)
    return (
        f"消费者实付 {paid} 元,商家让利 {percent},即 {micro} 元。其中:{zh}。",
        f"The consumer pays {paid} yuan, and the merchant gives up {percent} of it, {micro} yuan. Of this: {en}.",
    )
