"""Accounts: who holds what, as a path for people and a dense number for kernels.

A **holder** is a person or an institution with a dense number; a **pocket** is one of its accounts.
``account = holder * POCKETS + pocket``, so a kernel reaches any account of a holder by an addition.

consumer:<name>:wallet | points | vouchers
merchant:<name>:wallet | points | vouchers | concession | income | borne
agent:<name>:wallet | points | vouchers        recruiters and region agents
platform:surplus, platform:funding
programme:pool, programme:dividend, programme:reserve, programme:points, programme:vouchers,
programme:fund:<fund>, programme:packets:<merchant>:<tier>

Only merchants use their last three.

In a name a colon, a percent sign and control characters are percent-encoded (UTF-8), so a path splits at its colons.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple
from urllib.parse import unquote

from rangli.errors import NameRefused

POCKETS: Final = 8
"""Accounts per holder."""
POCKET_BITS: Final = 3
"""account >> 3 is the holder."""
assert POCKETS == 1 << POCKET_BITS

WALLET: Final = 0
POINTS: Final = 1
VOUCHERS: Final = 2
CONCESSION: Final = 3
INCOME: Final = 4
BORNE: Final = 5
POCKET_NAMES: Final = ("wallet", "points", "vouchers", "concession", "income", "borne")

CONSUMER: Final = 0
MERCHANT: Final = 1
AGENT: Final = 2
INSTITUTION: Final = 3
KIND_NAMES: Final = ("consumer", "merchant", "agent")

# The institutions every programme has, by holder number.
SURPLUS: Final = 0
FUNDING: Final = 1
POOL: Final = 2
DIVIDEND: Final = 3
RESERVE: Final = 4
POINT_ISSUER: Final = 5
VOUCHER_ISSUER: Final = 6
INSTITUTIONS: Final = (
    "platform:surplus",
    "platform:funding",
    "programme:pool",
    "programme:dividend",
    "programme:reserve",
    "programme:points",
    "programme:vouchers",
)
FIRST_FUND: Final = len(INSTITUTIONS)

HOLDERS_MAX: Final = 2**31 // POCKETS
NAME_BYTES_MAX: Final = 200
PLAIN_LETTERS_MAX: Final = 50
"""So many letters and digits are a name whatever they are."""
assert 4 * PLAIN_LETTERS_MAX <= NAME_BYTES_MAX, "UTF-8 takes four bytes a letter at most"


def encode_name(name: str) -> str:
    """A free-text name as one part of a path.

    >>> encode_name("老王:面馆 100%")
    '老王%3A面馆 100%25'

    Raises NameRefused when it is empty, longer than NAME_BYTES_MAX bytes, or no Unicode text.
    """
    if name.isalnum() and len(name) <= PLAIN_LETTERS_MAX:
        return name
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        size = 0
    if not 0 < size <= NAME_BYTES_MAX:
        raise NameRefused(
            f"名称 {name[:20]!r} 为空、超过 {NAME_BYTES_MAX} 字节,或含非法字符",
            f"the name {name[:20]!r} is empty, longer than {NAME_BYTES_MAX} bytes, or no Unicode text",
        )
    if name.isalnum():
        return name
    return "".join(
        "".join(f"%{byte:02X}" for byte in letter.encode()) if letter in ":%" or _is_control(letter) else letter
        for letter in name
    )


def _is_control(letter: str) -> bool:
    """Whether a letter is a C0 or C1 control character or DEL."""
    return letter < " " or "\x7f" <= letter <= "\x9f"


def decode_name(part: str) -> str:
    """The name that ``encode_name`` was given."""
    return unquote(part)


class Holder(NamedTuple):
    """One row of the register: a kind, and a name as its owner wrote it (a whole path for an institution)."""

    kind: int
    name: str

    def prefix(self) -> str:
        """The path without its pocket."""
        if self.kind == INSTITUTION:
            return self.name
        return f"{KIND_NAMES[self.kind]}:{encode_name(self.name)}"


class Accounts:
    """The register of holders of one programme. Numbers are given in order of first appearance and never change."""

    def __init__(self, funds: Sequence[str] = ()) -> None:
        self.holders: list[Holder] = []
        self._number: dict[tuple[int, str], int] = {}
        for path in INSTITUTIONS:
            self.institution(path)
        assert len(set(funds)) == len(funds)
        for fund in funds:
            self.institution(f"programme:fund:{encode_name(fund)}")

    def __len__(self) -> int:
        return len(self.holders)

    def number(self, kind: int, name: str) -> int:
        """The holder's number, given now if it is new. Raises NameRefused for a name that no path can hold."""
        known = self._number.get((kind, name))
        if known is None:
            if kind != INSTITUTION:
                encode_name(name)
            holder = Holder(kind, name)
            known = self._number[holder] = len(self.holders)
            assert known < HOLDERS_MAX
            self.holders.append(holder)
        return known

    def find(self, kind: int, name: str) -> int:
        """The holder's number, or -1."""
        return self._number.get((kind, name), -1)

    def institution(self, path: str) -> int:
        """The number of the institution with this path, given now if it is new."""
        return self.number(INSTITUTION, path)

    def packets_pot(self, merchant: str, tier: int) -> int:
        """The holder number of a queue's pot; tiers count from 1."""
        return self.institution(f"programme:packets:{encode_name(merchant)}:{tier}")

    def path(self, account: int) -> str:
        """The account's path."""
        assert account >= 0
        holder, pocket = divmod(account, POCKETS)
        entry = self.holders[holder]
        if entry.kind == INSTITUTION:
            assert pocket == 0
            return entry.name
        return f"{entry.prefix()}:{POCKET_NAMES[pocket]}"

    def paths(self, accounts: Iterable[int]) -> list[str]:
        """The paths of many accounts."""
        return [self.path(int(account)) for account in accounts]

    def account(self, path: str) -> int:
        """The account of a path, or -1 when it has no holder or no such pocket."""
        institution = self._number.get(Holder(INSTITUTION, path))
        if institution is not None:
            return institution * POCKETS
        parts = path.split(":")
        if len(parts) != len(("kind", "name", "pocket")) or parts[0] not in KIND_NAMES:
            return -1
        holder = self.find(KIND_NAMES.index(parts[0]), decode_name(parts[1]))
        if holder < 0 or parts[2] not in POCKET_NAMES:
            return -1
        found = holder * POCKETS + POCKET_NAMES.index(parts[2])
        return found if self.path(found) == path else -1
