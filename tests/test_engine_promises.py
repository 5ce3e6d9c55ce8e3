"""What is promised to consumers, merchants and auditors, checked on the engine's own transfers over drawn worlds."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from random import Random

from engine_bridge import Engine, Written, ask, compiled, tell
from engine_worlds import WORLDS, Action, PacketFacts, PlanFacts, worlds
from hypothesis import given
from hypothesis import strategies as st
from oracle import Order, Transfer, encoded

from rangli.engine import state as columns

POTS = ("programme:packets:", "programme:pool", "programme:dividend", "programme:reserve", "programme:fund:")
World = tuple[PlanFacts, list[Action]]


def run(world: World, engine: Engine) -> list[tuple[Order | tuple[str, int] | int, Written]]:
    """Everything that happens in a world, through the engine in batches of drawn sizes."""
    facts, actions = world
    _, done = ask(facts, actions)
    doings = [each.action for each in done]
    chance = Random(len(doings))
    return list(zip(doings, tell(engine, doings, lambda _: chance.randint(1, 9)), strict=True))


@WORLDS
@given(world=worlds())
def test_every_fen_of_a_concession_is_accounted_for(world: World) -> None:
    """What leaves the merchant's concession is amount times concession, to the micro, whatever the plan's rounding."""
    for action, written in run(world, Engine(compiled(world[0]))):
        if isinstance(action, Order):
            source = f"merchant:{encoded(action.merchant)}:concession"
            out = sum(line.amount for line in written.lines if line.source == source)

            assert out == (action.paid_fen * action.concession_bp if written.reason == "settled" else 0)
        assert all(line.amount > 0 for line in (*written.before, *written.lines))


@WORLDS
@given(world=worlds())
def test_no_pot_is_ever_overdrawn(world: World) -> None:
    """Not for one line: a pot that may go below zero pays one consumer with another's money."""
    balances: Counter[tuple[str, str]] = Counter()
    for _, written in run(world, Engine(compiled(world[0]))):
        for line in (*written.before, *written.lines):
            balances[line.source, line.unit] -= line.amount
            balances[line.destination, line.unit] += line.amount

            assert balances[line.source, line.unit] >= 0 or not line.source.startswith(POTS)
            assert balances[line.source, line.unit] >= 0 or not line.source.endswith((":points", ":vouchers")) or is_issuer(line)


def is_issuer(line: Transfer) -> bool:
    """Whether the line issues: an issuer's balance is minus what is in circulation."""
    return line.source in {"programme:points", "programme:vouchers"}


@WORLDS
@given(world=worlds(("release", "packets+release", "shares")))
def test_every_voucher_is_backed_after_every_step(world: World) -> None:
    """The reserve holds a yuan for each voucher in circulation, always; and the state's own counts agree with the books."""
    engine = Engine(compiled(world[0]))

    def backed() -> None:
        assert engine.balances["programme:reserve", "CNY"] == -engine.balances["programme:vouchers", "VOUCHER"]
        engine.facts()

    engine.watch = backed
    run(world, engine)


@WORLDS
@given(world=worlds(("pool", "packets+pool"), most=60))
def test_the_price_never_falls_and_nobody_who_is_due_is_left(world: World) -> None:
    """By no mint, sale, exit or injection, compared as exact fractions: p / s >= p0 / s0 where p x s0 >= p0 x s."""
    engine = Engine(compiled(world[0]))
    prices = [columns.price_pair(engine.programme.state.pool)]  # type: ignore[arg-type]

    def risen() -> None:
        pool = engine.programme.state.pool
        assert pool is not None
        (before, of_before), (after, of_after) = prices[-1], columns.price_pair(pool)
        assert after * of_before >= before * of_after
        prices.append((after, of_after))

    engine.watch = risen
    written = [each for _, each in run(world, engine)]
    pool, supply = columns.price_pair(engine.programme.state.pool)  # type: ignore[arg-type]
    members = engine.facts().members

    assert len(prices) > 1 or not any(each.reason == "settled" for each in written)
    assert engine.programme.terms.pool.exit_bp == 0 or all(
        p == 0 or p * pool < (limit - out) * supply for _, p, limit, out in members
    )


@WORLDS
@given(world=worlds(("release", "packets+release"), most=60))
def test_a_period_releases_what_the_pot_holds_and_a_lot_what_it_was_promised(world: World) -> None:
    """The law of the dividend pot: never more out than in; of each lot never more than its multiple."""
    engine = Engine(compiled(world[0]))
    run(world, engine)
    release = world[0].release
    assert release is not None

    assert all(0 <= released <= held for released, held in engine.programme.periods)
    assert all(released <= points * release.multiple_bp // 10_000 for _, _, points, released in engine.facts().points)


# ---------------------------------------------------------------- red packets, from the transfers alone


@dataclass
class Waiting:
    """A lot as a bystander sees it."""

    wallet: str
    room_fen: int
    packets: int = 0


class Bystander:
    """Follows the packets of every queue by reading orders and transfers, and holds each against the rules."""

    def __init__(self, packets: PacketFacts) -> None:
        self.packets = packets
        self.queues: defaultdict[str, list[Waiting]] = defaultdict(list)

    def see(self, order: Order, lines: list[Transfer]) -> None:
        """One settled order."""
        own = self.packets.merchant_tiers_fen
        tiers = own if own is not None and order.merchant == "N" else self.packets.tiers_fen
        tier = 1 + sum(bound < order.paid_fen for bound in tiers)
        queue = self.queues[f"{order.merchant}:{tier}"]
        wallet = f"consumer:{encoded(order.consumer)}:wallet"
        window = [lot for lot in queue if not (self.packets.skip_own and lot.wallet == wallet)][: self.packets.per_order]
        sent = [line for line in lines if line.code == "packet"]

        assert [lot.wallet for lot in window[: len(sent)]] == [line.destination for line in sent], "the oldest come first"
        for lot, line in zip(window, sent, strict=False):
            lot.packets += 1
            lot.room_fen -= line.amount // 10_000
            assert line.amount % 10_000 == 0
            assert lot.room_fen >= 0, "no lot receives above its cap"
            assert lot.packets <= (self.packets.exit_packets or lot.packets), "no lot receives a packet too many"
        self.queues[f"{order.merchant}:{tier}"] = [
            lot for lot in queue if lot.room_fen and lot.packets != self.packets.exit_packets
        ]
        cap_fen = order.paid_fen * self.packets.received_bp // 10_000
        if cap_fen:
            self.queues[f"{order.merchant}:{tier}"].append(Waiting(wallet, cap_fen))


@WORLDS
@given(world=worlds(("packets", "packets+pool", "packets+release"), most=60))
def test_packets_go_to_the_oldest_and_never_above_their_caps(world: World) -> None:
    """A bystander who knows the plan and reads the transfers finds every packet where the rules put it."""
    assert world[0].packets is not None
    bystander = Bystander(world[0].packets)
    for action, written in run(world, Engine(compiled(world[0]))):
        if isinstance(action, Order) and written.reason == "settled":
            bystander.see(action, written.lines)


@given(window=st.integers(2, 12), issue_fen=st.integers(0, 60), orders=st.integers(1, 4))
def test_a_packet_is_whole_fen_and_a_cut_leaves_nothing_but_the_rest_of_a_fen(window: int, issue_fen: int, orders: int) -> None:
    """Issues smaller than the window, equal to it and larger: as many packets as there are fen, at most one for each lot."""
    from test_engine_limits import ALL_PACKETS, bought

    facts = PlanFacts((0, 10_000), ALL_PACKETS, packets=PacketFacts(window))
    filling = [bought(10**6, 0, f"c{i}") for i in range(window)]
    paying = [bought(max(issue_fen, 1), 10_000 if issue_fen else 0, "payer") for _ in range(orders)]
    _, done = ask(facts, [*filling, *paying])
    written = tell(Engine(compiled(facts)), [each.action for each in done], lambda _: 100)
    packets = [[line.amount for line in each.lines if line.code == "packet"] for each in written[window:]]

    assert [min(window, issue_fen)] * orders == [len(each) for each in packets]
    assert [issue_fen * 10_000] * orders == [sum(each) for each in packets]
