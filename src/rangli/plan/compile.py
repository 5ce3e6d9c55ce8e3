"""Compiling: a checked plan to the flat numbers that the engine sees, and to the version that its orders carry."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Final, NamedTuple

import numpy as np

from rangli.money import BP_PER_ONE, MICRO_PER_FEN, Ratio
from rangli.plan.parts import Bonus, Packets, Plan, Points, Pool, Release, Share
from rangli.plan.shares import flat, form_of, lower
from rangli.plan.terms import (
    AS_VOUCHERS,
    BONUS_MICRO,
    BONUS_ONCE_PER,
    BONUS_PARTY,
    CODE,
    CONSTANT,
    DEN,
    FIRST_FUND,
    LESS,
    LINE_COLUMNS,
    OTHERWISE,
    PARTY,
    PARTY_NAMES,
    SHARES_MAX,
    Ints,
    PacketTerms,
    PoolTerms,
    ReleaseTerms,
    Terms,
)
from rangli.plan.vocabulary import FUND_PREFIX

CODE_OF_PARTY: Final = (12, 11, 4, 5, 6, 7, 8, 9, 10, 1, 2, 3, 0)
"""Transfer code of each party by number, as in ledger.transfers (a test holds the two together)."""
CODE_OF_FUND: Final = 13

FORM_COLUMNS: Final = slice(CONSTANT, DEN + 1)
"""Where a ``Form`` stands in a row, in its own order."""

PACKETS_NEVER: Final = 2**31
TIER_NEVER: Final = 2**62


class CompiledPlan(NamedTuple):
    """A plan that can settle orders."""

    plan: Plan
    version: str
    terms: Terms
    funds: tuple[str, ...]
    """Party FIRST_FUND + i is the fund at i."""
    merchant_tier_rows: dict[str, int]
    """Row of ``terms.packets.tiers_fen`` of each merchant with tiers of its own; all others use row 0."""


def version(plan: Plan) -> str:
    """SHA-256 of the plan's meaning, in hex.

    Titles, claims, comments, the order of keys and how a number is spelt do not matter; the order of shares does.
    """
    words = {"title", "about", "claims"}
    if plan.law is None:
        words.add("law")  # a plan that declares nothing is the plan that it was before there were declarations
    meaning = {key: part for key, part in asdict(plan).items() if key not in words}
    text = json.dumps(meaning, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def compile_plan(plan: Plan) -> CompiledPlan:
    """The plan's terms, version, funds and tier rows. The plan has been checked."""
    merchants = sorted(plan.packets.merchant_tiers_fen) if plan.packets else []
    terms = Terms(
        concession_bp_min=plan.concession.bp_min,
        concession_bp_max=plan.concession.bp_max,
        shares=_share_terms(flat(plan), plan.funds),
        points=_point_terms(plan.points),
        packets=_packet_terms(plan.packets, merchants),
        pool=_pool_terms(plan.pool),
        release=_release_terms(plan.release),
        bonus=_bonus_terms(plan.bonus),
        offset_bp=plan.offset.vouchers_bp if plan.offset else 0,
        refund_merchant_bears=int(plan.refund.packets_borne_by == "merchant"),
    )
    return CompiledPlan(plan, version(plan), terms, plan.funds, {name: row for row, name in enumerate(merchants, 1)})


def _party(name: str, funds: Sequence[str]) -> int:
    """A party's number."""
    if name.startswith(FUND_PREFIX):
        return FIRST_FUND + funds.index(name.removeprefix(FUND_PREFIX))
    return PARTY_NAMES.index(name)


def _share_terms(shares: Sequence[Share], funds: Sequence[str]) -> Ints:
    """The shares, a row each."""
    assert len(shares) <= SHARES_MAX
    table = np.zeros((len(shares), LINE_COLUMNS), np.int64)
    for i, share in enumerate(shares):
        party = _party(share.to, funds)
        table[i, PARTY] = party
        table[i, OTHERWISE] = _party(share.otherwise, funds)
        table[i, CODE] = CODE_OF_FUND if party >= FIRST_FUND else CODE_OF_PARTY[party]
        table[i, FORM_COLUMNS] = form_of(share.rate)
        table[i, LESS] = sum(1 << j for j in lower(shares, i))
        table[i, AS_VOUCHERS] = share.pays == "vouchers"
    return table


def _point_terms(points: Sequence[Points]) -> Ints:
    """The points, a row each."""
    table = np.zeros((len(points), LINE_COLUMNS), np.int64)
    for i, line in enumerate(points):
        table[i, PARTY] = PARTY_NAMES.index(line.to)
        table[i, FORM_COLUMNS] = form_of(line.rate)
    return table


def _packet_terms(packets: Packets | None, merchants: Sequence[str]) -> PacketTerms:
    """The queues' terms; row 0 of the tiers is the plan's own, then the merchants' in this order."""
    if packets is None:
        return PacketTerms(0, PACKETS_NEVER, BP_PER_ONE, 0, np.empty((1, 0), np.int64))
    return PacketTerms(
        per_order=packets.per_order,
        exit_packets=packets.exit.packets or PACKETS_NEVER,
        exit_received_bp=packets.exit.received_bp,
        skip_own=int(packets.own_orders == "skip"),
        tiers_fen=_tier_rows(packets.tiers_fen, packets.merchant_tiers_fen, merchants),
    )


def _tier_rows(own: Sequence[int], others: Mapping[str, Sequence[int]], merchants: Sequence[str]) -> Ints:
    """Upper bounds, one row each, padded with a bound that no amount passes."""
    rows = [own, *(others[name] for name in merchants)]
    table = np.full((len(rows), max(map(len, rows))), TIER_NEVER, np.int64)
    for row, bounds in zip(table, rows, strict=True):
        row[: len(bounds)] = bounds
    return table


def _pool_terms(pool: Pool | None) -> PoolTerms:
    """The pool's terms."""
    if pool is None:
        return PoolTerms(0, 0, 1, 1, 0, 0, 0)
    price = Ratio.of(pool.opening_price_fen, 100)
    return PoolTerms(
        mint_bp=pool.mint_bp,
        pays_bp=pool.pays_bp,
        price_num=price.num,
        price_den=price.den,
        exit_bp=pool.exit.at_bp if pool.exit else 0,
        by_order=int(pool.exit is not None and pool.exit.scope == "order"),
        basis_mint=int(pool.exit is not None and pool.exit.basis == "mint_value"),
    )


def _release_terms(release: Release | None) -> ReleaseTerms:
    """The release's terms."""
    if release is None:
        return ReleaseTerms(0, 0, 0, 0, 0, 0, 0, 0, 0)
    rate = Ratio.of(release.rate.bp, BP_PER_ONE)
    growth_bp = release.close.growth_bp
    return ReleaseTerms(
        rate_num=rate.num,
        rate_den=rate.den,
        by_balance=int(release.rate.base == "balance"),
        growth_bp=0 if growth_bp is None else BP_PER_ONE + growth_bp,
        days=release.close.days,
        periods=release.periods or 0,
        extended=release.extended or 0,
        multiple_bp=release.multiple_bp,
        pays_cash=int(release.pays == "cash"),
    )


def _bonus_terms(bonuses: Sequence[Bonus]) -> Ints:
    """The bonuses, a row each."""
    table = np.zeros((len(bonuses), len((BONUS_PARTY, BONUS_MICRO, BONUS_ONCE_PER))), np.int64)
    for i, bonus in enumerate(bonuses):
        table[i, BONUS_PARTY] = PARTY_NAMES.index(bonus.to)
        table[i, BONUS_MICRO] = bonus.amount_fen * MICRO_PER_FEN
        table[i, BONUS_ONCE_PER] = PARTY_NAMES.index(bonus.once_per)
    return table
