"""What came in and cannot be used."""

from __future__ import annotations

from rangli.errors.trunk import InputRefused, Problem

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

    def __init__(self, text: str, fault: str, *, of_points: bool = False) -> None:
        zh, en = FAULTS[fault]
        if of_points:
            super().__init__(
                f"积分 {text!r} {zh};正确写法如 12.5(最多六位小数)",
                f"points {text!r} {en}; write a number with at most six decimals, as 12.5",
            )
        else:
            super().__init__(
                f"金额 {text!r} {zh};正确写法如 12.50(元,最多两位小数)",
                f"amount {text!r} {en}; write yuan with at most two decimals, as 12.50",
            )
        self.text = text
        self.fault = fault
        self.field = "points" if of_points else "amount"
        """The field of a request that it stands in."""


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


class ScenarioNotFound(InputRefused):
    """No scenario and no file of that name."""

    code = "scenario_not_found"


class ScenarioFaulty(InputRefused):
    """A scenario document with problems."""

    code = "scenario_faulty"

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(
            f"场景有 {len(problems)} 处问题:" + ";".join(f"{p.where}:{p.zh}" for p in problems),
            f"the scenario has {len(problems)} problem(s): " + "; ".join(f"{p.where}: {p.en}" for p in problems),
        )
        self.problems = problems


class FileRefused(InputRefused):
    """A file or directory that cannot be read as what it should be."""

    code = "file_refused"


class RowsRefused(InputRefused):
    """Rows were refused and the caller wanted all or nothing."""

    code = "rows_refused"


class FieldRefused(InputRefused):
    """A field of a request is missing or malformed."""

    code = "field_refused"

    def __init__(self, field: str, zh: str, en: str) -> None:
        super().__init__(f"{field}:{zh}", f"{field}: {en}")
        self.field = field


class AddressRefused(InputRefused):
    """An address that nobody can listen on here."""

    code = "address_refused"
