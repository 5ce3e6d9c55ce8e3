"""Looking into what was settled: balances, statements, draws, and the export that an independent auditor accepts."""

from __future__ import annotations

import csv
import hashlib
import hmac
from collections import defaultdict
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from beancount.scripts.check import main as bean_check
from cli_runs import run
from click.testing import CliRunner
from oracle_draws import cut, draws, siphash24

Golden = Callable[[str, str], None]
SECRET = bytes.fromhex("2a".zfill(64))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An example world of 90 days, settled under 微团宝 (packets) and 某店 (points and vouchers)."""
    place = tmp_path_factory.mktemp("cli")
    assert 0 == run("example --orders 500 --shops 2 --seed 7 --days 90 --out example", folder=place).status
    for plan in ("weituanbao", "moudian"):
        assert 0 == run(f"settle {plan} example/orders.csv --seed 2a --out {plan}", folder=place).status
    return place


def transfers(folder: Path, plan: str) -> list[dict[str, object]]:
    """All transfers as they are in the file."""
    rows: list[dict[str, object]] = pq.read_table(folder / plan / "transfers.parquet").to_pylist()
    return rows


# ---------------------------------------------------------------- balances


@pytest.mark.parametrize("plan", ["weituanbao", "moudian"])
def test_balances_are_those_of_the_file(folder: Path, plan: str) -> None:
    """JSON has every account, in the order of paths, and each unit adds up to nothing."""
    facts = run(f"balances {plan} --json", folder=folder).facts
    with folder.joinpath(plan, "balances.csv").open(encoding="utf-8-sig", newline="") as file:
        expected = [
            {"account": r["account"], "unit": r["unit"], "amount_micro": int(r["amount_micro"])} for r in csv.DictReader(file)
        ]
    sums: dict[str, int] = defaultdict(int)
    for row in facts["balances"]:
        sums[row["unit"]] += row["amount_micro"]

    assert expected == facts["balances"]
    assert {0} == set(sums.values())


def test_a_prefix_chooses(folder: Path) -> None:
    """Whoever looks for one person does not want all of them."""
    facts = run("balances weituanbao --prefix agent: --json", folder=folder).facts

    assert facts["accounts"] == len(facts["balances"]) > 0
    assert all(row["account"].startswith("agent:") for row in facts["balances"])


def test_the_report_of_balances_is_golden(folder: Path, golden: Golden) -> None:
    """The sums by kind of account, and the largest."""
    shown = [run(f"balances {more}", folder=folder).out for more in ("weituanbao --limit 5", "moudian --limit 3 --lang zh")]

    golden("cli/balances.txt", "\n".join(shown))


# ---------------------------------------------------------------- statement

ACCOUNTS = [
    ("weituanbao", "platform:surplus"),
    ("moudian", "programme:dividend"),
    ("moudian", "programme:vouchers"),
    ("moudian", "programme:points"),
]


@pytest.mark.parametrize(("plan", "account"), ACCOUNTS)
def test_a_statement_has_every_transfer_of_its_account(folder: Path, plan: str, account: str) -> None:
    """Each entry in its place, the balance running to what the books hold."""
    facts = run(f"statement {plan} {account} --limit 0 --json", folder=folder).facts
    moves = [
        (position, row["order_id"], row["amount_micro"] if row["destination"] == account else -int(str(row["amount_micro"])))
        for position, row in enumerate(transfers(folder, plan))
        if account in {row["source"], row["destination"]}
    ]

    assert moves == [(entry["position"], entry["order_id"], entry["amount_micro"]) for entry in facts["entries"]]
    assert facts["closing_micro"] == sum(amount for *_, amount in moves) == facts["entries"][-1]["balance_micro"]
    assert (0, len(moves)) == (facts["opening_micro"], facts["entries_in_all"])


def test_the_last_entries_open_with_what_was_there_before(folder: Path) -> None:
    """A page of a bank book begins with its carry."""
    whole, page = (run(f"statement weituanbao platform:surplus --limit {n} --json", folder=folder).facts for n in (0, 7))

    assert whole["entries"][-7:] == page["entries"]
    assert whole["entries"][-8]["balance_micro"] == page["opening_micro"]
    assert whole["closing_micro"] == page["closing_micro"]


def test_the_report_of_a_statement_is_golden(folder: Path, golden: Golden) -> None:
    """Order, reason, counterparty, amount, balance; a period's closing has no order."""
    commands = ["statement weituanbao platform:surplus --limit 4", "statement moudian programme:dividend --limit 4 --lang zh"]

    golden("cli/statement.txt", "\n".join(run(command, folder=folder).out for command in commands))


def test_an_unknown_account_is_refused_with_those_that_are_near(folder: Path) -> None:
    """A path is long, and nobody knows the numbers behind namesakes."""
    ran = run("statement weituanbao platform:surplus2", folder=folder)

    assert 2 == ran.status
    assert "there is no account 'platform:surplus2'; there are platform:surplus" in ran.err


def test_a_damaged_file_is_said_and_not_traced_back(folder: Path) -> None:
    """Files are cut short by full disks and changed by spreadsheets."""
    for name, text in {
        "transfers.parquet": "PAR1",
        "balances.csv": "account,unit\nplatform:surplus,CNY\n",
        "summary.json": "{}",
    }.items():
        folder.joinpath("broken").mkdir(exist_ok=True)
        for other in ("summary.json", "plan.yaml", "transfers.parquet", "balances.csv"):
            folder.joinpath("broken", other).write_bytes(folder.joinpath("weituanbao", other).read_bytes())
        folder.joinpath("broken", name).write_text(text, "utf-8")
        ran = run("statement broken platform:surplus --json", folder=folder)

        assert (2, "file_refused") == (ran.status, ran.facts["error"]["code"])
        assert name in ran.facts["error"]["message"]


def test_a_damaged_directory_is_not_believed(folder: Path) -> None:
    """A balance that its transfers do not add up to is said, and not shown."""
    for name in ("summary.json", "plan.yaml", "transfers.parquet"):
        folder.joinpath("damaged").mkdir(exist_ok=True)
        folder.joinpath("damaged", name).write_bytes(folder.joinpath("weituanbao", name).read_bytes())
    text = folder.joinpath("weituanbao", "balances.csv").read_text("utf-8-sig")
    folder.joinpath("damaged", "balances.csv").write_text(text.replace("surplus,CNY,", "surplus,CNY,1"), "utf-8-sig")
    ran = run("statement damaged platform:surplus", folder=folder)

    assert 2 == ran.status
    assert "do not add up to its line in balances.csv; run rangli audit" in ran.err


# ---------------------------------------------------------------- draw


def test_a_draw_is_what_the_rules_say(folder: Path) -> None:
    """From the secret to the packets by the oracle alone, which shares nothing with the engine."""
    lots = pq.read_table(folder / "weituanbao" / "lots.parquet").to_pylist()
    chosen = [lot["order_id"] for lot in lots if lot["paid_fen"] > 1000][-40:]
    matched = 0
    for order_id in sorted(chosen)[:12]:
        facts = run(f"draw weituanbao {order_id} --json", folder=folder).facts
        day = f"{order_id[:4]}-{order_id[4:6]}-{order_id[6:8]}"
        secret = hmac.digest(SECRET, day.encode(), "sha256")
        key = siphash24(secret[:16], order_id.encode())

        assert (day, secret.hex(), hashlib.sha256(secret).hexdigest()) == (facts["day"], facts["day_secret"], facts["commitment"])
        assert f"{key:016x}" == facts["order_key"]
        packets = facts["packets"]
        assert cut(draws(key), facts["issue_fen"], len(packets)) == [packet["cut_fen"] for packet in packets]
        assert [f"{one:016x}" for one in islice(draws(key), max(len(packets) - 1, 0))] == facts["draws"]
        assert facts["matches"] == all(packet["cut_fen"] == packet["sent_fen"] for packet in packets)
        matched += facts["matches"]
    assert matched > 0


def test_the_report_of_a_draw_is_golden(folder: Path, golden: Golden) -> None:
    """The chain from the commitment to the packets, a link a line."""
    ids = [row["order_id"] for row in transfers(folder, "weituanbao")]
    shown = [run(f"draw weituanbao {ids[-1]} --lang {lang}", folder=folder).out for lang in ("en", "zh")]
    shown.append(run(f"draw moudian {ids[0]}", folder=folder).out)

    golden("cli/draw.txt", "\n".join(shown))


def test_an_unknown_order_is_refused(folder: Path) -> None:
    """Someone who mistypes his order id must not read that it drew nothing."""
    ran = run("draw weituanbao nothing --json", folder=folder)

    assert (2, "input_refused") == (ran.status, ran.facts["error"]["code"])


# ---------------------------------------------------------------- export


@pytest.mark.parametrize("plan", ["weituanbao", "moudian"])
def test_bean_check_accepts_the_export(folder: Path, plan: str) -> None:
    """An auditor who shares nothing with us proves every transaction and every closing balance."""
    facts = run(f"export {plan} --beancount {plan}.beancount --json", folder=folder).facts
    path = folder / facts["file"]
    done = CliRunner().invoke(bean_check, ["--no-cache", str(path)])

    assert (0, "") == (done.exit_code, done.output)
    assert 2 * facts["transfers"] == path.read_text("utf-8").count("\n  ") - path.read_text("utf-8").count("\n  order: ") - (
        path.read_text("utf-8").count("\n    code: ")
    )


def test_an_export_of_other_orders_is_refused_and_leaves_no_file(folder: Path) -> None:
    """The day of an order stands in the order file; a wrong one would date the books wrongly."""
    lines = folder.joinpath("example", "orders.csv").read_text("utf-8").splitlines()
    folder.joinpath("short.csv").write_text("\n".join(lines[:100]), "utf-8")
    ran = run("export weituanbao --beancount short.beancount --orders short.csv", folder=folder)

    assert 2 == ran.status
    assert "short.csv is not the order file that was settled" in ran.err
    assert [] == list(folder.glob("short.beancount*"))
