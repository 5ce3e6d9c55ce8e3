"""Members of the console: who may come in, and what he may do."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from rangli.errors import FieldRefused, LastOwner, ProgrammeNotFound
from rangli.service.people.acts import ActFilter
from rangli.web.console.acts import ACT_COLUMNS, act_row
from rangli.web.console.call import Call, Shown
from rangli.web.console.door import Door
from rangli.web.console.listing import Column, Filter, Listing, Row, Slice, Want, by_time, by_use, by_words
from rangli.web.console.shelf import By, shelved
from rangli.web.console.words import ROLES, Link, State

if TYPE_CHECKING:
    from rangli.service.people import staff
    from rangli.service.people.staff import MemberView

RECENT: Final = 20
"""Acts on a member's page."""

ROLE_CHOICES: Final = tuple((role, zh, en) for role, (zh, en) in ROLES.items())
STANDS: Final = {
    "active": State("active", "可登录", "active", "good"),
    "invited": State("invited", "一次性密码", "one-time password", "wait"),
    "ended": State("ended", "已停用", "ended", "plain"),
}
"""How a member stands."""
SECOND_STEP: Final = (State("off", "未启用", "off"), State("on", "已启用", "on", "good"))


def _stand(view: MemberView) -> str:
    """How a member stands, by STANDS."""
    return "ended" if view.ended_at else "invited" if view.must_change else "active"


SORTS: Final[By[MemberView]] = {
    **dict.fromkeys(reversed(by_time("since")), lambda view: view.created_at),
    **dict.fromkeys(by_words("name", "姓名", "name"), lambda view: view.name),
    **dict.fromkeys(by_words("role", "角色", "role"), lambda view: list(ROLES).index(view.role)),
    **dict.fromkeys(by_words("stand", "状态", "state"), lambda view: list(STANDS).index(_stand(view))),
    **dict.fromkeys(by_words("second", "两步登录", "second step"), lambda view: view.has_totp),
    **dict.fromkeys(by_use("seen"), lambda view: view.seen_at),
}


# ---------------------------------------------------------------- members


def listed(call: Call) -> Shown:
    """Everybody."""
    return call.listing(
        Listing(
            "members", "成员", "Members",
            (
                Column("name", "姓名", "Name", "link"), Column("role", "角色", "Role"),
                Column("programmes", "项目", "Programmes"),
                Column("stand", "状态", "State", "state"), Column("second", "两步登录", "Second step", "state"),
                Column("seen", "最近使用", "Last seen", "time"), Column("since", "加入于", "Since", "time"),
            ),
            lambda want: _members(call, want),
            (
                Filter("name", "姓名", "Name"), Filter("role", "角色", "Role", "choice", ROLE_CHOICES),
                Filter("stand", "状态", "State", "choice", tuple((one.code, one.zh, one.en) for one in STANDS.values())),
            ),
            tuple(SORTS),
        ),
        "members/list.html",
    )  # fmt: skip


def _members(call: Call, want: Want) -> Slice:
    """A page of them. There are as many as an office has people, so all of them are read."""
    wanted = want.filters
    found = [
        view
        for view in call.service.staff.members()
        if wanted.get("name", "").casefold() in view.name.casefold()
        and wanted.get("role", view.role) == view.role
        and wanted.get("stand", _stand(view)) == _stand(view)
    ]
    return shelved(found, want, SORTS, lambda view: view.name, partial(_row, call))


def _row(call: Call, view: MemberView) -> Row:
    """A member in the list."""
    return {
        "name": Link(view.name, f"/members/of/{call.segment(view.name)}"), "role": call.t(*ROLES[view.role]),
        "programmes": _reach(call, view.programmes), "stand": STANDS[_stand(view)], "second": SECOND_STEP[view.has_totp],
        "seen": view.seen_at, "since": view.created_at,
    }  # fmt: skip


def _reach(call: Call, programmes: list[str] | None) -> str:
    """Which programmes a member sees."""
    return call.t("全部", "all") if programmes is None else call.t("、", ", ").join(programmes)


def fresh(call: Call) -> Shown:
    """A form for somebody new."""
    return call.show("members/new.html", **_choices(call), name="", role="finance", chosen=None, refused=None)


def add(call: Call) -> Shown:
    """Somebody new, and his one-time password; or the form again."""
    name, role, chosen = call.field("name"), call.field("role"), _chosen(call)
    try:
        password = call.service.staff.add(_by(call), name, role, chosen)
    except (FieldRefused, ProgrammeNotFound) as refusal:
        return call.show_refused("members/new.html", refusal, **_choices(call), name=name, role=role, chosen=chosen)
    return call.show("members/password.html", name=name, password=password)


def one(call: Call) -> Shown:
    """A member, and what may be done about him."""
    return call.show("members/member.html", **_of_member(call, call.param("name")), refused=None, about="")


def set_role(call: Call) -> Shown:
    """Another role, at once."""
    name, role = call.param("name"), call.field("role")
    return _done(
        call,
        name,
        "member.role",
        lambda: call.service.staff.set_role(_by(call), name, role),
        "角色已更改。",
        "The role is changed.",
    )


def set_programmes(call: Call) -> Shown:
    """Other programmes, at once."""
    name, chosen = call.param("name"), _chosen(call)
    return _done(
        call, name, "member.programmes", lambda: call.service.staff.set_programmes(_by(call), name, chosen),
        "可见项目已更改。", "The programmes are changed.",
    )  # fmt: skip


def end(call: Call) -> Shown:
    """He comes in no more."""
    name = call.param("name")
    return _done(
        call, name, "member.end", lambda: call.service.staff.end_member(_by(call), name), "成员已停用。", "The member is ended."
    )


def reset(call: Call) -> Shown:
    """A new one-time password."""
    name = call.param("name")
    return call.show("members/password.html", name=name, password=call.service.staff.reset(_by(call), name))


def _done(call: Call, name: str, what: str, change: Any, zh: str, en: str) -> Shown:  # noqa: ANN401 -- a function of nothing
    """The member's page once he is changed, or with the refusal in place."""
    try:
        change()
    except (FieldRefused, ProgrammeNotFound, LastOwner) as refusal:
        return call.show_refused("members/member.html", refusal, **_of_member(call, name), about=what)
    return call.go(f"/members/of/{call.segment(name)}", zh, en)


def _of_member(call: Call, name: str) -> dict[str, Any]:
    """What a member's page shows. Raises MemberNotFound."""
    view = call.service.staff.find(name)
    acts = call.service.staff.acts(call.member, ActFilter(member=name), 0, RECENT)
    return {
        **_choices(call), "view": view, "stand": STANDS[_stand(view)], "reach": _reach(call, view.programmes),
        "columns": [(column.zh, column.en, column.kind) for column in ACT_COLUMNS if column.key not in ("member", "role")],
        "acts": [[value for key, value in act_row(call, act).items() if key not in ("member", "role")] for act in acts],
    }  # fmt: skip


def _choices(call: Call) -> dict[str, Any]:
    """What forms let one choose from."""
    return {"role_choices": [(role, call.t(zh, en)) for role, zh, en in ROLE_CHOICES], "names": call.service.staff.programmes()}


def _chosen(call: Call) -> list[str] | None:
    """The programmes that a form names; None for all."""
    return None if call.field("reach") == "all" else [name for name in call.form.get("programmes", []) if name]


def _by(call: Call) -> staff.By:
    """Who does it, for the audit log."""
    return call.member.by(call.asked.address)


DOORS: Final[tuple[Door, ...]] = (
    Door("GET", "/members", "admin", listed, "成员", "Members"),
    Door("GET", "/members/new", "admin", fresh, "添加成员", "Add a member"),
    Door("POST", "/members", "admin", add, "添加成员", "Add a member"),
    Door("GET", "/members/of/{name}", "admin", one, "成员", "Member"),
    Door("POST", "/members/of/{name}/role", "admin", set_role, "更改角色", "Change the role"),
    Door("POST", "/members/of/{name}/programmes", "admin", set_programmes, "更改可见项目", "Change the programmes"),
    Door("POST", "/members/of/{name}/reset", "admin", reset, "重置成员", "Reset a member"),
    Door("POST", "/members/of/{name}/end", "admin", end, "停用成员", "End a member"),
)
