"""Why a row is refused: one table, in Chinese and English, from which the documents are made too."""

from __future__ import annotations

from typing import Final, NamedTuple

from rangli.errors import FAULTS
from rangli.files.parse import (
    CLOCK_IMPOSSIBLE,
    DATE_IMPOSSIBLE,
    EMPTY,
    KIND_WITHOUT_NAME,
    NOT_UTF8,
    SPACES,
    TIME_MALFORMED,
    TOO_LONG,
    YEAR_MAX,
    YEAR_MIN,
    YEAR_OUT_OF_RANGE,
)
from rangli.ledger.accounts import NAME_BYTES_MAX


class Reject(NamedTuple):
    """One refused row."""

    row: int
    """Data row, from 1; in a CSV without line ends inside fields it is on line row + 1."""
    order_id: str
    field: str
    """The first column at fault; empty when it is the row as a whole."""
    code: str
    """A key of REASONS."""
    zh: str
    en: str

    def message(self, lang: str) -> str:
        """The text in ``lang`` ("zh" or "en")."""
        return self.zh if lang == "zh" else self.en


class Reason(NamedTuple):
    """What a code means. In the texts stand {order_id}, {field}, {value} (what was written) and {other} (what it is held to)."""

    fields: str
    """The columns in which it occurs."""
    zh: str
    en: str


_NAMES = "order_id, merchant, consumer, referrer, referrer2, recruiter, agent_*"
_TIME_ZH = "正确写法如 2026-01-05 12:30:00(北京时间)或 2026-01-05T12:30:00+08:00"
_TIME_EN = "write it as 2026-01-05 12:30:00 (Beijing time) or 2026-01-05T12:30:00+08:00"

_OF_THE_ROW: dict[str, Reason] = {
    "field_count": Reason(
        "",
        "这一行有 {value} 列,表头有 {other} 列;含逗号的名称请用双引号括起来",
        "the row has {value} fields and the header {other}; put a name that holds a comma in double quotes",
    ),
    "not_utf8": Reason(
        _NAMES,
        "{field} {value} 不是 UTF-8 编码;请把文件另存为 UTF-8(表格软件中选“CSV UTF-8”)",
        "{field} {value} is not UTF-8; save the file as UTF-8 (in a spreadsheet: CSV UTF-8)",
    ),
    "empty": Reason(
        "order_id, paid_at, merchant, consumer, amount, concession", "{field} 为空;必须填写", "{field} is empty; it must be there"
    ),
    "spaces": Reason(
        _NAMES + ", amount, voucher", "{field} {value} 前后有空格;请去掉", "{field} {value} has spaces around it; take them out"
    ),
    "too_long": Reason(
        _NAMES,
        f"{{field}} {{value}} 超过 {NAME_BYTES_MAX} 字节;请缩短",
        f"{{field}} {{value}} is longer than {NAME_BYTES_MAX} bytes; shorten it",
    ),
    "kind_without_name": Reason(
        "referrer, referrer2, recruiter, agent_*",
        "{field} {value} 只有类别,没有名称;正确写法如 merchant:老王面馆",
        "{field} {value} has a kind and no name; write it as merchant:Wang's Noodles",
    ),
    "time_malformed": Reason("paid_at", f"时间 {{value}} 格式不对;{_TIME_ZH}", f"time {{value}} is malformed; {_TIME_EN}"),
    "date_impossible": Reason(
        "paid_at", "时间 {value} 的日期在日历上不存在;请改正", "the date of {value} is not in the calendar; correct it"
    ),
    "clock_impossible": Reason(
        "paid_at",
        "时间 {value} 的钟点或时区不存在;钟点从 00:00:00 到 23:59:59",
        "the clock or offset of {value} does not exist; a day runs from 00:00:00 to 23:59:59",
    ),
    "year_out_of_range": Reason(
        "paid_at",
        f"时间 {{value}} 不在 {YEAR_MIN} 至 {YEAR_MAX} 年之间(北京时间)",
        f"time {{value}} is not in the years {YEAR_MIN} to {YEAR_MAX} (Beijing time)",
    ),
    "order_conflict": Reason(
        "every column but order_id",
        "订单 {order_id} 已经出现过,{field} 不同:先前是 {other},这里是 {value};同一订单号只能有一组事实",
        "order {order_id} was there before with another {field}: {other} then, {value} here; one order id has one set of facts",
    ),
}

_OF_A_NUMBER: dict[str, Reason] = {
    fault: Reason(
        {"no_percent_sign": "concession"}.get(
            fault,
            "amount, voucher, concession"
            if fault in {"full_width", "negative", "too_fine", "not_a_number"}
            else "amount, voucher",
        ),
        f"{{field}} {{value}} {zh}",
        f"{{field}} {{value}} {en}",
    )
    for fault, (zh, en) in FAULTS.items()
    if fault not in _OF_THE_ROW
}
"""The faults of ``money.parse_yuan`` and ``money.parse_percent``; a reject carries the text of the exception itself."""

_OF_THE_ENGINE: dict[str, Reason] = {
    "amount_out_of_range": Reason(
        "amount",
        "金额 {value} 元不在范围内;每单从 0.01 元到 100000000 元",
        "amount {value} is out of range; an order is from 0.01 to 100000000 yuan",
    ),
    "concession_out_of_range": Reason(
        "concession", "让利 {value} 不在方案的范围 {other} 之内", "concession {value} is outside the plan's range {other}"
    ),
    "vouchers_over_limit": Reason(
        "voucher",
        "用券 {value} 元,超过这一单最多可用的 {other} 元",
        "vouchers of {value} yuan are more than the {other} yuan that may pay for this order",
    ),
    "vouchers_short": Reason(
        "voucher",
        "用券 {value} 元,超过消费者手中的券",
        "vouchers of {value} yuan are more than the consumer holds",
    ),
    "limit_reached": Reason(
        "",
        "这一单会使某个池或账户超过上限(约 1.15 万亿元);未结算",
        "the order would take a pot, pool or account past its limit (about 1.15 thousand billion yuan); it was not settled",
    ),
}

REASONS: Final = {**_OF_THE_ROW, **_OF_A_NUMBER, **_OF_THE_ENGINE}
"""Every code that a row can be refused with."""

CODE_OF_STATUS: Final = {
    EMPTY: "empty",
    SPACES: "spaces",
    TOO_LONG: "too_long",
    NOT_UTF8: "not_utf8",
    KIND_WITHOUT_NAME: "kind_without_name",
    TIME_MALFORMED: "time_malformed",
    DATE_IMPOSSIBLE: "date_impossible",
    CLOCK_IMPOSSIBLE: "clock_impossible",
    YEAR_OUT_OF_RANGE: "year_out_of_range",
}
"""The code of a status of ``parse``; MALFORMED is ``money``'s to explain."""


def reject(row: int, order_id: str, field: str, code: str, *, value: object = "", other: object = "") -> Reject:
    """The refusal of a row with its texts filled in.

    value : what was written, or computed, as a person should see it
    other : what it is held to: the earlier fact, the plan's range, the most that is allowed
    """
    reason = REASONS[code]
    facts = {"order_id": order_id, "field": field, "value": value, "other": other}
    return Reject(row, order_id, field, code, reason.zh.format(**facts), reason.en.format(**facts))
