"""Questions about a programme: orders, accounts, draws, decisions. Everything answered here is committed."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterator
from typing import NamedTuple, cast

from rangli.engine.draw import commitment
from rangli.errors import AccountNotFound, FieldRefused, NotSettling, OrderNotFound
from rangli.files.orders import NAMES
from rangli.ledger import Books, code_words, unit_of_account
from rangli.ledger.accounts import INSTITUTIONS, POCKET_BITS, POCKETS, Accounts
from rangli.ledger.transfers import CODE_NAMES, PACKET, UNIT_NAMES, UNIT_OF_CODE
from rangli.money import print_micro, print_yuan
from rangli.plan import explain
from rangli.plan.terms import PARTY_NAMES
from rangli.service.clock import Clock, rfc3339
from rangli.service.requests import OrderRequest
from rangli.service.settling.facts import asked_facts, day_text, order_facts
from rangli.service.settling.recovery import NAMESPACE, Recovered
from rangli.service.settling.replay import settled_of
from rangli.service.settling.settler import Settler
from rangli.service.views import (
    BalanceView,
    DecisionView,
    DrawView,
    EntryView,
    OrderView,
    StatementView,
    TransferView,
    TrialBalanceView,
)
from rangli.store import journal, programmes, rows
from rangli.store.browse import Leg
from rangli.store.database import Connection, Database
from rangli.store.journal import Row
from rangli.store.keys import hash_of

import msgspec  # isort: skip

PAGE_MAX = 1_000
MICRO_PER_DAY = 86_400_000_000
BEIJING_MICRO = 8 * 3_600_000_000
LINE_MAX = 1 << 30
"""After every line of a decision."""
TAG_LETTERS = 32
"""Of the tag in a cursor."""
NO_CURSOR = ("cursor", "不是这份对账单给出的游标;请从第一页开始", "is no cursor of this statement; begin with the first page")


class Place(NamedTuple):
    """Where a page of a statement begins: before a line of a decision, and what the account held there."""

    position: int
    held_micro: int
    line: int = LINE_MAX


class Reading:
    """The questions, for one programme that this process settles."""

    def __init__(self, database: Database, settler: Settler, clock: Clock) -> None:
        self._database = database
        self._settler = settler
        self._clock = clock
        self._number = settler.programme.number

    # ------------------------------------------------------------ accounts

    def balance(self, path: str, at: int | None) -> BalanceView:
        """What an account held after the decision ``at``; now by default."""
        account, accounts = self._account(path)
        seen = self._settler.published
        with seen.lock:
            now, position = seen.books.balance_micro(account), seen.position
        micro = now
        if at is not None:
            if not 0 <= at <= position:
                raise FieldRefused("at", f"应在 0 至 {position} 之间", f"it must be between 0 and {position}")
            micro = self._balance_at(account, at, now, position)
            position = at
        return BalanceView(accounts.path(account), UNIT_NAMES[unit_of_account(account)], print_micro(micro), position)

    def _balance_at(self, account: int, at: int, now: int, position: int) -> int:
        """From whichever known balance is nearer: the one now, or that of the last checkpoint before."""
        with self._database.reading() as connection:
            before = programmes.books_before(connection, self._number, at)
            start = 0 if before is None else before[0]
            if position - at <= at - start:
                return now - journal.moved(connection, self._number, account, at, position)
            known = 0 if before is None else Books.thaw(before[1]).balance_micro(account)
            return known + journal.moved(connection, self._number, account, start, at)

    def statement(self, path: str, before: str, limit: int) -> StatementView:
        """A page of entries, newest first, from the cursor ``before`` on."""
        account, accounts = self._account(path)
        seen = self._settler.published
        with seen.lock:
            balance, position = seen.books.balance_micro(account), seen.position
            start = int(seen.last[account]) if account < len(seen.last) else 0
        place, tag = _place(before) if before else (Place(start, balance), "")
        entries, following = self._page(account, accounts, place, limit, tag)
        unit = UNIT_NAMES[unit_of_account(account)]
        return StatementView(accounts.path(account), unit, print_micro(balance), position, entries, following)

    def _page(
        self, account: int, accounts: Accounts, place: Place, limit: int, tag: str = ""
    ) -> tuple[list[EntryView], str]:  # fmt: skip
        """A page of an account's entries from a place on, and the cursor of the next.

        tag : of a place that came from outside; raises FieldRefused if it is not what was given out with this place
        """
        entries: list[EntryView] = []
        running, limit = place.held_micro, max(1, min(limit, PAGE_MAX))
        with self._database.reading() as connection:
            walked = journal.walk(connection, self._number, account, place.position, limit + 1) if place.position else []
        if tag and not (walked and hmac.compare_digest(tag, self._tag(account, place, walked[0][0].hash))):
            raise FieldRefused(*NO_CURSOR)
        for row, _ in walked:
            line = place.line if row.position == place.position else LINE_MAX
            for entry, delta in self._entries(row, account, accounts, line, running):
                if len(entries) == limit:
                    there = Place(entry.position, running, entry.line + 1)
                    return entries, _cursor(there, self._tag(account, there, row.hash))
                entries.append(entry)
                running -= delta
        return entries, ""

    def _tag(self, account: int, place: Place, head: bytes) -> str:
        """What nobody else can write beside a place: the balance there is not taken on trust.

        It hangs on the decision's hash, so a cursor does not outlive the journal that it was given for.
        """
        secret = self._recovered().standing.programme.secret
        text = f"statement {account} {place.position} {place.line} {place.held_micro} ".encode() + bytes(head)
        return hmac.digest(secret, text, "sha256").hex()[:TAG_LETTERS]

    def _entries(self, row: Row, account: int, accounts: Accounts, line: int, running: int) -> Iterator[tuple[EntryView, int]]:
        """The entries of one decision, last first, those before ``line``; each with what it changed."""
        for k in range(len(row.code) - 1, -1, -1):
            if k + 1 >= line:
                continue
            if account not in (row.source[k], row.destination[k]):
                continue
            transfer = row.source[k], row.destination[k], row.amount[k], row.code[k]
            leg = Leg(row.position, k + 1, row.kind, row.at, row.key, *transfer)
            yield entry_view(leg, account, accounts, running), leg.gained(account)
            running -= leg.gained(account)

    def trial_balance(self) -> TrialBalanceView:
        """The sum of all balances by unit, and what the institutions hold."""
        recovered = self._recovered()
        seen = self._settler.published
        with seen.lock:
            totals, position, count = seen.books.trial_balance(), seen.position, len(seen.books.touched())
            held = {account: seen.books.balance_micro(account) for account in range(0, len(INSTITUTIONS) * POCKETS, POCKETS)}
        accounts = recovered.standing.programme.accounts
        institutions = [
            BalanceView(accounts.path(account), UNIT_NAMES[unit_of_account(account)], print_micro(micro), position)
            for account, micro in held.items()
        ]
        return TrialBalanceView(position, {unit: print_micro(total) for unit, total in totals.items()}, count, institutions)

    # ------------------------------------------------------------ decisions

    def decisions(self, after: int, limit: int) -> list[DecisionView]:
        """The journal after a position, in order."""
        recovered = self._recovered()
        upto = self._settler.published.position
        with self._database.reading() as connection:
            found = journal.after(connection, self._number, after, upto, max(1, min(limit, PAGE_MAX)))
            return [self._decision(recovered, connection, row) for row in found]

    def _decision(self, recovered: Recovered, connection: Connection, row: Row) -> DecisionView:
        standing = recovered.standing
        facts: dict[str, str | int] = {}
        if row.key:
            facts |= asked_facts(standing, connection, self._number, row)
        if row.kind == rows.RELEASE:
            facts |= dict(zip(rows.FACTS[rows.RELEASE], row.facts, strict=True))
        return DecisionView(
            row.position, rows.KIND_NAMES[row.kind], row.key, rfc3339(row.at), row.plan, facts,
            transfer_views(row, standing.programme.accounts), bytes(row.hash).hex(),
        )  # fmt: skip

    def order(self, order_id: str) -> OrderView:
        """An order, what was done with it, and why. Raises OrderNotFound."""
        recovered = self._recovered()
        with self._database.reading() as connection:
            row = self._find(recovered, connection, rows.ORDER, order_id)
            if row is None:
                return self._held_order(connection, order_id)
            standing = recovered.standing
            number, paid_fen, concession_bp = row.facts[:3]
            refunded, _, positions = journal.refunded(connection, self._number, number) or (0, -1, [])
            found = journal.read(connection, self._number, positions) if positions else {}
            refunds = [self._decision(recovered, connection, found[position]) for position in positions]
        present = [PARTY_NAMES[k] for k in range(2, len(row.party)) if row.party[k] >= 0]
        told = explain(standing.plans[row.plan], paid_fen, concession_bp, present)
        status = "settled" if not refunded else "refunded" if refunded == paid_fen else "partly_refunded"
        return OrderView(
            order_id, status, order_facts(standing, row), row.position, rfc3339(row.at), row.plan, print_yuan(refunded),
            self._lot(row), transfer_views(row, standing.programme.accounts), refunds, list(told.zh), list(told.en),
        )  # fmt: skip

    def _held_order(self, connection: Connection, order_id: str) -> OrderView:
        """An order that is held or was cancelled."""
        held = connection.execute(
            "SELECT plan, captured_at, due_at, request FROM held WHERE programme = %s AND order_id = %s", [self._number, order_id]
        ).fetchone()
        if held is None:
            raise OrderNotFound(f"没有订单 {order_id[:60]!r}", f"there is no order {order_id[:60]!r}")
        plan, captured_at, due_at, text = held
        facts: dict[str, str] = msgspec.structs.asdict(msgspec.json.decode(text, type=OrderRequest))
        when = "" if due_at is None else rfc3339(due_at)
        zh, en = (f"冻结中,{when} 结算", f"held; it settles at {when}") if when else ("已取消", "cancelled")
        status = "held" if when else "cancelled"
        return OrderView(order_id, status, facts, None, rfc3339(captured_at), plan, "0.00", None, [], [], [zh], [en])

    def _lot(self, row: Row) -> dict[str, str | int | bool] | None:
        """The order's lot of packets: in the table of closed ones, in the live state, or in the table meanwhile."""
        number = row.facts[0]

        def look(recovered: Recovered) -> tuple[int, ...] | None:
            order = settled_of(recovered.standing, row)
            return recovered.standing.programme.open_lot(number, order.queue) or recovered.closed.find(number)

        found = self._kept_lot(number) or self._settler.ask(look).result() or self._kept_lot(number)
        if found is None:
            return None
        *place, packets, received = cast("tuple[int, ...]", found)
        lot: dict[str, str | int | bool] = {"open": bool(place), "packets": packets, "received": print_yuan(received)}
        return lot | {"place": place[0]} if place else lot

    def _kept_lot(self, number: int) -> tuple[int, int] | None:
        """Packets and received fen of an order's lot, if a checkpoint has taken it along."""
        with self._database.reading() as connection:
            return journal.lots(connection, self._number, [number]).get(number)

    def draw(self, order_id: str) -> DrawView:
        """What anyone needs to draw the order's packets again."""
        recovered = self._recovered()
        with self._database.reading() as connection:
            row = self._find(recovered, connection, rows.ORDER, order_id)
        if row is None:
            raise OrderNotFound(f"没有订单 {order_id[:60]!r}", f"there is no order {order_id[:60]!r}")
        day = row.facts[4]
        secret = recovered.standing.programme.day_secret(day)
        is_over = self._clock() + BEIJING_MICRO >= (day + 1) * MICRO_PER_DAY
        packets = [print_micro(amount) for amount, code in zip(row.amount, row.code, strict=True) if code == PACKET]
        return DrawView(order_id, day_text(day), commitment(secret), secret.hex() if is_over else "", packets, row.position)

    def state_hash(self) -> str:
        """SHA-256 of the engine's state and register."""
        return str(self._settler.ask(lambda recovered: recovered.standing.programme.hash()).result())

    # ------------------------------------------------------------ finding

    def _recovered(self) -> Recovered:
        recovered = self._settler.recovered
        if recovered is None:
            name = self._settler.programme.name
            raise NotSettling(f"项目 {name} 此刻不由本进程结算", f"this process does not settle {name} now")
        return recovered

    def _account(self, path: str) -> tuple[int, Accounts]:
        """An account's number, and the register. Raises AccountNotFound."""
        accounts = self._recovered().standing.programme.accounts
        account = accounts.account(path)
        if account < 0 or account >> POCKET_BITS >= self._settler.published.holders:
            raise AccountNotFound(
                f"没有账户 {path[:80]!r};写法如 consumer:张三:wallet、merchant:老王面馆:income、platform:surplus",
                f"there is no account {path[:80]!r}; write it as consumer:Ann:wallet, merchant:Wang:income, platform:surplus",
            )
        return account, accounts

    def _find(self, recovered: Recovered, connection: Connection, kind: int, key: str) -> Row | None:
        """The committed decision that an id asked for."""
        candidates = recovered.keys.candidates(hash_of(kind, key))
        for row in journal.read(connection, self._number, candidates).values() if candidates else ():
            if row.key == key and NAMESPACE.get(row.kind, row.kind) == kind and row.position <= self._settler.published.position:
                return row
        return None


assert len(NAMES) == len(PARTY_NAMES[:9])


def entry_view(leg: Leg, account: int, accounts: Accounts, held_micro: int) -> EntryView:
    """A leg as the statement of an account has it, with what that held after it."""
    other = leg.source if leg.destination == account else leg.destination
    zh, en = code_words(leg.code)
    return EntryView(
        leg.position, leg.line, rfc3339(leg.at), rows.KIND_NAMES[leg.kind], leg.key, accounts.path(other),
        print_micro(leg.gained(account)), print_micro(held_micro), CODE_NAMES[leg.code], zh, en,
    )  # fmt: skip


def transfer_views(row: Row, accounts: Accounts) -> list[TransferView]:
    """A decision's transfers, for people."""
    return leg_views(row.source, row.destination, row.amount, row.code, accounts)


def leg_views(
    sources: list[int], destinations: list[int], amounts: list[int], codes: list[int], accounts: Accounts
) -> list[TransferView]:
    """Transfers as columns, the last of them their codes, for people."""
    out = []
    for line, (source, destination, amount, code) in enumerate(zip(sources, destinations, amounts, codes, strict=True), 1):
        zh, en = code_words(code)
        unit = UNIT_NAMES[UNIT_OF_CODE[code]]
        out.append(
            TransferView(
                line, accounts.path(source), accounts.path(destination), print_micro(amount), unit, CODE_NAMES[code], zh, en
            )
        )
    return out


def _cursor(place: Place, tag: str) -> str:
    """A place as text that is given out."""
    text = f"{place.position}.{place.line}.{place.held_micro}.{tag}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _place(text: str) -> tuple[Place, str]:
    """What ``_cursor`` was given. Raises FieldRefused."""
    try:
        position, line, held, tag = base64.urlsafe_b64decode(text + "=" * (-len(text) & 3)).decode("ascii").split(".")
        place = Place(int(position), int(held), int(line))
    except (ValueError, binascii.Error) as fault:
        raise FieldRefused(*NO_CURSOR) from fault
    if not (0 < place.position < 2**31 and 0 < place.line < 2**31 and abs(place.held_micro) < 2**62 and len(tag) == TAG_LETTERS):
        raise FieldRefused(*NO_CURSOR)
    return place, tag
