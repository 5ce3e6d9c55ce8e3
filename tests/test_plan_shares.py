"""The proof that shares fit, and the terms that a plan compiles to, against plain sums written here."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import gcd
from typing import Any

import numpy as np
import oracle
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rangli.ledger import accounts, transfers
from rangli.money import AMOUNT_FEN_MAX, print_percent
from rangli.plan import check, explain, load
from rangli.plan import compile as compiling
from rangli.plan.terms import FIRST_FUND, PARTY_NAMES

AGENTS = ("agent.district", "agent.city", "agent.province", "agent.region")
OTHERS = ("consumer", "merchant", "referrer", "referrer2", "recruiter", "platform", "fund.gifts")
STAND_INS = ("platform", "merchant", "fund.gifts")


def percent(bp: int) -> str:
    """Basis points as a document writes them."""
    return f"{bp // 100}.{bp % 100:02d}%"


# ---------------------------------------------------------------- random plans, as the oracle's dicts


def amount_bp(top: int) -> st.SearchStrategy[int]:
    """Rates in bp, small ones more often."""
    return st.one_of(st.integers(0, 100), st.integers(0, top))


@st.composite
def rates(draw: st.DrawFn, top: int, low: int) -> dict[str, Any]:
    """A rate of the amount, of the concession, or one that slides, often steeply and near the range that starts at ``low``."""
    kind = draw(st.sampled_from(["amount", "concession", "slide", "slide"]))
    if kind == "slide":
        c0 = draw(st.integers(max(0, low - 50), low + 150))
        c1 = draw(st.integers(c0 + 1, c0 + 200))
        return {"of": "amount", "from": (c0, draw(amount_bp(top))), "upto": (c1, draw(amount_bp(top)))}
    return {"of": kind, "rate": draw(amount_bp(top if kind == "amount" else 6000))}


@st.composite
def share_lists(draw: st.DrawFn, top: int, low: int, ranks: tuple[str, ...] = AGENTS) -> list[dict[str, Any]]:
    """Shares of others in any order, and a ladder of agents with lower ranks first."""
    shares = [
        {"to": draw(st.sampled_from(OTHERS)), **draw(rates(top, low)), "else": draw(st.sampled_from(STAND_INS))}
        for _ in range(draw(st.integers(0, 3)))
    ]
    for i, agent in enumerate(draw(st.lists(st.sampled_from(ranks), unique=True)) if ranks else []):
        shares.append({"to": agent, **draw(rates(top, low)), "else": draw(st.sampled_from(STAND_INS)), "place": i})
    shares.sort(key=lambda share: AGENTS.index(share["to"]) if share["to"] in AGENTS else -1)
    for i, share in enumerate(shares):
        if share["to"] in AGENTS and any(other["to"] in AGENTS for other in shares[:i]) and draw(st.booleans()):
            share |= {"differential": True, "else": "platform"}
    return shares


@st.composite
def plans(draw: st.DrawFn, lows: tuple[int, int] = (0, 1400)) -> dict[str, Any]:
    """A plan of shares alone: a range, shares, and sometimes an envelope with the agents inside."""
    low = draw(st.integers(*lows))
    inside = draw(st.booleans())
    shares = draw(share_lists(300, low, () if inside else AGENTS))
    envelope = {"rate": draw(rates(600, low)), "shares": draw(share_lists(100, low))} if inside else None
    return {"concession": (low, draw(st.integers(low, low + 200))), "direct": shares, "envelope": envelope, "funds": ["gifts"]}


@st.composite
def steep_plans(draw: st.DrawFn) -> dict[str, Any]:
    """Plans that fit at the lowest concession and break at the highest, by one rate or by a step of a ladder."""
    low, width = draw(st.integers(10, 1400)), draw(st.integers(1, 200))
    first = (low, draw(st.integers(max(0, low - 100), low)))
    last = (low + width, draw(st.integers(low + width + 1, low + width + 200)))
    slide = {"of": "amount", "from": first, "upto": last}
    below = {"to": "agent.district", "of": "amount", "rate": draw(st.integers(0, low)), "else": "platform"}
    ladder = [below, {"to": "agent.city", **slide, "else": "platform", "differential": True}]
    direct = draw(st.sampled_from([ladder, [{"to": "referrer", **slide, "else": "merchant"}]]))
    return {"concession": (low, low + width), "direct": direct, "envelope": None, "funds": ["gifts"]}


def rate_text(rate: dict[str, Any]) -> str:
    """A rate as a document writes it."""
    if "from" in rate:
        ends = (f"[{percent(c)}, {percent(r)}]" for c, r in (rate["from"], rate["upto"]))
        return "{{of: amount, by: concession, from: {}, to: {}}}".format(*ends)
    return f"{percent(rate['rate'])} of {rate['of']}"


def share_text(share: dict[str, Any]) -> str:
    """A share as a document writes it."""
    differential = "true" if share.get("differential") else "false"
    return f"{{to: {share['to']}, rate: {rate_text(share)}, else: {share['else']}, differential: {differential}}}"


def document(plan: dict[str, Any]) -> str:
    """The plan's document."""
    shares = [share_text(share) for share in plan["direct"]]
    if plan["envelope"]:
        inner = ", ".join(share_text(share) for share in plan["envelope"]["shares"])
        shares.append(f"{{envelope: inside, rate: {rate_text(plan['envelope']['rate'])}, shares: [{inner}]}}")
    low, high = plan["concession"]
    lines = "".join(f"\n  - {share}" for share in shares) or " []"
    span = f"{{min: {percent(low)}, max: {percent(high)}}}"
    return f"plan: drawn\ntitle: {{zh: 随机, en: drawn}}\nfunds: [gifts]\nconcession: {span}\nshares:{lines}\n"


# ---------------------------------------------------------------- brute force


def rate_at(rate: dict[str, Any], c: int) -> Fraction:
    """The rate of the amount in bp at a concession."""
    if "from" in rate:
        (c0, r0), (c1, r1) = rate["from"], rate["upto"]
        return r0 + Fraction(r1 - r0) * (min(max(c, c0), c1) - c0) / (c1 - c0)
    return Fraction(rate["rate"]) * (c if rate["of"] == "concession" else 10_000) / 10_000


def worst(shares: list[dict[str, Any]], c: int) -> Fraction:
    """The most that is handed out over every set of agents that may be there."""
    sums = []
    for presence in product([True, False], repeat=len(AGENTS)):
        there = {agent for agent, is_there in zip(AGENTS, presence, strict=True) if is_there}
        taken: dict[str, Fraction] = {}
        total = Fraction(0)
        for share in shares:
            bp = rate_at(share, c)
            if share.get("differential"):
                bp = max(Fraction(0), bp - sum(taken.get(a, Fraction(0)) for a in AGENTS[: AGENTS.index(share["to"])]))
            if share["to"] in AGENTS and share["to"] not in there:
                total += bp if share["else"] != "platform" else 0
            else:
                total += bp
                taken[share["to"]] = bp
        sums.append(total)
    return max(sums)


def breaks(plan: dict[str, Any], c: int) -> tuple[bool, bool]:
    """Whether the shares exceed the concession, and the inner ones the envelope, at this concession."""
    envelope = plan["envelope"]
    budget = rate_at(envelope["rate"], c) if envelope else Fraction(0)
    return worst(plan["direct"], c) + budget > c, bool(envelope) and worst(envelope["shares"], c) > budget


@given(st.one_of(plans(), steep_plans()))
def test_the_proof_agrees_with_trying_every_concession(plan: dict[str, Any]) -> None:
    """The check looks at knots only; trying all concessions and all sets of agents must say the same, and name the same place."""
    low, high = plan["concession"]
    tried = {c: breaks(plan, c) for c in range(low, high + 1)}
    first = {
        code: next((c for c, found in tried.items() if found[i]), None)
        for i, code in enumerate(("shares_exceed_concession", "envelope_exceeded"))
    }
    _, problems = check(document(plan))

    assert {code for code, c in first.items() if c is not None} == {found.code for found in problems}
    for found in problems:
        c = first[found.code]
        assert c is not None
        assert f"first at a concession of {print_percent(c)}," in found.en
        assert f"最早在让利 {print_percent(c)} 处" in found.zh


# ---------------------------------------------------------------- terms and explanations


def oracle_plan(plan: dict[str, Any]) -> dict[str, Any]:
    """The plan as the oracle reads it: envelopes opened, funds by name."""
    shares = [*plan["direct"], *(plan["envelope"]["shares"] if plan["envelope"] else [])]
    named = [share | {key: share[key].removeprefix("fund.") for key in ("to", "else")} for share in shares]
    return {"concession": plan["concession"], "shares": named, "funds": plan["funds"]}


def fitting(plan: dict[str, Any]) -> str:
    """The plan's document, if its shares fit."""
    text = document(plan)
    assume(check(text)[0] is not None)
    return text


@st.composite
def small_plans(draw: st.DrawFn) -> dict[str, Any]:
    """Plans whose shares often fit: wide concessions, low rates."""
    plan = draw(plans((5000, 9000)))
    low, _ = plan["concession"]
    for share in [*plan["direct"], *(plan["envelope"]["shares"] if plan["envelope"] else [])]:
        if share["of"] == "concession":
            share["rate"] = min(share["rate"], 700) if share in plan["direct"] else 0
    return plan | {"concession": (low, low + 300)}


paid = st.one_of(st.integers(1, 100_000), st.integers(1, AMOUNT_FEN_MAX), st.just(AMOUNT_FEN_MAX))
parties = st.sets(st.sampled_from(["referrer", "referrer2", "recruiter", *AGENTS]))


@given(small_plans(), paid, st.integers(0, 300), parties)
def test_an_explanation_adds_up_and_agrees_with_the_oracle(
    plan: dict[str, Any], paid_fen: int, above: int, there: set[str]
) -> None:
    """What a designer is told must be what will be booked, to the micro, whoever is there."""
    compiled = load(fitting(plan))
    c = plan["concession"][0] + above
    told = explain(compiled, paid_fen, c, there)
    names = {party.replace(".", "_"): party for party in there}
    legs = oracle.share_legs(oracle_plan(plan), oracle.Order("1", None, paid_fen, c, "m", "c", **names))  # type: ignore[arg-type]

    assert paid_fen * c == told.concession_micro == sum(line.amount_micro for line in told.lines)
    assert all(line.amount_micro >= 0 for line in told.lines)
    assert ("platform", "", "") == told.lines[-1][:3]
    booked: dict[str, int] = {}
    for leg in legs:
        booked[leg.account] = booked.get(leg.account, 0) + leg.amount
    said: dict[str, int] = {}
    for line in told.lines:
        account = line.destination.replace("<merchant>", "m").replace("<consumer>", "c").replace("<", "").replace(">", "")
        said[account] = said.get(account, 0) + line.amount_micro
    assert booked == {account: micro for account, micro in said.items() if micro}


@given(small_plans(), paid, st.integers(0, 300))
def test_terms_are_the_reduced_forms_of_the_shares(plan: dict[str, Any], paid_fen: int, above: int) -> None:
    """The engine sees these numbers and nothing else of a plan; their products must fit into 63 bits."""
    compiled = load(fitting(plan))
    c = plan["concession"][0] + above
    shares = oracle_plan(plan)["shares"]
    table = compiled.terms.shares

    assert (len(shares), 10) == table.shape
    assert np.int64 == table.dtype
    for share, row in zip(shares, table.tolist(), strict=True):
        party, otherwise, code, constant, slope, low, high, den, less, vouchers = row
        num = constant + slope * min(max(c, low), high)
        assert oracle.linear(share, paid_fen, c) == paid_fen * num // den
        assert paid_fen * num < 2**63
        assert 1 == gcd(constant, slope, den)
        names = [*PARTY_NAMES, *plan["funds"]]
        assert (share["to"], share["else"], 0) == (names[party], names[otherwise], vouchers)
        below = [i for i, other in enumerate(shares) if other["to"] in AGENTS[: AGENTS.index(share["to"])]] if less else []
        assert less == sum(1 << i for i in below)
        assert bool(share.get("differential")) == bool(less)
        name = "fund" if party >= FIRST_FUND else "pot" if share["to"] == "packets" else share["to"]
        assert name == transfers.code_name(code)


def test_the_codes_of_parties_are_those_of_the_ledger() -> None:
    """Plans know no ledger, so the numbers stand twice; this holds them together."""
    names = [transfers.code_name(code) for code in compiling.CODE_OF_PARTY]

    assert ["pot" if name == "packets" else name for name in PARTY_NAMES] == names
    assert transfers.FUND == compiling.CODE_OF_FUND


def test_a_name_that_a_plan_allows_is_one_that_accounts_allow() -> None:
    """A merchant with its own tiers must be able to have an account."""
    from rangli.plan import document as reading

    assert accounts.NAME_BYTES_MAX == reading.NAME_BYTES_MAX


# ---------------------------------------------------------------- the sources' presets, number by number


def test_weituanbao_compiles_to_the_rates_of_its_source() -> None:
    """The widest used preset, written out once by hand."""
    terms = load("weituanbao").terms

    assert (600, 3000) == (terms.concession_bp_min, terms.concession_bp_max)
    # party, else, code, constant, slope, low, high, den, less, vouchers
    assert [
        [9, 12, 1, 0, 1, 0, 10_000, 2, 0, 0],
        [2, 12, 4, 100, 0, 0, 10_000, 1, 0, 0],
        [4, 12, 6, 3000, 7, 600, 3000, 240, 0, 0],
        [6, 12, 8, 30, 0, 0, 10_000, 1, 0, 0],
        [5, 12, 7, 30, 0, 0, 10_000, 1, 0, 0],
    ] == terms.shares.tolist()
    assert (20, 20, 10_000, 0) == terms.packets[:4]
    assert [[10_000, 20_000, 50_000]] == terms.packets.tiers_fen.tolist()
    assert [[4, 500_000, 1]] == [[party, micro // 100, once] for party, micro, once in terms.bonus.tolist()]
    assert (0, 0, 1) == (terms.pool.mint_bp, terms.release.rate_den, terms.refund_merchant_bears)


def test_moudian_compiles_to_the_release_of_its_source() -> None:
    """0.5 % a period, 115 % or 30 days, 36 to 40 periods, five times, in vouchers."""
    terms = load("moudian").terms

    assert (1, 200, 0, 11_500, 30, 36, 40, 50_000, 0) == tuple(terms.release)
    assert [0, 1] == terms.points[:, 0].tolist()
    assert [0, 1, 0] == terms.shares[:, 9].tolist()
    assert 10_000 == terms.offset_bp
    assert (0, 0) == (terms.packets.per_order, terms.pool.mint_bp)


def test_zengzhi_compiles_to_the_pool_of_its_source() -> None:
    """70 % minted, 80 % paid, opening at one yuan, out at 120 % of what was spent; a ladder of three agents."""
    terms = load("zengzhi").terms

    assert (7000, 8000, 1, 1, 12_000, 0, 0) == tuple(terms.pool)
    assert [0, 0, 0, 0, 0, 0, 1 << 5, 1 << 5 | 1 << 6] == terms.shares[:, 8].tolist()


def test_the_calibration_plans_compile_to_their_extremes() -> None:
    """Yunlianhui releases of the balance, daily, in cash; the queue of one has no tiers and no limit of packets."""
    release = load("yunlianhui").terms.release
    packets = load("paidui-miandan").terms.packets

    assert (1, 2000, 1, 0, 1, 0, 0, 10_000, 1) == tuple(release)
    assert (1, 2**31, 10_000, 0, (1, 0)) == (*packets[:4], packets.tiers_fen.shape)


def test_merchants_with_tiers_of_their_own_get_their_rows() -> None:
    """Rows are by name and not by place, so that the order of keys does not matter; short rows are padded."""
    compiled = load("weituanbao", ["packets.merchant_tiers={老王面馆: [50, 100], 大饭店: []}"])

    assert {"大饭店": 1, "老王面馆": 2} == compiled.merchant_tier_rows
    never = 2**62
    assert [[10_000, 20_000, 50_000], [never] * 3, [5000, 10_000, never]] == compiled.terms.packets.tiers_fen.tolist()


def test_an_opening_price_is_a_reduced_pair() -> None:
    """1.25 yuan a point is 5/4."""
    terms = load("zengzhi", ["pool.opening_price=1.25"]).terms

    assert (5, 4) == (terms.pool.price_num, terms.pool.price_den)


@pytest.mark.parametrize(
    ("present", "platform_yuan"),
    [
        (set(), 40),
        ({"agent.district"}, 39),
        ({"agent.city"}, 38),
        ({"agent.province"}, 37),
        ({"agent.district", "agent.province"}, 37),
        ({"referrer", "referrer2", "recruiter", "agent.district", "agent.city", "agent.province"}, 27),
    ],
)
def test_what_nobody_is_there_for_is_the_platforms(present: set[str], platform_yuan: int) -> None:
    """Of 1000 yuan 20 are the platform's and 20 the envelope's; the highest agent that is there completes the region's 3."""
    told = explain(load("zengzhi"), 100_000, 2000, present)

    assert platform_yuan * 1_000_000 == sum(line.amount_micro for line in told.lines if line.party == "platform")
