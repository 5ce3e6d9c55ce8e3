"""What the books do not allow, what is not there, and what is not as it should be."""

from __future__ import annotations

from rangli.errors.trunk import LedgerError, NotFound, Problem, Refused


class RefundTooLarge(Refused):
    """More than was paid and is not yet refunded."""

    code = "refund_too_large"


class PointsShort(Refused):
    """A sale of more points than the member has."""

    code = "points_short"


class LimitReached(Refused):
    """A balance would pass MICRO_MAX."""

    code = "limit_reached"
    row: int = 0
    """Which transfer of those that were to be booked."""


class NameRefused(LedgerError):
    """A name that no account can be made of."""

    code = "name_refused"


class Broken(LedgerError):
    """A journal that does not verify."""

    code = "journal_broken"

    def __init__(self, position: int, zh: str, en: str) -> None:
        super().__init__(f"第 {position} 条决定:{zh}", f"decision {position}: {en}")
        self.position = position


class OrderRefused(Refused):
    """An order that its plan does not settle."""

    code = "order_refused"

    def __init__(self, field: str, status: str, zh: str, en: str) -> None:
        super().__init__(f"{field}:{zh}", f"{field}: {en}")
        self.field = field
        self.status = status


class RequestConflict(Refused):
    """An id that was used before with other facts."""

    code = "request_conflict"

    def __init__(self, request_id: str, field: str, asked: str, before: str) -> None:
        super().__init__(
            f"{request_id} 已用于另一请求:{field} 现为 {asked!r},先前为 {before!r};新请求请用新编号",
            f"{request_id} was used before with another {field}: it is {asked!r} now and was {before!r};"
            " use a new id for a new request",
        )
        self.request_id = request_id
        self.field = field
        self.asked = asked
        self.before = before


class HeldOrder(Refused):
    """What cannot be done with an order that is still held, or was cancelled."""

    code = "order_held"


class PlanUnfit(Refused):
    """A plan whose state is not that of the programme's plan."""

    code = "plan_unfit"


class GuardsRefused(Refused):
    """A plan that may not run on a real channel as it is."""

    code = "guards_refused"

    def __init__(self, zh: str, en: str, problems: list[Problem]) -> None:
        super().__init__(f"{zh}:{''.join(p.zh for p in problems)}", f"{en}: {' '.join(p.en for p in problems)}")
        self.headline = zh, en
        self.problems = problems
        """What the guards found; the code of each is its guard."""


class PlanRefused(GuardsRefused):
    """A plan that the law's guards refuse on a real channel."""

    code = "plan_refused"

    def __init__(self, problems: list[Problem]) -> None:
        names = dict.fromkeys(p.code for p in problems)
        super().__init__(
            f"此方案不能在真实通道上运行({'、'.join(names)})",
            f"this plan cannot run on a real channel ({', '.join(names)})",
            problems,
        )


class SignOffMissing(GuardsRefused):
    """A plan that needs more people to sign for it."""

    code = "sign_off_missing"

    def __init__(self, problems: list[Problem], needed: int, people: int) -> None:
        super().__init__(
            f"此方案在真实通道上须由 {needed} 人签字(已有 {people} 人),各写理由和法律意见",
            f"on a real channel this plan needs {needed} people to sign ({people} did), each with a reason and a legal opinion",
            problems,
        )


class VerifyRunning(Refused):
    """A programme that is being verified already."""

    code = "verify_running"


class ProgrammeExists(Refused):
    """A programme of that name is there."""

    code = "programme_exists"


class ProgrammeNotFound(NotFound):
    """No programme of that name."""

    code = "programme_not_found"


class OrderNotFound(NotFound):
    """No order of that id."""

    code = "order_not_found"


class AccountNotFound(NotFound):
    """No account of that path."""

    code = "account_not_found"


class DecisionNotFound(NotFound):
    """The journal has no such position."""

    code = "decision_not_found"


class ImportNotFound(NotFound):
    """No import of that id, or one that is no longer kept."""

    code = "import_not_found"


class ImportNotReady(Refused):
    """A file that is still being checked, or was settled."""

    code = "import_not_ready"


class WebhookNotFound(NotFound):
    """No webhook of that id."""

    code = "webhook_not_found"


class DeliveryNotFound(NotFound):
    """No delivery of that id, or one that is no longer kept."""

    code = "delivery_not_found"


class JobNotFound(NotFound):
    """No job of that id, or one that is no longer kept."""

    code = "job_not_found"
