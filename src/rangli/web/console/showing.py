"""What orders and money share on their pages: words for kinds and accounts, links between them, and tables of transfers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from rangli.service.looking.browsing import Looked
from rangli.service.views import TransferView
from rangli.web.console.listing import Row, Slice
from rangli.web.console.words import Amount, Link, in_beijing

if TYPE_CHECKING:
    from rangli.web.console.call import Call

POCKETS: Final = {
    "wallet": ("钱包", "wallet"),
    "points": ("积分", "points"),
    "vouchers": ("抵用券", "vouchers"),
    "concession": ("让利", "concession"),
    "income": ("收入", "income"),
    "borne": ("承担", "borne"),
}
HOLDERS: Final = {
    "consumer": ("消费者", "consumer"),
    "merchant": ("商家", "merchant"),
    "agent": ("代理", "agent"),
    "institution": ("平台与项目", "platform and programme"),
}
INSTITUTIONS: Final = {
    "platform:surplus": ("平台盈余", "platform surplus"),
    "platform:funding": ("平台注资", "platform funding"),
    "programme:pool": ("盈利池", "pool"),
    "programme:dividend": ("分红池", "dividend pot"),
    "programme:reserve": ("券储备", "voucher reserve"),
    "programme:points": ("积分发行", "points issued"),
    "programme:vouchers": ("券发行", "vouchers issued"),
    "programme:fund": ("专项基金", "fund"),
    "programme:packets": ("红包池", "packet pot"),
}
TRANSFERS_HEAD: Final = (
    ("#", "#", "count"),
    ("原因", "Why", "text"),
    ("金额", "Amount", "money"),
    ("从", "From", "link"),
    ("到", "To", "link"),
)


def path_of(call: Call, *parts: str) -> str:
    """An address in the programme, its parts quoted."""
    return "/p/" + "/".join(call.segment(part) for part in (call.programme, *parts))


def account_link(call: Call, path: str) -> Link:
    """An account's statement."""
    return Link(path, path_of(call, "accounts", path))


def order_link(call: Call, order_id: str) -> Link:
    """An order's page."""
    return Link(order_id, path_of(call, "orders", order_id))


def decision_link(call: Call, position: int | None) -> Link | str:
    """A decision's page."""
    return "" if position is None else Link(str(position), path_of(call, "journal", str(position)))


def account_words(call: Call, path: str) -> str:
    """What an account is for."""
    kind, _, rest = path.partition(":")
    if kind in HOLDERS:
        return f"{call.t(*HOLDERS[kind])} · {call.t(*POCKETS[rest.rpartition(':')[2]])}"
    return call.t(*INSTITUTIONS[f"{kind}:{rest.partition(':')[0]}"])


def transfer_rows(call: Call, transfers: Sequence[TransferView]) -> list[list[object]]:
    """Transfers as the rows of a table with TRANSFERS_HEAD."""
    return [
        [
            str(one.line), call.t(one.zh, one.en), Amount(one.amount, one.unit), account_link(call, one.source),
            account_link(call, one.destination),
        ]
        for one in transfers
    ]  # fmt: skip


def slice_of(looked: Looked, rows: list[Row]) -> Slice:
    """A page of a table; if it is shorter than a page might be, with how far was looked."""
    if looked.is_waiting:
        zh = f"正在读入这些天的流水,已读 {looked.percent}%;全部读完,才知道谁排在前面。"
        en = f"Reading the journal of these days, {looked.percent}% so far; what comes first is known when all of it is read."
        return Slice(rows, looked.next, zh, en, is_waiting=True)
    if not looked.next or (not looked.upto and looked.percent == 100):  # noqa: PLR2004 -- all of it
        return Slice(rows, looked.next)
    if looked.upto:
        there = in_beijing(looked.upto)
        zh, en = f"已查到 {there} 的记录", f"Looked as far as {there}"
    else:
        zh, en = f"已查过 {looked.percent}%", f"Looked through {looked.percent}%"
    return Slice(rows, looked.next, f"{zh},后面还有没查的;点“下一页”接着查。", f"{en}; there is more: go on with the next page.")


def with_note(page: Slice, zh: str, en: str) -> Slice:
    """The same page, and this before whatever else it tells."""
    return page._replace(zh=f"{zh}{page.zh}", en=f"{en} {page.en}".rstrip())
