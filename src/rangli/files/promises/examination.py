"""The examination: orders and transfers read side by side, once, and every promise asked of them."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from rangli.files.orders import OrderFile
from rangli.files.promises import draws
from rangli.files.promises.claims import Claims
from rangli.files.promises.facts import Reader, Window, fixed_of, packet_rules_of, rates_of, shares_of
from rangli.files.promises.faults import FAULTS, LISTED, Findings
from rangli.files.promises.lines import (
    CLOSED_PERIOD,
    Faults,
    Page,
    check_bonus,
    check_concession,
    check_points,
    check_shares,
    check_vouchers_used,
    fold,
)
from rangli.files.promises.lots import Lots
from rangli.files.promises.pages import (
    LOOK_AHEAD,
    TYPES,
    Matched,
    Sheet,
    match_crooked,
    match_straight,
    open_parquet,
    orders_on,
    read_groups,
    runs_of,
    sheets,
)
from rangli.files.promises.price import Price
from rangli.files.promises.queues import (
    CLOSED_LOTS,
    DRAWN,
    DRAWN_ROOMS,
    LOT_COLUMNS,
    NONE,
    ORDERS_SEEN,
    PACKETS_SEEN,
    POT_ACCOUNT,
    POT_MICRO,
    Kept,
    Queues,
    replay,
)
from rangli.files.promises.refusals import Refusals
from rangli.files.promises.register import Register, hashes_of, longer
from rangli.files.repeats import repeated
from rangli.ledger.transfers import CODE_NAMES, PACKET, RELEASE, UNIT_NAMES, UNIT_OF_CODE
from rangli.money import AMOUNT_FEN_MAX, MICRO_PER_FEN, mul_div
from rangli.plan.parts import Packets, Plan
from rangli.plan.terms import Ints

TRANSFERS: Final = "transfers.parquet"
LOTS: Final = "lots.parquet"
BALANCES: Final = "balances.csv"
REJECTS: Final = "rejects.csv"
SUMMARY: Final = "summary.json"

SAMPLE: Final = 2_000
"""Orders, evenly spread, whose packets are drawn again."""


def check_promises(
    directory: Path,
    plan: Plan,
    claims: Claims,
    orders: OrderFile,
    findings: Findings,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Ask every promise of the transfers in a directory; nothing is settled again.

    progress : called with how much of ``orders.rows`` is done
    Raises FileRefused when a file cannot be read as what it should be.
    """
    Examination(directory, plan, claims, orders, findings).run(progress)
    check_once(directory / TRANSFERS, findings)


class Examination:
    """One pass over the orders and the transfers."""

    def __init__(self, directory: Path, plan: Plan, claims: Claims, orders: OrderFile, findings: Findings) -> None:
        self.directory = directory
        self.plan = plan
        self.claims = claims
        self.orders = orders
        orders.concession_bp = (plan.concession.bp_min, plan.concession.bp_max)
        self.findings = findings
        self.register = Register()
        self.reader = Reader(plan, self.register)
        self.refusals = Refusals(directory / REJECTS, plan, findings)
        self.fixed = fixed_of(plan, self.register)
        self.shares = rates_of(plan, shares_of(plan))
        self.points = rates_of(plan, plan.points)
        self.faults = Faults.none()
        self.secret = bytes.fromhex(claims.secret)
        self.days: set[int] = set()
        self.bonus_paid = np.zeros(0, np.int64)
        self.settled = self.paid_fen = self.concession_micro = 0
        self.replay = Replay(plan.packets, self) if plan.packets else None
        self.price = Price(plan.pool, self.register, findings) if plan.pool else None

    def run(self, progress: Callable[[int], None] | None) -> None:
        """All pages, and then what can only be said at the end."""
        windows = self._windows(progress)
        window = self.reader.nothing()
        for sheet in sheets(self.directory / TRANSFERS, self.register):
            window = _filled(window, windows, orders_on(sheet))
            matched = match_straight(sheet, window)
            if matched is None:
                window = _filled(window, windows, orders_on(sheet) + LOOK_AHEAD)
                matched = match_crooked(sheet, window)
            self._look_at(sheet, matched, window)
            window = window.after(matched.used)
        for rest in chain([window], windows):
            self._missing(rest, np.flatnonzero(rest.facts.concession_bp).tolist())
        self._finish()

    def _windows(self, progress: Callable[[int], None] | None) -> Iterator[Window]:
        """The orders that should settle, batch by batch."""
        done = 0
        for rows, unread in self.orders.batches():
            self.days.update(np.unique(rows.day).tolist())
            yield self.reader.window(rows, self.refusals.settled(rows, unread))
            if progress is not None:
                progress(self.orders.done - done)
                done = self.orders.done

    # ------------------------------------------------------------ one page

    def _look_at(self, sheet: Sheet, matched: Matched, window: Window) -> None:
        """Ask every promise of one sheet."""
        groups = matched.groups
        page = Page(sheet.lines, groups, window.facts, self.faults)

        def where(group: int) -> str:
            run = int(matched.run[group])
            order_id = sheet.order_id[run].as_py() if run >= 0 else window.order_id[int(groups.order[group])].as_py()
            return f"{TRANSFERS}, " + ("closing" if order_id is None else f"order {order_id}")

        for run in matched.strays:
            place = f"{TRANSFERS}, row {sheet.first + int(sheet.start[run])}"
            zh = f"订单 {sheet.order_id[run].as_py()} 不应在此有转账:没有这笔订单、已被拒绝、次序不对或出现过"
            en = (
                f"order {sheet.order_id[run].as_py()} should have no lines here: unknown, refused, out of order, or a second time"
            )
            self.findings.add("orders", place, zh, en)
        self._missing(window, matched.missing)
        self._count(groups.order[groups.order >= 0], window)
        self._check_lines(page)
        if self.replay is not None:
            self.replay.look_at(page, where)
        if self.price is not None:
            self.price.look_at(page, where)
        self._report(groups.start, where)

    def _missing(self, window: Window, orders: list[int]) -> None:
        """Orders of a window that should have lines and have none."""
        for order in orders[:LISTED]:
            place = f"order {window.order_id[order].as_py()}"
            self.findings.add("orders", place, "订单应当结算,却没有转账", "the order should have settled and has no transfers")
        self.findings.count("orders", len(orders[LISTED:]))

    def _count(self, order: Ints, window: Window) -> None:
        """Orders, and what they come to."""
        facts = window.facts
        self.settled += len(order)
        self.paid_fen += int(facts.paid_fen[order].sum())
        self.concession_micro += int((facts.paid_fen[order] * facts.concession_bp[order]).sum())
        self.findings.check("orders", len(order))
        self.findings.check("concession", len(order))

    def _check_lines(self, page: Page) -> None:
        """The compiled checks of single lines and orders."""
        findings, fixed, book = self.findings, self.fixed, self.register.book()
        fold(page, fixed, book)
        findings.check("balanced", len(page.lines.code))
        check_concession(page, book)
        findings.check("shares", check_shares(page, self.shares, fixed, np.zeros(len(self.shares.code), np.int64)))
        if self.plan.points:
            findings.check("points", check_points(page, self.points, fixed))
        if self.plan.bonus:
            self.bonus_paid = longer(self.bonus_paid, len(self.register))
            findings.check("bonus", check_bonus(page, fixed, self.bonus_paid))
        if self._has_vouchers():
            check_vouchers_used(page, fixed)
            findings.check("backed", len(page.groups.start))
        if self.plan.release:
            findings.check("funded", int((page.groups.order == CLOSED_PERIOD).sum()))

    def _has_vouchers(self) -> bool:
        """Whether the plan has vouchers at all."""
        release = self.plan.release
        return bool(self.plan.offset or (release and release.pays == "vouchers") or self.shares.as_vouchers.any())

    def _report(self, start: Ints, where: Callable[[int], str]) -> None:
        """Put what the compiled checks noted into words."""
        for fault, group, line, expected, found in self.faults.rows[: int(self.faults.used[0])].tolist():
            kind = FAULTS[fault]
            shown = {"expected": expected, "found": found}
            if kind.of_accounts:
                shown = {name: self.register.path(account) for name, account in shown.items()}
            place = f"{where(group)}, line {line - int(start[group]) + 1}"
            self.findings.add(kind.promise, place, kind.zh.format(**shown), kind.en.format(**shown))
        self.faults.used[0] = 0

    # ------------------------------------------------------------ the end

    def _finish(self) -> None:
        """What can only be said when all has been read."""
        self.refusals.finish()
        if self.replay is not None:
            self.replay.finish()
        for kind, count in zip(FAULTS, self.faults.times.tolist(), strict=True):
            self.findings.count(kind.promise, max(count - LISTED, 0))
        self._check_balances()
        self._check_figures()
        self._check_commitments()

    def _check_balances(self) -> None:
        """Each unit adds up to zero, and balances.csv holds what the transfers come to."""
        for unit, name in enumerate(UNIT_NAMES):
            total = self.register.sum_of(unit)
            if total:
                self.findings.add("balanced", name, f"合计 {total},应为 0", f"all accounts come to {total}, not 0")
        with (self.directory / BALANCES).open(encoding="utf-8-sig", errors="replace", newline="") as file:
            listed = (tuple(row[:3]) for row in islice(csv.reader(file), 1, None))
            ours = ((path, unit, str(amount)) for path, unit, amount in self.register.balances())
            for number, (expected, found) in enumerate(zip_longest(ours, listed), 1):
                self.findings.check("balanced", 1)
                if expected != found:
                    place = f"{BALANCES}, row {number}"
                    self.findings.add(
                        "balanced", place, f"应为 {expected},实为 {found}", f"it should be {expected}, it is {found}"
                    )
                    break
        if self.price is not None:
            self.price.finish()

    def _check_figures(self) -> None:
        """The summary's figures are those of orders and transfers."""
        claims, book = self.claims, self.register.book()
        by_code = {
            name: (UNIT_NAMES[UNIT_OF_CODE[code]], *book.by_code[code].tolist())
            for code, name in enumerate(CODE_NAMES)
            if book.by_code[code, 0]
        }
        ours = {
            "orders": self.settled,
            "rejected": len(self.refusals),
            "duplicates": self.orders.duplicates,
            "transfers": int(book.by_code[:, 0].sum()),
            "paid_fen": self.paid_fen,
            "concession_micro": self.concession_micro,
            "by_code": by_code,
            "trial_balance_micro": 0,
            "units": dict.fromkeys(UNIT_NAMES, 0),
        }
        theirs = {name: getattr(claims, name) for name in ours}
        theirs["by_code"] = {name: (one.unit, one.count, one.amount_micro) for name, one in claims.by_code.items()}
        for name, figure in ours.items():
            self.findings.check("figures", 1)
            if figure != theirs[name]:
                zh, en = f"应为 {figure},写的是 {theirs[name]}", f"it should be {figure}, it says {theirs[name]}"
                self.findings.add("figures", f"{SUMMARY}, {name}", zh, en)
        released = sum(period.released_micro for period in claims.periods)
        if self.plan.release and released != book.by_code[RELEASE, 1]:
            zh, en = (
                f"各期合计 {released},转账合计 {book.by_code[RELEASE, 1]}",
                f"periods say {released}, transfers {book.by_code[RELEASE, 1]}",
            )
            self.findings.add("funded", f"{SUMMARY}, periods", zh, en)
        for number, period in enumerate(claims.periods):
            if period.released_micro > period.held_micro:
                zh, en = "释放超过分红池所有", "more is released than the dividend pot held"
                self.findings.add("funded", f"{SUMMARY}, periods[{number}]", zh, en)

    def _check_commitments(self) -> None:
        """The summary has the commitment of each day of the orders, and it is that of the day's secret."""
        said = [(day.day, day.commitment) for day in self.claims.days]
        true = [(draws.day_text(day), draws.commitment(draws.day_secret(self.secret, day))) for day in sorted(self.days)]
        self.findings.check("commitments", len(true))
        for expected, found in zip_longest(true, said):
            if expected != found:
                zh, en = f"承诺应为 {expected},写的是 {found}", f"the commitment should be {expected}, it says {found}"
                self.findings.add("commitments", f"{SUMMARY}, days", zh, en)


class Replay:
    """The queues, replayed: lots that wait, what they get, and a sample of orders to draw again."""

    def __init__(self, packets: Packets, examination: Examination) -> None:
        rules = packet_rules_of(packets, examination.fixed)
        self.rules = rules
        self.reader = examination.reader
        self.findings = examination.findings
        self.secret = examination.secret
        self.register = examination.register
        self.lots = Lots(examination.directory / LOTS, packets, self.register, self.findings)
        step = mul_div(max(examination.claims.orders, 0) + SAMPLE - 1, 1, SAMPLE)
        sample = np.arange(SAMPLE, dtype=np.int64) * max(min(step, AMOUNT_FEN_MAX), 1)
        self.queues = Queues(
            self.reader.queue_rows,
            np.zeros((0, LOT_COLUMNS), np.int64),
            np.array([NONE, 0]),
            np.zeros(packets.per_order, np.int64),
        )
        self.kept = Kept(
            np.zeros((0, LOT_COLUMNS - 1), np.int64),
            sample,
            np.zeros((SAMPLE + 1, DRAWN_ROOMS + packets.per_order), np.int64),
            np.zeros(5, np.int64),
        )

    def look_at(self, page: Page, where: Callable[[int], str]) -> None:
        """Replay the orders of a page."""
        groups, free, tally = page.groups, self.queues.free, self.kept.tally
        lots = longer(self.queues.lots, int(free[1]) + len(groups.start))
        self.queues = self.queues._replace(rows=self.reader.queue_rows, lots=lots)
        # A lot closes once, so no more close than were open or join.
        self.kept = self.kept._replace(closed=longer(self.kept.closed, len(lots)))
        tally[CLOSED_LOTS] = tally[DRAWN] = 0
        orders, packets = int(tally[ORDERS_SEEN]), int(tally[PACKETS_SEEN])
        replay(page, self.rules, self.queues, self.kept)
        self.findings.check("pots", int(tally[ORDERS_SEEN]) - orders)
        for promise in ("oldest_first", "packets_at_most", "never_above_paid"):
            self.findings.check(promise, int(tally[PACKETS_SEEN]) - packets)
        self.lots.closed(self.kept.closed[: int(tally[CLOSED_LOTS])])
        for row in self.kept.drawn[: int(tally[DRAWN])].tolist():
            self._draw(page, row, where)

    def _draw(self, page: Page, row: list[int], where: Callable[[int], str]) -> None:
        """Draw the packets of one order of the sample again."""
        group, due, issue = row[:DRAWN_ROOMS]
        lines, groups, facts, _ = page
        at = slice(int(groups.start[group]), int(groups.stop[group]))
        found = [
            amount for amount, code in zip(lines.amount[at].tolist(), lines.code[at].tolist(), strict=True) if code == PACKET
        ]
        order_id = where(group).partition("order ")[2]
        key = draws.order_key(draws.day_secret(self.secret, int(facts.day[groups.order[group]])), order_id)
        room = row[DRAWN_ROOMS : DRAWN_ROOMS + due]
        drawn = [fen * MICRO_PER_FEN for fen in draws.packets(key, issue, room) if fen]
        self.findings.check("draws", 1)
        if drawn != found:
            zh, en = "红包与当日秘钥重抽的结果不同", "the packets are not those that the day's secret draws"
            self.findings.add("draws", where(group), zh, en)

    def finish(self) -> None:
        """The open lots are those of the file, and each pot is what its account holds."""
        self.lots.finish(self.queues)
        balance = self.register.book().balance
        rows = self.reader.queue_rows[: self.reader.queues]
        for queue in np.flatnonzero(balance[rows[:, POT_ACCOUNT]] != rows[:, POT_MICRO]).tolist():
            path, pot = self.register.path(rows[queue, POT_ACCOUNT]), int(rows[queue, POT_MICRO])
            self.findings.add("pots", path, f"余额与逐单推算的 {pot} 不符", f"the balance is not {pot}, which the orders come to")


def _filled(window: Window, windows: Iterator[Window], size: int) -> Window:
    """The window with at least so many orders, as far as there are."""
    while len(window.order_id) < size:
        more = next(windows, None)
        if more is None:
            break
        window = window.plus(more)
    return window


def check_once(path: Path, findings: Findings) -> None:
    """No order has lines in two places. Ids are compared by hash first, and by themselves where hashes agree."""
    count = 0

    def hashes() -> Iterator[Ints]:
        nonlocal count
        for order_id in _order_ids(path):
            count += len(order_id)
            yield hashes_of(order_id)

    twice = repeated(hashes())
    findings.check("once", count)
    if len(twice):
        seen: Counter[str] = Counter()
        for order_id in _order_ids(path):
            chosen = np.isin(hashes_of(order_id), twice)
            seen.update(order_id.filter(pa.array(chosen)).to_pylist())
        for order_id, times in seen.items():
            if times > 1:
                zh, en = f"订单在 {times} 处有转账", f"the order has lines in {times} places"
                findings.add("once", f"{TRANSFERS}, order {order_id}", zh, en)


def _order_ids(path: Path) -> Iterator[pa.StringArray]:
    """The ids of the orders of each row group, once for each run of lines."""
    with open_parquet(path, TYPES) as file:
        for number in range(file.num_row_groups):
            table = read_groups(file, [number], path, ["order_id"])
            if len(table):
                _, order_id = runs_of(table["order_id"].chunk(0))
                yield order_id.drop_null()
