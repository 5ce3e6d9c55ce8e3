"""What can be wrong with a plan document: every code with its words, which also say what would be right."""

from __future__ import annotations

from typing import Final

from rangli.errors import Problem

PROBLEMS: Final = {
    # The document as such.
    "not_yaml": ("不是合法的 YAML:{why}", "this is not YAML: {why}"),
    "alias_refused": (
        "不支持 YAML 的别名(&、*)和标签(!),请直接写出",
        "YAML aliases (&, *) and tags (!) are not read; write it out",
    ),
    "duplicate_key": ("{key!r} 写了两次,请只留一处", "{key!r} is there twice; keep one"),
    "unknown_key": ("没有 {key!r} 这个字段{hint}", "there is no key {key!r}{hint}"),
    "missing_key": ("缺少 {key!r},应为:{kind}", "{key!r} is missing; it is: {kind}"),
    "wrong_type": ("应为:{kind}", "this must be: {kind}"),
    # One value.
    "text_length": ("应为:{kind}", "this must be: {kind}"),
    "name_malformed": ("{text!r} 不能作名称,应为:{kind}", "{text!r} cannot be a name here; it must be: {kind}"),
    "number_malformed": ("{text!r} 不是这里要的数,应为:{kind}", "{text!r} is not the number wanted here: {kind}"),
    "amount_malformed": (
        "金额 {text!r} {fault};正确写法如 12.50(元,最多两位小数)",
        "amount {text!r} {fault}; write yuan with at most two decimals, as 12.50",
    ),
    "out_of_range": ("{text} 超出范围,应为:{kind}", "{text} is out of range; it must be: {kind}"),
    "not_one_of": ("{text!r} 不是可选的值,应为:{kind}{hint}", "{text!r} is not a choice here; write: {kind}{hint}"),
    "too_many": ("有 {count} 项,最多 {most} 项", "there are {count} entries; {most} at most"),
    "too_few": ("有 {count} 项,应有 {least} 项", "there are {count} entries; write {least}"),
    "rate_malformed": ("费率 {text!r} {fault};正确写法如 {right}", "rate {text!r} {fault}; write it as {right}"),
    "rate_too_fine": (
        "费率 {text!r} 细于 0.01%;最细写到两位小数",
        "rate {text!r} is finer than 0.01%; two decimals are the finest",
    ),
    "rate_over_100": ("费率 {text} 超过 100%", "rate {text} is over 100%; it can be 100% at most"),
    "unknown_party": ("没有 {text!r} 这一方{hint};应为:{kind}", "there is no party {text!r}{hint}; it is: {kind}"),
    # Shares.
    "unknown_fund": ("专项基金 {name!r} 没有在 funds 里声明{hint}", "the fund {name!r} is not declared under funds{hint}"),
    "duplicate_fund": ("专项基金 {name!r} 声明了两次", "the fund {name!r} is declared twice; keep one"),
    "too_many_shares": ("共有 {count} 份,最多 {most} 份", "there are {count} shares in all; {most} at most"),
    "slide_empty": (
        "滑动费率的起点让利 {low} 不低于终点让利 {high};from 的让利应小于 to 的",
        "the rate slides from a concession of {low} to {high}; the first must be the lower one",
    ),
    "concession_range_empty": (
        "最低让利 {low} 高于最高让利 {high};min 应不大于 max",
        "the lowest concession {low} is above the highest {high}; min must not exceed max",
    ),
    "shares_exceed_concession": (
        "各份合计超出让利:最早在让利 {at} 处,最多在让利 {worst_at} 处,合计为实付的 {sum},超出 {over}。请降低费率或缩小让利范围",
        (
            "the shares exceed the concession, first at a concession of {at}, most at {worst_at}, where they come to {sum} of"
            " the amount, {over} too much; lower the rates, or narrow the range"
        ),
    ),
    "envelope_exceeded": (
        "内部份额合计超出预算:最早在让利 {at} 处,最多在让利 {worst_at} 处,合计为实付的 {sum},超出 {over}。请降低费率或提高预算",
        (
            "the shares inside exceed the envelope, first at a concession of {at}, most at {worst_at}, where they come to {sum}"
            " of the amount, {over} too much; lower the rates, or raise the envelope"
        ),
    ),
    "differential_needs_agent": (
        "级差只用于区域代理 agent.district、agent.city、agent.province、agent.region",
        "only a region agent's share can be differential: agent.district, agent.city, agent.province, agent.region",
    ),
    "differential_without_lower": (
        "没有更低级的区域代理份额可减;请去掉 differential,或加上下级代理的份额",
        "there is no share of a lower agent to subtract; leave differential out, or add the lower agent's share",
    ),
    "differential_out_of_order": (
        "{lower}的份额写在后面;请把下级代理写在上级之前",
        "the share of {lower} comes later; write lower agents before higher ones",
    ),
    "differential_twice": (
        "{party}有不止一份;级差代理只能有一份",
        "{party} has more than one share; an agent with a differential share has only that one",
    ),
    "differential_apart": (
        "{lower}的份额不在同一个列表里;级差各级请写在一起(同一个 envelope 内,或都在外面)",
        "the share of {lower} stands in another list; write all ranks in one envelope, or all outside",
    ),
    "differential_else": (
        "级差份额没有人领时归平台;请去掉 else",
        "what nobody is there for of a differential share is the platform's; leave else out",
    ),
    "vouchers_need_holder": (
        "{party}没有券账户,只能收现金;请去掉 as: vouchers",
        "{party} holds no vouchers; leave out as: vouchers",
    ),
    "depth_excludes_referrer2": (
        "network.depth 为 1 时不给间推分佣;请改为 2 或去掉这一份",
        "with network.depth 1 the second referrer is not paid; make it 2 or take this out",
    ),
    # Sections that belong together.
    "section_missing": ("有给{party}的份额,但没有 {section} 一节", "{party} gets a share, but there is no section {section}"),
    "share_missing": (
        "有 {section} 一节,但没有给{party}的份额;请加一份,或去掉这一节",
        "there is a section {section} but no share for {party}; add one, or take the section out",
    ),
    "pool_and_release": (
        "积分要么由盈利池定价(pool),要么按期释放(release),不能两样都有",
        "points are either priced by a pool or released by period; keep one of pool and release",
    ),
    "points_without_release": ("有 points,但没有 release 一节来释放", "there are points but no section release to release them"),
    "release_without_points": ("有 release,但没有 points 可释放", "there is a release but no points to release"),
    "vouchers_without_source": (
        "可以用券支付,但没有任何发券的份额或释放;请加 as: vouchers 或 release.pays: vouchers,或去掉 offset",
        "vouchers may be used but nothing issues any; add a share as: vouchers or release.pays: vouchers, or leave offset out",
    ),
    # Packets, pool, release.
    "tiers_not_ascending": (
        "档位重叠:{low} 之后是 {high};上限(含)应严格递增",
        "tiers overlap: {high} comes after {low}; upper bounds are inclusive and must rise",
    ),
    "mint_not_below_100": (
        "mint 为 100%,进池的钱全部铸成积分,价格就不会上升;应小于 100%",
        "with mint at 100% all that enters is minted and the price cannot rise; it must be below 100%",
    ),
    "exit_at_once": (
        "强制退出线 {at} 太低:一笔订单自己的积分可立即值到 {worth},刚铸出就会退出;应高于 {worth}",
        "an exit at {at} comes at once: an order's own points may be worth {worth} when minted; write more than {worth}",
    ),
    "release_rate_zero": ("每期释放 0% 就永远不释放;应大于 0", "a release of 0% never releases; the rate must be above 0"),
    "periods_incomplete": ("periods 与 extended 要么都写,要么都不写", "write both periods and extended, or neither"),
    "extended_under_periods": (
        "extended {extended} 小于 periods {periods};应不小于",
        "extended {extended} is below periods {periods}; it must not be",
    ),
    "multiple_over_points": (
        "释放成现金时每释放 1 元就销 1 积分,最多 1 倍;请把 multiple 降到 1,或改为 pays: vouchers",
        "a release in cash burns a point for each yuan, so the multiple is 1 at most; lower it, or pay vouchers",
    ),
}
"""Every problem of a plan document: code -> (Chinese, English)."""


def problem(code: str, where: str, line: int, **facts: str | int | tuple[str, str]) -> Problem:
    """The problem with its words; a fact that differs between the languages is a pair (Chinese, English)."""
    zh, en = PROBLEMS[code]
    return Problem(
        code,
        where,
        line,
        zh.format(**{name: fact[0] if isinstance(fact, tuple) else fact for name, fact in facts.items()}),
        en.format(**{name: fact[1] if isinstance(fact, tuple) else fact for name, fact in facts.items()}),
    )
