"""The journal's document: its table of facts is the code's, and the lines that check the chain by hand really do."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest
from service_worlds import MARKET, done, orders, running

from rangli.store import rows

DOCUMENT = (Path(__file__).parents[1] / "docs" / "journal.md").read_text(encoding="utf-8")
BY_HAND = re.search(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)


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
    assert BY_HAND is not None
    names: dict[str, object] = {"url": database_url}
    if change:
        with psycopg.connect(database_url) as connection:
            connection.execute(change)
        with pytest.raises(AssertionError, match="broken here"):
            exec(BY_HAND[1], names)  # noqa: S102 -- our own document
        return
    exec(BY_HAND[1], names)  # noqa: S102 -- our own document

    assert head == bytes(names["head"]).hex()  # type: ignore[arg-type]
