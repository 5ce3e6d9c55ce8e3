"""The pool workload in plain Python and in three simulators: cases come in on stdin as lines of JSON, times and ends go out.

Run by the interpreter of the peers' own environment, so it imports nothing of ours. Each peer is treated kindly: one block, one
state variable, no deep copies, no substeps kept, and the members wait in a deque outside the state that the simulators copy.
"""

from __future__ import annotations

import gc
import json
import sys
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Any, NamedTuple

BP = 10_000


class Case(NamedTuple):
    """As in ``rangli.lab.pools``."""

    paid_fen: int
    paid_fen_max: int
    seed: int
    share_bp: int
    mint_bp: int
    pays_bp: int
    price_num: int
    price_den: int
    exit_bp: int
    basis_mint: int


class Terms(NamedTuple):
    """What each order of a case comes to."""

    share: int
    value: int
    limit: int
    pays_bp: int

    @classmethod
    def of(cls, case: Case) -> Terms:
        """Of this case."""
        share = case.paid_fen * case.share_bp
        value = share * case.mint_bp // BP
        limit = value * case.exit_bp // BP if case.basis_mint else case.paid_fen * case.exit_bp
        return cls(share, value, limit, case.pays_bp)


class State(NamedTuple):
    """The pool."""

    pool: int
    supply: int
    last_pool: int
    last_supply: int
    orders: int
    exits: int
    first_exit: int
    returned: int

    @classmethod
    def opening(cls, case: Case) -> State:
        """Before the first order."""
        return cls(0, 0, case.price_num, case.price_den, 0, 0, 0, 0)

    def end(self, waiting: deque[int]) -> list[int]:
        """The row that ``rangli.lab.pools`` writes."""
        held = [self.pool, self.supply, self.last_pool, self.last_supply, len(waiting)]
        return [*held, self.orders, self.exits, self.first_exit, self.returned]


def ordered(terms: Terms, waiting: deque[int], state: State) -> State:
    """The pool after one more order and the exits that it brings about."""
    share, value, limit, pays_bp = terms
    pool, supply, last_pool, last_supply, orders, exits, first_exit, returned = state
    points = value * supply // pool if supply else value * last_supply // last_pool
    pool += share
    supply += points
    orders += 1
    if limit and points:
        waiting.append(points)
    while waiting and waiting[0] * pool >= limit * supply:
        leaves = waiting.popleft()
        cash = leaves * pool // supply * pays_bp // BP
        if leaves == supply:
            last_pool, last_supply = pool, supply
        pool -= cash
        supply -= leaves
        returned += cash
        exits += 1
        first_exit = first_exit or orders
    return State(pool, supply, last_pool, last_supply, orders, exits, first_exit, returned)


# ---------------------------------------------------------------- the peers


def plain(case: Case, orders: int) -> list[int]:
    """A loop over local variables."""
    share, value, limit, pays_bp = Terms.of(case)
    pool, supply, last_pool, last_supply, _, exits, first_exit, returned = State.opening(case)
    waiting: deque[int] = deque()
    for order in range(1, orders + 1):
        points = value * supply // pool if supply else value * last_supply // last_pool
        pool += share
        supply += points
        if limit and points:
            waiting.append(points)
        while waiting and waiting[0] * pool >= limit * supply:
            leaves = waiting.popleft()
            cash = leaves * pool // supply * pays_bp // BP
            if leaves == supply:
                last_pool, last_supply = pool, supply
            pool -= cash
            supply -= leaves
            returned += cash
            exits += 1
            first_exit = first_exit or order
    return State(pool, supply, last_pool, last_supply, orders, exits, first_exit, returned).end(waiting)


def by_mesa(case: Case, orders: int) -> list[int]:
    """A model whose step is an order; members are numbers and not agents, which would be slower."""
    from mesa import Model  # noqa: PLC0415 (each peer is loaded by its own race)

    class Pool(Model):  # type: ignore[misc]  # mesa is not installed where types are checked
        """The pool as a model."""

        def __init__(self) -> None:
            super().__init__(seed=1)
            self.terms, self.waiting = Terms.of(case), deque[int]()
            self.state = State.opening(case)

        def step(self) -> None:
            """One order."""
            self.state = ordered(self.terms, self.waiting, self.state)

    model = Pool()
    for _ in range(orders):
        model.step()
    return model.state.end(model.waiting)


def by_radcad(case: Case, orders: int) -> list[int]:
    """One state variable, in this process, without copies or substeps."""
    from radcad import Engine, Model, Simulation  # noqa: PLC0415
    from radcad.engine import Backend  # noqa: PLC0415

    terms, waiting = Terms.of(case), deque[int]()

    def order(_params: Any, _substep: Any, _history: Any, before: Any, _signals: Any) -> Any:  # noqa: ANN401
        return "state", ordered(terms, waiting, before["state"])

    blocks = [{"policies": {}, "variables": {"state": order}}]
    model = Model(initial_state={"state": State.opening(case)}, state_update_blocks=blocks, params={})
    simulation = Simulation(model=model, timesteps=orders, runs=1)
    simulation.engine = Engine(backend=Backend.SINGLE_PROCESS, deepcopy=False, drop_substeps=True)
    last: State = simulation.run()[-1]["state"]
    return last.end(waiting)


def by_cadcad(case: Case, orders: int) -> list[int]:
    """One state variable, in single mode, deep copies off."""
    from cadCAD.configuration import Experiment  # noqa: PLC0415
    from cadCAD.configuration.utils import config_sim  # noqa: PLC0415
    from cadCAD.engine import ExecutionContext, ExecutionMode, Executor  # noqa: PLC0415

    terms, waiting = Terms.of(case), deque[int]()

    def order(_params: Any, _substep: Any, _history: Any, before: Any, _signals: Any) -> Any:  # noqa: ANN401
        return "state", ordered(terms, waiting, before["state"])

    experiment = Experiment()
    experiment.append_model(
        model_id="pool",
        sim_configs=config_sim({"N": 1, "T": range(orders), "M": {"case": [tuple(case)]}}),
        initial_state={"state": State.opening(case)},
        partial_state_update_blocks=[{"policies": {}, "variables": {"state": order}}],
    )
    context = ExecutionContext(context=ExecutionMode().single_mode, additional_objs={"deepcopy_off": True})
    records, _, _ = Executor(exec_context=context, configs=experiment.configs).execute()
    last: State = records[-1]["state"]
    return last.end(waiting)


PEERS: dict[str, Callable[[Case, int], list[int]]] = {
    "plain": plain,
    "mesa": by_mesa,
    "radcad": by_radcad,
    "cadcad": by_cadcad,
}


def main() -> None:
    """Answer each line until there are no more. What the simulators print about themselves goes to stderr."""
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        asked = json.loads(line)
        gc.collect()
        gc.disable()
        start = perf_counter()
        end = PEERS[asked["peer"]](Case(*asked["case"]), asked["orders"])
        seconds = perf_counter() - start
        gc.enable()
        answers.write(json.dumps({"seconds": seconds, "end": end}) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
