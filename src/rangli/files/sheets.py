"""Cells of files that are opened with a spreadsheet."""

from __future__ import annotations

from typing import Final

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def harmless(text: str) -> str:
    """The same text, with an apostrophe before what a spreadsheet would take for a formula (CWE-1236).

    >>> harmless("=1+1"), harmless("老王面馆")
    ("'=1+1", '老王面馆')
    """
    return f"'{text}" if text.startswith(_FORMULA) else text
