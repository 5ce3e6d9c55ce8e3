"""Forgeries: each changes a settled directory as somebody might who wants another truth; test_audit.py lists them."""

from __future__ import annotations

from audit_worlds import Books, Row


def _moved(books: Books, one: Row, other: Row, micro: int) -> None:
    """So much from one line to another, and everything else made to fit."""
    one["amount_micro"] -= micro
    other["amount_micro"] += micro
    books.refold()


def _of_one_order(books: Books, code: str) -> tuple[Row, Row]:
    """A line of this code and the platform's line of the same order, somewhere in the middle."""
    lines = books.lines(code)
    line = lines[len(lines) // 2]
    return line, next(row for row in books.order(line["order_id"]) if row["code"] == "platform")


# ---------------------------------------------------------------- shares


def a_micro_from_a_referrer_to_the_platform(books: Books) -> None:
    """The order still adds up."""
    _moved(books, *_of_one_order(books, "referrer"), 1)


def a_micro_lost(books: Books) -> None:
    """Taken out of one line."""
    _of_one_order(books, "referrer")[0]["amount_micro"] -= 1


def a_share_to_another(books: Books) -> None:
    """The recruiter's money goes to somebody else's wallet."""
    _of_one_order(books, "recruiter")[0]["destination"] = "agent:别人:wallet"
    books.refold()


def a_code_changed(books: Books) -> None:
    """A recruiter's share called an agent's."""
    _of_one_order(books, "recruiter")[0]["code"] = "agent.city"
    books.refold()


def a_unit_changed(books: Books) -> None:
    """Cash called points."""
    _of_one_order(books, "recruiter")[0]["unit"] = "POINT"


def shares_in_another_order(books: Books) -> None:
    """Two share lines of an order change places, numbered afresh."""
    line, _ = _of_one_order(books, "pot")
    at = next(i for i, row in enumerate(books.transfers) if row is line)
    books.transfers[at], books.transfers[at + 1] = books.transfers[at + 1], books.transfers[at]
    books.renumber()


def line_numbers_changed(books: Books) -> None:
    """Only the numbers of two lines."""
    one, other = books.order(books.transfers[100]["order_id"])[:2]
    one["line"], other["line"] = other["line"], one["line"]


def taken_from_another_merchant(books: Books) -> None:
    """One shop's share is paid by another."""
    line, _ = _of_one_order(books, "pot")
    merchants = {row["source"] for row in books.lines("pot")} - {line["source"]}
    line["source"] = merchants.pop()
    books.refold()


def a_bonus_twice(books: Books) -> None:
    """The recruiter of a merchant is paid its one-off bonus again."""
    bonus = books.lines("bonus")[0]
    after = books.with_packets()[0]
    books.transfers.insert(books.transfers.index(after), {**bonus, "order_id": after["order_id"]})
    books.renumber()
    books.refold()


# ---------------------------------------------------------------- packets


def a_packet_to_another(books: Books) -> None:
    """One packet goes to a consumer who does not wait."""
    books.with_packets()[2]["destination"] = "consumer:表弟:wallet"
    books.refold()


def two_packets_exchanged(books: Books) -> None:
    """Two lots that wait get each other's packets."""
    packets = books.with_packets()
    one, other = next((a, b) for a in packets for b in packets if a["amount_micro"] > b["amount_micro"])
    one["amount_micro"], other["amount_micro"] = other["amount_micro"], one["amount_micro"]
    books.refold()


def a_later_lot_first(books: Books) -> None:
    """The receivers of two packets of the same order change places."""
    packets = books.with_packets()
    one, other = next((a, b) for a in packets for b in packets if a["destination"] != b["destination"])
    one["destination"], other["destination"] = other["destination"], one["destination"]
    books.refold()


def a_packet_for_the_platform(books: Books) -> None:
    """One packet is not handed out; the platform has it."""
    packet = books.with_packets()[2]
    packet["destination"], packet["code"] = "platform:surplus", "platform"
    books.refold()


def a_packet_left_in_the_pot(books: Books) -> None:
    """One packet is not handed out and stays where it was."""
    books.transfers.remove(books.with_packets()[-1])
    books.refold()


def a_smaller_packet(books: Books) -> None:
    """A fen of a packet stays in the pot."""
    packet = max(books.lines("packet"), key=lambda row: row["amount_micro"])
    packet["amount_micro"] -= 10_000
    books.refold()


def half_a_fen(books: Books) -> None:
    """Two packets of no whole fen."""
    packets = books.with_packets()
    _moved(books, packets[0], packets[1], 5_000)


def one_packet_more(books: Books) -> None:
    """A packet for the payer himself, after the others."""
    last = books.with_packets()[-1]
    books.transfers.insert(books.transfers.index(last) + 1, {**last, "line": last["line"] + 1, "amount_micro": 10_000})
    books.refold()


def a_packet_out_of_another_pot(books: Books) -> None:
    """A packet of one queue is paid by the pot of another."""
    packet = books.with_packets()[0]
    packet["source"] = next(row["destination"] for row in books.lines("pot") if row["destination"] != packet["source"])
    books.refold()


# ---------------------------------------------------------------- lots


def a_lot_received_more(books: Books) -> None:
    """lots.parquet says a fen more, within what was paid."""
    next(lot for lot in books.lots if lot["received_fen"] < lot["paid_fen"])["received_fen"] += 1


def a_lot_above_what_was_paid(books: Books) -> None:
    """lots.parquet says more than was paid."""
    books.lots[0]["received_fen"] = books.lots[0]["paid_fen"] + 1


def a_twenty_first_packet(books: Books) -> None:
    """lots.parquet says 21."""
    books.lots[0]["packets"] = 21


def an_open_lot_closed(books: Books) -> None:
    """A lot that waits is said to have closed."""
    books.lots[-1]["open"] = False


def a_lot_of_another(books: Books) -> None:
    """A lot that waits changes hands."""
    books.lots[-1]["consumer"] = "表弟"


def a_lot_gone(books: Books) -> None:
    """A lot that waits disappears."""
    books.lots.pop()


# ---------------------------------------------------------------- balances, summary, secret, plan


def a_balance_changed(books: Books) -> None:
    """A wallet holds a micro more."""
    books.balances[3]["amount_micro"] = str(int(books.balances[3]["amount_micro"]) + 1)


def a_balance_hidden(books: Books) -> None:
    """An account is left out."""
    del books.balances[3]


def the_text_of_a_balance_changed(books: Books) -> None:
    """The amount in yuan beside a balance says something else."""
    books.balances[3]["amount"] += "1"


def another_secret(books: Books) -> None:
    """The secret told afterwards is not the one that was drawn with."""
    books.summary["secret"] = books.summary["secret"][::-1]


def another_commitment(books: Books) -> None:
    """The commitment of a day is another."""
    books.summary["days"][1]["commitment"] = books.summary["days"][0]["commitment"]


def a_figure_changed(books: Books) -> None:
    """The summary says that a fen more was paid."""
    books.summary["paid_fen"] += 1


def another_state(books: Books) -> None:
    """The hash of the state is another."""
    books.summary["state_hash"] = "0" * 64


def another_plan(books: Books) -> None:
    """The plan is said to have paid the referrer less."""
    books.plan = books.plan.replace("{to: referrer, rate: 1% of amount}", "{to: referrer, rate: 0.9% of amount}")


def no_plan(books: Books) -> None:
    """plan.yaml is none."""
    books.plan = "plan: weituanbao\n"


# ---------------------------------------------------------------- orders and rejects


def an_amount_changed(books: Books) -> None:
    """An order in the order file is of another amount."""
    books.orders[100]["amount"] = "5.00"


def an_order_added(books: Books) -> None:
    """An order is written into the order file afterwards."""
    books.orders.insert(100, {**books.orders[100], "order_id": "后加"})


def an_order_taken_out(books: Books) -> None:
    """An order is taken out of the order file afterwards."""
    del books.orders[100]


def an_order_not_settled(books: Books) -> None:
    """All lines of an order are left out."""
    gone = books.with_packets()[0]["order_id"]
    books.transfers = [row for row in books.transfers if row["order_id"] != gone]
    books.refold()


def an_order_refused_for_nothing(books: Books) -> None:
    """An order is left out and listed as refused."""
    an_order_not_settled(books)
    there = {row["order_id"] for row in books.transfers}
    row, order = next(
        (number, one) for number, one in enumerate(books.orders, 1) if one["order_id"] not in there and one["amount"] > "0.00"
    )
    books.rejects.append(
        {"row": str(row), "field": "concession", "reason": "concession_out_of_range: ", "order_id": order["order_id"]}
    )


def an_order_twice(books: Books) -> None:
    """The lines of an order come a second time."""
    books.transfers += [dict(row) for row in books.order(books.transfers[0]["order_id"])]
    books.refold()


def two_orders_exchanged(books: Books) -> None:
    """Two orders one after the other change places."""
    ids = list(dict.fromkeys(row["order_id"] for row in books.transfers))
    first, second = ids[50], ids[51]
    at = books.transfers.index(books.order(first)[0])
    size = len(books.order(first)) + len(books.order(second))
    books.transfers[at : at + size] = books.order(second) + books.order(first)


def lines_of_nobody(books: Books) -> None:
    """Lines of an order that there never was."""
    books.transfers += [{**row, "order_id": "无此单"} for row in books.order(books.transfers[0]["order_id"])]
    books.refold()


def a_reject_hidden(books: Books) -> None:
    """A refused row is not listed."""
    books.rejects.pop()


def a_reject_with_another_reason(books: Books) -> None:
    """A refused row is said to have been refused for something else."""
    books.rejects[-1]["reason"] = "vouchers_short: "


# ---------------------------------------------------------------- points and vouchers


def a_voucher_unbacked(books: Books) -> None:
    """A micro of vouchers without cash behind it."""
    vouchers = books.lines("voucher")
    vouchers[len(vouchers) // 2]["amount_micro"] += 1
    books.refold()


def vouchers_spent_that_nobody_has(books: Books) -> None:
    """A consumer pays with more vouchers than he holds, and the merchant is paid for them."""
    for code in ("voucher_spent", "voucher_paid"):
        books.lines(code)[0]["amount_micro"] += 10**9
    books.refold()


def a_release_beyond_the_pot(books: Books) -> None:
    """A period releases a thousand yuan that the dividend pot does not hold, backed and all."""
    release = books.lines("release")[-1]
    voucher = next(row for row in reversed(books.transfers) if row["order_id"] is None and row["code"] == "voucher")
    for line in (release, voucher):
        line["amount_micro"] += 10**12
    books.summary["periods"][-1]["released_micro"] += 10**12
    books.refold()


def points_more(books: Books) -> None:
    """A consumer earns a micro-point more."""
    mints = books.lines("mint")
    mints[len(mints) // 2]["amount_micro"] += 1
    books.refold()


def a_point_more_is_minted(books: Books) -> None:
    """The same where points have a price."""
    points_more(books)


def an_exit_pays_more(books: Books) -> None:
    """A forced exit takes a yuan too much out of the pool."""
    books.lines("exit")[0]["amount_micro"] += 10**6
    books.refold()


def an_exit_of_half_the_points(books: Books) -> None:
    """A forced exit burns fewer points than the member has."""
    books.lines("burn")[0]["amount_micro"] >>= 1
    books.refold()


def less_for_the_pool(books: Books) -> None:
    """A yuan of the pool's share goes to the platform instead, after the points were minted: the price falls behind."""
    _moved(books, *_of_one_order(books, "pool"), 10**6)


def far_more_points(books: Books) -> None:
    """So many points are minted for one order that the price falls."""
    mints = books.lines("mint")
    mints[len(mints) // 2]["amount_micro"] *= 1_000
    books.refold()
