"""A directory that ``settle`` wrote, read back: its summary, balances, transfers, and the days of its orders."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from rangli.errors import FileRefused, InputRefused
from rangli.files import BALANCES, PLAN, SUMMARY, TRANSFERS
from rangli.files.orders import OrderFile
from rangli.files.promises import read_claims
from rangli.ledger import Decision, Leg, code_words
from rangli.ledger.transfers import CODE_NAMES
from rangli.plan import CompiledPlan, check, compile_plan

EPOCH: Final = date(1970, 1, 1)


class Balance(NamedTuple):
    """One line of balances.csv."""

    account: str
    unit: str
    amount_micro: int


class Entry(NamedTuple):
    """One line of an account's statement."""

    position: int
    """Place of the transfer among all, from 0."""
    order_id: str | None
    """None for the closing of a period."""
    counterparty: str
    amount_micro: int
    """Positive when it came in."""
    balance_micro: int
    code: str
    zh: str
    en: str


class Statement(NamedTuple):
    """The last entries of an account, with what it held before and after them."""

    account: str
    unit: str
    opening_micro: int
    entries: list[Entry]
    entries_in_all: int | None
    """None: there are more, and nobody counted them."""
    closing_micro: int


class Settled:
    """The directory. Raises FileRefused when it is none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not (path / SUMMARY).is_file():
            raise FileRefused(
                f"{path} 不是 settle 写出的目录:没有 {SUMMARY}", f"{path} is no directory that settle wrote: it has no {SUMMARY}"
            )
        self.claims, _ = read_claims(path)

    def orders(self, given: Path | None = None) -> Path:
        """The order file: the one given, else the one that the summary names. Raises FileRefused when it is not there."""
        path = given or Path(self.claims.orders_file)
        if path.is_file():
            return path
        raise FileRefused(
            f"找不到结算时的订单文件 {path};请用 --orders 指明",
            f"the settled order file {path} is not there; name it with --orders",
        )

    def plan(self) -> CompiledPlan:
        """The plan that was settled under."""
        plan, _ = check((self.path / PLAN).read_text(encoding="utf-8"))
        if plan is None:
            raise FileRefused(f"{self.path / PLAN} 已被改坏", f"{self.path / PLAN} has been damaged")
        return compile_plan(plan)

    # ------------------------------------------------------------ balances

    def balances(self, prefix: str = "") -> Iterator[Balance]:
        """The accounts whose path begins so, by path."""
        path = self.path / BALANCES
        with readable(path), path.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                if row["account"].startswith(prefix):
                    yield Balance(row["account"], row["unit"], int(row["amount_micro"]))

    def balance(self, account: str) -> Balance:
        """One account. Raises InputRefused when nothing ever touched it."""
        found = next((one for one in self.balances(account) if one.account == account), None)
        if found is None:
            near = ", ".join(one.account for one, _ in zip(self.balances(account.rpartition(":")[0]), range(3), strict=False))
            raise InputRefused(
                f"没有账户 {account!r};" + (f"相近的有 {near}" if near else f"账户列在 {BALANCES},如 consumer:<名称>:wallet"),
                f"there is no account {account!r}; "
                + (f"there are {near}" if near else f"they are listed in {BALANCES}, as consumer:<name>:wallet"),
            )
        return found

    # ------------------------------------------------------------ transfers

    def tables(self) -> Iterator[pa.Table]:
        """The transfers, one row group at a time."""
        path = self.path / TRANSFERS
        with readable(path), pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                yield file.read_row_group(group)

    def legs_of_order(self, order_id: str) -> Iterator[dict[str, Any]]:
        """The rows of one order."""
        for table in self.tables():
            rows = np.flatnonzero(holds(table["order_id"], order_id))
            yield from table.take(pa.array(rows)).to_pylist()

    def legs_of(self, account: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """The rows that take from an account or give to it, each with its position among all."""
        start = 0
        for table in self.tables():
            rows = np.flatnonzero(holds(table["source"], account) | holds(table["destination"], account))
            legs = table.take(pa.array(rows)).to_pylist()
            yield from zip((rows + start).tolist(), legs, strict=True)
            start += len(table)

    def statement(self, account: str, limit: int) -> Statement:
        """The last ``limit`` entries of an account, or all of them for 0."""
        closing = self.balance(account)
        entries: deque[Entry] = deque(maxlen=limit or None)
        opening_micro = balance_micro = in_all = 0
        for entry in self._entries(account):
            if len(entries) == entries.maxlen:
                opening_micro = entries[0].balance_micro
            balance_micro += entry.amount_micro
            entries.append(entry._replace(balance_micro=balance_micro))
            in_all += 1
        if balance_micro != closing.amount_micro:
            raise FileRefused(
                f"{account} 的流水合计与 {BALANCES} 不符;请运行 rangli audit",
                f"the transfers of {account} do not add up to its line in {BALANCES}; run rangli audit",
            )
        return Statement(account, closing.unit, opening_micro, list(entries), in_all, balance_micro)

    def _entries(self, account: str) -> Iterator[Entry]:
        """The account's entries, their balances not yet filled in."""
        for position, row in self.legs_of(account):
            words = code_words(CODE_NAMES.index(row["code"]))
            if row["source"] == account:
                yield Entry(position, row["order_id"], row["destination"], -row["amount_micro"], 0, row["code"], *words)
            if row["destination"] == account:
                yield Entry(position, row["order_id"], row["source"], row["amount_micro"], 0, row["code"], *words)

    # ------------------------------------------------------------ days

    def days(self, orders: Path) -> Iterator[tuple[str, str]]:
        """The id and the ISO day of each readable order, in the order of the file."""
        for rows, _ in OrderFile(orders, once=False).batches():
            for order_id, day in zip(rows.order_id.to_pylist(), rows.day.tolist(), strict=True):
                yield order_id, iso_day(day)

    def day_of(self, order_id: str, orders: Path) -> str:
        """The ISO day of an order. Raises InputRefused when there is no such order."""
        for rows, _ in OrderFile(orders, once=False).batches():
            at = pc.index(rows.order_id, order_id).as_py()
            if at >= 0:
                return iso_day(int(rows.day[at]))
        raise InputRefused(f"{orders} 里没有可结算的订单 {order_id!r}", f"there is no readable order {order_id!r} in {orders}")

    def decisions(self, orders: Path) -> Iterator[Decision]:
        """What was booked, order by order. The closing of a period has the day of the order that follows it.

        Raises FileRefused when the orders are not those that were settled.
        """
        days = self.days(orders)
        waiting: list[Leg] = []
        day = ""
        for order_id, legs in self._runs():
            if order_id is None:
                waiting = legs
                continue
            day = next((day for known, day in days if known == order_id), "")
            if not day:
                raise FileRefused(
                    f"{orders} 不是结算时的订单文件:缺少订单 {order_id!r}",
                    f"{orders} is not the order file that was settled: it lacks the order {order_id!r}",
                )
            if waiting:
                yield Decision(day, None, waiting)
                waiting = []
            yield Decision(day, order_id, legs)
        if waiting:
            yield Decision(day, None, waiting)

    def _runs(self) -> Iterator[tuple[str | None, list[Leg]]]:
        """Transfers of one order each, or of the closings before it, in the order of the books."""
        current: str | None = None
        legs: list[Leg] = []
        for table in self.tables():
            for batch in table.to_batches(max_chunksize=1 << 16):
                columns = (
                    batch[name].to_pylist() for name in ("order_id", "source", "destination", "amount_micro", "unit", "code")
                )
                for order_id, *leg in zip(*columns, strict=True):
                    if order_id != current and legs:
                        yield current, legs
                        legs = []
                    current = order_id
                    legs.append(Leg(*leg))
        if legs:
            yield current, legs


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turns the faults of a damaged file into FileRefused."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, KeyError) as fault:
        raise FileRefused(f"无法读取 {path}:{fault}", f"cannot read {path}: {fault}") from fault


def holds(column: pa.ChunkedArray, value: str) -> NDArray[np.bool_]:
    """For each row of a dictionary column whether it has this value; the texts are compared once each."""
    parts = [np.zeros(0, np.bool_)]
    for chunk in column.chunks:
        place = pc.index(chunk.dictionary, value).as_py()
        parts.append(chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False) == (place if place >= 0 else -2))
    return np.concatenate(parts)


def iso_day(day: int) -> str:
    """A day number as an ISO date."""
    return (EPOCH + timedelta(days=day)).isoformat()


def day_after(day: str) -> str:
    """The ISO date of the next day."""
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()
