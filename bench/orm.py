"""Weituanbao as one would first write it with SQLAlchemy's ORM, to measure against.

One session, three classes, an attribute for every figure. Nothing is wrong with it: it writes the same transfers to the micro. It
is also no straw man: it keeps its accounts, asks for one window of lots an order, and lets the unit of work write in bulk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Protocol

from sqlalchemy import BigInteger, ForeignKey, Index, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

MICRO_PER_FEN: Final = 10_000
PER_ORDER: Final = 20
TIERS_FEN: Final = (10_000, 20_000, 50_000)
BONUS_MICRO: Final = 50_000_000


class PaidOrder(Protocol):
    """What an order says."""

    order_id: str
    paid_fen: int
    concession_bp: int
    merchant: str
    consumer: str
    referrer: str | None
    recruiter: str | None
    agent_city: str | None
    agent_district: str | None


Cut = Callable[[PaidOrder, int, int], list[int]]
"""``cut(order, issue_fen, parts)``: the packets of an order, drawn as its key says."""


class Base(DeclarativeBase):
    """The tables."""


class Account(Base):
    """An account and what it holds."""

    __tablename__ = "accounts"
    path: Mapped[str] = mapped_column(primary_key=True)
    balance_micro: Mapped[int] = mapped_column(BigInteger, default=0)
    bonus_paid: Mapped[bool] = mapped_column(default=False)


class Lot(Base):
    """An order waiting for packets."""

    __tablename__ = "lots"
    id: Mapped[int] = mapped_column(primary_key=True)
    pot: Mapped[str] = mapped_column(ForeignKey(Account.path))
    consumer: Mapped[str]
    room_fen: Mapped[int] = mapped_column(BigInteger)
    left: Mapped[int]
    is_open: Mapped[bool] = mapped_column(default=True)
    __table_args__ = (Index("open_lots", "pot", "is_open", "id"),)


class Transfer(Base):
    """One movement."""

    __tablename__ = "transfers"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[str]
    source: Mapped[str] = mapped_column(ForeignKey(Account.path))
    destination: Mapped[str] = mapped_column(ForeignKey(Account.path))
    amount_micro: Mapped[int] = mapped_column(BigInteger)
    code: Mapped[str]


class Settlement:
    """Settles orders in a database."""

    def __init__(self, session: Session, cut: Cut) -> None:
        self.session = session
        self.cut = cut
        self._accounts: dict[str, Account] = {}
        """Kept, because the session itself forgets an object that nobody holds, and would flush before it reads it again."""

    def account(self, path: str) -> Account:
        """The account with this path, opened now if it is new."""
        if path not in self._accounts:
            found = self.session.get(Account, path) or Account(path=path, balance_micro=0, bonus_paid=False)
            self.session.add(found)
            self._accounts[path] = found
        return self._accounts[path]

    def move(self, order: PaidOrder, source: Account, destination: Account, amount_micro: int, code: str) -> None:
        """Write a transfer and both balances."""
        if amount_micro == 0:
            return
        source.balance_micro -= amount_micro
        destination.balance_micro += amount_micro
        written = Transfer(
            order_id=order.order_id, source=source.path, destination=destination.path, amount_micro=amount_micro, code=code
        )
        self.session.add(written)

    def settle(self, order: PaidOrder) -> None:
        """Pay the shares, the bonus and the packets of one order, and let it join its queue."""
        tier = 1 + sum(bound < order.paid_fen for bound in TIERS_FEN)
        pot = self.account(f"programme:packets:{order.merchant}:{tier}")
        self._pay_shares(order, pot)
        self._pay_bonus(order)
        self._hand_out(order, pot)
        self.session.add(Lot(pot=pot.path, consumer=order.consumer, room_fen=order.paid_fen, left=PER_ORDER, is_open=True))

    def _pay_shares(self, order: PaidOrder, pot: Account) -> None:
        paid, bp = order.paid_fen, order.concession_bp
        concession = self.account(f"merchant:{order.merchant}:concession")
        left = paid * bp
        slide = 30 * 2400 + (bp - 600) * 70
        shares = (
            (pot, paid * bp // 2, "pot"),
            (self._wallet(order.referrer, "consumer"), paid * 100, "referrer"),
            (self._wallet(order.recruiter, "agent"), paid * slide // 2400, "recruiter"),
            (self._wallet(order.agent_city, "agent"), paid * 30, "agent.city"),
            (self._wallet(order.agent_district, "agent"), paid * 30, "agent.district"),
        )
        for destination, amount_micro, code in shares:
            if destination is not None:
                self.move(order, concession, destination, amount_micro, code)
                left -= amount_micro
        self.move(order, concession, self.account("platform:surplus"), left, "platform")

    def _wallet(self, name: str | None, kind: str) -> Account | None:
        return None if name is None else self.account(f"{kind}:{name}:wallet")

    def _pay_bonus(self, order: PaidOrder) -> None:
        merchant = self.account(f"merchant:{order.merchant}:concession")
        recruiter = self._wallet(order.recruiter, "agent")
        if recruiter is not None and not merchant.bonus_paid:
            merchant.bonus_paid = True
            self.move(order, self.account("platform:surplus"), recruiter, BONUS_MICRO, "bonus")

    def _hand_out(self, order: PaidOrder, pot: Account) -> None:
        oldest = select(Lot).where(Lot.pot == pot.path, Lot.is_open).order_by(Lot.id).limit(PER_ORDER)
        window = list(self.session.scalars(oldest))
        issue_fen = pot.balance_micro * len(window) // PER_ORDER // MICRO_PER_FEN
        if issue_fen == 0:
            return
        window = window[:issue_fen]
        parts = self.cut(order, issue_fen, len(window))
        gets = [min(part, lot.room_fen) for part, lot in zip(parts, window, strict=True)]
        over = issue_fen - sum(gets)
        for place, lot in enumerate(window):
            more = min(over, lot.room_fen - gets[place])
            gets[place] += more
            over -= more
        for lot, fen in zip(window, gets, strict=True):
            self.move(order, pot, self.account(f"consumer:{lot.consumer}:wallet"), fen * MICRO_PER_FEN, "packet")
            lot.room_fen -= fen
            lot.left -= 1
            lot.is_open = lot.left > 0 and lot.room_fen > 0


def open_session(url: str) -> Session:
    """A session on a new database."""
    engine = create_engine(url)
    Base.metadata.create_all(engine)
    return Session(engine)


def settle_all(session: Session, orders: Iterable[PaidOrder], cut: Cut) -> None:
    """Settle the orders in one transaction, the kindest to the database."""
    settlement = Settlement(session, cut)
    for order in orders:
        settlement.settle(order)
    session.commit()
