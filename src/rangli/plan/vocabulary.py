"""The whole language of plan documents, as data.

Every key that a document may have stands here once, with its kind, whether it must be there, its default and what it
means. The reader (``document``), the JSON Schema (``schema``) and the reference table (``reference_markdown``) are
derived from it and know no key of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rangli.money import AMOUNT_FEN_MAX, BP_PER_ONE
from rangli.plan import parts
from rangli.plan.kinds import (
    ByKey,
    Choice,
    Field,
    Flag,
    Kind,
    ListOf,
    MapOf,
    Multiple,
    Name,
    Party,
    Percent,
    RateOf,
    Section,
    Text,
    Whole,
    Yuan,
    words,
)
from rangli.plan.terms import ORDER_PARTIES, PARTY_NAMES, PER_ORDER_MAX, SHARES_MAX, TIERS_MAX

FUND_PREFIX: Final = "fund."
DAYS_MAX: Final = 366
PERIODS_MAX: Final = 10_000
EXIT_PACKETS_MAX: Final = 1_000_000
MERCHANTS_MAX: Final = 100_000
CLAIMS_MAX: Final = 200
PERCENT_BP_MAX: Final = 999_999
"""The largest percentage that has a spelling: 9999.99%."""

PARTIES: Final = {
    "consumer": ("消费者", "the consumer"),
    "merchant": ("商家", "the merchant"),
    "referrer": ("直推人", "the referrer"),
    "referrer2": ("间推人", "the second referrer"),
    "recruiter": ("招商人", "the recruiter"),
    "agent.district": ("区代", "the district agent"),
    "agent.city": ("市代", "the city agent"),
    "agent.province": ("省代", "the province agent"),
    "agent.region": ("大区代", "the region agent"),
    "packets": ("红包池", "the packet pot"),
    "pool": ("盈利池", "the pool"),
    "dividend": ("分红池", "the dividend pot"),
    "platform": ("平台", "the platform"),
}
"""Every party by its name in documents: Chinese, English."""
assert tuple(PARTIES) == PARTY_NAMES


def party_words(party: str) -> tuple[str, str]:
    """A party or fund in words: Chinese, English."""
    fund = party.removeprefix(FUND_PREFIX)
    return PARTIES.get(party, (f"专项基金 {fund}", f"the fund {fund}"))


AGENTS: Final = tuple(name for name in PARTY_NAMES if name.startswith("agent."))
"""Region agents, lowest rank first."""
HOLDERS: Final = PARTY_NAMES[:ORDER_PARTIES]
"""Parties with a wallet."""
STAND_INS: Final = ("platform", "merchant", "packets", "pool", "dividend")
"""Parties that are there for every order and may take what another is not there for."""


# ---------------------------------------------------------------- the document

SLUG: Final = Name(r"[a-z][a-z0-9-]{0,39}", "weituanbao", "小写字母开头的短名(a-z、0-9、-)", "a short name of a-z, 0-9 and -")
FUND: Final = Name(
    r"[^\s.:%\[\]{},]{1,40}",
    "promotion",
    "不含空白、逗号、括号和 . : % 的短名",
    "a short name without spaces, commas, brackets or any of . : %",
)
TIERS: Final = ListOf(Yuan(1, AMOUNT_FEN_MAX), TIERS_MAX - 1)

WORDS: Final = Section(
    "Words",
    parts.Words,
    (
        Field("zh", "zh", Text(), "中文", "Chinese", required=True),
        Field("en", "en", Text(), "英文", "English", required=True),
    ),
)

CONCESSION: Final = Section(
    "Concession",
    parts.Concession,
    (
        Field("min", "bp_min", Percent(), "最低让利", "the lowest concession", required=True),
        Field("max", "bp_max", Percent(), "最高让利", "the highest concession", required=True),
    ),
)

NETWORK: Final = Section(
    "Network",
    parts.Network,
    (
        Field(
            "depth",
            "depth",
            Whole(1, 2),
            "向上最多给几级推荐人分佣",
            "how many referrers above a consumer may be paid",
            default="2",
        ),
    ),
)

CORNER: Final = ListOf(Percent(), 2, 2)
SLIDE: Final = Section(
    "Slide",
    parts.Slide,
    (
        Field("of", "base", Choice(("amount",)), "基数:实付金额", "the base: the amount paid", required=True),
        Field("by", "by", Choice(("concession",)), "随让利变化", "what it slides with: the concession", required=True),
        Field(
            "from", "low", CORNER, "起点 [让利, 费率],低于起点按起点", "[concession, rate] below which it stays", required=True
        ),
        Field("to", "high", CORNER, "终点 [让利, 费率],高于终点按终点", "[concession, rate] above which it stays", required=True),
    ),
)
RATE: Final = RateOf(("amount", "concession"), SLIDE)

SHARE: Final = Section(
    "Share",
    parts.Share,
    (
        Field("to", "to", Party(PARTY_NAMES, funds=True), "谁得", "the party", required=True),
        Field("rate", "rate", RATE, "实付或让利的多少", "how much of the amount or of the concession", required=True),
        Field(
            "else",
            "otherwise",
            Party(STAND_INS, funds=True),
            "这一方不在时归谁",
            "who takes it when the party is not there",
            default="platform",
        ),
        Field("as", "pays", Choice(("cash", "vouchers")), "发现金还是券", "paid in cash or in vouchers", default="cash"),
        Field(
            "differential",
            "differential",
            Flag(),
            "级差:减去在场的下级区域代理在本单已得的部分",
            "less what agents of lower rank that are there took of this order",
            default="false",
        ),
    ),
)

ENVELOPE: Final = Section(
    "Envelope",
    parts.Envelope,
    (
        Field("envelope", "name", FUND, "预算的名称", "the name of the budget", required=True),
        Field(
            "rate",
            "rate",
            RATE,
            "预算,内部份额之和不得超过;用不完的归平台",
            "the budget; what is not used is the platform's",
            required=True,
        ),
        Field("shares", "shares", ListOf(SHARE, SHARES_MAX), "内部份额", "the shares inside", required=True),
    ),
)

PACKET_EXIT: Final = Section(
    "Packet exit",
    parts.PacketExit,
    (
        Field(
            "packets",
            "packets",
            Whole(1, EXIT_PACKETS_MAX),
            "收满几个红包出局;不写则不限",
            "packets after which a lot closes; never if left out",
        ),
        Field(
            "received",
            "received_bp",
            Percent(1),
            "收到实付的多少出局(免单)",
            "a lot closes when it received this much of what it paid",
            default="100%",
        ),
    ),
)

PACKETS: Final = Section(
    "Packets",
    parts.Packets,
    (
        Field(
            "per_order",
            "per_order",
            Whole(1, PER_ORDER_MAX),
            "每单发给前面几笔订单",
            "earlier orders that each order sends packets to",
            required=True,
        ),
        Field(
            "tiers",
            "tiers_fen",
            TIERS,
            "档位上限(元,含),递增;[] 为不分档",
            "upper bounds in yuan, inclusive; [] for one queue",
            required=True,
        ),
        Field(
            "merchant_tiers",
            "merchant_tiers_fen",
            MapOf(TIERS, MERCHANTS_MAX),
            "个别商家自己的档位",
            "merchants with tiers of their own",
            default="{}",
        ),
        Field("exit", "exit", PACKET_EXIT, "出局条件", "when a lot stops receiving", default="{}"),
        Field(
            "own_orders",
            "own_orders",
            Choice(("count", "skip")),
            "付款人自己的旧单是否参与",
            "whether the payer's own earlier orders take part",
            default="count",
        ),
    ),
)

POOL_EXIT: Final = Section(
    "Pool exit",
    parts.PoolExit,
    (
        Field(
            "at",
            "at_bp",
            Percent(1, PERCENT_BP_MAX),
            "积分市值加已得达到基数的多少时强制退出",
            "points' value plus what was paid out, in parts of the basis",
            required=True,
        ),
        Field(
            "scope",
            "scope",
            Choice(("member", "order")),
            "按会员还是按订单计",
            "whether a member or each order exits by itself",
            default="member",
        ),
        Field(
            "basis",
            "basis",
            Choice(("spend", "mint_value")),
            "基数:消费额或铸造价值",
            "the basis: what was spent, or the value minted",
            default="spend",
        ),
    ),
)

POOL: Final = Section(
    "Pool",
    parts.Pool,
    (
        Field(
            "mint",
            "mint_bp",
            Percent(1),
            "进池金额的多少铸成积分(小于 100%)",
            "the part of the inflow that is minted, below 100%",
            required=True,
        ),
        Field(
            "pays",
            "pays_bp",
            Percent(1),
            "卖出积分到手多少,其余留在池里",
            "what a seller gets; the rest stays in the pool",
            required=True,
        ),
        Field(
            "opening_price",
            "opening_price_fen",
            Yuan(1, 100_000_000),
            "开盘价(元/积分)",
            "yuan per point before there are any",
            required=True,
        ),
        Field("exit", "exit", POOL_EXIT, "强制退出;不写则没有", "the forced exit; none if left out"),
    ),
)

POINTS: Final = Section(
    "Points",
    parts.Points,
    (
        Field("to", "to", Party(("consumer", "merchant")), "谁得积分", "who gets the points", required=True),
        Field("rate", "rate", RATE, "积分数(1 元 = 1 积分)", "how many; one point a yuan", required=True),
    ),
)

CLOSE: Final = Section(
    "Close",
    parts.Close,
    (
        Field(
            "growth",
            "growth_bp",
            Percent(0, PERCENT_BP_MAX - BP_PER_ONE),
            "让利比上期增长多少即提前关期;不写则不提前",
            "growth of the inflow that closes a period early; never if left out",
        ),
        Field("days", "days", Whole(1, DAYS_MAX), "最长几天一期", "the longest a period lasts", required=True),
    ),
)

RELEASE: Final = Section(
    "Release",
    parts.Release,
    (
        Field(
            "rate",
            "rate",
            RateOf(("points", "balance")),
            "每期释放积分或余额的多少",
            "of the points or of the balance, each period",
            required=True,
        ),
        Field("close", "close", CLOSE, "何时关期", "when a period closes", required=True),
        Field("periods", "periods", Whole(1, PERIODS_MAX), "承诺期数;不写则不限", "the periods promised; no end if left out"),
        Field(
            "extended",
            "extended",
            Whole(1, PERIODS_MAX),
            "延长到几期,之后清零;与 periods 同写",
            "the last period; stands together with periods",
        ),
        Field(
            "multiple",
            "multiple_bp",
            Multiple(100, 1_000_000),
            "最多释放积分的几倍",
            "the most that is released, in points",
            default="1",
        ),
        Field("pays", "pays", Choice(("vouchers", "cash")), "释放成券还是现金", "released as vouchers or as cash", required=True),
    ),
)

BONUS: Final = Section(
    "Bonus",
    parts.Bonus,
    (
        Field("to", "to", Party(HOLDERS), "谁得", "the party", required=True),
        Field("amount", "amount_fen", Yuan(1, AMOUNT_FEN_MAX), "金额(元)", "yuan", required=True),
        Field(
            "once_per",
            "once_per",
            Choice(("merchant", "consumer")),
            "每个商家或每个消费者一次",
            "paid once for each",
            required=True,
        ),
    ),
)

OFFSET: Final = Section(
    "Offset",
    parts.Offset,
    (
        Field(
            "vouchers",
            "vouchers_bp",
            Percent(),
            "一笔订单最多用券支付多少",
            "the part of an order that vouchers may pay",
            required=True,
        ),
    ),
)

REFUND: Final = Section(
    "Refund",
    parts.Refund,
    (
        Field(
            "packets_borne_by",
            "packets_borne_by",
            Choice(("merchant", "platform")),
            "退款时已发出的红包由谁承担",
            "who bears packets that were already handed out",
            default="merchant",
        ),
    ),
)

PAYOUT: Final = Section(
    "Payout",
    parts.Payout,
    (
        Field(
            "by",
            "by",
            Choice(("claim", "profit_sharing")),
            "本人领取,或支付渠道分账给个人",
            "claimed, or split off the payment to persons",
        ),
        Field(
            "least", "least_fen", Yuan(1, AMOUNT_FEN_MAX), "一次最少付多少元,不足的先攒着", "yuan; what is less waits for more"
        ),
        Field("most", "most_fen", Yuan(1, AMOUNT_FEN_MAX), "一次最多付多少元", "the most that is paid at once, in yuan"),
        Field("daily", "daily_fen", Yuan(1, AMOUNT_FEN_MAX), "每人每天最多付多少元", "the most for one person a day, in yuan"),
        Field("named", "named", Flag(), "收款人是否都已实名核验", "whether everybody who is paid has a verified name"),
    ),
)

LAW: Final = Section(
    "Law",
    parts.Law,
    (
        Field(
            "entry_fee",
            "entry_fee_fen",
            Yuan(0, AMOUNT_FEN_MAX),
            "成为会员、推荐人、招商人或代理须先交或先买多少元",
            "yuan to pay or spend before one may be a member, referrer, recruiter or agent",
        ),
        Field("collected_by", "collected_by", Choice(("merchant", "platform")), "货款由谁收", "who collects what consumers pay"),
        Field("top_up", "top_up", Flag(), "余额可否充值", "whether one can pay money into a balance"),
        Field(
            "transfers",
            "transfers",
            Flag(),
            "余额、积分、券可否转给别人",
            "whether balances, points or vouchers pass from one to another",
        ),
        Field(
            "vouchers",
            "vouchers",
            Choice(("given", "sold", "cashed")),
            "券只赠送、出售或可兑现",
            "vouchers are only given, are sold, or are cashed",
        ),
        Field(
            "order_max",
            "order_fen_max",
            Yuan(1, AMOUNT_FEN_MAX),
            "最大一单多少元,更大的不收",
            "the largest order that is taken, in yuan",
        ),
        Field("refund_days", "refund_days", Whole(0, DAYS_MAX), "商家接受退款的天数", "days in which merchants take orders back"),
        Field(
            "tax",
            "tax",
            Choice(("discount", "incidental")),
            "消费者所得按折扣,或按偶然所得扣税",
            "what consumers get is a discount, or taxed as incidental income",
        ),
        Field("payout", "payout", PAYOUT, "怎么付给个人", "how people are paid"),
    ),
)
"""Declarations: none is a rule of settlement; the guards ask for each."""

PLAN: Final = Section(
    "Plan",
    parts.Plan,
    (
        Field("plan", "name", SLUG, "方案短名", "the plan's short name", required=True),
        Field("title", "title", WORDS, "名称", "its title", required=True),
        Field("about", "about", WORDS, "说明", "what it is"),
        Field("claims", "claims", ListOf(Text(), CLAIMS_MAX), "宣传语", "copy that advertises the plan", default="[]"),
        Field("concession", "concession", CONCESSION, "商家可选的让利范围", "the range of concessions", required=True),
        Field("hold", "hold_days", Whole(0, DAYS_MAX), "付款后几天结算(退款期)", "days from payment to settlement", default="0"),
        Field("network", "network", NETWORK, "推荐关系", "the network of referrers", default="{}"),
        Field(
            "funds",
            "funds",
            ListOf(FUND, SHARES_MAX),
            "专项基金,可作为 fund.<名称> 分得份额",
            "named funds, parties as fund.<name>",
            default="[]",
        ),
        Field(
            "shares",
            "shares",
            ListOf(ByKey("envelope", ENVELOPE, SHARE), SHARES_MAX),
            "让利怎么分,余下归平台",
            "who gets the concession; the rest is the platform's",
            required=True,
        ),
        Field("packets", "packets", PACKETS, "红包", "red packets"),
        Field("pool", "pool", POOL, "盈利池与增值积分", "the pool and its priced points"),
        Field(
            "points", "points", ListOf(POINTS, SHARES_MAX), "按期释放的积分", "points that are released by period", default="[]"
        ),
        Field("release", "release", RELEASE, "积分释放", "how points are released"),
        Field(
            "bonus",
            "bonus",
            ListOf(BONUS, SHARES_MAX),
            "一次性奖励,由平台盈余支付",
            "one-off bonuses out of the platform's surplus",
            default="[]",
        ),
        Field("offset", "offset", OFFSET, "用券支付", "paying with vouchers"),
        Field("refund", "refund", REFUND, "退款", "refunds", default="{}"),
        Field("law", "law", LAW, "经营者就法律所问作的声明", "what the operator declares, since the law asks for it"),
    ),
)


# ---------------------------------------------------------------- the reference


def sections(kind: Kind = PLAN, where: str = "") -> Iterator[tuple[str, Section]]:
    """Every section of the document with its place in it, outer ones first."""
    match kind:
        case Section(_, _, fields):
            yield where, kind
            for field in fields:
                yield from sections(field.kind, f"{where}.{field.key}" if where else field.key)
        case ListOf(item):
            yield from sections(item, f"{where}[]")
        case MapOf(item):
            yield from sections(item, f"{where}.<name>")
        case ByKey(key, section, otherwise):
            yield from sections(otherwise, where)
            yield from sections(section, f"{where} ({key})")
        case RateOf(_, slide) if slide is not None:
            yield where, slide
        case _:
            return


def reference_markdown(kind: Kind = PLAN) -> str:
    """The reference of a document language: one table a section, each section once."""
    lines: list[str] = []
    done: set[str] = set()
    for where, section in sections(kind):
        if section.title in done:
            continue
        done.add(section.title)
        place = f" – `{where}`" if where else ""
        lines += [f"### {section.title}{place}", "", "| key | value | default | 说明 | meaning |", "|---|---|---|---|---|"]
        lines += [_row(field) for field in section.fields]
        lines.append("")
    return "\n".join(lines)


def _row(field: Field) -> str:
    """A field's row in the reference."""
    default = "**required**" if field.required else f"`{field.default}`" if field.default is not None else "none"
    row = f"| `{field.key}` | {words(field.kind)[1]} | {default} | {field.zh} | {field.en} |"
    return row.replace("<", "&lt;")
