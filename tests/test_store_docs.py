"""The journal's document: its tables are the database's, its example is a row's, and what it tells to run does run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import oracle_rows
import psycopg
import pytest
import service_worlds
from service_worlds import MARKET, SEASON, connected, done, order, orders, running

from rangli.service.requests import ClosingRequest, RefundRequest
from rangli.store import rows
from rangli.store.keys import Keys, hashes_of

house = service_worlds.house
url = service_worlds.url

DOCUMENT = (Path(__file__).parents[1] / "docs" / "journal.md").read_text(encoding="utf-8")
BY_HAND, OF_A_ROW = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
SQL = re.findall(r"```sql\n(.*?)```", DOCUMENT, re.DOTALL)


def test_the_columns_are_those_of_the_database(url: str) -> None:
    """Each with its type, in the order in which it is hashed."""
    with connected(url) as connection:
        found = connection.execute(
            "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute"
            " WHERE attrelid = 'journal'::regclass AND attnum > 0 ORDER BY attnum"
        ).fetchall()
        tables = {name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    short = {"integer": "int4", "bigint": "int8", "smallint": "int2"}
    columns = []
    for names, types in re.findall(
        r"^\| ((?:`\w+`(?:, )?)+) \| ([\w\[\], ]+) \|", DOCUMENT.split("The facts by kind")[0], re.MULTILINE
    ):
        split, kinds = re.findall(r"\w+", names), types.split(", ")
        columns += zip(split, kinds * len(split) if len(kinds) == 1 else kinds, strict=True)

    assert columns == [
        (name, kind.replace(kind.removesuffix("[]"), short.get(kind.removesuffix("[]"), kind))) for name, kind in found
    ]
    assert set() == {name for name in tables if f"`{name}`" not in DOCUMENT} - {
        "alembic_version",
        "api_key",
        "webhook",
        "delivery",
        "member",
        "session",
        "form_used",
        "act",
        "draft",
        "verification",
    }  # of people, and not of books


def test_the_facts_are_those_of_the_code() -> None:
    """A reader who counts fields finds what the document says."""
    table = re.search(r"<!-- facts.*?-->\n(.*?)<!-- end of facts", DOCUMENT, re.DOTALL)
    assert table is not None
    said = re.findall(r"^\| (\w+) \| ([\w, ]+) \|$", table[1], re.MULTILINE)[1:]

    assert {rows.KIND_NAMES[kind]: ", ".join(facts) for kind, facts in rows.FACTS.items()} == dict(said)


@pytest.mark.parametrize("change", ["", "UPDATE journal SET amount[1] = amount[1] + 1 WHERE position = 3"])
def test_the_chain_can_be_checked_by_hand(database_url: str, change: str) -> None:
    """A dozen lines that share no code with ours pass on a journal, and fail on a changed one."""
    with running(database_url, MARKET) as programme:
        done(programme.do(orders(range(12))))
        head = programme.view().head
    names: dict[str, object] = {"url": database_url}
    if change:
        with psycopg.connect(database_url) as connection:
            connection.execute(change)
        with pytest.raises(AssertionError, match="broken here"):
            exec(BY_HAND, names)  # noqa: S102 -- our own document
        return
    exec(BY_HAND, names)  # noqa: S102 -- our own document

    assert head == bytes(names["head"]).hex()  # type: ignore[arg-type]


# ---------------------------------------------------------------- the example

SMALLEST = """
plan: smallest
title: {zh: 最小, en: The smallest plan}
concession: {min: 20%, max: 20%}
shares:
  - {to: consumer, rate: 5% of amount}
"""


def example(row: list[Any], before: bytes) -> str:
    """A row, field by field, as the document has it."""
    lines = ["| field | value | bytes |", "|---|---|---|", "| *fields* | 16 | `0010` |"]
    for (name, kind), value in zip(oracle_rows.COLUMNS.items(), row, strict=True):
        shown = value.hex() if isinstance(value, bytes) else str(value) if value != [] else "(none)"
        data = oracle_rows.field(kind, value).hex()
        if name == "hash":
            shown, data = "", data[:8]
        cut = [data[k : k + 8] for k in range(0, len(data), 8)]
        lines.append(f"| `{name}` | {shown} | `{' '.join(cut)}` |")
    return "\n".join([*lines, "", f"Before it: `{before.hex()}`<br>", f"Its hash: `{row[-1].hex()}`"])


def test_the_example_is_a_row_that_postgresql_holds(url: str) -> None:
    """An auditor who follows the bytes with a pencil must come to the same hash; so must the lines for one row."""
    with running(url, SMALLEST) as programme, connected(url) as connection:
        done(programme.do([order("A-1", consumer="小李", merchant="面馆")]))
        (before,), (own,) = connection.execute("SELECT hash FROM journal ORDER BY position").fetchall()
        row = connection.execute("SELECT * FROM journal WHERE position = 2").fetchone()
        told = connection.execute("SELECT row_to_json(j)::text FROM journal j WHERE position = 2").fetchone()
    assert row is not None
    assert told is not None
    shown = re.search(r"<!-- example.*?-->\n(.*?)\n<!-- end of example", DOCUMENT, re.DOTALL)
    expected = example(list(row), before)
    names: dict[str, Any] = {}
    exec(OF_A_ROW, names)  # noqa: S102 -- our own document

    assert expected == (shown and shown[1]), f"docs/journal.md, between the marks of the example, must read:\n{expected}"
    assert [own] == oracle_rows.chained([list(row)], before)
    assert own.hex() == names["hash_of"](told[0], before)


@pytest.mark.parametrize("plan", [MARKET, SEASON])
def test_the_lines_for_one_row_hold_for_every_row(url: str, plan: str) -> None:
    """Orders, refunds, closings and releases; rows without legs and rows without an id."""
    with running(url, plan) as programme, connected(url) as connection:
        done(programme.do([*orders(range(8)), RefundRequest("r", "o1"), ClosingRequest("c", "2026-01-20")]))
        told = connection.execute("SELECT row_to_json(j)::text, hash FROM journal j ORDER BY position").fetchall()
    names: dict[str, Any] = {}
    exec(OF_A_ROW, names)  # noqa: S102 -- our own document
    heads = [bytes(32), *(digest for _, digest in told)]

    assert [digest.hex() for _, digest in told] == [
        names["hash_of"](line, head) for (line, _), head in zip(told, heads, strict=False)
    ]


def test_every_query_of_the_document_runs_and_tells_the_truth(url: str) -> None:
    """The legs of a decision by path, and an account's walk, which adds up to its balance."""
    with running(url, MARKET) as programme, connected(url) as connection:
        done(programme.do([*orders(range(12)), RefundRequest("r", "o1")]))
        legs, walked = (connection.execute(query.encode()).fetchall() for query in SQL)
        balance = service_worlds.micro(programme.balance("platform:surplus").balance)
        [decision] = programme.decisions(1, 1)

    assert [(line.source, line.destination) for line in decision.transfers] == [(row[1], row[2]) for row in legs]
    assert balance == sum(row[2] for row in walked)
    assert len(walked) > 10


# ---------------------------------------------------------------- what grows


def test_ids_take_as_much_memory_as_the_document_says() -> None:
    """24 to 48 bytes a decision, at every length; whoever sizes a machine reads it there."""
    table, sizes = Keys(), []
    for first in range(0, 40_000, 1_000):
        ids = [f"{number:07d}".encode() for number in range(first, first + 1_000)]
        ends = np.arange(0, 7 * len(ids) + 1, 7)
        table.add(hashes_of(rows.ORDER, ends, np.frombuffer(b"".join(ids), np.uint8)), first + 1)
        if len(table) >= 4_000:
            sizes.append(sum(array.nbytes for array in table._table) / len(table))

    assert "24 to 48 bytes a decision" in DOCUMENT
    assert 24 <= min(sizes) < 26
    assert 40 < max(sizes) <= 48
