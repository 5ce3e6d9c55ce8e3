"""Money: accounts and their statements at any moment, the journal with its hashes, pool, vouchers, queues, and books to save."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast
from zipfile import ZIP_DEFLATED, ZipFile

from rangli.errors import FieldRefused, RangliError
from rangli.ledger.accounts import POCKET_NAMES
from rangli.ledger.transfers import CODE_NAMES, CODES, REFUND, UNIT_NAMES
from rangli.money import print_micro, print_percent
from rangli.service.looking import holdings
from rangli.service.looking import money as looking
from rangli.service.looking.browsing import LARGEST, OLDEST, SMALLEST, DecisionLine
from rangli.service.looking.export import Format, export
from rangli.service.looking.holdings import AccountsWanted
from rangli.service.looking.money import PoolSample, TierView
from rangli.service.views import BalanceView, EntryView, StatementView
from rangli.web.console.call import Shown
from rangli.web.console.door import Door
from rangli.web.console.listing import Column, Filter, Listing, Row, Slice, Want, by_money, by_time, turns
from rangli.web.console.showing import (
    HOLDERS,
    POCKETS,
    TRANSFERS_HEAD,
    account_link,
    account_words,
    decision_link,
    order_link,
    path_of,
    slice_of,
    transfer_rows,
    with_note,
)
from rangli.web.console.states import DECISIONS
from rangli.web.console.words import Amount, Link, in_beijing
from rangli.web.problems import Fault

if TYPE_CHECKING:
    from rangli.service import Running
    from rangli.web.console.call import Call

EXPORT_DECISIONS_MAX: Final = 50_000
"""A longer journal is written by the command; a page would wait for too long."""
BLOCK_BYTES: Final = 1 << 16
FORMS: Final = {
    "beancount": ("beancount 账本,可用 bean-check 独立核对", "a beancount ledger, for bean-check to check independently"),
    "csv": ("转账、订单、余额的 CSV", "transfers, orders and balances as CSV"),
    "parquet": ("转账、订单、余额的 Parquet", "transfers, orders and balances as Parquet"),
}
"""What the books can be saved as."""
ACCOUNT_SORTS: Final = (
    *reversed(turns("account", ("newest", "后开户的在前", "Opened last"), ("oldest", "先开户的在前", "Opened first"))),
    *by_money("balance", "余额", "balance"),
    *turns("position", ("latest", "最近有进出的在前", "Moved last"), ("earliest", "最久没进出的在前", "Longest at rest")),
)
QUEUE_SORTS: Final = (
    *turns("lots", ("longest", "最长的在前", "Longest first"), ("shortest", "最短的在前", "Shortest first")),
    *reversed(turns("oldest_at", ("newest", "等得最短的在前", "Shortest wait"), ("oldest", "等得最久的在前", "Longest wait"))),
    *by_money("pot", "红包池", "pot"),
)
assert tuple(sort.code for sort in ACCOUNT_SORTS) == holdings.SORTS
assert tuple(sort.code for sort in QUEUE_SORTS) == looking.QUEUE_SORTS
MIXED: Final = (
    "元、积分和抵用券按数字排在一起;选“哪一种”可分开看。",
    "Yuan, points and vouchers are sorted together, as numbers; choose which to see them apart.",
)


def tabs(call: Call) -> list[tuple[str, str, str]]:
    """The pages of this section that the programme's plan has something for."""
    money = call.running.money
    pages = [
        ("accounts", "账户", "Accounts", True),
        ("journal", "流水", "Journal", True),
        ("trial-balance", "试算平衡", "Trial balance", True),
        ("pool", "盈利池", "Pool", money.has_pool()),
        ("vouchers", "券与储备", "Vouchers and backing", money.has_vouchers()),
        ("queues", "红包队列", "Packet queues", money.has_queues()),
        ("treasury", "资金操作", "Treasury", money.has_pool() or call.running.periods.are_there()),
        ("books", "导出账本", "Books to save", True),
    ]
    return [(path_of(call, name), zh, en) for name, zh, en, is_there in pages if is_there]


def _show(call: Call, template: str, page: str, **values: Any) -> Shown:  # noqa: ANN401 -- whatever a template shows
    return call.show(template, tabs=tabs(call), tab=path_of(call, page), **values)


# ---------------------------------------------------------------- accounts


def accounts(call: Call) -> Shown:
    """Every account that was ever touched."""
    running = call.running

    def fetch(want: Want) -> Slice:
        kind, name, pocket = (want.filters.get(name, "") for name in ("kind", "name", "pocket"))
        found = running.money.accounts(AccountsWanted(kind, name, pocket, want.sort), want.cursor, want.limit)
        rows: list[Row] = [
            {
                "account": account_link(call, line.account),
                "about": account_words(call, line.account),
                "balance": Amount(line.balance, line.unit),
                "position": decision_link(call, line.last_position),
            }
            for line in found.found
        ]
        is_mixed = want.sort in (LARGEST, SMALLEST) and len({line.unit for line in found.found}) > 1
        return with_note(slice_of(found, rows), *MIXED) if is_mixed else slice_of(found, rows)

    columns = (
        Column("account", "账户", "Account", "link"),
        Column("about", "用途", "What for"),
        Column("balance", "余额", "Balance", "money"),
        Column("position", "最近一笔", "Last decision", "link"),
    )
    filters = (
        Filter("kind", "谁的", "Whose", "choice", tuple((code, *words) for code, words in HOLDERS.items())),
        Filter("name", "名称", "Name", help_zh="以此开头", help_en="begins with this"),
        Filter("pocket", "哪一种", "Which", "choice", tuple((name, *POCKETS[name]) for name in POCKET_NAMES)),
    )
    empty = ("还没有账户有过进出。", "No account was touched yet.")
    listing = Listing("accounts", "账户", "Accounts", columns, fetch, filters, ACCOUNT_SORTS, empty)
    return call.listing(listing, "money/accounts.html", tabs=tabs(call), tab=path_of(call, "accounts"))


def account(call: Call) -> Shown:
    """An account's statement, as it is or as it was at any moment."""
    running, path = call.running, call.param("account")
    now = running.balance(path)
    held: list[StatementView | BalanceView] = [now]

    def fetch(want: Want) -> Slice:
        at = _moment(running, want)
        if want.sort == OLDEST:
            if at is not None and held[0] is now:
                held[0] = running.money.held_at(path, at)
            found = running.money.statement_forward(path, want.cursor, want.limit, at=at)
            some = slice_of(found, [_entry(call, now.unit, entry) for entry in found.found])
            return _on_the_way(some, found.percent) if found.is_waiting else some
        page = running.statement(path, before=want.cursor, limit=want.limit) if want.cursor or at is None else None
        if at is not None and held[0] is now:  # once, also for a file of many pages
            held[0] = then = running.money.statement_at(path, at, want.limit)
            page = page or then
        assert page is not None
        return Slice([_entry(call, page.unit, entry) for entry in page.entries], page.next)

    columns = (
        Column("decided_at", "时间", "When", "time"),
        Column("position", "流水号", "Decision", "link"),
        Column("kind", "种类", "Kind", "state"),
        Column("id", "编号", "Id", "link"),
        Column("about", "原因", "Why"),
        Column("other", "对方账户", "Other side", "link"),
        Column("amount", "进出", "Amount", "money"),
        Column("balance", "之后的余额", "Balance after", "money"),
    )
    filters = (
        Filter("day", "截至某日终了", "As of the end of", "date"),
        Filter("at", "截至流水号", "As of decision", "text", help_zh="如 42", help_en="as 42"),
    )
    empty = ("当时还没有进出。", "Nothing had moved then.")
    name = f"statement-{path.replace(':', '-')}"
    listing = Listing(name, "对账单", "Statement", columns, fetch, filters, by_time("decided_at"), empty)
    return call.listing(
        listing, "money/account.html", tabs=tabs(call), tab=path_of(call, "accounts"), path=now.account,
        about=account_words(call, now.account), held=lambda: held[0], now=now,
    )  # fmt: skip


def _moment(running: Running, want: Want) -> int | None:
    """The decision after which a statement is wanted, None for now. Raises FieldRefused."""
    at, day = want.filters.get("at", ""), want.filters.get("day", "")
    if at and day:
        raise FieldRefused("at", "与日期只能填一个", "give this or a day, not both")
    if day:
        return running.browsing.position_at_end_of(day)
    if at and not (at.isascii() and at.isdigit() and len(at) <= len(str(1 << 31))):
        raise FieldRefused("at", "应为流水号,如 42", "it must be the number of a decision, as 42")
    return int(at) if at else None


def _on_the_way(page: Slice, percent: int) -> Slice:
    """A page that waits for the account's first entry, with how far the way back to it has been gone."""
    zh = f"正在往回找这个账户的第一笔,已走完 {percent}%;找到了,才能从头列起。"
    return page._replace(zh=zh, en=f"Going back to this account's first entry, {percent}% so far; the statement begins there.")


def _entry(call: Call, unit: str, entry: EntryView) -> Row:
    """A line of a statement."""
    return {
        "decided_at": entry.decided_at,
        "position": decision_link(call, entry.position),
        "kind": DECISIONS[entry.kind],
        "id": order_link(call, entry.id) if entry.kind == "order" else entry.id,
        "about": call.t(entry.zh, entry.en),
        "other": account_link(call, entry.counterparty),
        "amount": Amount(entry.amount, unit),
        "balance": Amount(entry.balance, unit),
    }


# ---------------------------------------------------------------- the journal


def journal(call: Call) -> Shown:
    """Every decision with its hash."""
    running = call.running

    def fetch(want: Want) -> Slice:
        days = want.filters.get("since", ""), want.filters.get("until", "")
        kind, oldest_first = want.filters.get("kind", ""), want.sort == "oldest"
        found = running.browsing.journal((kind,) if kind else (), days, want.cursor, want.limit, oldest_first=oldest_first)
        return slice_of(found, [decision_row(call, line) for line in found.found])

    columns = (
        Column("position", "流水号", "Decision", "link"),
        Column("kind", "种类", "Kind", "state"),
        Column("decided_at", "时间", "When", "time"),
        Column("id", "编号", "Id", "link"),
        Column("amount", "数额", "Amount", "money"),
        Column("note", "说明", "Note"),
        Column("transfers", "转账笔数", "Transfers", "count"),
        Column("plan", "方案版本", "Plan version", "count"),
        Column("hash", "哈希", "Hash", "hash"),
    )
    filters = (
        Filter("kind", "种类", "Kind", "choice", tuple((code, state.zh, state.en) for code, state in DECISIONS.items())),
        Filter("since", "从", "From", "date"),
        Filter("until", "到", "Until", "date"),
    )
    listing = Listing("journal", "流水", "Journal", columns, fetch, filters, by_time("position"))
    return call.listing(listing, "money/journal.html", tabs=tabs(call), tab=path_of(call, "journal"))


def decision_row(call: Call, line: DecisionLine) -> Row:
    """A decision in a list."""
    return {
        "position": decision_link(call, line.position),
        "kind": DECISIONS[line.kind],
        "decided_at": line.decided_at,
        "id": order_link(call, line.id) if line.kind == "order" else line.id,
        "amount": Amount(line.amount, line.unit) if line.amount else "",
        "note": _note(call, line.kind, line.note),
        "transfers": str(line.transfers),
        "plan": str(line.plan_number),
        "hash": line.hash,
    }


def _note(call: Call, kind: str, note: str) -> str:
    """What a decision is about besides an amount."""
    zh, en = {
        "closing": (f"截至 {note}", f"as of {note}"),
        "activation": (f"第 {note} 版方案", f"plan version {note}"),
        "release": (f"第 {note} 期", f"period {note}"),
    }.get(kind, ("", ""))
    return call.t(zh, en)


def decision(call: Call) -> Shown:
    """One decision: its transfers, and its hash computed once more."""
    text = call.param("position")
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(1 << 31))):
        raise Fault("route_not_found")
    proof = call.running.browsing.proof(int(text))
    one = proof.decision
    last = call.running.position()
    return _show(
        call, "money/decision.html", "journal", proof=proof, decision=one, kind=DECISIONS[one.kind], head=TRANSFERS_HEAD,
        order=order_link(call, one.id) if one.kind == "order" else None, transfers=transfer_rows(call, one.transfers),
        before=decision_link(call, one.position - 1) if one.position > 1 else "",
        after=decision_link(call, one.position + 1) if one.position < last else "",
    )  # fmt: skip


# ---------------------------------------------------------------- balances and sums


def trial_balance(call: Call) -> Shown:
    """The sum of all balances, and what moved for which reason."""
    running = call.running
    view = running.trial_balance()
    sums, counted, upto = running.money.sums()
    totals = [[call.t(*_unit(unit)), Amount(text, unit)] for unit, text in view.totals.items()]
    institutions = [
        [account_link(call, one.account), account_words(call, one.account), Amount(one.balance, one.unit)]
        for one in view.institutions
    ]
    reasons = [_reason(call, code, count, micro) for code, (count, micro) in enumerate(sums.tolist()) if count]
    template = "money/reasons.html" if call.is_part else "money/trial-balance.html"
    return _show(
        call, template, "trial-balance", view=view, totals=totals, institutions=institutions, reasons=reasons, counted=counted,
        upto=upto, there=path_of(call, "trial-balance"),
        is_zero=not any(text.strip("-0.") for text in view.totals.values()),
    )  # fmt: skip


def _unit(unit: str) -> tuple[str, str]:
    return {"CNY": ("人民币", "yuan"), "POINT": ("积分", "points"), "VOUCHER": ("抵用券", "vouchers")}[unit]


def _reason(call: Call, code: int, count: int, micro: int) -> list[object]:
    """All transfers of one reason."""
    _, unit, zh, en = CODES[code & (REFUND - 1)]
    words = (f"退款冲回:{zh}", f"reversed by refunds: {en}") if code >= REFUND else (zh, en)
    return [CODE_NAMES[code], call.t(*words), str(count), Amount(print_micro(micro), UNIT_NAMES[unit])]


def pool(call: Call) -> Shown:
    """Price and supply over time."""
    money = call.running.money
    if not money.has_pool():
        raise Fault("route_not_found")
    view = money.pool()
    rows = [
        [decision_link(call, one.position), one.at, Amount(one.pool), Amount(one.supply, "POINT"), Amount(one.price)]
        for one in reversed(view.samples)
        if one.price
    ]
    facts = {"mint": print_percent(view.mint_bp), "pays": print_percent(view.pays_bp)}
    return _show(call, "money/pool.html", "pool", pool=view, rows=rows, chart=_pool_chart(call, view.samples), **facts)


def _pool_chart(call: Call, samples: Sequence[PoolSample]) -> dict[str, Any]:
    """Price and supply by time."""
    some = [one for one in samples if one.price]
    names = call.t("每积分价格(元)", "Price of a point (yuan)"), call.t("流通积分", "Points there are")
    axes = [{"type": "value", "name": names[0], "scale": True}, {"type": "value", "name": names[1], "splitLine": {"show": False}}]
    series = [
        {"name": names[0], "type": "line", "showSymbol": False, "data": [one.price for one in some]},
        {"name": names[1], "type": "line", "showSymbol": False, "yAxisIndex": 1, "data": [one.supply for one in some]},
    ]
    times = {"type": "category", "data": [in_beijing(one.at) for one in some]}
    return {"legend": {}, "tooltip": {"trigger": "axis"}, "xAxis": times, "yAxis": axes, "series": series}


def vouchers(call: Call) -> Shown:
    """What was issued, released and spent, and what stands behind the rest."""
    money = call.running.money
    if not money.has_vouchers():
        raise Fault("route_not_found")
    view = money.vouchers()
    template = "money/backing.html" if call.is_part else "money/vouchers.html"
    return _show(call, template, "vouchers", view=view, there=path_of(call, "vouchers"))


# ---------------------------------------------------------------- queues


def queues(call: Call) -> Shown:
    """The queues of red packets, by tier and by shop."""
    money = call.running.money
    if not money.has_queues():
        raise Fault("route_not_found")

    def fetch(want: Want) -> Slice:
        merchant, tier = want.filters.get("merchant", ""), want.filters.get("tier", "")
        found = money.queues(merchant, tier, want.cursor, want.limit, sort=want.sort)
        rows: list[Row] = [
            {
                "merchant": Link(line.merchant, path_of(call, "queues", line.merchant, str(line.tier))),
                "tier": str(line.tier),
                "lots": str(line.lots),
                "pot": Amount(line.pot),
                "oldest": decision_link(call, line.oldest_position),
                "oldest_at": line.oldest_at,
            }
            for line in found.found
        ]
        return slice_of(found, rows)

    columns = (
        Column("merchant", "商家", "Shop", "link"),
        Column("tier", "档", "Tier", "count"),
        Column("lots", "排队份额", "Open lots", "count"),
        Column("pot", "红包池", "Pot", "money"),
        Column("oldest", "最早的一单", "Oldest order", "link"),
        Column("oldest_at", "它的入账时间", "Settled at", "time"),
    )
    filters = (
        Filter("merchant", "商家", "Shop", help_zh="完整的名称", help_en="the whole name"),
        Filter("tier", "档", "Tier", help_zh="如 1", help_en="as 1"),
    )
    empty = ("还没有订单排队。", "No order is in a queue yet.")
    listing = Listing("queues", "红包队列", "Packet queues", columns, fetch, filters, QUEUE_SORTS, empty)
    is_page = not call.is_part and not call.query.get("as")
    tiers = [_tier(call, one) for one in money.tiers()] if is_page else []
    return call.listing(listing, "money/queues.html", tabs=tabs(call), tab=path_of(call, "queues"), tiers=tiers)


def _tier(call: Call, one: TierView) -> list[object]:
    """All queues of a tier."""
    upto = Amount(one.upto) if one.upto else call.t("不限", "no limit")
    oldest = decision_link(call, one.oldest_position)
    return [str(one.tier), upto, str(one.queues), str(one.lots), Amount(one.pot), oldest, one.oldest_at]


def queue(call: Call) -> Shown:
    """The open lots of one queue, the head first."""
    merchant, tier = call.param("merchant"), call.param("tier")
    if not (tier.isascii() and tier.isdigit() and len(tier) <= len("16")):
        raise Fault("route_not_found")
    lots = call.running.money.lots(merchant, int(tier))
    rows = [
        [
            str(lot.place), order_link(call, lot.order_id), lot.consumer, Amount(lot.paid), str(lot.packets),
            "" if lot.packets_left is None else str(lot.packets_left), Amount(lot.received), Amount(lot.room),
        ]
        for lot in lots
    ]  # fmt: skip
    return _show(call, "money/queue.html", "queues", merchant=merchant, tier=tier, rows=rows)


# ---------------------------------------------------------------- books to save


def books(call: Call) -> Shown:
    """The books as files."""
    position = call.running.position()
    return _show(
        call, "money/books.html", "books", forms=FORMS, there=path_of(call, "books"), position=position,
        is_short=position <= EXPORT_DECISIONS_MAX, most=EXPORT_DECISIONS_MAX,
    )  # fmt: skip


def save_books(call: Call) -> Shown:
    """All books of one moment in one archive."""
    form = call.param("form")
    if form not in FORMS:
        raise Fault("route_not_found")
    if call.running.position() > EXPORT_DECISIONS_MAX:
        raise RangliError(
            f"流水超过 {EXPORT_DECISIONS_MAX} 条;请用命令 rangli export DIR --programme {call.programme} --format {form}",
            f"the journal has more than {EXPORT_DECISIONS_MAX} decisions; use rangli export DIR --programme {call.programme}"
            f" --format {form}",
        )
    folder = Path(tempfile.mkdtemp(prefix="rangli-books-"))
    try:
        made = export(call.service.database, call.programme, folder.joinpath("books"), cast("Format", form), lambda _: None)
        archive = folder.joinpath("books.zip")
        with ZipFile(archive, "w", ZIP_DEFLATED) as packed:
            for name in made.files:
                packed.write(folder.joinpath("books", name), name)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    call.note("books.save", form, position=made.position)
    return call.send_file(f"{call.programme}-{form}-{made.position}.zip", "application/zip", _blocks(archive, folder))


async def _blocks(path: Path, folder: Path) -> AsyncIterator[bytes]:
    """A file, block by block; its folder is gone afterwards."""
    try:
        with path.open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                yield block
    finally:
        shutil.rmtree(folder, ignore_errors=True)


_P: Final = "/p/{programme}"
DOORS: Final = (
    Door("GET", f"{_P}/accounts", "read", accounts, "账户", "Accounts"),
    Door("GET", f"{_P}/accounts/{{account}}", "read", account, "对账单", "Statement"),
    Door("GET", f"{_P}/journal", "read", journal, "流水", "Journal"),
    Door("GET", f"{_P}/journal/{{position}}", "read", decision, "决定", "Decision"),
    Door("GET", f"{_P}/trial-balance", "read", trial_balance, "试算平衡", "Trial balance"),
    Door("GET", f"{_P}/pool", "read", pool, "盈利池", "Pool"),
    Door("GET", f"{_P}/vouchers", "read", vouchers, "券与储备", "Vouchers and backing"),
    Door("GET", f"{_P}/queues", "read", queues, "红包队列", "Packet queues"),
    Door("GET", f"{_P}/queues/{{merchant}}/{{tier}}", "read", queue, "红包队列", "Packet queue"),
    Door("GET", f"{_P}/books", "read", books, "导出账本", "Books to save"),
    Door("GET", f"{_P}/books/{{form}}", "read", save_books, "账本文件", "Books as files"),
)
