"""What a check-up finds. It stands by itself, so that it can be told when nothing else can be loaded."""

from __future__ import annotations

from typing import Literal, NamedTuple

State = Literal["ok", "note", "fault"]


class Finding(NamedTuple):
    """What one check found."""

    check: str
    state: State
    zh: str
    en: str
    do_zh: str = ""
    """What to do about a fault; empty when what was found says so itself."""
    do_en: str = ""
