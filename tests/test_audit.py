"""The audit: honest books pass it, and whatever is changed in them is found."""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import audit_forgeries
import pytest
from audit_worlds import Books, Change, falsify, orders_of, settled

from rangli.errors import FileRefused
from rangli.files.audit import AuditReport, audit
from rangli.files.orders import OrderFile
from rangli.files.promises import Findings, check_promises, read_claims
from rangli.files.promises.faults import LISTED
from rangli.plan import load, preset_text

EXITS = "zengzhi-exits"
"""zengzhi with its limit so low that members are forced out after a few orders."""
TEXTS = {EXITS: preset_text("zengzhi").replace("at: 120%", "at: 17%")}
KIND = {EXITS: "zengzhi"}

EVERY = "orders concession balanced shares refusals figures commitments once"
WHERE_IT_APPLIES = {
    "weituanbao": f"{EVERY} bonus packets_at_most never_above_paid oldest_first pots lots draws",
    "paidui-miandan": f"{EVERY} never_above_paid oldest_first pots lots draws",
    "moudian": f"{EVERY} points backed funded",
    "zhongdian": f"{EVERY} points backed funded",
    "yunlianhui": f"{EVERY} points funded",
    "zengzhi": f"{EVERY} price",
    EXITS: f"{EVERY} price",
}
"""Per world the promises that there is something to ask about."""

Worlds = Callable[[str], Path]


@pytest.fixture(scope="session")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Worlds:
    """The directory of a world, settled once."""
    done: dict[str, Path] = {}

    def world(name: str) -> Path:
        if name not in done:
            kind = KIND.get(name, name)
            done[name] = settled(tmp_path_factory.mktemp(name), kind, TEXTS.get(name, ""), orders_of(kind))
        return done[name]

    return world


@pytest.fixture
def copied(honest: Worlds, tmp_path: Path) -> Worlds:
    """A copy of the directory and of its orders, to be changed."""

    def copy(name: str) -> Path:
        shutil.copytree(honest(name).parent, tmp_path / name)
        return tmp_path / name / "settled"

    return copy


def promises_of(report: AuditReport) -> set[str]:
    """The promises that an audit found broken."""
    return {one.promise for one in report.broken}


def half_b(directory: Path) -> set[str]:
    """The promises that are found broken on the transfers alone, nothing being settled again."""
    findings = Findings()
    claims, _ = read_claims(directory)
    plan = load((directory / "plan.yaml").read_text("utf-8")).plan
    check_promises(directory, plan, claims, OrderFile(Path(claims.orders_file)), findings)
    return {one.promise for one in findings.broken()}


# ---------------------------------------------------------------- honest books


@pytest.mark.parametrize("name", WHERE_IT_APPLIES)
def test_honest_books_pass(honest: Worlds, name: str) -> None:
    """An audit that cries wolf is not read; and one that asked nothing has shown nothing."""
    report = audit(honest(name))
    asked = {promise for promise, times in report.checked.items() if times}
    settled_again = {"same_transfers", "same_balances", "same_rejects", "same_summary", "orders_file", "plan"}

    assert [] == report.broken
    assert report.ok
    assert set(WHERE_IT_APPLIES[name].split()) | settled_again <= asked


def test_the_worlds_hold_what_the_audit_is_about(honest: Worlds) -> None:
    """A promise is only tested by a world in which it could be broken."""
    there = {name: {row["code"] for row in Books(honest(name)).transfers} for name in ("weituanbao", "moudian", EXITS)}

    assert {"packet", "bonus", "recruiter"} <= there["weituanbao"]
    assert {"voucher", "voucher_spent", "voucher_paid", "release", "mint"} <= there["moudian"]
    assert {"mint", "burn", "exit"} <= there[EXITS]


def test_an_audit_says_how_far_it_is(honest: Worlds) -> None:
    """A bar that stops short or runs over tells the one who waits a lie."""
    steps: list[int] = []
    audit(honest("weituanbao"), progress=steps.append)

    assert OrderFile(honest("weituanbao").parent / "orders.csv").rows == sum(steps)


def test_books_read_the_same_after_an_honest_rewrite(copied: Worlds) -> None:
    """The forgeries below are found for what they change, and not for having been written by another hand."""
    directory = copied("weituanbao")
    falsify(directory, lambda _: None)
    report = audit(directory, directory.parent / "orders.csv")

    assert set() == promises_of(report)


# ---------------------------------------------------------------- forgeries

TABLE = """
# world         what was done                             found by settling again, and by the promises alone (-: by nothing)
weituanbao      a_micro_from_a_referrer_to_the_platform   same_transfers same_balances same_summary ; shares
weituanbao      a_micro_lost                              same_transfers ; shares concession balanced figures
weituanbao      a_share_to_another                        same_transfers same_balances ; shares
weituanbao      a_code_changed                            same_transfers same_summary ; shares
weituanbao      a_unit_changed                            same_transfers ; balanced
weituanbao      shares_in_another_order                   same_transfers ; shares
weituanbao      line_numbers_changed                      same_transfers ; orders
weituanbao      taken_from_another_merchant               same_transfers same_balances ; concession shares
weituanbao      a_bonus_twice                             same_transfers same_balances ; bonus
weituanbao      a_packet_to_another                       same_transfers same_balances ; oldest_first
weituanbao      two_packets_exchanged                     same_transfers ; draws
weituanbao      a_later_lot_first                         same_transfers ; oldest_first
weituanbao      a_packet_for_the_platform                 same_transfers same_summary ; oldest_first shares pots
weituanbao      a_packet_left_in_the_pot                  same_transfers same_summary ; oldest_first pots
weituanbao      a_smaller_packet                          same_transfers ; pots draws
weituanbao      half_a_fen                                same_transfers ; pots
weituanbao      one_packet_more                           same_transfers ; packets_at_most pots
weituanbao      a_packet_out_of_another_pot               same_transfers same_balances ; pots
weituanbao      a_lot_received_more                       same_lots ; lots
weituanbao      a_lot_above_what_was_paid                 same_lots ; never_above_paid lots
weituanbao      a_twenty_first_packet                     same_lots ; packets_at_most lots
weituanbao      an_open_lot_closed                        same_lots ; lots
weituanbao      a_lot_of_another                          same_lots ; lots
weituanbao      a_lot_gone                                same_lots ; lots
weituanbao      a_balance_changed                         same_balances ; balanced
weituanbao      a_balance_hidden                          same_balances ; balanced
weituanbao      the_text_of_a_balance_changed             same_balances ; -
weituanbao      another_secret                            same_transfers same_summary ; draws commitments
weituanbao      another_commitment                        same_summary ; commitments
weituanbao      a_figure_changed                          same_summary ; figures
weituanbao      another_state                             same_summary ; -
weituanbao      another_plan                              plan same_transfers same_summary ; shares
weituanbao      an_amount_changed                         orders_file same_transfers ; concession shares
weituanbao      an_order_added                            orders_file same_transfers same_summary ; orders figures
weituanbao      an_order_taken_out                        orders_file same_transfers same_summary ; orders figures
weituanbao      an_order_not_settled                      same_transfers same_summary ; orders
weituanbao      an_order_refused_for_nothing              same_transfers same_rejects ; refusals
weituanbao      an_order_twice                            same_transfers same_summary ; once orders
weituanbao      two_orders_exchanged                      same_transfers ; orders
weituanbao      lines_of_nobody                           same_transfers same_summary ; orders
weituanbao      a_reject_hidden                           same_rejects ; refusals
weituanbao      a_reject_with_another_reason              same_rejects ; refusals
moudian         a_voucher_unbacked                        same_transfers same_balances ; backed
moudian         vouchers_spent_that_nobody_has            same_transfers same_balances ; backed
moudian         a_release_beyond_the_pot                  same_transfers same_balances ; funded
moudian         points_more                               same_transfers same_balances ; points
moudian         another_commitment                        same_summary ; commitments
zengzhi         a_point_more_is_minted                    same_transfers same_balances ; price
zengzhi         less_for_the_pool                         same_transfers same_balances ; price shares
zengzhi         far_more_points                           same_transfers same_balances ; price
zengzhi-exits   an_exit_pays_more                         same_transfers same_balances ; price
zengzhi-exits   an_exit_of_half_the_points                same_transfers same_balances ; price
paidui-miandan  a_smaller_packet                          same_transfers ; pots
"""


def forgeries() -> list[tuple[str, str, set[str], set[str]]]:
    """The rows of the table."""
    rows = []
    for line in TABLE.strip().splitlines()[1:]:
        world, name, *found = line.split()
        cut = found.index(";")
        rows.append((world, name, set(found[:cut]), set(found[cut + 1 :]) - {"-"}))
    return rows


@pytest.mark.parametrize(
    ("world", "name", "again", "alone"), forgeries(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_forgery_is_found(copied: Worlds, world: str, name: str, again: set[str], alone: set[str]) -> None:
    """Each half finds it by itself, and says which promise it breaks; what no promise is about, settling again finds."""
    directory = copied(world)
    change: Change = getattr(audit_forgeries, name)
    falsify(directory, change)
    found = promises_of(audit(directory))

    assert again | alone <= found
    assert alone <= half_b(directory)
    assert alone or not half_b(directory)


def test_every_forgery_is_in_the_table() -> None:
    """One that is written and not listed is tried by nobody."""
    written = {
        name for name, each in vars(audit_forgeries).items() if callable(each) and each.__module__ == audit_forgeries.__name__
    }
    listed = {name for _, name, _, _ in forgeries()}

    assert listed | {"no_plan"} == {name for name in written if not name.startswith("_")}


def test_any_single_value_changed_in_a_transfer_is_found(copied: Worlds) -> None:
    """The table lists what somebody thought of; this is for the rest."""
    drawn = random.Random(7)
    directory = copied("weituanbao")
    original = Books(directory)
    other = {"line": 99, "amount_micro": 1, "order_id": "单0001", "unit": "VOUCHER", "code": "fund"}
    accounts = {"source": "programme:pool", "destination": "platform:funding"}
    for column, value in [*other.items(), *accounts.items()] * 2:
        row = drawn.randrange(50, len(original.transfers))

        def change(books: Books, row: int = row, column: str = column, value: object = value) -> None:
            books.transfers = [dict(one) for one in original.transfers]
            books.transfers[row][column] = value

        falsify(directory, change)

        assert "same_transfers" in promises_of(audit(directory)), (row, column, value)


def test_only_the_first_differences_are_listed_and_the_rest_is_counted(copied: Worlds) -> None:
    """A changed secret breaks every draw; nobody reads two thousand lines that say so."""
    directory = copied("weituanbao")
    falsify(directory, audit_forgeries.another_secret)
    draws = [one for one in audit(directory).broken if one.promise == "draws"]

    assert LISTED + 1 == len(draws)
    assert draws[-1].en.startswith("and ")
    assert draws[-1].en.endswith(" more")


def test_a_difference_names_file_row_column_and_both_values(copied: Worlds) -> None:
    """Whoever has to explain a difference must first find it."""
    directory = copied("weituanbao")
    falsify(directory, audit_forgeries.a_share_to_another)
    first = next(one for one in audit(directory).broken if one.promise == "same_transfers")

    assert first.where.startswith("transfers.parquet, row ")
    assert first.where.endswith(", column destination")
    assert "it should be agent:商务:wallet, it is agent:别人:wallet" == first.en
    assert "应为 agent:商务:wallet,是 agent:别人:wallet" == first.zh


# ---------------------------------------------------------------- what cannot be audited


def test_without_a_plan_nothing_is_settled_again(copied: Worlds) -> None:
    """The plan is what both halves start from."""
    directory = copied("weituanbao")
    falsify(directory, audit_forgeries.no_plan)
    report = audit(directory)

    assert not report.ok
    assert {"plan"} <= promises_of(report) <= {"plan", "orders_file"}


@pytest.mark.parametrize(
    "name", ["transfers.parquet", "lots.parquet", "balances.csv", "rejects.csv", "plan.yaml", "summary.json"]
)
def test_a_directory_without_one_of_its_files_is_refused(copied: Worlds, name: str) -> None:
    """It is not a settlement with a fault but no settlement."""
    directory = copied("weituanbao")
    (directory / name).unlink()

    with pytest.raises(FileRefused, match=name.replace(".", r"\.")):
        audit(directory)


@pytest.mark.parametrize("name", ["transfers.parquet", "lots.parquet", "summary.json"])
def test_a_file_that_cannot_be_read_is_refused(copied: Worlds, name: str) -> None:
    """A damaged disk is told from a false entry."""
    directory = copied("weituanbao")
    (directory / name).write_bytes((directory / name).read_bytes()[:-100])

    with pytest.raises(FileRefused, match=name.replace(".", r"\.")):
        audit(directory)


def test_orders_that_are_not_where_they_were_must_be_named(copied: Worlds) -> None:
    """The audit is of orders; without them there is nothing to derive from."""
    directory = copied("weituanbao")
    moved = directory.parent / "moved.csv"
    falsify(directory, lambda _: None)
    (directory.parent / "orders.csv").rename(moved)

    with pytest.raises(FileRefused, match=r"orders\.csv"):
        audit(directory)
    assert promises_of(audit(directory, moved)) <= {"orders_file"}


# ---------------------------------------------------------------- the page


def test_the_page_lists_every_promise(honest: Worlds) -> None:
    """A promise that is checked and not explained is a name in a report that nobody can act on."""
    text = (Path(__file__).parents[1] / "docs" / "audit.md").read_text("utf-8")
    explained = set(re.findall(r"^\| `([a-z_]+)` \|", text, re.MULTILINE))
    checked = {promise for name in WHERE_IT_APPLIES for promise in audit(honest(name)).checked}

    assert checked == explained
