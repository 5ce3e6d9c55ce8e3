"""What a day's decisions come to, summed by the server: where a day begins in a journal, and the sums of the next decisions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple, Self

from rangli.ledger.accounts import CONSUMER as CONSUMERS
from rangli.ledger.accounts import POCKET_BITS, POCKETS, SURPLUS
from rangli.ledger.transfers import CONSUMER, EXIT, PACKET, REFUND, RELEASE, SALE, TAKEBACK, VOUCHER_OUT
from rangli.store import rows
from rangli.store.database import Connection

_CASH: Final = [CONSUMER, PACKET, SALE, EXIT, RELEASE]
"""Codes of what is given back to a consumer in cash; a commission for bringing others is none of it."""
_CASH_BACK: Final = [*(REFUND + code for code in _CASH), TAKEBACK]
"""... and of what is reversed of it."""


class Asked(NamedTuple):
    """Which decisions of a programme are to be summed."""

    programme: int
    after: int
    most: int
    """Decisions at once."""


class Summed(NamedTuple):
    """What the decisions of one kind in one hour of the day came to."""

    programme: int
    hour: int | None
    """From 0; None: these were made on another day."""
    kind: int
    decisions: int
    fen: int
    """Paid by orders, or refunded by refunds."""
    concession_micro: int
    given_micro: int
    """To consumers, in cash, less what was reversed."""
    vouchers_micro: int
    """The same, in vouchers."""
    surplus_micro: int
    """To the platform, less what it paid."""
    last: int
    """Position of the last of them."""

    def plus(self, more: Self) -> Self:
        """Together with others of the same programme, hour and kind."""
        return self._replace(
            decisions=self.decisions + more.decisions,
            fen=self.fen + more.fen,
            concession_micro=self.concession_micro + more.concession_micro,
            given_micro=self.given_micro + more.given_micro,
            vouchers_micro=self.vouchers_micro + more.vouchers_micro,
            surplus_micro=self.surplus_micro + more.surplus_micro,
            last=more.last,
        )


def heads(connection: Connection, programmes: Iterable[int]) -> dict[int, int]:
    """The last position of each of these journals, 0 for an empty one."""
    cursor = connection.execute(
        "SELECT asked.number, coalesce((SELECT position FROM journal WHERE programme = asked.number"
        " ORDER BY position DESC LIMIT 1), 0) FROM unnest(%s::int4[]) AS asked (number)",
        [list(programmes)],
    )
    return dict(cursor.fetchall())


def last_before(connection: Connection, heads: dict[int, int], at: int) -> dict[int, int]:
    """By programme, the last decision before this instant, 0 for none: a search that halves what is left at every step.

    Decisions are made one after another, so their instants ascend, but for a clock that was set back.
    """
    cursor = connection.execute(
        """
        WITH RECURSIVE search (programme, low, high) AS (
            SELECT programme, 0::int8, head + 1 FROM unnest(%s::int4[], %s::int8[]) AS asked (programme, head)
            UNION ALL
            SELECT programme, CASE WHEN is_before THEN middle ELSE low END, CASE WHEN is_before THEN high ELSE middle END
            FROM (SELECT programme, low, high, (low + high) / 2 AS middle,
                         (SELECT j.at < %s FROM journal j
                          WHERE j.programme = search.programme AND j.position = (search.low + search.high) / 2) AS is_before
                  FROM search WHERE high - low > 1) AS step
        )
        SELECT programme, max(low) FROM search GROUP BY programme
        """,
        [list(heads.keys()), list(heads.values()), at],
    )
    return dict(cursor.fetchall())


def sums(connection: Connection, asked: Iterable[Asked], begin: int, end: int, legs_max: int) -> list[Summed]:
    """The next decisions of these programmes, summed by hour and kind; as many as have ``legs_max`` transfers, but one at least.

    begin, end : the day, from its first instant to before that of the next
    """
    numbers, afters, mosts = zip(*asked, strict=True)
    cursor = connection.execute(
        _SUMS,
        {
            "numbers": list(numbers), "afters": list(afters), "mosts": list(mosts), "begin": begin, "end": end, "legs": legs_max,
            "order": rows.ORDER, "refund": rows.REFUND, "surplus": SURPLUS * POCKETS, "bits": POCKET_BITS, "consumers": CONSUMERS,
            "cash": _CASH, "cash_back": _CASH_BACK, "surely": [CONSUMER, PACKET], "voucher": VOUCHER_OUT,
            "voucher_back": REFUND + VOUCHER_OUT,
        },
    )  # fmt: skip
    return [Summed(*row) for row in cursor]


_SUMS: Final = """
    SELECT asked.programme,
           CASE WHEN j.at >= %(begin)s AND j.at < %(end)s THEN ((j.at - %(begin)s) / 3600000000)::int4 END AS hour,
           j.kind,
           count(*),
           coalesce(sum(CASE j.kind WHEN %(order)s THEN j.facts[2] WHEN %(refund)s THEN j.facts[3] END), 0)::int8,
           coalesce(sum(CASE j.kind WHEN %(order)s THEN j.facts[2] * j.facts[3] END), 0)::int8,
           sum(legs.given)::int8, sum(legs.vouchers)::int8, sum(legs.surplus)::int8,
           max(j.position)
    FROM unnest(%(numbers)s::int4[], %(afters)s::int8[], %(mosts)s::int8[]) AS asked (programme, after, most),
    LATERAL (
        SELECT position, kind, at, facts, source, destination, amount, code,
               sum(cardinality(amount)) OVER (ORDER BY position) AS legs
        FROM journal
        WHERE programme = asked.programme AND position > asked.after AND position <= asked.after + asked.most
    ) AS j,
    LATERAL (
        SELECT coalesce(sum(CASE WHEN code = ANY(%(cash)s) AND to_consumer THEN amount
                                 WHEN code = ANY(%(cash_back)s) AND from_consumer THEN -amount END), 0) AS given,
               coalesce(sum(CASE WHEN code = %(voucher)s AND to_consumer THEN amount
                                 WHEN code = %(voucher_back)s AND from_consumer THEN -amount END), 0) AS vouchers,
               coalesce(sum(CASE WHEN destination = %(surplus)s THEN amount END), 0)
               - coalesce(sum(CASE WHEN source = %(surplus)s THEN amount END), 0) AS surplus
        FROM (
            SELECT leg.*,
                   CASE WHEN leg.code = ANY(%(surely)s) THEN true
                        WHEN leg.code = ANY(%(cash)s) OR leg.code = %(voucher)s THEN EXISTS (
                            SELECT FROM holder h WHERE h.programme = asked.programme
                            AND h.number = leg.destination >> %(bits)s AND h.kind = %(consumers)s) END AS to_consumer,
                   CASE WHEN leg.code = ANY(%(cash_back)s) OR leg.code = %(voucher_back)s THEN EXISTS (
                            SELECT FROM holder h WHERE h.programme = asked.programme
                            AND h.number = leg.source >> %(bits)s AND h.kind = %(consumers)s) END AS from_consumer
            FROM unnest(j.source, j.destination, j.amount, j.code) AS leg (source, destination, amount, code)
        ) AS leg
    ) AS legs
    WHERE j.legs <= %(legs)s OR j.position = asked.after + 1
    GROUP BY 1, 2, 3
    ORDER BY 1, 2, 3
"""
