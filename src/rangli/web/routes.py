"""The routes: one table, from which the application, its OpenAPI document, its page and docs/api.md are made.

An endpoint takes the desk and what is asked. Those that only ask the service are plain functions, called in a thread.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from rangli.errors import (
    AccountNotFound,
    AmountMalformed,
    DeliveryNotFound,
    Failed,
    FieldRefused,
    HeldOrder,
    KeyNotFound,
    LimitReached,
    NotSettling,
    OrderNotFound,
    OrderRefused,
    PlanFaulty,
    PlanRefused,
    PlanUnfit,
    PointsShort,
    ProgrammeExists,
    ProgrammeNotFound,
    RangliError,
    RefundTooLarge,
    RequestConflict,
    ScopeRefused,
    SignOffMissing,
    WebhookNotFound,
)
from rangli.service.people.access import KeyView
from rangli.service.requests import (
    ActivationRequest,
    ClosingRequest,
    InjectionRequest,
    OrderRequest,
    RefundRequest,
    SaleRequest,
)
from rangli.service.views import (
    Answer,
    BalanceView,
    DecisionView,
    DrawView,
    Health,
    OrderView,
    PlanView,
    ProgrammeView,
    StatementView,
    TrialBalanceView,
)
from rangli.service.webhooks import DeliveryView, WebhookView
from rangli.web import figures
from rangli.web.asked import Asked, Reply
from rangli.web.bodies import After, Alive, At, IssuedKey, Newest, NewKey, NewProgramme, NewWebhook, Nothing, Page, Row, Since
from rangli.web.feed import EVENT_STREAM, feed
from rangli.web.intake import Decide, decide_batch, encoder

if TYPE_CHECKING:
    from rangli.service import Running
    from rangli.web.desk import Desk

Endpoint = Callable[["Desk", Asked], Awaitable[Reply]]
Kinds = tuple[type[RangliError], ...]

OK: Final = 200
CREATED: Final = 201
ACCEPTED: Final = 202
NO_CONTENT: Final = 204
NOT_READY: Final = 503
HTML: Final = b"text/html; charset=utf-8"


class Route(NamedTuple):
    """One method at one path, and all that is promised of it."""

    method: str
    path: str
    scope: str
    """What its key needs; empty for what needs none."""
    endpoint: Endpoint
    zh: str
    en: str
    answers: dict[int, Any]
    """Status -> the type of its JSON; a media type (bytes) for what is no JSON; None for no body."""
    body: type[msgspec.Struct] | None = None
    query: type[msgspec.Struct] = Nothing
    refusals: Kinds = ()
    """What the service may refuse, beyond what any route of this form may."""
    rows: bool = False
    """Whether it takes many of its body and answers each."""


def question(ask: Callable[[Running, Asked], object]) -> Endpoint:
    """An endpoint that asks one programme."""

    async def endpoint(desk: Desk, asked: Asked) -> Reply:
        running = await desk.running(asked.param("programme"))
        return Reply(OK, await desk.ask(lambda: encoder.encode(ask(running, asked))))

    return endpoint


# ---------------------------------------------------------------- programmes


async def list_programmes(desk: Desk, asked: Asked) -> Reply:
    """Those that the key is for."""
    assert asked.grant is not None
    mine = asked.grant.programmes
    programmes = await desk.ask(desk.service.programmes)
    return Reply(OK, encoder.encode([view for view in programmes if mine is None or view.name in mine]))


async def create_programme(desk: Desk, asked: Asked) -> Reply:
    """A key that is for some programmes creates no other."""
    new = await asked.decoded(_NEW_PROGRAMME)
    assert asked.grant is not None
    asked.grant.require("admin", new.name)
    view = await desk.ask(
        desk.service.create, new.name, new.plan, hold_seconds=new.hold_seconds, channel=new.channel, signed=new.signed
    )
    return Reply(CREATED, encoder.encode(view))


def _balance(running: Running, asked: Asked) -> BalanceView:
    """Now, or at a position."""
    at = asked.query(At).at
    return running.balance(asked.param("account"), at=None if at is msgspec.UNSET else at)


def _statement(running: Running, asked: Asked) -> StatementView:
    """A page of it."""
    page = asked.query(Page)
    return running.statement(asked.param("account"), before=page.cursor, limit=page.limit)


def _decisions(running: Running, asked: Asked) -> list[DecisionView]:
    """A page of the journal."""
    page = asked.query(After)
    return running.decisions(page.after, page.limit)


# ---------------------------------------------------------------- webhooks


async def list_webhooks(desk: Desk, asked: Asked) -> Reply:
    """Without their secrets."""
    return Reply(OK, encoder.encode(await desk.ask(desk.service.webhooks.list, asked.param("programme"))))


async def add_webhook(desk: Desk, asked: Asked) -> Reply:
    """With its secret, this once."""
    new = await asked.decoded(_NEW_WEBHOOK)
    view = await desk.ask(desk.service.webhooks.add, asked.param("programme"), new.url, new.kinds)
    return Reply(CREATED, encoder.encode(view))


async def remove_webhook(desk: Desk, asked: Asked) -> Reply:
    """What was still to be sent to it is not sent."""
    await desk.ask(desk.service.webhooks.remove, asked.param("programme"), asked.param("webhook_id"))
    return Reply(NO_CONTENT, b"")


async def list_deliveries(desk: Desk, asked: Asked) -> Reply:
    """Newest first."""
    limit = asked.query(Newest).limit
    deliveries = desk.service.webhooks.deliveries
    return Reply(OK, encoder.encode(await desk.ask(deliveries, asked.param("programme"), asked.param("webhook_id"), limit)))


async def redeliver(desk: Desk, asked: Asked) -> Reply:
    """The same delivery once more."""
    await desk.ask(desk.service.webhooks.redeliver, asked.param("programme"), asked.param("delivery_id"))
    return Reply(ACCEPTED, b"")


# ---------------------------------------------------------------- keys


def _for_all(asked: Asked) -> None:
    """Keys are kept by keys for all programmes, or else one for some of them would issue itself the others."""
    assert asked.grant is not None
    if asked.grant.programmes is not None:
        raise ScopeRefused(
            "admin",
            "此密钥只用于部分项目,不能管理密钥;请换用不限项目的管理密钥",
            "this key is for some programmes only and keeps no keys; use an admin key for all programmes",
        )


async def list_keys(desk: Desk, asked: Asked) -> Reply:
    """All of them, the revoked too."""
    _for_all(asked)
    return Reply(OK, encoder.encode(await desk.ask(desk.service.access.list)))


async def issue_key(desk: Desk, asked: Asked) -> Reply:
    """Its token is in this answer and nowhere else."""
    _for_all(asked)
    new = await asked.decoded(_NEW_KEY)
    token, view = await desk.ask(desk.service.access.create, new.name, new.scopes, new.programmes, new.per_second)
    return Reply(CREATED, encoder.encode(IssuedKey(**msgspec.structs.asdict(view), token=token)))


async def revoke_key(desk: Desk, asked: Asked) -> Reply:
    """At once in this process, and within seconds in others."""
    _for_all(asked)
    await desk.ask(desk.service.access.revoke, asked.param("key_id"))
    desk.gate.forget()
    return Reply(NO_CONTENT, b"")


# ---------------------------------------------------------------- the process


async def alive(_desk: Desk, _asked: Asked) -> Reply:
    """The process runs; it asks nobody."""
    return Reply(OK, encoder.encode(Alive()))


async def ready(desk: Desk, _asked: Asked) -> Reply:
    """Whether it can serve."""
    health = await desk.ask(desk.service.health)
    return Reply(OK if health.ready else NOT_READY, encoder.encode(health))


async def metrics(desk: Desk, asked: Asked) -> Reply:
    """Open, unless the application was made to want a key."""
    if not desk.open_metrics:
        await desk.admit(asked, "read", None)
    return Reply(OK, await desk.ask(figures.exposition, desk.service, desk.traffic), figures.TEXT)


async def openapi(desk: Desk, _asked: Asked) -> Reply:
    """Made once."""
    return Reply(OK, desk.document)


async def docs(desk: Desk, _asked: Asked) -> Reply:
    """Made once."""
    return Reply(OK, desk.page, HTML)


# ---------------------------------------------------------------- the table

_NEW_PROGRAMME: Final = msgspec.json.Decoder(NewProgramme)
_NEW_KEY: Final = msgspec.json.Decoder(NewKey)
_NEW_WEBHOOK: Final = msgspec.json.Decoder(NewWebhook)

_P: Final = "/v1/programmes/{programme}"
_DECIDED: Final = {CREATED: Answer, OK: Answer, ACCEPTED: Answer}
_SETTLER: Final[Kinds] = (RequestConflict, NotSettling, Failed)

ROUTES: Final = (
    Route(
        "POST", f"{_P}/orders", "orders", Decide(OrderRequest),
        "提交一个已付款订单", "Hand in a paid order",
        _DECIDED, OrderRequest, refusals=(FieldRefused, OrderRefused, *_SETTLER),
    ),
    Route(
        "POST", f"{_P}/orders:batch", "orders", decide_batch,
        "提交许多订单,逐行答复", "Hand in many orders; each row is answered",
        {OK: Row}, OrderRequest, refusals=(NotSettling, Failed), rows=True,
    ),
    Route(
        "POST", f"{_P}/refunds", "orders", Decide(RefundRequest),
        "退款;冻结期内退款即取消订单", "Refund an order; inside its hold this cancels it",
        _DECIDED, RefundRequest, refusals=(FieldRefused, AmountMalformed, OrderNotFound, RefundTooLarge, HeldOrder, *_SETTLER),
    ),
    Route(
        "POST", f"{_P}/sales", "money", Decide(SaleRequest),
        "会员卖出积分", "A member sells points",
        _DECIDED, SaleRequest, refusals=(FieldRefused, AmountMalformed, PointsShort, *_SETTLER),
    ),
    Route(
        "POST", f"{_P}/injections", "money", Decide(InjectionRequest),
        "向盈利池注资", "Inject funds into the pool",
        _DECIDED, InjectionRequest, refusals=(FieldRefused, AmountMalformed, LimitReached, *_SETTLER),
    ),
    Route(
        "POST", f"{_P}/closings", "money", Decide(ClosingRequest),
        "关账:到期的期关闭并释放", "Close the periods that are over",
        _DECIDED, ClosingRequest, refusals=(FieldRefused, *_SETTLER),
    ),
    Route(
        "POST", f"{_P}/plans", "plans", Decide(ActivationRequest),
        "启用方案的新版本;在途订单沿用旧版", "Activate a version of the plan; orders in flight keep theirs",
        _DECIDED, ActivationRequest, refusals=(FieldRefused, PlanFaulty, PlanRefused, PlanUnfit, SignOffMissing, *_SETTLER),
    ),
    Route(
        "GET", f"{_P}/plans", "read", question(lambda running, _: running.plans()),
        "方案的各个版本", "The versions of the plan", {OK: list[PlanView]},
    ),
    Route(
        "GET", "/v1/programmes", "read", list_programmes,
        "此密钥可用的项目", "The programmes that the key is for", {OK: list[ProgrammeView]},
    ),
    Route(
        "POST", "/v1/programmes", "admin", create_programme,
        "新建项目", "Create a programme",
        {CREATED: ProgrammeView}, NewProgramme, refusals=(FieldRefused, PlanFaulty, PlanRefused, ProgrammeExists, SignOffMissing),
    ),
    Route(
        "GET", _P, "read", question(lambda running, _: running.view()),
        "项目现状", "A programme as it stands", {OK: ProgrammeView},
    ),
    Route(
        "GET", f"{_P}/orders/{{order_id}}", "read", question(lambda running, asked: running.order(asked.param("order_id"))),
        "订单、其转账与逐条说明", "An order, its transfers, and why",
        {OK: OrderView}, refusals=(OrderNotFound,),
    ),
    Route(
        "GET", f"{_P}/draws/{{order_id}}", "read", question(lambda running, asked: running.draw(asked.param("order_id"))),
        "复核一单红包所需的一切", "What anyone needs to draw an order's packets again",
        {OK: DrawView}, refusals=(OrderNotFound,),
    ),
    Route(
        "GET", f"{_P}/accounts/{{account}}", "read",
        question(_balance),
        "账户余额,可指定截至哪条决定", "An account's balance, now or after a decision",
        {OK: BalanceView}, query=At, refusals=(AccountNotFound,),
    ),
    Route(
        "GET", f"{_P}/accounts/{{account}}/entries", "read", question(_statement),
        "账户明细,由新到旧,分页", "An account's statement, newest first, page by page",
        {OK: StatementView}, query=Page, refusals=(AccountNotFound,),
    ),
    Route(
        "GET", f"{_P}/trial-balance", "read", question(lambda running, _: running.trial_balance()),
        "试算平衡", "The trial balance", {OK: TrialBalanceView},
    ),
    Route(
        "GET", f"{_P}/decisions", "read", question(_decisions),
        "账簿中的决定,依次分页", "The journal's decisions in order, page by page", {OK: list[DecisionView]}, query=After,
    ),
    Route(
        "GET", f"{_P}/feed", "read", feed,
        "事件流:每条决定一落库即推送", "Server-sent events: each decision once it is durable",
        {OK: EVENT_STREAM}, query=Since,
    ),
    Route("GET", f"{_P}/webhooks", "admin", list_webhooks, "全部 webhook", "The webhooks", {OK: list[WebhookView]}),
    Route(
        "POST", f"{_P}/webhooks", "admin", add_webhook,
        "新增 webhook;签名密钥只显示这一次", "Add a webhook; its secret is shown this once",
        {CREATED: WebhookView}, NewWebhook, refusals=(FieldRefused,),
    ),
    Route(
        "DELETE", f"{_P}/webhooks/{{webhook_id}}", "admin", remove_webhook,
        "删除 webhook", "Remove a webhook", {NO_CONTENT: None}, refusals=(WebhookNotFound,),
    ),
    Route(
        "GET", f"{_P}/webhooks/{{webhook_id}}/deliveries", "admin", list_deliveries,
        "投递记录,由新到旧", "Its deliveries, newest first",
        {OK: list[DeliveryView]}, query=Newest, refusals=(WebhookNotFound,),
    ),
    Route(
        "POST", f"{_P}/deliveries/{{delivery_id}}:redeliver", "admin", redeliver,
        "重新投递", "Deliver once more", {ACCEPTED: None}, refusals=(DeliveryNotFound,),
    ),
    Route("GET", "/v1/keys", "admin", list_keys, "全部密钥", "The keys", {OK: list[KeyView]}),
    Route(
        "POST", "/v1/keys", "admin", issue_key,
        "发放密钥;密钥只显示这一次", "Issue a key; it is shown this once",
        {CREATED: IssuedKey}, NewKey, refusals=(FieldRefused, ProgrammeNotFound),
    ),
    Route(
        "DELETE", "/v1/keys/{key_id}", "admin", revoke_key,
        "吊销密钥", "Revoke a key", {NO_CONTENT: None}, refusals=(KeyNotFound,),
    ),
    Route("GET", "/healthz", "", alive, "进程是否在运行", "Whether the process runs", {OK: Alive}),
    Route("GET", "/readyz", "", ready, "能否提供服务", "Whether it can serve", {OK: Health, NOT_READY: Health}),
    Route("GET", "/metrics", "", metrics, "Prometheus 指标", "Figures for Prometheus", {OK: figures.TEXT}),
    Route("GET", "/openapi.json", "", openapi, "本接口的 OpenAPI 描述", "The OpenAPI document of this API", {OK: dict[str, Any]}),
    Route("GET", "/docs", "", docs, "本接口的网址与问题一览", "A page of all addresses and problems", {OK: HTML}),
)  # fmt: skip
