"""docs/api.md: its commands run, its tables are those of the code (``make golden`` rewrites them)."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import httpx
import web_worlds
from web_worlds import Site

from rangli.web.gate import SCOPES
from rangli.web.openapi import codes
from rangli.web.routes import ROUTES

site = web_worlds.site
PAGE = Path(__file__).parents[1] / "docs" / "api.md"


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"|{'|'.join(f' {cell} ' if cell != '---' else cell for cell in line)}|" for line in lines)


def tables() -> dict[str, str]:
    """Mark -> the table that stands between it and its end."""
    return {
        "scopes": table(("scope", "may", "可以"), [(f"`{scope}`", en, zh) for scope, (zh, en) in SCOPES.items()]),
        "problems": table(
            ("code", "status", "what it is", "含义"),
            [(f"`{code}`", str(kind.status), kind.title_en, kind.title_zh) for code, kind in codes().items()],
        ),
        "routes": table(
            ("", "address", "scope", "what it does", "作用"),
            [(f"`{route.method}`", f"`{route.path}`", route.scope or "–", route.en, route.zh) for route in ROUTES],
        ),
    }


def test_the_tables_are_those_of_the_code(golden: Callable[[str, str], None]) -> None:
    """A table that somebody has to remember to change is wrong soon."""
    text = PAGE.read_text(encoding="utf-8")
    for mark, rows in tables().items():
        assert 1 == text.count(f"<!-- {mark} -->"), mark
        text = re.sub(
            rf"(<!-- {mark} -->\n).*?(<!-- end of {mark} -->)",
            lambda found, rows=rows: f"{found[1]}{rows}\n{found[2]}",
            text,
            flags=re.DOTALL,
        )
    golden("../../docs/api.md", text)


def blocks(language: str) -> list[str]:
    """The page's blocks of code in this language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def asked(command: str, site: Site) -> httpx.Response:
    """What a command with curl asks, asked."""
    words = shlex.split(command.replace("$RANGLI", site.url).replace("$KEY", site.key), comments=True)
    assert words.pop(0) == "curl"
    headers: list[tuple[str, str]] = []
    body, url = "", ""
    while words:
        word = words.pop(0)
        if word == "-H":
            name, _, value = words.pop(0).partition(": ")
            headers.append((name, value))
        elif word == "-d":
            body = words.pop(0)
        else:
            assert not word.startswith("-"), word
            url = word
    return httpx.request("POST" if body else "GET", url, headers=headers, content=body.encode(), timeout=60)


def test_every_command_answers_with_the_status_behind_it(site: Site) -> None:
    """The first thing a newcomer does is to copy them; then the Python beside them."""
    commands = [
        line for block in blocks("sh") for line in block.replace("\\\n", " ").splitlines() if not line.startswith("export ")
    ]
    told = [re.fullmatch(r"(curl .*)  # ([0-9]{3})", command) for command in commands]
    assert None not in told
    assert len(told) >= 10
    answers = [(found[1], found[2], asked(found[1], site)) for found in told if found]

    assert [(command, status) for command, status, _ in answers] == [(command, str(a.status_code)) for command, _, a in answers]
    [program] = blocks("python")
    names = {"RANGLI": site.url, "KEY": site.key}
    exec(program, names)  # noqa: S102  (the page's own example)

    assert [] == names["refused"]


def test_every_refusal_that_a_client_can_meet_is_in_the_table() -> None:
    """The table is what an integrator reads once, before anything went wrong."""
    text = PAGE.read_text(encoding="utf-8")

    assert all(f"| `{code}` |" in text for code in codes())
    assert all(f"`{route.path}`" in text for route in ROUTES)
