"""Measuring real shops: what the scenario ``koubei`` takes from the IJCAI-17 Koubei data, from a folder that holds it.

The data (2,000 shops of Alipay's offline payments in 122 Chinese cities, 28 days of autumn 2016) says how many orders each shop
had each day and how dear it is on the publisher's scale. Who paid and how much, it does not say; what the scenario assumes there,
it says.
"""

from __future__ import annotations

import csv
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

from rangli.lab.visits import DAYS
from rangli.lab.vocabulary import LEAN_MAX
from rangli.money import BP_PER_ONE, mul_div, split

RHYTHM_WHOLE: Final = 700
"""Of the seven weights together: 100 is an even day."""
TOP_BP: Final = 1000
"""The busiest tenth of the shops."""


class Measures(NamedTuple):
    """What is measured."""

    shops: int
    cities: int
    orders_a_month: int
    """Of a shop, on average, in DAYS days."""
    rhythm: tuple[int, ...]
    """Orders of a Monday to a Sunday, in parts of RHYTHM_WHOLE."""
    level_shares_bp: tuple[int, ...]
    """The share of shops at each level of prices, from 1."""
    top_bp: int
    """The share of all orders at the busiest tenth of the shops."""
    lean: int
    """The lean that comes nearest to it."""


def measure(folder: Path) -> Measures:
    """The measures of shops.csv and daily.csv in this folder."""
    with folder.joinpath("shops.csv").open(encoding="utf-8", newline="") as file:
        shops = list(csv.DictReader(file))
    by_day: Counter[str] = Counter()
    by_shop: Counter[str] = Counter({shop["shop"]: 0 for shop in shops})
    with folder.joinpath("daily.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            by_day[row["day"]] += int(row["orders"])
            by_shop[row["shop"]] += int(row["orders"])
    orders = sum(by_day.values())
    weekdays = [[count for day, count in by_day.items() if date.fromisoformat(day).weekday() == one] for one in range(7)]
    levels = Counter(int(shop["pay_level"]) for shop in shops)
    busiest = sorted(by_shop.values(), reverse=True)[: mul_div(len(shops), TOP_BP, BP_PER_ONE)]
    top_bp = mul_div(sum(busiest), BP_PER_ONE, orders)
    return Measures(
        shops=len(shops),
        cities=len({shop["city"] for shop in shops}),
        orders_a_month=mul_div(orders, DAYS, len(by_day) * len(shops)),
        rhythm=tuple(split(RHYTHM_WHOLE, [mul_div(sum(one), 1, len(one)) for one in weekdays])),
        level_shares_bp=tuple(split(BP_PER_ONE, [levels[level] for level in range(1, max(levels) + 1)])),
        top_bp=top_bp,
        lean=min(range(1, LEAN_MAX + 1), key=lambda lean: abs(top_of(lean) - top_bp)),
    )


def top_of(lean: int) -> int:
    """The share of visits, in bp, that the busiest tenth of the shops has with this lean: a tenth to the power of 1 / lean."""
    wanted = TOP_BP * BP_PER_ONE ** (lean - 1)
    return max(bp for bp in range(BP_PER_ONE + 1) if bp**lean <= wanted)
