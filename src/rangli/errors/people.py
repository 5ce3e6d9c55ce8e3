"""Who may not come in or may not do this: keys, members, their forms and drafts."""

from __future__ import annotations

from rangli.errors.trunk import AccessRefused, NotFound, Refused


class KeyNotFound(NotFound):
    """No API key of that id."""

    code = "key_not_found"


class KeyRefused(AccessRefused):
    """No key, or none that is valid now; which of them is not said."""

    code = "key_refused"

    def __init__(self) -> None:
        super().__init__(
            "缺少有效的 API 密钥;请在请求头中写 Authorization: Bearer rl_…",
            "there is no valid API key; send the header Authorization: Bearer rl_…",
        )


class ScopeRefused(AccessRefused):
    """A key that may not do this."""

    code = "scope_refused"

    def __init__(self, missing: str, zh: str, en: str) -> None:
        super().__init__(zh, en)
        self.missing = missing


class SignInRefused(AccessRefused):
    """Name, password or code is wrong; which is not said."""

    code = "sign_in_refused"

    def __init__(self) -> None:
        super().__init__(
            "姓名、密码或验证码不对;请核对后重试", "the name, the password or the code is wrong; check them and try again"
        )


class SignInTooOften(AccessRefused):
    """Too many wrong names, passwords or codes."""

    code = "sign_in_too_often"

    def __init__(self, seconds: int) -> None:
        super().__init__(f"登录失败次数过多;请在 {seconds} 秒后重试", f"too many failed sign-ins; try again in {seconds} s")
        self.seconds = seconds


class CodeWanted(AccessRefused):
    """The password was right and the second step is to come."""

    code = "code_wanted"

    def __init__(self, ticket: str) -> None:
        super().__init__("请再输入验证器上的六位验证码", "now enter the six digits that your authenticator shows")
        self.ticket = ticket
        """What the code is handed in with."""


class ChangeWanted(AccessRefused):
    """A one-time password, which must be changed first."""

    code = "change_wanted"

    def __init__(self) -> None:
        super().__init__(
            "您用的是一次性密码;请先改为自己的密码", "yours is a one-time password; first change it to one of your own"
        )


class SessionEnded(AccessRefused):
    """Nobody is signed in, or no longer."""

    code = "session_ended"

    def __init__(self) -> None:
        super().__init__("尚未登录,或登录已结束;请登录", "nobody is signed in, or no longer; sign in")


class MemberNotFound(NotFound):
    """No member of the console of that name."""

    code = "member_not_found"


class MemberExists(Refused):
    """A member of the console has, or had, that name."""

    code = "member_exists"


class LastOwner(Refused):
    """The console would have no owner any more."""

    code = "last_owner"

    def __init__(self) -> None:
        super().__init__("这是最后一位所有者;请先任命另一位所有者", "this is the last owner; make somebody else an owner first")


class FormReplayed(Refused):
    """A form of the console that was handed in before."""

    code = "form_replayed"

    def __init__(self) -> None:
        super().__init__(
            "此表单已提交过,没有再做一次;请打开新的页面",
            "this form was handed in before and nothing was done again; open the page anew",
        )


class DraftNotFound(NotFound):
    """No draft of that number in this programme."""

    code = "draft_not_found"


class DraftMoved(Refused):
    """A draft, or the plan it would replace, is no longer what was looked at."""

    code = "draft_moved"


class DraftClosed(Refused):
    """What cannot be done with a draft that stands where it does."""

    code = "draft_closed"


class OwnProposal(Refused):
    """A draft whose proposer would approve it himself."""

    code = "own_proposal"
