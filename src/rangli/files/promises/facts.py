"""What the orders and the plan say, as the auditor's numbers: who takes each share, at which rate, in which queue.

Read from the plan's document and from docs/rules.md; the engine's compiled terms are not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rangli.errors import NameRefused
from rangli.files.orders import OrderRows
from rangli.files.promises import lines as kinds
from rangli.files.promises.lines import Codes, Facts, Fixed, Ints, Numbers, Rates
from rangli.files.promises.queues import NONE, POT_ACCOUNT, QUEUE_COLUMNS, PacketRules
from rangli.files.promises.register import (
    DIVIDEND,
    POINTS_ISSUER,
    POOL,
    RESERVE,
    SURPLUS,
    VOUCHER_ISSUER,
    Register,
    hashes_of,
    longer,
)
from rangli.ledger.accounts import KIND_NAMES, encode_name
from rangli.ledger.transfers import CODE_NAMES
from rangli.money import BP_PER_ONE, MICRO_PER_FEN
from rangli.plan.parts import Envelope, Packets, Plan, Points, Rate, Share, Slide

_AGENTS: Final = ("agent.district", "agent.city", "agent.province", "agent.region")
"""Lowest rank first."""
_FUND: Final = "fund."
_KIND: Final = {"consumer": "consumer", "merchant": "merchant", "referrer": "consumer", "referrer2": "consumer"}
"""Whom a bare name means; all others are agents."""
_CODED_LETTERS: Final = r"[:%\x{00}-\x{1f}\x{7f}-\x{9f}]"
NO_ONE: Final = -1


# ---------------------------------------------------------------- the plan


def shares_of(plan: Plan) -> list[Share]:
    """The shares that write a line: all, in order, but the platform's own."""
    flat: list[Share] = []
    for part in plan.shares:
        flat += part.shares if isinstance(part, Envelope) else (part,)
    return [share for share in flat if share.to != "platform"]


def rate_bp(rate: Rate | Slide, concession_bp: int) -> Fraction:
    """The exact rate of the amount at this concession, in bp, which is micro per fen."""
    if isinstance(rate, Rate):
        return Fraction(rate.bp) if rate.base == "amount" else Fraction(rate.bp * concession_bp, BP_PER_ONE)
    (c0, r0), (c1, r1) = rate.low, rate.high
    clamped = min(max(concession_bp, c0), c1)
    return Fraction(r0 * (c1 - c0) + (clamped - c0) * (r1 - r0), c1 - c0)


def rates_of(plan: Plan, parts: Sequence[Share | Points]) -> Rates:
    """The table of rates at every concession of the plan."""
    span = range(plan.concession.bp_min, plan.concession.bp_max + 1)
    table = [[rate_bp(part.rate, c) for part in parts] for c in span]
    shape = (len(span), len(parts))
    shares = [part for part in parts if isinstance(part, Share)]
    return Rates(
        num=np.array([[rate.numerator for rate in row] for row in table], np.int64).reshape(shape),
        den=np.array([[rate.denominator for rate in row] for row in table], np.int64).reshape(shape),
        code=np.array([_code_of(part.to) for part in parts], np.int8),
        code_instead=np.array([_code_of(share.otherwise) for share in shares], np.int8),
        as_vouchers=np.array([share.pays == "vouchers" for share in shares], np.bool_),
        below=np.array([_below(shares, k) for k in range(len(shares))], np.int64),
    )


def _code_of(party: str) -> int:
    """The code under which a party takes a share."""
    name = "pot" if party == "packets" else "fund" if party.startswith(_FUND) else party
    return CODE_NAMES.index(name)


def _below(shares: Sequence[Share], k: int) -> int:
    """The shares, as bits, of the agents that rank lower than that of a differential share."""
    if not shares[k].differential:
        return 0
    lower = _AGENTS[: _AGENTS.index(shares[k].to)]
    return sum(1 << j for j in range(k) if shares[j].to in lower)


def _kinds_of_codes(plan: Plan) -> tuple[Codes, Codes]:
    """What lines of each code are for, in an order and in a closing."""
    vouchers = any(share.pays == "vouchers" for share in shares_of(plan))
    in_order: dict[str, np.int64] = {"platform": kinds.SHARE}
    for share in shares_of(plan):
        in_order |= {CODE_NAMES[_code_of(party)]: kinds.SHARE for party in (share.to, share.otherwise)}
    if vouchers:
        in_order |= {"backing": kinds.SHARE, "voucher": kinds.SHARE}
    if plan.offset:
        in_order |= {"voucher_spent": kinds.USE, "voucher_paid": kinds.USE}
    if plan.bonus:
        in_order["bonus"] = kinds.EXTRA
    if plan.packets:
        in_order["packet"] = kinds.PACKETS
    if plan.points or plan.pool:
        in_order["mint"] = kinds.POINTS
    if plan.pool and plan.pool.exit:
        in_order |= {"burn": kinds.POINTS, "exit": kinds.POINTS}
    in_closing: dict[str, np.int64] = {}
    if plan.release:
        in_closing = dict.fromkeys(("release", "burn", "zeroed"), kinds.CLOSING)
        if plan.release.pays == "vouchers":
            in_closing["voucher"] = kinds.CLOSING
    return _table(in_order), _table(in_closing)


def _table(kind_of: dict[str, np.int64]) -> Codes:
    """Kinds by code."""
    return np.array([kind_of.get(name, kinds.STRANGE) for name in CODE_NAMES], np.int8)


def fixed_of(plan: Plan, register: Register) -> Fixed:
    """The plan's other numbers."""
    in_order, in_closing = _kinds_of_codes(plan)
    return Fixed(
        concession_bp_min=np.int64(plan.concession.bp_min),
        surplus=np.int64(register.number(SURPLUS)),
        reserve=np.int64(register.number(RESERVE)),
        points_issuer=np.int64(register.number(POINTS_ISSUER)),
        voucher_issuer=np.int64(register.number(VOUCHER_ISSUER)),
        kind_of_code=in_order,
        kind_in_closing=in_closing,
        bonus_micro=np.array([bonus.amount_fen * MICRO_PER_FEN for bonus in plan.bonus], np.int64),
    )


def packet_rules_of(packets: Packets, fixed: Fixed) -> PacketRules:
    """The rules of the queues."""
    return PacketRules(
        per_order=np.int64(packets.per_order),
        exit_packets=np.int64(-1 if packets.exit.packets is None else packets.exit.packets),
        received_bp=np.int64(packets.exit.received_bp),
        skip_own=np.bool_(packets.own_orders == "skip"),
        kind_of_code=fixed.kind_of_code,
    )


# ---------------------------------------------------------------- the orders

Columns = tuple[NDArray[Any], ...]


class Window(NamedTuple):
    """Orders that should settle and have not yet met their lines."""

    order_id: pa.StringArray
    facts: Facts

    def plus(self, more: Window) -> Window:
        """These and then those."""
        if not len(self.order_id):
            return more
        ours: Columns = self.facts
        theirs: Columns = more.facts
        ids = pa.concat_arrays([self.order_id, more.order_id])
        return Window(ids, Facts._make(np.concatenate(both) for both in zip(ours, theirs, strict=True)))

    def after(self, count: int) -> Window:
        """All but the first ``count``."""
        return Window(self.order_id.slice(count), Facts._make(column[count:] for column in self.facts))


class Reader:
    """Turns rows of orders into facts; knows the queues that merchants have."""

    def __init__(self, plan: Plan, register: Register) -> None:
        self.plan = plan
        self.register = register
        self.shares = shares_of(plan)
        self.queue_rows = np.zeros((0, QUEUE_COLUMNS), np.int64)
        self.queues = 0
        self._first_queue: dict[str, int] = {}

    def window(self, rows: OrderRows, settled: Ints) -> Window:
        """The facts of these rows of a batch."""
        names = {field: coded.take(pa.array(settled)) for field, coded in rows.names.items()}
        order_id = rows.order_id.take(pa.array(settled))
        count = len(settled)
        people = _People(names, self.register, count)
        queue = self._queues_of(names["merchant"], rows.paid_fen[settled])
        uses_vouchers = self.plan.offset is not None
        facts = Facts(
            paid_fen=rows.paid_fen[settled],
            concession_bp=rows.concession_bp[settled],
            voucher_fen=rows.voucher_fen[settled],
            day=rows.day[settled],
            id_hash=hashes_of(order_id),
            wallet=people.account("consumer", "wallet"),
            vouchers=people.account("consumer", "vouchers") if uses_vouchers else people.nobody(),
            concession=people.account("merchant", "concession"),
            income=people.account("merchant", "income") if uses_vouchers else people.nobody(),
            queue=queue,
            taker=people.columns([self._taker(people, share, queue) for share in self.shares]),
            stand_in=people.columns([self._stand_in(people, share.otherwise, queue) for share in self.shares]),
            earner=people.columns([people.account(party, "points") for party in self._earners()]),
            bonus_to=people.columns([people.account(bonus.to, "wallet") for bonus in self.plan.bonus]),
            bonus_once=people.columns([people.account(bonus.once_per, "wallet") for bonus in self.plan.bonus]),
        )
        return Window(order_id, facts)

    def nothing(self) -> Window:
        """A window without orders."""
        none, nobody = np.zeros(0, np.int64), np.zeros(0, np.int32)
        one_each = dict.fromkeys(("wallet", "vouchers", "concession", "income", "queue"), nobody)
        shares, bonuses = np.zeros((0, len(self.shares)), np.int32), np.zeros((0, len(self.plan.bonus)), np.int32)
        earner = np.zeros((0, len(self._earners())), np.int32)
        return Window(
            pa.array([], pa.string()),
            Facts(
                none,
                none,
                none,
                none,
                none,
                **one_each,
                taker=shares,
                stand_in=shares,
                earner=earner,
                bonus_to=bonuses,
                bonus_once=bonuses,
            ),
        )

    def _earners(self) -> list[str]:
        """Who gets points of an order."""
        return [point.to for point in self.plan.points] or (["consumer"] if self.plan.pool else [])

    def _taker(self, people: _People, share: Share, queue: Numbers) -> Numbers:
        """The account of a share's party."""
        if share.to in ("packets", "pool", "dividend") or share.to.startswith(_FUND):
            return self._stand_in(people, share.to, queue)
        if share.pays == "vouchers":
            return people.account(share.to, "vouchers")
        return people.account(share.to, "income" if share.to == "merchant" else "wallet")

    def _stand_in(self, people: _People, party: str, queue: Numbers) -> Numbers:
        """The account of a party that is there for every order; nobody's for the platform, which has what is left."""
        if party == "platform":
            return people.nobody()
        if party == "merchant":
            return people.account("merchant", "income")
        if party == "packets":
            pots: Numbers = self.queue_rows[queue, POT_ACCOUNT].astype(np.int32)
            return pots
        path = POOL if party == "pool" else DIVIDEND if party == "dividend" else ""
        if party.startswith(_FUND):
            path = f"programme:fund:{encode_name(party.removeprefix(_FUND))}"
        return people.everybody(self.register.number(path))

    def _queues_of(self, merchants: pa.DictionaryArray, paid_fen: Ints) -> Numbers:
        """The queue of each order: by its merchant, and by the first tier whose upper bound is not below what was paid."""
        if self.plan.packets is None:
            return np.full(len(paid_fen), NO_ONE, np.int32)
        own, bounds = self.plan.packets.merchant_tiers_fen, self.plan.packets.tiers_fen
        names = merchants.dictionary.to_pylist()
        first = np.array([self._seat(name, len(own.get(name, bounds)) + 1) for name in names], np.int64)
        codes = merchants.indices.to_numpy()
        tier = np.searchsorted(np.array(bounds, np.int64), paid_fen, side="left")
        for place, name in enumerate(names):
            if name in own:
                mine = codes == place
                tier[mine] = np.searchsorted(np.array(own[name], np.int64), paid_fen[mine], side="left")
        queues: Numbers = (first[codes] + tier).astype(np.int32)
        return queues

    def _seat(self, merchant: str, tiers: int) -> int:
        """The merchant's first queue; a new merchant gets a queue for each tier."""
        known = self._first_queue.get(merchant)
        if known is not None:
            return known
        first = self._first_queue[merchant] = self.queues
        self.queues += tiers
        self.queue_rows = longer(self.queue_rows, self.queues)
        for tier in range(tiers):
            pot = self.register.number(f"programme:packets:{encode_name(merchant)}:{tier + 1}")
            self.queue_rows[first + tier] = (NONE, NONE, 0, pot)
        return first


class _People:
    """The parties of some orders as account numbers."""

    def __init__(self, names: dict[str, pa.DictionaryArray], register: Register, count: int) -> None:
        self.names = names
        self.register = register
        self.count = count
        self._prefixes: dict[str, pa.StringArray] = {}
        self._accounts: dict[tuple[str, str], Numbers] = {}

    def account(self, party: str, pocket: str) -> Numbers:
        """Per order, the account of this party, NO_ONE where it is not there."""
        if (party, pocket) not in self._accounts:
            self._accounts[party, pocket] = self._looked_up(party.replace(".", "_"), pocket)
        return self._accounts[party, pocket]

    def _looked_up(self, field: str, pocket: str) -> Numbers:
        """The same, of the register."""
        if field not in self._prefixes:
            self._prefixes[field] = prefixes(field, self.names[field].dictionary)
        paths = pc.binary_join_element_wise(self._prefixes[field], pocket, ":")
        numbers = np.append(self.register.numbers(paths), np.int32(NO_ONE))
        codes = self.names[field].indices
        account: Numbers = numbers[(codes.fill_null(-1) if codes.null_count else codes).to_numpy()]
        return account

    def nobody(self) -> Numbers:
        """No account."""
        return self.everybody(NO_ONE)

    def everybody(self, account: int) -> Numbers:
        """The same account for all orders."""
        return np.full(self.count, account, np.int32)

    def columns(self, accounts: list[Numbers]) -> Numbers:
        """Columns beside each other, one row an order."""
        return np.stack(accounts, axis=1) if accounts else np.empty((self.count, 0), np.int32)


def prefixes(field: str, names: pa.StringArray) -> pa.StringArray:
    """The paths of these holders without their pockets."""
    kind = _KIND.get(field, "agent")
    plain = pc.binary_join_element_wise(pa.scalar(kind), names, ":")
    special = pc.match_substring_regex(names, _CODED_LETTERS)
    if not pc.any(special).as_py():
        return plain
    return pc.replace_with_mask(
        plain, special, pa.array([_prefix(field, kind, name) for name in names.filter(special).to_pylist()], pa.string())
    )


def _prefix(field: str, kind: str, name: str) -> str:
    """The same for one name, which may say its kind itself unless it is the order's own; "" for a name that no path holds."""
    said, colon, bare = name.partition(":")
    if field not in ("consumer", "merchant") and colon and said in KIND_NAMES:
        kind, name = said, bare
    try:
        return f"{kind}:{encode_name(name)}"
    except NameRefused:
        return ""
