"""The live service on PostgreSQL with its defaults for durability: ``python -m bench.live``; ``--write`` records it.

In one run and in turns: batches through the service beside a raw COPY of the same rows, one SQL transaction an order, and an ORM
ledger; then a long journal: whether the cost of an order stays, what grows, statements, restart, verify; then the API from
another process.
"""

from __future__ import annotations

import argparse
import random
import resource
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, Final, NamedTuple

import psycopg
from rich.progress import Progress, TaskID

from bench import orm, report
from bench.http_load import measure as measure_http
from bench.job import peak_bytes
from bench.timing import Spread, timed
from rangli.money import print_yuan
from rangli.service import Running, Service
from rangli.service.requests import OrderRequest
from rangli.service.settling.verify import verify
from rangli.store import journal, rows
from rangli.store.database import Connection, Database
from rangli.store.server import EmbeddedServer

PROGRAMME: Final = "bench"
DAY: Final = "2026-01-05 12:00:00"
LARGE_TARGET: Final = 40_000
TRANSFERS_TARGET: Final = 1_000_000
RAW_TARGET: Final = 0.5
HUNDRED_TARGET: Final = 20_000
SQL_TARGET: Final = 50
STATEMENT_SECONDS: Final = 0.05
RESTART_SECONDS: Final = 3.0
REPLAY_TARGET: Final = 500_000
VERIFY_TARGET: Final = 60_000


class Sizes(NamedTuple):
    """How much."""

    warm: int = 60_000
    batches: tuple[tuple[int, int], ...] = ((1, 300), (10, 200), (100, 100), (1_000, 20), (10_000, 4))
    """(orders a batch, batches a round)"""
    rounds: int = 5
    sql: int = 300
    orm: int = 60
    long: int = 2_000_000
    long_batch: int = 10_000
    merchants: int = 2_000
    consumers: int = 100_000
    http: bool = True


TINY: Final = Sizes(3_000, ((1, 5), (100, 2)), 1, 5, 5, 6_000, 1_000, 20, 500, http=False)


def orders(count: int, first: int, sizes: Sizes) -> list[OrderRequest]:
    """Orders with every party there, at shops and by consumers drawn evenly; the same each time."""
    draw = random.Random(first)  # noqa: S311 (the same orders each time)
    below = draw.randrange
    return [
        OrderRequest(
            f"{2026010500000000 + first + i}",
            DAY,
            f"店{below(sizes.merchants)}",
            f"客{below(sizes.consumers)}",
            print_yuan(2_000 + below(38_000)),
            "20%",
            referrer=f"客{below(sizes.consumers)}",
            recruiter=f"商务{below(200)}",
            agent_district=f"区代{below(100)}",
            agent_city=f"市代{below(20)}",
        )
        for i in range(count)
    ]


@contextmanager
def data_folder() -> Iterator[Path]:
    """A folder for a server, which may run as another user and so has to get there."""
    with TemporaryDirectory(prefix="rangli-bench-") as name:
        Path(name).chmod(0o755)
        yield Path(name) / "data"


@contextmanager
def serving(folder: Path) -> Iterator[tuple[Service, Running, str]]:
    """A new server, database and programme."""
    with EmbeddedServer.start(folder) as server, Database(server.url, server.revive) as database:
        service = Service.open(database)
        try:
            service.create(PROGRAMME, "weituanbao", secret=bytes(range(32)))
            yield service, service.running(PROGRAMME), server.url
        finally:
            service.close()


def settle(running: Running, some: Sequence[OrderRequest], batch: int) -> None:
    """Settle these orders, so many at a time, each batch durable before the next."""
    for at in range(0, len(some), batch):
        answers = running.do(some[at : at + batch])
        assert all(getattr(answer, "status", "") == "done" for answer in answers)


# ---------------------------------------------------------------- the three others


class Raw:
    """A binary COPY of the same rows into a table of the same form and key, one transaction a batch."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        connection.execute("CREATE TABLE raw_journal (LIKE journal INCLUDING ALL)")
        connection.execute("ALTER TABLE raw_journal SET (toast_tuple_target = 8160)")

    def copy(self, batches: Sequence[bytes]) -> None:
        """Each batch, durable before the next."""
        for batch in batches:
            with (
                self._connection.transaction(),
                self._connection.cursor().copy(f"COPY raw_journal ({journal.COLUMNS}) FROM STDIN (FORMAT BINARY)") as copy,
            ):
                copy.write(rows.COPY_HEAD)
                copy.write(batch)
                copy.write(rows.COPY_TAIL)


class Sql:
    """Orders, transfers and balances as tables, kept by plain SQL in one transaction an order; it is told who gets what."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        for statement in (
            "CREATE TABLE sql_order (order_id text PRIMARY KEY, paid_fen int8 NOT NULL)",
            "CREATE TABLE sql_balance (account int4 PRIMARY KEY, micro int8 NOT NULL)",
            """
            CREATE TABLE sql_transfer (
                id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY, order_id text NOT NULL REFERENCES sql_order,
                source int4 NOT NULL, destination int4 NOT NULL, amount int8 NOT NULL, code int2 NOT NULL)
            """,
            "CREATE INDEX ON sql_transfer (source)",
            "CREATE INDEX ON sql_transfer (destination)",
        ):
            connection.execute(statement)

    def settle(self, decided: Sequence[journal.Row]) -> None:
        """Each order in a transaction of its own."""
        for row in decided:
            with self._connection.transaction():
                self._connection.execute("INSERT INTO sql_order VALUES (%s, %s)", [row.key, row.facts[1]])
                self._connection.execute(
                    "INSERT INTO sql_transfer (order_id, source, destination, amount, code)"
                    " SELECT %s, * FROM unnest(%s::int4[], %s::int4[], %s::int8[], %s::int2[])",
                    [row.key, row.source, row.destination, row.amount, row.code],
                )
                self._connection.execute(
                    "INSERT INTO sql_balance SELECT account, sum(micro) FROM"
                    " (SELECT unnest(%s::int4[]) AS account, -unnest(%s::int8[]) AS micro"
                    " UNION ALL SELECT unnest(%s::int4[]), unnest(%s::int8[])) AS moved GROUP BY account"
                    " ON CONFLICT (account) DO UPDATE SET micro = sql_balance.micro + excluded.micro",
                    [row.source, row.amount, row.destination, row.amount],
                )


class _Named(NamedTuple):
    """An order as the ORM ledger takes it."""

    order_id: str
    paid_fen: int
    concession_bp: int
    merchant: str
    consumer: str
    referrer: str | None
    recruiter: str | None
    agent_city: str | None
    agent_district: str | None


class Orm:
    """The ORM ledger of the other benchmark, on the same server and with a commit an order, as a service must."""

    def __init__(self, url: str) -> None:
        self._session = orm.open_session(url.replace("postgresql://", "postgresql+psycopg://"))
        self._ledger = orm.Settlement(self._session, lambda _order, fen, parts: [fen - parts + 1] + [1] * (parts - 1))

    def settle(self, some: Sequence[OrderRequest]) -> None:
        """Each order in a transaction of its own."""
        for order in some:
            facts = order.order_id, int(order.amount.replace(".", "")), 2_000, order.merchant, order.consumer
            self._ledger.settle(_Named(*facts, order.referrer, order.recruiter, order.agent_city, order.agent_district))
            self._session.commit()


# ---------------------------------------------------------------- batches


def measure_batches(sizes: Sizes, tick: report.Tick) -> report.Section:
    """The table of batch sizes."""
    with data_folder() as folder, serving(folder) as (_, running, url):
        settle(running, orders(sizes.warm, 0, sizes), min(sizes.long_batch, sizes.warm))
        tick("warm")
        with psycopg.connect(url, autocommit=True) as connection:
            others = Raw(connection), Sql(connection), Orm(url)
            first = sizes.warm
            table, rates = [], {}
            for batch, calls in sizes.batches:
                ours, raw = [], []
                before = running.figures.transfers
                for _ in range(sizes.rounds):
                    some = orders(batch * calls, first, sizes)
                    first += len(some)
                    start = running.position()
                    ours.append(timed(partial(settle, running, some, batch)))
                    written = [bytes(data) for data in _batches(connection, running, start, batch)]
                    raw.append(timed(partial(others[0].copy, written)))
                legs = (running.figures.transfers - before) / (batch * calls * sizes.rounds)
                rate = Spread.of([batch * calls / seconds for seconds in ours])
                share = Spread.of([b / a for a, b in zip(ours, raw, strict=True)])
                rates[batch] = rate.median, rate.median * legs, share.median
                table.append((
                    report.count(batch),
                    f"**{report.count(rate.median)}** ({report.count(rate.least)}–{report.count(rate.most)})",
                    report.count(rate.median * legs),
                    report.count(batch * calls / Spread.of(raw).median),
                    f"{share.median:.2f} ({share.least:.2f}–{share.most:.2f})",
                    report.seconds(batch / rate.median),
                ))  # fmt: skip
                tick(f"batches of {batch:,}")
            decided = list(_rows(connection, running, sizes.sql))
            by_sql = sizes.sql / timed(partial(others[1].settle, decided))
            by_orm = sizes.orm / timed(partial(others[2].settle, orders(sizes.orm, 1, sizes)))
            tick("sql and orm")
    table += [
        ("one SQL transaction an order", f"{report.count(by_sql)}", "", "", "", ""),
        ("an ORM ledger, a commit an order", f"{report.count(by_orm)}", "", "", "", ""),
    ]
    return report.Section(
        "Batches, durable one after the other",
        "Weituanbao through `Running.do`, with names resolved, every transfer, closed lots and the chain of hashes written; "
        f"{sizes.warm:,} orders before. Raw: a binary COPY of the very same journal rows into a table with the same key, one "
        f"transaction a batch, in turns. Medians of {sizes.rounds} rounds (least–most).",
        ("orders a batch", "orders/s", "transfers/s", "raw COPY, orders/s", "share of raw COPY", "a batch"),
        table,
        list(_batch_verdicts(rates, by_sql)),
    )


def _batch_verdicts(rates: dict[int, tuple[float, float, float]], by_sql: float) -> Iterator[str]:
    large = max(rates)
    orders_s, transfers_s, share = rates[large]
    yield report.verdict(f"Target: {LARGE_TARGET:,} orders/s in large batches", is_met=orders_s >= LARGE_TARGET)
    yield report.verdict(f"Target: {TRANSFERS_TARGET:,} durable transfers/s", is_met=transfers_s >= TRANSFERS_TARGET)
    yield report.verdict(f"Target: {RAW_TARGET} of raw COPY", is_met=share >= RAW_TARGET)
    hundred = rates.get(100, (0.0, 0.0, 0.0))[0]
    yield report.verdict(f"Target: {HUNDRED_TARGET:,} orders/s in batches of 100", is_met=hundred >= HUNDRED_TARGET)
    times = orders_s / by_sql
    yield (
        report.verdict(f"Target: {SQL_TARGET} times one SQL transaction an order", is_met=times >= SQL_TARGET) + f" ({times:.0f})"
    )


def _batches(connection: Connection, running: Running, after: int, batch: int) -> Iterator[bytes]:
    """The rows after a position, a batch at a time."""
    data, ends = _all(list(journal.scan(connection, running.number, after, running.position())))
    for at in range(0, len(ends) - 1, batch):
        yield data[ends[at] : ends[min(at + batch, len(ends) - 1)]]


def _all(blocks: list[tuple[Any, Any]]) -> tuple[bytes, list[int]]:
    ends = [0]
    parts = []
    for block, block_ends in blocks:
        parts.append(block.tobytes())
        ends += [ends[-1] + int(end) for end in block_ends[1:]]
    return b"".join(parts), ends


def _rows(connection: Connection, running: Running, count: int) -> Iterator[journal.Row]:
    return iter(journal.after(connection, running.number, running.position() - count, running.position(), count))


# ---------------------------------------------------------------- a long journal


def measure_long(sizes: Sizes, tick: report.Tick) -> list[report.Section]:
    """A journal of many orders: cost, growth, statements, restart, verify."""
    with data_folder() as folder:
        with serving(folder) as (_, running, url):
            table, rates = [], []
            marks = [sizes.long * part // 20 for part in (1, 5, 10, 15, 20)]
            done, busy, at_mark = 0, 0.0, 0
            for mark in marks:
                busy, at_mark = 0.0, done
                while done < mark:
                    some = orders(min(sizes.long_batch, mark - done), done, sizes)
                    busy += timed(partial(settle, running, some, sizes.long_batch))
                    done += len(some)
                    tick(f"{done:,} orders")
                rates.append((done - at_mark) / busy)
                table.append((report.count(done), f"**{report.count(rates[-1])}**", *_growth(url)))
            statements = _statements(running, sizes, done)
            transfers = running.figures.transfers
        tick("statements")
        restart = timed(partial(_restart, folder))
        tick("restart")
        with EmbeddedServer.start(folder) as server, Database(server.url) as database:
            found = verify(database, PROGRAMME)
            tick("verify")
            since = verify(database, PROGRAMME, since=found.position - 1)
    facts = [
        ("transfers in the journal", report.count(transfers), ""),
        *statements,
        (
            "restart from the last checkpoint, to the first settled order",
            report.seconds(restart),
            report.verdict(f"< {RESTART_SECONDS:g} s", is_met=restart < RESTART_SECONDS),
        ),
        (
            "verify: the engine alone",
            f"{report.count(found.orders / found.engine_seconds)} orders/s",
            report.verdict(f">= {REPLAY_TARGET:,}", is_met=found.orders / found.engine_seconds >= REPLAY_TARGET),
        ),
        (
            "verify: every byte read back, decided, hashed and compared",
            f"{report.count(found.orders / found.seconds)} orders/s",
            report.verdict(f">= {VERIFY_TARGET:,}", is_met=found.orders / found.seconds >= VERIFY_TARGET),
        ),
        ("verify --since the last checkpoint", report.seconds(since.seconds), f"{since.position - since.since:,} decisions"),
    ]
    flat = min(rates[1:]) / max(rates[1:])
    return [
        report.Section(
            "The cost of an order as the journal grows",
            f"Batches of {sizes.long_batch:,}; orders/s since the line before, {sizes.merchants:,} merchants, {sizes.consumers:,}"
            " consumers. Memory is the whole service's; ids take 16 to 32 bytes of it a decision, holders and lots the rest.",
            ("orders settled", "orders/s", "journal", "whole database", "memory"),
            table,
            [f"The slowest stretch after the first is {flat:.2f} of the fastest."],
        ),
        report.Section(
            "With all of them in the journal", "Statements of 100 entries, newest first.", ("what", "measured", "target"), facts
        ),
    ]


def _growth(url: str) -> tuple[str, str, str]:
    """Sizes of journal and database, and memory."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT (SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'journal'::regclass),"
            " pg_database_size(current_database())"
        ).fetchone()
    assert row is not None
    return report.mebibytes(float(row[0])), report.mebibytes(float(row[1])), report.mebibytes(peak_bytes())


def _statements(running: Running, sizes: Sizes, done: int) -> list[tuple[str, str, str]]:
    """A hot account's statement and a consumer's, at rest and during a burst."""
    out = []
    paths = ("platform:surplus", "consumer:客7:wallet", "merchant:店7:concession")
    for when in ("at rest", "during a burst"):
        stop, burst = threading.Event(), None
        if when != "at rest":
            burst = threading.Thread(target=_burst, args=(running, sizes, done, stop))
            burst.start()
        taken = []
        for _ in range(20):
            taken += [timed(partial(running.statement, path, limit=100)) for path in paths]
        stop.set()
        if burst is not None:
            burst.join()
        spread = Spread.of(taken)
        said = f"{report.seconds(spread.median)} (most {report.seconds(spread.most)})"
        target = report.verdict(f"< {STATEMENT_SECONDS * 1000:g} ms", is_met=spread.median < STATEMENT_SECONDS)
        out.append((f"a statement, {when}", said, target))
    return out


def _burst(running: Running, sizes: Sizes, done: int, stop: threading.Event) -> None:
    first = done
    while not stop.is_set():
        some = orders(1_000, first, sizes)
        first += len(some)
        settle(running, some, 1_000)


def _restart(folder: Path) -> None:
    """From nothing running to an order settled."""
    with EmbeddedServer.start(folder) as server, Database(server.url) as database:
        service = Service.open(database)
        assert service.wait_ready()
        settle(service.running(PROGRAMME), orders(1, 10**9, TINY), 1)
        service.close()


# ---------------------------------------------------------------- all of it


def _tick(bar: Progress, task: TaskID, name: str, step: str) -> None:
    bar.update(task, advance=1, description=f"{name}: {step}")


def main() -> None:
    """Measure, show, and perhaps record."""
    parser = argparse.ArgumentParser(prog="python -m bench.live", description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="sizes that say nothing about speed, to see that it works")
    parser.add_argument("--write", action="store_true", help="record the results in bench/RESULTS.md")
    parser.add_argument("--only", choices=("batches", "long", "http"), nargs="+", default=("batches", "long", "http"))
    parser.add_argument("--long", type=int, default=Sizes().long, metavar="ORDERS", help="length of the long journal")
    asked = parser.parse_args()
    sizes = TINY if asked.tiny else Sizes(long=asked.long)
    console = report.terminal()
    console.print(report.machine())
    parts: dict[str, Callable[[report.Tick], list[report.Section]]] = {
        "batches": lambda tick: [measure_batches(sizes, tick)],
        "long": lambda tick: measure_long(sizes, tick),
        "http": lambda tick: [measure_http(tick, tiny=asked.tiny)],
    }
    sections: list[report.Section] = []
    for name, measure in parts.items():
        if name in asked.only:
            with report.progress(console) as bar:
                task = bar.add_task(name, total=None)
                found = measure(
                    lambda step, task=task, name=name, bar=bar: bar.update(task, advance=1, description=f"{name}: {step}")
                )  # type: ignore[misc]
            for section in found:
                report.show(console, section)
            sections += found
    if asked.write:
        report.write("live", "The live service", "python -m bench.live --write", sections)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    start = perf_counter()
    main()
    print(f"{perf_counter() - start:.0f} s")
