"""Typography of Chinese: our texts are written with the marks of a keyboard, and a printed page has the full-width ones."""

from __future__ import annotations

import re
from typing import Final, TypeVar

from markupsafe import Markup

Text = TypeVar("Text", str, Markup)

_HAN: Final = "\u3001-\u30ff\u4e00-\u9fff\u201c\u201d"
_MARKS: Final = {",": "\uff0c", ";": "\uff1b", ":": "\uff1a", "?": "\uff1f", "!": "\uff01"}
_MARK: Final = re.compile(f"(?<=[{_HAN}\uff09])[,;:?!]|[,;:?!](?=[{_HAN}\uff08])")
_BRACKETS: Final = re.compile(f"(?<=[{_HAN}])\\(([^()]*)\\)|\\(([^()]*[{_HAN}][^()]*)\\)|\\(([^()]*)\\)(?=[{_HAN}])")


def full_width(text: Text) -> Text:
    """The text with full-width marks where they touch Chinese; numbers and code keep theirs.

    >>> full_width("\u5171 12,284 \u4f4d(3%),\u5176\u4ed6") == "\u5171 12,284 \u4f4d\uff083%\uff09\uff0c\u5176\u4ed6"
    True
    """
    in_brackets = _BRACKETS.sub(lambda found: f"\uff08{found[1] or found[2] or found[3] or ''}\uff09", str(text))
    return type(text)(_MARK.sub(lambda found: _MARKS[found[0]], in_brackets))
