"""The lab against the numbers of the sources: what each model really does with a stream of equal orders."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from rangli import lab
from rangli.engine.release import due_of
from rangli.engine.state import RELEASE_DONE, RELEASE_POINTS
from rangli.errors import InputRefused
from rangli.lab import equal
from rangli.money import print_ratio
from rangli.plan import load

YUAN = 10**6
TWENTY = 2000
"""20 %."""


# ---------------------------------------------------------------- red packets


@pytest.mark.parametrize(("concession_bp", "surplus_bp"), [(600, 40), (2000, 740), (3000, 1240)])
def test_the_platform_keeps_what_the_source_says(concession_bp: int, surplus_bp: int) -> None:
    """0.4 % of the amount at 6 %, 7.4 % at 20 %, 12.4 % at 30 %, with the recruiter at its ceiling of 1 %."""
    plan = load("weituanbao", ["shares[2].rate=1% of amount"])
    run = lab.simulate(plan, 100, 10_000, concession_bp, 7)

    assert run.paid_fen * surplus_bp == run.surplus_micro


@pytest.mark.parametrize("concession_bp", [600, 2000, 3000])
def test_the_mean_return_is_half_the_concession(concession_bp: int) -> None:
    """Each order hands its packet share to the twenty before it, whatever the draw: 3, 10 and 15 percent.

    What the first twenty orders cannot hand out waits in the pot, and goes out as soon as twenty are waiting.
    """
    count = 2000
    run = lab.simulate(load("weituanbao"), count, 10_000, concession_bp, 7)
    share_micro = 10_000 * concession_bp // 2

    assert 20 * count - 210 == run.packets
    assert run.by_code["packet"] == run.returned_micro
    assert count * share_micro == run.returned_micro
    for few in (1, 2, 20, 21):
        early = lab.simulate(load("weituanbao"), few, 10_000, concession_bp, 7)
        assert 0 <= few * share_micro - early.returned_micro <= 20 * share_micro


def test_the_same_seed_gives_the_same_and_another_other_packets() -> None:
    """A simulation that cannot be repeated proves nothing; one that ignores its seed has no chance in it."""
    plan = load("weituanbao")
    first, again, other = (lab.simulate(plan, 500, 10_000, TWENTY, seed) for seed in (7, 7, 8))

    assert first == again
    assert first.state_hash != other.state_hash
    assert (first.returned_micro, first.packets) == (other.returned_micro, other.packets)


def test_the_size_of_a_batch_does_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lab is the engine in large batches; in small ones it is the same engine."""
    for name, concession_bp in (("weituanbao", 600), ("moudian", TWENTY), ("zengzhi", TWENTY)):
        plan = load(name)
        whole = lab.simulate(plan, 300, 10_000, concession_bp, 7, per_day=4)
        seen: list[int] = []
        with monkeypatch.context() as patch:
            patch.setattr(equal, "BATCH", 71)

            assert whole == lab.simulate(plan, 300, 10_000, concession_bp, 7, per_day=4, progress=seen.append)
        assert [71, 71, 71, 71, 16] == seen


# ---------------------------------------------------------------- appreciating points


def test_the_price_goes_as_the_source_reckons_it() -> None:
    """Three orders of 1000 yuan: pool 160 / 320 / 480, supply 112 / 190.4 / 257.04, prices 1.428571, 1.680672, 1.867413."""
    runs = [lab.simulate(load("zengzhi"), count, 100_000, TWENTY, 7) for count in (1, 2, 3)]

    assert [160 * YUAN, 320 * YUAN, 480 * YUAN] == [run.pool_micro for run in runs]
    assert [112_000_000, 190_400_000, 257_040_000] == [run.supply_micro for run in runs]
    assert ["1.428571", "1.680672", "1.867413"] == [print_ratio(*run.price) for run in runs]


@pytest.mark.parametrize(("at", "first"), [("120%", 1137), ("200%", 6238)])
def test_the_first_forced_exit_comes_when_the_source_says(at: str, first: int) -> None:
    """Order 1,137 at 1.2 x and order 6,238 at 2 x; not one order sooner."""
    plan = load("zengzhi", [f"pool.exit.at={at}"])
    before, after = (lab.simulate(plan, count, 100_000, TWENTY, 7) for count in (first - 1, first))

    assert (0, 0) == (before.exits, before.first_exit)
    assert (1, first) == (after.exits, after.first_exit)


def test_one_order_in_2625_ever_exits() -> None:
    """38 of 100,000; whoever buys a ticket for the forced exit should know the odds."""
    run = lab.simulate(load("zengzhi"), 100_000, 100_000, TWENTY, 7)

    assert (38, 1137) == (run.exits, run.first_exit)
    assert run.returned_micro == run.by_code["exit"]
    assert run.pool_micro == run.by_code["pool"] - run.returned_micro


@pytest.mark.parametrize("at_percent", [17, 25, 40, 80, 120])
def test_no_more_can_exit_than_the_pool_can_pay(at_percent: int) -> None:
    """An exit takes at least four fifths of its multiple out of a pool that gets 16 %: at 1.2 x at most 16.7 % ever exit."""
    run = lab.simulate(load("zengzhi", [f"pool.exit.at={at_percent}%"]), 3000, 100_000, TWENTY, 7)

    assert run.exits * at_percent * 8 // 10 <= run.orders * 16
    assert run.returned_micro >= run.exits * (at_percent * 8 * YUAN - 2)
    assert run.returned_micro <= run.paid_fen * 1600, "the mean return is at most 16 % of what was spent"


def test_the_price_grows_as_the_three_tenths_power_of_the_orders() -> None:
    """price(10 n) / price(n) nears 10^0.3: raised to the tenth it nears 1000, ever closer."""
    plan = load("zengzhi", ["pool.exit.at=9999.99%"])
    prices = [lab.simulate(plan, count, 100_000, TWENTY, 7).price for count in (10, 100, 1000, 10_000)]
    powers = [
        (pool * old_supply) ** 10 * 1000 // (old_pool * supply) ** 10
        for (old_pool, old_supply), (pool, supply) in pairwise(prices)
    ]
    distances = [abs(power - 1_000_000) for power in powers]

    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 2000


# ---------------------------------------------------------------- green points


def test_the_promise_of_growth_is_the_sources_series() -> None:
    """Growth of 15 % a period in a pot without bottom: 0.92, 2.17, 4.41, 5.07 and 8.9 times after 24, 30, 35, 36, 40."""
    rows = lab.promises(load("moudian"), 100 * YUAN, 1500, 40)
    hundredths = {row.period: (row.total_micro + YUAN // 2) // YUAN for row in rows}

    assert [92, 217, 441, 507] == [hundredths[period] for period in (24, 30, 35, 36)]
    assert 89 == (hundredths[40] + 5) // 10
    assert [0, 500 * YUAN] == [rows[34].capped_micro - rows[34].total_micro, rows[39].capped_micro]


def test_without_growth_forty_periods_return_a_fifth() -> None:
    """0.5 % x 40, however long one waits."""
    rows = lab.promises(load("moudian"), 100 * YUAN, 0, 40)

    assert [20 * YUAN] * 2 == [rows[-1].total_micro, rows[-1].capped_micro]


def test_a_steady_inflow_funds_that_fifth_and_no_more() -> None:
    """One order of 1000 yuan at 20 % a day for 50 periods: period k releases k x 0.5 % of twice the concession, then 40 x.

    That is the 40 % that enter the pot: promised is 10 x the concession, funded 0.4 x.
    """
    days, inflow = 30, 30 * 200 * YUAN
    run = lab.simulate(load("moudian"), 50 * days + 1, 100_000, TWENTY, 7, per_day=1)
    released = [micro for micro, _ in run.periods]

    assert [min(k, 40) * inflow // 100 for k in range(1, 51)] == released
    assert all(micro <= held for micro, held in run.periods)
    assert 10 * sum(released[:40]) == 10 * inflow * 820 // 100
    assert 2 * inflow * 20 // 100 == released[-1] == inflow * 40 // 100


def test_a_plan_without_points_promises_nothing() -> None:
    """Better a refusal in words than a table of zeros."""
    with pytest.raises(InputRefused, match="release"):
        lab.promises(load("weituanbao"), YUAN, 1500, 40)


@pytest.mark.parametrize(("years", "permille"), [(1, 167), (5, 599), (10, 839)])
def test_what_a_part_of_the_balance_a_day_repays_if_somebody_funds_it(years: int, permille: int) -> None:
    """云联惠, 0.05 % of the balance a day out of a pot without bottom: 16.7 % in a year, 59.9 % in five, 83.9 % in ten."""
    terms = load("yunlianhui").terms.release
    lot = np.zeros(16, np.int64)
    lot[RELEASE_POINTS] = points = 10**12
    for _ in range(365 * years):
        lot[RELEASE_DONE] += due_of(terms, lot, 1, 1)

    assert permille == (int(lot[RELEASE_DONE]) * 1000 + points // 2) // points


def test_what_yunlianhui_takes_in_is_a_seventh_of_its_promise() -> None:
    """16 % in, 116 % promised: with equal orders the pot pays all that is due for half a year, and runs dry within two years."""
    first, second = (lab.simulate(load("yunlianhui"), days, 100_000, 1600, 7, per_day=1) for days in (200, 700))

    assert first.by_code["mint"] == 200 * 1160 * YUAN
    assert first.promised_micro == first.by_code["mint"] - first.by_code["release"]
    assert first.by_code["dividend"] == 200 * 160 * YUAN
    assert all(released < held for released, held in first.periods)
    assert second.periods[-1][0] <= second.periods[-1][1] < 161 * YUAN


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(("paid_fen", "concession_bp"), [(0, TWENTY), (10**10 + 1, TWENTY), (100, 1999), (100, 2001)])
def test_an_order_that_the_plan_does_not_take_is_refused_in_words(paid_fen: int, concession_bp: int) -> None:
    """In both languages, with what would be right."""
    with pytest.raises(InputRefused) as refused:
        lab.simulate(load("zengzhi"), 1, paid_fen, concession_bp, 7)

    assert ("20%" in refused.value.en) == (paid_fen == 100) == ("20%" in refused.value.zh)
    assert ("100000000.00" in refused.value.en) == (paid_fen != 100) == ("100000000.00" in refused.value.zh)
