"""Problems: every refusal as RFC 9457's ``application/problem+json``, with its HTTP status, in Chinese and English.

``title`` and ``detail``, which every reader of such documents knows, are English; the four texts stand beside them in both.

The one place that knows which status a refusal has. What HTTP itself can get wrong (a path that is not there, a body that is no
JSON) is a ``Fault``, from a table of its own. Whatever else is raised is a mistake of ours and shows nothing of itself.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import msgspec

from rangli import errors
from rangli.errors import FieldRefused, GuardsRefused, PlanFaulty, RangliError

MEDIA_TYPE: Final = b"application/problem+json"


class Kind(NamedTuple):
    """What a kind of refusal is answered with, and what it is called."""

    status: int
    title_zh: str
    title_en: str


REFUSALS: Final[dict[type[RangliError], tuple[int, str]]] = {
    errors.RangliError: (422, "请求被拒绝"),
    errors.InputRefused: (422, "输入不可用"),
    errors.AmountMalformed: (422, "金额或数量写法有误"),
    errors.RateMalformed: (422, "比率写法有误"),
    errors.PlanNotFound: (422, "没有这个方案"),
    errors.PlanFaulty: (422, "方案有误"),
    errors.ScenarioNotFound: (422, "没有这个场景"),
    errors.ScenarioFaulty: (422, "场景有误"),
    errors.FieldRefused: (422, "某一项缺失或写法有误"),
    errors.AddressRefused: (422, "此地址无法监听"),
    errors.FileRefused: (422, "文件不可读"),
    errors.RowsRefused: (422, "有被拒绝的行"),
    errors.Refused: (422, "账上不允许此操作"),
    errors.RefundTooLarge: (422, "退款超过尚未退还的金额"),
    errors.PointsShort: (422, "卖出的积分超过会员所有"),
    errors.LimitReached: (422, "余额会超出上限"),
    errors.OrderRefused: (422, "方案不结算此订单"),
    errors.RequestConflict: (409, "编号已用于另一请求"),
    errors.HeldOrder: (422, "冻结中或已取消的订单不能如此处理"),
    errors.PlanUnfit: (422, "新方案与项目的现有状态不相容"),
    errors.GuardsRefused: (422, "此方案还不能上线"),
    errors.PlanRefused: (422, "法律不允许此方案上线"),
    errors.SignOffMissing: (422, "此方案须有人签字"),
    errors.ProgrammeExists: (409, "已有同名项目"),
    errors.DraftMoved: (409, "草案已被改动"),
    errors.DraftClosed: (409, "草案的状态不允许"),
    errors.OwnProposal: (409, "不能批准自己的提案"),
    errors.VerifyRunning: (409, "此项目正在核验"),
    errors.MemberExists: (409, "已有同名成员"),
    errors.LastOwner: (409, "不能没有所有者"),
    errors.FormReplayed: (409, "此表单已提交过"),
    errors.NotFound: (404, "没有这个名称"),
    errors.ProgrammeNotFound: (404, "没有这个项目"),
    errors.OrderNotFound: (404, "没有这个订单"),
    errors.AccountNotFound: (404, "没有这个账户"),
    errors.DecisionNotFound: (404, "没有这个决定"),
    errors.ImportNotFound: (404, "没有这次导入,或已不再保留"),
    errors.ImportNotReady: (409, "文件还在检查,或已经结算"),
    errors.KeyNotFound: (404, "没有这个密钥"),
    errors.WebhookNotFound: (404, "没有这个 webhook"),
    errors.DeliveryNotFound: (404, "没有这次投递,或已不再保留"),
    errors.DraftNotFound: (404, "没有这个草案"),
    errors.JobNotFound: (404, "没有这个后台任务,或已不再保留"),
    errors.MemberNotFound: (404, "没有这个成员"),
    errors.AccessRefused: (403, "不准进入"),
    errors.KeyRefused: (401, "没有有效的密钥"),
    errors.ScopeRefused: (403, "此密钥无权这样做"),
    errors.SignInRefused: (401, "登录未成功"),
    errors.SignInTooOften: (429, "登录失败次数过多"),
    errors.CodeWanted: (401, "还需要验证码"),
    errors.ChangeWanted: (403, "须先修改密码"),
    errors.SessionEnded: (401, "尚未登录"),
    errors.Unavailable: (503, "此刻或此处不行"),
    errors.NotSettling: (503, "此项目由另一个进程结算"),
    errors.Failed: (503, "提交未成,什么都没有改变"),
    errors.DatabaseUnreachable: (503, "连不上数据库"),
    errors.JobsBusy: (503, "后台任务已排满"),
    errors.StoreError: (503, "数据库不可用"),
    errors.SchemaNewer: (503, "数据库的版本不合"),
    errors.DatabaseNotEmpty: (503, "备份只能恢复到空数据库"),
    errors.BackupRefused: (503, "不是备份,或已损坏"),
    errors.ServerRefused: (503, "自带的 PostgreSQL 不能运行"),
    errors.ProgramsMissing: (503, "缺少 PostgreSQL 的程序"),
    errors.FolderRefused: (503, "数据目录不可用"),
    errors.FolderTaken: (503, "数据目录被占用"),
    errors.VersionDiffers: (503, "数据目录属于另一个版本"),
    errors.ServerFailed: (503, "自带的 PostgreSQL 没有正常启动或停止"),
    errors.LedgerError: (422, "账目有误"),
    errors.NameRefused: (422, "此名称不能作账户"),
    errors.Broken: (503, "流水核对不符"),
}
"""Refusal -> HTTP status, and its title in Chinese (in English its class introduces itself). A test demands a line for each."""

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
    title_zh: str
    title_en: str
    zh: str
    en: str


FAULTS: Final[dict[str, FaultKind]] = {
    "json_malformed": FaultKind(
        400,
        "请求体不是 JSON",
        "The body is not JSON",
        "请求体不是合法的 JSON:{0};请发送 UTF-8 编码的 JSON",
        "the body is not JSON: {0}; send JSON in UTF-8",
    ),
    "path_malformed": FaultKind(
        400,
        "网址不是文本",
        "The address is no text",
        "网址中的百分号编码不是 UTF-8 文本;请按 UTF-8 编码名称",
        "the percent-encoding of the address is no text in UTF-8; encode names as UTF-8",
    ),
    "route_not_found": FaultKind(
        404,
        "没有这个网址",
        "No such address",
        "没有这个网址;所有网址见 /docs",
        "there is nothing at this address; /docs lists what there is",
    ),
    "method_not_allowed": FaultKind(
        405, "方法不对", "Wrong method", "此网址不接受 {0};可用:{1}", "this address does not take {0}; it takes {1}"
    ),
    "body_too_large": FaultKind(
        413,
        "请求体过大",
        "The body is too large",
        "请求体过大,至多 {0};请分批发送",
        "the body is too large, at most {0}; send it in parts",
    ),
    "content_type_unsupported": FaultKind(
        415,
        "内容类型不对",
        "Wrong content type",
        "不支持 Content-Type {0};请使用 {1}",
        "the content type {0} is not supported; send {1}",
    ),
    "form_malformed": FaultKind(
        400,
        "表单无法读取",
        "The form cannot be read",
        "表单无法读取:{0};请返回重填",
        "the form cannot be read: {0}; go back and fill it in again",
    ),
    "form_foreign": FaultKind(
        403,
        "表单不是从本后台提交的",
        "The form is not from here",
        "表单不是从本后台当前的登录中提交的,未作任何改动;请刷新页面后重试。每次都这样,就是前面的反向代理没有原样传递 Host",
        "the form was not handed in from this console and this sign-in, and nothing was changed; reload the page and try again;"
        " if that never helps, a proxy before it does not pass Host on",
    ),
    "rate_limited": FaultKind(
        429,
        "请求过于频繁",
        "Too many requests",
        "请求过于频繁,此密钥每秒至多 {0} 次;请在 {1} 秒后重试",
        "too many requests; this key may make {0} a second; try again in {1} s",
    ),
    "unexpected": FaultKind(
        500,
        "内部错误",
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
    title_zh: str
    title_en: str
    zh: str
    en: str
    field: str = ""
    reason: str = ""
    """Why an order or a number is refused: a code of docs/errors.md."""
    position: int | None = None
    problems: list[PlanProblem] = []


def kind_of(kind: type[RangliError]) -> Kind:
    """Status and titles of a refusal's class."""
    status, title_zh = next(REFUSALS[cls] for cls in kind.__mro__ if cls in REFUSALS)
    return Kind(status, title_zh, (kind.__doc__ or kind.__name__).splitlines()[0].partition(";")[0].rstrip("."))


def problem_of(refusal: RangliError | Fault) -> Problem:
    """The refusal as a problem."""
    if isinstance(refusal, Fault):
        zh, en = (text.format(*refusal.facts) for text in (refusal.kind.zh, refusal.kind.en))
        kind = Kind(*refusal.kind[:3])
    else:
        zh, en = (_OURS_ZH, _OURS_EN) if isinstance(refusal, OURS) else (refusal.zh, refusal.en)
        kind = kind_of(type(refusal))
    found = refusal.problems if isinstance(refusal, PlanFaulty | GuardsRefused) else []
    return Problem(
        type=f"/docs#{refusal.code}",
        title=kind.title_en,
        status=kind.status,
        detail=en,
        code=refusal.code,
        title_zh=kind.title_zh,
        title_en=kind.title_en,
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
