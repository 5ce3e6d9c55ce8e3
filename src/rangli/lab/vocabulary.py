"""The whole language of scenario documents, as data: every key with its kind, its default and what it means.

Kinds, reader and reference table are those of plan documents (rangli.plan).
"""

from __future__ import annotations

from typing import Final

from rangli.lab import parts
from rangli.money import AMOUNT_FEN_MAX, BP_PER_ONE
from rangli.plan.kinds import ByKey, Choice, Field, ListOf, Multiple, Percent, Section, Text, Whole, Yuan
from rangli.plan.vocabulary import SLUG, WORDS

MONTHS_MAX: Final = 600
CONSUMERS_MAX: Final = 100_000_000
SHOPS_MAX: Final = 1_000_000
PLACES_MAX: Final = 100
ORDERS_MAX: Final = 100_000_000
VISITS_BP_MAX: Final = 1000 * BP_PER_ONE
SIGMA_BP_MAX: Final = 3 * BP_PER_ONE
LEAN_MAX: Final = 8
RANKS: Final = ("district", "city", "province", "region")

AMOUNT: Final = Yuan(1, AMOUNT_FEN_MAX)

MEANT_FOR: Final = Section(
    "MeantFor",
    parts.MeantFor,
    (
        Field("name", "name", SLUG, "方案短名", "the plan's short name", required=True),
        Field(
            "changes",
            "changes",
            ListOf(Text(), 32),
            "对方案的改动,如 pool.exit.at=200%",
            "changes made to it, as pool.exit.at=200%",
            default="[]",
        ),
    ),
)

EARLIER: Final = Section(
    "Earlier",
    parts.Earlier,
    (
        Field(
            "count",
            "count",
            Whole(1, ORDERS_MAX),
            "多少笔,每笔来自一位消费者",
            "how many, each of another consumer",
            required=True,
        ),
        Field("amount", "amount_fen", AMOUNT, "每笔实付", "what each paid", required=True),
        Field("concession", "concession_bp", Percent(), "每笔让利", "what each conceded", required=True),
    ),
)

START: Final = Section(
    "Start",
    parts.Start,
    (
        Field("shops", "shops", Whole(1, SHOPS_MAX), "起始商家数", "shops at the start", default="1"),
        Field("consumers", "consumers", Whole(0, CONSUMERS_MAX), "起始消费者数", "consumers at the start", default="0"),
        Field(
            "locked",
            "locked",
            Whole(1, CONSUMERS_MAX),
            "其中这么多人由其商家锁定,其余依次由这些人推荐;不写则按 consumers 的比例",
            "so many of them are bound to their shop and the others to these in turn; left out: by the shares of consumers",
        ),
        Field(
            "recruited",
            "recruited",
            Whole(0, SHOPS_MAX),
            "其中这么多商家有招商人;不写则按 shops.recruited 的比例",
            "so many of the shops have a recruiter; left out: by the share in shops.recruited",
        ),
        Field("pool", "pool_fen", Yuan(0, AMOUNT_FEN_MAX), "盈利池起始注资", "funds in the pool at the start", default="0"),
        Field("orders", "orders", EARLIER, "首月之前已结算的相同订单", "equal orders settled before the first month"),
    ),
)

PLACES: Final = Section(
    "Places",
    parts.Places,
    (
        Field("provinces", "provinces", Whole(1, PLACES_MAX), "省数", "provinces", default="1"),
        Field("cities", "cities", Whole(1, PLACES_MAX), "每省市数", "cities in each province", default="1"),
        Field("districts", "districts", Whole(1, PLACES_MAX), "每市区数", "districts in each city", default="1"),
    ),
)

GIVEN: Final = Section(
    "Given",
    parts.Given,
    (
        Field("rate", "rate_bp", Percent(), "让利", "the concession", required=True),
        Field("share", "share_bp", Percent(), "多少商家如此", "the share of shops that give it", default="100%"),
    ),
)

LISTED: Final = Section(
    "Listed",
    parts.Listed,
    (
        Field("share", "share_bp", Percent(), "多少商家如此", "the share of shops that have them", default="100%"),
        Field(
            "amounts",
            "amounts_fen",
            ListOf(AMOUNT, 4096, 1),
            "实付金额,等可能",
            "what is paid, each amount as likely as the others",
            required=True,
        ),
    ),
)

TICKET: Final = Section(
    "Ticket",
    parts.Ticket,
    (
        Field("share", "share_bp", Percent(), "多少商家如此", "the share of shops that have them", default="100%"),
        Field("median", "median_fen", AMOUNT, "实付中位数", "the median of what is paid", required=True),
        Field("sigma", "sigma_bp", Percent(0, SIGMA_BP_MAX), "对数正态的 σ", "the sigma of the log-normal law", default="60%"),
        Field("min", "fen_min", AMOUNT, "最低实付", "the least that is paid", default="0.01"),
        Field("max", "fen_max", AMOUNT, "最高实付", "the most that is paid", default="100000000"),
    ),
)

SHOPS: Final = Section(
    "Shops",
    parts.Shops,
    (
        Field("new", "new", Whole(0, SHOPS_MAX), "首月新增商家", "shops that join in the first month", default="0"),
        Field("growth", "growth_bp", Percent(), "新增数每月增长", "monthly growth of those who join", default="0%"),
        Field(
            "concessions",
            "concessions",
            ListOf(GIVEN, 64, 1),
            "让利的分布",
            "how concessions are spread over shops",
            required=True,
        ),
        Field(
            "outside",
            "outside",
            Choice(("nearest", "refused")),
            "让利超出方案范围时:取最近的,或订单被拒",
            "a concession outside the plan's range: the nearest inside is taken, or its orders are refused",
            default="nearest",
        ),
        Field(
            "tickets",
            "tickets",
            ListOf(ByKey("amounts", LISTED, TICKET), 64, 1),
            "实付金额的分布",
            "how what is paid is spread",
            required=True,
        ),
        Field(
            "lean",
            "lean",
            Whole(1, LEAN_MAX),
            "客流集中度:1 为均匀;最早的 p 成商家占 p^(1/lean) 的客流",
            "how visits lean to some shops: 1 evenly; the earliest part p of the shops has p^(1/lean) of the visits",
            default="1",
        ),
        Field(
            "recruited",
            "recruited_bp",
            Percent(),
            "多少商家有招商人",
            "the share of shops that a recruiter brought",
            default="100%",
        ),
        Field("recruiters", "recruiters", Whole(1, SHOPS_MAX), "招商人数", "how many recruiters", default="1"),
    ),
)

CONSUMERS: Final = Section(
    "Consumers",
    parts.Consumers,
    (
        Field("new", "new", Whole(0, CONSUMERS_MAX), "首月新增消费者", "consumers who come in the first month", required=True),
        Field("growth", "growth_bp", Percent(), "新增数每月增长", "monthly growth of those who come", default="0%"),
        Field(
            "stop",
            "stop",
            Whole(0, MONTHS_MAX),
            "从该月(0 起)不再有新人;不写则一直有",
            "from this month (counted from 0) nobody new comes; left out: they go on coming",
        ),
        Field("visits", "visits_bp", Multiple(0, VISITS_BP_MAX), "每人每月消费次数", "visits of each a month", required=True),
        Field("churn", "churn_bp", Percent(), "每月离开的比例", "the share that leaves each month", default="0%"),
        Field(
            "comeback",
            "comeback_bp",
            Percent(),
            "离开者每月回来的比例",
            "the share of those away that comes back each month",
            default="0%",
        ),
        Field(
            "loyalty", "loyalty_bp", Percent(), "在自己常去的店消费的比例", "the share of visits to one's own shop", default="50%"
        ),
        Field(
            "locked",
            "locked_bp",
            Percent(),
            "由首次消费的商家锁定的比例",
            "the share bound to the shop they came to",
            default="0%",
        ),
        Field(
            "invited", "invited_bp", Percent(), "由更早的消费者推荐的比例", "the share bound to an earlier consumer", default="0%"
        ),
        Field(
            "rhythm",
            "rhythm",
            ListOf(Whole(0, 1_000_000), 7, 7),
            "周一至周日的客流权重",
            "weights of Monday to Sunday",
            default="[1, 1, 1, 1, 1, 1, 1]",
        ),
    ),
)

SALES: Final = Section(
    "Sales",
    parts.Sales,
    (
        Field(
            "share",
            "share_bp",
            Percent(),
            "每月卖出全部积分的持有人比例",
            "the share of holders who sell all each month",
            required=True,
        ),
        Field("from", "start", Whole(0, MONTHS_MAX), "从哪个月起", "from which month on", default="0"),
    ),
)

REFUNDS: Final = Section(
    "Refunds",
    parts.Refunds,
    (
        Field("share", "share_bp", Percent(), "全额退款的订单比例", "the share of orders that are refunded whole", required=True),
        Field("delay", "delay_days", Whole(1, 365), "几天之后退", "after how many days", default="7"),
    ),
)

WASH: Final = Section(
    "Wash",
    parts.Wash,
    (
        Field("orders", "orders", Whole(1, 1_000_000), "每月几笔", "orders a month", required=True),
        Field("amount", "amount_fen", AMOUNT, "每笔实付", "what each pays", required=True),
    ),
)

FARMING: Final = Section(
    "Farming",
    parts.Farming,
    (
        Field("accounts", "accounts", Whole(1, 1_000_000), "几个账户", "how many accounts", required=True),
        Field("orders", "orders", Whole(1, 10_000), "每个账户每月几笔", "orders of each a month", required=True),
        Field("amount", "amount_fen", AMOUNT, "每笔实付", "what each pays", default="1"),
    ),
)

BEHAVIOUR: Final = Section(
    "Behaviour",
    parts.Behaviour,
    (
        Field("sell", "sell", SALES, "卖出积分", "selling points"),
        Field("refunds", "refunds", REFUNDS, "退款", "refunds"),
        Field(
            "small_accounts",
            "small_accounts_bp",
            Percent(),
            "用小号锁定顾客(截取间推)的商家比例",
            "the share of shops that bind their customers through an account of their own, and catch the second referral",
            default="0%",
        ),
        Field("wash", "wash", WASH, "自买自卖的商家", "a merchant who trades with himself"),
        Field("farming", "farming", FARMING, "刷小单的账户", "accounts that farm by tiny orders"),
        Field(
            "vouchers",
            "vouchers_bp",
            Percent(),
            "有券时用券支付的比例",
            "the share of visits at which one pays with the vouchers one has",
            default="100%",
        ),
    ),
)

INJECTION: Final = Section(
    "Injection",
    parts.Injection,
    (
        Field("month", "month", Whole(0, MONTHS_MAX), "哪个月", "in which month", required=True),
        Field("amount", "amount_fen", AMOUNT, "多少", "how much", required=True),
    ),
)

RUN: Final = Section(
    "Run",
    parts.Run,
    (
        Field("month", "month", Whole(0, MONTHS_MAX), "哪个月", "in which month", required=True),
        Field("share", "share_bp", Percent(), "多少持有人一起卖出", "the share of holders who sell all at once", required=True),
    ),
)

COSTS: Final = Section(
    "Costs",
    parts.Costs,
    (
        Field("channel_fee", "channel_fee_bp", Percent(), "支付渠道费率", "the payment channel's fee", default="0.6%"),
        Field(
            "fee_of",
            "fee_of",
            Choice(("amount", "concession")),
            "渠道费按实付现金,或只按让利",
            "the fee is taken of all cash paid, or of the concession only",
            default="amount",
        ),
        Field(
            "tax",
            "tax",
            Choice(("incidental", "discount")),
            "红包按偶然所得(20%,平台承担),或按折扣(免)",
            "packets are incidental income (20%, borne by the platform), or a discount (none)",
            default="incidental",
        ),
    ),
)

SCENARIO: Final = Section(
    "Scenario",
    parts.Scenario,
    (
        Field("scenario", "name", SLUG, "场景短名", "the scenario's short name", required=True),
        Field("title", "title", WORDS, "名称", "its title", required=True),
        Field("about", "about", WORDS, "说明", "what it is"),
        Field("plan", "plan", MEANT_FOR, "为哪个方案而写", "the plan it was written for"),
        Field("months", "months", Whole(1, MONTHS_MAX), "几个月(每月 30 天)", "how many months (of 30 days)", required=True),
        Field(
            "horizon", "horizon", Whole(1, MONTHS_MAX), "新人愿意等几个月", "how many months a newcomer would wait", default="36"
        ),
        Field("start", "start", START, "起始状态", "how things stand at the start", default="{}"),
        Field("places", "places", PLACES, "地区", "places", default="{}"),
        Field(
            "agents",
            "agents",
            ListOf(Choice(RANKS), len(RANKS)),
            "有哪几级区域代理",
            "which ranks of region agents there are",
            default="[district, city, province, region]",
        ),
        Field("shops", "shops", SHOPS, "商家", "who sells", required=True),
        Field("consumers", "consumers", CONSUMERS, "消费者", "who buys", required=True),
        Field("behaviour", "behaviour", BEHAVIOUR, "行为", "what people do", default="{}"),
        Field("injections", "injections", ListOf(INJECTION, MONTHS_MAX), "向盈利池注资", "funds put into the pool", default="[]"),
        Field("run", "run", RUN, "挤兑", "a run on the points"),
        Field("costs", "costs", COSTS, "平台的外部成本", "what the platform pays to others", default="{}"),
    ),
)
