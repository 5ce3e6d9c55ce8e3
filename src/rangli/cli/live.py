"""What can be looked at of a live programme: a statement, and an export."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rangli.cli import face as faces
from rangli.cli import lane
from rangli.cli.face import Face
from rangli.cli.opening import journal_of, opened, settled_here, through_api
from rangli.money import parse_micro

if TYPE_CHECKING:
    from rangli.cli.directory import Statement
    from rangli.client import ProgrammeClient
    from rangli.service import Running
    from rangli.service.views import StatementView


PAGE = 1_000
"""Entries that are asked for at once."""

# ---------------------------------------------------------------- statement


def live_statement(
    programme: str, account: str, limit: int, *, data: Path | None, url: str | None, key: str | None
) -> StatementView:
    """The last entries of an account, newest first, all of them for 0: read here, or through the API."""
    if url is not None:
        with through_api(url, key, programme) as there:
            return _statement_there(there, account, limit)
    with opened(data) as it, settled_here(it, programme) as running:
        return _statement_here(running, account, limit)


def _statement_here(running: Running, account: str, limit: int) -> StatementView:
    """Page by page."""
    import msgspec

    page = running.statement(account, limit=limit or PAGE)
    entries = list(page.entries)
    first = page
    while page.next and (not limit or len(entries) < limit):
        page = running.statement(account, before=page.next, limit=limit - len(entries) if limit else PAGE)
        entries += page.entries
    return msgspec.structs.replace(first, entries=entries, next=page.next)


def _statement_there(there: ProgrammeClient, account: str, limit: int) -> StatementView:
    """The same of another process."""
    from rangli.service.views import StatementView

    held = there.balance(account)
    found = list(islice(there.entries(account), limit + 1 if limit else None))
    entries = found[:limit] if limit else found
    balance = entries[0].balance if entries else held.balance
    more = "" if len(found) == len(entries) else f"{entries[-1].position}.{entries[-1].line}"
    return StatementView(held.account, held.unit, balance, held.position, entries, more)


def of_view(view: StatementView) -> Statement:
    """The same, oldest first, as a settled directory has it."""
    from rangli.cli.directory import Entry, Statement

    entries = [
        Entry(one.position, one.id or None, one.counterparty, micro(one.amount), micro(one.balance), one.code, one.zh, one.en)
        for one in reversed(view.entries)
    ]
    opening = entries[0].balance_micro - entries[0].amount_micro if entries else micro(view.balance)
    return Statement(view.account, view.unit, opening, entries, None if view.next else len(entries), micro(view.balance))


def micro(text: str) -> int:
    """A signed amount in micro.

    >>> micro("-0.045123"), micro("12.50")
    (-45123, 12500000)
    """
    return -parse_micro(text[1:]) if text.startswith("-") else parse_micro(text)


# ---------------------------------------------------------------- export


def export_programme(
    face: Face, programme: str, out: Path, form: Literal["csv", "parquet", "beancount"], data: Path | None
) -> None:
    """Its books into a new directory, and what was written."""
    with opened(data) as it:
        journal = journal_of(it.database, programme)
        lane.choose_for_orders(journal.position)
        from rangli.service.looking.export import export

        with face.progress("导出", "Exporting", journal.position) as advance:
            made = export(it.database, programme, out, form, advance)
    if face.json:
        face.document({**made._asdict(), "directory": str(out)})
        return
    face.line(
        f"到第 {faces.count(made.position)} 条决定:{faces.count(made.orders)} 笔订单、{faces.count(made.transfers)} 笔转账、"
        f"{faces.count(made.accounts)} 个账户,写在 {out}({'、'.join(made.files)})",
        f"Up to decision {faces.count(made.position)}: {faces.count(made.orders)} orders, {faces.count(made.transfers)}"
        f" transfers, {faces.count(made.accounts)} accounts are in {out} ({', '.join(made.files)})",
    )
    if form == "beancount":
        face.note(f"接下来:bean-check {out}/books.beancount", f"next: bean-check {out}/books.beancount")
