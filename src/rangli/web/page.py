"""The page at ``/docs``: every address and every problem, without anything from anywhere else."""

from __future__ import annotations

from html import escape
from typing import Final

from rangli.web.openapi import codes
from rangli.web.routes import ROUTES

_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #ddd}"
    "code{font:14px ui-monospace,monospace}tr:target{background:#ffd}"
)


def _table(head: tuple[str, ...], rows: list[str]) -> str:
    """Rows under a head."""
    return f"<table><tr>{''.join(f'<th>{escape(cell)}</th>' for cell in head)}</tr>{''.join(rows)}</table>"


def page() -> bytes:
    """The whole page."""
    routes = [
        f"<tr><td><code>{route.method}</code></td><td><code>{escape(route.path)}</code></td>"
        f"<td>{route.scope or '–'}</td><td>{escape(route.zh)}<br>{escape(route.en)}</td></tr>"
        for route in ROUTES
    ]
    problems = [
        f'<tr id="{code}"><td><code>{code}</code></td><td>{kind.status}</td>'
        f"<td>{escape(kind.title_zh)}<br>{escape(kind.title_en)}</td></tr>"
        for code, kind in codes().items()
    ]
    body = (
        "<h1>让利 · Rangli API</h1>"
        '<p>机器可读的描述 · for machines: <a href="/openapi.json">/openapi.json</a></p>'
        "<h2>网址 · Addresses</h2>"
        + _table(("", "", "权限 · scope", ""), routes)
        + "<h2>问题 · Problems</h2>"
        + _table(("code", "status", ""), problems)
    )
    head = f'<meta charset="utf-8"><title>Rangli API</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="zh-CN"><head>{head}</head><body>{body}</body></html>'.encode()
