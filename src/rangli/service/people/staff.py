"""Who may use the console: members with roles, their sessions, and the audit log of what they did.

A password is kept as argon2id's hash with the library's parameters, and hashed anew at a sign-in when those have changed. Names
that nobody has take as long as wrong passwords, and every refusal to sign in says the same. (Both hold for the second step too.)
A session's token is 256 random bits in a cookie; the table holds its SHA-256. Its CSRF token is another hash of the same bits,
so it needs no table, nobody who reads ours can make it, and it is stale as soon as somebody signs in anew.

A session is read from the table at most every ``CACHED_SECONDS``: whatever ends or changes it is known in every process after
that time, and at once in the one that did it.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from hashlib import sha256
from threading import Lock
from typing import Any, Final

from rangli.errors import (
    CodeWanted,
    FieldRefused,
    FormReplayed,
    LastOwner,
    MemberNotFound,
    SessionEnded,
    SignInRefused,
)
from rangli.service.clock import MICRO_PER_SECOND, Clock, rfc3339
from rangli.service.people import acts, codes, members, passwords
from rangli.service.people.access import CACHED_SECONDS
from rangli.service.people.acts import COMMAND_LINE, ActFilter, ActView, By
from rangli.service.people.members import ROLES, Member, MemberView, SessionView
from rangli.service.people.passwords import Passwords
from rangli.service.people.waits import Waits, doors_of
from rangli.store import staff as store
from rangli.store.database import Connection, Database
from rangli.store.programmes import programmes as programme_rows
from rangli.store.staff import OWNER, MemberRow, SessionRow

__all__ = ["ROLES", "ActFilter", "ActView", "By", "Member", "MemberView", "SessionView", "Staff"]

READERS_OF_ALL: Final = (OWNER, "auditor")
"""Roles that see what everybody did; others see what they did themselves."""
IDLE_SECONDS: Final = 12 * 3_600
"""A session that is not used for so long is over."""
SESSION_SECONDS: Final = 7 * 86_400
"""And so is one that began so long ago."""
TICKET_SECONDS: Final = 300
"""For the second step."""
KEPT_SECONDS: Final = 30 * 86_400
"""How long sessions that are over stay in the table."""
SEEN_SECONDS: Final = 60
"""How exact ``seen_at`` is; a write for every page would cost more than some pages."""
SESSIONS_IN_MEMORY: Final = 1_000

AGENT_LETTERS_MAX: Final = 300
ONCE_LETTERS_MAX: Final = 64

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}")


class Staff:
    """The members of a database's console. All methods may be called from any thread."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._passwords = Passwords()
        self._waits = Waits(clock)
        self._lock = Lock()
        self._read: OrderedDict[bytes, tuple[int, SessionRow, MemberRow]] = OrderedDict()
        """Sessions by digest, with the time at which each was read."""
        self._changes = 0
        """How often something was forgotten: what was read before is not remembered after."""

    # ------------------------------------------------------------ signing in

    def ensure_owner(self) -> tuple[str, str] | None:
        """The name and one-time password of the first owner, made when there is none; else None."""
        with self._database.reading() as connection:
            if store.owners(connection):
                return None
            password = passwords.one_time()
            owner = self._new_row(OWNER, OWNER, None, password)
            with connection.transaction():
                if not store.insert_first(connection, owner):
                    return None
                self._note(connection, COMMAND_LINE, "member.add", OWNER, facts={"role": OWNER})
            return OWNER, password

    def sign_in(self, name: str, password: str, code: str = "", *, address: str, agent: str) -> str:
        """The token of a new session.

        Raises SignInRefused (the same whatever is wrong), CodeWanted (with the ticket for ``give_code``) or SignInTooOften.
        """
        member = self._recognised(name, password, "session.begin", address)
        with self._database.reading() as connection:
            if member.totp is not None and not code:
                self._waits.give_back(doors_of(member.name, address))
                raise CodeWanted(self._begin_half(connection, member, address, agent))
            if member.totp is not None:
                self._use_code(connection, member, code, "session.begin", address)
            return self._begin(connection, member, address, agent)

    def give_code(self, ticket: str, code: str, *, address: str, agent: str) -> str:
        """The second step: the token of a new session. Raises SignInRefused or SignInTooOften."""
        with self._database.reading() as connection:
            found = self._find(connection, ticket)
            if found is None or not found[0].awaits_code:
                raise SignInRefused
            half, member = found
            self._waits.charge(doors_of(member.name, address))
            self._use_code(connection, member, code, "session.begin", address)
            store.end_session(connection, member.name, half.digest, self._clock())
            return self._begin(connection, member, address, agent)

    def member(self, token: str) -> Member:
        """Who bears this token. Raises SessionEnded."""
        if not _TOKEN.fullmatch(token):
            raise SessionEnded
        digest = _digest(token)
        now = self._clock()
        with self._lock:
            known = self._read.get(digest)
            changes = self._changes
        if known is None or not 0 <= now - known[0] < CACHED_SECONDS * MICRO_PER_SECOND:
            with self._database.reading() as connection:
                found = self._find(connection, token)
                if found is None or found[0].awaits_code:
                    raise SessionEnded
                if now - found[0].seen_at >= SEEN_SECONDS * MICRO_PER_SECOND:
                    store.touch_session(connection, digest, now)
            known = (now, *found)
            self._remember(digest, known, changes)
        return members.signed_in(*known[1:], token)

    def vouch(self, name: str, password: str, code: str = "", *, address: str) -> MemberView:
        """Somebody at another member's side, who shows who he is for one form; no session of his begins.

        Raises SignInRefused (the same whatever is wrong, a code that is missing among it) or SignInTooOften.
        """
        member = self._recognised(name, password, "member.vouch", address)
        with self._database.reading() as connection:
            if member.totp is not None:
                self._use_code(connection, member, code, "member.vouch", address)
            self._note(connection, By(member.name, member.role, address), "member.vouch", member.name)
        self._pardon(member, address)
        return members.view_of(member, None)

    def sign_out(self, member: Member, address: str = "") -> None:
        """End the session that this member came with."""
        self._end(member.by(address), member.name, member.session, "session.end")

    def use_once(self, session: bytes, once: str) -> None:
        """Use up a form of a session. Raises FormReplayed when it was handed in before."""
        if not 0 < len(once) <= ONCE_LETTERS_MAX or "\0" in once:
            raise FormReplayed
        with self._database.reading() as connection:
            if not store.use_form(connection, session, once):
                raise FormReplayed

    # ------------------------------------------------------------ my account

    def sessions(self, name: str) -> list[SessionView]:
        """A member's sessions that go on, the last one used first."""
        with self._database.reading() as connection:
            rows = store.sessions(connection, name, self._clock(), IDLE_SECONDS * MICRO_PER_SECOND)
        return [
            SessionView(
                row.digest.hex(), rfc3339(row.created_at), rfc3339(row.seen_at), rfc3339(row.ends_at), row.agent, row.address
            )
            for row in rows
        ]

    def end_session(self, name: str, digest_hex: str, address: str = "") -> None:
        """End one of a member's own sessions; one that is over, or somebody else's, is left as it is."""
        with self._database.reading() as connection:
            member = members.known(store.member(connection, name), name)
        try:
            digest = bytes.fromhex(digest_hex)
        except ValueError:
            return
        self._end(By(name, member.role, address), name, digest, "session.end")

    def end_all(self, name: str, but: bytes = b"", address: str = "") -> None:
        """End a member's own sessions, but perhaps for one."""
        with self._database.reading() as connection, connection.transaction():
            member = members.known(store.member(connection, name), name)
            ended = store.end_sessions(connection, name, self._clock(), but)
            self._note(connection, By(name, member.role, address), "session.end_all", name, facts={"count": ended})
        self._forget()

    def change_password(self, name: str, old: str, new: str, *, keep: bytes = b"", address: str = "") -> None:
        """A password of one's own; all sessions end but the one to keep. Raises FieldRefused, SignInTooOften.

        Who came with a one-time password has just handed it in and is not asked for it again.
        """
        with self._database.reading() as connection:
            member = members.known(store.member(connection, name), name)
            if not member.must_change:
                self._insist(member, old, "old")
            passwords.check(name, new)
            if self._passwords.matches(member.secret, new):
                raise FieldRefused("new", "须与现在的密码不同", "must differ from the present one")
            secret = self._passwords.hash(new)
            with connection.transaction():
                store.update_member(connection, name, secret=secret, must_change=False)
                store.end_sessions(connection, name, self._clock(), keep)
                self._note(connection, By(name, member.role, address), "password.change", name)
        self._forget()

    def begin_totp(self, name: str) -> tuple[str, str]:
        """A new secret for an authenticator, and its address for the QR code; nothing is kept until it is confirmed."""
        secret = codes.new_secret()
        return secret, codes.uri(secret, name)

    def confirm_totp(self, name: str, secret: str, code: str, address: str = "") -> None:
        """Ask for codes of this secret from now on. Raises FieldRefused when the code is not one of them."""
        step = codes.step_of(secret, code, self._clock()) if codes.is_secret(secret) else None
        if step is None:
            raise FieldRefused(
                "code",
                "不是此密钥现在的验证码;请核对手机的时间,再输入新的六位数字",
                "it is not the code of this secret now; check the clock of your phone and enter the next six digits",
            )
        with self._database.reading() as connection, connection.transaction():
            member = members.known(store.member(connection, name, locked=True), name)
            if member.totp is not None:
                raise FieldRefused("code", "验证器已启用;请先停用", "an authenticator is in use; turn it off first")
            store.update_member(connection, name, totp=secret, totp_step=step)
            self._note(connection, By(name, member.role, address), "totp.on", name)
        self._forget()

    def end_totp(self, name: str, password: str, address: str = "") -> None:
        """Ask for no codes any more. Raises FieldRefused, SignInTooOften."""
        with self._database.reading() as connection:
            member = members.known(store.member(connection, name), name)
            self._insist(member, password, "password")
            with connection.transaction():
                store.update_member(connection, name, totp=None)
                self._note(connection, By(name, member.role, address), "totp.off", name)
        self._forget()

    def set_language(self, name: str, language: str) -> None:
        """In which language a member's pages are. Raises FieldRefused."""
        if language not in members.LANGUAGES:
            raise FieldRefused("language", "可用的有 zh、en", "there are zh and en")
        with self._database.reading() as connection:
            store.update_member(connection, name, language=language)
        self._forget()

    # ------------------------------------------------------------ members

    def members(self) -> list[MemberView]:
        """Everybody, in the order in which they came, with those who have ended."""
        with self._database.reading() as connection:
            return [members.view_of(*seen) for seen in store.members(connection)]

    def find(self, name: str) -> MemberView:
        """One member, also one who has ended. Raises MemberNotFound."""
        for view in self.members():
            if view.name == name:
                return view
        raise MemberNotFound(*members.not_there(name))

    def programmes(self) -> list[str]:
        """The names of the programmes that members may be let see, oldest first."""
        with self._database.reading() as connection:
            return [programme.name for programme in programme_rows(connection)]

    def add(self, by: By, name: str, role: str, programmes: Iterable[str] | None = None) -> str:
        """A new member's one-time password, which is never shown again. Raises FieldRefused, ProgrammeNotFound."""
        members.check_name(name)
        members.check_role(role)
        password = passwords.one_time()
        row = self._new_row(name, role, programmes, password)
        members.check_reach(role, row.programmes)
        with self._database.reading() as connection, connection.transaction():
            members.check_programmes(connection, row.programmes)
            if not store.insert_member(connection, row):
                raise FieldRefused(
                    "name",
                    f"{name} 已有人用,或有人用过;请换一个",
                    f"{name} is, or was, somebody's; take another",
                )
            self._note(connection, by, "member.add", name, facts={"role": role, "programmes": row.programmes})
        return password

    def set_role(self, by: By, name: str, role: str) -> None:
        """Let a member do what this role does, at once. Raises FieldRefused, MemberNotFound, LastOwner."""
        members.check_role(role)
        self._change(by, name, "member.role", {"role": role}, role=role)

    def set_programmes(self, by: By, name: str, programmes: Iterable[str] | None) -> None:
        """Let a member see these programmes, or all for None. Raises FieldRefused, MemberNotFound, ProgrammeNotFound."""
        names = None if programmes is None else sorted(set(programmes))
        with self._database.reading() as connection:
            members.check_programmes(connection, names)
        self._change(by, name, "member.programmes", {"programmes": names}, programmes=names)

    def end_member(self, by: By, name: str) -> None:
        """Let a member in no more, for ever. Raises MemberNotFound, LastOwner."""
        self._change(by, name, "member.end", {}, ends=True, ended_at=self._clock())

    def reset(self, by: By, name: str) -> str:
        """A new one-time password for somebody who lost his, or his authenticator. Raises MemberNotFound."""
        password = passwords.one_time()
        self._change(by, name, "member.reset", {}, ends=True, secret=self._passwords.hash(password), must_change=True, totp=None)
        self._waits.forgive(("name", name))
        return password

    def _change(self, by: By, name: str, what: str, facts: Mapping[str, object], *, ends: bool = False, **changes: Any) -> None:  # noqa: ANN401 (columns)
        """Change somebody who has not ended, perhaps end his sessions, and write it down: all or nothing."""
        with self._database.reading() as connection, connection.transaction():
            owners = store.owners(connection)
            member = members.known(store.member(connection, name, locked=True), name)
            stays = changes.get("role", OWNER) == OWNER and "ended_at" not in changes
            if owners == [member.name] and not stays:
                raise LastOwner
            members.check_reach(changes.get("role", member.role), changes.get("programmes", member.programmes))
            store.update_member(connection, name, **changes)
            if ends:
                store.end_sessions(connection, name, self._clock())
            self._note(connection, by, what, name, facts=facts)
        self._forget()

    # ------------------------------------------------------------ the audit log

    def note(
        self,
        member_name: str,
        role: str,
        what: str,
        object: str = "",  # noqa: A002 (the word of the audit log)
        programme: str = "",
        outcome: str = "done",
        facts: Mapping[str, object] | None = None,
        address: str = "",
    ) -> None:
        """Write a line of the audit log."""
        with self._database.reading() as connection:
            acts.note(connection, self._clock(), By(member_name, role, address), what, object, programme, outcome, facts)

    def acts(self, reader: Member, want: ActFilter, beyond: int, limit: int, *, oldest_first: bool = False) -> list[ActView]:
        """Lines of the audit log beyond a number (0: all), newest or oldest first, as far as this member may see them."""
        programmes = None
        if reader.role not in READERS_OF_ALL:
            if want.member not in ("", reader.name):
                return []
            want = want._replace(member=reader.name)
        elif reader.programmes is not None:
            programmes = ["", *sorted(reader.programmes)]
        with self._database.reading() as connection:
            return acts.acts(connection, want, programmes, beyond, limit, oldest_first=oldest_first)

    def kinds(self) -> list[str]:
        """What was ever done, as ``ActView.what`` says it."""
        with self._database.reading() as connection:
            return store.kinds(connection)

    def _note(self, connection: Connection, by: By, what: str, object: str = "", **more: Any) -> None:  # noqa: A002, ANN401 (of acts.note)
        """The same, in the transaction of what it is about."""
        acts.note(connection, self._clock(), by, what, object, **more)

    def _note_refusal(self, connection: Connection, member: MemberRow | None, what: str, wrong: str, address: str) -> None:
        """Somebody was not believed. A name that nobody has is not written down: it may be a password in the wrong field."""
        by = By("", "", address) if member is None else By(member.name, member.role, address)
        self._note(connection, by, what, outcome="refused", facts={"wrong": "name" if member is None else wrong})

    # ------------------------------------------------------------ passwords and codes

    def _recognised(self, name: str, password: str, what: str, address: str) -> MemberRow:
        """Whose name and password these are, for this act; it is counted as a guess until it is pardoned.

        Raises SignInRefused or SignInTooOften.
        """
        name = name if members.can_be_name(name) else ""
        self._waits.charge(doors_of(name, address))
        with self._database.reading() as connection:
            member = store.member(connection, name)
            if member is not None and member.ended_at is not None:
                member = None
        right = self._passwords.matches(None if member is None else member.secret, password)  # no connection waits for it
        with self._database.reading() as connection:
            if member is None or not right:
                self._note_refusal(connection, member, what, "password", address)
                raise SignInRefused
            self._rehash(connection, member, password)
        return member

    def _pardon(self, member: MemberRow, address: str) -> None:
        """It was no guess."""
        self._waits.forgive(("name", member.name))
        self._waits.give_back(doors_of(member.name, address))

    def _rehash(self, connection: Connection, member: MemberRow, password: str) -> None:
        """Keep the password by today's parameters, should its hash be older."""
        if self._passwords.is_old(member.secret):
            store.update_member(connection, member.name, secret=self._passwords.hash(password))

    def _insist(self, member: MemberRow, password: str, field: str) -> None:
        """Go on if it is the member's password. Raises FieldRefused, SignInTooOften."""
        doors = doors_of(member.name, "")
        self._waits.charge(doors)
        if not self._passwords.matches(member.secret, password):
            raise FieldRefused(field, "不是现在的密码;请重新输入", "it is not the present password; enter it again")
        self._waits.give_back(doors)

    def _use_code(self, connection: Connection, member: MemberRow, code: str, what: str, address: str) -> None:
        """Go on if it is a code of now that was not used before. Raises SignInRefused."""
        assert member.totp is not None
        step = codes.step_of(member.totp, code, self._clock())
        if step is None or not store.use_step(connection, member.name, step):
            self._note_refusal(connection, member, what, "code", address)
            raise SignInRefused

    def _new_row(self, name: str, role: str, programmes: Iterable[str] | None, password: str) -> MemberRow:
        """A member to be, who has to change this password."""
        names = None if programmes is None else sorted(set(programmes))
        return MemberRow(name, self._passwords.hash(password), True, None, 0, role, names, members.LANGUAGES[0], self._clock())  # noqa: FBT003

    # ------------------------------------------------------------ sessions

    def _begin(self, connection: Connection, member: MemberRow, address: str, agent: str) -> str:
        """The token of a session that begins; what is over is swept out."""
        self._pardon(member, address)
        now = self._clock()
        token = secrets.token_urlsafe(32)
        with connection.transaction():
            store.insert_session(connection, _session(token, member.name, now, SESSION_SECONDS, agent, address))
            self._note(
                connection, By(member.name, member.role, address), "session.begin", facts={"code": member.totp is not None}
            )
        store.sweep(connection, now, IDLE_SECONDS * MICRO_PER_SECOND, KEPT_SECONDS * MICRO_PER_SECOND)
        return token

    def _begin_half(self, connection: Connection, member: MemberRow, address: str, agent: str) -> str:
        """The ticket for the second step."""
        ticket = secrets.token_urlsafe(32)
        half = _session(ticket, member.name, self._clock(), TICKET_SECONDS, agent, address)
        store.insert_session(connection, half._replace(awaits_code=True))
        return ticket

    def _find(self, connection: Connection, token: str) -> tuple[SessionRow, MemberRow] | None:
        """The session of a token and its member, if it goes on."""
        if not _TOKEN.fullmatch(token):
            return None
        found = store.live(connection, _digest(token), self._clock(), IDLE_SECONDS * MICRO_PER_SECOND)
        return found if found is not None and hmac.compare_digest(found[0].digest, _digest(token)) else None

    def _remember(self, digest: bytes, known: tuple[int, SessionRow, MemberRow], changes: int) -> None:
        """Keep a session in memory, unless something was forgotten since it was asked for."""
        with self._lock:
            if changes == self._changes:
                self._read[digest] = known
                self._read.move_to_end(digest)
                if len(self._read) > SESSIONS_IN_MEMORY:
                    self._read.popitem(last=False)

    def _forget(self) -> None:
        """Let the next questions read the table."""
        with self._lock:
            self._read.clear()
            self._changes += 1

    def _end(self, by: By, name: str, digest: bytes, what: str) -> None:
        """End one session."""
        with self._database.reading() as connection, connection.transaction():
            if store.end_session(connection, name, digest, self._clock()):
                self._note(connection, by, what, digest.hex()[:12])
        self._forget()


# ---------------------------------------------------------------- rows


def _digest(token: str) -> bytes:
    """What is kept of a token."""
    return sha256(token.encode()).digest()


def _session(token: str, name: str, now: int, seconds: int, agent: str, address: str) -> SessionRow:
    """A session that begins now and ends after so long at the latest."""
    ends_at = now + seconds * MICRO_PER_SECOND
    shown = agent.replace("\0", "")[:AGENT_LETTERS_MAX]
    return SessionRow(_digest(token), name, False, now, now, ends_at, None, shown, address)  # noqa: FBT003
