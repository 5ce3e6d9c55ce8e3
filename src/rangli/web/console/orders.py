"""Orders: found, looked into, refunded with every reversal shown first, and handed in as files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rangli.errors import FieldRefused, NotFound, RangliError
from rangli.service.looking import browsing
from rangli.service.looking.browsing import CANCELLED, HELD, PARTLY_REFUNDED, REFUNDED, SETTLED, OrderLine, OrdersWanted
from rangli.service.requests import RefundRequest
from rangli.service.work.imports import GOING_ON, KINDS, ROWS_MAX
from rangli.web.console.call import Shown
from rangli.web.console.door import UPLOAD_BYTES_MAX, Door
from rangli.web.console.listing import Column, Filter, Listing, Row, Slice, Want, by_money, by_time
from rangli.web.console.showing import TRANSFERS_HEAD, decision_link, order_link, path_of, slice_of, transfer_rows, with_note
from rangli.web.console.words import Amount, Link, State

if TYPE_CHECKING:
    from rangli.web.console.call import Call

STATES: Final = {
    SETTLED: State(SETTLED, "已结算", "settled", "good"),
    PARTLY_REFUNDED: State(PARTLY_REFUNDED, "部分退款", "partly refunded", "wait"),
    REFUNDED: State(REFUNDED, "已退款", "refunded", "bad"),
    HELD: State(HELD, "冻结中", "held", "wait"),
    CANCELLED: State(CANCELLED, "已取消", "cancelled"),
}
"""Status of an order -> in words."""
WORKING: Final = {
    "checking": State("checking", "检查中", "checking", "wait"),
    "checked": State("checked", "已检查,未入账", "checked, nothing settled"),
    "settling": State("settling", "结算中", "settling", "wait"),
    "settled": State("settled", "已结算", "settled", "good"),
    "cancelled": State("cancelled", "已停止", "stopped"),
    "failed": State("failed", "未完成", "not finished", "bad"),
}
"""State of an import -> in words."""
FACTS: Final = (
    ("order_id", "订单号", "Order"), ("paid_at", "付款时间", "Paid at"), ("merchant", "商家", "Shop"),
    ("consumer", "消费者", "Consumer"), ("referrer", "直推", "Referrer"), ("referrer2", "间推", "Referrer's referrer"),
    ("recruiter", "招商", "Recruiter"), ("agent_district", "区代", "District agent"), ("agent_city", "市代", "City agent"),
    ("agent_province", "省代", "Province agent"), ("agent_region", "大区代", "Region agent"),
    ("concession", "让利", "Concession"),
)  # fmt: skip
"""Field of an order -> in words, without its amounts."""
REFUSED_HEAD: Final = (
    ("行", "Line", "count"), ("订单号", "Order", "text"), ("字段", "Field", "code"),
    ("哪里不对,怎样才对", "What is wrong, and what is right", "text"),
)  # fmt: skip
COLUMNS: Final = (
    Column("order", "订单号", "Order", "link"),
    Column("status", "状态", "Status", "state"),
    Column("amount", "实付", "Paid", "money"),
    Column("refunded", "已退", "Refunded", "money"),
    Column("concession", "让利", "Concession"),
    Column("merchant", "商家", "Shop", "link"),
    Column("consumer", "消费者", "Consumer", "link"),
    Column("paid_at", "付款时间", "Paid at", "time"),
    Column("decided_at", "入账时间", "Settled at", "time"),
    Column("position", "流水号", "Decision", "link"),
)
FILTERS: Final = (
    Filter("order_id", "订单号", "Order", help_zh="完整的订单号", help_en="the whole id"),
    Filter("merchant", "商家", "Shop", help_zh="完整的名称", help_en="the whole name"),
    Filter("consumer", "消费者", "Consumer", help_zh="完整的名称", help_en="the whole name"),
    Filter("status", "状态", "Status", "choice", tuple((code, state.zh, state.en) for code, state in STATES.items())),
    Filter("since", "入账日从", "Settled from", "date"),
    Filter("until", "入账日到", "Settled until", "date"),
    Filter("least", "金额从", "Amount from", "amount", help_zh="元", help_en="yuan"),
    Filter("most", "金额到", "Amount to", "amount", help_zh="元", help_en="yuan"),
)
SORTS: Final = (*by_time("decided_at"), *by_money("amount", "金额", "amount"))
assert tuple(sort.code for sort in SORTS) == browsing.SORTS
BY_ID: Final = ("已取消的订单按订单号排列。", "Cancelled orders are listed by their ids.")


# ---------------------------------------------------------------- the list


def orders(call: Call) -> Shown:
    """Orders of a programme, as many filters as one likes."""
    running = call.running

    def fetch(want: Want) -> Slice:
        wanted = OrdersWanted(**want.filters, sort=want.sort)
        found = running.browsing.orders(wanted, want.cursor, want.limit)
        page = slice_of(found, [_row(call, line) for line in found.found])
        return with_note(page, *BY_ID) if page.rows and wanted.status == CANCELLED else page

    empty = ("还没有订单。经 API 提交,或导入文件。", "No orders yet. Post them through the API, or import a file.")
    listing = Listing("orders", "订单", "Orders", COLUMNS, fetch, FILTERS, SORTS, empty)
    return call.listing(listing, "orders/orders.html", holds=running.view().hold_seconds > 0)


def _row(call: Call, line: OrderLine) -> Row:
    """An order in the list."""
    return {
        "order": order_link(call, line.order_id),
        "status": STATES[line.status],
        "amount": Amount(line.amount),
        "refunded": Amount(line.refunded) if line.status in (REFUNDED, PARTLY_REFUNDED) else "",
        "concession": line.concession,
        "merchant": _those_of(call, "merchant", line.merchant),
        "consumer": _those_of(call, "consumer", line.consumer),
        "paid_at": line.paid_at,
        "decided_at": line.decided_at,
        "position": decision_link(call, line.position),
    }


def _those_of(call: Call, name: str, value: str) -> Link:
    """All orders of a shop or a consumer."""
    return Link(value, f"{path_of(call, 'orders')}?{name}={call.segment(value)}")


# ---------------------------------------------------------------- one order


def order(call: Call) -> Shown:
    """What was paid, who got what and why."""
    return call.show("orders/order.html", refused=None, amount="", **_told(call))


def _told(call: Call) -> dict[str, Any]:
    """All that an order's page shows. Raises OrderNotFound."""
    view = call.running.order(call.param("order_id"))
    facts = view.facts
    links = {name: _those_of(call, name, facts[name]) for name in ("merchant", "consumer")}
    kinds = {"paid_at": "time" if view.position else "text"}  # until it is settled it stands as it was handed in
    told = [(zh, en, links.get(name, facts[name]), kinds.get(name, "text")) for name, zh, en in FACTS if facts.get(name)]
    amounts = [("实付", "Paid", Amount(facts["amount"]))]
    if facts.get("voucher") not in (None, "", "0.00"):
        amounts.append(("其中用券", "of it in vouchers", Amount(facts["voucher"])))
    if view.refunded != "0.00":
        amounts.append(("已退", "Refunded", Amount(view.refunded)))
    refunds = [
        [decision_link(call, one.position), one.id, one.decided_at, Amount(str(one.facts["amount"])), str(len(one.transfers))]
        for one in view.refunds
    ]
    return {
        "order": view,
        "state": STATES[view.status],
        "facts": told,
        "amounts": amounts,
        "head": TRANSFERS_HEAD,
        "transfers": transfer_rows(call, view.transfers),
        "refunds": refunds,
        "can_refund": call.may("orders") and view.status in (SETTLED, PARTLY_REFUNDED, HELD),
        "there": path_of(call, "orders", view.order_id),
        "decision": decision_link(call, view.position),
        "has_draw": any(one.code == "packet" for one in view.transfers),
    }


def draw(call: Call) -> Shown:
    """Where an order's chance comes from, and the packets drawn again."""
    again = call.running.redrawing.redraw(call.param("order_id"))
    columns = zip(again.draws + [""] * len(again.cuts), again.cuts, again.sent, strict=False)
    rows = [[str(number), word, Amount(cut), Amount(sent)] for number, (word, cut, sent) in enumerate(columns, 1)]
    return call.show("orders/draw.html", again=again, rows=rows, there=path_of(call, "orders", again.draw.order_id))


def preview(call: Call) -> Shown:
    """Every reversal of a refund before it is done."""
    order_id, amount = call.param("order_id"), call.field("amount")
    try:
        found = call.running.previews.of(RefundRequest("", order_id, amount))
    except NotFound:
        raise
    except RangliError as refusal:
        return call.show_refused("orders/order.html", refusal, amount=amount, **_told(call))
    return call.show(
        "orders/refund.html", order_id=order_id, preview=found, head=TRANSFERS_HEAD,
        transfers=transfer_rows(call, found.transfers), there=path_of(call, "orders", order_id),
    )  # fmt: skip


def refund(call: Call) -> Shown:
    """Do it: handed in twice it counts once."""
    order_id, amount = call.param("order_id"), call.field("amount")
    answer = call.running.do([RefundRequest(f"console-{call.once}", order_id, amount)])[0]
    if isinstance(answer, RangliError):
        raise answer
    call.note("refund", order_id, amount=amount, refund_id=answer.id, position=answer.position)
    there = path_of(call, "orders", order_id)
    if answer.status == "cancelled":
        return call.go(there, "订单已取消,没有入账。", "The order is cancelled; nothing of it was settled.")
    return call.go(
        there, f"已退款 {amount} 元,流水第 {answer.position} 号。", f"{amount} yuan refunded by decision {answer.position}."
    )


# ---------------------------------------------------------------- files


def imports(call: Call) -> Shown:
    """Hand in a file, and those that were handed in."""
    return call.show("orders/imports.html", refused=None, **_handed_in(call))


def _handed_in(call: Call) -> dict[str, Any]:
    """The imports of the programme."""
    call.running  # noqa: B018 -- a programme that there is not is refused
    rows = [
        [Link(view.filename, path_of(call, "import", view.id)), WORKING[view.state], view.began_at, view.by, str(view.rows)]
        for view in call.service.imports.of(call.programme)
    ]
    return {"rows": rows, "kinds": ",".join(KINDS), "bytes_max": UPLOAD_BYTES_MAX >> 20, "rows_max": str(ROWS_MAX)}


def hand_in(call: Call) -> Shown:
    """Take a file and look through it; nothing is settled yet."""
    try:
        file = call.upload("file")
        if file is None:
            raise FieldRefused("file", "请选一个文件", "choose a file")
        view = call.service.imports.check(call.running, file.filename, file.data, call.member.name)
    except RangliError as refusal:
        return call.show_refused("orders/imports.html", refusal, **_handed_in(call))
    call.note("import.check", file.filename[:100], import_id=view.id, bytes=len(file.data))
    return call.go(path_of(call, "import", view.id))


def report(call: Call) -> Shown:
    """What a file holds; while it is being worked on, the part of the page that changes asks again."""
    view = call.service.imports.view(call.programme, call.param("id"))
    refused = [[str(row.line), row.order_id, row.field, call.t(row.zh, row.en)] for row in view.first]
    template = "orders/progress.html" if call.is_part else "orders/report.html"
    return call.show(
        template, view=view, state=WORKING[view.state], is_going_on=view.state in GOING_ON, refused_rows=refused,
        head=REFUSED_HEAD, there=path_of(call, "import", view.id), may_settle=call.may("orders"),
    )  # fmt: skip


def refused_rows(call: Call) -> Shown:
    """All refused rows as a CSV."""
    number = call.param("id")
    data = call.service.imports.refused_rows(call.programme, number)
    return call.send_file(f"{call.programme}-refused-{number}.csv", "text/csv; charset=utf-8", data)


def settle(call: Call) -> Shown:
    """Settle a file that was looked through."""
    view = call.service.imports.settle(call.programme, call.param("id"))
    call.note("import.settle", view.filename, import_id=view.id)
    return call.go(path_of(call, "import", view.id))


def stop(call: Call) -> Shown:
    """Stop after the batch that is being settled."""
    number = call.param("id")
    call.service.imports.cancel(call.programme, number)
    call.note("import.stop", number)
    zh, en = "正在停止;已结算的订单不受影响。", "Stopping; orders that have settled stay settled."
    return call.go(path_of(call, "import", number), zh, en)


_P: Final = "/p/{programme}"
DOORS: Final = (
    Door("GET", f"{_P}/orders", "read", orders, "订单", "Orders"),
    Door("GET", f"{_P}/orders/{{order_id}}", "read", order, "订单", "Order"),
    Door("GET", f"{_P}/orders/{{order_id}}/draw", "read", draw, "抽数", "Draw"),
    Door("POST", f"{_P}/orders/{{order_id}}/preview", "orders", preview, "退款预览", "Refund preview", changes=False),
    Door("POST", f"{_P}/orders/{{order_id}}/refund", "orders", refund, "退款", "Refund"),
    Door("GET", f"{_P}/import", "read", imports, "导入订单", "Import orders"),
    Door("POST", f"{_P}/import", "orders", hand_in, "上传订单文件", "Hand in a file of orders", upload=True),
    Door("GET", f"{_P}/import/{{id}}", "read", report, "导入", "Import"),
    Door("GET", f"{_P}/import/{{id}}/refused.csv", "read", refused_rows, "被拒绝的行", "Refused rows"),
    Door("POST", f"{_P}/import/{{id}}/settle", "orders", settle, "结算导入的订单", "Settle imported orders"),
    Door("POST", f"{_P}/import/{{id}}/stop", "orders", stop, "停止导入", "Stop an import"),
)
