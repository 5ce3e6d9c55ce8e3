"""Checking a plan: every problem at once, each with its place and what would be right.

``document`` has looked at each value by itself; here stands what values must be to one another. Each question is asked only when
the parts that it is about could be read, so a fault is reported once, where it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise

from rangli.errors import Problem
from rangli.money import BP_PER_ONE, print_percent, print_yuan
from rangli.plan.document import Draft, nearest, read
from rangli.plan.parts import Envelope, Plan, Slide
from rangli.plan.shares import Breach, envelope_breach, flat, form_of, print_rate, rank, shares_breach
from rangli.plan.terms import SHARES_MAX
from rangli.plan.vocabulary import FUND_PREFIX, HOLDERS, party_words


def check(text: str) -> tuple[Plan | None, list[Problem]]:
    """The plan, or None and everything that is wrong with its document, in the order of its lines."""
    draft, problems = read(text)
    if draft is not None:
        problems = [*problems, *(found for ask in _QUESTIONS for found in ask(draft))]
    problems = sorted(problems, key=lambda found: found.line)
    return (None, problems) if draft is None or problems else (draft.plan, [])


def places(plan: Plan) -> list[str]:
    """The paths of all shares, in the order of ``flat``."""
    found = []
    for i, share in enumerate(plan.shares):
        inner = (
            [f"shares[{i}].shares[{j}]" for j in range(len(share.shares))] if isinstance(share, Envelope) else [f"shares[{i}]"]
        )
        found += inner
    return found


# ---------------------------------------------------------------- shares


def _concession(draft: Draft) -> Iterator[Problem]:
    """The range has at least one concession in it."""
    span = draft.plan.concession
    if draft.sound("concession") and span.bp_min > span.bp_max:
        yield draft.problem(
            "concession_range_empty", "concession", low=print_percent(span.bp_min), high=print_percent(span.bp_max)
        )


def _funds(draft: Draft) -> Iterator[Problem]:
    """Funds are declared once, and before they are used."""
    funds = draft.plan.funds
    for i, name in enumerate(funds):
        if draft.sound(f"funds[{i}]") and name in funds[:i]:
            yield draft.problem("duplicate_fund", f"funds[{i}]", name=name)
    if not draft.sound("funds"):
        return
    for share, place in zip(flat(draft.plan), places(draft.plan), strict=True):
        for key, party in (("to", share.to), ("else", share.otherwise)):
            name = party.removeprefix(FUND_PREFIX)
            if party.startswith(FUND_PREFIX) and name not in funds and draft.sound(f"{place}.{key}"):
                yield draft.problem("unknown_fund", f"{place}.{key}", name=name, hint=nearest(name, funds))


def _share_count(draft: Draft) -> Iterator[Problem]:
    """No more shares than the engine's tables have room for."""
    count = len(flat(draft.plan))
    if draft.sound("shares") and count > SHARES_MAX:
        yield draft.problem("too_many_shares", "shares", count=count, most=SHARES_MAX)


def _slides(draft: Draft) -> Iterator[Problem]:
    """A slide goes from a lower concession to a higher one."""
    rates = [(share.rate, f"{place}.rate") for share, place in zip(flat(draft.plan), places(draft.plan), strict=True)]
    rates += [(share.rate, f"shares[{i}].rate") for i, share in enumerate(draft.plan.shares) if isinstance(share, Envelope)]
    rates += [(points.rate, f"points[{i}].rate") for i, points in enumerate(draft.plan.points)]
    for rate, where in rates:
        if isinstance(rate, Slide) and draft.sound(where) and rate.low[0] >= rate.high[0]:
            yield draft.problem("slide_empty", where, low=print_percent(rate.low[0]), high=print_percent(rate.high[0]))


def _holders(draft: Draft) -> Iterator[Problem]:
    """Vouchers go to somebody, and a referrer's referrer is paid only in a network that deep."""
    for share, place in zip(flat(draft.plan), places(draft.plan), strict=True):
        if share.pays == "vouchers" and share.to not in HOLDERS and draft.sound(f"{place}.to"):
            yield draft.problem("vouchers_need_holder", f"{place}.as", party=party_words(share.to))
    paid = [(share.to, f"{place}.to") for share, place in zip(flat(draft.plan), places(draft.plan), strict=True)]
    paid += [(bonus.to, f"bonus[{i}].to") for i, bonus in enumerate(draft.plan.bonus)]
    if draft.sound("network") and draft.plan.network.depth == 1:
        yield from (draft.problem("depth_excludes_referrer2", where) for party, where in paid if party == "referrer2")


def _differentials(draft: Draft) -> Iterator[Problem]:
    """A ladder of region agents: lower ranks first, in one list, one share each."""
    shares, where = flat(draft.plan), places(draft.plan)
    for i, share in enumerate(shares):
        if not share.differential or not draft.sound(f"{where[i]}.to", f"{where[i]}.differential"):
            continue
        if rank(share.to) < 0:
            yield draft.problem("differential_needs_agent", f"{where[i]}.differential")
            continue
        if share.otherwise != "platform":
            yield draft.problem("differential_else", f"{where[i]}.else")
        if sum(other.to == share.to for other in shares) > 1:
            yield draft.problem("differential_twice", f"{where[i]}.to", party=party_words(share.to))
        below = [j for j, other in enumerate(shares) if 0 <= rank(other.to) < rank(share.to)]
        if not below and draft.sound("shares"):
            yield draft.problem("differential_without_lower", f"{where[i]}.differential")
        for j in below:
            if j > i:
                yield draft.problem("differential_out_of_order", f"{where[i]}.differential", lower=party_words(shares[j].to))
            elif where[j].rpartition("[")[0] != where[i].rpartition("[")[0]:
                yield draft.problem("differential_apart", f"{where[i]}.differential", lower=party_words(shares[j].to))


def _fit(draft: Draft) -> Iterator[Problem]:
    """The proof: at every concession of the range the shares fit inside it, and inner shares inside their envelopes.

    A share that could not be read is left out: if the others are too much already, they are so with it.
    """
    earlier = [found.where for ask in _BEFORE_THE_PROOF for found in ask(draft)]
    if not draft.sound("concession") or any(where.startswith(("concession", "shares")) for where in earlier):
        return
    breach = shares_breach(draft.plan)
    if breach is not None:
        yield _say_breach(draft, "shares_exceed_concession", "shares", breach)
    for i, share in enumerate(draft.plan.shares):
        inner = envelope_breach(draft.plan, share) if isinstance(share, Envelope) else None
        if inner is not None:
            yield _say_breach(draft, "envelope_exceeded", f"shares[{i}]", inner)


def _say_breach(draft: Draft, code: str, where: str, breach: Breach) -> Problem:
    """From where a sum passes its budget, and by how much at worst."""
    over = print_rate(breach.worst_over_bp)
    return draft.problem(
        code,
        where,
        at=print_percent(breach.concession_bp),
        worst_at=print_percent(breach.worst_concession_bp),
        sum=print_rate(breach.worst_sum_bp),
        over=over if over != "0%" else "<0.0001%",
    )


# ---------------------------------------------------------------- sections


def _pots(draft: Draft) -> Iterator[Problem]:
    """Packets, pool and release have a share that feeds them, and such a share has its section."""
    plan = draft.plan
    shares, where = flat(plan), places(plan)
    sections = (("packets", "packets", plan.packets), ("pool", "pool", plan.pool), ("dividend", "release", plan.release))
    for party, section, part in sections:
        feeds = [f"{place}.to" for share, place in zip(shares, where, strict=True) if share.to == party]
        feeds += [f"{place}.else" for share, place in zip(shares, where, strict=True) if share.otherwise == party]
        if part is None and draft.sound(section):
            yield from (
                draft.problem("section_missing", feed, party=party_words(party), section=section)
                for feed in feeds
                if draft.sound(feed)
            )
        elif not feeds and draft.sound(section, "shares"):
            yield draft.problem("share_missing", section, party=party_words(party), section=section)


def _points(draft: Draft) -> Iterator[Problem]:
    """Points are priced by a pool or released by period."""
    plan = draft.plan
    if plan.pool is not None and plan.release is not None and draft.sound("pool", "release"):
        yield draft.problem("pool_and_release", "release")
    if plan.points and plan.release is None and draft.sound("points", "release"):
        yield draft.problem("points_without_release", "points")
    if plan.release is not None and not plan.points and draft.sound("points", "release"):
        yield draft.problem("release_without_points", "release")


def _vouchers(draft: Draft) -> Iterator[Problem]:
    """What may be paid with vouchers needs somebody who issues them."""
    plan = draft.plan
    if plan.offset is None or not draft.sound("offset", "shares", "release"):
        return
    if not any(share.pays == "vouchers" for share in flat(plan)) and (plan.release is None or plan.release.pays != "vouchers"):
        yield draft.problem("vouchers_without_source", "offset")


def _tiers(draft: Draft) -> Iterator[Problem]:
    """Tiers do not overlap."""
    packets = draft.plan.packets
    if packets is None:
        return
    rows = {"packets.tiers": packets.tiers_fen}
    rows |= {f"packets.merchant_tiers.{name}": tiers for name, tiers in packets.merchant_tiers_fen.items()}
    for where, tiers in rows.items():
        fall = _first_fall(tiers)
        if draft.sound(where) and fall is not None:
            yield draft.problem("tiers_not_ascending", where, low=print_yuan(fall[0]), high=print_yuan(fall[1]))


def _first_fall(tiers: Sequence[int]) -> tuple[int, int] | None:
    """The first pair of neighbours that does not rise."""
    return next(((a, b) for a, b in pairwise(tiers) if a >= b), None)


def _pool(draft: Draft) -> Iterator[Problem]:
    """The price can rise, and an order does not exit by its own points."""
    plan = draft.plan
    if plan.pool is None:
        return
    if draft.sound("pool.mint") and plan.pool.mint_bp == BP_PER_ONE:
        yield draft.problem("mint_not_below_100", "pool.mint")
    end = plan.pool.exit
    if end is None or not draft.sound("pool", "shares", "concession", "funds"):
        return
    if end.basis == "mint_value":
        # Points minted into an empty pool are worth all of it: what entered, which is value / mint.
        worth = Fraction(BP_PER_ONE * BP_PER_ONE, plan.pool.mint_bp)
    else:
        feeds = [form_of(share.rate) for share in flat(plan) if "pool" in (share.to, share.otherwise)]
        bends = {plan.concession.bp_min, plan.concession.bp_max, *(bend for form in feeds for bend in (form.low, form.high))}
        inside = [c for c in bends if plan.concession.bp_min <= c <= plan.concession.bp_max]
        worth = max((sum((form.bp(c) for form in feeds), Fraction(0)) for c in inside), default=Fraction(0))
    if end.at_bp <= worth:
        yield draft.problem("exit_at_once", "pool.exit.at", at=print_percent(end.at_bp), worth=print_rate(worth))


def _release(draft: Draft) -> Iterator[Problem]:
    """A release ends after it began, and in cash never passes the points that it burns."""
    release = draft.plan.release
    if release is None:
        return
    if draft.sound("release.rate") and release.rate.bp == 0:
        yield draft.problem("release_rate_zero", "release.rate")
    if draft.sound("release.periods", "release.extended"):
        if (release.periods is None) != (release.extended is None):
            yield draft.problem("periods_incomplete", "release.extended" if release.extended is None else "release.periods")
        elif release.periods is not None and release.extended is not None and release.extended < release.periods:
            facts = {"extended": release.extended, "periods": release.periods}
            yield draft.problem("extended_under_periods", "release.extended", **facts)
    if draft.sound("release.multiple", "release.pays") and release.pays == "cash" and release.multiple_bp > BP_PER_ONE:
        yield draft.problem("multiple_over_points", "release.multiple")


_BEFORE_THE_PROOF = (_concession, _share_count, _slides, _differentials)
_QUESTIONS = (
    *_BEFORE_THE_PROOF,
    _fit,
    _funds,
    _holders,
    _pots,
    _points,
    _vouchers,
    _tiers,
    _pool,
    _release,
)
