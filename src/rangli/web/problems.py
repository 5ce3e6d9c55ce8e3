"""Problems: every refusal as RFC 9457's ``application/problem+json``, with its HTTP status, in Chinese and English.

The one place that knows which status a refusal has. What HTTP itself can get wrong (a path that is not there, a body that is no
JSON) is a ``Fault``, from a table of its own. Whatever else is raised is a mistake of ours and shows nothing of itself.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import msgspec

from rangli import errors
from rangli.errors import FieldRefused, PlanFaulty, RangliError

MEDIA_TYPE: Final = b"application/problem+json"

STATUS: Final[dict[type[RangliError], int]] = {
    errors.RangliError: 422,
    errors.InputRefused: 422,
    errors.AmountMalformed: 422,
    errors.RateMalformed: 422,
    errors.PlanNotFound: 422,
    errors.PlanFaulty: 422,
    errors.FieldRefused: 422,
    errors.AddressRefused: 422,
    errors.FileRefused: 422,
    errors.RowsRefused: 422,
    errors.Refused: 422,
    errors.RefundTooLarge: 422,
    errors.PointsShort: 422,
    errors.LimitReached: 422,
    errors.OrderRefused: 422,
    errors.RequestConflict: 409,
    errors.HeldOrder: 422,
    errors.PlanUnfit: 422,
    errors.ProgrammeExists: 409,
    errors.NotFound: 404,
    errors.ProgrammeNotFound: 404,
    errors.OrderNotFound: 404,
    errors.AccountNotFound: 404,
    errors.KeyNotFound: 404,
    errors.WebhookNotFound: 404,
    errors.DeliveryNotFound: 404,
    errors.AccessRefused: 403,
    errors.KeyRefused: 401,
    errors.ScopeRefused: 403,
    errors.Unavailable: 503,
    errors.NotSettling: 503,
    errors.Failed: 503,
    errors.DatabaseUnreachable: 503,
    errors.StoreError: 503,
    errors.SchemaNewer: 503,
    errors.DatabaseNotEmpty: 503,
    errors.BackupRefused: 503,
    errors.ServerRefused: 503,
    errors.ProgramsMissing: 503,
    errors.FolderRefused: 503,
    errors.FolderTaken: 503,
    errors.VersionDiffers: 503,
    errors.ServerFailed: 503,
    errors.LedgerError: 422,
    errors.NameRefused: 422,
    errors.Broken: 503,
}
"""Refusal -> HTTP status. A test demands a line for every class."""

UNAUTHORIZED: Final = 401
UNAVAILABLE: Final = 503
HEADERS: Final = {
    UNAUTHORIZED: ((b"www-authenticate", b"Bearer"),),
    UNAVAILABLE: ((b"retry-after", b"1"),),
}
"""What is sent with every problem of a status."""


OURS: Final = (errors.DatabaseUnreachable, errors.StoreError)
"""What is the operator's business: the log has the whole of it, the client learns only that it may try again."""
_OURS_ZH: Final = "服务暂时不可用;请稍后用同一编号重试"
_OURS_EN: Final = "the service is not available now; try again soon with the same id"


class FaultKind(NamedTuple):
    """What one fault of HTTP is called and answered with; the texts may name {0}, {1}."""

    status: int
    title: str
    zh: str
    en: str


FAULTS: Final[dict[str, FaultKind]] = {
    "json_malformed": FaultKind(
        400,
        "The body is not JSON",
        "请求体不是合法的 JSON:{0};请发送 UTF-8 编码的 JSON",
        "the body is not JSON: {0}; send JSON in UTF-8",
    ),
    "path_malformed": FaultKind(
        400,
        "The address is no text",
        "网址中的百分号编码不是 UTF-8 文本;请按 UTF-8 编码名称",
        "the percent-encoding of the address is no text in UTF-8; encode names as UTF-8",
    ),
    "route_not_found": FaultKind(
        404, "No such address", "没有这个网址;所有网址见 /docs", "there is nothing at this address; /docs lists what there is"
    ),
    "method_not_allowed": FaultKind(
        405, "Wrong method", "此网址不接受 {0};可用:{1}", "this address does not take {0}; it takes {1}"
    ),
    "body_too_large": FaultKind(
        413, "The body is too large", "请求体过大,至多 {0};请分批发送", "the body is too large, at most {0}; send it in parts"
    ),
    "content_type_unsupported": FaultKind(
        415,
        "Wrong content type",
        "不支持 Content-Type {0};请使用 {1}",
        "the content type {0} is not supported; send {1}",
    ),
    "rate_limited": FaultKind(
        429,
        "Too many requests",
        "请求过于频繁,此密钥每秒至多 {0} 次;请在 {1} 秒后重试",
        "too many requests; this key may make {0} a second; try again in {1} s",
    ),
    "unexpected": FaultKind(
        500,
        "A mistake of ours",
        "内部错误,已记录为 {0};请把此编号告诉运营者",
        "a mistake of ours, logged as {0}; tell the operator this number",
    ),
}
"""Code -> what HTTP itself can get wrong, and one mistake of ours."""


class Fault(Exception):
    """A fault of HTTP itself, by its code in FAULTS."""

    def __init__(self, code: str, *facts: str, field: str = "", headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        super().__init__(code)
        self.code = code
        self.kind = FAULTS[code]
        self.facts = facts
        self.field = field
        self.headers = headers
        """Sent with the answer: Allow, Retry-After, WWW-Authenticate."""


class PlanProblem(msgspec.Struct, frozen=True):
    """One fault of a plan document."""

    code: str
    where: str
    line: int
    zh: str
    en: str


class Problem(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A refusal, as RFC 9457 has it, in both languages."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    zh: str
    en: str
    field: str = ""
    reason: str = ""
    """Why an order or a number is refused: a code of docs/errors.md."""
    position: int | None = None
    problems: list[PlanProblem] = []


def status_of(kind: type[RangliError]) -> int:
    """The HTTP status of a kind of refusal."""
    return next(STATUS[cls] for cls in kind.__mro__ if cls in STATUS)


def title_of(kind: type[RangliError]) -> str:
    """A refusal's kind in a line: how its class introduces itself."""
    return (kind.__doc__ or kind.__name__).splitlines()[0].partition(";")[0].rstrip(".")


def problem_of(refusal: RangliError | Fault) -> Problem:
    """The refusal as a problem."""
    if isinstance(refusal, Fault):
        zh, en = (text.format(*refusal.facts) for text in (refusal.kind.zh, refusal.kind.en))
        status, title = refusal.kind.status, refusal.kind.title
    else:
        zh, en = (_OURS_ZH, _OURS_EN) if isinstance(refusal, OURS) else (refusal.zh, refusal.en)
        status, title = status_of(type(refusal)), title_of(type(refusal))
    found = refusal.problems if isinstance(refusal, PlanFaulty) else []
    return Problem(
        type=f"/docs#{refusal.code}",
        title=title,
        status=status,
        detail=en,
        code=refusal.code,
        zh=zh,
        en=en,
        field=getattr(refusal, "field", ""),
        reason=getattr(refusal, "status", getattr(refusal, "fault", "")),
        position=getattr(refusal, "position", None),
        problems=[PlanProblem(p.code, p.where, p.line, p.zh, p.en) for p in found],
    )


# ---------------------------------------------------------------- JSON that does not fit

_KINDS: Final = {
    "str": ("文本", "a text"),
    "int": ("整数", "a whole number"),
    "float": ("小数", "a decimal number"),
    "bool": ("true 或 false", "true or false"),
    "object": ("对象", "an object"),
    "array": ("列表", "a list"),
    "null": ("null", "null"),
}
_EXPECTED: Final = re.compile(r"Expected `([^`]*)`(.*?)(?:, got `([^`]*)`)?(?: - at `\$(.*)`)?", re.DOTALL)
_MISSING: Final = re.compile(r"Object missing required field `([^`]*)`(?: - at `\$(.*)`)?", re.DOTALL)
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)


def refusal_of(fault: ValueError | RecursionError, fields: tuple[str, ...]) -> RangliError | Fault:
    """What msgspec found wrong with a body or a query of these fields, as a refusal that names the field."""
    if not isinstance(fault, msgspec.ValidationError):
        return Fault("json_malformed", "invalid UTF-8" if isinstance(fault, UnicodeDecodeError) else str(fault))
    said = str(fault)
    missing, unknown, expected = (pattern.fullmatch(said) for pattern in (_MISSING, _UNKNOWN, _EXPECTED))
    if missing:
        return FieldRefused(_field(missing[2], missing[1]), "缺少此项;必须填写", "it is missing; it must be there")
    if unknown:
        known = ", ".join(fields) or "–"
        return FieldRefused(unknown[1][:60], f"没有此项;可用的有 {known}", f"there is no such field; there are {known}")
    if expected and expected[1].split(" | ")[0] in _KINDS:
        kinds = [_KINDS[kind] for kind in expected[1].split(" | ") if kind in _KINDS]
        zh, en = "或".join(zh for zh, _ in kinds), " or ".join(en for _, en in kinds)
        got_zh, got_en = _KINDS.get(expected[3] or "", ("", ""))
        limit = expected[2].strip()
        zh = f"应为{zh} {limit}".rstrip() + (f",现为{got_zh}" if got_zh and not limit else "")
        en = f"it must be {en} {limit}".rstrip() + (f", not {got_en}" if got_en and not limit else "")
        return FieldRefused(_field(expected[4]), zh, en)
    what, _, place = said.partition(" - at `$")
    return FieldRefused(_field(place.rstrip("`")), f"不合要求:{what}", f"it does not fit: {what}")


def _field(place: str | None, name: str = "") -> str:
    """Where in the body, as ``scopes[...]`` or ``amount``; ``body`` for all of it."""
    return ".".join(part for part in ((place or "").lstrip("."), name) if part) or "body"
