"""The tree of refusals.

RangliError
├── InputRefused                what came in cannot be used; exit status 2
│   ├── AmountMalformed         a text is not yuan with at most two decimals
│   ├── RateMalformed           a text is not a percentage of at most two decimals
│   ├── PlanNotFound            no preset and no file of that name
│   ├── PlanFaulty              a plan document with problems; carries all of them
│   ├── FileRefused             an order file or directory that cannot be read as one
│   └── RowsRefused             --strict and at least one refused row
├── Refused                     an operation that the books do not allow; nothing has changed
│   ├── RefundTooLarge          more than was paid and is not yet refunded
│   ├── PointsShort             a sale of more points than the member has
│   └── LimitReached            a balance would pass MICRO_MAX
└── LedgerError
    └── NameRefused             a name that no account can be made of

Each has a stable ``code`` and its facts as attributes; texts in Chinese and English stand beside each other.
Our own mistakes are ``assert``; a faulty document is a list of ``Problem``; a faulty row is a status.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple


class Problem(NamedTuple):
    """One fault in a document, with its place and what would be right."""

    code: str
    where: str
    """Path in the document, as ``shares[2].rate``."""
    line: int
    """Line in the file, from 1; 0 when there is none."""
    zh: str
    en: str

    def message(self, lang: str) -> str:
        """The text in ``lang`` ("zh" or "en")."""
        return self.zh if lang == "zh" else self.en


class RangliError(Exception):
    """Root of all refusals."""

    code: ClassVar[str] = "refused"

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.zh = zh
        self.en = en

    def message(self, lang: str) -> str:
        """The text in ``lang`` ("zh" or "en")."""
        return self.zh if lang == "zh" else self.en


class InputRefused(RangliError):
    """What came in cannot be used."""

    code = "input_refused"


FAULTS: dict[str, tuple[str, str]] = {
    "empty": ("为空", "is empty"),
    "spaces": ("前后有空格", "has spaces around it"),
    "full_width": ("含全角字符,请用半角数字", "has full-width characters; write ASCII digits"),
    "negative": ("为负数", "is negative"),
    "sign": ("带正号,请去掉", "has a plus sign; leave it out"),
    "thousands": ("含千位分隔符,请去掉", "has a thousands separator; leave it out"),
    "exponent": ("是科学计数法,请写成普通小数", "is in exponent form; write it out"),
    "not_finite": ("不是有限的数", "is not a finite number"),
    "too_fine": ("小数超过两位", "has more than two decimals"),
    "leading_zero": ("以多余的 0 开头", "starts with a needless zero"),
    "too_large": ("过大(金额至多一亿元,比率至多 9999.99%)", "is too large (at most 100,000,000 yuan, or 9,999.99 %)"),
    "no_percent_sign": ("缺少百分号", "has no percent sign"),
    "not_a_number": ("不是数字", "is not a number"),
}
"""Why an amount or a rate is malformed: fault -> (Chinese, English)."""


class AmountMalformed(InputRefused):
    """A text is not an amount of yuan."""

    code = "amount_malformed"

    def __init__(self, text: str, fault: str) -> None:
        zh, en = FAULTS[fault]
        super().__init__(
            f"金额 {text!r} {zh};正确写法如 12.50(元,最多两位小数)",
            f"amount {text!r} {en}; write yuan with at most two decimals, as 12.50",
        )
        self.text = text
        self.fault = fault


class RateMalformed(InputRefused):
    """A text is not a percentage."""

    code = "rate_malformed"

    def __init__(self, text: str, fault: str) -> None:
        zh, en = FAULTS[fault]
        super().__init__(
            f"比率 {text!r} {zh};正确写法如 20% 或 0.3%(最细 0.01%)",
            f"rate {text!r} {en}; write a percentage as 20% or 0.3% (0.01% is the finest)",
        )
        self.text = text
        self.fault = fault


class PlanNotFound(InputRefused):
    """No preset and no file of that name."""

    code = "plan_not_found"


class PlanFaulty(InputRefused):
    """A plan document with problems."""

    code = "plan_faulty"

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(
            f"方案有 {len(problems)} 处问题:" + ";".join(p.zh for p in problems),
            f"the plan has {len(problems)} problem(s): " + "; ".join(p.en for p in problems),
        )
        self.problems = problems


class FileRefused(InputRefused):
    """A file or directory that cannot be read as what it should be."""

    code = "file_refused"


class RowsRefused(InputRefused):
    """Rows were refused and the caller wanted all or nothing."""

    code = "rows_refused"


class Refused(RangliError):
    """An operation that the books do not allow; nothing has changed."""

    code = "operation_refused"


class RefundTooLarge(Refused):
    """More than was paid and is not yet refunded."""

    code = "refund_too_large"


class PointsShort(Refused):
    """A sale of more points than the member has."""

    code = "points_short"


class LimitReached(Refused):
    """A balance would pass MICRO_MAX."""

    code = "limit_reached"


class LedgerError(RangliError):
    """A fault in the books or in what would be booked."""

    code = "ledger_error"


class NameRefused(LedgerError):
    """A name that no account can be made of."""

    code = "name_refused"
