"""Commands on what a database has besides its journals: programmes, and the keys of those who may use them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rangli.cli import face as faces
from rangli.cli import lane
from rangli.cli.face import Face
from rangli.cli.opening import again, journals, opened
from rangli.cli.options import AsJson, Data, Lang, PlanName, compiled, secret_of
from rangli.errors import FileRefused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rangli.service.people.access import Access
    from rangli.service.requests import Signature
    from rangli.store.database import Database

programme_app = typer.Typer(help="新建、列出项目 · Create and list programmes.", rich_markup_mode="rich")
key_app = typer.Typer(help="发放、列出、吊销 API 密钥 · Issue, list and revoke API keys.", rich_markup_mode="rich")
"""Sub-commands; ``cli`` hangs them up."""

# ---------------------------------------------------------------- programmes


@programme_app.command("create")
def create_programme(
    name: Annotated[str, typer.Argument(metavar="NAME", help="项目名:字母、数字、汉字、- 和 _ · letters, digits, - and _")],
    plan: PlanName,
    *,
    hold: Annotated[
        int | None,
        typer.Option(
            "--hold",
            metavar="SECONDS",
            min=0,
            help="订单冻结多久才结算,默认按方案 · how long an order is held before it settles; by default as the plan says",
        ),
    ] = None,
    secret: Annotated[
        str | None,
        typer.Option(
            "--secret",
            metavar="HEX",
            help="32 字节密钥,1–64 位十六进制;不写则新抽 · the 32-byte secret that chance hangs on; drawn anew by default",
        ),
    ] = None,
    channel: Annotated[
        str,
        typer.Option(
            "--channel",
            metavar="NAME",
            help="sandbox 不动钱;real 动钱,法律拒绝的方案不能用 · sandbox moves no money; real runs no plan that the law refuses",
        ),
    ] = "sandbox",
    signed: Annotated[
        Path | None,
        typer.Option(
            "--signed",
            metavar="FILE",
            help="签字:YAML 列表,每人 name、reason、opinion · who signs for the plan: a YAML list of name, reason and opinion",
        ),
    ] = None,
    data: Data = None,
    json: AsJson = False,
    lang: Lang = None,
) -> None:
    """新建一个项目 · Create a programme under a plan.

    一个数据库可以有许多项目,各有各的方案、账本和密钥。

    A database has as many programmes as you like, each with its plan, its books and its secret.

    例 Example: rangli programme create noodles weituanbao --data build/data --secret 2a
    """
    face = Face(lang, json=json)
    _, text = compiled(plan)
    chance, signatures = secret_of(secret), () if signed is None else _signatures(signed)
    with opened(data, make=True) as it:
        lane.choose_for_orders(sum(journal.position for journal in journals(it.database)))
        from rangli.service import Service

        with Service.open(it.database) as service:
            view = service.create(name, text, hold_seconds=hold, secret=chance, channel=channel, signed=signatures)
    if json:
        face.document(view)
        return
    face.line(
        f"项目 {view.name} 已建立:方案 {view.plan},版本 {view.version[:12]}…",
        f"The programme {view.name} is there: plan {view.plan}, version {view.version[:12]}…",
    )
    following = f"rangli import FILE --programme {name}{again(data)}"
    face.note(f"接下来:{following}", f"next: {following}")


@programme_app.command("list")
def list_programmes(data: Data = None, json: AsJson = False, lang: Lang = None) -> None:
    """列出全部项目 · List the programmes.

    直接读数据库;服务在不在运行都可以。

    Read from the database, whether a service runs or not.

    例 Example: rangli programme list --data build/data
    """
    face = Face(lang, json=json)
    with opened(data) as it:
        found = list(_programmes(it.database))
    if json:
        face.document({"programmes": found})
        return
    head = face.words("项目", "programme"), face.words("方案", "plan"), face.words("决定", "decisions")
    more = face.words("冻结(秒)", "hold (s)"), face.words("通道", "channel"), face.words("建立于", "created")
    made = faces.table(*head, *more, right=(2, 3))
    for one in found:
        counts = faces.count(one["position"]), faces.count(one["hold_seconds"])
        made.add_row(one["name"], one["plan"], *counts, one["channel"], one["created_at"])
    face.show(made)


def _programmes(database: Database) -> Iterator[dict[str, Any]]:
    """Each with its newest plan and how long its journal is."""
    positions = {journal.name: journal.position for journal in journals(database)}
    with database.connect() as connection:
        rows = connection.execute(
            "SELECT p.name, v.name, v.version, p.hold_seconds, p.channel,"
            " to_char(to_timestamp(p.created_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
            " FROM programme p, LATERAL (SELECT name, version FROM plan WHERE programme = p.number"
            " ORDER BY number DESC LIMIT 1) v ORDER BY p.number"
        ).fetchall()
    for name, plan, version, hold, channel, created in rows:
        yield {
            "name": name, "plan": plan, "version": version, "position": positions[name], "hold_seconds": hold,
            "channel": channel, "created_at": created,
        }  # fmt: skip


def _signatures(path: Path) -> tuple[Signature, ...]:
    """What a file says of who signs. Raises FileRefused."""
    import msgspec

    from rangli.service.requests import Signature

    try:
        return msgspec.yaml.decode(path.read_bytes(), type=tuple[Signature, ...])
    except (OSError, msgspec.MsgspecError) as fault:
        raise FileRefused(
            f"{path} 不是签字的列表(每人写 name、reason、opinion):{fault}",
            f"{path} is no list of signatures (name, reason and opinion of each): {fault}",
        ) from fault


# ---------------------------------------------------------------- keys


@key_app.command("create")
def create_key(
    name: Annotated[str, typer.Argument(metavar="NAME", help="由谁使用 · who uses it")],
    scopes: Annotated[
        list[str] | None,
        typer.Option(
            "--scope",
            metavar="SCOPE",
            help="权限:read、orders、money、plans、admin,可多次 · a scope; repeatable, by default read and orders",
        ),
    ] = None,
    programmes: Annotated[
        list[str] | None,
        typer.Option("--programme", metavar="NAME", help="只用于此项目,可多次,默认全部 · only for this programme; repeatable"),
    ] = None,
    per_second: Annotated[
        int, typer.Option("--per-second", metavar="N", min=1, help="每秒至多几个请求 · requests a second at most")
    ] = 1_000,
    data: Data = None,
    json: AsJson = False,
    lang: Lang = None,
) -> None:
    """发放一个 API 密钥 · Issue an API key.

    密钥只显示这一次;数据库里只有它的摘要。

    It is shown this once; the database keeps its digest only.

    例 Example: rangli key create till-1 --scope orders --programme noodles --data build/data
    """
    face = Face(lang, json=json)
    with opened(data) as it:
        token, view = _access(it.database).create(name, scopes or ["read", "orders"], programmes, per_second)
    if json:
        face.document({"key": token, "view": view})
        return
    face.show(faces.facts((face.words("密钥", "key"), token), (face.words("编号", "id"), view.key_id)))
    face.line("只显示这一次,请妥善保存。", "It is shown this once: keep it.")


@key_app.command("list")
def list_keys(data: Data = None, json: AsJson = False, lang: Lang = None) -> None:
    """列出全部密钥 · List the API keys.

    连同已吊销的;密钥本身不在其中。

    With those that were revoked; the keys themselves are nowhere.

    例 Example: rangli key list --data build/data
    """
    face = Face(lang, json=json)
    with opened(data) as it:
        views = _access(it.database).list()
    if json:
        face.document({"keys": views})
        return
    head = face.words("编号", "id"), face.words("谁", "who"), face.words("权限", "scopes"), face.words("项目", "programmes")
    made = faces.table(*head, face.words("吊销于", "revoked"), fold=(1, 2, 3))
    for view in views:
        of = ", ".join(view.programmes) if view.programmes is not None else face.words("全部", "all")
        made.add_row(view.key_id, view.name, ", ".join(view.scopes), of, view.revoked_at[:19])
    face.show(made)


@key_app.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="密钥的编号 · the key's id")],
    data: Data = None,
    json: AsJson = False,
    lang: Lang = None,
) -> None:
    """吊销一个密钥 · Revoke an API key.

    永久失效;运行中的服务两秒之内知道。

    For ever; a service that runs knows within two seconds.

    例 Example: rangli key revoke 0123456789ab --data build/data
    """
    face = Face(lang, json=json)
    with opened(data) as it:
        _access(it.database).revoke(key_id)
    if json:
        face.document({"revoked": key_id})
        return
    face.line(f"密钥 {key_id} 已吊销。", f"The key {key_id} is revoked.")


def _access(database: Database) -> Access:
    """The keys of a database."""
    from rangli.service.clock import system_clock
    from rangli.service.people.access import Access

    return Access(database, system_clock)
