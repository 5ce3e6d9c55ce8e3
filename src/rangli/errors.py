"""The tree of refusals.

RangliError
├── InputRefused                what came in cannot be used; exit status 2
│   ├── AmountMalformed         a text is not yuan with at most two decimals
│   ├── RateMalformed           a text is not a percentage of at most two decimals
│   ├── PlanNotFound            no preset and no file of that name
│   ├── PlanFaulty              a plan document with problems; carries all of them
│   ├── ScenarioNotFound        no scenario of that name, and no file
│   ├── ScenarioFaulty          a scenario document with problems; carries all of them
│   ├── FieldRefused            a field of a request that is missing or malformed; names it
│   ├── AddressRefused          an address that nobody can listen on here
│   ├── FileRefused             an order file or directory that cannot be read as one
│   └── RowsRefused             --strict and at least one refused row
├── Refused                     an operation that the books do not allow; nothing has changed
│   ├── RefundTooLarge          more than was paid and is not yet refunded
│   ├── PointsShort             a sale of more points than the member has
│   ├── LimitReached            a balance would pass MICRO_MAX
│   ├── OrderRefused            an order that its plan does not settle; carries the status
│   ├── RequestConflict         an id that was used before with other facts; names the field
│   ├── HeldOrder               what cannot be done with an order that is still held, or was cancelled
│   ├── PlanUnfit               a plan whose state is not that of the programme's plan
│   ├── GuardsRefused           a plan that may not run on a real channel as it is; carries what the guards found
│   │   ├── PlanRefused         nobody can let it run
│   │   └── SignOffMissing      more people have to sign for it
│   └── ProgrammeExists         a programme of that name is there
├── NotFound
│   ├── ProgrammeNotFound
│   ├── OrderNotFound
│   ├── AccountNotFound
│   ├── KeyNotFound
│   ├── WebhookNotFound
│   └── DeliveryNotFound
├── AccessRefused               the door stays shut; nothing has changed
│   ├── KeyRefused              no key, or none that is valid now
│   └── ScopeRefused            a key that may not do this; names what is missing
├── Unavailable                 not now, or not here; nothing has changed
│   ├── NotSettling             another process settles this programme
│   ├── Failed                  the commit failed, and nothing of it was done
│   └── DatabaseUnreachable
├── StoreError                  a database or its folder that cannot be used
│   ├── SchemaNewer             a database of a later, or PostgreSQL of an earlier version
│   ├── DatabaseNotEmpty        a backup is restored into an empty database only
│   ├── BackupRefused           a file that is no backup, or is damaged; says where
│   └── ServerRefused           the embedded PostgreSQL cannot run here
│       ├── ProgramsMissing     PostgreSQL's programs are not there, or cannot be run
│       ├── FolderRefused       a data folder that it cannot use: out of reach, not writable, full of something else
│       │   ├── FolderTaken     another process or user has it
│       │   └── VersionDiffers  another PostgreSQL version made it
│       └── ServerFailed        it did not start, or did not stop; says why, and where its log is
└── LedgerError
    ├── NameRefused             a name that no account can be made of
    └── Broken                  a journal that does not verify; names the first difference

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
    row: int = 0
    """Which transfer of those that were to be booked."""


class LedgerError(RangliError):
    """A fault in the books or in what would be booked."""

    code = "ledger_error"


class NameRefused(LedgerError):
    """A name that no account can be made of."""

    code = "name_refused"


class Broken(LedgerError):
    """A journal that does not verify."""

    code = "journal_broken"

    def __init__(self, position: int, zh: str, en: str) -> None:
        super().__init__(f"第 {position} 条决定:{zh}", f"decision {position}: {en}")
        self.position = position


class FieldRefused(InputRefused):
    """A field of a request is missing or malformed."""

    code = "field_refused"

    def __init__(self, field: str, zh: str, en: str) -> None:
        super().__init__(f"{field}:{zh}", f"{field}: {en}")
        self.field = field


class OrderRefused(Refused):
    """An order that its plan does not settle."""

    code = "order_refused"

    def __init__(self, field: str, status: str, zh: str, en: str) -> None:
        super().__init__(f"{field}:{zh}", f"{field}: {en}")
        self.field = field
        self.status = status


class RequestConflict(Refused):
    """An id that was used before with other facts."""

    code = "request_conflict"

    def __init__(self, request_id: str, field: str, asked: str, before: str) -> None:
        super().__init__(
            f"{request_id} 已用于另一请求:{field} 现为 {asked!r},先前为 {before!r};新请求请用新编号",
            f"{request_id} was used before with another {field}: it is {asked!r} now and was {before!r};"
            " use a new id for a new request",
        )
        self.request_id = request_id
        self.field = field
        self.asked = asked
        self.before = before


class HeldOrder(Refused):
    """What cannot be done with an order that is still held, or was cancelled."""

    code = "order_held"


class PlanUnfit(Refused):
    """A plan whose state is not that of the programme's plan."""

    code = "plan_unfit"


class GuardsRefused(Refused):
    """A plan that may not run on a real channel as it is."""

    code = "guards_refused"

    def __init__(self, zh: str, en: str, problems: list[Problem]) -> None:
        super().__init__(f"{zh}:{''.join(p.zh for p in problems)}", f"{en}: {' '.join(p.en for p in problems)}")
        self.headline = zh, en
        self.problems = problems
        """What the guards found; the code of each is its guard."""


class PlanRefused(GuardsRefused):
    """A plan that the law's guards refuse on a real channel."""

    code = "plan_refused"

    def __init__(self, problems: list[Problem]) -> None:
        names = dict.fromkeys(p.code for p in problems)
        super().__init__(
            f"此方案不能在真实通道上运行({'、'.join(names)})",
            f"this plan cannot run on a real channel ({', '.join(names)})",
            problems,
        )


class SignOffMissing(GuardsRefused):
    """A plan that needs more people to sign for it."""

    code = "sign_off_missing"

    def __init__(self, problems: list[Problem], needed: int, people: int) -> None:
        super().__init__(
            f"此方案在真实通道上须由 {needed} 人签字(已有 {people} 人),各写理由和法律意见",
            f"on a real channel this plan needs {needed} people to sign ({people} did), each with a reason and a legal opinion",
            problems,
        )


class ProgrammeExists(Refused):
    """A programme of that name is there."""

    code = "programme_exists"


class NotFound(RangliError):
    """Nothing of that name."""

    code = "not_found"


class ProgrammeNotFound(NotFound):
    """No programme of that name."""

    code = "programme_not_found"


class OrderNotFound(NotFound):
    """No order of that id."""

    code = "order_not_found"


class AccountNotFound(NotFound):
    """No account of that path."""

    code = "account_not_found"


class Unavailable(RangliError):
    """Not now, or not here; nothing has changed."""

    code = "unavailable"


class NotSettling(Unavailable):
    """Another process settles this programme."""

    code = "not_settling"


class Failed(Unavailable):
    """The commit failed, and nothing of it was done."""

    code = "commit_failed"


class DatabaseUnreachable(Unavailable):
    """No connection to the database."""

    code = "database_unreachable"


class StoreError(RangliError):
    """A database or its folder that cannot be used."""

    code = "store_error"


class SchemaNewer(StoreError):
    """A database of a later version of Rangli, or PostgreSQL of an earlier one than it needs."""

    code = "schema_newer"


class ServerRefused(StoreError):
    """The embedded PostgreSQL cannot run here."""

    code = "server_refused"


class ProgramsMissing(ServerRefused):
    """PostgreSQL's programs are not there, or cannot be run."""

    code = "programs_missing"


class FolderRefused(ServerRefused):
    """A data folder that the embedded PostgreSQL cannot use; ``zh`` and ``en`` go on after its name."""

    code = "folder_refused"

    def __init__(self, folder: object, zh: str, en: str) -> None:
        super().__init__(f"目录 {folder} {zh}", f"the folder {folder} {en}")
        self.folder = str(folder)


class FolderTaken(FolderRefused):
    """A data folder that another process or user has."""

    code = "folder_taken"


class VersionDiffers(FolderRefused):
    """A data folder that another PostgreSQL version made."""

    code = "version_differs"

    def __init__(self, folder: object, found: str, ours: str) -> None:
        super().__init__(
            folder,
            f"属于 PostgreSQL {found},这里的程序是 {ours};"
            "请用当初的 Rangli 版本执行 rangli backup,再在这里 rangli restore 到另一个目录",
            f"belongs to PostgreSQL {found} and the programs here are {ours}; "
            "run rangli backup with the version of Rangli that made it, and rangli restore here into another folder",
        )
        self.found = found
        self.ours = ours


class ServerFailed(ServerRefused):
    """The embedded PostgreSQL did not start, or did not stop; ``zh`` and ``en`` are why, in its own words if it gave any."""

    code = "server_failed"

    def __init__(self, zh: str, en: str, log: object = None) -> None:
        super().__init__(
            f"PostgreSQL 没有正常启动或停止:{zh}" + (f";详见 {log}" if log else ""),
            f"PostgreSQL did not start or stop as it should: {en}" + (f"; more in {log}" if log else ""),
        )
        self.log = log


class KeyNotFound(NotFound):
    """No API key of that id."""

    code = "key_not_found"


class WebhookNotFound(NotFound):
    """No webhook of that id."""

    code = "webhook_not_found"


class DeliveryNotFound(NotFound):
    """No delivery of that id, or one that is no longer kept."""

    code = "delivery_not_found"


class AccessRefused(RangliError):
    """The door stays shut; nothing has changed."""

    code = "access_refused"


class KeyRefused(AccessRefused):
    """No key, or none that is valid now; which of them is not said."""

    code = "key_refused"

    def __init__(self) -> None:
        super().__init__(
            "缺少有效的 API 密钥;请在请求头中写 Authorization: Bearer rl_…",
            "there is no valid API key; send the header Authorization: Bearer rl_…",
        )


class ScopeRefused(AccessRefused):
    """A key that may not do this."""

    code = "scope_refused"

    def __init__(self, missing: str, zh: str, en: str) -> None:
        super().__init__(zh, en)
        self.missing = missing


class DatabaseNotEmpty(StoreError):
    """A backup is restored into an empty database only."""

    code = "database_not_empty"


class BackupRefused(StoreError):
    """A file that is no backup, or is damaged."""

    code = "backup_refused"


class AddressRefused(InputRefused):
    """An address that nobody can listen on here."""

    code = "address_refused"
