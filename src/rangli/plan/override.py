"""Overrides: ``path=value`` changes to a document, for designers who ask what if.

Each is an edit of the text (``edits``): only what is named changes, comments stay, and so do the lines of what stands before it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from rangli.errors import InputRefused
from rangli.plan.document import join, parse
from rangli.plan.edits import Steps, Value, plain, put, value_of, written

_STEP: Final = re.compile(r"([^.\[\]=]+)|\[([0-9]+)\]")
_PATH: Final = re.compile(r"[^.\[\]=]+(\.[^.\[\]=]+|\[[0-9]+\])*")


def override(text: str, changes: Sequence[str]) -> str:
    """The text with each change made: ``pool.exit.at=200%``, ``shares[2].rate=1% of amount``, ``packets.tiers=[50, 100]``.

    A key that is not there yet is added, with the mappings above it. Raises InputRefused for a path that leads nowhere, saying
    what is there, and for a value that is not YAML; PlanFaulty if the text is not.
    """
    for change in changes:
        path, equals, value = (part.strip() for part in change.partition("="))
        if not equals or not _PATH.fullmatch(path):
            raise InputRefused(
                f"改动 {change!r} 应写成 路径=值,如 pool.exit.at=200%",
                f"the change {change!r} is not path=value; write it as pool.exit.at=200%",
            )
        steps = tuple(match[1] or int(match[2]) for match in _STEP.finditer(path))
        _check_way(path, steps, value_of(text))
        text = put(text, steps, _read(change, value))
    return text


def _read(change: str, value: str) -> Value:
    """What a change sets. Raises InputRefused."""
    tree, problems = parse(value)
    if tree is None or problems:
        raise InputRefused(
            f"改动 {change!r} 的值读不懂:{problems[0].zh};空列表写作 [],带标点的文字请加引号",
            f"the value in the change {change!r} cannot be read: {problems[0].en}; an empty list is [], and a text with"
            " punctuation in it is put in quotes",
        )
    return plain(tree)


def _check_way(path: str, steps: Steps, document: Value) -> None:
    """That a path leads to something, or to a key that can be added. Raises InputRefused, which says what is there."""
    there, where = document, ""
    for i, step in enumerate(steps):
        inner = written(there, (step,))
        if inner is None:
            if isinstance(there, dict) and all(isinstance(more, str) for more in steps[i:]):
                return
            found = _told(there)
            raise InputRefused(
                f"路径 {path!r} 不存在:{where or '.'} 处有 {found}", f"there is no {path!r}; at {where or '.'} there is {found}"
            )
        there, where = inner, f"{where}[{step}]" if isinstance(step, int) else join(where, step)


def _told(there: Value) -> str:
    """What is there, in a word."""
    if isinstance(there, dict):
        return ", ".join(there)
    if isinstance(there, list):
        return f"[0]..[{len(there) - 1}]" if there else "[]"
    return repr(there)
