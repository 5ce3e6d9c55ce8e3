"""Running our own command line: in this process, with a fixed width, no colour, and an English locale unless asked otherwise."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import typer

from rangli.cli import app, main

SLOW_LANE = os.environ.get("NUMBA_DISABLE_JIT") == "1"
"""Kernels run as plain Python: tests of mere texts, and of a million orders, are left to the other lane."""


class Ran(NamedTuple):
    """What a command came to."""

    status: int
    out: str
    err: str

    @property
    def facts(self) -> Any:  # noqa: ANN401 - whatever JSON can hold
        """Its JSON."""
        return json.loads(self.out)


def run(command: str, *more: str, columns: int = 80, folder: Path | None = None, **env: str) -> Ran:
    """Run ``rangli <command>``; ``more`` arguments are taken as they are."""
    out, err = io.StringIO(), io.StringIO()
    kept = {name: value for name, value in os.environ.items() if not re.match(r"LC_|LANG|RANGLI_|FORCE_COLOR", name)}
    plain = {**kept, "COLUMNS": str(columns), "NO_COLOR": "1", "LANG": "C.UTF-8", **env}
    with patch.dict(os.environ, plain, clear=True), redirect_stdout(out), redirect_stderr(err), chdir(folder or Path.cwd()):
        status = main([*shlex.split(command), *more])
    return Ran(status, out.getvalue(), err.getvalue())


def said_until(process: subprocess.Popen[str], word: str) -> str:
    """What a process prints, up to and with the line that has this in it; what ends sooner has said why on its stderr."""
    assert process.stdout is not None
    said = ""
    while word not in said:
        line = process.stdout.readline()
        assert line, f"it ended before it said {word!r}: {said}{process.stderr.read() if process.stderr else ''}"
        said += line
    return said


def told(command: str, **env: str) -> str:
    """A command that succeeds, and what it prints, as a transcript."""
    ran = run(command, **env)
    assert (0, "") == (ran.status, "" if ran.status == 0 else ran.err)
    return f"$ rangli {command}\n{ran.out}"


def commands() -> Iterator[tuple[str, Any]]:
    """Every command by its full name."""
    root: Any = typer.main.get_command(app)
    for name, command in root.commands.items():
        inner = getattr(command, "commands", None)
        if inner is None:
            yield name, command
        else:
            yield from ((f"{name} {inside}", one) for inside, one in inner.items())


def example_of(command: Any) -> str:  # noqa: ANN401 - typer's own
    """The example in a command's help, without the program's name."""
    found = re.findall(r"例 Example: rangli (.+)", command.callback.__doc__)
    assert len(found) == 1, f"{command.name} has one line `例 Example: rangli ...`"
    return str(found[0])
