"""The command that runs the service: database, settlers, API, until it is told to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rangli.cli import face as faces
from rangli.cli.face import Face
from rangli.cli.opening import Opened, kept_alive, opened
from rangli.cli.options import AsJson, Data, Lang

if TYPE_CHECKING:
    from rangli.service import Service

PORT_MAX = 65_535
FIRST_KEY = "admin"


def serve(
    host: Annotated[str, typer.Option("--host", metavar="HOST", help="监听的地址 · the address to listen on")] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option("--port", metavar="N", min=0, max=PORT_MAX, help="端口,0 为任一空闲的 · the port, 0 for any that is free"),
    ] = 8000,
    data: Data = None,
    json: AsJson = False,
    lang: Lang = None,
) -> None:
    """运行服务 · Run the service.

    启动数据库、结算各项目、提供 API,直到 Ctrl-C 或 SIGTERM。第一次启动发放管理密钥,只显示这一次。

    Starts the database, settles every programme, serves the API. The first start makes an admin key and shows it once.

    例 Example: rangli serve --data build/data --port 8000
    """
    face = Face(lang, json=json)
    try:
        with opened(data, make=True) as it, kept_alive(it.server):
            from rangli.service import Service
            from rangli.web import serve as serve_http

            with Service.open(it.database) as service:
                key = first_key(service)
                serve_http(service, host=host, port=port, ready=lambda url: _announce(face, it, service, url, key))
    except KeyboardInterrupt:  # before it listened, or a second time
        pass
    face.note("服务已停止", "the service has stopped")


def first_key(service: Service) -> str:
    """An admin key for a database that has none yet; empty when it has."""
    from rangli.service.access import SCOPES

    if service.access.list():
        return ""
    token, _ = service.access.create(FIRST_KEY, SCOPES)
    return token


def _announce(face: Face, it: Opened, service: Service, url: str, key: str) -> None:
    """Where it is, what it serves, and the first key."""
    programmes = service.programmes()
    if face.json:
        names = [{"name": view.name, "plan": view.plan} for view in programmes]
        facts: dict[str, Any] = {"api": url, "docs": f"{url}/docs", "data": it.shown, "programmes": names}
        face.document({**facts, "key": key} if key else facts)
        face.out.file.flush()
        return
    shown = ", ".join(f"{view.name} ({view.plan})" for view in programmes)
    face.title("让利在运行,Ctrl-C 停止", "Rangli is running; Ctrl-C stops it")
    face.show(
        faces.facts(
            ("API", url),
            (face.words("文档", "docs"), f"{url}/docs"),
            (face.words("数据", "data"), it.shown),
            (face.words("项目", "programmes"), shown or "–"),
            *([(face.words("管理密钥", "admin key"), key)] if key else []),
        )
    )
    if key:
        face.line(
            "\n管理密钥只显示这一次,请妥善保存;另发密钥用 rangli key create。",
            "\nThe admin key is shown this once: keep it. rangli key create makes others.",
        )
    if not programmes:
        face.line(
            "\n还没有项目;另开一个终端:rangli programme create 名称 weituanbao",
            "\nThere is no programme yet; in another terminal: rangli programme create NAME weituanbao",
        )
    face.out.file.flush()
