"""The trunk of the tree: what every refusal has, and its branches."""

from __future__ import annotations

from typing import ClassVar, NamedTuple


class Problem(NamedTuple):
    """One fault in a document, with its place and what would be right."""

    code: str
    where: str
    """Path in the document, as ``shares[2].rate``."""
    line: int
    """Line in the file, from 1; 0 when there is none."""
    zh: str
    en: str

    def message(self, lang: str) -> str:
        """The text in ``lang`` ("zh" or "en")."""
        return self.zh if lang == "zh" else self.en


class RangliError(Exception):
    """Root of all refusals."""

    code: ClassVar[str] = "refused"

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.zh = zh
        self.en = en

    def message(self, lang: str) -> str:
        """The text in ``lang`` ("zh" or "en")."""
        return self.zh if lang == "zh" else self.en


class InputRefused(RangliError):
    """What came in cannot be used."""

    code = "input_refused"


class Refused(RangliError):
    """An operation that the books do not allow; nothing has changed."""

    code = "operation_refused"


class NotFound(RangliError):
    """Nothing of that name."""

    code = "not_found"


class AccessRefused(RangliError):
    """The door stays shut; nothing has changed."""

    code = "access_refused"


class Unavailable(RangliError):
    """Not now, or not here; nothing has changed."""

    code = "unavailable"


class StoreError(RangliError):
    """A database or its folder that cannot be used."""

    code = "store_error"


class LedgerError(RangliError):
    """A fault in the books or in what would be booked."""

    code = "ledger_error"
