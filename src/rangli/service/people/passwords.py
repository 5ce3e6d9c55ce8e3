"""Passwords: argon2id with the library's parameters, what one has to be like, and those for one sign-in."""

from __future__ import annotations

import secrets
from functools import cached_property
from threading import BoundedSemaphore
from typing import Final
from unicodedata import normalize

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from rangli.errors import FieldRefused

LETTERS_MIN: Final = 10
LETTERS_MAX: Final = 200
AT_ONCE: Final = 2
"""argon2id takes 64 MiB and every core for a moment; whoever tries many passwords at once waits, and the settlers do not."""
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""Of one-time passwords; none of them looks like another."""
_GROUPS: Final = 4
_GROUP_LETTERS: Final = 4


class Passwords:
    """Hashes passwords and compares them."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._turns = BoundedSemaphore(AT_ONCE)

    def hash(self, password: str) -> str:
        """What is kept of a password."""
        with self._turns:
            return self._hasher.hash(_normal(password))

    def matches(self, kept: str | None, password: str) -> bool:
        """Whether it is the password; takes as long when it is not, and when nothing is kept."""
        nobody = self._nobody  # also when it is not needed: that it is made takes time
        with self._turns:
            try:
                return self._hasher.verify(kept or nobody, _normal(password)) and kept is not None
            except VerifyMismatchError:
                return False

    @cached_property
    def _nobody(self) -> str:
        """What the passwords of unknown names are compared with."""
        return self._hasher.hash(one_time())

    def is_old(self, kept: str) -> bool:
        """Whether it was hashed with other parameters than today's."""
        return self._hasher.check_needs_rehash(kept)


def one_time() -> str:
    """A password for one sign-in, of 79 random bits, easy to read out."""
    groups = ["".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_LETTERS)) for _ in range(_GROUPS)]
    return "-".join(groups)


def check(name: str, password: str) -> None:
    """Refuse what is too easily guessed. Raises FieldRefused."""
    if not LETTERS_MIN <= len(password) <= LETTERS_MAX:
        raise FieldRefused(
            "new", f"须为 {LETTERS_MIN} 至 {LETTERS_MAX} 个字符", f"must be of {LETTERS_MIN} to {LETTERS_MAX} characters"
        )
    if name.casefold() == password.casefold() or len(set(password)) == 1:
        raise FieldRefused("new", "不能是姓名,也不能只重复一个字符", "must not be the name, nor one character again and again")


def _normal(password: str) -> bytes:
    """The same bytes, however a keyboard composes the letters; no more of them than a password has."""
    return normalize("NFKC", password[: LETTERS_MAX + 1]).encode("utf-8", "surrogatepass")
