"""What follows from one order under a plan, in words: packets, points, exits, releases, bonuses, refunds."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from rangli.money import (
    BP_PER_ONE,
    FEN_PER_YUAN,
    MICRO_PER_FEN,
    mul_div,
    print_micro,
    print_percent,
    print_ratio,
    print_yuan,
)
from rangli.plan.parts import Plan
from rangli.plan.shares import form_of
from rangli.plan.vocabulary import party_words


class Telling(NamedTuple):
    """One paragraph in both languages."""

    zh: str
    en: str


def story(
    plan: Plan, paid_fen: int, concession_bp: int, there: Collection[str], into: Mapping[str, int]
) -> tuple[list[str], list[str]]:
    """The paragraphs that the plan has reason for, in Chinese and in English.

    there : the parties of the order
    into  : what each party took of the concession, in micro
    """
    told = [
        *_packets(plan, paid_fen, into.get("packets", 0)),
        *_pool(plan, paid_fen, into.get("pool", 0)),
        *_points(plan, paid_fen, concession_bp),
        *_vouchers(plan, paid_fen),
        *_bonus(plan, there),
        *_refunds(plan),
    ]
    return [telling.zh for telling in told], [telling.en for telling in told]


def _packets(plan: Plan, paid_fen: int, micro: int) -> list[Telling]:
    """Who gets the packets, and until when the order itself receives."""
    packets = plan.packets
    if packets is None:
        return []
    pot, count = print_micro(micro), packets.per_order
    tier, tiers = 1 + sum(bound < paid_fen for bound in packets.tiers_fen), 1 + len(packets.tiers_fen)
    room = print_yuan(mul_div(paid_fen, packets.exit.received_bp, BP_PER_ONE))
    mean = print_micro(mul_div(micro, 1, count))
    if count == 1:
        to_zh, to_en = "全数给其中排在最前的一笔订单", "go to the oldest order waiting there"
    else:
        to_zh = f"随机分给其中最早的 {count} 笔未出局订单,平均每笔 {mean} 元"
        to_en = f"go at random to the {count} oldest orders waiting there, {mean} each on average"
    if packets.own_orders == "skip":
        to_zh, to_en = f"{to_zh}(付款人自己的除外)", f"{to_en} (not to the payer's own)"
    most = packets.exit.packets
    until_zh, until_en = (f"收满 {most} 个红包或", f"{most} packets or ") if most else ("", "")
    return [
        Telling(
            f"红包:{pot} 元进入本店第 {tier} 档(共 {tiers} 档)的红包池,{to_zh}。"
            "谁也不超过还可收的;等待的订单不足时,缺的部分留在池里。",
            f"Packets: {pot} yuan enter the pot of this shop's tier {tier} of {tiers} and {to_en}. Nobody gets more than it has"
            " left to receive; with fewer orders waiting, the missing packets' money stays in the pot.",
        ),
        Telling(
            f"这笔订单自己排到队尾,以后{until_zh}收到 {room} 元即出局;这是上限,不是承诺。",
            f"The order itself joins the queue last and receives until it has {until_en}{room} yuan: a cap, not a promise.",
        ),
    ]


def _pool(plan: Plan, paid_fen: int, micro: int) -> list[Telling]:
    """What is minted, what a sale pays, and when a member exits."""
    pool = plan.pool
    if pool is None:
        return []
    value = mul_div(micro, pool.mint_bp, BP_PER_ONE)
    opening, points = print_yuan(pool.opening_price_fen), print_micro(mul_div(value, FEN_PER_YUAN, pool.opening_price_fen))
    mint, pays = print_percent(pool.mint_bp), print_percent(pool.pays_bp)
    minted, rest = print_micro(value), print_micro(micro - value)
    price = print_ratio(micro * pool.opening_price_fen, max(value, 1) * FEN_PER_YUAN)
    told = [
        Telling(
            f"积分:{print_micro(micro)} 元进入盈利池,其中 {mint} 即 {minted} 元按下单前的价格铸成消费者的积分,"
            f"其余 {rest} 元抬高价格。"
            f"若是第一笔,按开盘价 {opening} 元铸 {points} 积分,之后每积分值 {price} 元。",
            f"Points: {print_micro(micro)} yuan enter the pool; {mint} of it, {minted} yuan, is minted as points of the consumer"
            f" at the price before the order, and the other {rest} yuan raise the price. As the very first order it mints"
            f" {points} points at the opening price of {opening}, each worth {price} afterwards.",
        ),
        Telling(
            f"卖出积分到手市值的 {pays},其余留在池里,积分销毁。",
            f"A sale of points pays {pays} of their value; the rest stays in the pool and the points burn.",
        ),
    ]
    if pool.exit is None:
        return told
    at = print_percent(pool.exit.at_bp)
    basis = mul_div(paid_fen * MICRO_PER_FEN if pool.exit.basis == "spend" else value, pool.exit.at_bp, BP_PER_ONE)
    cash = print_micro(mul_div(basis, pool.pays_bp, BP_PER_ONE))
    who_zh, who_en = ("会员", "the member") if pool.exit.scope == "member" else ("这笔订单", "this order")
    base_zh, base_en = ("消费额", "what was spent") if pool.exit.basis == "spend" else ("铸造价值", "the value minted")
    told.append(
        Telling(
            f"强制退出:{who_zh}的积分市值加已得达到{base_zh}的 {at} 时(这笔订单计 {print_micro(basis)} 元)全部卖出,"
            f"仅就这笔订单到手约 {cash} 元;何时达到取决于后来的订单,不作承诺。",
            f"Forced exit: when {who_en}'s points and what was paid out reach {at} of {base_en} ({print_micro(basis)} yuan"
            f" for this order), all points are sold, for about {cash} yuan from this order alone. When that is depends on later"
            " orders; it is not promised.",
        )
    )
    return told


def _points(plan: Plan, paid_fen: int, concession_bp: int) -> list[Telling]:
    """Points earned, and how they are released."""
    release = plan.release
    if release is None:
        return []
    earned = [(line.to, form_of(line.rate).micro(paid_fen, concession_bp)) for line in plan.points]
    zh = "、".join(f"{party_words(party)[0]} {print_micro(micro)} 积分" for party, micro in earned)
    en = ", ".join(f"{party_words(party)[1]} {print_micro(micro)} points" for party, micro in earned)
    total = sum(micro for _, micro in earned)
    most = print_micro(mul_div(total, release.multiple_bp, BP_PER_ONE))
    rate, days = print_percent(release.rate.bp), release.close.days
    first = print_micro(mul_div(total, release.rate.bp, BP_PER_ONE))
    grows = release.rate.base == "points"
    of_zh, of_en = ("积分", "the points times the growth of the inflow") if grows else ("余额", "the balance")
    times_zh = ",随让利增长同比放大" if grows else ""
    in_zh, in_en = ("消费券", "vouchers") if release.pays == "vouchers" else ("现金", "cash")
    growth = release.close.growth_bp
    if growth is None:
        early_zh, early_en = (f"每 {days} 天一期", f"every {days} days") if days > 1 else ("每天一期", "every day")
    else:
        early_zh = f"让利比上期增长 {print_percent(growth)} 即关期,最长 {days} 天"
        early_en = f"as soon as the inflow has grown by {print_percent(growth)}, after {days} days at the latest,"
    end = release.extended
    end_zh = f",最多 {end} 期(承诺 {release.periods} 期),之后清零" if end else ""
    end_en = f", for {release.periods} periods, {end} at most, after which the rest is zeroed" if end else ""
    return [
        Telling(f"积分:{zh}。", f"Points: {en}."),
        Telling(
            f"释放:{early_zh},每期释放{of_zh}的 {rate}(首期约 {first} 元{in_zh}){times_zh},累计不超过 {most} 元{end_zh}。"
            "每期总额不超过分红池所有,不足时同比缩减。",
            f"Release: a period closes {early_en} and releases {rate} of {of_en} (about {first} yuan at first) as {in_en},"
            f" {most} yuan in all at most{end_en}. No period releases more than the dividend pot holds; all lots scale"
            " down together.",
        ),
    ]


def _vouchers(plan: Plan, paid_fen: int) -> list[Telling]:
    """How much of such an order vouchers may pay."""
    if plan.offset is None:
        return []
    percent = print_percent(plan.offset.vouchers_bp)
    most = print_yuan(mul_div(paid_fen, plan.offset.vouchers_bp, BP_PER_ONE))
    return [
        Telling(
            f"用券:这样的订单最多可用券支付 {percent},即 {most} 元;券由储备金一比一支持,不可提现。",
            f"Vouchers may pay {percent} of such an order, {most} yuan; each is backed one to one and is never cashed.",
        )
    ]


_ONCE = {"merchant": ("每个商家", "merchant"), "consumer": ("每个消费者", "consumer")}


def _bonus(plan: Plan, there: Collection[str]) -> list[Telling]:
    """One-off bonuses of parties that are there."""
    told = []
    for bonus in plan.bonus:
        (zh, en), (once_zh, once_en), yuan = party_words(bonus.to), _ONCE[bonus.once_per], print_yuan(bonus.amount_fen)
        if bonus.to in there:
            told.append(
                Telling(
                    f"一次性奖励:{zh} {yuan} 元,{once_zh}只付一次,出自平台盈余。",
                    f"One-off bonus: {en} {yuan} yuan, once per {once_en}, out of the platform's surplus.",
                )
            )
    return told


def _refunds(plan: Plan) -> list[Telling]:
    """When the order settles, and what a refund after that means."""
    days = plan.hold_days
    when = (
        (
            f"付款 {days} 天后结算;此前退款则不结算。",
            f"The order settles {days} days after payment; refunded before that, it never does.",
        )
        if days
        else ("付款即结算。", "The order settles when it is paid.")
    )
    if plan.packets is None:
        after = ("结算后退款时,各份额按比例退回。", "A refund after that reverses every share in proportion.")
    else:
        zh, en = party_words(plan.refund.packets_borne_by)
        after = (
            f"结算后退款时,各份额按比例退回,已发出的红包由{zh}承担。",
            f"A refund after that reverses every share in proportion; packets already handed out are borne by {en}.",
        )
    return [Telling(f"{when[0]}{after[0]}", f"{when[1]} {after[1]}")]
