"""What a programme answers: plain structs, which the API encodes as they are. Money is text: yuan with six decimals."""

from __future__ import annotations

import msgspec


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What became of a request. Given only after it is durable, and the same for ever."""

    id: str
    kind: str
    """order, refund, sale, injection, closing or activation."""
    status: str
    """done; held: captured, and settled when its hold has passed; cancelled: refunded inside its hold."""
    position: int | None
    """Place of the decision in the journal, from 1; none while an order is held."""
    decided_at: str
    """RFC 3339, UTC, microseconds."""
    hash: str
    """SHA-256 of the journal up to and with this decision, in hex; empty while an order is held."""
    settles_at: str = ""
    """When a held order settles."""
    repeated: bool = False
    """Whether this request had been answered before."""


class ProgrammeView(msgspec.Struct, frozen=True):
    """One programme as it stands."""

    name: str
    plan: str
    """Name of the plan."""
    version: str
    plan_number: int
    """Which of the programme's plan versions is active, from 1."""
    hold_seconds: int
    created_at: str
    position: int
    """Decisions in the journal."""
    orders: int
    """Orders settled."""
    head: str
    """Hash of the last decision."""
    role: str
    """settling: this process writes it; standby: another one does."""
    channel: str
    """sandbox: no money moves; real: a payment channel moves it, and no plan that the law refuses runs."""


class PlanView(msgspec.Struct, frozen=True):
    """One version of a programme's plan."""

    number: int
    name: str
    version: str
    activated_at: str
    position: int
    """The decision that activated it."""
    document: str
    signed: list[dict[str, str]]
    """Who signed for it: name, reason, legal opinion."""


class TransferView(msgspec.Struct, frozen=True):
    """One transfer of a decision."""

    line: int
    source: str
    destination: str
    amount: str
    unit: str
    code: str
    zh: str
    en: str


class DecisionView(msgspec.Struct, frozen=True):
    """One row of the journal."""

    position: int
    kind: str
    id: str
    decided_at: str
    plan_number: int
    facts: dict[str, str | int]
    transfers: list[TransferView]
    hash: str


class OrderView(msgspec.Struct, frozen=True):
    """An order, what was done with it and why."""

    order_id: str
    status: str
    """settled, held, cancelled, refunded (wholly) or partly_refunded."""
    facts: dict[str, str]
    """What was asked, field by field, parties by name."""
    position: int | None
    decided_at: str
    plan_number: int
    refunded: str
    lot: dict[str, str | int | bool] | None
    """Its lot of packets: packets and amount received, whether it is open, and its place in the queue while it is."""
    transfers: list[TransferView]
    refunds: list[DecisionView]
    zh: list[str]
    """The order explained, clause by clause."""
    en: list[str]


class EntryView(msgspec.Struct, frozen=True):
    """One line of an account's statement."""

    position: int
    line: int
    decided_at: str
    kind: str
    id: str
    counterparty: str
    amount: str
    """Signed: positive when it came in."""
    balance: str
    """What the account held after it."""
    code: str
    zh: str
    en: str


class StatementView(msgspec.Struct, frozen=True):
    """A page of an account's statement, newest first."""

    account: str
    unit: str
    balance: str
    position: int
    """The journal's position at which ``balance`` holds."""
    entries: list[EntryView]
    next: str
    """Cursor of the page after this one (older entries); empty at the end."""


class BalanceView(msgspec.Struct, frozen=True):
    """What an account held after a decision."""

    account: str
    unit: str
    balance: str
    position: int


class TrialBalanceView(msgspec.Struct, frozen=True):
    """The sum of all balances by unit (all 0 when the books are right), and each institution's balance."""

    position: int
    totals: dict[str, str]
    accounts: int
    institutions: list[BalanceView]


class DrawView(msgspec.Struct, frozen=True):
    """What anyone needs to draw an order's packets again."""

    order_id: str
    day: str
    commitment: str
    """SHA-256 of the day's secret, known before the day began."""
    secret: str
    """The day's secret in hex; empty until the day is over in Beijing."""
    packets: list[str]
    """The packets in yuan, in the order of the window."""
    position: int


class Health(msgspec.Struct, frozen=True):
    """Whether this process can serve."""

    ready: bool
    database: str
    programmes: dict[str, str]
    """Role by programme: settling, standby, recovering or broken; warming: it settles, and an order may wait for a compiler."""
