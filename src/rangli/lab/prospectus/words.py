"""What a prospectus says in words: the three first lines, who is who, and what a verdict means."""

from __future__ import annotations

from typing import Final, NamedTuple

from markupsafe import Markup, escape

from rangli.lab.prospectus.figures import count, large, of_hundred, percent, percent_of_bp
from rangli.lab.prospectus.study import (
    HELD,
    Study,
    cash_micro,
    made_whole_bp,
    owes,
    promised_bp,
    shares_bp,
    spent_micro,
    turnover_micro,
    vouchers_micro,
)
from rangli.money import BP_PER_ONE, print_percent
from rangli.plan.parts import Words

ROLES: Final = {
    "merchants": Words("商家", "merchants"),
    "investors": Words("投资人", "investors"),
    "consumers": Words("消费者(现金)", "consumers, in cash"),
    "vouchers": Words("消费者(用券抵付)", "consumers, in vouchers used"),
    "platform": Words("平台", "the platform"),
    "recruiters": Words("招商人", "recruiters"),
    "referrers": Words("推荐人", "referrers"),
    "agents": Words("区域代理", "region agents"),
    "small_accounts": Words("商家小号", "shops' own accounts"),
    "farmers": Words("刷小单者", "farmers of tiny orders"),
    "washer": Words("自买自卖者", "the wash trader"),
    "pots": Words("红包池", "packet pots"),
    "pool": Words("盈利池", "the pool"),
    "dividend": Words("分红池", "the dividend pot"),
    "reserve": Words("券储备金", "the voucher reserve"),
}
"""Groups of roles, as they are listed."""
PAYERS: Final = ("merchants", "investors")
BRINGERS: Final = ("recruiters", "referrers", "agents", "small_accounts")
"""Who is paid for bringing others."""

VERDICTS: Final = {
    "ok": Words("通过", "OK"),
    "sign-off": Words("须签字", "sign-off"),
    "refuse": Words("拒绝", "refused"),
}
MEANING: Final = {
    "ok": Words("十五道护栏全部通过,真实渠道可以启用。", "All fifteen guards pass: a real channel may run it."),
    "sign-off": Words(
        "须两人签字,附理由和法律意见,真实渠道才可启用。",
        "A real channel runs it only after two people have signed, with reason and legal opinion.",
    ),
    "refuse": Words(
        "真实渠道不得启用,谁也不能放行;只可在沙箱和模拟中运行。",
        "No real channel runs it, whoever asks; only the sandbox and the lab do.",
    ),
}


class Line(NamedTuple):
    """One of the three first lines: the question, the answer, and what its figures are of."""

    key: str
    question: Words
    answer: Words
    detail: Words

    @property
    def plain(self) -> Words:
        """The answer without emphasis."""
        return plain(self.answer)


def plain(words: Words) -> Words:
    """A text without emphasis."""
    return Words(escape(words.zh).striptags(), escape(words.en).striptags())


def role_words(group: str) -> Words:
    """A group of roles in words."""
    fund = group.removeprefix("fund:")
    return ROLES.get(group, Words(f"专项基金 {fund}", f"the fund {fund}"))


def role_label(group: str) -> Words:
    """The same where it stands alone."""
    words = role_words(group)
    return Words(words.zh, words.en.removeprefix("the "))


def first_lines(one: Study) -> tuple[Line, Line, Line]:
    """Who is made whole; who pays whom; when growth must stop."""
    return _whole(one), _paid(one), _until(one)


def _marked(zh: str, en: str, **facts: str | Words) -> Words:
    """Both texts with their figures, or what is given in both languages, emphasised."""
    said = {name: Words(fact, fact) if isinstance(fact, str) else fact for name, fact in facts.items()}
    strong = Markup("<b>{}</b>")
    in_zh = {name: strong.format(fact.zh) for name, fact in said.items()}
    in_en = {name: strong.format(fact.en) for name, fact in said.items()}
    return Words(escape(zh).format(**in_zh), escape(en).format(**in_en))


def _ranging(least: str, most: str) -> tuple[str, str]:
    """From the least to the most, unless they are the same."""
    return (f"({least}–{most})", f" ({least} to {most})") if least != most else ("", "")


# ---------------------------------------------------------------- the first line


def _whole(one: Study) -> Line:
    """What share of consumers, and of their money, is made whole in cash."""
    result = one.middle
    zh = "{share} 的消费者收回了花掉的全部现金;每花 100 元,收回现金 {cash} 元"
    en = "{share} of consumers got back in cash all that they spent; of each 100 yuan spent, {cash} came back in cash"
    vouchers = vouchers_micro(result)
    if vouchers:
        zh, en = f"{zh},另发消费券 {{vouchers}} 元", f"{en}, and {{vouchers}} in vouchers"
    spent = spent_micro(result)
    answer = _marked(
        f"{zh}。",
        f"{en}.",
        share=percent(result.consumers_made_whole, result.consumers),
        cash=of_hundred(cash_micro(result), spent),
        vouchers=of_hundred(vouchers, spent),
    )
    wholes = one.spread(made_whole_bp)
    range_zh, range_en = _ranging(percent_of_bp(wholes.least or 0), percent_of_bp(wholes.most or 0))
    amount = large(spent)
    detail = Words(
        f"{count(result.consumers)} 位消费者中 {count(result.consumers_made_whole)} 位{range_zh},共花现金 {amount.zh}元;"
        f"{count(result.orders)} 笔订单中 {count(result.orders_made_whole)} 笔。{_vouchers_are.zh if vouchers else ''}",
        f"{count(result.consumers_made_whole)} of {count(result.consumers)} consumers{range_en}, who spent {amount.en} yuan in"
        f" cash; {count(result.orders_made_whole)} of {count(result.orders)} orders.{_vouchers_are.en if vouchers else ''}",
    )
    return Line("whole", Words("收得回本钱吗?", "Is anyone made whole?"), answer, detail)


_vouchers_are: Final = Words("券不是现金,只能在这些店里抵付。", " Vouchers are no cash; they buy at these shops only.")


# ---------------------------------------------------------------- the second line


def _paid(one: Study) -> Line:
    """Who gains and who pays, of each 100 yuan of orders."""
    result = one.middle
    got = shares_bp(result)
    payers = [(role, bp) for role, bp in got.items() if bp < 0 and role in PAYERS]
    paid_zh = "、".join(f"{role_words(role).zh}付出 {{{role}}} 元" for role, _ in payers)
    paid_en = " and ".join(f"{role_words(role).en} pay {{{role}}}" for role, _ in payers)
    bringers = sum(got.get(role, 0) for role in BRINGERS)
    held = sum(got.get(role, 0) for role in HELD)
    takers = [
        ("consumers", Words("消费者得现金 {} 元", "consumers get {} in cash"), got.get("consumers", 0)),
        ("vouchers", Words("用券抵付 {} 元", "{} in goods for vouchers"), got.get("vouchers", 0)),
        ("platform", Words("平台得 {} 元", "the platform {}"), got.get("platform", 0)),
        ("bringers", Words("拉人和代理者得 {} 元", "agents and those who bring others {}"), bringers),
    ]
    known = {*BRINGERS, *HELD, *PAYERS, "consumers", "vouchers", "platform"}
    takers += [
        (f"other{at}", Words(f"{role_words(role).zh}得 {{}} 元", f"{role_words(role).en} {{}}"), got[role])
        for at, role in enumerate(sorted(set(got) - known))
    ]
    there = [taker for taker in takers if taker[2] or taker[0] == "consumers"]
    facts = {role: of_hundred(-bp, BP_PER_ONE) for role, bp in payers}
    facts |= {key: of_hundred(bp, BP_PER_ONE) for key, _, bp in there} | {"held": of_hundred(held, BP_PER_ONE)}
    zh = f"每 100 元订单,{paid_zh}:" + ",".join(words.zh.format(f"{{{key}}}") for key, words, _ in there)
    en = f"Of each 100 yuan of orders, {paid_en}: " + ", ".join(words.en.format(f"{{{key}}}") for key, words, _ in there)
    if held:
        zh, en = f"{zh},{{held}} 元留在池里", f"{en}; {{held}} stay in the pot"
    amount = large(turnover_micro(result))
    detail = Words(
        f"订单总额 {amount.zh}元(含用券部分)。商品货款由消费者直接付给商家,不进账本,不在其中;合计为零。",
        f"Of {amount.en} yuan of orders, vouchers counted. The price of the goods goes straight from consumer to merchant and is"
        " no part of this; the sum is zero.",
    )
    return Line("paid", Words("谁付给谁?", "Who pays whom?"), _marked(f"{zh}。", f"{en}.", **facts), detail)


# ---------------------------------------------------------------- the third line


def _until(one: Study) -> Line:
    """From which month promises are not funded, and the growth that the last to come need."""
    result = one.middle
    last, growth = result.months[-1], _growth(one)
    facts: dict[str, str | Words] = {"needed": _needed(one)}
    if result.unfunded_from is not None:
        month = result.unfunded_from
        facts["since"] = Words(f"第 {month} 月", f"From month {month}") if month else Words("从第一个月", "From the first month")
        facts["covered"] = percent(last.promised_micro - last.uncovered_micro, last.promised_micro)
        zh = "{since}起,承诺就没有足额的钱,到最后只有 {covered} 有着落"
        en = "{since} on promises are not funded; at the end {covered} of what is promised is"
    elif one.compiled.plan.pool is not None:
        facts["never"] = Words("没有必须停的月份", "No month forces a stop")
        zh, en = "{never}:积分的市值就是池中的钱", "{never}: what points are worth is what the pool holds"
    elif owes(result):
        facts["never"] = Words("没有必须停的月份", "No month forces a stop")
        zh, en = "{never}:承诺的都已拨备", "{never}: all that is promised is set aside"
    else:
        facts["never"] = Words("没有必须停的月份", "No month forces a stop")
        zh, en = "{never}:只发已经到账的钱,不欠账", "{never}: only money that has come in is handed out, and nothing is owed"
    answer = _marked(f"{zh};{growth.zh}。", f"{en}; {growth.en}.", **facts)
    return Line("until", Words("何时必须停?", "When must it stop?"), answer, _until_detail(one))


def _growth(one: Study) -> Words:
    """The growth that a newcomer of the last month needs, around ``needed``."""
    needed, horizon = one.middle.growth_needed_bp, one.scenario.horizon
    if needed is None:
        return Words("无论增长多快,最后来的人都{needed}", "{needed}, however fast, makes the last to come whole")
    if needed == 0:
        return Words("最后来的人{needed}就能收回本钱", "the last to come are made whole {needed}")
    return Words(
        f"最后来的人要收回本钱,此后 {horizon} 个月须每月增长 {{needed}}",
        f"for the last to come to be made whole, the {horizon} months after them must each grow by {{needed}}",
    )


def _needed(one: Study) -> str | Words:
    """What is emphasised of it."""
    bp = one.middle.growth_needed_bp
    if bp is None:
        return Words("收不回本钱", "no growth")
    return percent_of_bp(bp) if bp else Words("不靠增长", "without growth")


def _until_detail(one: Study) -> Words:
    """How much is promised for what is set aside, and how it was reckoned."""
    result, pool = one.middle, one.compiled.plan.pool
    last = result.months[-1]
    times = of_hundred(promised_bp(result) or 0, BP_PER_ONE * 100)
    zh, en = f"所有订单合计,承诺 ÷ 拨备 = {times}。", f"Promised ÷ set aside, of all orders, is {times}."
    if result.unfunded_from is not None:
        promised, held = large(last.promised_micro), large(last.promised_micro - last.uncovered_micro)
        zh = f"末月已承诺未兑付 {promised.zh}元,能支撑的钱 {held.zh}元;{zh}月份从 0 起数。"
        en = f"At the end {promised.en} yuan are promised and not yet given, and {held.en} cover them. {en} Months count from 0."
    if result.short_from is not None:
        zh, en = (
            f"{zh}第 {result.short_from} 月首次没有发足。",
            f"{en} Month {result.short_from} is the first to give less than is due.",
        )
    if pool is not None and pool.exit is not None:
        at, exits = print_percent(pool.exit.at_bp), count(sum(month.exits for month in result.months))
        zh = f"{zh}{at} 的退出线不算承诺(护栏 G6 算),达到了 {exits} 次。"
        en = f"{en} The exit at {at} is no promise here (guard G6 takes it for one); it was reached {exits} times."
    return Words(
        f"{zh}收回本钱按券也算作收回来看;增长至多试到每月 100%。",
        f"{en} For the last to come vouchers count as if they were cash; growth was tried up to 100% a month.",
    )
