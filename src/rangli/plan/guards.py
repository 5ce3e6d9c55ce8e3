"""The guards: what the law asks of a plan, each question a small function over its document and what a run measured.

A guard answers with findings: ok; sign-off, which two people may give with a reason and an opinion; or refuse, which nobody may
override on a real channel. What a document does not say is never ok: silence needs a sign-off. Rules, sources, dates and
thresholds are data (``law``, ``guards.yaml``), and so is what would be right; a finding adds what was found and where.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Final, NamedTuple

import msgspec

from rangli.money import MICRO_PER_FEN, mul_div
from rangli.plan import exposure
from rangli.plan.compile import CompiledPlan
from rangli.plan.explain import explain
from rangli.plan.law import VERDICTS, Guard, Guards, Threshold, Unit, Verdict, guards, shown
from rangli.plan.parts import Law, Payout, Plan
from rangli.plan.vocabulary import party_words

__all__ = ["Finding", "Meters", "guards", "judge", "verdict"]

EXAMPLE_FEN: Final = 100_000
"""The order of 1000 yuan that the sources reckon with."""
BEYOND: Final = 2**62
"""Stands for a figure that has no end."""


class Meters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a run measures for the law, each the most that it saw. A meter that grows never makes a verdict milder."""

    levels: int = 0
    """Of the deepest chain that was paid, the platform's own counted."""
    people: int = 0
    """In the largest chain that was paid."""
    entry_fees_micro: int = 0
    bounties_micro: int = 0
    """Paid for bringing a merchant or a consumer."""
    promised_bp_max: int = 0
    """Promised in parts of what is set aside for it: 10,000 when there is as much."""
    benefit_bp_max: int = 0
    """The most that one consumer got, in parts of what he spent."""
    unfunded_micro: int = 0
    """Promised and not covered."""
    unfunded_people: int = 0
    """To whom it is promised."""
    loss_micro: int = 0
    """Spent in vain by those who were promised more than they got."""
    prize_micro_max: int = 0
    """The largest packet that was drawn."""
    payout_micro_max: int = 0
    payout_day_micro_max: int = 0
    """To one person on one day."""
    principal_micro: int = 0
    """Merchants' principal on the platform's books."""
    top_up_micro: int = 0
    transfers_micro: int = 0
    """Of balances between people."""
    vouchers_sold_micro: int = 0
    vouchers_cashed_micro: int = 0
    early_payout_micro: int = 0
    """Paid out before the days of refund were over."""


class Finding(msgspec.Struct, frozen=True):
    """What one guard found."""

    guard: str
    verdict: Verdict
    clause: str
    """The path in the document that it is about; empty for none."""
    figure: str
    threshold: str
    """From where on a sign-off is needed, and from where on it is refused."""
    zh: str
    en: str

    def message(self, lang: str) -> str:
        """The text in ``lang`` ("zh" or "en")."""
        return self.zh if lang == "zh" else self.en


class Case(NamedTuple):
    """What a guard looks at."""

    compiled: CompiledPlan
    meters: Meters | None
    texts: tuple[str, ...]
    law: Guards

    @property
    def plan(self) -> Plan:
        """The document."""
        return self.compiled.plan

    @property
    def said(self) -> Law:
        """What the operator declares."""
        return self.plan.law or _SILENT

    @property
    def measured(self) -> Meters:
        """The meters; all 0 when nothing was run."""
        return self.meters or _NOTHING


_SILENT: Final = Law(None, None, None, None, None, None, None, None, None)
_UNPAID: Final = Payout(None, None, None, None, None)
_NOTHING: Final = Meters()

Words = tuple[str, str]
Question = Callable[[Case, Guard], Iterable[Finding]]


def judge(
    compiled: CompiledPlan, meters: Meters | None = None, texts: Sequence[str] = (), law: Guards | None = None
) -> tuple[Finding, ...]:
    """What every guard finds about a plan, G1 to G15, one finding or more each.

    meters : what a run of the plan measured
    texts  : copy that advertises it, besides its titles and claims
    law    : other data than that which ships
    """
    case = Case(compiled, meters, tuple(texts), law or guards())
    return tuple(found for name, ask in _QUESTIONS.items() for found in ask(case, case.law.guard(name)))


def verdict(findings: Iterable[Finding]) -> Verdict:
    """The most severe of these verdicts."""
    return VERDICTS[max((VERDICTS.index(found.verdict) for found in findings), default=0)]


# ---------------------------------------------------------------- findings


def _found(
    guard: Guard, said: Verdict, clause: str, figure: str, words: Words, *edges: Threshold, may_block: bool = True
) -> Finding:
    """A finding: what was found, from where on it trips, and unless it is ok what would be right."""
    told = [edge.words(may_block=may_block) for edge in edges]
    zh = words[0] + "".join(f"({edge})" for edge, _ in told if edge)
    en = words[1] + "".join(f" ({edge})" for _, edge in told if edge)
    if said != "ok":
        zh, en = f"{zh}。{guard.right.zh.rstrip('。')}", f"{en}. {guard.right.en.rstrip('.')}"
    return Finding(guard.id, said, clause, figure, "; ".join(edge.text() for edge in edges), f"{zh}。", f"{en}.")


def _unsaid(guard: Guard, clause: str, words: Words) -> Finding:
    """What the document leaves open."""
    return _found(guard, "sign-off", clause, "?", (f"方案没有写明{words[0]}", f"The plan does not say {words[1]}"))


def _against(guard: Guard, name: str, figure: int | Fraction, clause: str, words: Words, *, may_block: bool = True) -> Finding:
    """A figure against one threshold."""
    edge = guard.thresholds[name]
    said = edge.verdict(figure, may_block=may_block)
    return _found(guard, said, clause, shown(figure, edge.unit), words, edge, may_block=may_block)


def _most(measured: int, declared: int | Fraction, clause: str) -> tuple[int | Fraction, str]:
    """The greater of what a run measured and the document says; a measurement has no clause."""
    return (measured, "") if measured > declared else (declared, clause)


def _fen(micro: int) -> Fraction:
    return Fraction(micro, MICRO_PER_FEN)


# ---------------------------------------------------------------- people: G1 to G4


def _referral_depth(case: Case, guard: Guard) -> Iterator[Finding]:
    """G1."""
    depth, clause = exposure.upline(case.plan)
    words = (
        (f"给 {depth} 级推荐人分佣", f"Levels of referrers that are paid: {depth}")
        if depth
        else ("不给推荐人分佣", "No referrer is paid")
    )
    yield _against(guard, "depth", depth, clause, words)


def _paid_chains(case: Case, guard: Guard) -> Iterator[Finding]:
    """G2. People count in a chain that is paid; a refusal takes levels, people and a fee together."""
    chains = [exposure.upline(case.plan), exposure.ladder(case.plan)]
    depth, clause = max(chains, key=lambda chain: chain[0])
    if case.measured.levels > 1 + depth:
        clause = ""
    levels = max(1 + depth, case.measured.levels)
    people = case.measured.people if levels > 1 else 0
    has_fee = bool(case.said.entry_fee_fen) or case.measured.entry_fees_micro > 0
    by_levels, by_people = guard.thresholds["levels"], guard.thresholds["people"]
    may_block = has_fee and all(
        threshold.verdict(figure) == "refuse" for threshold, figure in ((by_levels, levels), (by_people, people))
    )
    said = max(by_levels.verdict(levels, may_block=may_block), by_people.verdict(people, may_block=may_block), key=VERDICTS.index)
    more = [(f",最大的一条 {people} 人", f", {people} people in the largest")] if people else []
    more += [(",并有门槛费", ", behind a fee")] if has_fee else []
    words = (
        f"付佣链条连平台共 {levels} 级{''.join(zh for zh, _ in more)}",
        f"Paid chains have {levels} level(s) with the platform's own{''.join(en for _, en in more)}",
    )
    yield _found(guard, said, clause, f"{levels}, {people}", words, by_levels, by_people, may_block=may_block)


def _entry_fee(case: Case, guard: Guard) -> Iterator[Finding]:
    """G3."""
    threshold, clause = guard.thresholds["fee"], "law.entry_fee"
    declared, taken = case.said.entry_fee_fen, _fen(case.measured.entry_fees_micro)
    if declared is None and threshold.verdict(taken) == "ok":
        yield _unsaid(guard, clause, ("是否收门槛费或要求先消费", "whether a fee or a purchase comes first"))
        return
    fee = max(Fraction(declared or 0), taken)
    yuan = shown(fee, "fen")
    words = (f"门槛费 {yuan}", f"The entry fee is {yuan}") if fee else ("没有门槛费", "There is no entry fee")
    yield _against(guard, "fee", fee, clause, words)


def _bounties(case: Case, guard: Guard) -> Iterator[Finding]:
    """G4."""
    found = list(exposure.bounties(case.plan))
    for bonus, clause in found:
        (party_zh, party_en), yuan = party_words(bonus.to), shown(bonus.amount_fen, "fen")
        words = (
            f"{party_zh}每带来一个得 {yuan},与营业额无关",
            f"Paid to {party_en} for each that is brought, whatever the turnover: {yuan}",
        )
        yield _against(guard, "bounty", bonus.amount_fen, clause, words)
    if not found:
        paid = _fen(case.measured.bounties_micro)
        yuan = shown(paid, "fen")
        words = (
            (f"按人头发放了 {yuan}", f"Paid for heads: {yuan}") if paid else ("没有按人头的奖励", "Nobody is paid by the head")
        )
        yield _against(guard, "bounty", paid, "", words)


# ---------------------------------------------------------------- promises: G5 to G8


def _split_off(case: Case, guard: Guard) -> Iterator[Finding]:
    """G5. The platform takes what no share names, so an order gives up the whole concession; that shares fit is proved before."""
    most = case.plan.concession.bp_max
    percent = shown(most, "bp")
    words = f"一单最多分出实付的 {percent}", f"At most {percent} of the amount are split off an order"
    yield _against(guard, "ratio", most, "concession.max", words)


def _promised(case: Case, guard: Guard) -> Iterator[Finding]:
    """G6. Beyond its funds, a promise of vouchers that are given needs a sign-off; of cash or of sold vouchers it is refused."""
    found = exposure.worst_promise(case.plan)
    in_cash = case.said.vouchers in {"sold", "cashed"} or (found is not None and found.in_cash)
    if found is not None and found.ratio_bp is None:
        said = guard.thresholds["promised"].verdict(BEYOND, may_block=in_cash)
        words = "承诺了回报,却没有为它拨出资金", "A return is promised and nothing is set aside for it"
        yield _found(guard, said, found.clause, "∞", words, guard.thresholds["promised"], may_block=in_cash)
        return
    declared = found.ratio_bp if found is not None and found.ratio_bp is not None else Fraction(0)
    ratio, clause = _most(case.measured.promised_bp_max, declared, found.clause if found else "")
    if ratio == 0:
        words = "不承诺池中没有的钱", "Nothing is promised that is not held"
    else:
        times = shown(ratio, "ratio")
        kind_zh, kind_en = ("(现金或出售的券)", " (in cash, or in sold vouchers)") if in_cash else ("", "")
        words = f"承诺是资金的 {times} 倍{kind_zh}", f"Promised ÷ funded is {times}{kind_en}"
    yield _against(guard, "promised", ratio, clause, words, may_block=in_cash)


def _benefit(case: Case, guard: Guard) -> Iterator[Finding]:
    """G7."""
    found = exposure.benefit(case.plan)
    if found is None:
        words = "积分价值没有上限,好处没有封顶", "The points' worth has no end, so the benefit has no cap"
        threshold = guard.thresholds["benefit"]
        yield _found(guard, threshold.verdict(BEYOND), "pool", "∞", words, threshold)
        return
    figure, clause = _most(case.measured.benefit_bp_max, found.figure, found.clause)
    percent = shown(figure, "bp")
    words = f"一单带来的好处最多为消费额的 {percent}", f"An order brings its parties up to {percent} of what was spent"
    yield _against(guard, "benefit", figure, clause, words)


def _exposed(case: Case, guard: Guard) -> Iterator[Finding]:
    """G8. Measured by a run; without one, a plan that promises more than it sets aside is exposed sooner or later."""
    if case.meters is None:
        yield _exposed_by_document(case, guard)
        return
    measured = case.meters
    told: tuple[tuple[str, int, Words], ...] = (
        ("unfunded", measured.unfunded_micro, ("未备资金的承诺", "Promised without funds")),
        ("people", measured.unfunded_people, ("得到这种承诺的人数", "People to whom it is promised")),
        ("loss", measured.loss_micro, ("损失", "Loss")),
    )
    found = [
        _against(guard, name, figure, "", (f"{zh} {_of(guard, name, figure)}", f"{en}: {_of(guard, name, figure)}"))
        for name, figure, (zh, en) in told
    ]
    yield from [one for one in found if one.verdict != "ok"] or found[:1]


def _of(guard: Guard, name: str, figure: int) -> str:
    """A figure as its threshold writes it."""
    unit: Unit = guard.thresholds[name].unit
    return shown(figure, unit)


def _exposed_by_document(case: Case, guard: Guard) -> Finding:
    """How many orders of 1000 yuan it takes to the threshold."""
    threshold = guard.thresholds["unfunded"]
    promise = max(exposure.promises(case.plan), key=lambda one: one.short_bp, default=None)
    micro = mul_div(EXAMPLE_FEN, promise.short_bp.numerator, promise.short_bp.denominator) if promise else 0
    if promise is None or micro == 0:
        words = "每单的承诺都有资金,没有敞口", "Every order's promise is funded, so nothing is exposed"
        return _found(guard, "ok", "", shown(0, "micro"), words)
    each = shown(micro, "micro")
    edge = threshold.block or threshold.warn or 0
    orders = mul_div(edge + micro - 1, 1, micro)
    words = (
        f"每单 1000 元留下 {each} 未备资金的承诺,约 {orders} 单即达 {shown(edge, 'micro')};须用情景模拟测量",
        (
            f"An order of 1000 yuan leaves {each} promised without funds, {shown(edge, 'micro')} after {orders} orders;"
            " a run of a scenario measures it"
        ),
    )
    return _found(guard, "sign-off", promise.clause, each, words, threshold)


# ---------------------------------------------------------------- prizes and payouts: G9, G10


def _prize(case: Case, guard: Guard) -> Iterator[Finding]:
    """G9."""
    drawn = _fen(case.measured.prize_micro_max)
    threshold = guard.thresholds["prize"]
    if not exposure.has_chance(case.plan):
        yield _against(guard, "prize", drawn, "", ("没有靠偶然性的奖金", "No prize hangs on chance"))
        return
    most = exposure.largest_packet_fen(case.plan)
    if most is None and threshold.verdict(drawn) != "refuse":
        yield _unsaid(guard, "law.order_max", ("最大一单,单个红包就没有上限", "the largest order, so a packet has no limit"))
        return
    figure, clause = max(drawn, Fraction(most or 0)), "packets.exit.received"
    yuan = shown(figure, "fen")
    yield _against(guard, "prize", figure, clause, (f"单个随机红包最多 {yuan}", f"A random packet is {yuan} at most"))


def _payouts(case: Case, guard: Guard) -> Iterator[Finding]:
    """G10: amounts and names, then tax."""
    told = [*_amounts(case, guard), _tax(case, guard)]
    yield from [one for one in told if one.verdict != "ok"] or told[:1]


def _amounts(case: Case, guard: Guard) -> Iterator[Finding]:
    """What is paid at least, at once to names that nobody verified, and to one person a day."""
    paid = case.said.payout or _UNPAID
    unnamed, daily = guard.thresholds["unnamed"], guard.thresholds["daily"]
    once = max(_fen(case.measured.payout_micro_max), Fraction(paid.most_fen or 0))
    a_day = max(_fen(case.measured.payout_day_micro_max), Fraction(paid.daily_fen or 0))
    if paid is _UNPAID and unnamed.verdict(once) == daily.verdict(a_day) == "ok":
        yield _unsaid(guard, "law.payout", ("付给个人的限额和实名", "the limits and names of those who are paid"))
        return
    if paid.least_fen is None:
        yield _unsaid(guard, "law.payout.least", ("最少付多少", "the least that is paid"))
    else:
        yuan = shown(paid.least_fen, "fen")
        yield _against(guard, "least", paid.least_fen, "law.payout.least", (f"最少付 {yuan}", f"The least paid is {yuan}"))
    if not paid.named and paid.most_fen is None and unnamed.verdict(once) == "ok":
        yield _unsaid(guard, "law.payout.most", ("单笔上限,也没有实名", "the most paid at once, and names are not verified"))
    elif not paid.named:
        yuan = shown(once, "fen")
        words = f"未实名也一次付到 {yuan}", f"Up to {yuan} are paid at once to names that nobody verified"
        yield _against(guard, "unnamed", once, "law.payout.most", words)
    if paid.daily_fen is None and daily.verdict(a_day) == "ok":
        yield _unsaid(guard, "law.payout.daily", ("每人每天的上限", "the most for one person a day"))
    else:
        yuan = shown(a_day, "fen")
        words = f"每人每天最多付 {yuan}", f"One person is paid {yuan} a day at most"
        yield _against(guard, "daily", a_day, "law.payout.daily", words)


def _tax(case: Case, guard: Guard) -> Finding:
    """Cash to a consumer as a discount is an open classification, so it needs a sign-off; vouchers are one."""
    figure = case.said.tax or "?"
    if case.said.tax is None:
        words = "方案没有写明消费者所得怎么计税", "The plan does not say how what consumers get is taxed"
        return _found(guard, "sign-off", "law.tax", figure, words)
    if case.said.tax == "discount" and exposure.pays_consumers_cash(case.plan):
        words = "消费者得到现金,却按价格折扣计", "Consumers get cash, and it is called a discount"
        return _found(guard, "sign-off", "law.tax", figure, words)
    return _found(guard, "ok", "law.tax", figure, ("计税方式已定", "The tax is settled"))


# ---------------------------------------------------------------- custody: G11 to G13


def _principal(case: Case, guard: Guard) -> Iterator[Finding]:
    """G11. Our books never hold principal; whether somebody collects it is the operator's to declare."""
    threshold, clause, held = guard.thresholds["principal"], "law.collected_by", case.measured.principal_micro
    if case.said.collected_by == "platform":
        words = "货款由平台代收", "The platform collects what consumers pay"
        collected = guard.thresholds["collected"]
        yield _found(guard, collected.verdict(1), clause, "platform", words, collected)
    elif case.said.collected_by is None and threshold.verdict(held) == "ok":
        yield _unsaid(guard, clause, ("货款由谁收", "who collects what consumers pay"))
    else:
        words = f"平台账上的商家货款 {shown(held, 'micro')}", f"Merchants' principal on the books: {shown(held, 'micro')}"
        yield _against(guard, "principal", held, clause, words)


def _balances(case: Case, guard: Guard) -> Iterator[Finding]:
    """G12."""
    asked: tuple[tuple[str, bool | None, int, Words], ...] = (
        ("law.top_up", case.said.top_up, case.measured.top_up_micro, ("充值", "topped up")),
        ("law.transfers", case.said.transfers, case.measured.transfers_micro, ("转给别人", "passed on to others")),
    )
    yield from _declared(guard, "moved", asked, ("余额", "balances"))


def _cashing(case: Case, guard: Guard) -> Iterator[Finding]:
    """G13: vouchers, then points."""
    said, measured = case.said.vouchers, case.measured
    asked: tuple[tuple[str, bool | None, int, Words], ...] = (
        ("law.vouchers", said == "sold", measured.vouchers_sold_micro, ("出售", "sold")),
        ("law.vouchers", said == "cashed", measured.vouchers_cashed_micro, ("兑现", "cashed")),
    )
    found = list(_declared(guard, "vouchers", asked, ("券", "vouchers")))
    if said is None and exposure.issues_vouchers(case.plan) and verdict(found) == "ok":
        found = [_unsaid(guard, "law.vouchers", ("券可否出售或兑现", "whether vouchers are sold or cashed"))]
    clause = exposure.cashed_points(case.plan)
    if clause:
        words, threshold = ("积分可以变成现金", "Points become cash"), guard.thresholds["points"]
        cashed = _found(guard, threshold.verdict(1), clause, "cash", words, threshold)
        found = [one for one in found if one.verdict != "ok"] + [cashed]
    yield from found


def _declared(guard: Guard, name: str, asked: Sequence[tuple[str, bool | None, int, Words]], what: Words) -> Iterator[Finding]:
    """What must not happen at all: by declaration or as measured; all that does, else all that is unsaid, else one ok."""
    threshold = guard.thresholds[name]
    done, unsaid = [], []
    for clause, declared, micro, (zh, en) in asked:
        if declared:
            words = f"{what[0]}可以{zh}", f"{what[1].capitalize()} can be {en}"
            done.append(_found(guard, threshold.verdict(1), clause, "true", words, threshold))
        elif threshold.verdict(micro) != "ok":
            words = f"{what[0]}{zh}了 {shown(micro, 'micro')}", f"{what[1].capitalize()} were {en}: {shown(micro, 'micro')}"
            done.append(_against(guard, name, micro, "", words))
        elif declared is None:
            unsaid.append(_unsaid(guard, clause, (f"{what[0]}可否{zh}", f"whether {what[1]} can be {en}")))
    nouns = "、".join(words[0] for *_, words in asked), " or ".join(words[1] for *_, words in asked)
    fine = _against(guard, name, 0, "", (f"{what[0]}不可{nouns[0]}", f"{what[1].capitalize()} are not {nouns[1]}"))
    yield from done or unsaid or [fine]


# ---------------------------------------------------------------- copy and time: G14, G15


def _copy(case: Case, guard: Guard) -> Iterator[Finding]:
    """G14: titles, claims, the story of an order, and texts that were given."""
    hits = [
        (word.verdict, clause, word.text)
        for clause, text in _texts(case)
        for word in case.law.words
        if word.found_in(_plain(text))
    ]
    for said, clause, word in dict.fromkeys(hits):
        words = f"宣传中有“{word}”", f"The copy has the word “{word}”"
        yield _found(guard, said, clause, word, words)
    if not hits:
        yield _found(guard, "ok", "", "0", ("没有禁用的宣传用语", "The copy has no word that is refused"))


def _texts(case: Case) -> Iterator[tuple[str, str]]:
    """Every text that somebody may read about the plan, with its place."""
    plan = case.plan
    for clause, words in (("title", plan.title), ("about", plan.about)):
        if words is not None:
            yield f"{clause}.zh", words.zh
            yield f"{clause}.en", words.en
    yield from ((f"claims[{i}]", text) for i, text in enumerate(plan.claims))
    told = explain(case.compiled, EXAMPLE_FEN, plan.concession.bp_max)
    yield from (("", text) for text in (*told.zh, *told.en, *case.texts))


def _plain(text: str) -> str:
    """A text as a scanner reads it: wide characters narrow, and nothing between them."""
    return "".join(unicodedata.normalize("NFKC", text).split())


def _refund_window(case: Case, guard: Guard) -> Iterator[Finding]:
    """G15: the hold, then who may be paid by profit sharing."""
    threshold, early = guard.thresholds["hold"], case.measured.early_payout_micro
    window = max(threshold.warn or 0, case.said.refund_days or 0)
    paid_by = (case.said.payout or _UNPAID).by
    told: list[Finding] = []
    if paid_by == "profit_sharing":
        words = "给个人的钱用分账付,付了就不能回退", "People are paid by profit sharing, which is never returned"
        personal = guard.thresholds["irreversible"]
        told.append(_found(guard, personal.verdict(1), "law.payout.by", paid_by, words, personal))
    days, edge = case.plan.hold_days, msgspec.structs.replace(threshold, warn=window)
    words = f"付款 {days} 天后结算,退款期 {window} 天", f"Orders settle {days} day(s) after payment; refunds end after {window}"
    told.append(_found(guard, edge.verdict(days), "hold", str(days), words, edge))
    if paid_by is None:
        told.append(_unsaid(guard, "law.payout.by", ("怎么付给个人", "how people are paid")))
    if guard.thresholds["early"].verdict(early) != "ok":
        words = f"退款期内付出 {shown(early, 'micro')}", f"Paid out before refunds ended: {shown(early, 'micro')}"
        told.append(_against(guard, "early", early, "", words))
    yield from [one for one in told if one.verdict != "ok"] or told


_QUESTIONS: Final[dict[str, Question]] = {
    "G1": _referral_depth,
    "G2": _paid_chains,
    "G3": _entry_fee,
    "G4": _bounties,
    "G5": _split_off,
    "G6": _promised,
    "G7": _benefit,
    "G8": _exposed,
    "G9": _prize,
    "G10": _payouts,
    "G11": _principal,
    "G12": _balances,
    "G13": _cashing,
    "G14": _copy,
    "G15": _refund_window,
}
