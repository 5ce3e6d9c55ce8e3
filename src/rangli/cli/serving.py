"""The command that runs the service: database, settlers, API, until it is told to stop."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from rangli.cli import face as faces
from rangli.cli.face import Face
from rangli.cli.opening import Opened, opened
from rangli.cli.options import AsJson, Data, Lang

if TYPE_CHECKING:
    from rangli.service import Service

PORT_MAX = 65_535
FIRST_KEY = "admin"
QUIET_SECONDS = 1
"""What takes no longer needs no word."""


class First(NamedTuple):
    """What only the first start shows; empty at others."""

    key: str
    owner: str
    password: str


def serve(
    host: Annotated[str, typer.Option("--host", metavar="HOST", help="监听的地址 · the address to listen on")] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option("--port", metavar="N", min=0, max=PORT_MAX, help="端口,0 为任一空闲的 · the port, 0 for any that is free"),
    ] = 8000,
    proxy: Annotated[
        list[str] | None,
        typer.Option(
            "--proxy",
            metavar="ADDRESS",
            help="前面的反向代理的 IP 地址或网段,可多次 · the IP address or network of a proxy before it; repeatable",
        ),
    ] = None,
    webhooks_to_private: Annotated[
        bool,
        typer.Option(
            "--webhooks-to-private",
            help="webhook 可发往内网和本机 · let webhooks go to private and loopback addresses",
        ),
    ] = False,
    data: Data = None,
    json: AsJson = False,
    lang: Lang = None,
) -> None:
    """运行服务 · Run the service.

    启动数据库、结算各项目、提供控制台和 API,直到 Ctrl-C 或 SIGTERM。第一次启动发放管理密钥和所有者的一次性密码,只显示这一次。
    要经网络访问,请在前面放一个带 TLS 的反向代理,并用 --proxy 指明它:
    只有它写的 X-Forwarded-For 和 X-Forwarded-Proto 才算数。
    webhook 不发往内网和本机,否则管理密钥就成了通往内网的路(SSRF);确有需要才加 --webhooks-to-private。

    Starts the database, settles every programme, serves the console and the API. The first start makes an admin key and the
    owner of the console, and shows the key and his one-time password once.
    For a network, put a proxy with TLS before it and name it by --proxy: then its X-Forwarded-For
    and X-Forwarded-Proto are believed, and nobody else's.
    Webhooks go to no private address, or an admin key would lead into your network (SSRF); --webhooks-to-private lets them.

    例 Example: rangli serve --data build/data --port 8000
    """
    from rangli.web import listen, proxies_of
    from rangli.web import serve as serve_http

    face, proxies = Face(lang, json=json), proxies_of(proxy or ())
    try:
        with opened(data, make=True) as it:
            from rangli.service import Service

            listen(host, port).close()  # a port that is taken is named now, and not after a quarter of a minute of compiling
            with Service.open(it.database, rehearsing=True, private_webhooks=webhooks_to_private, jobs_folder=it.lab) as service:
                first = First(first_key(service), *(service.staff.ensure_owner() or ("", "")))
                _rehearse(face, service)
                announce = partial(_announce, face, it, service, first)
                serve_http(service, host=host, port=port, proxies=proxies, ready=announce)
    except KeyboardInterrupt:  # before it listened, or a second time
        pass
    face.note("服务已停止", "the service has stopped")


def _rehearse(face: Face, service: Service) -> None:
    """Wait until no first order has to wait for a compiler; say so if that takes a while."""
    if not service.wait_rehearsed(QUIET_SECONDS):
        face.note(
            "正在准备内核:在一台机器上第一次运行,要编译十几秒",
            "preparing the kernels: the first time on a machine they are compiled, which takes about fifteen seconds",
        )
        service.wait_rehearsed()


def first_key(service: Service) -> str:
    """An admin key for a database that has none yet; empty when it has."""
    from rangli.service.people.access import SCOPES

    if service.access.list():
        return ""
    token, _ = service.access.create(FIRST_KEY, SCOPES)
    return token


def _announce(face: Face, it: Opened, service: Service, first: First, url: str) -> None:
    """Where it is, what it serves, the first key and the first owner."""
    programmes = service.programmes()
    if face.json:
        names = [{"name": view.name, "plan": view.plan} for view in programmes]
        facts: dict[str, Any] = {"console": f"{url}/console", "api": url, "docs": f"{url}/docs", "data": it.shown}
        shown_once = {name: text for name, text in first._asdict().items() if text}
        face.document({**facts, "programmes": names, **shown_once})
        face.out.file.flush()
        return
    shown = ", ".join(f"{view.name} ({view.plan})" for view in programmes)
    face.title("让利在运行,Ctrl-C 停止", "Rangli is running; Ctrl-C stops it")
    face.show(
        faces.facts(
            (face.words("控制台", "console"), f"{url}/console"),
            ("API", url),
            (face.words("文档", "docs"), f"{url}/docs"),
            (face.words("数据", "data"), it.shown),
            (face.words("项目", "programmes"), shown or "–"),
            *([(face.words("管理密钥", "admin key"), first.key)] if first.key else []),
            *([(face.words("所有者", "owner"), first.owner)] if first.owner else []),
            *([(face.words("一次性密码", "one-time password"), first.password)] if first.password else []),
        )
    )
    if first.key:
        face.line(
            "\n管理密钥只显示这一次,请妥善保存;另发密钥用 rangli key create。",
            "\nThe admin key is shown this once: keep it. rangli key create makes others.",
        )
    if first.password:
        face.line(
            "\n所有者用一次性密码登录控制台,然后改为自己的密码;它也只显示这一次,丢了用 rangli member reset。",
            "\nThe owner signs in to the console with the one-time password and changes it; it too is shown this once, and"
            " rangli member reset makes another.",
        )
    if not programmes:
        face.line(
            "\n还没有项目;另开一个终端:rangli programme create 名称 weituanbao",
            "\nThere is no programme yet; in another terminal: rangli programme create NAME weituanbao",
        )
    face.out.file.flush()
