"""Real shops: the public Koubei counts expanded to whole orders, and all of them settled: ``python -m bench.koubei --run``.

The data (2,000 shops in 122 cities, 28 days, 7,985,682 paid orders) holds how many orders each shop had on each day, and not who
paid, how much, or when. Those are drawn, from one seed: the hour from a rhythm of lunch and dinner, the amount lognormal around
the shop's pay level, the consumer from the shop's city by a skewed law of popularity, and the rest so that every party of the
plan occurs. The data is read where it lies and never copied into the project.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv, parquet

ROOT: Final = Path(__file__).parents[1]
DATA: Final = Path(os.environ.get("RANGLI_KOUBEI") or ROOT.parent.joinpath("shared", "data", "koubei"))
SEED: Final = 20_161_031

TICKET_FEN: Final = 400
"""Median amount per pay level."""
TICKET_SIGMA: Final = 0.6
HOURS: Final = (0, 0, 0, 0, 0, 0, 1, 4, 7, 8, 9, 40, 62, 28, 12, 11, 14, 38, 64, 52, 30, 16, 6, 1)
"""Weight of each hour of the day: open from six to midnight, busy at lunch and dinner."""
ORDERS_PER_CONSUMER: Final = 8
SKEW: Final = 3
"""A consumer of rank r in his city comes with weight r ** (1 / SKEW - 1): one in a hundred makes a fifth of the orders."""
REFERRED: Final = 0.6
"""Consumers with a referrer; half of these are bound by a shop."""
RECRUITED: Final = 0.7
"""Shops with a recruiter, who brought sixteen of them."""
CITY_AGENTS: Final = 0.9
DISTRICT_AGENTS: Final = 0.7
CONCESSIONS: Final = [f"{half // 2}{'.5' if half % 2 else ''}%" for half in range(12, 41)]
"""6 % to 20 %, in halves."""

Ints = NDArray[np.int64]


class Shops(NamedTuple):
    """The shops, by number from 0, and what their orders carry."""

    orders: Ints
    """(days, shops)"""
    days: NDArray[np.datetime64]
    median_fen: Ints
    city: Ints
    columns: dict[str, pa.StringArray]
    """merchant, concession, recruiter, agent_city and agent_district of each shop."""


class Consumers(NamedTuple):
    """The consumers; those of one city beside each other, the most frequent first."""

    first: Ints
    """(cities,) number of the first consumer of each city."""
    size: Ints
    """(cities,) how many there are."""
    names: pa.StringArray
    referrers: pa.StringArray
    """All consumers, then all shops, as an order names them."""
    referrer: Ints
    """Place in ``referrers``, -1 for none."""
    referrer2: Ints


def is_there() -> bool:
    """Whether the data is there."""
    return DATA.joinpath("shops.csv").is_file() and DATA.joinpath("daily.csv").is_file()


def read_shops(rng: np.random.Generator) -> Shops:
    """The real shops, their counts, and their drawn parties."""
    shops, daily = csv.read_csv(DATA / "shops.csv"), csv.read_csv(DATA / "daily.csv")
    days, day = np.unique(daily["day"].to_numpy().astype("M8[D]"), return_inverse=True)
    number = shops["shop"].to_numpy()
    assert (number == np.arange(1, len(number) + 1)).all()
    orders = np.zeros((len(days), len(number)), np.int64)
    orders[day, daily["shop"].to_numpy() - 1] = daily["orders"].to_numpy()

    city_names, city = np.unique(shops["city"].to_pylist(), return_inverse=True)
    places = [f"{c}{area}区" for c, area in zip(shops["city"].to_pylist(), shops["location"].to_pylist(), strict=True)]
    kinds = [kind or sub or "店" for kind, sub in zip(shops["kind"].to_pylist(), shops["subcategory"].to_pylist(), strict=True)]
    merchant = pa.array([f"{kind}{n}({c})" for kind, n, c in zip(kinds, number.tolist(), shops["city"].to_pylist(), strict=True)])
    recruiter = rng.integers(0, 1 + len(number) // 16, len(number))
    has_recruiter = rng.random(len(number)) < RECRUITED
    return Shops(
        orders,
        days,
        shops["pay_level"].to_numpy() * TICKET_FEN,
        city,
        {
            "merchant": merchant,
            "concession": pa.array(CONCESSIONS).take(pa.array(rng.integers(0, len(CONCESSIONS), len(number)))),
            "recruiter": pa.array([f"招商{r}" if is_so else None for r, is_so in zip(recruiter, has_recruiter, strict=True)]),
            "agent_city": _agents(rng, shops["city"].to_pylist(), CITY_AGENTS, list(city_names)),
            "agent_district": _agents(rng, places, DISTRICT_AGENTS, sorted(set(places))),
        },
    )


def _agents(rng: np.random.Generator, places: list[str], share: float, known: list[str]) -> pa.StringArray:
    """The agent of each place, if it has one."""
    has_one = dict(zip(known, (rng.random(len(known)) < share).tolist(), strict=True))
    return pa.array([f"{place}代理" if has_one[place] else None for place in places], pa.string())


def draw_consumers(rng: np.random.Generator, shops: Shops) -> Consumers:
    """Consumers for every city, as many as its orders call for."""
    orders_by_city = np.bincount(shops.city, weights=shops.orders.sum(axis=0)).astype(np.int64)
    count = np.maximum(orders_by_city // ORDERS_PER_CONSUMER, 1)
    first = np.cumsum(count) - count
    total = int(count.sum())
    names = pa.array([f"用户{number:07}" for number in range(total)])
    city = np.repeat(np.arange(len(count)), count)
    earlier = first[city] + (rng.random(total) * (np.arange(total) - first[city])).astype(np.int64)
    earlier[earlier == np.arange(total)] = -1  # the first of a city has nobody before him
    shop_by_city = np.argsort(shops.city, kind="stable")
    shop_count = np.bincount(shops.city)
    shop_first = np.cumsum(shop_count) - shop_count
    shop = shop_by_city[shop_first[city] + (rng.random(total) * shop_count[city]).astype(np.int64)]
    drawn = rng.random(total)
    referrer = np.where(drawn < REFERRED / 2, total + shop, np.where(drawn < REFERRED, earlier, -1))
    is_person = (referrer >= 0) & (referrer < total)
    referrer2 = np.where(is_person, referrer[np.where(is_person, referrer, 0)], -1)
    shop_names = pa.array([f"merchant:{name}" for name in shops.columns["merchant"].to_pylist()])
    return Consumers(first, count, names, pa.concat_arrays([names, shop_names]), referrer, referrer2)


def draw_orders(rng: np.random.Generator, shops: Shops, consumers: Consumers) -> Iterator[pa.Table]:
    """The orders of each day, in order of time."""
    texts = {name: column.dictionary_encode() for name, column in shops.columns.items()}
    weights = np.cumsum(HOURS)
    for day, counts in zip(shops.days, shops.orders, strict=True):
        shop = np.repeat(np.arange(len(counts)), counts)
        size = len(shop)
        hour = np.searchsorted(weights, rng.integers(0, weights[-1], size), side="right")
        second = hour * 3600 + rng.integers(0, 3600, size)
        in_time = np.argsort(second, kind="stable")
        shop, second = shop[in_time], second[in_time]
        fen = np.maximum(np.rint(shops.median_fen[shop] * rng.lognormal(0, TICKET_SIGMA, size)).astype(np.int64), 1)
        city = shops.city[shop]
        consumer = consumers.first[city] + (consumers.size[city] * rng.random(size) ** SKEW).astype(np.int64)
        by_shop = {name: column.take(pa.array(shop)) for name, column in texts.items()}
        yield pa.table(
            {
                "order_id": _order_ids(day, size),
                "paid_at": pa.array(day.astype("M8[s]") + second.astype("m8[s]")),
                "merchant": by_shop.pop("merchant"),
                "consumer": consumers.names.take(pa.array(consumer)),
                "amount": _decimals(fen),
                "referrer": _taken(consumers.referrers, consumers.referrer[consumer]),
                "referrer2": _taken(consumers.referrers, consumers.referrer2[consumer]),
                **by_shop,
            }
        )


def _order_ids(day: np.datetime64, count: int) -> pa.StringArray:
    """Ids such as 2016092000000001."""
    first = int(str(day).replace("-", "")) * 10**8 + 1
    return pa.array(np.arange(first, first + count)).cast(pa.string())


def _decimals(fen: Ints) -> pa.Array:
    """Yuan with two decimals: the fen as 128-bit numbers, and where the point is."""
    words = np.zeros((len(fen), 2), np.int64)
    words[:, 0] = fen
    return pa.Array.from_buffers(pa.decimal128(12, 2), len(fen), [None, pa.py_buffer(words)])


def _taken(names: pa.StringArray, places: Ints) -> pa.StringArray:
    """The names at these places; none for -1."""
    return names.take(pa.array(places, mask=places < 0))


def expand(path: Path, orders: int | None = None, progress: Callable[[int], None] | None = None) -> int:
    """Write the first ``orders`` orders, or all, to a Parquet file in order of time, day by day; how many."""
    rng = np.random.Generator(np.random.PCG64(SEED))
    shops = read_shops(rng)
    consumers = draw_consumers(rng, shops)
    left = int(shops.orders.sum()) if orders is None else min(orders, int(shops.orders.sum()))
    total = left
    writer: parquet.ParquetWriter | None = None
    for table in draw_orders(rng, shops, consumers):
        some = table.slice(0, left)
        writer = writer or parquet.ParquetWriter(path, some.schema)
        writer.write_table(some)
        left -= len(some)
        if progress is not None:
            progress(len(some))
        if left == 0:
            break
    assert writer is not None
    writer.close()
    return total


# ---------------------------------------------------------------- settling all of them


def run(orders: Path, out: Path, *, record: bool) -> None:
    """Settle the file into ``out``, audit it, show both, and perhaps record them in RESULTS.md."""
    sys.path.insert(0, str(ROOT))  # when called as a file
    from bench import job, report  # noqa: PLC0415

    with TemporaryDirectory(prefix="rangli-bench-") as folder:
        job.warm_up(Path(folder))
    settled = job.in_a_process("settle", orders, out)
    assert settled["trial_balance_micro"] == 0
    audited = job.in_a_process("audit", orders, out)
    count, seconds = settled["orders"], settled["seconds"]
    rows = [
        ("orders settled", report.count(count)),
        ("rows refused", report.count(settled["rejected"])),
        ("transfers written", report.count(settled["transfers"])),
        ("time", report.seconds(seconds)),
        ("orders/s", f"**{report.count(count / seconds)}**"),
        ("transfers/s", f"**{report.count(settled['transfers'] / seconds)}**"),
        ("peak memory", report.mebibytes(settled["peak_bytes"])),
        ("orders' file", report.mebibytes(orders.stat().st_size)),
        *((f"`{path.name}`", report.mebibytes(path.stat().st_size)) for path in sorted(out.iterdir())),
        ("state", f"`{settled['state_hash'][:16]}…`"),
        ("audit", "every promise holds" if audited["ok"] else f"{len(audited['broken'])} promises BROKEN"),
        ("time of the audit", report.seconds(audited["seconds"])),
        ("peak memory of the audit", report.mebibytes(audited["peak_bytes"])),
        *((f"checked: {promise}", report.count(times)) for promise, times in audited["checked"].items()),
    ]
    section = report.Section(
        "All orders under weituanbao",
        f"The Koubei counts expanded to whole orders (seed {SEED}), settled from Parquet by `settle_file` in a process of its "
        "own with every transfer written, then audited in another. Compiled kernels cached; times are of the whole job, reading "
        "and writing included.",
        ("what", "measured"),
        rows,
    )
    report.show(report.terminal(), section)
    if record:
        report.write("koubei", "Real shops", "python -m bench.koubei --run", [section])


def main() -> int:
    """Expand the data, and with ``--run`` settle it."""
    parser = argparse.ArgumentParser(prog="python -m bench.koubei", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "koubei", help="where to write; default build/koubei")
    parser.add_argument("--orders", type=int, help="only so many, from the first on")
    parser.add_argument("--run", action="store_true", help="settle and audit them; all of them are recorded in bench/RESULTS.md")
    asked = parser.parse_args()
    if not is_there():
        print(f"no Koubei data in {DATA}; RANGLI_KOUBEI names the folder that holds shops.csv and daily.csv", file=sys.stderr)
        return 1
    sys.path.insert(0, str(ROOT))  # when called as a file
    from bench import report  # noqa: PLC0415

    asked.out.mkdir(parents=True, exist_ok=True)
    path = asked.out / "orders.parquet"
    with report.progress(report.terminal()) as bar:
        task = bar.add_task("expand", total=asked.orders)
        count = expand(path, asked.orders, lambda done: bar.advance(task, done))
    print(f"{count:,} orders in {path}")
    if asked.run:
        settled = asked.out / "settled"
        assert not settled.exists(), f"{settled} is there already; remove it or choose another --out"
        run(path, settled, record=asked.orders is None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
