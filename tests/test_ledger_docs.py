"""docs/ledger.md says what the code says."""

from __future__ import annotations

from pathlib import Path

from rangli.ledger import CODES, UNIT_NAMES
from rangli.ledger.accounts import INSTITUTIONS, POCKET_NAMES

TEXT = Path(__file__).parents[1].joinpath("docs", "ledger.md").read_text(encoding="utf-8")


def codes_table() -> str:
    """The table of codes as the document has it."""
    rows = [f"| `{name}` | {UNIT_NAMES[unit]} | {zh} | {en} |" for name, unit, zh, en in CODES]
    return "\n".join(["| code | unit | 中文 | English |", "|---|---|---|---|", *rows])


def test_the_table_of_codes_is_that_of_the_code() -> None:
    """A code that the document lacks is an entry that nobody can read."""
    shown = TEXT.split("<!-- codes -->\n")[1]

    assert codes_table() == shown.strip(), "docs/ledger.md, between the <!-- codes --> marks, must read:\n" + codes_table()


def test_every_pocket_and_institution_is_in_the_document() -> None:
    """Whoever reads a path must find every word of it."""
    assert [] == [word for word in (*POCKET_NAMES, *INSTITUTIONS) if f"`{word}`" not in TEXT]
