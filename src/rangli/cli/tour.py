"""The tour: a world, settled under the three models, audited, and told to somebody who sees it for the first time."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer

from rangli.cli import face as faces
from rangli.cli.face import Face
from rangli.cli.options import Lang, compiled
from rangli.money import BP_PER_ONE, MICRO_PER_FEN, mul_div, print_percent, print_ratio, print_yuan

if TYPE_CHECKING:
    from rich.table import Table

    from rangli.cli.directory import Settled
    from rangli.files.settling import Summary
    from rangli.plan import CompiledPlan

SECRET: Final = hashlib.sha256(b"rangli demo").digest()
"""Not drawn anew, so that everybody sees the same figures."""
SEED, SHOPS, DAYS = 7, 200, 91
WORLDS: Final = {"world": None, "world-20": "20%"}
PLANS: Final = {"weituanbao": "world", "moudian": "world", "zengzhi": "world-20"}
"""The three models of the sources, and the world that each is tried in: the third takes a concession of 20 % only."""
SIMULATED: Final = 100_000


class Chapter(NamedTuple):
    """One plan after its run."""

    one: CompiledPlan
    summary: Summary
    settled: Settled
    checks: int
    """Checks of the audit, all of them good."""


def tour(
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="写到哪里,默认临时目录 · where, by default a temporary directory")
    ] = None,
    orders: Annotated[int, typer.Option("--orders", metavar="N", min=100, max=10**7, help="订单数 · orders")] = 40_000,
    lang: Lang = None,
) -> None:
    """一分钟看懂三种模式 · The three models on an example world, told.

    造一个世界,按三种模式结算、审计,再讲给你听。

    Make a world, settle it under the three models, audit it, and tell the story.

    例 Example: rangli tour --orders 2000 --out build/tour
    """
    teller = Teller(lang)
    place = out if out is not None else Path(tempfile.mkdtemp(prefix="rangli-tour-"))
    teller.opening(orders)
    chapters = _chapters(teller.face, place, orders)
    teller.waterfall(chapters["weituanbao"])
    teller.packets(chapters["weituanbao"])
    teller.points(chapters["moudian"])
    teller.pool(chapters["zengzhi"])
    teller.proof(chapters)
    teller.ending(place)


def _chapters(face: Face, place: Path, orders: int) -> dict[str, Chapter]:
    """Write the worlds, settle, and audit, with a bar for each."""
    from rangli.cli.auditing import audit_with_bar
    from rangli.cli.directory import Settled
    from rangli.cli.settling import settle_with_bar, write_with_bar

    files = {
        world: write_with_bar(face, place / world, orders, SHOPS, SEED, days=DAYS, concession=concession)
        for world, concession in WORLDS.items()
    }
    chapters = {}
    for name, world in PLANS.items():
        one, text = compiled(name)
        summary = settle_with_bar(face, one, text, files[world], place / name, secret=SECRET)
        report = audit_with_bar(face, place / name, files[world])
        assert report.ok, "the tour settles and audits on the same machine"
        chapters[name] = Chapter(one, summary, Settled(place / name), sum(report.checked.values()))
    return chapters


class Teller:
    """Tells the story in Chinese with English beside it, or in the one language asked for."""

    def __init__(self, lang: str | None) -> None:
        self.face = Face(lang)
        self.asked = lang

    def say(self, zh: str, en: str) -> None:
        """A paragraph."""
        if self.asked != "en":
            self.face.show(faces.paragraph(zh, indent=2))
        if self.asked != "zh":
            self.face.show(faces.paragraph(en, indent=2, style="dim" if self.asked is None else ""))

    def heading(self, zh: str, en: str) -> None:
        """A heading between empty lines."""
        title = {"zh": zh, "en": en}.get(self.asked or "", f"{zh} · {en}")
        self.face.show("", faces.paragraph(f"━━ {title}", style="bold green"), "")

    def label(self, zh: str, en: str) -> str:
        """A few words for a table."""
        return {"zh": zh, "en": en}.get(self.asked or "", f"{zh} {en}")

    # ------------------------------------------------------------ the story

    def opening(self, orders: int) -> None:
        """What is about to happen."""
        self.heading("让利", "Rangli")
        number = faces.count(orders)
        self.say(
            f"一个编造的世界:{SHOPS} 家店,{DAYS} 天,{number} 笔订单。商家在每笔订单上让出一部分,三种模式各有各的分法。"
            "下面逐分结算,再只凭订单重算一遍核对。第一次运行要先编译内核,会慢一些。",
            f"An invented world: {SHOPS} shops, {DAYS} days, {number} orders. On every order the shop gives up a part, and each"
            " of three models has its own way to hand it out. We settle each to the millionth of a yuan, then derive it all"
            " again from the orders alone and compare. The first run compiles the kernels and takes longer.",
        )

    def waterfall(self, chapter: Chapter) -> None:
        """Where the concession of one order went."""
        lot = _a_full_order(chapter.settled)
        legs = list(chapter.settled.legs_of_order(lot["order_id"]))
        shares = [leg for leg in legs if leg["source"].endswith(":concession")]
        sizes = [leg["amount_micro"] for leg in legs if leg["code"] == "packet"]
        paid, given = print_yuan(lot["paid_fen"]), faces.money(sum(leg["amount_micro"] for leg in shares))
        self.heading("一笔订单的去向", "The way of one order")
        self.say(
            f"{lot['consumer']}在{lot['merchant']}付了 {paid} 元,商家让利 {given} 元(订单 {lot['order_id']},微团宝):",
            f"{lot['consumer']} paid {paid} yuan at {lot['merchant']}, who gave up {given} of it:",
        )
        self.face.show("", self._shares([(leg["code"], leg["amount_micro"], _owner(leg["destination"])) for leg in shares]), "")
        total = faces.money(sum(sizes))
        self.say(
            f"红包池随即随机切成 {len(sizes)} 个红包,共 {total} 元,发给同店同档此前的 {len(sizes)} 笔订单(每格一个):",
            f"The pot was then cut at random into {len(sizes)} packets, {total} yuan in all, for the {len(sizes)} orders before"
            " it (a bar each):",
        )
        self.face.show("", f"    {_heights(sizes)}")

    def packets(self, chapter: Chapter) -> None:
        """The truth about red packets."""
        summary = chapter.summary
        lots, free, largest_fen = _lots(chapter.settled)
        paid_micro = summary.paid_fen * MICRO_PER_FEN
        conceded = faces.percent(summary.concession_micro, paid_micro, 2)
        returned = faces.percent(summary.returned_micro, paid_micro, 2)
        half = faces.percent(summary.concession_micro, 2 * paid_micro, 2)
        self.heading("微团宝:红包", "Red packets")
        self._totals(chapter)
        of_zh = f"{faces.count(lots)} 笔订单里有 {faces.count(free)} 笔拿回了全部实付({faces.percent(free, lots, 2)})"
        of_en = f"{faces.count(free)} of {faces.count(lots)} orders got back all they paid ({faces.percent(free, lots, 2)})"
        most_zh, most_en = (f",最大的一笔 {print_yuan(largest_fen)} 元", f", the largest of them {print_yuan(largest_fen)} yuan")
        self.say(
            f"真相:“免单”是上限,不是承诺。商家平均让利 {conceded},消费者平均收回 {returned}:长期是让利的一半({half}),"
            f"怎么抽都一样;还没发出的在池里。{of_zh}{most_zh if free else ''}。",
            f"The truth: “free of charge” is a cap, not a promise. Shops give up {conceded} on average and consumers get"
            f" {returned} back; in the long run that is half of the concession ({half}), whatever the draw, and what is not yet"
            f" sent is in the pots. {of_en}{most_en if free else ''}.",
        )

    def points(self, chapter: Chapter) -> None:
        """The truth about released points."""
        summary, by_code = chapter.summary, chapter.summary.by_code
        release = chapter.one.plan.release
        assert release is not None
        promised_micro = mul_div(by_code["mint"]["amount_micro"], release.multiple_bp, BP_PER_ONE)
        funded_micro = by_code["dividend"]["amount_micro"]
        promised, funded = faces.money(promised_micro), faces.money(funded_micro)
        times = faces.nearest(promised_micro, funded_micro, 1)
        periods = len(summary.periods)
        released = faces.money(sum(period["released_micro"] for period in summary.periods))
        reserve = faces.money(chapter.settled.balance("programme:reserve").amount_micro)
        vouchers = faces.money(-chapter.settled.balance("programme:vouchers").amount_micro)
        self.heading("某店:绿色积分", "Green points")
        self._totals(chapter)
        self.say(
            f"真相:积分最多承诺 {promised} 元,进分红池的是 {funded} 元,承诺是资金的 {times} 倍。"
            f"{periods} 期一共释放了 {released} 元,哪一期都没有超过池里所有;流通的券 {vouchers} 元,储备里的现金 {reserve} 元。",
            f"The truth: the points promise up to {promised} yuan, and {funded} went into the dividend pot: promised ÷ funded ="
            f" {times}. {periods} period(s) released {released} in all, none of them more than the pot held. Vouchers of"
            f" {vouchers} yuan are in circulation, with {reserve} in cash behind them.",
        )

    def pool(self, chapter: Chapter) -> None:
        """The truth about appreciating points."""
        from rangli.lab import simulate

        plan = chapter.one.plan
        assert plan.pool is not None
        assert plan.pool.exit is not None
        price, at = _price(chapter.settled), print_percent(plan.pool.exit.at_bp)
        exits = chapter.summary.by_code.get("exit", {"count": 0})["count"]
        equal = simulate(chapter.one, SIMULATED, 100_000, plan.concession.bp_max, SEED)
        many, first = faces.count(SIMULATED), faces.count(equal.first_exit)
        back = faces.percent(equal.returned_micro, equal.paid_fen * MICRO_PER_FEN, 3)
        self.heading("消费增值:有价积分", "Priced points")
        self._totals(chapter)
        self.say(
            f"真相:积分价格从 1 元涨到 {price} 元,但这里达到 {at} 而退出的会员有 {exits} 位。实验室里 {many} 笔同样的订单,"
            f"只有 {equal.exits} 笔退出,第一笔在第 {first} 单;全体平均收回实付的 {back}。",
            f"The truth: the price of a point rose from 1 to {price} yuan, and yet the members here who reached {at} and were"
            f" sold out number {exits}. In the lab {equal.exits} of {many} equal orders exit, the first at order {first}; on"
            f" average they get back {back} of what they paid.",
        )

    def _totals(self, chapter: Chapter) -> None:
        """Who got what in all."""
        from rangli.cli.settling import shares_and_rest

        shares, _ = shares_and_rest(chapter.summary.by_code)
        self.face.show(self._shares([(code, row["amount_micro"], "") for code, row in shares.items()]), "")

    def _shares(self, shares: list[tuple[str, int, str]]) -> Table:
        """Codes and amounts with bars and names, and their sum."""
        from rangli.ledger import code_words
        from rangli.ledger.transfers import CODE_NAMES

        whole_micro = sum(micro for _, micro, _ in shares)
        made = faces.table("", self.label("元", "yuan"), "", "", "", right=(1, 3), fold=(4,))
        for code, micro, name in shares:
            words = f"  {self.label(code_words(CODE_NAMES.index(code))[0], code)}"
            made.add_row(words, faces.yuan(micro), faces.bar(micro, whole_micro), faces.percent(micro, whole_micro), name)
        made.add_section()
        made.add_row(f"  {self.label('让利', 'concession')}", faces.yuan(whole_micro), "", "100%", style="bold")
        return made

    def proof(self, chapters: dict[str, Chapter]) -> None:
        """That all of it was derived again."""
        self.heading("凭什么相信", "Why believe it")
        made = faces.table("", self.label("笔转账", "transfers"), self.label("次核对", "checks"), right=(1, 2))
        for chapter in chapters.values():
            made.add_row(f"  ✓ {chapter.one.plan.name}", faces.count(chapter.summary.transfers), faces.count(chapter.checks))
        self.face.show(made, "")
        self.say(
            "每笔转账都由订单重新推出并逐笔对照,试算平衡为 0。随机数由每天的密钥决定;密钥的承诺可先于当天公布,之后谁都能重算。",
            "Every transfer was derived again from the orders and compared; the books balance to 0. Chance hangs on a secret of"
            " the day: publish its commitment before the day and the secret after it, and anybody can reckon it again.",
        )

    def ending(self, place: Path) -> None:
        """Where to look next."""
        self.heading("接下来", "Where to look next")
        for command in (
            f"rangli balances {place / 'weituanbao'}",
            f"rangli statement {place / 'moudian'} programme:dividend",
            "rangli explain zengzhi --amount 1000 --concession 20%",
            "rangli schedule moudian --growth 15%",
            "rangli --help",
        ):
            self.face.out.print(f"  {command}", soft_wrap=True)


# ---------------------------------------------------------------- reading what was settled


def _a_full_order(settled: Settled) -> dict[str, Any]:
    """The lot of a late order with as many lines as any."""
    import numpy as np
    import pyarrow.parquet as pq

    table = list(settled.tables())[-1]
    ids = table["order_id"].combine_chunks()
    lines = np.bincount(ids.indices.drop_null().to_numpy(), minlength=len(ids.dictionary))
    best = int(len(lines) - 1 - np.argmax(lines[::-1]))
    found = pq.read_table(settled.path / "lots.parquet", filters=[("order_id", "=", ids.dictionary[best].as_py())])
    lot: dict[str, Any] = found.to_pylist()[0]
    return lot


def _lots(settled: Settled) -> tuple[int, int, int]:
    """How many lots there are, how many of them received all that they paid, and the largest of these in fen."""
    import pyarrow.parquet as pq

    table = pq.read_table(settled.path / "lots.parquet", columns=["paid_fen", "received_fen"])
    paid_fen, received_fen = (table[name].to_numpy() for name in ("paid_fen", "received_fen"))
    free = paid_fen[paid_fen == received_fen]
    return len(paid_fen), len(free), int(free.max(initial=0))


def _owner(path: str) -> str:
    """The name in a person's path; nothing for an institution."""
    from rangli.ledger import decode_name

    kind, name, *_ = path.split(":")
    return decode_name(name) if kind in {"consumer", "merchant", "agent"} else ""


def _price(settled: Settled) -> str:
    """The price of a point: what the pool holds by what is in circulation."""
    pool, points = (settled.balance(f"programme:{name}").amount_micro for name in ("pool", "points"))
    return print_ratio(pool, max(-points, 1), 4)


def _heights(sizes: list[int]) -> str:
    """Sizes as bars beside each other."""
    most = max(sizes, default=1)
    return " ".join("▁▂▃▄▅▆▇█"[mul_div(size, 7, most)] for size in sizes)
