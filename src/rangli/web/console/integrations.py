"""Who else talks with us: API keys that come in, and webhooks that go out with their deliveries."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from rangli.errors import DeliveryNotFound, FieldRefused, KeyNotFound, RangliError, WebhookNotFound
from rangli.service.people.access import PER_SECOND, SCOPES, KeyView
from rangli.service.webhooks import KEPT, DeliveryView, WebhookView
from rangli.web.console.call import Call, Shown
from rangli.web.console.door import Door
from rangli.web.console.listing import Column, Filter, Listing, Row, Want, by_count, by_time, by_use, by_words, turns
from rangli.web.console.overview import programmes_of
from rangli.web.console.shelf import By, shelved
from rangli.web.console.states import DECISIONS
from rangli.web.console.words import Link, State

SCOPE_WORDS: Final = {
    "read": ("查看一切", "see everything"),
    "orders": ("提交和退还订单", "post and refund orders"),
    "money": ("卖出积分、注资、关账", "sales of points, injections, closings"),
    "plans": ("启用方案版本", "activate versions of plans"),
    "admin": ("项目、密钥、webhook", "programmes, keys, webhooks"),
}
IN_FORCE: Final = State("live", "有效", "In force", "good")
REVOKED: Final = State("revoked", "已撤销", "Revoked", "plain")
TOLD: Final = State("told", "投递中", "Delivering", "good")
PAUSED: Final = State("paused", "已暂停", "Paused", "bad")
DELIVERED: Final = State("delivered", "已送达", "Delivered", "good")
TRYING: Final = State("trying", "重试中", "Trying again", "wait")
PENDING: Final = State("pending", "待发送", "To be sent", "wait")


def _key_state(key: KeyView) -> State:
    return REVOKED if key.revoked_at else IN_FORCE


def _hook_state(hook: WebhookView) -> State:
    return PAUSED if hook.paused_at else TOLD


def _delivery_state(one: DeliveryView) -> State:
    return DELIVERED if one.delivered_at else TRYING if one.attempts else PENDING


KEY_SORTS: Final[By[KeyView]] = {
    **dict.fromkeys(by_time("created"), lambda key: key.created_at),
    **dict.fromkeys(by_words("name", "用途", "use"), lambda key: key.name),
    **dict.fromkeys(by_words("state", "状态", "state"), lambda key: bool(key.revoked_at)),
    **dict.fromkeys(by_use("used"), lambda key: key.last_used_at),
}
HOOK_SORTS: Final[By[WebhookView]] = {
    **dict.fromkeys(reversed(by_time("created")), lambda hook: hook.created_at),
    **dict.fromkeys(by_words("url", "接收地址", "address"), lambda hook: hook.url),
    **dict.fromkeys(by_words("state", "状态", "state"), lambda hook: bool(hook.paused_at)),
    **dict.fromkeys(
        turns("position", ("ahead", "通知得最多的在前", "Told most first"), ("behind", "通知得最少的在前", "Told least first")),
        lambda hook: hook.position,
    ),
}
DELIVERY_SORTS: Final[By[DeliveryView]] = {
    **dict.fromkeys(by_time("first"), lambda one: one.first),
    **dict.fromkeys(by_words("state", "状态", "state"), lambda one: (PENDING, TRYING, DELIVERED).index(_delivery_state(one))),
    **dict.fromkeys(by_count("attempts", "次数", "attempts"), lambda one: one.attempts),
    **dict.fromkeys(
        turns("tried", ("tried", "最近试过的在前", "Last tried first"), ("untried", "最久没试的在前", "Longest untried first")),
        lambda one: one.tried_at,
    ),
}


# ---------------------------------------------------------------- API keys


def keys(call: Call) -> Shown:
    """Every key, with those that were revoked."""
    listing = Listing(
        "keys",
        "API 密钥",
        "API keys",
        (
            Column("name", "用途", "Used by", "link"),
            Column("state", "状态", "State", "state"),
            Column("scopes", "权限", "Scopes"),
            Column("programmes", "项目", "Programmes"),
            Column("used", "最近使用", "Last used", "time"),
            Column("created", "发放时间", "Issued", "time"),
            Column("id", "编号", "Id", "code"),
        ),
        lambda want: shelved(_keys(call, want), want, KEY_SORTS, lambda key: key.key_id, partial(_key_row, call)),
        sorts=tuple(KEY_SORTS),
        filters=(Filter("state", "状态", "State", "choice", (("live", "有效", "In force"), ("revoked", "已撤销", "Revoked"))),),
        empty=("还没有 API 密钥。", "There is no API key yet."),
    )
    return call.listing(listing, "operations/keys.html")


def _keys(call: Call, want: Want) -> list[KeyView]:
    return [one for one in call.service.access.list() if want.filters.get("state", "") in {"", _key_state(one).code}]


def _key_row(call: Call, key: KeyView) -> Row:
    return {
        "name": Link(key.name, f"/operations/keys/{key.key_id}"),
        "state": _key_state(key),
        "scopes": ", ".join(key.scopes),
        "programmes": call.t("全部", "all") if key.programmes is None else ", ".join(key.programmes),
        "used": key.last_used_at,
        "created": key.created_at,
        "id": key.key_id,
    }


def key_form(call: Call) -> Shown:
    """The form of a new key."""
    return _show_key_form(call)


def _show_key_form(call: Call, refusal: RangliError | None = None) -> Shown:
    """The same, with a refusal in place."""
    values: dict[str, Any] = {
        "scopes": [(code, SCOPE_WORDS[code], code in call.form.get("scopes", ())) for code in SCOPES],
        "programmes": [(one.name, one.name in call.form.get("programmes", ())) for one in programmes_of(call)],
        "name": call.field("name"),
        "per_second": call.field("per_second", str(PER_SECOND)),
    }
    if refusal is not None:
        return call.show_refused("operations/key_new.html", refusal, **values)
    return call.show("operations/key_new.html", refused=None, **values)


def key_issue(call: Call) -> Shown:
    """A new key; its token is shown here and nowhere again."""
    try:
        rate = call.field("per_second", str(PER_SECOND))
        if not (rate.isascii() and rate.isdigit() and len(rate) <= len(str(PER_SECOND)) + 4):
            raise FieldRefused("per_second", "应为整数,如 1000", "it must be a whole number, as 1000")
        programmes = call.form.get("programmes") or None
        token, key = call.service.access.create(call.field("name"), call.form.get("scopes", []), programmes, int(rate))
    except RangliError as refusal:
        return _show_key_form(call, refusal)
    call.note("key.issue", key.key_id, name=key.name, scopes=", ".join(key.scopes), programmes=key.programmes)
    return call.show("operations/key_issued.html", token=token, key=key)


def key_page(call: Call) -> Shown:
    """One key. Raises KeyNotFound."""
    wanted = call.param("key")
    key = next((one for one in call.service.access.list() if one.key_id == wanted), None)
    if key is None:
        raise KeyNotFound(f"没有编号为 {wanted[:20]} 的密钥", f"there is no key {wanted[:20]}")
    return call.show("operations/key.html", key=key, state=_key_state(key))


def key_revoke(call: Call) -> Shown:
    """End a key for ever."""
    wanted = call.param("key")
    call.service.access.revoke(wanted)
    call.note("key.revoke", wanted)
    return call.go(f"/operations/keys/{call.segment(wanted)}", "密钥已撤销。", "The key was revoked.")


# ---------------------------------------------------------------- webhooks


def webhooks(call: Call) -> Shown:
    """The endpoints of a programme."""
    base = _base(call)
    listing = Listing(
        "webhooks",
        "Webhook",
        "Webhooks",
        (
            Column("url", "接收地址", "Address", "link"),
            Column("state", "状态", "State", "state"),
            Column("kinds", "哪些决定", "Which decisions"),
            Column("position", "已通知到", "Told up to", "count"),
            Column("created", "添加时间", "Added", "time"),
            Column("why", "暂停原因", "Why it is paused"),
        ),
        lambda want: shelved(
            call.service.webhooks.list(call.programme), want, HOOK_SORTS, lambda hook: hook.id, partial(_hook_row, call, base)
        ),
        sorts=tuple(HOOK_SORTS),
        empty=("还没有接收地址;添加一个,新的决定就会通知它。", "None yet; add one and it is told of every new decision."),
    )
    return call.listing(listing, "operations/webhooks.html", base=base)


def _base(call: Call) -> str:
    return f"/p/{call.segment(call.programme)}/webhooks"


def _hook_row(call: Call, base: str, hook: WebhookView) -> dict[str, object]:
    return {
        "url": Link(hook.url, f"{base}/{hook.id}"),
        "state": _hook_state(hook),
        "kinds": _kinds(call, hook),
        "position": str(hook.position),
        "created": hook.created_at,
        "why": call.t(hook.zh, hook.en),
    }


def _kinds(call: Call, hook: WebhookView) -> str:
    return ", ".join(call.t(DECISIONS[kind].zh, DECISIONS[kind].en) for kind in hook.kinds) or call.t("全部", "all")


def webhook_form(call: Call) -> Shown:
    """The form of a new endpoint."""
    call.running  # noqa: B018 -- one that is not there is refused here
    return _show_webhook_form(call)


def _show_webhook_form(call: Call, refusal: RangliError | None = None) -> Shown:
    """The same, with a refusal in place."""
    kinds = [(kind, state, kind in call.form.get("kinds", ())) for kind, state in DECISIONS.items()]
    values: dict[str, Any] = {"base": _base(call), "kinds": kinds, "address": call.field("url")}
    if refusal is not None:
        return call.show_refused("operations/webhook_new.html", refusal, **values)
    return call.show("operations/webhook_new.html", refused=None, **values)


def webhook_add(call: Call) -> Shown:
    """A new endpoint; its secret is shown here and nowhere again."""
    try:
        hook = call.service.webhooks.add(call.programme, call.field("url"), call.form.get("kinds", []))
    except FieldRefused as refusal:
        return _show_webhook_form(call, refusal)
    call.note("webhook.add", hook.id, url=hook.url, kinds=hook.kinds)
    return call.show("operations/webhook_added.html", hook=hook, base=_base(call))


def webhook_page(call: Call) -> Shown:
    """One endpoint and its deliveries. Raises WebhookNotFound."""
    wanted, base = call.param("webhook"), _base(call)
    hook = next((one for one in call.service.webhooks.list(call.programme) if one.id == wanted), None)
    if hook is None:
        raise WebhookNotFound(f"没有编号为 {wanted[:20]} 的接收地址", f"there is no webhook {wanted[:20]}")
    listing = Listing(
        "deliveries",
        "投递",
        "Deliveries",
        (
            Column("id", "编号", "Id", "link"),
            Column("state", "状态", "State", "state"),
            Column("first", "从第几条", "From decision", "count"),
            Column("last", "到第几条", "To decision", "count"),
            Column("attempts", "次数", "Attempts", "count"),
            Column("tried", "最近一次", "Last tried", "time"),
            Column("due", "下一次", "Next", "time"),
            Column("why", "失败原因", "Why it failed"),
        ),
        lambda want: shelved(
            _deliveries(call, hook, want), want, DELIVERY_SORTS, lambda one: one.id, partial(_delivery_row, call, hook)
        ),
        sorts=tuple(DELIVERY_SORTS),
        filters=(
            Filter("state", "状态", "State", "choice", tuple((one.code, one.zh, one.en) for one in (DELIVERED, TRYING, PENDING))),
        ),
        empty=("还没有投递;有了新的决定就会投递。", "Nothing was delivered yet; it begins with the next decision."),
    )
    return call.listing(
        listing, "operations/webhook.html", hook=hook, base=base, state=_hook_state(hook), kinds=_kinds(call, hook)
    )


def _deliveries(call: Call, hook: WebhookView, want: Want) -> list[DeliveryView]:
    found = call.service.webhooks.deliveries(call.programme, hook.id, KEPT)
    return [one for one in found if want.filters.get("state", "") in {"", _delivery_state(one).code}]


def _delivery_row(call: Call, hook: WebhookView, one: DeliveryView) -> Row:
    return {
        "id": Link(one.id, f"{_base(call)}/{hook.id}/deliveries/{one.id}"),
        "state": _delivery_state(one),
        "first": str(one.first),
        "last": str(one.last),
        "attempts": str(one.attempts),
        "tried": one.tried_at,
        "due": one.due_at,
        "why": call.t(one.zh, one.en),
    }


def delivery_page(call: Call) -> Shown:
    """One delivery. Raises DeliveryNotFound or WebhookNotFound."""
    wanted, hook = call.param("delivery"), call.param("webhook")
    found = call.service.webhooks.deliveries(call.programme, hook, KEPT)
    one = next((delivery for delivery in found if delivery.id == wanted), None)
    if one is None:
        raise DeliveryNotFound(
            f"没有投递 {wanted[:40]},或已不再保留", f"there is no delivery {wanted[:40]}, or it is no longer kept"
        )
    return call.show("operations/delivery.html", one=one, base=_base(call), hook=hook, state=_delivery_state(one))


def redeliver(call: Call) -> Shown:
    """Send a message again, now."""
    wanted, hook = call.param("delivery"), call.param("webhook")
    call.service.webhooks.redeliver(call.programme, wanted)
    call.note("webhook.redeliver", wanted)
    return call.go(f"{_base(call)}/{call.segment(hook)}", "将立即重新投递。", "It will be delivered again at once.")


def webhook_remove(call: Call) -> Shown:
    """Tell an endpoint nothing more."""
    wanted = call.param("webhook")
    call.service.webhooks.remove(call.programme, wanted)
    call.note("webhook.remove", wanted)
    return call.go(_base(call), "接收地址已删除。", "The webhook was removed.")


DOORS: Final[tuple[Door, ...]] = (
    Door("GET", "/operations/keys", "admin", keys, "API 密钥", "API keys"),
    Door("GET", "/operations/keys/new", "admin", key_form, "发放密钥", "Issue a key"),
    Door("POST", "/operations/keys", "admin", key_issue, "发放密钥", "Issue a key"),
    Door("GET", "/operations/keys/{key}", "admin", key_page, "密钥", "A key"),
    Door("POST", "/operations/keys/{key}/revoke", "admin", key_revoke, "撤销密钥", "Revoke a key"),
    Door("GET", "/p/{programme}/webhooks", "admin", webhooks, "Webhook", "Webhooks"),
    Door("GET", "/p/{programme}/webhooks/new", "admin", webhook_form, "添加接收地址", "Add a webhook"),
    Door("POST", "/p/{programme}/webhooks", "admin", webhook_add, "添加接收地址", "Add a webhook"),
    Door("GET", "/p/{programme}/webhooks/{webhook}", "admin", webhook_page, "接收地址", "A webhook"),
    Door("POST", "/p/{programme}/webhooks/{webhook}/remove", "admin", webhook_remove, "删除接收地址", "Remove a webhook"),
    Door("GET", "/p/{programme}/webhooks/{webhook}/deliveries/{delivery}", "admin", delivery_page, "投递", "A delivery"),
    Door(
        "POST",
        "/p/{programme}/webhooks/{webhook}/deliveries/{delivery}/redeliver",
        "admin",
        redeliver,
        "重新投递",
        "Deliver again",
    ),
)
