"""The live demonstration: a real service on a real database, orders streaming in under three models, and all of it proved.

example world ─▶ orders, a few at a time ─▶ service ─▶ journal ─▶ what was decided, read back and shown
                                               └─ API, meanwhile, for whoever wants to look
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from rangli.cli import face as faces
from rangli.cli.opening import Opened, has_data, opened
from rangli.cli.options import Lang
from rangli.cli.tour import Teller
from rangli.errors import FolderRefused, LedgerError
from rangli.money import MICRO_PER_FEN, mul_div, parse_micro, parse_yuan, print_ratio

if TYPE_CHECKING:
    from concurrent.futures import Future

    from rich.console import RenderableType

    from rangli.service import Running, Service
    from rangli.service.requests import OrderRequest
    from rangli.service.views import DecisionView

PLANS: Final = {"weituanbao": None, "moudian": None, "zengzhi": "20%"}
"""The three models of the sources; the third takes a concession of 20 % only."""
SEED, SHOPS, DAYS = 7, 12, 91
SECRET: Final = bytes(range(32))
"""Not drawn anew, so that everybody sees the same figures."""
TICK: Final = timedelta(milliseconds=100)
TELL_SECONDS: Final = 4
"""Between two lines, where nobody sees a picture move."""
NEWS: Final = 10
DECISIONS_MAX: Final = 1_000
NANO: Final = 10**9
MILLI: Final = 10**6


def demo(
    seconds: Annotated[
        int,
        typer.Option("--seconds", metavar="N", min=1, max=3600, help="订单来多久 · how long orders come; or until Ctrl-C"),
    ] = 20,
    rate: Annotated[
        int, typer.Option("--rate", metavar="N", min=1, max=2000, help="每个方案每秒几笔订单 · orders a second under each plan")
    ] = 50,
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65_535, help="API 的端口,0 为任一空闲的 · the API's port, 0 for any")
    ] = 0,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="DIR", help="留下数据的新目录,默认用后即删 · a new folder that stays; by default it is removed"
        ),
    ] = None,
    lang: Lang = None,
) -> None:
    """看真实的服务运行一分钟 · A real service at work, for a minute.

    三种模式的订单源源而来,落库之后才应答;最后把一切重算一遍,证明分毫不差。

    Orders stream in under the three models, each answered once it is durable; at the end all of it is decided again.

    例 Example: rangli demo --seconds 2 --data build/demo
    """
    teller = Teller(lang)
    with _folder(data) as folder, opened(folder, make=True) as it:
        from rangli.service import Service

        _opening(teller, seconds)
        with Service.open(it.database) as service, tempfile.TemporaryDirectory(prefix="rangli-orders-") as place:
            stages = _stages(teller, service, Path(place), seconds * rate)
            with _api(service, port) as url:
                _addresses(teller, service, url)
                _stream(teller, stages, seconds, rate)
            _closing(teller, stages)
            _prove(teller, it, stages)
        _ending(teller, data)


@contextmanager
def _folder(data: Path | None) -> Iterator[Path]:
    """The folder asked for, or one that is removed afterwards."""
    if data is not None:
        if has_data(data):
            raise FolderRefused(
                data,
                "里已有数据;演示从空目录开始,请另选一个",
                "has data in it; the demo begins in an empty folder, choose another",
            )
        yield data
        return
    folder = Path(tempfile.mkdtemp(prefix="rangli-demo-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# ---------------------------------------------------------------- one programme on the stage


class Stage:
    """One programme: the orders still to come, and what its journal says so far."""

    def __init__(self, name: str, running: Running, orders: Iterator[OrderRequest], count: int) -> None:
        self.name = name
        self.running = running
        self.count = count
        self.sent = 0
        self.orders = self.transfers = self.paid_fen = self.conceded_micro = 0
        self.day = ""
        self.news: deque[str] = deque(maxlen=NEWS)
        self.packets = self.packets_micro = self.released_micro = self.minted_micro = self.pool_micro = self.supply_micro = 0
        self.answer_ms = 0
        self._orders = orders
        self._position = 0

    def send(self, upto: int) -> None:
        """Hand in the orders that are due, up to this number in all. Their answers come when they are durable."""
        some = list(islice(self._orders, max(0, min(upto, self.count) - self.sent)))
        if some:
            self.running.submit(some).add_done_callback(self._timed(time.monotonic_ns()))
            self.sent += len(some)

    def _timed(self, began: int) -> Callable[[Future[Any]], None]:
        def done(_: Future[Any]) -> None:
            self.answer_ms = mul_div(time.monotonic_ns() - began, 1, MILLI)

        return done

    def read(self) -> None:
        """Read back what was decided since."""
        while decisions := self.running.decisions(self._position, DECISIONS_MAX):
            for decision in decisions:
                self._position = decision.position  # first, so that Ctrl-C makes nothing count twice
                self._note(decision)

    def settled(self, timeout: float) -> None:
        """Wait until all that was sent is decided, and read it back."""
        end = time.monotonic() + timeout
        self.read()
        while self.orders < self.sent and time.monotonic() < end:
            self.running.wait(self._position, TICK.total_seconds())
            self.read()

    def _note(self, decision: DecisionView) -> None:
        """Count one decision, and tell what is news in it."""
        self.transfers += len(decision.transfers)
        if decision.kind == "order":
            self.orders += 1
            self.paid_fen += parse_yuan(str(decision.facts["amount"]))
            self.day = str(decision.facts["paid_at"])[:10]
        packets = []
        for transfer in decision.transfers:
            amount = parse_micro(transfer.amount)
            if transfer.code == "packet":
                packets.append((amount, transfer.destination))
            self.conceded_micro += amount if transfer.source.endswith(":concession") else 0
            self.released_micro += amount if transfer.code == "release" else 0
            self.minted_micro += amount if transfer.code == "mint" else 0
            for account, sign in ((transfer.source, -1), (transfer.destination, 1)):
                self.pool_micro += sign * amount if account == "programme:pool" else 0
                self.supply_micro -= sign * amount if account == "programme:points" else 0
        if packets:
            self._tell(decision, packets)

    def _tell(self, decision: DecisionView, packets: list[tuple[int, str]]) -> None:
        """One order's packets, and the largest of them."""
        from rangli.ledger import decode_name

        whole, (most, lucky) = sum(amount for amount, _ in packets), max(packets)
        self.packets, self.packets_micro = self.packets + len(packets), self.packets_micro + whole
        facts, name = decision.facts, decode_name(lucky.split(":")[1])
        self.news.append(
            f"{facts['consumer']} @ {facts['merchant']} {facts['amount']} → {len(packets)} × = {faces.money(whole)};"
            f" {name} {faces.money(most)}"
        )

    def balanced(self) -> bool:
        """Whether the sum of all balances is 0 in every unit."""
        return not any(parse_micro(total.removeprefix("-")) for total in self.running.trial_balance().totals.values())


def _stages(teller: Teller, service: Service, place: Path, count: int) -> list[Stage]:
    """The programmes with their worlds; the first order of each compiles what it needs."""
    from rangli.files.example import CONCESSION_BP, write_example
    from rangli.money import parse_percent

    face, stages = teller.face, []
    face.note("准备中;第一次运行要编译内核,约半分钟", "preparing; the first run compiles the kernels, for about half a minute")
    with face.progress("准备", "Preparing", 2 * len(PLANS)) as advance:
        for name, concession in PLANS.items():
            low, high = CONCESSION_BP if concession is None else (parse_percent(concession),) * 2
            path = write_example(place / name, count, SHOPS, SEED, concession_bp=(low, high), days=DAYS)
            advance(1)
            service.create(name, name, secret=SECRET)
            stage = Stage(name, service.running(name), _requests(path), count)
            stage.send(1)
            stage.settled(timeout=600)
            stages.append(stage)
            advance(1)
    return stages


def _requests(path: Path) -> Iterator[OrderRequest]:
    """The orders of a file as requests."""
    from rangli.files.texts import OrderTexts
    from rangli.service.requests import OrderRequest

    for texts in OrderTexts(path).batches():
        yield from map(OrderRequest, *(texts.fields[name] for name in OrderRequest.__struct_fields__))


# ---------------------------------------------------------------- the API beside it


@contextmanager
def _api(service: Service, port: int) -> Iterator[str]:
    """The API in a thread; its address."""
    from rangli.web.serving import Server, listen

    with listen("127.0.0.1", port) as door:
        ready = threading.Event()
        server = Server(service, ready=ready.set)
        thread = threading.Thread(target=server.run, args=([door],), name="api", daemon=True)
        thread.start()
        while not ready.wait(TELL_SECONDS):
            assert thread.is_alive(), "the port is ours, so the server starts"
        try:
            yield f"http://127.0.0.1:{door.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


# ---------------------------------------------------------------- the show


def _stream(teller: Teller, stages: list[Stage], seconds: int, rate: int) -> None:
    """Orders at their pace until the time is over or somebody presses Ctrl-C."""
    began = time.monotonic_ns()
    with _screen(teller, stages) as show:
        try:
            while True:
                passed = time.monotonic_ns() - began
                for stage in stages:
                    stage.send(mul_div(passed, rate, NANO))
                    stage.read()
                show(passed)
                if passed >= seconds * NANO:
                    break
                time.sleep(TICK.total_seconds())
        except KeyboardInterrupt:
            teller.face.note("停止接单", "no more orders")
    for stage in stages:
        stage.settled(timeout=60)


@contextmanager
def _screen(teller: Teller, stages: list[Stage]) -> Iterator[Callable[[int], None]]:
    """A picture that moves; on a pipe, a line every few seconds on stderr."""
    face = teller.face
    if face.out.is_terminal:
        from rich.live import Live

        with Live(console=face.out, refresh_per_second=10, transient=True) as live:
            yield lambda passed: live.update(_picture(teller, stages, passed))
        return
    told = [0]

    def tell(passed: int) -> None:
        seconds = mul_div(passed, 1, NANO)
        if seconds >= told[0] + TELL_SECONDS:
            told[0] = seconds
            orders, transfers = sum(stage.orders for stage in stages), sum(stage.transfers for stage in stages)
            face.note(
                f"{seconds} 秒:{faces.count(orders)} 笔订单,{faces.count(transfers)} 笔转账,试算平衡 {_mark(stages)}",
                f"{seconds} s: {faces.count(orders)} orders, {faces.count(transfers)} transfers, trial balance {_mark(stages)}",
            )

    yield tell


def _mark(stages: list[Stage]) -> str:
    """Of the trial balance."""
    return "0 ✓" if all(stage.balanced() for stage in stages) else "✗"


def _picture(teller: Teller, stages: list[Stage], passed: int) -> RenderableType:
    """What one sees now."""
    from rich.console import Group
    from rich.text import Text

    orders, days = sum(stage.orders for stage in stages), max(stage.day for stage in stages)
    per_second = mul_div(orders * NANO, 1, max(passed, 1))
    line = Text.assemble(
        (f"{faces.count(orders)} ", "bold"), teller.label("笔订单", "orders"), "   ",
        (f"{faces.count(per_second)} ", "bold"), teller.label("笔/秒", "a second"), "   ",
        (f"{max(stage.answer_ms for stage in stages)} ", "bold"), teller.label("毫秒落库应答", "ms to a durable answer"),
        "   ",
        teller.label("世界里的日期", "the world's day"), (f" {days}", "bold"),
    )  # fmt: skip
    news = Text(
        teller.face.words(
            "红包刚刚发出:谁在哪家店付了多少 → 几个红包 = 共多少元;最大的给了谁",
            "packets just sent: who paid what where → how many packets = yuan in all; the largest and whose it is",
        ),
        style="dim",
    )
    for one in stages[0].news:
        news.append(f"\n  {one}", style="green")
    truths = Text("\n".join(teller.face.words(*_truth(stage)) for stage in stages))
    return Group(line, Text(""), _table(teller, stages), Text(""), truths, Text(""), news)


def _table(teller: Teller, stages: list[Stage]) -> RenderableType:
    """A row for each programme."""
    from rich.text import Text

    words = (("订单", "orders"), ("实付", "paid"), ("让利", "conceded"), ("转账", "transfers"), ("试算", "balance"))
    made = faces.table("", *(teller.label(zh, en).replace(" ", "\n") for zh, en in words), right=(1, 2, 3, 4))
    for stage in stages:
        right = stage.balanced()
        made.add_row(
            stage.name, faces.count(stage.orders), faces.money(stage.paid_fen * MICRO_PER_FEN), faces.money(stage.conceded_micro),
            faces.count(stage.transfers), Text("0 ✓" if right else "✗", style="green" if right else "red"),
        )  # fmt: skip
    return made


def _truth(stage: Stage) -> tuple[str, str]:
    """What its model comes to so far, in Chinese and English."""
    if stage.name == "weituanbao":
        sent, micro = faces.count(stage.packets), faces.money(stage.packets_micro)
        return f"微团宝:发出 {sent} 个红包,共 {micro} 元", f"weituanbao: {sent} packets sent, {micro} yuan"
    if stage.name == "moudian":
        points, out = faces.money(stage.minted_micro), faces.money(stage.released_micro)
        return (
            f"某店:发出积分 {points},已释放 {out} 元的券",
            f"moudian: {points} points given, {out} yuan of them released as vouchers",
        )
    price = print_ratio(stage.pool_micro, max(stage.supply_micro, 1), 4)
    return f"消费增值:积分价格从 1 元涨到 {price} 元", f"zengzhi: the price of a point rose from 1 to {price} yuan"


# ---------------------------------------------------------------- words


def _opening(teller: Teller, seconds: int) -> None:
    """What is about to happen."""
    teller.heading("让利,真的在运行", "Rangli, live")
    teller.say(
        f"一个真实的数据库和服务:{SHOPS} 家店、三种模式,{seconds} 秒里过完一个季度的订单。每笔订单落库之后才应答;"
        "屏幕上的一切都是从账本里读回来的。",
        f"A real database and a real service: {SHOPS} shops, three models, a quarter's orders in {seconds} seconds. An order is"
        " answered once it is durable, and all that you see is read back from the journal.",
    )


def _addresses(teller: Teller, service: Service, url: str) -> None:
    """Where to look while it runs."""
    from rangli.cli.serving import first_key

    key = first_key(service)
    teller.face.show(
        "",
        faces.facts(
            ("  API", url), (f"  {teller.label('文档', 'docs')}", f"{url}/docs"), (f"  {teller.label('密钥', 'key')}", key)
        ),
        "",
    )
    teller.face.out.print(f'  curl -H "Authorization: Bearer {key}" {url}/v1/programmes', soft_wrap=True)
    teller.face.show("")


def _closing(teller: Teller, stages: list[Stage]) -> None:
    """What it came to."""
    teller.heading("结果", "What it came to")
    teller.face.show(_table(teller, stages), "")
    for stage in stages:
        teller.say(*_truth(stage))


def _prove(teller: Teller, it: Opened, stages: list[Stage]) -> None:
    """Decide everything again, and say so."""
    from rangli.cli.opening import journal_of
    from rangli.cli.proving import verify_with_bar

    teller.heading("凭什么相信", "Why believe it")
    made = faces.table(
        "",
        teller.label("条决定", "decisions"),
        teller.label("笔转账", "transfers"),
        teller.label("状态哈希", "state hash"),
        right=(1, 2),
        fold=(3,),
    )
    for stage in stages:
        live = stage.running.state_hash()
        verified = verify_with_bar(teller.face, it, journal_of(it.database, stage.name)).result
        assert not isinstance(verified, LedgerError), verified.en
        assert verified.state_hash == live, "what is derived again is what the service holds"
        made.add_row(f"  ✓ {stage.name}", faces.count(verified.position), faces.count(verified.transfers), f"{live[:16]}…")
    teller.face.show(made, "")
    teller.say(
        "从第一条决定起全部重算:每条决定、每笔转账、每个哈希逐字节相同,算出的状态就是服务手里的状态。",
        "Everything was decided again from the first decision: every decision, transfer and hash is the same to the byte, and"
        " what came out is the state that the service holds.",
    )


def _ending(teller: Teller, data: Path | None) -> None:
    """Where to look next."""
    teller.heading("接下来", "Where to look next")
    kept = "" if data is None else f" --data {data}"
    commands = [
        *(
            [f"rangli statement platform:surplus --programme weituanbao{kept}", f"rangli verify{kept}"]
            if data
            else ["rangli demo --data build/demo"]
        ),
        f"rangli serve{kept}",
        f"rangli doctor{kept}",
        "rangli tour",
        "rangli --help",
    ]
    for command in commands:
        teller.face.out.print(f"  {command}", soft_wrap=True)
