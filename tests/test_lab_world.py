"""The world of a scenario: its draws against plain Python, and the promise of common random numbers."""

from __future__ import annotations

import hashlib
import itertools
import struct
from decimal import ROUND_HALF_UP, Decimal, localcontext
from statistics import NormalDist
from typing import Any, Final, NamedTuple

import numpy as np
import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rangli import lab
from rangli.lab import chance, world
from rangli.lab.parts import Scenario
from rangli.lab.scenario import changed, read
from rangli.lab.world import World
from rangli.plan import load
from rangli.settle import Programme

TOWN: Final = """scenario: town
title: {zh: 镇, en: A town}
months: 4
start: {shops: 6, consumers: 40}
places: {cities: 2, districts: 2}
shops:
  new: 1
  concessions: [{rate: 6%, share: 30%}, {rate: 20%, share: 70%}]
  tickets: [{median: 45, sigma: 60%, share: 50%}, {amounts: [10, 12.50, 99], share: 50%}]
  lean: 2
  recruited: 60%
  recruiters: 3
consumers: {new: 10, growth: 10%, visits: 2.5, churn: 10%, comeback: 20%, loyalty: 50%, locked: 40%, invited: 40%}
"""
GOLDEN_STEP = 0x9E3779B97F4A7C15
ALL64 = 2**64 - 1
HASH_OF_TABLE: Final = "f2e0893c07c4b54715ff8bcb185b2a545339ce2b376ee0303b15b2b13a8dd19e"


class Visit(NamedTuple):
    """One order of a month, as anyone can read it."""

    who: int
    visit: int
    day: int
    shop: int
    paid_fen: int
    concession_bp: int
    key: int
    referrer: int
    refunded: bool


def world_of(text: str, replication: int = 0, seed: int = 7, plan: str = "weituanbao") -> World:
    """A world with everybody registered."""
    return World(Programme(load(plan), bytes(32)), read(text), replication, seed)


def visits_of(text: str, replication: int = 0, seed: int = 7, *, by_day: bool = False) -> list[list[Visit]]:
    """All visits, month by month."""
    one = world_of(text, replication, seed)
    shops = {int(holder): i for i, holder in enumerate(one.shops.holder)}
    months = []
    for month in range(one.scenario.months):
        one.arrive(month)
        rows = []
        for batch in one.events(month, by_day=by_day):
            orders = batch.orders
            for r in range(len(batch.who)):
                facts = (int(batch.who[r]), int(batch.visit[r]), int(orders.day[r]), shops[int(orders.party[r, 1])])
                money = (int(orders.paid_fen[r]), int(orders.concession_bp[r]), int(orders.key[r]))
                rows.append(Visit(*facts, *money, int(orders.party[r, 2]), bool(batch.refunded[r])))
        months.append(rows)
    return months


def by_name(months: list[list[Visit]]) -> dict[tuple[int, int], Visit]:
    """Every visit by who and which."""
    return {(visit.who, visit.visit): visit for month in months for visit in month}


# ---------------------------------------------------------------- draws, against plain Python


def plain_word(key: tuple[int, int], what: int, when: int, who: int) -> int:
    """The same word by the oracle's SipHash over bytes."""
    return oracle.siphash24(struct.pack("<qq", *key), struct.pack("<QQ", what + 256 * when, who))


def plain_draw(word: int, i: int) -> int:
    """SplitMix64's output i + 1 from this word."""
    z = (word + (i + 1) * GOLDEN_STEP) & ALL64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & ALL64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & ALL64
    return z ^ (z >> 31)


WORDS64 = st.integers(-(2**63), 2**63 - 1)


@given(key=st.tuples(WORDS64, WORDS64), what=st.integers(0, 255), when=st.integers(0, 2**40), who=st.integers(0, 2**41))
def test_a_word_is_the_siphash_of_what_when_and_who(key: tuple[int, int], what: int, when: int, who: int) -> None:
    """And its draws are SplitMix64's, which anyone can compute again."""
    word = chance.word_of(key, what, when, who) & ALL64

    assert plain_word(key, what, when, who) == word
    assert [plain_draw(word, i) for i in range(7)] == [
        chance.draw(chance.word_of(key, what, when, who), i) & ALL64 for i in range(7)
    ]


@given(z=WORDS64, n=st.integers(1, 2**31 - 1), lean=st.integers(1, 8))
def test_numbers_stay_below_and_lean_to_the_low(z: int, n: int, lean: int) -> None:
    """A lean of 1 is even; more lean never gives a higher number."""
    u = (z & ALL64) >> 32

    assert (u * n) >> 32 == chance.below(z, n)
    assert 0 <= chance.leaning(z, n, lean) <= chance.leaning(z, n, 1) < n


@given(z=WORDS64, low=st.integers(0, 10_000), high=st.integers(0, 10_000))
def test_what_happens_at_a_low_rate_happens_at_a_higher(z: int, low: int, high: int) -> None:
    """So a sweep of a rate moves only those between."""
    low, high = min(low, high), max(low, high)

    assert not chance.happens(z, chance.threshold(low)) or chance.happens(z, chance.threshold(high))
    assert not chance.happens(z, chance.threshold(0))
    assert chance.happens(z, chance.threshold(10_000))


def test_the_quantiles_are_those_of_the_normal_law() -> None:
    """4,096 of them, found in integers alone: median x e^(sigma x z), rounded to the fen, halves up, as Decimal has it."""
    law = NormalDist()
    for median_fen, sigma_bp in ((4500, 6000), (100, 30_000), (10**9, 10), (1, 0)):
        table = chance.log_normal_fen(median_fen, sigma_bp, 1, 10**10)
        for i in (0, 1, 700, 2047, 2048, 3000, 4094, 4095):
            with localcontext(prec=40):
                factor = (Decimal(law.inv_cdf((2 * i + 1) / 8192)) * sigma_bp / 10_000).exp()
                expected = int((median_fen * factor).quantize(Decimal(1), ROUND_HALF_UP))

            assert min(max(expected, 1), 10**10) == pytest.approx(int(table[i]), rel=1e-9, abs=0)
        assert sorted(table) == table.tolist()


def test_a_table_of_amounts_is_written_down() -> None:
    """The same on every machine: a hash of all 4,096 amounts, and the ends as anyone can read them."""
    table = chance.log_normal_fen(4500, 6000, 1, 10**10)

    assert [498, 593, 4499, 4501, 34136, 40653] == table[[0, 1, 2047, 2048, -2, -1]].tolist()
    assert HASH_OF_TABLE == hashlib.sha256(table.astype("<i8").tobytes()).hexdigest()


def test_listed_amounts_are_equally_likely() -> None:
    """Each stands as often as the others in the table, or once more."""
    counts = np.unique(chance.listed_fen((1000, 1250, 9900)), return_counts=True)

    assert [[1000, 1250, 9900], [1366, 1365, 1365]] == [one.tolist() for one in counts]


# ---------------------------------------------------------------- events, against plain Python


def test_every_visit_is_what_plain_python_draws() -> None:
    """Who comes when, where to and with how much: a second program, from docs/scenario.md and the draws above."""
    one, seen = world_of(TOWN), visits_of(TOWN)
    expected = [sorted(month) for month in plain_months(one)]

    assert expected == [sorted((v.who, v.visit, v.day, v.shop, v.paid_fen) for v in month) for month in seen]


def plain_months(one: World) -> list[list[tuple[int, ...]]]:
    """(who, visit, day, shop, paid) of every month."""
    said = one.scenario.consumers
    home: dict[int, int] = {}
    arrived: dict[int, int] = {}
    made: dict[int, int] = {}
    away: set[int] = set()
    months = []

    def u(word: int, i: int) -> int:
        return plain_draw(word, i) >> 32

    def below(rate_bp: int, word: int, i: int) -> bool:
        return u(word, i) < rate_bp * 2**32 // 10_000

    def shop_of(word: int, i: int, shops: int) -> int:
        x = plain_draw(word, i) >> 33
        return ((x * x) >> 31) * shops >> 31

    for month in range(one.scenario.months):
        rows = []
        for i in range(one.consumers[month]):
            if i not in home:
                open_shops = one.scenario.start.shops if i < one.scenario.start.consumers else one.open[month]
                home[i], arrived[i], made[i] = shop_of(plain_word(one.key, chance.PERSON, 0, i), 0, open_shops), month, 0
            age, word = month - arrived[i], plain_word(one.key, chance.MONTH_OF, month - arrived[i], i)
            if age and i in away:
                away -= {i} if below(said.comeback_bp, word, 0) else set()
            elif age and below(said.churn_bp, word, 0):
                away.add(i)
            visits = 0 if i in away else 2 + below(5000, word, 1)
            for k in range(made[i], made[i] + visits):
                word = plain_word(one.key, chance.VISIT, k, i)
                day = u(word, 0) * 30 >> 32
                shop = home[i] if below(said.loyalty_bp, word, 1) else shop_of(word, 2, one.open[month])
                paid = int(one.tables[one.shops.ticket[shop], plain_draw(word, 3) >> 52])
                rows.append((i, k, world.FIRST_DAY + 30 * month + day, shop, paid))
            made[i] += visits
        months.append(rows)
    return months


def test_events_come_in_order_of_time_whatever_the_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small batches, batches of a day and large ones give the same orders in the same order."""
    whole = visits_of(TOWN)
    monkeypatch.setattr(world, "BATCH", 7)

    assert whole == visits_of(TOWN)
    assert whole == visits_of(TOWN, by_day=True)
    assert all(a.day <= b.day for month in whole for a, b in itertools.pairwise(month))
    assert {30} == {len({visit.day for visit in month}) for month in visits_of(changed(TOWN, {"consumers.visits": "30"}))}


def test_the_week_has_its_rhythm() -> None:
    """Nobody comes on a day whose weight is 0; 2026-01-01 is a Thursday."""
    months = visits_of(changed(TOWN, {"consumers.rhythm": "[0, 0, 0, 1, 0, 0, 0]"}))

    assert {3} == {(visit.day + 3) % 7 for month in months for visit in month}


# ---------------------------------------------------------------- common random numbers

CHANGES: Final[dict[str, dict[str, str]]] = {
    "more churn": {"consumers.churn": "30%"},
    "more growth": {"consumers.growth": "60%"},
    "more visits": {"consumers.visits": "6"},
    "no comeback": {"consumers.comeback": "0%"},
    "refunds": {"behaviour.refunds": "{share: 20%}"},
    "farming": {"behaviour.farming": "{accounts: 3, orders: 2}"},
    "wash": {"behaviour.wash": "{orders: 5, amount: 100}"},
    "sales": {"behaviour.sell": "{share: 20%}"},
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_visit_is_the_same_in_every_scenario(what: str) -> None:
    """Consumer 7 pays the same at the same shop at his third visit, whatever changed around him.

    Only newcomers of other months may find other shops open, so shops are held still.
    """
    still = changed(TOWN, {"shops.new": "0"})
    before, after = by_name(visits_of(still)), by_name(visits_of(changed(still, CHANGES[what])))
    shared = [name for name in before.keys() & after.keys() if name[0] >= 0]

    assert len(shared) > len(before) // 2
    for name in shared:
        one, other = before[name], after[name]
        assert (one.shop, one.paid_fen, one.concession_bp, one.key) == (
            other.shop,
            other.paid_fen,
            other.concession_bp,
            other.key,
        )


def test_more_churn_only_takes_visits_away() -> None:
    """Nobody comes who would not have come at less churn, and those who stay come on the same days."""
    still = changed(TOWN, {"consumers.comeback": "0%"})
    before, after = by_name(visits_of(still)), by_name(visits_of(changed(still, {"consumers.churn": "30%"})))

    assert after.keys() < before.keys()
    assert all(before[name].day == visit.day for name, visit in after.items())


def test_other_replications_and_seeds_are_other_worlds() -> None:
    """Eight replications, eight worlds; and the same once more is the same."""
    worlds = [visits_of(TOWN, replication) for replication in range(8)] + [visits_of(TOWN, 0, seed=8)]

    assert 9 == len({str(one) for one in worlds})
    assert worlds[0] == visits_of(TOWN)


# ---------------------------------------------------------------- who is who


def test_the_start_network_is_exact() -> None:
    """``start.locked``: so many are bound to their shop, and each of the others to one of these in turn."""
    one = world_of(changed(TOWN, {"start.locked": "10"}))
    one.arrive(0)
    first = one.cast.first_consumer
    referrer = one.people.referrer[:40].tolist()

    assert set(referrer[:10]) <= set(one.shops.holder.tolist())
    assert [first + i % 10 for i in range(10, 40)] == referrer[10:]
    assert [one.people.referrer[i % 10] for i in range(10, 40)] == one.people.referrer2[10:40].tolist()


def test_small_accounts_catch_the_second_referral() -> None:
    """A shop that binds through its own account takes the place of its recruiter, and of nobody else."""
    honest, sly = (world_of(changed(TOWN, {"behaviour.small_accounts": share})) for share in ("0%", "100%"))
    for one in (honest, sly):
        one.arrive(0)
    locked = [i for i in range(50) if honest.people.referrer[i] in honest.shops.holder]
    shops = honest.people.home[locked]

    assert len(locked) > 5
    assert [honest.shops.recruiter[shop] for shop in shops] == honest.people.referrer2[locked].tolist()
    assert [sly.shops.small[shop] for shop in shops] == sly.people.referrer[locked].tolist()
    assert [sly.shops.holder[shop] for shop in shops] == sly.people.referrer2[locked].tolist()
    others = [i for i in range(50) if i not in locked]
    assert honest.people.referrer[others].tolist() == sly.people.referrer[others].tolist()


def test_shops_stand_in_the_districts_in_turn() -> None:
    """Two cities with two districts each: shop 5 is the second of district 1, and its city's agent is that of district 0."""
    one = world_of(TOWN)

    assert one.shops.district[:4].tolist() * 2 == one.shops.district[:8].tolist()
    assert 4 == len(set(one.shops.district[:9].tolist()))
    assert one.shops.city[0] == one.shops.city[1] != one.shops.city[2]
    assert 1 == len(set(one.shops.province[:9].tolist()))
    assert {-1} == set(world_of(changed(TOWN, {"agents": "[city]"})).shops.district[:9].tolist())


@pytest.mark.parametrize(("outside", "expected"), [("nearest", {2000}), ("refused", {600, 2000})])
def test_a_concession_outside_the_range_is_brought_in_or_left(outside: str, expected: set[int]) -> None:
    """zengzhi takes 20 % and nothing else."""
    one = world_of(changed(TOWN, {"shops.outside": outside}), plan="zengzhi")

    assert expected == set(one.shops.concession_bp[:9].tolist())


def test_a_scenario_may_be_given_as_it_is() -> None:
    """``lab.run`` takes names, texts, and what has been read."""
    one: Scenario = read(changed(TOWN, {"months": "1"}))
    results: list[Any] = [lab.run("zengzhi", one), lab.run(load("zengzhi"), changed(TOWN, {"months": "1"}))]

    assert results[0] == results[1] == lab.run("zengzhi", TOWN, values={"months": "1"})
