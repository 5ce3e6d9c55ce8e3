"""Drawn plans and orders: what the engine and the oracle are both asked about.

A plan is drawn as facts. From the facts stand two independent spellings: ``document``, the text that a designer would write, and
``meaning``, the dict that the oracle takes. An order is drawn as one number that seeds each of its fields, so that
drawing is fast and a stream shrinks to a few orders.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from random import Random
from typing import Any, Final, NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from oracle import Plan

WORLDS: Final = settings(max_examples=min(40, settings.default.max_examples))  # type: ignore[union-attr]
"""A world is sixty orders, so a few of them are many examples."""
FIRST_DAY: Final = date(2026, 1, 5)
SECRET: Final = bytes(range(32))
AMOUNT_FEN_MAX: Final = 10**10
AGENTS: Final = ("agent.district", "agent.city", "agent.province", "agent.region")


class RateFacts(NamedTuple):
    """A rate: ``bp`` of the amount or the concession, or (slide) of the amount from one corner to another."""

    of: str
    bp: int = 0
    low: tuple[int, int] | None = None
    high: tuple[int, int] | None = None


class ShareFacts(NamedTuple):
    """One share."""

    to: str
    rate: RateFacts
    otherwise: str = "platform"
    vouchers: bool = False
    differential: bool = False


class PacketFacts(NamedTuple):
    """Red packets."""

    per_order: int
    tiers_fen: tuple[int, ...] = ()
    merchant_tiers_fen: tuple[int, ...] | None = None
    """Those of merchant N."""
    exit_packets: int | None = None
    received_bp: int = 10_000
    skip_own: bool = False


class PoolFacts(NamedTuple):
    """The priced pool."""

    mint_bp: int
    pays_bp: int
    opening_fen: int = 100
    exit_bp: int = 0
    by_order: bool = False
    basis_mint: bool = False


class ReleaseFacts(NamedTuple):
    """Points and their release."""

    points: tuple[tuple[str, RateFacts], ...]
    rate_bp: int
    growth_bp: int | None = None
    days: int = 30
    ages: tuple[int, int] | None = None
    """Periods promised and extended."""
    multiple_bp: int = 10_000
    of_balance: bool = False
    cash: bool = False


class PlanFacts(NamedTuple):
    """A whole plan."""

    concession: tuple[int, int]
    shares: tuple[ShareFacts, ...]
    envelope: bool = False
    """The agents' shares stand inside an envelope."""
    packets: PacketFacts | None = None
    pool: PoolFacts | None = None
    release: ReleaseFacts | None = None
    bonus: tuple[tuple[str, int, str], ...] = ()
    offset_bp: int = 0


FUNDS: Final = ("charity", "团队")

# ---------------------------------------------------------------- as a designer writes it


def _percent(bp: int) -> str:
    return f"{bp // 100}.{bp % 100:02d}%"


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"


def _rate(rate: RateFacts) -> str:
    if rate.of != "slide":
        return f"{_percent(rate.bp)} of {rate.of}"
    assert rate.low is not None
    assert rate.high is not None
    corners = [f"[{_percent(c)}, {_percent(r)}]" for c, r in (rate.low, rate.high)]
    return f"{{of: amount, by: concession, from: {corners[0]}, to: {corners[1]}}}"


def _party(party: str) -> str:
    return f"fund.{party}" if party in FUNDS else party


def _share(share: ShareFacts) -> str:
    fields = [f"to: {_party(share.to)}", f"rate: {_rate(share.rate)}", f"else: {_party(share.otherwise)}"]
    fields += ["as: vouchers"] if share.vouchers else []
    fields += ["differential: true"] if share.differential else []
    return "{" + ", ".join(fields) + "}"


def _shares(facts: PlanFacts) -> list[str]:
    """The lines of the shares; an envelope stands where its first agent does."""
    if not facts.envelope:
        return [f"  - {_share(share)}" for share in facts.shares]
    inside = [share for share in facts.shares if share.to in AGENTS]
    budget = RateFacts(inside[0].rate.of, sum(share.rate.bp for share in inside))
    lines = []
    for share in facts.shares:
        if share.to not in AGENTS:
            lines.append(f"  - {_share(share)}")
        elif share is inside[0]:
            lines += ["  - envelope: regions", f"    rate: {_rate(budget)}", "    shares:"]
            lines += [f"      - {_share(inner)}" for inner in inside]
    return lines


def _packets(packets: PacketFacts) -> list[str]:
    def tiers(bounds_fen: tuple[int, ...]) -> str:
        return "[" + ", ".join(map(_yuan, bounds_fen)) + "]"

    ends = [f"received: {_percent(packets.received_bp)}"]
    ends += [f"packets: {packets.exit_packets}"] if packets.exit_packets else []
    lines = [
        "packets:",
        f"  per_order: {packets.per_order}",
        f"  tiers: {tiers(packets.tiers_fen)}",
        f"  exit: {{{', '.join(ends)}}}",
    ]
    if packets.merchant_tiers_fen is not None:
        lines.append(f"  merchant_tiers: {{{json.dumps(MERCHANTS[1])}: {tiers(packets.merchant_tiers_fen)}}}")
    return [*lines, f"  own_orders: {'skip' if packets.skip_own else 'count'}"]


def _pool(pool: PoolFacts) -> list[str]:
    lines = ["pool:", f"  mint: {_percent(pool.mint_bp)}", f"  pays: {_percent(pool.pays_bp)}"]
    lines.append(f"  opening_price: {_yuan(pool.opening_fen)}")
    if pool.exit_bp:
        scope, basis = "order" if pool.by_order else "member", "mint_value" if pool.basis_mint else "spend"
        lines.append(f"  exit: {{at: {_percent(pool.exit_bp)}, scope: {scope}, basis: {basis}}}")
    return lines


def _release(release: ReleaseFacts) -> list[str]:
    lines = ["points:", *(f"  - {{to: {party}, rate: {_rate(rate)}}}" for party, rate in release.points)]
    growth = "" if release.growth_bp is None else f"growth: {_percent(release.growth_bp)}, "
    lines += ["release:", f"  rate: {_percent(release.rate_bp)} of {'balance' if release.of_balance else 'points'}"]
    lines += [f"  close: {{{growth}days: {release.days}}}", f"  multiple: {_yuan(release.multiple_bp // 100)}"]
    if release.ages:
        lines += [f"  periods: {release.ages[0]}", f"  extended: {release.ages[1]}"]
    return [*lines, f"  pays: {'cash' if release.cash else 'vouchers'}"]


def document(facts: PlanFacts) -> str:
    """The plan as a document."""
    low, high = facts.concession
    lines = ["plan: drawn", "title: {zh: 试, en: drawn}", f"concession: {{min: {_percent(low)}, max: {_percent(high)}}}"]
    lines += [f"funds: [{', '.join(FUNDS)}]", "shares:" if facts.shares else "shares: []", *_shares(facts)]
    lines += _packets(facts.packets) if facts.packets else []
    lines += _pool(facts.pool) if facts.pool else []
    lines += _release(facts.release) if facts.release else []
    lines += ["bonus:"] if facts.bonus else []
    lines += [f"  - {{to: {to}, amount: {_yuan(fen)}, once_per: {once}}}" for to, fen, once in facts.bonus]
    lines += [f"offset: {{vouchers: {_percent(facts.offset_bp)}}}"] if facts.offset_bp else []
    return "\n".join(lines) + "\n"


# ---------------------------------------------------------------- as the oracle takes it


def _entry(to: str, rate: RateFacts) -> dict[str, Any]:
    if rate.of == "slide":
        return {"to": to, "of": "amount", "from": rate.low, "upto": rate.high}
    return {"to": to, "of": rate.of, "rate": rate.bp}


def meaning(facts: PlanFacts) -> Plan:
    """The plan as the oracle takes it."""
    shares = [
        {
            **_entry(share.to, share.rate),
            "else": share.otherwise,
            "as": "vouchers" if share.vouchers else "cash",
            "differential": share.differential,
        }
        for share in facts.shares
    ]
    plan: Plan = {"concession": facts.concession, "shares": shares, "funds": FUNDS, "offset_bp": facts.offset_bp}
    plan["bonus"] = [{"to": to, "amount_fen": fen, "once_per": once} for to, fen, once in facts.bonus]
    if facts.packets:
        own = facts.packets.merchant_tiers_fen
        plan["packets"] = {
            "per_order": facts.packets.per_order,
            "tiers_fen": facts.packets.tiers_fen,
            "merchant_tiers": {} if own is None else {MERCHANTS[1]: own},
            "exit_packets": facts.packets.exit_packets,
            "exit_received_bp": facts.packets.received_bp,
            "own_orders": "skip" if facts.packets.skip_own else "count",
        }
    if facts.pool:
        plan["pool"] = {
            "mint_bp": facts.pool.mint_bp,
            "pays_bp": facts.pool.pays_bp,
            "opening_price": (facts.pool.opening_fen, 100),
            "exit_bp": facts.pool.exit_bp,
            "exit_scope": "order" if facts.pool.by_order else "member",
            "exit_basis": "mint_value" if facts.pool.basis_mint else "spend",
        }
    if facts.release:
        plan["points"] = [_entry(party, rate) for party, rate in facts.release.points]
        plan["release"] = {
            "rate": facts.release.rate_bp,
            "of": "balance" if facts.release.of_balance else "growth",
            "growth_bp": 0 if facts.release.growth_bp is None else 10_000 + facts.release.growth_bp,
            "days": facts.release.days,
            "extended": facts.release.ages[1] if facts.release.ages else 0,
            "multiple_bp": facts.release.multiple_bp,
            "pays": "cash" if facts.release.cash else "vouchers",
        }
    return plan


# ---------------------------------------------------------------- drawn plans

KINDS: Final = ("shares", "packets", "pool", "release", "packets+pool", "packets+release")
POTS: Final = {"packets": "packets", "pool": "pool", "release": "dividend"}
CONCESSIONS: Final = ((600, 3000), (2000, 2000), (1000, 9999), (0, 10_000), (10_000, 10_000), (333, 777), (1, 1), (0, 1))


def _parts_of(budget: int, weights: list[int]) -> list[int]:
    """Parts of a budget by weight, rounded down."""
    return [budget * weight // max(sum(weights), 1) for weight in weights]


@st.composite
def share_lists(draw: st.DrawFn, low: int, pots: list[str], *, vouchers: bool) -> list[ShareFacts]:
    """Shares that fit inside any concession from ``low`` on; the pots are fed, agents stand in order of rank."""
    others = ["referrer", "referrer2", "recruiter", "consumer", "merchant", "platform", *FUNDS]
    agents = draw(st.sampled_from([(), AGENTS, AGENTS[:1], AGENTS[1:3], AGENTS[::3]]))
    parties = [*pots, *draw(st.lists(st.sampled_from(others), max_size=5)), *agents]
    of_concession = draw(st.sampled_from([10_000, 5000, 9999, 8000, 1, 0]))
    weights = [draw(st.sampled_from([1, 7, 1000, 100, 0] if party in pots else [1, 2, 0, 7])) for party in parties]
    agents_slide = draw(st.booleans())
    styles = [draw(st.sampled_from(["concession", "concession", "amount", "slide"])) if p not in agents else "" for p in parties]
    agent_style = "amount" if agents_slide else "concession"
    styles = [style or agent_style for style in styles]
    rates = _parts_of(of_concession, [w if s == "concession" else 0 for w, s in zip(weights, styles, strict=True)])
    left = low * (10_000 - sum(rates)) // 10_000
    flat = _parts_of(left, [0 if s == "concession" else w for w, s in zip(weights, styles, strict=True)])
    shares = []
    for i, (party, style) in enumerate(zip(parties, styles, strict=True)):
        rate = RateFacts(style, rates[i] if style == "concession" else flat[i])
        if style == "slide":
            ends = draw(st.sampled_from([(0, 1), (0, 10_000), (600, 3000), (9000, 10_000), (1000, 1007)]))
            corner = draw(st.integers(0, flat[i]))
            corners = draw(st.permutations([corner, flat[i]]))
            rate = RateFacts("slide", 0, (ends[0], corners[0]), (ends[1], corners[1]))
        holder = party not in (*pots, "platform", *FUNDS)
        differential = party in agents[1:] and draw(st.booleans())
        instead = "platform" if differential else draw(st.sampled_from(["platform", "charity", "merchant", *pots]))
        shares.append(ShareFacts(party, rate, instead, vouchers and holder and draw(st.booleans()), differential))
    return shares


PACKET_PLANS: Final = st.builds(
    PacketFacts,
    per_order=st.sampled_from([2, 1, 3, 20, 100]),
    tiers_fen=st.sampled_from([(), (), (100,), (1, 2, 3000), (10_000, 20_000, 50_000), tuple(range(1, 16))]),
    merchant_tiers_fen=st.sampled_from([None, (), (50,), (1, 1000, 10**9)]),
    exit_packets=st.sampled_from([20, None, 1, 2]),
    received_bp=st.sampled_from([10_000, 5000, 9999, 1]),
    skip_own=st.booleans(),
)


@st.composite
def pool_plans(draw: st.DrawFn, high: int) -> PoolFacts:
    """A pool whose exit does not come at once."""
    mint_bp = draw(st.sampled_from([7000, 9999, 5000, 101]))
    basis_mint = draw(st.booleans())
    first = 10**8 // mint_bp + 1 if basis_mint else high + 1
    exit_bp = draw(st.sampled_from([0, first, first + 1, max(first, 12_000), 999_999]))
    return PoolFacts(
        mint_bp,
        draw(st.sampled_from([8000, 10_000, 1, 5000])),
        draw(st.sampled_from([100, 1, 33, 100_000_000])),
        exit_bp,
        exit_bp > 0 and draw(st.booleans()),
        exit_bp > 0 and basis_mint,
    )


@st.composite
def release_plans(draw: st.DrawFn) -> ReleaseFacts:
    """A release of any kind."""
    rates = st.sampled_from(
        [RateFacts("concession", 10_000), RateFacts("amount", 10_000), RateFacts("concession", 1), RateFacts("amount", 7)]
    )
    parties = draw(st.sampled_from([("consumer", "merchant"), ("consumer",), ("merchant", "consumer", "consumer")]))
    cash = draw(st.booleans())
    age = draw(st.sampled_from([0, 1, 2, 5]))
    return ReleaseFacts(
        points=tuple((party, draw(rates)) for party in parties),
        rate_bp=draw(st.sampled_from([50, 5, 3333, 10_000, 1])),
        of_balance=draw(st.booleans()),
        growth_bp=draw(st.sampled_from([None, 1500, 0, 100_000])),
        days=draw(st.sampled_from([30, 1, 2])),
        ages=(age, age + draw(st.sampled_from([0, 1]))) if age else None,
        multiple_bp=10_000 if cash else draw(st.sampled_from([50_000, 10_000, 1_000_000, 5000, 100])),
        cash=cash,
    )


@st.composite
def plans(draw: st.DrawFn, kinds: tuple[str, ...] = KINDS) -> PlanFacts:
    """A plan of one of these kinds that passes its check."""
    kind = draw(st.sampled_from(kinds)).split("+")
    low, high = draw(st.sampled_from(CONCESSIONS))
    release = draw(release_plans()) if "release" in kind else None
    vouchers = draw(st.booleans())
    shares = draw(share_lists(low, [POTS[part] for part in kind if part in POTS], vouchers=vouchers))
    issued = any(share.vouchers for share in shares) or (release is not None and not release.cash)
    agents = [share for share in shares if share.to in AGENTS]
    bonus = st.tuples(
        st.sampled_from(["recruiter", "consumer", "referrer2", "agent.city", "merchant"]),
        st.sampled_from([5000, 1, AMOUNT_FEN_MAX]),
        st.sampled_from(["merchant", "consumer"]),
    )
    return PlanFacts(
        concession=(low, high),
        shares=tuple(shares),
        envelope=bool(agents) and draw(st.booleans()),
        packets=draw(PACKET_PLANS) if "packets" in kind else None,
        pool=draw(pool_plans(high)) if "pool" in kind else None,
        release=release,
        bonus=tuple(draw(st.lists(bonus, max_size=3))),
        offset_bp=draw(st.sampled_from([10_000, 0, 5000, 1])) if issued else 0,
    )


# ---------------------------------------------------------------- drawn orders

CONSUMERS: Final = ("A", "B", "C", "老王:面馆 100%", "tab\t\x85")
MERCHANTS: Final = ("M", "N", "A", "a:b")
SOMEBODY: Final = (None, "A", "R", "merchant:M", "consumer:C", "agent:a:b", "other:x", "merchant:new")
AGENT_NAMES: Final = (None, "D", "R", "agent:D")
DAYS_AHEAD: Final = (0, 0, 0, 1, 0, 1, 30, 2, -1, 5, 100)
EDGES: Final = (1, 2, 3, 10_000, 10_001, 100, 20_000, 20_001, 50_001, 10**6, AMOUNT_FEN_MAX, AMOUNT_FEN_MAX - 1)
REFUSED_AMOUNTS: Final = (0, -1, AMOUNT_FEN_MAX + 1)


class Asked(NamedTuple):
    """An order as it is asked for; ``voucher_permille`` of what its consumer could use, 1001 for one fen more."""

    days_ahead: int
    paid_fen: int
    concession_bp: int
    names: tuple[str | None, ...]
    """Consumer, merchant, referrer, referrer2, recruiter, agents of district, city, province and region."""
    voucher_permille: int = 0


class Sale(NamedTuple):
    """A consumer sells this much of its points; 1001 for more than it has."""

    consumer: str
    permille: int


class Injection(NamedTuple):
    """Funds for the pool."""

    micro: int


Action = Asked | Sale | Injection


AMOUNTS_OF_A_WORLD: Final = (
    lambda chance: chance.choice((10_000, 100, 20_000)),
    lambda chance: chance.randint(1, 5),
    lambda chance: chance.randint(1, 10**6),
    lambda chance: chance.choice(EDGES),
    lambda chance: chance.choice((1, 7, 100, 10_000, AMOUNT_FEN_MAX)),
)
"""What orders of a world are worth: alike, tiny, anything, at the edges of tiers and limits, far apart."""


def action_of(number: int, facts: PlanFacts, amount_of: Callable[[Random], int]) -> Action:
    """The action that a number stands for."""
    chance = Random(number)
    kind = chance.randrange(20)
    if facts.pool and kind == 19:
        return Injection(chance.choice((1, 1, 10**6, 10**6, 10**8, 10**12)))
    if facts.pool and kind >= 16:
        return Sale(chance.choice(CONSUMERS), chance.choice((1000, 1000, 500, 1, 999, 1001)))
    low, high = facts.concession
    paid_fen, bp = amount_of(chance), chance.choice((low, high, chance.randint(low, high)))
    if kind == 15:
        odd = chance.randrange(8)
        bp = low - 1 if odd == 1 else high + 1 if odd == 2 else bp
        paid_fen = chance.choice(REFUSED_AMOUNTS) if odd == 0 else paid_fen
    names: list[str | None] = [chance.choice(CONSUMERS), chance.choice((MERCHANTS[0],) * 8 + MERCHANTS)]
    names += [chance.choice(SOMEBODY) for _ in range(3)] + [chance.choice(AGENT_NAMES) for _ in range(4)]
    permille = chance.choice((0, 1000, 500, 1, 1001)) if facts.offset_bp else 1001 * (kind == 14)
    return Asked(chance.choice(DAYS_AHEAD), paid_fen, bp, tuple(names), permille)


@st.composite
def worlds(draw: st.DrawFn, kinds: tuple[str, ...] = KINDS, most: int = 40) -> tuple[PlanFacts, list[Action]]:
    """A plan and what happens under it: orders, and sales and injections if there is a pool."""
    facts = draw(plans(kinds))
    amount_of = draw(st.sampled_from(AMOUNTS_OF_A_WORLD))
    least = draw(st.sampled_from((most, 6, most, 0)))
    numbers = draw(st.lists(st.integers(0, 2**16), min_size=least, max_size=most))
    return facts, [action_of(number, facts, amount_of) for number in numbers]
