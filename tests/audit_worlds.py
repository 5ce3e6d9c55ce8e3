"""Small worlds for the audit: hand-made orders, settled directories of them, and the ways to falsify one."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rangli.files.orders import BATCH_ROWS, OrderFile
from rangli.files.settling import settle_file
from rangli.files.writing import LOTS_SCHEMA, TRANSFERS_SCHEMA
from rangli.money import print_micro
from rangli.plan import load, preset_text

Row = dict[str, Any]
SECRET = bytes(range(32))
CONCESSIONS = {"zengzhi": ["20%"], "yunlianhui": ["16%"], "paidui-miandan": ["10%", "30%"], "weituanbao": ["6%", "10.5%", "30%"]}
BY_QUEUE = ("weituanbao", "paidui-miandan")
SMALL_BATCH = 100
"""These are settled in small batches, so that their files have several row groups."""
PARTIES = ["referrer", "referrer2", "recruiter", "agent_district", "agent_city", "agent_province", "agent_region"]
COLUMNS = ["order_id", "paid_at", "merchant", "consumer", "amount", "concession", *PARTIES, "voucher"]


def orders_of(plan: str, count: int = 360, days: int = 75) -> list[Row]:
    """Orders of three shops and ten people; the first two also refer, so that they come to hold vouchers."""
    drawn = random.Random(plan)
    uses_vouchers = plan in ("moudian", "zhongdian")
    rows = []
    for number in range(count):
        consumer = drawn.choice(["锁客", "甲:乙 100%", *"abcdefgh"])
        day = number * days // count
        rows.append(
            {
                "order_id": f"单{number:04d}",
                "paid_at": f"2026-{1 + day // 28:02d}-{1 + day % 28:02d} 12:00:00",
                "merchant": drawn.choice(["面馆", "面馆", "a%b:c"]),
                "consumer": consumer,
                "amount": f"{drawn.choice([1, 20, 60, 99, 150, 1000])}.{drawn.randrange(100):02d}",
                "concession": drawn.choice(CONCESSIONS.get(plan, ["3%", "12.5%", "20%"])),
                "referrer": drawn.choice(["锁客", "锁客", "甲:乙 100%", "merchant:面馆", ""]),
                "referrer2": drawn.choice(["锁客", ""]),
                "recruiter": drawn.choice(["商务", ""]),
                "agent_district": drawn.choice(["区", ""]),
                "agent_city": drawn.choice(["市", ""]),
                "agent_province": drawn.choice(["省", ""]),
                "agent_region": drawn.choice(["大区", ""]),
                "voucher": drawn.choice(["", "0.02"]) if uses_vouchers and consumer == "锁客" else "",
            }
        )
    rows.insert(7, rows[5])  # the same order with the same facts counts once
    rows.insert(9, {**rows[6], "amount": "77.00"})  # with others it is refused
    rows.insert(11, {**rows[6], "order_id": "太少", "amount": "0.00"})
    rows.insert(13, {**rows[6], "order_id": "太多", "concession": "99%"})
    return rows


def write_orders(path: Path, rows: list[Row]) -> Path:
    """An order file of these rows."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return path


def settled(folder: Path, plan: str, text: str = "", rows: list[Row] | None = None) -> Path:
    """The directory of a world settled under a preset, or under another document of its kind; the orders lie beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    text = text or preset_text(plan)
    path = write_orders(folder / "orders.csv", orders_of(plan) if rows is None else rows)
    source = OrderFile(path, SMALL_BATCH if plan in BY_QUEUE else BATCH_ROWS)
    settle_file(load(text), text, source, folder / "settled", secret=SECRET)
    return folder / "settled"


# ---------------------------------------------------------------- falsifying


class Books:
    """A settled directory, read whole, to be changed and written back."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.orders_path = directory.parent / "orders.csv"
        self.transfers: list[Row] = pq.read_table(directory / "transfers.parquet").to_pylist()
        self.lots: list[Row] = pq.read_table(directory / "lots.parquet").to_pylist()
        self.balances = _read_csv(directory / "balances.csv")
        self.rejects = _read_csv(directory / "rejects.csv")
        self.orders = _read_csv(self.orders_path)
        self.summary: dict[str, Any] = json.loads((directory / "summary.json").read_text("utf-8"))
        self.plan = (directory / "plan.yaml").read_text("utf-8")

    def lines(self, code: str) -> list[Row]:
        """The transfers of a code."""
        return [row for row in self.transfers if row["code"] == code]

    def order(self, order_id: str) -> list[Row]:
        """The transfers of an order."""
        return [row for row in self.transfers if row["order_id"] == order_id]

    def with_packets(self, least: int = 5) -> list[Row]:
        """The packets of an order in the middle of the file that has several, all of different lots' consumers and amounts."""
        ids = dict.fromkeys(row["order_id"] for row in self.lines("packet")[len(self.lines("packet")) // 2 :])
        for order_id in ids:
            packets = [row for row in self.order(order_id) if row["code"] == "packet"]
            if len(packets) >= least:
                return packets
        raise AssertionError(least)

    def renumber(self) -> None:
        """Lines of each order from 1."""
        before: Any = object()
        line = 0
        for row in self.transfers:
            line = line + 1 if row["order_id"] == before else 1
            before = row["order_id"]
            row["line"] = line

    def refold(self) -> None:
        """Balances and figures as the changed transfers have them: a careful forger."""
        balance: dict[tuple[str, str], int] = {}
        by_code: dict[str, Row] = {}
        for row in self.transfers:
            for account, sign in ((row["source"], -1), (row["destination"], 1)):
                key = account, row["unit"]
                balance[key] = balance.get(key, 0) + sign * row["amount_micro"]
            total = by_code.setdefault(row["code"], {"unit": row["unit"], "count": 0, "amount_micro": 0})
            total["count"] += 1
            total["amount_micro"] += row["amount_micro"]
        self.balances = [
            {"account": account, "unit": unit, "amount_micro": str(micro), "amount": print_micro(micro)}
            for (account, unit), micro in sorted(balance.items())
        ]
        self.summary |= {"by_code": by_code, "transfers": len(self.transfers)}

    def write(self) -> None:
        """Write everything back."""
        for name, rows, schema in (("transfers", self.transfers, TRANSFERS_SCHEMA), ("lots", self.lots, LOTS_SCHEMA)):
            columns = {field.name: pa.array([row[field.name] for row in rows], _plain(field.type)) for field in schema}
            table = pa.table({name: column.cast(schema.field(name).type) for name, column in columns.items()}, schema=schema)
            pq.write_table(table, self.directory / f"{name}.parquet")
        _write_csv(self.directory / "balances.csv", ("account", "unit", "amount_micro", "amount"), self.balances)
        _write_csv(self.directory / "rejects.csv", ("row", "field", "reason", "order_id"), self.rejects)
        _write_csv(self.orders_path, COLUMNS, self.orders)
        (self.directory / "summary.json").write_text(json.dumps(self.summary, ensure_ascii=False), "utf-8")
        (self.directory / "plan.yaml").write_text(self.plan, "utf-8")


Change = Callable[[Books], None]


def falsify(directory: Path, change: Change) -> None:
    """Change the books of a directory; it stays where it is, and its summary names the order file beside it."""
    books = Books(directory)
    books.summary["orders_file"] = str(books.orders_path)
    change(books)
    books.write()


def _plain(kind: pa.DataType) -> pa.DataType:
    """The type without its dictionary."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _read_csv(path: Path) -> list[Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _write_csv(path: Path, columns: tuple[str, ...] | list[str], rows: list[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
