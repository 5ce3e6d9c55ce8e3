"""The example world: the same for the same seed, whole, and lifelike."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyarrow import parquet

from rangli.errors import FileRefused
from rangli.files.example import AGENT_PERCENT, HOURS, WEEK, write_example, yuan_texts
from rangli.files.orders import FIELDS, OrderFile
from rangli.money import parse_percent, parse_yuan, print_yuan

ORDERS, SHOPS, SEED = 4_000, 200, 7
Row = dict[str, str]


class World(NamedTuple):
    """A written example, read back as text."""

    folder: Path
    orders: list[Row]
    shops: dict[str, Row]


def rows_of(path: Path) -> list[Row]:
    """The rows of a CSV."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """One example for all tests of this file."""
    folder = tmp_path_factory.mktemp("example")
    path = write_example(folder, ORDERS, SHOPS, SEED)
    return World(folder, rows_of(path), {row["merchant"]: row for row in rows_of(folder / "shops.csv")})


def test_the_same_seed_writes_the_same_bytes(world: World, tmp_path: Path) -> None:
    """A figure in a document or a bug report is worth something only when others can make the same file."""
    again, other = tmp_path / "again", tmp_path / "other"
    write_example(again, ORDERS, SHOPS, SEED)
    write_example(other, ORDERS, SHOPS, SEED + 1)
    for name in ("orders.csv", "shops.csv", "README.txt"):
        assert (world.folder / name).read_bytes() == (again / name).read_bytes()
        assert (world.folder / name).read_bytes() != (other / name).read_bytes()


def test_all_its_rows_are_accepted(world: World) -> None:
    """A tutorial that starts with rejects teaches the wrong thing."""
    file = OrderFile(world.folder / "orders.csv")
    batches = list(file.batches())

    assert (ORDERS, 0) == (sum(len(rows.row) for rows, _ in batches), file.duplicates)
    assert [] == [reject for _, rejects in batches for reject in rejects]
    assert [] == file.extra_columns
    assert [name for name in FIELDS if name != "voucher"] == list(world.orders[0])


def test_parquet_holds_the_same_orders(world: World, tmp_path: Path) -> None:
    """The format is a choice of the reader's, not another world."""
    path = write_example(tmp_path, ORDERS, SHOPS, SEED, suffix="parquet")
    columns = parquet.read_table(path).to_pydict()

    assert {name: [row[name] for row in world.orders] for name in columns} == {
        name: [text or "" for text in column] for name, column in columns.items()
    }


def test_orders_come_in_order_of_time_with_ids_that_tell_the_day(world: World) -> None:
    """Settlement takes orders as they come; a file out of order would be no picture of life."""
    times = [row["paid_at"] for row in world.orders]

    assert sorted(times) == times
    assert [time[:10].replace("-", "") for time in times] == [row["order_id"][:8] for row in world.orders]
    assert ORDERS == len({row["order_id"] for row in world.orders})


def test_the_day_has_a_lunch_and_a_dinner_and_the_week_a_weekend(world: World) -> None:
    """Packets run from one order to the next of a shop, so how orders bunch is part of the picture."""
    hours = Counter(int(row["paid_at"][11:13]) for row in world.orders)
    days = Counter(row["paid_at"][:10] for row in world.orders)

    assert min(hours[12], hours[18]) > 3 * max(hours[9], hours[15], hours[22])
    assert hours[12] > hours[13]
    assert {hour for hour, weight in enumerate(HOURS) if weight > 10} <= set(hours)
    assert 28 == len(days)
    assert WEEK.index(max(WEEK)) == [days[day] for day in sorted(days)[:7]].index(max(days.values()))


def test_consumers_are_regulars_of_a_few_shops_in_their_city(world: World) -> None:
    """Queues of red packets live from people who come back."""
    visits: dict[str, Counter[str]] = defaultdict(Counter)
    for row in world.orders:
        visits[row["consumer"]][row["merchant"]] += 1
    frequent = [shops for shops in visits.values() if shops.total() >= 20]
    at_four = [100 * sum(count for _, count in shops.most_common(4)) // shops.total() for shops in frequent]
    at_home = [
        100 * max(Counter(world.shops[name]["city"] for name in shops.elements()).values()) // shops.total() for shops in frequent
    ]

    assert len(frequent) > 30
    assert median(at_four) > 75
    assert min(at_home) > 80


def test_some_shops_and_some_consumers_are_much_busier_than_others(world: World) -> None:
    """Equal shops would hide what a long queue does."""
    for column in ("merchant", "consumer"):
        counts = sorted(Counter(row[column] for row in world.orders).values(), reverse=True)
        tenth = len(counts) // 10

        assert sum(counts[:tenth]) * 10 > 3 * ORDERS, f"a tenth of the {column}s has three tenths of the orders and more"


def test_tickets_are_four_yuan_a_pay_level_in_the_middle(world: World) -> None:
    """The law that stands in for amounts nobody publishes: lognormal, median 4 yuan a level, sigma 0.6."""
    ratios = sorted(
        parse_yuan(row["amount"]) * 100 // (400 * int(world.shops[row["merchant"]]["pay_level"])) for row in world.orders
    )
    levels = {int(row["pay_level"]) for row in world.shops.values()}
    low, middle, high = (ratios[ORDERS * part // 1000] for part in (159, 500, 841))

    assert 1 <= min(levels) < 3
    assert 17 < max(levels) <= 20
    assert 96 < middle < 104
    assert 52 < low < 58, "exp(-0.6) of the median is 55 %"
    assert 174 < high < 191, "exp(0.6) of the median is 182 %"


def test_a_shop_keeps_its_concession_its_recruiter_and_its_agents(world: World) -> None:
    """Who brought a shop is paid for ever, and an agent for the whole place."""
    kept = ("concession", "recruiter", *(f"agent_{rank}" for rank in AGENT_PERCENT))
    for row in world.orders:
        assert [row[name] for name in kept] == [world.shops[row["merchant"]][name] for name in kept]
    for rank in AGENT_PERCENT:
        agents = {(shop[rank], shop[f"agent_{rank}"]) for shop in world.shops.values()}
        assert len({place for place, _ in agents}) == len(agents), "one agent a place, or none"
        assert 0 < sum(agent == "" for _, agent in agents) < len(agents)
    assert 60 < sum(100 for shop in world.shops.values() if shop["recruiter"]) // SHOPS < 80


def test_a_consumer_is_bound_once_and_for_ever(world: World) -> None:
    """The binding is what a referrer is paid for; the second referrer is the first one's own."""
    referrer = {row["consumer"]: row["referrer"] for row in world.orders}
    bound = [name for name in referrer.values() if name]

    assert all(referrer[row["consumer"]] == row["referrer"] for row in world.orders)
    assert 50 * len(referrer) < 100 * len(bound) < 70 * len(referrer)
    assert 30 * len(bound) < 100 * sum(name.startswith("merchant:") for name in bound) < 70 * len(bound)
    assert {name.removeprefix("merchant:") for name in bound if name.startswith("merchant:")} <= set(world.shops)
    checked = [row for row in world.orders if row["referrer"] in referrer]
    assert len(checked) > 500
    assert all(row["referrer2"] == referrer[row["referrer"]] for row in checked)
    assert not any(row["referrer2"] for row in world.orders if not row["referrer"] or row["referrer"].startswith("merchant:"))


@pytest.mark.parametrize(("low", "high"), [(600, 2000), (300, 300), (2000, 2000)])
def test_concessions_are_inside_the_range_asked_for(tmp_path: Path, low: int, high: int) -> None:
    """The same world serves plans with different ranges, and one with a fixed concession."""
    write_example(tmp_path, 50, 100, SEED, concession_bp=(low, high))
    concessions = {parse_percent(row["concession"]) for row in rows_of(tmp_path / "shops.csv")}

    assert all(low <= bp <= high for bp in concessions)
    assert (len(concessions) > 5) == (low < high)


@pytest.mark.parametrize("orders", [0, 1, 29, 1000])
def test_exactly_as_many_orders_as_asked_for(tmp_path: Path, orders: int) -> None:
    """Progress adds up to the same number."""
    written: list[int] = []
    path = write_example(tmp_path, orders, 1, SEED, days=3, progress=written.append)

    assert orders == len(rows_of(path)) == sum(written)


def test_orders_that_are_no_example_are_not_overwritten(tmp_path: Path) -> None:
    """A month of real orders must survive a careless --out."""
    (tmp_path / "orders.csv").write_text("order_id\n", encoding="utf-8")
    with pytest.raises(FileRefused, match="choose another directory"):
        write_example(tmp_path, 10, 2, SEED)

    assert "order_id\n" == (tmp_path / "orders.csv").read_text(encoding="utf-8")


def test_an_example_may_be_written_again(tmp_path: Path) -> None:
    """``make demo`` runs twice."""
    write_example(tmp_path, 10, 2, SEED)

    assert 20 == len(rows_of(write_example(tmp_path, 20, 2, SEED)))


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
@example([0, 1, 99, 100, 10**10, -1, -100, 2**63 - 1])
def test_fen_are_printed_as_money_prints_them(fen: list[int]) -> None:
    """Arrow's decimals stand in for our own printing, so they must be the same to the letter."""
    assert [print_yuan(amount) for amount in fen] == yuan_texts(np.array(fen, np.int64)).to_pylist()
