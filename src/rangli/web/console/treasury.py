"""Treasury: what people do with a programme's money by hand. Funds enter the pool, points are sold for a member, periods close.

Each is shown first as the engine would decide it now; then it is done once, whoever hands the form in twice.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rangli.errors import InputRefused, RangliError, Refused
from rangli.service.looking.previews import Preview
from rangli.service.requests import ClosingRequest, InjectionRequest, SaleRequest
from rangli.web.console.call import Shown
from rangli.web.console.door import Door
from rangli.web.console.listing import Column, Filter, Listing, Slice, Want, by_time
from rangli.web.console.money import decision_row, tabs
from rangli.web.console.showing import TRANSFERS_HEAD, path_of, slice_of, transfer_rows
from rangli.web.console.states import DECISIONS
from rangli.web.console.words import Amount
from rangli.web.problems import Fault

if TYPE_CHECKING:
    from rangli.web.console.call import Call

TRANSFERS_SHOWN: Final = 100
"""Of a preview, one by one; a closing may make millions."""
COLUMNS: Final = (
    Column("position", "流水号", "Decision", "link"),
    Column("kind", "种类", "Kind", "state"),
    Column("decided_at", "时间", "When", "time"),
    Column("id", "编号", "Id"),
    Column("amount", "数额", "Amount", "money"),
    Column("note", "说明", "Note"),
    Column("transfers", "转账笔数", "Transfers", "count"),
)


class Entry(NamedTuple):
    """One field of a form."""

    name: str
    zh: str
    en: str
    help_zh: str
    help_en: str
    type: str = "text"


class Act(NamedTuple):
    """Something that people do with the money."""

    kind: str
    """As the journal calls it."""
    zh: str
    en: str
    about_zh: str
    about_en: str
    entries: tuple[Entry, ...]
    field: str
    """What a refusal is about that names no field."""
    asks: Callable[..., InjectionRequest | SaleRequest | ClosingRequest]
    """The request, made of its id and the entries."""


INJECTION: Final = Act(
    "injection", "注资", "Injection",
    "资金进入盈利池,不铸积分。", "Funds enter the pool; no points are minted for them.",
    (Entry("amount", "金额(元)", "Amount (yuan)", "如 5000 或 5000.50", "as 5000 or 5000.50"),),
    "amount", InjectionRequest,
)  # fmt: skip
SALE: Final = Act(
    "sale", "卖出积分", "Sale of points",
    "替一位会员按现价卖出积分,所得进他的钱包。",
    "A member’s points are sold at the present price; the cash goes into the wallet.",
    (
        Entry("consumer", "会员", "Member", "订单里消费者的全名", "the consumer’s whole name, as in orders"),
        Entry("points", "积分数", "Points", "如 12.5,最多六位小数", "as 12.5, at most six decimals"),
    ),
    "points", SaleRequest,
)  # fmt: skip
CLOSING: Final = Act(
    "closing", "关账", "Closing",
    "这一天已经开始:在它之前该结束的期结束,该释放的释放。此后更早日子的订单都按这一天计。",
    "The day has begun: periods that are over before it close, and what is due is released."
    " Orders of earlier days then count as of this day.",
    (Entry("on", "日期", "Day", "", "", "date"),),
    "on", ClosingRequest,
)  # fmt: skip
OF_POOL: Final = (INJECTION, SALE)
ACTS: Final = (*OF_POOL, CLOSING)


# ---------------------------------------------------------------- the page


def treasury(call: Call) -> Shown:
    """How pool and periods stand, what can be done, and what was done."""
    kinds = [act.kind for act in _offered(call)] + (["release"] if CLOSING in _offered(call) else [])

    def fetch(want: Want) -> Slice:
        kind = want.filters.get("kind", "")
        days = want.filters.get("since", ""), want.filters.get("until", "")
        found = call.running.browsing.journal(
            (kind,) if kind else kinds, days, want.cursor, want.limit, oldest_first=want.sort == "oldest"
        )
        return slice_of(found, [decision_row(call, line) for line in found.found])

    filters = (
        Filter("kind", "种类", "Kind", "choice", tuple((kind, DECISIONS[kind].zh, DECISIONS[kind].en) for kind in kinds)),
        Filter("since", "从", "From", "date"),
        Filter("until", "到", "Until", "date"),
    )
    empty = ("还没有做过。", "None was done yet.")
    listing = Listing("treasury", "资金操作", "Treasury", COLUMNS, fetch, filters, by_time("position"), empty)
    is_page = not call.is_part and not call.query.get("as")
    return call.listing(listing, "money/treasury.html", **(_standing(call) if is_page else {}))


def _offered(call: Call) -> list[Act]:
    """What the programme's plan has something for. Raises Fault when that is nothing: then there is no such page."""
    running = call.running
    acts = [*(OF_POOL if running.money.has_pool() else ()), *((CLOSING,) if running.periods.are_there() else ())]
    if not acts:
        raise Fault("route_not_found")
    return acts


def _standing(call: Call, wrong: tuple[str, str] = ("", ""), said: dict[str, str] | None = None) -> dict[str, Any]:
    """All that the page shows but what was done. ``wrong``: which form was refused, and which field of it."""
    running, acts = call.running, _offered(call)
    periods = running.periods.view() if CLOSING in acts else None
    return {
        "acts": acts if call.may("money") else [],
        "pool": running.previews.pool(),
        "periods": periods,
        "wrong": wrong,
        "said": said or ({"on": periods.until} if periods else {}),
        "refused": None,
        "there": path_of(call, "treasury"),
        "tabs": tabs(call),
        "tab": path_of(call, "treasury"),
    }


# ---------------------------------------------------------------- first shown, then done


def preview(act: Act, call: Call) -> Shown:
    """What it would do now, before it is done."""
    said = _said(act, call)
    _offered(call)
    try:
        if act is CLOSING:
            call.running.periods.check(said["on"])
        found = call.running.previews.of(act.asks("", *said.values()), TRANSFERS_SHOWN)
    except (InputRefused, Refused) as refusal:
        return _refused(act, call, said, refusal)
    return call.show(
        "money/foreseen.html", act=act, said=said, preview=found, figures=_figures(act, said, found),
        pool=_pool_rows(call, found), releases=_release_rows(found), sums=_sum_rows(call, found), head=TRANSFERS_HEAD,
        transfers=transfer_rows(call, found.transfers), there=path_of(call, "treasury"), tabs=tabs(call),
    )  # fmt: skip


def do(act: Act, call: Call) -> Shown:
    """Do it: handed in twice it counts once."""
    said = _said(act, call)
    _offered(call)
    try:
        if act is CLOSING:
            call.running.periods.check(said["on"])
        answer = call.running.do([act.asks(f"console-{call.once}", *said.values())])[0]
        if isinstance(answer, RangliError):
            raise answer
    except (InputRefused, Refused) as refusal:
        return _refused(act, call, said, refusal)
    assert answer.position is not None
    call.note(act.kind, said.get("consumer", ""), **said, id=answer.id, position=answer.position)
    return call.go(path_of(call, "journal", str(answer.position)), *_done_words(act, call, said, answer.position))


def _said(act: Act, call: Call) -> dict[str, str]:
    """What was written in the form."""
    return {entry.name: call.field(entry.name) for entry in act.entries}


def _refused(act: Act, call: Call, said: dict[str, str], refusal: RangliError) -> Shown:
    """The page again with the refusal at its field, or above all where the plan has no such form."""
    field = getattr(refusal, "field", "")
    wrong = (act.kind, field if field in said else act.field) if act in _offered(call) else ("", "")
    shown = _standing(call, wrong, said)
    del shown["refused"]
    return call.show_refused("money/treasury.html", refusal, listing="", **shown)


def _done_words(act: Act, call: Call, said: dict[str, str], position: int) -> tuple[str, str]:
    """What the next page is told."""
    if act is INJECTION:
        return f"已注资 {said['amount']} 元,流水第 {position} 号。", f"{said['amount']} yuan injected by decision {position}."
    if act is SALE:
        zh = f"已为 {said['consumer']} 卖出 {said['points']} 个积分,流水第 {position} 号。"
        return zh, f"{said['points']} points of {said['consumer']} sold by decision {position}."
    before = call.running.browsing.journal(cursor=str(position - 1), limit=1).found[0]
    zh, en = f"已关账到 {said['on']},流水第 {position} 号;", f"Closed as of {said['on']} by decision {position}; "
    if before.kind == "release":
        return (
            zh + f"最后一次释放是它前面的第 {position - 1} 号。",
            en + f"the last release is decision {position - 1} before it.",
        )
    return zh + "没有到期的期,什么也没有释放。", en + "no period was over, and nothing was released."


# ---------------------------------------------------------------- what a preview shows


def _figures(act: Act, said: dict[str, str], found: Preview) -> list[tuple[str, str, Amount | str]]:
    """What it is about, and what it comes to."""
    figures: list[tuple[str, str, Amount | str]] = []
    if act is INJECTION:
        figures.append(("注资", "Injection", Amount(found.amount)))
    elif act is SALE:
        figures.append(("会员", "Member", said["consumer"]))
        figures.append(("卖出", "Sold", Amount(found.amount, "POINT")))
        figures.append(("卖后还有", "Left afterwards", Amount(found.left, "POINT")))
    else:
        figures.append(("关账到", "Closed as of", said["on"]))
        figures.append(("释放的期", "Periods released", str(len(found.releases))))
    return [*figures, ("转账笔数", "Transfers", str(found.count))]


def _pool_rows(call: Call, found: Preview) -> list[list[object]]:
    """The pool before and after."""
    if found.pool is None:
        return []
    before, after = found.pool
    return [
        [call.t("每积分价格", "Price of a point"), Amount(before.price), Amount(after.price)],
        [call.t("池中资金", "In the pool"), Amount(before.pool), Amount(after.pool)],
        [call.t("流通积分", "Points there are"), Amount(before.supply, "POINT"), Amount(after.supply, "POINT")],
    ]


def _release_rows(found: Preview) -> list[list[object]]:
    """Each period with what it releases."""
    return [[str(one.period), Amount(one.released), str(one.accounts), Amount(one.held)] for one in found.releases]


def _sum_rows(call: Call, found: Preview) -> list[list[object]]:
    """All transfers by reason."""
    return [[one.code, call.t(one.zh, one.en), str(one.count), Amount(one.amount, one.unit)] for one in found.sums]


def _doors(act: Act) -> tuple[Door, Door]:
    """Where it is previewed and where it is done."""
    there, words = f"{_P}/treasury/{act.kind}", (f"{act.zh}预览", f"{act.en}: preview")
    return (
        Door("POST", f"{there}/preview", "money", partial(preview, act), *words, changes=False),
        Door("POST", there, "money", partial(do, act), act.zh, act.en),
    )


_P: Final = "/p/{programme}"
DOORS: Final[tuple[Door, ...]] = (
    Door("GET", f"{_P}/treasury", "read", treasury, "资金操作", "Treasury"),
    *(door for act in ACTS for door in _doors(act)),
)
