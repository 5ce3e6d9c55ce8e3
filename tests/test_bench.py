"""The benchmark measures like with like: what it compares does the same work, and it says where a number comes from."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from bench import kernels, koubei, plain, reference, report
from bench.timing import Pairs, Spread
from rangli.files.orders import OrderFile

SIZES = kernels.Sizes(draws=50, hashes=100, shares=300, packets=300, merchants=3, pool=300, release=150, pairs=1)
KERNELS = ("draws", "siphash", "shares", "packets", "pool", "release")


# ---------------------------------------------------------------- beside C

needs_cc = pytest.mark.skipif(not reference.has_compiler(), reason="there is no cc to compile the C reference with")


@pytest.fixture(scope="module")
def c(tmp_path_factory: pytest.TempPathFactory) -> reference.Reference:
    """The C reference."""
    return reference.Reference(tmp_path_factory.mktemp("reference"))


def race(c: reference.Reference, name: str) -> kernels.Race:
    """A kernel and its reference."""
    found = kernels.races(c, SIZES)[KERNELS.index(name)]()
    assert name == found.name
    return found


@needs_cc
@pytest.mark.parametrize("name", KERNELS)
def test_c_does_the_same_work_as_the_kernel(c: reference.Reference, name: str) -> None:
    """A ratio of two speeds means nothing unless both wrote the same; ``run`` asserts it before and after it measures."""
    taken = kernels.run(race(c, name), SIZES.pairs)

    assert SIZES.pairs == len(taken.ratios)
    assert min(taken.ratios) > 0


@needs_cc
@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("draws", "first + k) + 1", "first + k) + 2"),
        ("siphash", "v2 ^= 255", "v2 ^= 254"),
        ("shares", "left -= amount;", "left -= 0;"),
        ("packets", "s.lots[at][LOT_LEFT]--;", "s.lots[at][LOT_LEFT] -= 1 + (order == 7);"),
        ("pool", "row[CYCLE_FROM] = tally[ORDERS]", "row[CYCLE_FROM] = order"),
        ("release", "lot[AGE]++", "lot[AGE] += 2"),
    ],
)
def test_other_work_is_found_out(name: str, right: str, wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that no difference fails would let the reference drift away from the engine."""
    text = reference.SOURCE.read_text(encoding="utf-8")
    assert right in text
    changed = tmp_path / "reference.c"
    changed.write_text(text.replace(right, wrong), encoding="utf-8")
    monkeypatch.setattr(reference, "SOURCE", changed)

    with pytest.raises(AssertionError):
        kernels.run(race(reference.Reference(tmp_path), name), 1)


# ---------------------------------------------------------------- beside the oracle and an ORM


def test_engine_oracle_and_orm_settle_the_same_orders_to_the_same_books(tmp_path: Path) -> None:
    """Transfers by code and every balance; otherwise one of the three would be fast because it does less."""
    orders = plain.named_orders(90, 2)
    plain.assert_equal(orders, tmp_path)
    by_code = plain.came_by_engine(orders).by_code

    assert by_code["packet"][0] > 5 * len(orders)
    assert {"pot", "referrer", "recruiter", "agent.city", "agent.district", "platform", "bonus", "packet"} == by_code.keys()


def test_a_book_that_differs_is_found_out(tmp_path: Path) -> None:
    """The same orders in another order are other books."""
    orders = plain.named_orders(40, 1)
    backwards = plain.came_by_orm(orders[::-1], tmp_path)

    assert plain.came_by_engine(orders) != backwards


# ---------------------------------------------------------------- reporting


def test_a_ratio_is_our_speed_as_a_share_of_theirs_pair_by_pair() -> None:
    """Twice the time is half the speed; a slow moment of the machine stays in its own pair."""
    pairs = Pairs(ours=[2.0, 20.0, 1.0], theirs=[1.0, 10.0, 2.0])

    assert [0.5, 0.5, 2.0] == pairs.ratios
    assert Spread(0.5, 0.5, 2.0) == Spread.of(pairs.ratios)


def test_a_part_of_the_results_is_replaced_and_the_others_stay(tmp_path: Path) -> None:
    """The long job is run on another day than the kernels, and each keeps its own machine and date."""
    path = tmp_path / "RESULTS.md"
    first, second = (report.Section(title, "About.", ("what", "measured"), [("speed", title)]) for title in ("one", "two"))
    report.write("a", "A", "make a", [first], path)
    report.write("b", "B", "make b", [first], path)
    report.write("a", "A", "make a", [second], path)
    text = path.read_text(encoding="utf-8")

    assert 1 == text.count("| speed | two |")
    assert 1 == text.count("| speed | one |")
    assert text.index("## A") < text.index("## B")


def test_the_machine_is_described_without_its_name_or_paths() -> None:
    """Results are published; where somebody works is nobody's business."""
    said = report.machine()

    assert platform.python_version() in said
    assert str(Path.home()) not in said
    assert str(report.ROOT) not in said
    assert len(platform.node()) < 4 or platform.node() not in said


# ---------------------------------------------------------------- real shops

needs_koubei = pytest.mark.skipif(not koubei.is_there(), reason="no Koubei data; RANGLI_KOUBEI names the folder that holds it")


@pytest.fixture(scope="module")
def thousand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The first thousand orders."""
    path = tmp_path_factory.mktemp("koubei") / "orders.parquet"
    assert 1000 == koubei.expand(path, 1000)
    return path


@needs_koubei
def test_the_counts_of_the_data_are_all_there() -> None:
    """7,985,682 orders of 2,000 shops on 28 days, as its README says."""
    shops = koubei.read_shops(np.random.default_rng(1))

    assert (28, 2000) == shops.orders.shape
    assert 7_985_682 == shops.orders.sum()


@needs_koubei
def test_every_expanded_order_is_one_that_the_plan_takes(thousand: Path) -> None:
    """The main job is to settle all of them, so none may be refused for how it was drawn."""
    (rows, rejects), *_ = OrderFile(thousand).batches()

    assert [] == rejects
    assert 1000 == len(rows.row)
    assert 1 <= rows.paid_fen.min()
    assert 600 <= rows.concession_bp.min() <= rows.concession_bp.max() <= 2000
    assert {0} == set((rows.concession_bp * 2 % 100).tolist())
    assert all(len(rows.names[party]) > rows.names[party].null_count for party in ("referrer", "recruiter", "agent_city"))


@needs_koubei
def test_the_expansion_is_in_order_of_time_and_a_shorter_one_is_its_beginning(thousand: Path, tmp_path: Path) -> None:
    """The same seed gives the same orders, however many are asked for."""
    shorter = tmp_path / "orders.parquet"
    koubei.expand(shorter, 300)
    whole = pq.read_table(thousand)
    paid_at = whole["paid_at"].to_numpy()

    assert (np.diff(paid_at) >= np.timedelta64(0)).all()
    assert whole.slice(0, 300).to_pylist() == pq.read_table(shorter).to_pylist()
