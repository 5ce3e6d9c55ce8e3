"""What a plan pays for whom, promises and sets aside at most, read off its document: the figures that the guards judge.

Everything is exact: rates are fractions of a basis point of the amount, looked at wherever the shares may bend.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from rangli.money import BP_PER_ONE, mul_div
from rangli.plan.check import places
from rangli.plan.parts import Bonus, Plan, Rate, Share, Slide
from rangli.plan.shares import flat, form_of, knots_of, lower

UPLINES = ("referrer", "referrer2")
"""Whoever is paid for a consumer that he bound, nearest first."""


class Place(NamedTuple):
    """A figure and the clause of the document that it comes from."""

    figure: Fraction
    clause: str


class Promise(NamedTuple):
    """What an order of one concession promises and what it sets aside for it, in bp of the amount."""

    promised_bp: Fraction
    funded_bp: Fraction
    clause: str
    in_cash: bool

    @property
    def ratio_bp(self) -> Fraction | None:
        """Promised in parts of what is funded; None when something is promised and nothing set aside."""
        if not self.funded_bp:
            return None if self.promised_bp else Fraction(0)
        return self.promised_bp * BP_PER_ONE * Fraction(1, self.funded_bp)

    @property
    def short_bp(self) -> Fraction:
        """Promised and not set aside."""
        return max(self.promised_bp - self.funded_bp, Fraction(0))


def placed(plan: Plan) -> Iterator[tuple[Share, str]]:
    """Every share that can come to something, with its path."""
    for share, where in zip(flat(plan), places(plan), strict=True):
        if any(form_of(share.rate).bp(bp) > 0 for bp in concessions(plan, [share.rate])):
            yield share, where


def concessions(plan: Plan, rates: list[Rate | Slide]) -> list[int]:
    """The concessions at which one has to look: ends of the range, and bends of these rates inside it."""
    return knots_of(plan, [form_of(rate) for rate in rates])


def upline(plan: Plan) -> tuple[int, str]:
    """How many levels of referrers are paid, and the clause that pays the highest."""
    paid = [(share.to, f"{where}.to") for share, where in placed(plan)]
    paid += [(bonus.to, f"bonus[{i}].to") for i, bonus in enumerate(plan.bonus)]
    for depth, party in reversed(list(enumerate(UPLINES, 1))):
        clause = next((where for to, where in paid if to == party), None)
        if clause is not None:
            return depth, clause
    return 0, ""


def ladder(plan: Plan) -> tuple[int, str]:
    """How many ranks a differential ladder pays, each by what those below it took, and the clause of the highest."""
    shares, where = flat(plan), places(plan)
    ranks = [(len({shares[j].to for j in lower(shares, i)}) + 1, f"{where[i]}.differential") for i in range(len(shares))]
    return max((rank for rank in ranks if rank[0] > 1), default=(0, ""))


def bounties(plan: Plan) -> Iterator[tuple[Bonus, str]]:
    """Bonuses of the one for bringing another, with their clauses. A bonus for one's own first order is none."""
    for i, bonus in enumerate(plan.bonus):
        if bonus.to != bonus.once_per:
            yield bonus, f"bonus[{i}]"


def promises(plan: Plan) -> list[Promise]:
    """What one order promises by its points, wherever one has to look; empty for a plan that promises only what it holds."""
    if plan.release is not None:
        return _promises_of_release(plan)
    if plan.pool is not None and plan.pool.exit is not None:
        return _promises_of_pool(plan)
    return []


def worst_promise(plan: Plan) -> Promise | None:
    """The promise that is furthest from its funds in proportion: first of all one without any, of equal ones the greater."""
    return max(promises(plan), key=_apart, default=None)


def _apart(found: Promise) -> tuple[bool, Fraction, Fraction]:
    ratio = found.ratio_bp
    return (ratio is None, ratio or Fraction(0), found.promised_bp)


def _promises_of_release(plan: Plan) -> list[Promise]:
    """Points times the multiple, against the dividend share."""
    assert plan.release is not None
    rates = [line.rate for line in plan.points]
    funds = [share.rate for share in flat(plan) if share.to == "dividend"]
    most = Fraction(plan.release.multiple_bp, BP_PER_ONE)
    in_cash = plan.release.pays == "cash"
    return [
        Promise(_sum(rates, at) * most, _sum(funds, at), "release.multiple", in_cash) for at in concessions(plan, rates + funds)
    ]


def _promises_of_pool(plan: Plan) -> list[Promise]:
    """The exit, against the pool share."""
    assert plan.pool is not None
    funds = [share.rate for share in flat(plan) if share.to == "pool"]
    return [Promise(_exit_bp(plan, at), _sum(funds, at), "pool.exit.at", in_cash=True) for at in concessions(plan, funds)]


def _exit_bp(plan: Plan, concession_bp: int) -> Fraction:
    """At which worth a member is sold out, in bp of the amount."""
    assert plan.pool is not None
    assert plan.pool.exit is not None
    end = plan.pool.exit
    if end.basis == "spend":
        return Fraction(end.at_bp)
    inflow = _sum([share.rate for share in flat(plan) if share.to == "pool"], concession_bp)
    return inflow * Fraction(plan.pool.mint_bp * end.at_bp, BP_PER_ONE * BP_PER_ONE)


def _sum(rates: list[Rate | Slide], concession_bp: int) -> Fraction:
    return sum((form_of(rate).bp(concession_bp) for rate in rates), Fraction(0))


def benefit(plan: Plan) -> Place | None:
    """The most that one order may bring its parties, in bp of what was spent, with its greatest part's clause; None: no end."""
    if plan.pool is not None and plan.pool.exit is None:
        return None
    own = [(share.rate, where) for share, where in placed(plan) if share.to == "consumer"]
    rates = [line.rate for line in plan.points] + [share.rate for share in flat(plan) if share.to == "pool"]
    found = []
    for at in concessions(plan, [rate for rate, _ in own] + rates):
        parts = [Place(form_of(rate).bp(at), where) for rate, where in own]
        if plan.packets is not None:
            parts.append(Place(Fraction(plan.packets.exit.received_bp), "packets.exit.received"))
        if plan.release is not None:
            most = Fraction(plan.release.multiple_bp, BP_PER_ONE)
            parts.append(Place(_sum([line.rate for line in plan.points], at) * most, "release.multiple"))
        if plan.pool is not None:
            parts.append(Place(_exit_bp(plan, at), "pool.exit.at"))
        greatest = max(parts, default=Place(Fraction(0), ""))
        found.append(Place(sum((part.figure for part in parts), Fraction(0)), greatest.clause))
    return max(found)


def has_chance(plan: Plan) -> bool:
    """Whether packets are drawn; one to the head of the queue is not, since it takes the whole issue."""
    return plan.packets is not None and plan.packets.per_order > 1


def largest_packet_fen(plan: Plan) -> int | None:
    """The most that one packet can be: all the room that the largest order leaves; None when there is no largest order."""
    assert plan.packets is not None
    if plan.law is None or plan.law.order_fen_max is None:
        return None
    return mul_div(plan.law.order_fen_max, plan.packets.exit.received_bp, BP_PER_ONE)


def issues_vouchers(plan: Plan) -> bool:
    """Whether anybody gets vouchers."""
    released = plan.release is not None and plan.release.pays == "vouchers"
    return released or any(share.pays == "vouchers" for share, _ in placed(plan))


def cashed_points(plan: Plan) -> str:
    """The clause by which points become cash; empty for none."""
    if plan.pool is not None:
        return "pool.pays"
    return "release.pays" if plan.release is not None and plan.release.pays == "cash" else ""


def pays_consumers_cash(plan: Plan) -> bool:
    """Whether a consumer gets cash for his own orders."""
    own = any(share.to == "consumer" and share.pays == "cash" for share, _ in placed(plan))
    return own or plan.packets is not None or bool(cashed_points(plan))
