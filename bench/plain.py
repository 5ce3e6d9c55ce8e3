"""The engine beside two other ways to settle the same orders: the plain oracle of the tests, and an ORM."""

from __future__ import annotations

import importlib
import sys
from collections import Counter, defaultdict
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, Final, NamedTuple

import numpy as np
from sqlalchemy import select

from bench import orm, report
from bench.timing import Spread, Work, timed
from rangli.engine.draw import siphash
from rangli.ledger import Books
from rangli.ledger.accounts import AGENT, CONSUMER, MERCHANT
from rangli.ledger.transfers import CODE_NAMES
from rangli.plan import load
from rangli.plan import terms as parties
from rangli.settle import Orders, Programme

SECRET: Final = bytes(range(32))
SEED: Final = 7
COLUMNS: Final = (
    (parties.CONSUMER, CONSUMER, "consumer"),
    (parties.MERCHANT, MERCHANT, "merchant"),
    (parties.REFERRER, CONSUMER, "referrer"),
    (parties.RECRUITER, AGENT, "recruiter"),
    (parties.AGENT_DISTRICT, AGENT, "agent_district"),
    (parties.AGENT_CITY, AGENT, "agent_city"),
)


class Sizes(NamedTuple):
    """How much."""

    orders: int = 2_000
    merchants: int = 20
    rounds: int = 7


TINY: Final = Sizes(300, 2, 1)


class Came(NamedTuple):
    """What a settlement came to: transfers and micro by code, and what every account holds."""

    by_code: dict[str, tuple[int, int]]
    balances: dict[str, int]


def from_tests(name: str) -> ModuleType:
    """A module that lies beside the tests."""
    folder = str(Path(__file__).parents[1] / "tests")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return importlib.import_module(name)


def named_orders(count: int, merchants: int) -> list[Any]:
    """Orders with names, as the oracle takes them; some parties are missing on some of them."""
    oracle, day = from_tests("oracle"), from_tests("oracle_plans").DAY
    rng = np.random.Generator(np.random.PCG64(SEED))

    def some(share: float, kind: str, people: int) -> list[str | None]:
        there, who = rng.random(count) < share, rng.integers(0, people, count)
        return [f"{kind}{number}" if is_so else None for is_so, number in zip(there, who, strict=True)]

    columns = {
        "paid_fen": np.maximum(rng.lognormal(9.3, 0.9, count).astype(np.int64), 1).tolist(),
        "concession_bp": (600 + 50 * rng.integers(0, 29, count)).tolist(),
        "merchant": some(1.0, "店", merchants),
        "consumer": some(1.0, "客", 1 + count // 8),
        "referrer": some(0.6, "客", 1 + count // 8),
        "recruiter": some(0.7, "商务", 10),
        "agent_district": some(0.8, "区代", 10),
        "agent_city": some(0.8, "市代", 10),
    }
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return [oracle.Order(f"{number:08}", day, **row) for number, row in enumerate(rows)]


def by_oracle(orders: list[Any]) -> Any:  # noqa: ANN401 (a module of the tests)
    """The oracle's programme after these orders, and the transfers."""
    programme = from_tests("oracle").Programme(from_tests("oracle_plans").WEITUANBAO, SECRET)
    return programme, [line for order in orders for line in programme.settle(order).order]


def came_by_oracle(orders: list[Any]) -> Came:
    """What the oracle says."""
    programme, lines = by_oracle(orders)
    counts, sums = Counter(line.code for line in lines), Counter[str]()
    for line in lines:
        sums[line.code] += line.amount
    balances = {path: amount for (path, _), amount in programme.balances().items()}
    return Came({code: (counts[code], sums[code]) for code in counts}, balances)


def by_orm(orders: list[Any], folder: Path) -> Any:  # noqa: ANN401 (a session)
    """The session after these orders, on a database in a file."""
    oracle = from_tests("oracle")

    def cut(order: Any, issue_fen: int, parts: int) -> list[int]:  # noqa: ANN401
        key = oracle.siphash24(oracle.day_secret(SECRET, order.day)[:16], order.order_id.encode())
        drawn: list[int] = oracle.cut(oracle.draws(key), issue_fen, parts)
        return drawn

    path = folder / "orm.db"
    path.unlink(missing_ok=True)
    session = orm.open_session(f"sqlite:///{path}")
    orm.settle_all(session, orders, cut)
    return session


def came_by_orm(orders: list[Any], folder: Path) -> Came:
    """What the ORM wrote."""
    with by_orm(orders, folder) as session:
        counts, sums = Counter[str](), Counter[str]()
        for code, amount in session.execute(select(orm.Transfer.code, orm.Transfer.amount_micro)):
            counts[code] += 1
            sums[code] += amount
        holdings = session.execute(select(orm.Account.path, orm.Account.balance_micro))
        balances = {path: amount for path, amount in holdings}  # noqa: C416 (dict() would take a result's keys() for a mapping's)
        session.get_bind().dispose()
    return Came({code: (counts[code], sums[code]) for code in counts}, balances)


def numbered(programme: Programme, orders: list[Any]) -> Orders:
    """The same orders as the engine takes them, from names in Python objects, row by row."""
    party = np.full((len(orders), parties.ORDER_PARTIES), -1, np.int32)
    key = np.empty(len(orders), np.int64)
    day = (orders[0].day - type(orders[0].day)(1970, 1, 1)).days
    k0, k1 = programme.sip_key(day)
    for row, order in enumerate(orders):
        for column, kind, field in COLUMNS:
            name = getattr(order, field)
            if name is not None:
                party[row, column] = programme.holder(kind, name)
        order_id = np.frombuffer(order.order_id.encode(), np.uint8)
        key[row] = siphash(order_id, 0, len(order_id), k0, k1)
    return Orders(
        paid_fen=np.array([order.paid_fen for order in orders], np.int64),
        concession_bp=np.array([order.concession_bp for order in orders], np.int64),
        voucher_fen=np.zeros(len(orders), np.int64),
        day=np.full(len(orders), day, np.int64),
        key=key,
        party=party,
    )


def by_engine(orders: list[Any]) -> tuple[Programme, Books, dict[str, tuple[int, int]]]:
    """The engine from the same objects to balances, and its transfers by code."""
    programme = Programme(load("weituanbao"), SECRET)
    return programme, *by_columns(programme, numbered(programme, orders))


def by_columns(programme: Programme, orders: Orders) -> tuple[Books, dict[str, tuple[int, int]]]:
    """The same from orders that are numbers already."""
    books = Books()
    counts, sums = np.zeros(len(CODE_NAMES), np.int64), np.zeros(len(CODE_NAMES), np.int64)
    status = np.zeros(len(orders.paid_fen), np.uint8)
    for chunk in programme.run(orders, status):
        books.fold(chunk.transfers)
        np.add.at(counts, chunk.transfers.code, 1)
        np.add.at(sums, chunk.transfers.code, chunk.transfers.amount)
    assert not status.any()
    return books, {CODE_NAMES[c]: (int(counts[c]), int(sums[c])) for c in np.flatnonzero(counts)}


def came_by_engine(orders: list[Any]) -> Came:
    """What the engine says."""
    programme, books, by_code = by_engine(orders)
    return Came(by_code, {row.path: row.amount_micro for row in books.rows(programme.accounts)})


def _without_zeros(came: Came) -> Came:
    """Accounts that hold nothing may be listed or not."""
    return Came(came.by_code, {path: amount for path, amount in came.balances.items() if amount})


def assert_equal(orders: list[Any], folder: Path) -> None:
    """All three settle the same orders to the same transfers by code and the same balances."""
    engine = _without_zeros(came_by_engine(orders))
    assert _without_zeros(came_by_oracle(orders)) == engine
    assert _without_zeros(came_by_orm(orders, folder)) == engine


def measure(sizes: Sizes, tick: report.Tick) -> report.Section:
    """The table: orders a second of each, and how many times as fast the engine is."""
    orders = named_orders(sizes.orders, sizes.merchants)
    with TemporaryDirectory(prefix="rangli-bench-") as name:
        folder = Path(name)
        assert_equal(orders, folder)
        tick("all three agree")

        def settle_by_orm() -> None:
            with by_orm(orders, folder) as session:
                session.get_bind().dispose()

        ways: dict[str, Work] = {
            "engine": lambda: by_engine(orders),
            "oracle": lambda: by_oracle(orders),
            "ORM": settle_by_orm,
        }
        taken: dict[str, list[float]] = defaultdict(list)
        for _ in range(sizes.rounds):
            programme = Programme(load("weituanbao"), SECRET)
            columns = numbered(programme, orders)
            ways["columns"] = partial(by_columns, programme, columns)
            for way, work in ways.items():
                taken[way].append(timed(work))
            tick("a round of all three")
    rows = []
    for way, what in (
        ("engine", "names resolved one by one in Python, settled, folded onto balances"),
        ("columns", "the engine on orders that are numbers already, settled, folded onto balances"),
        ("oracle", "plain Python, as the rules read"),
        ("ORM", "SQLAlchemy on SQLite in a file, one session, one commit at the end"),
    ):
        ratio = Spread.of([theirs / ours for ours, theirs in zip(taken["engine"], taken[way], strict=True)])
        rate = report.count(sizes.orders / Spread.of(taken[way]).median)
        rows.append((way, what, rate, f"{report.times(ratio.median)} ({report.times(ratio.least)}–{report.times(ratio.most)})"))
    return report.Section(
        "Beside the oracle and an ORM",
        f"The same {sizes.orders:,} orders at {sizes.merchants} shops, from the same Python objects; transfers by code and all "
        f"balances are asserted equal. Rounds of all in turns, medians of {sizes.rounds}; the last column is the time taken as a "
        "multiple of the first row's (least–most).",
        ("way", "what it does", "orders/s", "times the engine's time"),
        rows,
        ["What the first row takes and the second does not is Python looking up names, one at a time."],
    )
