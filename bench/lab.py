"""``python -m bench.lab``: the lab's pool beside C, a plain loop, mesa, radCAD and cadCAD; then sweeps and streams of full size.

The simulators live in an environment of their own (peers/requirements.txt: cadCAD's pandas does not load beside our numpy), which
the first run makes in ``.cache/lab-peers``. ``--tiny`` shows in a minute that all of it works, and makes no environment.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from os import cpu_count
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, Final, NamedTuple, Self

import msgspec
import numpy as np

from bench import report
from bench.job import peak_bytes
from bench.reference import COMMAND, compiler, has_compiler
from bench.timing import Spread, timed
from rangli.lab.designs import Factor, sobol
from rangli.lab.pools import RETURNED, Case, run_pools
from rangli.plan.terms import Ints

SOURCE: Final = Path(__file__).with_name("pools.c")
PEERS: Final = Path(__file__).with_name("peers")
PEERS_HOME: Final = report.ROOT / ".cache" / "lab-peers"
NAMES: Final = {"plain": "a plain Python loop", "mesa": "mesa", "radcad": "radCAD", "cadcad": "cadCAD"}
THREADS: Final = min(cpu_count() or 1, 2)
CASE: Final = Case(100_000, 100_000, 0, 1600, 7000, 8000, 1, 1, 12_000, 0)
"""The source's pool: orders of 1000 yuan, 16 % in, 70 % minted, sales pay 80 %, out at 1.2 x."""
SPACE: Final = (
    Factor("share_bp", "percent", 800, 2000),
    Factor("mint_bp", "percent", 4000, 9000),
    Factor("pays_bp", "percent", 6000, 10_000),
    Factor("exit_bp", "percent", 10_000, 30_000),
)
PACKETS_ORDERS: Final = 10_000_000
"""Red-packet orders of one run; ten such runs make the 10^8."""

C_TARGET: Final = 0.7
CADCAD_TARGET: Final = 1000
STREAM_SECONDS: Final = 60
SOBOL_SECONDS: Final = 5
PACKETS_SECONDS: Final = 300
MEMORY_BYTES: Final = 2 * 2**30


class Sizes(NamedTuple):
    """How much."""

    orders: int = 100_000
    """Of one run of the race, and of each Sobol run."""
    runs: int = 20
    """In a sweep of the race."""
    rounds: int = 5
    stream: int = 1_000_000_000
    sobol: int = 2048
    packets: int = 100_000_000


TINY: Final = Sizes(2_000, 3, 2, 200_000, 16, 20_000)


# ---------------------------------------------------------------- the sides of the race


class Reference:
    """pools.c, compiled now."""

    def __init__(self, folder: Path) -> None:
        library = folder / "pools.so"
        subprocess.run([*COMMAND, "-o", str(library), str(SOURCE)], check=True)
        self._library = ctypes.CDLL(str(library))

    def run(self, cases: list[Case], orders: int) -> Ints:
        """As ``rangli.lab.pools.run_pools`` in one part."""
        rows = np.array(cases, np.int64)
        queue, ends = np.empty((orders + 1, 2), np.int64), np.zeros((len(rows), RETURNED + 1), np.int64)
        addresses = [ctypes.c_void_p(each.ctypes.data) for each in (rows, queue, ends)]
        self._library.equal_orders(addresses[0], ctypes.c_int64(len(rows)), ctypes.c_int64(orders), *addresses[1:])
        return ends


class Peers:
    """The simulators, in a process of their own environment."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @classmethod
    @contextmanager
    def started(cls) -> Iterator[Self]:
        """The process, until the block ends."""
        command = [str(interpreter()), str(PEERS / "race.py")]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL) as process:
            yield cls(process)
            assert process.stdin is not None
            process.stdin.close()

    def run(self, peer: str, case: Case, orders: int) -> tuple[float, list[int]]:
        """Seconds that a peer took, and the end that it came to."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode({"peer": peer, "case": case, "orders": orders}) + b"\n")
        self._process.stdin.flush()
        answer = msgspec.json.decode(self._process.stdout.readline())
        return answer["seconds"], answer["end"]


def interpreter() -> Path:
    """The Python of the peers' environment, one for each version of its requirements."""
    wanted = hashlib.sha256(PEERS.joinpath("requirements.txt").read_bytes()).hexdigest()[:16]
    return PEERS_HOME / wanted / "bin" / "python"


def install_peers() -> None:
    """Make the peers' environment unless it is there."""
    python = interpreter()
    if not python.exists():
        venv.create(python.parents[1], with_pip=True)
        wanted = ["install", "--quiet", "--disable-pip-version-check", "--requirement", str(PEERS / "requirements.txt")]
        subprocess.run([str(python), "-m", "pip", *wanted], check=True)


# ---------------------------------------------------------------- the race


def race(sizes: Sizes, tick: report.Tick, peers: Peers | None) -> report.Section:
    """Everybody on the same case in turns, the same final integers asserted each time."""
    taken: dict[str, list[float]] = {}
    expected = run_pools([CASE], sizes.orders)[0].tolist()
    with TemporaryDirectory(prefix="rangli-bench-") as name:
        ours = partial(run_pools, [CASE] * sizes.runs, sizes.orders)
        sweeps: dict[str, Callable[[], Ints]] = {"ours": ours}
        if has_compiler():
            sweeps["C"] = partial(Reference(Path(name)).run, [CASE] * sizes.runs, sizes.orders)
        for peer in NAMES if peers else ():
            assert peers is not None
            peers.run(peer, CASE, 10)
        for work in sweeps.values():
            work()
        for _ in range(sizes.rounds):
            for side, work in sweeps.items():
                found: list[Ints] = []
                taken.setdefault(side, []).append(timed(partial(_into, found, work)) / sizes.runs)
                assert all(row == expected for row in found[0].tolist()), side
            for peer in NAMES if peers else ():
                assert peers is not None
                seconds, end = peers.run(peer, CASE, sizes.orders)
                assert end == expected, peer
                taken.setdefault(peer, []).append(seconds)
            tick("a round of all")
    return _race_section(sizes, taken)


def _into(found: list[Ints], work: Callable[[], Ints]) -> None:
    """Do a work and keep its ends."""
    found.append(work())


def _race_section(sizes: Sizes, taken: dict[str, list[float]]) -> report.Section:
    """The table of the race."""
    rows, ratios = [], {}
    for side, seconds in taken.items():
        ratio = ratios[side] = Spread.of([theirs / ours for ours, theirs in zip(taken["ours"], seconds, strict=True)])
        rate = sizes.orders / Spread.of(seconds).median
        times = f"{report.times(ratio.median)} ({report.times(ratio.least)}–{report.times(ratio.most)})"
        rows.append((NAMES.get(side, side), report.seconds(Spread.of(seconds).median / sizes.orders), report.count(rate), times))
    notes = []
    if "C" in ratios:
        notes.append(_verdict(f"Target: at least {C_TARGET} of C", ratios["C"].median, C_TARGET))
    if "cadcad" in ratios:
        notes.append(_verdict(f"Target: at least {CADCAD_TARGET:,} times cadCAD", ratios["cadcad"].median, CADCAD_TARGET))
    versions = ", ".join(line for line in PEERS.joinpath("requirements.txt").read_text().split("\n") if line and line[0] != "#")
    return report.Section(
        "The priced pool beside C and simulators",
        f"{sizes.orders:,} orders of zengzhi, each of a new member, with its exits; pool, supply, members waiting, exits, the "
        f"first of them and the cash paid are asserted equal each time. One thread; ours and C (`{' '.join(COMMAND[:3])}`, "
        f"{compiler() if has_compiler() else 'not here'}) in sweeps of {sizes.runs} such runs; the peers ({versions}) without "
        "deep copies, substeps and agents, the members in a deque outside their state. Medians of "
        f"{sizes.rounds} rounds of all in turns; the last column is the time taken as a multiple of ours (least–most).",
        ("who", "an order", "orders/s", "times our time"),
        rows,
        notes,
    )


def _verdict(target: str, reached: float, wanted: float) -> str:
    """Whether a ratio was reached, and what it is."""
    return report.verdict(target, is_met=reached >= wanted) + f" ({report.times(reached)})"


# ---------------------------------------------------------------- sweeps and streams of full size


def stream(size: int) -> int:
    """One stream of so many pool orders, on one core."""
    return int(run_pools([CASE], size).shape[0]) * size


def sobol_runs(size: int, orders: int) -> int:
    """So many points of a Sobol sequence over the pool's rates, each a run of so many orders, on two threads."""
    cases = [CASE._replace(**dict(zip((each.path for each in SPACE), point, strict=True))) for point in sobol(SPACE, size, 7)]
    with ThreadPoolExecutor(THREADS) as threads:
        ends = run_pools(cases, orders, threads, 8 * THREADS)
    assert len({tuple(row) for row in ends.tolist()}) == len(cases)
    return size * orders


def packets(size: int) -> int:
    """So many red-packet orders in full, every transfer written, in runs of their own seeds on two threads."""
    from rangli.lab import simulate  # noqa: PLC0415 (the whole engine, for whoever measures it)
    from rangli.plan import load  # noqa: PLC0415

    plan, each = load("weituanbao"), min(size, PACKETS_ORDERS)
    with ThreadPoolExecutor(THREADS) as threads:
        runs = [threads.submit(simulate, plan, each, 10_000, 2000, seed) for seed in range(-(-size // each))]
        orders = [run.result() for run in runs]
    assert len({run.state_hash for run in orders}) == len(orders)
    return sum(run.orders for run in orders)


WORK: Final[dict[str, Callable[..., int]]] = {"stream": stream, "sobol": sobol_runs, "packets": packets}


def in_a_process(what: str, *sizes: int) -> dict[str, Any]:
    """Orders, seconds and the most memory of a work in a process of its own; a small one first, so that nothing compiles."""
    command = [sys.executable, "-m", "bench.lab", "--work", what, *map(str, sizes)]
    said = subprocess.run(command, cwd=report.ROOT, stdout=subprocess.PIPE, check=True).stdout
    answer: dict[str, Any] = msgspec.json.decode(said)
    return answer


def work(what: str, *sizes: int) -> dict[str, Any]:
    """Do it here."""
    WORK[what](*(min(size, 64) for size in sizes))
    start = perf_counter()
    orders = WORK[what](*sizes)
    return {"orders": orders, "seconds": perf_counter() - start, "peak_bytes": peak_bytes()}


def sweeps(sizes: Sizes, tick: report.Tick) -> report.Section:
    """The table of full sizes."""
    asked = (
        ("stream", f"one stream of {sizes.stream:,} pool orders, one core", (sizes.stream,), STREAM_SECONDS),
        (
            "sobol",
            f"{sizes.sobol:,} Sobol runs of {sizes.orders:,} pool orders, two cores",
            (sizes.sobol, sizes.orders),
            SOBOL_SECONDS,
        ),
        ("packets", f"{sizes.packets:,} red-packet orders in full, two cores", (sizes.packets,), PACKETS_SECONDS),
    )
    rows, notes = [], []
    for what, words, amounts, seconds_max in asked:
        told = in_a_process(what, *amounts)
        rate = report.count(told["orders"] / told["seconds"])
        rows.append((words, report.seconds(told["seconds"]), f"**{rate}**", report.mebibytes(told["peak_bytes"])))
        is_met = told["seconds"] < seconds_max and told["peak_bytes"] < MEMORY_BYTES
        notes.append(report.verdict(f"Target: {words} in less than {seconds_max} s and 2 GiB", is_met=is_met))
        tick(what)
    return report.Section(
        "Streams and sweeps",
        "Each in a process of its own with compiled kernels cached; the time is of the whole work, designs and drawing of orders "
        f"included. Red packets: weituanbao by `lab.simulate`, in runs of {PACKETS_ORDERS:,} orders, about 26 transfers each.",
        ("work", "time", "orders/s", "peak memory"),
        rows,
        notes,
    )


def main() -> None:
    """Measure, show, and perhaps record."""
    parser = argparse.ArgumentParser(prog="python -m bench.lab", description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="sizes that say nothing about speed, to see that it works")
    parser.add_argument("--write", action="store_true", help="record the results in bench/RESULTS.md")
    parser.add_argument("--work", nargs="+", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.work:
        sys.stdout.write(msgspec.json.encode(work(asked.work[0], *map(int, asked.work[1:]))).decode() + "\n")
        return
    assert not (asked.tiny and asked.write), "tiny sizes say nothing"
    console = report.terminal()
    console.print(report.machine())
    if not asked.tiny:
        install_peers()
    sizes = TINY if asked.tiny else Sizes()
    with report.progress(console) as bar:
        task = bar.add_task("lab", total=None)

        def tick(step: str) -> None:
            bar.update(task, advance=1, description=f"lab: {step}")

        if interpreter().exists():
            with Peers.started() as peers:
                sections = [race(sizes, tick, peers)]
        else:
            sections = [race(sizes, tick, None)]
        sections.append(sweeps(sizes, tick))
    for section in sections:
        report.show(console, section)
    if asked.write:
        report.write("lab", "The lab", "python -m bench.lab --write", sections)


if __name__ == "__main__":
    main()
