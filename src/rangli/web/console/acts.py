"""The audit log: what everybody did, and what he was refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rangli.errors import FieldRefused
from rangli.service.clock import MICRO_PER_SECOND
from rangli.service.people.acts import ALL, OUTCOMES, ActFilter
from rangli.service.settling.facts import day_of
from rangli.web.console.call import Call, Shown
from rangli.web.console.door import Door
from rangli.web.console.listing import Column, Filter, Listing, Row, Slice, Want, by_time, number_of
from rangli.web.console.words import ROLES, State

if TYPE_CHECKING:
    from rangli.service.people.acts import ActView

SECONDS_PER_DAY: Final = 86_400
BEIJING_SECONDS: Final = 8 * 3_600

CAME_OUT: Final = {
    "done": State("done", "已执行", "done", "good"),
    "refused": State("refused", "被拒绝", "refused", "bad"),
    "failed": State("failed", "失败", "failed", "bad"),
}
"""Outcome of an act."""
KINDS: Final = {
    "session.begin": ("登录", "Sign-in"),
    "session.end": ("退出登录", "Sign-out"),
    "session.end_all": ("结束其他登录", "Other sessions ended"),
    "password.change": ("修改密码", "Password changed"),
    "totp.on": ("启用两步登录", "Second step on"),
    "totp.off": ("停用两步登录", "Second step off"),
    "member.add": ("添加成员", "Member added"),
    "member.role": ("更改角色", "Role changed"),
    "member.programmes": ("更改可见项目", "Programmes changed"),
    "member.reset": ("重置成员", "Member reset"),
    "member.end": ("停用成员", "Member ended"),
    "member.vouch": ("当面确认身份", "Identity shown at another's side"),
    "programme.create": ("建立项目", "Programme created"),
    "refund": ("退款", "Refund"),
    "injection": ("注资", "Injection"),
    "sale": ("卖出积分", "Sale of points"),
    "closing": ("关账", "Closing"),
    "import.check": ("检查导入文件", "Import checked"),
    "import.settle": ("导入订单", "Import settled"),
    "import.stop": ("停止导入", "Import stopped"),
    "books.save": ("导出账本", "Books exported"),
    "draft.begin": ("起草方案", "Draft begun"),
    "draft.save": ("修改草稿", "Draft saved"),
    "draft.propose": ("提交草稿", "Draft proposed"),
    "draft.return": ("退回草稿", "Draft returned"),
    "draft.approve": ("批准草稿", "Draft approved"),
    "draft.give_up": ("放弃草稿", "Draft given up"),
    "lab.run.started": ("开始运行", "Run started"),
    "lab.prospectus.started": ("开始写说明书", "Prospectus started"),
    "lab.compare.started": ("开始对比", "Comparison started"),
    "lab.claims.started": ("开始检验说法", "Claims being tested"),
    "lab.cancelled": ("取消运行", "Run cancelled"),
    "key.issue": ("发放密钥", "API key issued"),
    "key.revoke": ("吊销密钥", "API key revoked"),
    "webhook.add": ("添加 webhook", "Webhook added"),
    "webhook.remove": ("删除 webhook", "Webhook removed"),
    "webhook.redeliver": ("重新投递", "Delivered again"),
    "verification.begin": ("开始核验", "Verification begun"),
    "verification.cancel": ("取消核验", "Verification cancelled"),
    "backup.begin": ("开始备份", "Backup begun"),
    "backup.cancel": ("取消备份", "Backup cancelled"),
    "backup.remove": ("删除备份", "Backup removed"),
    "backup.download": ("下载备份", "Backup downloaded"),
}
"""What acts are called."""
ROLES_OF_ACTS: Final = {**ROLES, "command line": ("命令行", "Command line")}

ACT_COLUMNS: Final = (
    Column("at", "时间", "Time", "time"), Column("member", "成员", "Member"), Column("role", "角色", "Role"),
    Column("what", "操作", "Act"), Column("object", "对象", "Object", "code"), Column("programme", "项目", "Programme"),
    Column("outcome", "结果", "Outcome", "state"), Column("facts", "详情", "Facts"), Column("address", "来自", "From"),
)  # fmt: skip


def named(call: Call, what: str) -> tuple[str, str]:
    """What an act is called; a form that was refused is called as its page."""
    return KINDS.get(what) or call.frame.titles.get(what, (what, what))


def audit_log(call: Call) -> Shown:
    """What everybody did, as far as one may see it."""
    kinds = tuple((what, *named(call, what)) for what in call.service.staff.kinds())
    outcomes = tuple((code, CAME_OUT[code].zh, CAME_OUT[code].en) for code in OUTCOMES)
    listing = Listing(
        "acts", "操作记录", "Audit log", ACT_COLUMNS, lambda want: _acts(call, want),
        (
            Filter("member", "成员", "Member"), Filter("what", "操作", "Act", "choice", kinds),
            Filter("outcome", "结果", "Outcome", "choice", outcomes), Filter("programme", "项目", "Programme"),
            Filter("object", "对象", "Object", help_zh="写全", help_en="as a whole"),
            Filter("since", "从", "From", "date"), Filter("until", "到", "Until", "date"),
        ),
        by_time("at"),
    )  # fmt: skip
    return call.listing(listing, "members/acts.html")


def _acts(call: Call, want: Want) -> Slice:
    """A page of it."""
    words = {name: text for name, text in want.filters.items() if name not in ("since", "until")}
    since = _day("since", want.filters["since"]) if "since" in want.filters else 0
    until = _day("until", want.filters["until"], 1) if "until" in want.filters else ALL
    wanted = ActFilter(**words, since=since, until=until)
    oldest_first = want.sort == "oldest"
    found = call.service.staff.acts(call.member, wanted, number_of(want.cursor), want.limit + 1, oldest_first=oldest_first)
    shown = found[: want.limit]
    return Slice([act_row(call, act) for act in shown], str(shown[-1].number) if len(found) > want.limit else "")


def act_row(call: Call, act: ActView) -> Row:
    """A line of it."""
    return {
        "at": act.at, "member": act.member, "role": call.t(*ROLES_OF_ACTS.get(act.role, (act.role, act.role))),
        "what": call.t(*named(call, act.what)), "object": act.object, "programme": act.programme,
        "outcome": CAME_OUT[act.outcome], "facts": _facts(act.facts), "address": act.address,
    }  # fmt: skip


def _facts(facts: dict[str, Any]) -> str:
    """What is known besides, in one line."""
    return "; ".join(f"{name}: {', '.join(map(str, fact)) if isinstance(fact, list) else fact}" for name, fact in facts.items())


def _day(field: str, text: str, later: int = 0) -> int:
    """When a day begins in Beijing, or so many days later. Raises FieldRefused."""
    try:
        day = day_of(text)
    except FieldRefused:
        raise FieldRefused(field, "不是日期;正确写法如 2026-01-05", "is no date; write it as 2026-01-05") from None
    return ((day + later) * SECONDS_PER_DAY - BEIJING_SECONDS) * MICRO_PER_SECOND


DOORS: Final[tuple[Door, ...]] = (Door("GET", "/acts", "read", audit_log, "操作记录", "Audit log"),)
