"""The arithmetic of shares, exact: their linear forms, what a differential leaves, and the proof that they fit.

Every rate is one linear form of the order's concession c (in bp), see ``terms``. So the sum of shares is piecewise
linear in c, with its knots where a slide begins or ends. A differential share is max(0, form - what lower agents took), and an
agents' ladder comes to the greatest of its steps: convex between knots. A convex function is largest at an end, so looking at
the knots decides for the whole range, and where it first passes zero is found by halving.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from fractions import Fraction
from itertools import chain, product
from math import gcd
from typing import Final, NamedTuple, TypeVar

from rangli.money import AMOUNT_FEN_MAX, BP_PER_ONE, INT64_MAX, Ratio, mul_div, print_ratio
from rangli.plan.parts import Envelope, Plan, Rate, Share, Slide
from rangli.plan.vocabulary import AGENTS, FUND_PREFIX, STAND_INS

# The widest product of a compiled form: the paid amount times (constant + slope x c), at most bp x bp of any base.
assert AMOUNT_FEN_MAX * BP_PER_ONE * BP_PER_ONE < INT64_MAX
# The parts of a slide's form, before they are reduced and added.
assert 2 * BP_PER_ONE * BP_PER_ONE < INT64_MAX

ALWAYS_THERE: Final = frozenset({"consumer", *STAND_INS})

Number = TypeVar("Number", int, Fraction)


class Form(NamedTuple):
    """``(constant + slope * clamp(c, low, high)) / den`` bp of the amount; micro of it per fen paid."""

    constant: int
    slope: int
    low: int
    high: int
    den: int

    def num(self, concession_bp: int) -> int:
        """The numerator at this concession."""
        return self.constant + self.slope * min(max(concession_bp, self.low), self.high)

    def bp(self, concession_bp: int) -> Fraction:
        """The exact rate of the amount at this concession, in bp."""
        return Fraction(self.num(concession_bp), self.den)

    def micro(self, paid_fen: int, concession_bp: int) -> int:
        """The amount of an order, rounded down; the platform keeps the remainder."""
        return mul_div(paid_fen, self.num(concession_bp), self.den)


def form_of(rate: Rate | Slide) -> Form:
    """The form of a rate of the amount or of the concession."""
    if isinstance(rate, Slide):
        (c0, r0), (c1, r1) = rate.low, rate.high
        return _reduced(r0 * (c1 - c0) - c0 * (r1 - r0), r1 - r0, c0, c1, c1 - c0)
    if rate.base == "amount":
        return Form(rate.bp, 0, 0, BP_PER_ONE, 1)
    return _reduced(0, rate.bp, 0, BP_PER_ONE, BP_PER_ONE)


def _reduced(constant: int, slope: int, low: int, high: int, den: int) -> Form:
    """The form with the common divisor of its integers taken out."""
    shared = gcd(constant, slope, den)
    return Form(Ratio.of(constant, shared).num, Ratio.of(slope, shared).num, low, high, Ratio.of(den, shared).num)


def flat(plan: Plan) -> tuple[Share, ...]:
    """All shares in order, those inside an envelope in its place."""
    return tuple(chain.from_iterable(share.shares if isinstance(share, Envelope) else (share,) for share in plan.shares))


def is_always_there(party: str) -> bool:
    """Whether every order has this party."""
    return party in ALWAYS_THERE or party.startswith(FUND_PREFIX)


def rank(party: str) -> int:
    """A region agent's rank, from 0 for the district; -1 for all others."""
    return AGENTS.index(party) if party in AGENTS else -1


def lower(shares: Sequence[Share], i: int) -> list[int]:
    """The shares that the differential share ``i`` is less: of agents of lower rank. Empty for all other shares."""
    if not shares[i].differential:
        return []
    return [j for j, share in enumerate(shares) if 0 <= rank(share.to) < rank(shares[i].to)]


def after_differentials(shares: Sequence[Share], amounts: Sequence[Number], there: Collection[str]) -> list[Number]:
    """What each share comes to when these parties are there (docs/rules.md, section 2)."""
    left: list[Number] = []
    for i, amount in enumerate(amounts):
        taken = sum((left[j] for j in lower(shares, i) if j < i and shares[j].to in there), amount - amount)
        left.append(max(amount - taken, amount - amount))
    return left


def print_rate(bp: Fraction) -> str:
    """A rate as a percentage, cut off after four decimals; for reports.

    >>> print_rate(Fraction(3000)), print_rate(Fraction(425, 6))
    ('30%', '0.7083%')
    """
    text = print_ratio(bp.numerator, bp.denominator * 100, 4)
    return f"{text.rstrip('0').rstrip('.')}%"


# ---------------------------------------------------------------- the proof


class Breach(NamedTuple):
    """Where a sum first passes its budget, and where it does so most; sums in bp of the amount."""

    concession_bp: int
    worst_concession_bp: int
    worst_sum_bp: Fraction
    worst_over_bp: Fraction


def worst_bp(shares: Sequence[Share], concession_bp: int) -> Fraction:
    """The most that the shares can hand out, in bp of the amount, whichever agents are there.

    An agent who is missing saves a share only if the platform stands in, and makes a higher agent's differential larger, so every
    set of agents is looked at. Other parties take their share or someone stands in; being there is their worst case.
    """
    amounts = [form_of(share.rate).bp(concession_bp) for share in shares]
    if not any(share.differential for share in shares):
        return sum(amounts, Fraction(0))
    agents = sorted({share.to for share in shares if rank(share.to) >= 0})
    sums = []
    for presence in product((True, False), repeat=len(agents)):
        there = {agent for agent, is_there in zip(agents, presence, strict=True) if is_there}
        left = after_differentials(shares, amounts, there)
        paid = (
            bp
            for share, bp in zip(shares, left, strict=True)
            if share.to not in agents or share.to in there or share.otherwise != "platform"
        )
        sums.append(sum(paid, Fraction(0)))
    return max(sums)


def shares_breach(plan: Plan) -> Breach | None:
    """Whether the shares pass the concession anywhere in the range; an envelope counts whole."""
    direct = [share for share in plan.shares if isinstance(share, Share)]
    envelopes = [form_of(share.rate) for share in plan.shares if isinstance(share, Envelope)]

    def handed_out(concession_bp: int) -> Fraction:
        return worst_bp(direct, concession_bp) + sum((form.bp(concession_bp) for form in envelopes), Fraction(0))

    forms = [*envelopes, *(form_of(share.rate) for share in direct)]
    return _breach(handed_out, Fraction, knots_of(plan, forms))


def envelope_breach(plan: Plan, envelope: Envelope) -> Breach | None:
    """Whether the shares inside pass the envelope anywhere in the range."""
    budget = form_of(envelope.rate)

    def handed_out(concession_bp: int) -> Fraction:
        return worst_bp(envelope.shares, concession_bp)

    forms = [budget, *(form_of(share.rate) for share in envelope.shares)]
    return _breach(handed_out, budget.bp, knots_of(plan, forms))


def knots_of(plan: Plan, forms: Iterable[Form]) -> list[int]:
    """The concessions at which a line may bend, ends of the range included."""
    first, last = plan.concession.bp_min, plan.concession.bp_max
    bends = {bend for form in forms for bend in (form.low, form.high) if first < bend < last}
    return sorted({first, last} | bends)


def _breach(handed_out: Callable[[int], Fraction], budget: Callable[[int], Fraction], knots: Sequence[int]) -> Breach | None:
    """The breach of a sum that is convex between knots, over a budget that is linear between them."""

    def over(concession_bp: int) -> Fraction:
        return handed_out(concession_bp) - budget(concession_bp)

    excess = [over(knot) for knot in knots]
    if max(excess) <= 0:
        return None
    worst = max(excess)
    i = next(i for i, value in enumerate(excess) if value > 0)
    first = knots[i] if i == 0 else _first_over(over, knots[i - 1], knots[i])
    worst_at = knots[excess.index(worst)]
    return Breach(first, worst_at, handed_out(worst_at), worst)


def _first_over(over: Callable[[int], Fraction], fits: int, breaks: int) -> int:
    """The lowest concession that breaks, between one that fits and a later one that breaks."""
    while breaks - fits > 1:
        middle = mul_div(fits + breaks, 1, 2)
        if over(middle) > 0:
            breaks = middle
        else:
            fits = middle
    return breaks
