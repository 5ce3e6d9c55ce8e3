"""Members of the console as others see them: their roles, what a role may, and what a name has to be like."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

import msgspec

from rangli.errors import ChangeWanted, FieldRefused, MemberNotFound, ProgrammeNotFound, ScopeRefused
from rangli.service.clock import rfc3339
from rangli.service.people.access import SCOPES
from rangli.service.people.acts import By
from rangli.store import people
from rangli.store.database import Connection
from rangli.store.staff import OWNER, MemberRow, SessionRow

ROLES: Final[dict[str, frozenset[str]]] = {
    OWNER: frozenset(SCOPES),
    "finance": frozenset({"read", "orders", "money"}),
    "operations": frozenset({"read", "orders", "plans"}),
    "auditor": frozenset({"read"}),
}
"""Role -> the scopes of its members, as API keys have them."""
LANGUAGES: Final = ("zh", "en")

NAME_LETTERS_MAX: Final = 40
_NAME: Final = re.compile(r"\w(?:[\w.@-]*\w)?")


class Member(msgspec.Struct, frozen=True):
    """Somebody who is signed in."""

    name: str
    role: str
    scopes: frozenset[str]
    programmes: frozenset[str] | None
    """None: all of them."""
    language: str
    has_totp: bool
    session: bytes
    """The SHA-256 of his session's token."""
    csrf: str
    """What each form of this session carries."""
    must_change: bool = False
    """Whether he came with a one-time password: until it is changed, every scope is refused with ChangeWanted."""

    def require(self, scope: str, programme: str | None = None) -> None:
        """Go on if this member has the scope and may see the programme.

        Raises ChangeWanted, ProgrammeNotFound as if there were none (a stranger learns nothing), or ScopeRefused.
        """
        if self.must_change:
            raise ChangeWanted
        if programme is not None and self.programmes is not None and programme not in self.programmes:
            raise ProgrammeNotFound(f"没有项目 {programme[:60]!r}", f"there is no programme {programme[:60]!r}")
        if scope not in self.scopes:
            raise ScopeRefused(
                scope,
                f"您的角色({self.role})没有权限 {scope};请由有此权限的同事来做,或请所有者更改角色",
                f"your role ({self.role}) lacks the scope {scope}; let a colleague with it do it, or ask an owner to change it",
            )

    def by(self, address: str = "") -> By:
        """Him, for the audit log."""
        return By(self.name, self.role, address)


class MemberView(msgspec.Struct, frozen=True):
    """A member as an owner sees him."""

    name: str
    role: str
    programmes: list[str] | None
    """None: all of them."""
    language: str
    has_totp: bool
    must_change: bool
    """Whether his one-time password was not changed yet."""
    created_at: str
    seen_at: str
    """To the minute; empty when he never signed in, or long ago."""
    ended_at: str
    """Empty while he may come in."""


class SessionView(msgspec.Struct, frozen=True):
    """A session as its member sees it."""

    digest: str
    """In hex; names it, and opens nothing."""
    created_at: str
    seen_at: str
    """To the minute."""
    ends_at: str
    agent: str
    address: str


def signed_in(session: SessionRow, member: MemberRow, token: str) -> Member:
    """Who bears a token."""
    programmes = None if member.programmes is None else frozenset(member.programmes)
    csrf = sha256(f"csrf {token}".encode()).hexdigest()
    return Member(
        member.name, member.role, ROLES[member.role], programmes, member.language, member.totp is not None, session.digest, csrf,
        member.must_change,
    )  # fmt: skip


def view_of(member: MemberRow, seen_at: int | None) -> MemberView:
    """The member without secrets."""
    return MemberView(
        name=member.name,
        role=member.role,
        programmes=member.programmes,
        language=member.language,
        has_totp=member.totp is not None,
        must_change=member.must_change,
        created_at=rfc3339(member.created_at),
        seen_at="" if seen_at is None else rfc3339(seen_at),
        ended_at="" if member.ended_at is None else rfc3339(member.ended_at),
    )


# ---------------------------------------------------------------- checks


def known(member: MemberRow | None, name: str) -> MemberRow:
    """Somebody who may come in. Raises MemberNotFound."""
    if member is None or member.ended_at is not None:
        raise MemberNotFound(*not_there(name))
    return member


def not_there(name: str) -> tuple[str, str]:
    """That nobody of that name may come in, in both languages."""
    return f"没有名为 {name[:60]!r} 的成员,或已停用", f"there is no member {name[:60]!r}, or no longer"


def can_be_name(name: str) -> bool:
    """Whether a member can have this name."""
    return len(name) <= NAME_LETTERS_MAX and _NAME.fullmatch(name) is not None


def check_name(name: str) -> None:
    """Raises FieldRefused."""
    if not can_be_name(name):
        raise FieldRefused(
            "name",
            f"{name[:60]!r} 不能作姓名;用汉字、字母、数字和中间的 . @ -,至多 {NAME_LETTERS_MAX} 个",
            f"{name[:60]!r} cannot be a name; use letters, digits and . @ - between them, at most {NAME_LETTERS_MAX}",
        )


def check_role(role: str) -> None:
    """Raises FieldRefused."""
    if role not in ROLES:
        known = ", ".join(ROLES)
        raise FieldRefused("role", f"{role[:60]!r} 不是角色;可用的有 {known}", f"{role[:60]!r} is no role; there are {known}")


def check_reach(role: str, programmes: list[str] | None) -> None:
    """Who may let others see everything sees it himself. Raises FieldRefused."""
    if role == OWNER and programmes is not None:
        raise FieldRefused("programmes", "所有者看得到全部项目;请选全部", "an owner sees every programme; choose all of them")


def check_programmes(connection: Connection, programmes: list[str] | None) -> None:
    """Raises FieldRefused, ProgrammeNotFound."""
    if programmes == []:
        raise FieldRefused("programmes", "至少选一个项目,或选全部", "choose at least one, or all of them")
    for programme in programmes or ():
        if "\0" in programme or people.programme_number(connection, programme) is None:
            raise ProgrammeNotFound(f"没有名为 {programme[:60]!r} 的项目", f"there is no programme {programme[:60]!r}")
