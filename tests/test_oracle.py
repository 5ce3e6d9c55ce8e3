"""The oracle against published numbers: test vectors, the figures of the sources, and sums by hand.

Everything else is tested against the oracle, so nothing here leans on the package. Refunds and the promises that hold
after every operation are in test_oracle_promises.py.
"""

from __future__ import annotations

import copy
from collections import Counter
from fractions import Fraction
from itertools import islice, product
from math import comb, factorial
from typing import Any

import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import Plan, Programme, RowRefused, Transfer
from oracle_plans import DAY, EVERYBODY, MOUDIAN, PACKETS, SECRET, WEITUANBAO, YUAN, ZENGZHI, amounts, bought, of_code

# ---------------------------------------------------------------- draws


@pytest.mark.parametrize(
    ("length", "expected"),
    [(0, 0x726FDB47DD0E0E31), (1, 0x74F839C593DC67FD), (8, 0x93F5F5799A932462), (15, 0xA129CA6149BE45E5)],
)
def test_siphash_gives_the_published_vectors(length: int, expected: int) -> None:
    """Key 00..0f, input 00, 01, …: the vectors of the paper and of its reference program."""
    actual = oracle.siphash24(bytes(range(16)), bytes(range(length)))

    assert expected == actual


@pytest.mark.parametrize(
    ("seed", "expected"),
    [
        (0, [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F, 0xF88BB8A8724C81EC]),
        (1234567, [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]),
    ],
)
def test_draws_are_splitmix64_from_its_first_output_on(seed: int, expected: list[int]) -> None:
    """Draw 1 is the output after the first increment, as in everyone's SplitMix64."""
    actual = list(islice(oracle.draws(seed), 4))

    assert expected == actual


def test_the_secret_of_a_day_is_an_hmac_and_its_commitment_a_digest() -> None:
    """Recomputed by the definition of HMAC (RFC 2104), so that a standard tool can check the published commitment."""
    from hashlib import sha256

    inner = sha256(bytes(b ^ 0x36 for b in SECRET.ljust(64, b"\0")) + b"2026-01-05").digest()
    expected = sha256(bytes(b ^ 0x5C for b in SECRET.ljust(64, b"\0")) + inner).digest()

    assert expected == oracle.day_secret(SECRET, DAY)
    assert sha256(expected).digest() == oracle.commitment(expected)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 6, 7, 20, 1000, 2**31 - 1, 2**31])
def test_every_value_of_a_small_uniform_has_the_same_number_of_draws(n: int) -> None:
    """2^32 // n each: the first and last accepted draw of a value are found and probed on both sides."""

    def value(upper: int) -> int | None:
        """The value of a draw with these upper bits, or None when it is rejected."""
        spare = iter([upper << 32])
        try:
            return oracle.uniform(spare, n)
        except StopIteration:
            return None

    for x in {0, n // 2, n - 1}:
        first = -(-(x * 2**32 + 2**32 % n) // n)
        last = first + 2**32 // n - 1

        assert (x, x) == (value(first), value(last))
        assert value(first - 1) != x or first == 0
        assert last + 1 == 2**32 or value(last + 1) != x


def test_a_large_uniform_masks_and_rejects() -> None:
    """Above 2^31: the upper 62 bits of a draw, masked to the bits of n - 1, until one is below n."""
    n = 2**31 + 1
    spare = iter([(2**62 - 1) << 2, n << 2, (2**40 + n - 1) << 2])

    assert n - 1 == oracle.uniform(spare, n)
    assert [] == list(spare)


def aimed(t: int, n: int) -> int:
    """A draw for which ``uniform(n)`` answers t."""
    return ((2 * t + 1) * 2**32 // (2 * n)) << 32


@pytest.mark.parametrize(("issue", "parts"), [(1, 1), (2, 2), (4, 2), (5, 3), (6, 4), (7, 3), (7, 7), (8, 5)])
def test_every_composition_is_equally_likely(issue: int, parts: int) -> None:
    """All outcomes of Floyd's draws, counted: each composition has the same count, so each place has the same law."""
    bounds = range(issue - parts + 1, issue)
    counts: Counter[tuple[int, ...]] = Counter()
    for outcome in product(*(range(j) for j in bounds)):
        drawn = iter([aimed(t, j) for t, j in zip(outcome, bounds, strict=True)])
        counts[tuple(oracle.cut(drawn, issue, parts))] += 1

    assert {factorial(parts - 1)} == set(counts.values())
    assert comb(issue - 1, parts - 1) == len(counts)


@given(key=st.integers(0, 2**64 - 1), parts=st.integers(1, 20), more=st.integers(0, 10**10))
def test_a_cut_is_a_composition(key: int, parts: int, more: int) -> None:
    """As many parts as asked for, each at least 1 fen, adding up to what is cut."""
    cut = oracle.cut(oracle.draws(key), parts + more, parts)

    assert (parts, parts + more) == (len(cut), sum(cut))
    assert min(cut) >= 1


# ---------------------------------------------------------------- accounts and shares


def test_paths_split_at_their_colons_whatever_the_names() -> None:
    """Colons, percent signs and control characters are encoded; a prefix makes a recruiter a merchant or consumer."""
    programme = Programme(WEITUANBAO, SECRET)
    order = bought(
        "1",
        10_000,
        1000,
        "老王:面馆 100%",
        merchant="a\tb\x85c",
        referrer="merchant:x:y",
        recruiter="consumer:Z",
        agent_city="agent:Q",
    )
    shares = programme.settle(order).order[:5]
    expected = [
        "programme:packets:a%09b%C2%85c:1",
        "merchant:x%3Ay:wallet",
        "consumer:Z:wallet",
        "agent:Q:wallet",
        "platform:surplus",
    ]

    assert expected == [each.destination for each in shares]
    assert {"merchant:a%09b%C2%85c:concession"} == {each.source for each in shares}
    assert "老王%3A面馆 100%25" == oracle.encoded(order.consumer)


@pytest.mark.parametrize(
    ("concession_bp", "expected"), [(600, Fraction(4, 10)), (2000, Fraction(74, 10)), (3000, Fraction(124, 10))]
)
def test_the_platform_keeps_what_the_source_says(concession_bp: int, expected: Fraction) -> None:
    """Surplus of 微团宝 in percent of the amount, with the recruiter at its ceiling of 1 %."""
    shares = [{**share, "from": (600, 100)} if "from" in share else share for share in WEITUANBAO["shares"]]
    programme = Programme({**WEITUANBAO, "shares": shares, "bonus": []}, SECRET)
    programme.settle(bought("1", 10_000, concession_bp, "A", **EVERYBODY))

    assert expected == Fraction(programme.balances()["platform:surplus", "CNY"], 10_000 * 100)


@pytest.mark.parametrize(("concession_bp", "rate"), [(600, 30), (1800, 65), (3000, 100), (1000, Fraction(125, 3))])
def test_a_sliding_rate_rises_in_a_line(concession_bp: int, rate: Fraction) -> None:
    """The recruiter's 0.3 % at 6 % to 1 % at 30 %; between them the micro is rounded down once."""
    programme = Programme(WEITUANBAO, SECRET)
    settled = programme.settle(bought("1", 10_001, concession_bp, "A", recruiter="R")).order

    assert int(10_001 * rate) == of_code(settled, "recruiter")[0].amount


def test_a_differential_agent_gets_what_those_below_left() -> None:
    """0.1 / 0.2 / 0.3 % of 1000 yuan: a province keeps 0.3 % minus what district and city took, and more when one is missing."""
    table = [("D", "C", "P", [1, 1, 1]), (None, "C", "P", [2, 1]), ("D", None, "P", [1, 2]), (None, None, "P", [3])]
    for number, (district, city, province, expected) in enumerate(table):
        programme = Programme(ZENGZHI, SECRET)
        agents: dict[str, Any] = {"agent_district": district, "agent_city": city, "agent_province": province}
        settled = programme.settle(bought(str(number), 100_000, 2000, "A", **agents)).order

        assert expected == [each.amount // YUAN for each in settled if each.code.startswith("agent.")]


def test_a_missing_party_leaves_its_share_to_its_else() -> None:
    """The else party takes it under its own code; to the platform nothing is written but the platform's one line."""
    shares = [
        {"to": "referrer", "of": "concession", "rate": 1000, "else": "charity"},
        {"to": "referrer2", "of": "concession", "rate": 1000, "else": "merchant"},
        {"to": "recruiter", "of": "concession", "rate": 1000},
    ]
    programme = Programme({"concession": (0, 10_000), "shares": shares, "funds": ["charity"]}, SECRET)
    expected = [
        ("merchant:M:concession", "programme:fund:charity", 100_000, "CNY", "fund"),
        ("merchant:M:concession", "merchant:M:income", 100_000, "CNY", "merchant"),
        ("merchant:M:concession", "platform:surplus", 800_000, "CNY", "platform"),
    ]

    assert expected == programme.settle(bought("1", 100, 10_000, "A")).order


def test_a_bonus_is_paid_once_and_waits_for_its_party() -> None:
    """50 yuan per merchant: not while nobody recruited it, then once."""
    programme = Programme(WEITUANBAO, SECRET)
    recruiters = [None, "R", "R", "S"]
    paid = [
        of_code(programme.settle(bought(str(i), 100, 600, "A", recruiter=r)).order, "bonus") for i, r in enumerate(recruiters)
    ]
    expected = Transfer("platform:surplus", "agent:R:wallet", 50 * YUAN, "CNY", "bonus")

    assert [[], [expected], [], []] == paid


@pytest.mark.parametrize(
    ("paid_fen", "concession_bp", "voucher_fen", "reason"),
    [
        (0, 2000, 0, "amount_out_of_range"),
        (10**10 + 1, 2000, 0, "amount_out_of_range"),
        (100, 299, 0, "concession_out_of_range"),
        (100, 2001, 0, "concession_out_of_range"),
        (100, 2000, 101, "vouchers_over_limit"),
        (100, 2000, 1, "vouchers_short"),
    ],
)
def test_a_row_that_breaks_a_limit_is_refused_and_changes_nothing(
    paid_fen: int, concession_bp: int, voucher_fen: int, reason: str
) -> None:
    """Not even the period moves, although the refused order is a month later than the one before."""
    programme = Programme(MOUDIAN, SECRET)
    programme.settle(bought("1", 100_000, 2000, "A"))
    before = copy.deepcopy(programme.state)
    with pytest.raises(RowRefused) as refused:
        programme.settle(bought("2", paid_fen, concession_bp, "B", day=40, voucher_fen=voucher_fen))

    assert reason == refused.value.reason
    assert before == programme.state


def test_a_pool_takes_in_as_much_as_its_limit_and_not_a_micro_more() -> None:
    """2^60 micro is the last amount that fits; one more is refused."""
    programme = Programme({**ZENGZHI, "pool": {**ZENGZHI["pool"], "exit_bp": 0}}, SECRET)
    programme.inject(2**60 - 16_000)
    programme.settle(bought("1", 10, 2000, "A"))
    with pytest.raises(RowRefused, match="limit_reached"):
        programme.settle(bought("2", 1, 300, "A"))

    assert 2**60 == programme.pool_state().pool


# ---------------------------------------------------------------- packets


def test_three_orders_of_a_small_queue_by_hand() -> None:
    """Two packets an order, 25 fen a share: the missing packet's money waits in the pot and goes to the next."""
    shares = [{"to": "packets", "of": "concession", "rate": 5000}]
    packets = {"per_order": 2, "tiers_fen": [], "exit_packets": 2}
    programme = Programme({"concession": (5000, 5000), "shares": shares, "packets": packets}, SECRET)
    written = [of_code(programme.settle(bought(name, 100, 5000, name)).order, "packet") for name in "ABC"]

    assert [] == written[0]
    assert [("programme:packets:M:1", "consumer:A:wallet", 250_000, "CNY", "packet")] == written[1]
    assert ["consumer:A:wallet", "consumer:B:wallet"] == [each.destination for each in written[2]]
    assert 500_000 == sum(each.amount for each in written[2])
    assert [(2, False), (1, True), (0, True)] == [(lot.packets, lot.open) for lot in programme.lots()]


@pytest.mark.parametrize(("concession_bp", "expected"), [(600, 300), (2000, 1000), (3000, 1500)])
def test_in_steady_state_an_order_gives_half_its_concession_to_the_twenty_before_it(concession_bp: int, expected: int) -> None:
    """So the mean return is 0.5 x the concession: one packet to each of the 20 before, together the whole packet share."""
    programme = Programme(WEITUANBAO, SECRET)
    returned = Counter[str]()
    for i in range(400):
        packets = of_code(programme.settle(bought(str(i), 10_000, concession_bp, f"c{i}")).order, "packet")
        if i > 40:
            assert [f"consumer:c{j}:wallet" for j in range(i - 20, i)] == [each.destination for each in packets]
            assert 10_000 * expected == sum(each.amount for each in packets)
        returned.update({each.destination: each.amount for each in packets})
    lots = programme.lots()

    assert {20} == {lot.packets for lot in lots[21:380]}
    assert all(lot.received_fen * 10_000 == returned[f"consumer:{lot.consumer}:wallet"] for lot in lots)
    mean = Fraction(sum(lot.received_fen for lot in lots[100:380]), 280 * 10_000)
    assert abs(mean - Fraction(expected, 10_000)) < Fraction(1, 500)


def test_what_a_cap_cuts_off_goes_to_the_oldest_with_room_then_back_to_the_pot() -> None:
    """Two lots of 1 and 30 fen before an order that issues 50: both close on what they paid, 19 fen stay."""
    shares = [{"to": "packets", "of": "concession", "rate": 10_000}]
    packets = {"per_order": 2, "tiers_fen": [], "exit_packets": None}
    programme = Programme({"concession": (0, 5000), "shares": shares, "packets": packets}, SECRET)
    for name, paid_fen, concession_bp in [("A", 1, 0), ("B", 30, 0)]:
        programme.settle(bought(name, paid_fen, concession_bp, name))
    packets_out = of_code(programme.settle(bought("C", 100, 5000, "C")).order, "packet")

    assert [10_000, 300_000] == [each.amount for each in packets_out]
    assert 190_000 == programme.balances()["programme:packets:M:1", "CNY"]
    assert [False, False, True] == [lot.open for lot in programme.lots()]


@pytest.mark.parametrize("name", ["D", "E", "F", "G"])
def test_the_oldest_with_room_takes_the_whole_overflow(name: str) -> None:
    """A takes 1 of its part of 50 fen; the rest of the part is B's, as far as it has room, and C gets what it drew."""
    shares = [{"to": "packets", "of": "concession", "rate": 10_000}]
    packets = {"per_order": 3, "tiers_fen": [], "exit_packets": None}
    programme = Programme({"concession": (0, 5000), "shares": shares, "packets": packets}, SECRET)
    for consumer, paid_fen in [("A", 1), ("B", 100), ("C", 100)]:
        programme.settle(bought(consumer, paid_fen, 0, consumer))
    out = of_code(programme.settle(bought(name, 100, 5000, name)).order, "packet")
    key = oracle.siphash24(oracle.day_secret(SECRET, DAY)[:16], name.encode())
    drawn = oracle.cut(oracle.draws(key), 50, 3)

    assert drawn[0] > 1
    assert [1, drawn[0] - 1 + drawn[1], drawn[2]] == [each.amount // 10_000 for each in out]


def test_an_order_too_small_for_a_cap_of_one_fen_never_waits() -> None:
    """At a cap of 10 % an order of 9 fen has no room: its lot is closed at once and takes no place in the window."""
    shares = [{"to": "packets", "of": "concession", "rate": 10_000}]
    packets = {"per_order": 1, "tiers_fen": [], "exit_packets": None, "exit_received_bp": 1000}
    programme = Programme({"concession": (0, 10_000), "shares": shares, "packets": packets}, SECRET)
    for consumer, paid_fen in [("A", 9), ("B", 10)]:
        programme.settle(bought(consumer, paid_fen, 0, consumer))
    out = of_code(programme.settle(bought("C", 10, 10_000, "C")).order, "packet")

    assert ["consumer:B:wallet"] == [each.destination for each in out]
    assert [False, False, True] == [lot.open for lot in programme.lots()]


def test_fewer_fen_than_lots_go_to_the_oldest() -> None:
    """Three fen for five waiting lots: one fen each to the oldest three."""
    shares = [{"to": "packets", "of": "concession", "rate": 10_000}]
    packets = {"per_order": 5, "tiers_fen": [], "exit_packets": None}
    programme = Programme({"concession": (0, 10_000), "shares": shares, "packets": packets}, SECRET)
    for name in "ABCDE":
        programme.settle(bought(name, 100, 0, name))
    out = of_code(programme.settle(bought("F", 3, 10_000, "F")).order, "packet")

    assert [(f"consumer:{name}:wallet", 10_000) for name in "ABC"] == [(each.destination, each.amount) for each in out]


def test_own_orders_are_passed_over_when_the_plan_says_so() -> None:
    """With skip the payer's own lot waits for somebody else's order, and the window reaches past it."""
    shares = [{"to": "packets", "of": "concession", "rate": 10_000}]
    packets = {"per_order": 1, "tiers_fen": [], "exit_packets": None, "own_orders": "skip"}
    programme = Programme({"concession": (0, 10_000), "shares": shares, "packets": packets}, SECRET)
    for name, consumer in [("1", "A"), ("2", "B")]:
        programme.settle(bought(name, 100, 0, consumer))
    out = of_code(programme.settle(bought("3", 5, 10_000, "A")).order, "packet")

    assert ["consumer:B:wallet"] == [each.destination for each in out]


def test_an_upper_bound_belongs_to_its_tier_and_a_merchant_may_set_its_own() -> None:
    """100.00 is tier 1, 100.01 is tier 2; the shop with bounds of its own goes by those."""
    programme = Programme({**WEITUANBAO, "packets": {**PACKETS, "merchant_tiers": {"N": [50]}}}, SECRET)
    table = [("M", 10_000, 1), ("M", 10_001, 2), ("M", 20_000, 2), ("M", 50_000, 3), ("M", 50_001, 4), ("N", 50, 1), ("N", 51, 2)]
    for number, (merchant, paid_fen, _) in enumerate(table):
        programme.settle(bought(str(number), paid_fen, 1000, "A", merchant=merchant))

    assert [tier for _, _, tier in table] == [lot.tier for lot in programme.lots()]


# ---------------------------------------------------------------- the priced pool


def test_the_price_goes_as_the_source_reckons_it() -> None:
    """Three orders of 1000 yuan at 20 %: pool 160 / 320 / 480, supply 112 / 190.4 / 257.04."""
    programme = Programme(ZENGZHI, SECRET)
    seen = []
    for i in range(3):
        programme.settle(bought(str(i), 100_000, 2000, f"c{i}"))
        state = programme.pool_state()
        seen.append((state.pool, state.supply, int(programme.price() * YUAN)))
    expected = [
        (160_000_000, 112_000_000, 1_428_571),
        (320_000_000, 190_400_000, 1_680_672),
        (480_000_000, 257_040_000, 1_867_413),
    ]

    assert expected == seen


@pytest.mark.parametrize(("exit_bp", "number", "paid"), [(12_000, 1137, 960), (20_000, 6238, 1600)])
def test_the_first_forced_exit_comes_when_the_source_says(exit_bp: int, number: int, paid: int) -> None:
    """At 1.2 x the 1,137th of equal orders, paying 960 of the 1000; at 2 x the 6,238th. It is the first consumer's."""
    programme = Programme({**ZENGZHI, "pool": {**ZENGZHI["pool"], "exit_bp": exit_bp}}, SECRET)
    for i in range(1, number):
        assert not of_code(programme.settle(bought(str(i), 100_000, 2000, f"c{i}")).order, "exit")
    out = programme.settle(bought(str(number), 100_000, 2000, f"c{number}")).order[-2:]

    assert ["burn", "exit"] == [each.code for each in out]
    assert ("consumer:c1:wallet", paid) == (out[1].destination, out[1].amount // YUAN)
    assert (0, 0, 0) == programme.pool_state().members["c1"]


def test_a_sale_burns_and_pays_four_fifths() -> None:
    """Half of 112 points at 160/112 are worth 80 yuan and bring 64; 96 stay behind 56 points."""
    programme = Programme(ZENGZHI, SECRET)
    programme.settle(bought("1", 100_000, 2000, "A"))
    expected = [
        ("consumer:A:points", "programme:points", 56 * YUAN, "POINT", "burn"),
        ("programme:pool", "consumer:A:wallet", 64 * YUAN, "CNY", "sale"),
    ]

    assert expected == programme.sell("A", 56 * YUAN)
    assert Fraction(96, 56) == programme.price()
    assert (56 * YUAN, 1200 * YUAN, 64 * YUAN) == programme.pool_state().members["A"]


def test_after_the_last_points_the_price_stays_and_the_rest_too() -> None:
    """Sold out at 160/112, 32 yuan stay; the next order mints at that price, and what stayed lifts the next price."""
    programme = Programme(ZENGZHI, SECRET)
    programme.settle(bought("1", 100_000, 2000, "A"))
    programme.sell("A", 112 * YUAN)

    assert (32 * YUAN, 0, (160 * YUAN, 112 * YUAN)) == programme.pool_state()[:3]
    assert Fraction(160, 112) == programme.price()
    minted = of_code(programme.settle(bought("2", 100_000, 2000, "A")).order, "mint")
    assert [78_400_000] == [each.amount for each in minted]
    assert Fraction(192, 784) * 10 == programme.price()


def test_exits_cascade_lowest_trigger_first_and_of_equal_ones_the_lower_number() -> None:
    """Y and X bought the same at the same price and have one trigger; Z bought first, has more for its limit, and exits first."""
    pool = {"mint_bp": 9999, "pays_bp": 5000, "exit_bp": 5000}
    shares = [{"to": "pool", "of": "concession", "rate": 1000}]
    programme = Programme({"concession": (1000, 1000), "shares": shares, "pool": pool}, SECRET)
    for name, paid_fen in [("Z", 1_000_000), ("Y", 1), ("X", 1)]:
        programme.settle(bought(name, paid_fen, 1000, name))
    members = programme.pool_state().members
    triggers = {name: Fraction(limit, points) for name, (points, limit, _) in members.items()}
    exits = of_code(programme.inject(10**12), "burn")

    assert triggers["Z"] < triggers["Y"] == triggers["X"]
    assert ["consumer:Z:points", "consumer:Y:points", "consumer:X:points"] == [each.source for each in exits]


def test_with_orders_as_members_each_order_exits_by_itself() -> None:
    """The same consumer's first order exits at order 1,137 and pays the same 960 yuan; the others stay."""
    programme = Programme({**ZENGZHI, "pool": {**ZENGZHI["pool"], "exit_scope": "order"}}, SECRET)
    for i in range(1, 1138):
        out = of_code(programme.settle(bought(str(i), 100_000, 2000, "A")).order, "exit")

    assert [960] == [each.amount // YUAN for each in out]
    assert ["1"] == [name for name, (points, _, _) in programme.pool_state().members.items() if points == 0]


# ---------------------------------------------------------------- release by period


def test_the_promise_of_growth_is_the_sources_series() -> None:
    """Growth of 15 % a period, no cap, a pot without bottom: 0.92, 2.17, 4.41, 5.07 and 8.90 times in 24, 30, 35, 36, 40."""
    plan = {
        "concession": (2000, 2000),
        "shares": [{"to": "dividend", "of": "concession", "rate": 10_000}],
        "points": [{"to": "consumer", "of": "concession", "rate": 1}],
        "release": {"rate": 50, "growth_bp": 0, "days": 1, "extended": 0, "multiple_bp": 10**9},
    }
    programme = Programme(plan, SECRET)
    inflow = Fraction(10_000_000)
    percent = []
    for k in range(41):
        programme.settle(bought(str(k), int(inflow), 2000, f"c{k}", day=k))
        inflow *= Fraction(115, 100)
        first = programme.point_lots()[0]
        percent.append(int(Fraction(first.released * 100, first.points) + Fraction(1, 2)))

    assert [92, 217, 441, 507, 890] == [percent[k] for k in (24, 30, 35, 36, 40)]


def test_without_growth_forty_periods_return_a_fifth_and_the_rest_is_zeroed() -> None:
    """0.5 % x 40 = 0.20, and the pot of 40 % of the concession just carries it: 40 open lots of twice the concession."""
    programme = Programme(MOUDIAN, SECRET)
    zeroed = []
    for k in range(90):
        settled = programme.settle(bought(str(k), 100_000, 2000, f"c{k}", day=30 * k))
        zeroed.append(len(of_code(settled.before, "zeroed")))
        vouchers = of_code(settled.before, "voucher")
        assert 2 * min(k, 40) == len(vouchers)
        assert {1 * YUAN} >= {each.amount for each in vouchers}
    ended = [lot for lot in programme.point_lots() if not lot.open]

    assert [0] * 40 + [2] * 50 == zeroed
    assert {Fraction(1, 5)} == {Fraction(lot.released, lot.points) for lot in ended}
    assert {0} == {lot.left for lot in ended}


def test_a_pot_that_is_too_small_is_shared_in_proportion() -> None:
    """With 1 % of the concession in the pot and 1 % owed to each of two, each gets half of it."""
    plan = {
        **MOUDIAN,
        "shares": [{"to": "dividend", "of": "concession", "rate": 100}],
        "release": {**MOUDIAN["release"], "rate": Fraction(1, 100)},
    }
    programme = Programme(plan, SECRET)
    programme.settle(bought("1", 100_000, 2000, "A"))
    before = programme.settle(bought("2", 100, 2000, "B", day=30)).before

    assert [("release", 2 * YUAN), ("voucher", 1 * YUAN), ("voucher", 1 * YUAN)] == amounts(before)


def test_a_lot_ends_at_its_multiple_and_its_points_burn() -> None:
    """At 60 % a period of a multiple of one: 60, then 40 and the burn; the period after that is empty."""
    plan: Plan = {
        "concession": (2000, 2000),
        "shares": [{"to": "dividend", "of": "concession", "rate": 10_000}],
        "points": [{"to": "consumer", "of": "concession", "rate": 10_000}],
        "release": {"rate": 6000, "growth_bp": 0, "days": 1, "extended": 0, "multiple_bp": 10_000},
    }
    expected = {
        "vouchers": [("release", 120), ("voucher", 120), ("release", 80), ("voucher", 80), ("burn", 200)],
        "cash": [("release", 120), ("burn", 120), ("release", 80), ("burn", 80)],
    }
    for pays, lines in expected.items():
        programme = Programme({**plan, "release": {**plan["release"], "pays": pays}}, SECRET)
        before: list[Transfer] = []
        for k in range(4):
            paid_fen = 100_000 if k < 2 else 1  # equal inflows for the first two periods
            before += programme.settle(bought(str(k), paid_fen, 2000, "A" if k == 0 else "B", day=k)).before
        of_a = [each for each in before if "consumer:A" in each.source + each.destination]

        assert [line for line in lines if pays == "cash" or line[0] != "release"] == [
            (code, amount // YUAN) for code, amount in amounts(of_a)
        ]


def test_a_period_closes_by_growth_and_releases_the_next_day_or_by_the_calendar() -> None:
    """(day, yuan) -> (period after it, lines of release before it): 115 % closes at once, day 31 closes what did not grow."""
    table = [
        (0, 1000, 0, 0),
        (29, 10, 0, 0),  # day 30 of the period, still in it
        (30, 1161, 1, 4),  # day 31: cash, two consumers, the merchant; 1161 is just short of 115 % of 1010
        (30, 1, 2, 0),  # reaches 115 %: closes; the release waits for the next day
        (30, 5000, 2, 0),  # joins period 2, which cannot close while a release waits
        (25, 1, 2, 0),  # a late row counts on the day reached
        (31, 1, 3, 7),  # the release of period 1, and period 2 closes, since no release waits any more
        (95, 1, 5, 11),  # the release of 2; 3 and 4 by the calendar, though nothing came in
    ]
    programme = Programme(MOUDIAN, SECRET)
    for number, (day, yuan, period, lines) in enumerate(table):
        settled = programme.settle(bought(str(number), yuan * 100, 2000, f"c{number}", day=day))

        assert (number, period) == (number, programme.period_state().number)
        assert (number, lines) == (number, len(settled.before))


def test_a_late_row_that_closes_a_period_closes_it_on_the_day_reached() -> None:
    """Paid on day 29 but settled after one of day 30: the release waits for day 31, not for the next order of day 30."""
    programme = Programme(MOUDIAN, SECRET)
    days = [(0, 1000), (30, 10), (29, 2000), (30, 1), (31, 1)]
    written = [programme.settle(bought(str(i), yuan * 100, 2000, "A", day=day)).before for i, (day, yuan) in enumerate(days)]

    assert [0, 3, 0, 0, 5] == [len(before) for before in written]


def test_a_balance_plan_releases_a_part_of_what_is_left() -> None:
    """One lot per holder; 10 % of the balance a day, in cash: 20, then 10 % of 180 and 200 more."""
    plan = {
        "concession": (2000, 2000),
        "shares": [{"to": "dividend", "of": "concession", "rate": 10_000}],
        "points": [{"to": "consumer", "of": "concession", "rate": 10_000}],
        "release": {"rate": 1000, "of": "balance", "days": 1, "multiple_bp": 10_000, "pays": "cash"},
    }
    programme = Programme(plan, SECRET)
    before = [programme.settle(bought(str(k), 100_000, 2000, "A", day=k)).before for k in range(3)]

    assert [[], [20, 20], [38, 38]] == [[each.amount // YUAN for each in written] for written in before]
    assert 1 == len(programme.point_lots())


def test_vouchers_pay_a_later_order_out_of_the_reserve() -> None:
    """Two lines before the shares: the vouchers go back to the issuer, the reserve pays the merchant."""
    programme = Programme(MOUDIAN, SECRET)
    programme.settle(bought("1", 100_000, 2000, "A"))
    settled = programme.settle(bought("2", 100, 2000, "A", day=30, voucher_fen=100))
    expected = [
        ("consumer:A:vouchers", "programme:vouchers", 1 * YUAN, "VOUCHER", "voucher_spent"),
        ("programme:reserve", "merchant:M:income", 1 * YUAN, "CNY", "voucher_paid"),
    ]

    assert expected == settled.order[:2]
    assert [("release", 2 * YUAN), ("voucher", YUAN), ("voucher", YUAN)] == amounts(settled.before)
