"""Commands on the console's members. Whoever has the data may let anybody in: so a lost owner comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rangli.cli import face as faces
from rangli.cli.face import Face
from rangli.cli.opening import opened
from rangli.cli.options import AsJson, Data, Lang

if TYPE_CHECKING:
    from rangli.service.people.staff import Staff
    from rangli.store.database import Database

member_app = typer.Typer(
    help="添加、列出、重置、停用控制台成员 · Add, list, reset and end members of the console.", rich_markup_mode="rich"
)
"""Sub-commands; ``cli`` hangs them up."""

Name = Annotated[str, typer.Argument(metavar="NAME", help="姓名 · the name")]


@member_app.command("add")
def add_member(
    name: Name,
    role: Annotated[
        str, typer.Option("--role", metavar="ROLE", help="角色 · the role: owner, finance, operations, auditor")
    ] = "auditor",
    programmes: Annotated[
        list[str] | None,
        typer.Option("--programme", metavar="NAME", help="只见此项目,可多次,默认全部 · sees only this programme; repeatable"),
    ] = None,
    data: Data = None,
    json: AsJson = False,
    lang: Lang = None,
) -> None:
    """添加一位控制台成员 · Add a member of the console.

    显示一次性密码;首次登录后须先修改。角色:owner 所有权限,finance 订单和资金,operations 订单和方案,auditor 只读。

    Shows a one-time password, which is changed at the first sign-in. Roles: owner may do everything, finance orders and
    money, operations orders and plans, auditor only looks.

    例 Example: rangli member add ann --role finance --data build/data
    """
    face = Face(lang, json=json)
    with opened(data) as it:
        from rangli.service.people.acts import COMMAND_LINE

        _show_password(face, name, _staff(it.database).add(COMMAND_LINE, name, role, programmes or None))


@member_app.command("list")
def list_members(data: Data = None, json: AsJson = False, lang: Lang = None) -> None:
    """列出控制台成员 · List the members of the console.

    连同已停用的。

    With those that were ended.

    例 Example: rangli member list --data build/data
    """
    face = Face(lang, json=json)
    with opened(data) as it:
        views = _staff(it.database).members()
    if json:
        face.document({"members": views})
        return
    head = face.words("姓名", "name"), face.words("角色", "role"), face.words("项目", "programmes")
    more = face.words("两步登录", "second step"), face.words("最近使用", "last seen"), face.words("停用于", "ended")
    made = faces.table(*head, *more, fold=(0, 2))
    for view in views:
        of = ", ".join(view.programmes) if view.programmes is not None else face.words("全部", "all")
        second = face.words("有", "yes") if view.has_totp else "–"
        made.add_row(view.name, view.role, of, second, view.seen_at[:19] or "–", view.ended_at[:19] or "–")
    face.show(made)


@member_app.command("reset")
def reset_member(name: Name, data: Data = None, json: AsJson = False, lang: Lang = None) -> None:
    """为成员发放新的一次性密码 · Give a member a new one-time password.

    用于忘了密码或丢了验证器的人,所有者也可以:验证器停用,他的登录全部结束。

    For somebody who lost his password or his authenticator, also an owner: the authenticator is turned off and his sessions end.

    例 Example: rangli member reset ann --data build/data
    """
    face = Face(lang, json=json)
    with opened(data) as it:
        from rangli.service.people.acts import COMMAND_LINE

        _show_password(face, name, _staff(it.database).reset(COMMAND_LINE, name))


@member_app.command("end")
def end_member(name: Name, data: Data = None, json: AsJson = False, lang: Lang = None) -> None:
    """停用一位成员 · End a member.

    永久;他的登录在两秒之内结束。最后一位所有者不能停用。

    For ever; his sessions end within two seconds. The last owner cannot be ended.

    例 Example: rangli member end ann --data build/data
    """
    face = Face(lang, json=json)
    with opened(data) as it:
        from rangli.service.people.acts import COMMAND_LINE

        _staff(it.database).end_member(COMMAND_LINE, name)
    if json:
        face.document({"ended": name})
        return
    face.line(f"成员 {name} 已停用。", f"The member {name} is ended.")


def _show_password(face: Face, name: str, password: str) -> None:
    """A one-time password, once."""
    if face.json:
        face.document({"name": name, "password": password})
        return
    face.show(faces.facts((face.words("姓名", "name"), name), (face.words("一次性密码", "one-time password"), password)))
    face.line("只显示这一次;首次登录后须先修改。", "It is shown this once, and changed at the first sign-in.")


def _staff(database: Database) -> Staff:
    """The members of a database."""
    from rangli.service.clock import system_clock
    from rangli.service.people.staff import Staff

    return Staff(database, system_clock)
