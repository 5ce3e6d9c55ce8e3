"""Signing in and out, and one's own account: password, second step, sessions, language."""

from __future__ import annotations

from typing import Any, Final

import segno
from markupsafe import Markup

from rangli.errors import CodeWanted, FieldRefused, RangliError, SignInRefused, SignInTooOften
from rangli.service.people import codes
from rangli.service.people.staff import SESSION_SECONDS
from rangli.web.console.call import Call, Headers, Shown
from rangli.web.console.door import COOKIE, SELF, Door

QR_SCALE: Final = 5
COOKIE_ENDS: Final = f"{COOKIE}=; Path=/console; Max-Age=0; HttpOnly; SameSite=Strict"


# ---------------------------------------------------------------- in and out


def sign_in_page(call: Call) -> Shown:
    """Name and password."""
    there = _next(call.query.get("next", ""))
    return call.go(there) if call.is_signed_in else call.show("signing/sign-in.html", next=there, name="", refused=None)


def sign_in(call: Call) -> Shown:
    """A session, or the second step, or the same page again."""
    there, name = _next(call.field("next")), call.field("name")
    try:
        token = call.service.staff.sign_in(name, call.secret("password"), address=call.asked.address, agent=_agent(call))
    except CodeWanted as wanted:
        return call.show("signing/code.html", next=there, ticket=wanted.ticket, refused=None)
    except (SignInRefused, SignInTooOften) as refusal:
        return _again(call.show_refused("signing/sign-in.html", refusal, next=there, name=name), refusal)
    return _signed_in(call, token, there)


def give_code(call: Call) -> Shown:
    """The second step: a session, or the same page again."""
    there, ticket = _next(call.field("next")), call.field("ticket")
    try:
        token = call.service.staff.give_code(ticket, call.field("code"), address=call.asked.address, agent=_agent(call))
    except (SignInRefused, SignInTooOften) as refusal:
        return _again(call.show_refused("signing/code.html", refusal, next=there, ticket=ticket), refusal)
    return _signed_in(call, token, there)


def sign_out(call: Call) -> Shown:
    """The session ends, here and in the table."""
    call.service.staff.sign_out(call.member, call.asked.address)
    return _with(call.go("/sign-in", "您已退出。", "You are signed out."), ((b"set-cookie", COOKIE_ENDS.encode()),))


def _signed_in(call: Call, token: str, there: str) -> Shown:
    """On to where he wanted to go, with the cookie of a new session.

    It is Strict: nothing links into the console from elsewhere, so nothing is lost when other sites' links arrive without it.
    Secure where the request came by https; a name beginning with ``__Host-`` would keep it from plain http in one's own network.
    """
    secure = "; Secure" if call.asked.is_secure else ""
    cookie = f"{COOKIE}={token}; Path=/console; Max-Age={SESSION_SECONDS}; HttpOnly; SameSite=Strict{secure}"
    return _with(call.go(there), ((b"set-cookie", cookie.encode()),))


def _again(shown: Shown, refusal: SignInRefused | SignInTooOften) -> Shown:
    """The page, with how long to wait where one has to."""
    if isinstance(refusal, SignInTooOften):
        return _with(shown, ((b"retry-after", str(refusal.seconds).encode()),))
    return shown


def _with(shown: Shown, headers: Headers) -> Shown:
    return shown._replace(headers=(*shown.headers, *headers))


def _next(there: str) -> str:
    """Where to go after signing in: an address of the console, and no other."""
    return there if there.startswith("/") and there.isascii() and there.isprintable() else "/"


def _agent(call: Call) -> str:
    return call.asked.header(b"user-agent")


# ---------------------------------------------------------------- my account


def account(call: Call) -> Shown:
    """Who one is, with what may be changed."""
    return call.show("signing/account.html", **_of_account(call), refused=None, about="")


def change_password(call: Call) -> Shown:
    """A password of one's own; other sessions end."""
    old, new, again = (call.secret(name) for name in ("old", "new", "again"))
    try:
        if new != again:
            raise FieldRefused("again", "两次输入不同;请重新输入", "it differs from the one above; enter it again")  # noqa: TRY301
        member = call.member
        call.service.staff.change_password(member.name, old, new, keep=member.session, address=call.asked.address)
    except (FieldRefused, SignInTooOften) as refusal:
        return _account_again(call, "password", refusal)
    return call.go("/me", "密码已修改,其他登录已全部结束。", "The password is changed, and every other session has ended.")


def begin_totp(call: Call) -> Shown:
    """A new secret for an authenticator, as a picture and as text."""
    secret, uri = call.service.staff.begin_totp(call.member.name)
    return call.show("signing/totp.html", secret=secret, picture=_picture(uri), refused=None)


def confirm_totp(call: Call) -> Shown:
    """Codes are asked for from now on, or the same picture again."""
    name, secret = call.member.name, call.field("secret")
    try:
        call.service.staff.confirm_totp(name, secret, call.field("code"), call.asked.address)
    except FieldRefused as refusal:
        if not codes.is_secret(secret):
            raise
        return call.show_refused("signing/totp.html", refusal, secret=secret, picture=_picture(codes.uri(secret, name)))
    return call.go("/me", "两步登录已启用。", "The second step is on.")


def end_totp(call: Call) -> Shown:
    """Codes are asked for no more."""
    try:
        call.service.staff.end_totp(call.member.name, call.secret("password"), call.asked.address)
    except (FieldRefused, SignInTooOften) as refusal:
        return _account_again(call, "totp.off", refusal)
    return call.go("/me", "两步登录已停用。", "The second step is off.")


def end_session(call: Call) -> Shown:
    """One of one's own sessions ends."""
    call.service.staff.end_session(call.member.name, call.field("digest"), call.asked.address)
    return call.go("/me", "该登录已结束。", "That session has ended.")


def end_others(call: Call) -> Shown:
    """All of them end but this one."""
    call.service.staff.end_all(call.member.name, call.member.session, call.asked.address)
    return call.go("/me", "其他登录已全部结束。", "Every other session has ended.")


def set_language(call: Call) -> Shown:
    """One's language, here and wherever one signs in."""
    language = call.field("language")
    call.service.staff.set_language(call.member.name, language)
    kept = f"rangli_language={language}; Path=/console; Max-Age=31536000; HttpOnly; SameSite=Lax"
    return _with(call.go("/me"), ((b"set-cookie", kept.encode()),))


def _of_account(call: Call) -> dict[str, Any]:
    """What the account's page shows besides its member."""
    return {"sessions": call.service.staff.sessions(call.member.name)}


def _account_again(call: Call, about: str, refusal: RangliError) -> Shown:
    """The account's page with a refusal at the form that it is about."""
    return call.show_refused("signing/account.html", refusal, **_of_account(call), about=about)


def _picture(uri: str) -> Markup:
    """The QR code as SVG that carries no style, black on white in every theme."""
    code = segno.make(uri, error="m", micro=False)
    return Markup(code.svg_inline(scale=QR_SCALE, dark="#000", light="#fff", svgclass=None, lineclass=None))  # noqa: S704 -- ours


DOORS: Final[tuple[Door, ...]] = (
    Door("GET", "/sign-in", "", sign_in_page, "登录", "Sign in"),
    Door("POST", "/sign-in", "", sign_in, "登录", "Sign in"),
    Door("POST", "/sign-in/code", "", give_code, "登录", "Sign in"),
    Door("POST", "/sign-out", SELF, sign_out, "退出", "Sign out"),
    Door("GET", "/me", SELF, account, "我的账户", "My account"),
    Door("POST", "/me/password", SELF, change_password, "修改密码", "Change the password"),
    Door("GET", "/me/totp", "read", begin_totp, "两步登录", "Second step"),
    Door("POST", "/me/totp", "read", confirm_totp, "两步登录", "Second step"),
    Door("POST", "/me/totp/end", "read", end_totp, "停用两步登录", "Turn the second step off"),
    Door("POST", "/me/sessions/end", SELF, end_session, "结束登录", "End a session"),
    Door("POST", "/me/sessions/end-others", SELF, end_others, "结束其他登录", "End every other session"),
    Door("POST", "/me/language", SELF, set_language, "语言", "Language"),
)
