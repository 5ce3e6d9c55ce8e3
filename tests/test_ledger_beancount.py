"""The export to beancount: an auditor who shares nothing with us checks the books with ``bean-check``."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from beancount.core import account as beancount_account
from beancount.core.data import Transaction
from beancount.loader import load_file
from beancount.scripts.check import main as bean_check
from click.testing import CliRunner
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from ledger_worlds import HOSTILE_NAMES, World, names, transfers_of, worlds

from rangli.ledger import Accounts, Books, Decision, Leg, beancount_lines, code_name, decisions
from rangli.ledger.accounts import AGENT, CONSUMER, KIND_NAMES, MERCHANT, POCKET_NAMES, POCKETS
from rangli.ledger.beancount import account_of, path_of, six_decimals
from rangli.ledger.transfers import INJECTION, PACKET, PLATFORM, RELEASE
from rangli.money import MICRO_MAX

DATES = ("2026-01-05", "2026-01-06", "2024-02-29", "2026-01-05")
CLOSED_ON = "2026-01-31"
CLOSING_ON = "2026-02-01"

some = settings(settings.get_profile("small"), suppress_health_check=list(HealthCheck))
"""bean-check takes a while for each file, and may write to the one temporary directory of its test."""


def made_of(world: World) -> list[Decision]:
    """The decisions of a world; the orders take turns among a few dates that do not ascend."""
    dates = [DATES[i & 3] for i in range(len(world.order_ids))]
    return list(decisions(world.transfers, world.order_ids, dates, world.accounts, closed_on=CLOSED_ON))


def lines_of(world: World) -> list[str]:
    """A world as beancount lines, with the closing balances that our fold says."""
    books = Books()
    books.fold(world.transfers)
    return list(beancount_lines(made_of(world), books.rows(world.accounts), closing_on=CLOSING_ON))


def checked(lines: list[str], folder: Path) -> str:
    """What bean-check says about the lines; nothing when it accepts them."""
    path = folder.joinpath("books.beancount")
    path.write_bytes("\n".join([*lines, ""]).encode())
    done = CliRunner().invoke(bean_check, ["--no-cache", str(path)])

    assert done.exit_code == (1 if done.output else 0), done.output
    return done.output


def hostile_world() -> World:
    """Everybody with a hostile name gets a packet of a merchant and an agent of that name, by an order of that name."""
    accounts = Accounts(HOSTILE_NAMES)
    rows = []
    for i, name in enumerate(HOSTILE_NAMES):
        wallets = [accounts.number(kind, name) * POCKETS for kind in (CONSUMER, MERCHANT, AGENT)]
        pot = accounts.packets_pot(name, 1 + (i & 7)) * POCKETS
        rows += [(i, wallets[1] + 3, pot, 10**6 + i, PLATFORM), *((i, pot, wallet, 1 + i, PACKET) for wallet in wallets)]
    return World(accounts, transfers_of(rows), list(HOSTILE_NAMES))


def test_the_command_accepts_books_full_of_hostile_names(tmp_path: Path) -> None:
    """The command as an auditor runs it: delimiters, escapes, look-alikes and line ends in names and order ids."""
    path = tmp_path / "books.beancount"
    path.write_bytes("\n".join(lines_of(hostile_world())).encode())
    command = [sys.executable, "-m", "beancount.scripts.check", "--no-cache", str(path)]
    done = subprocess.run(command, capture_output=True, check=False)

    assert (0, b"", b"") == (done.returncode, done.stdout, done.stderr)


@some
@given(worlds())
def test_bean_check_accepts_the_books(tmp_path_factory: pytest.TempPathFactory, world: World) -> None:
    """Every transaction balances, every account keeps to its unit, and the closing balances are those of our fold."""
    assert checked(lines_of(world), tmp_path_factory.getbasetemp()) == ""


AMOUNT = re.compile(r"(?<= )(-?)([0-9]+\.[0-9]{6})(?= )")


def one_micro_more(line: str) -> str:
    """The line with its amount one micro further from zero."""
    match = AMOUNT.search(line)
    assert match is not None, line
    sign, size = match.groups()
    micro = int(size.replace(".", "")) + 1
    return line.replace(match[0], sign + six_decimals(micro))


@some
@given(worlds(), st.data())
def test_one_micro_more_in_any_line_fails_the_check(
    tmp_path_factory: pytest.TempPathFactory, world: World, data: st.DataObject
) -> None:
    """An auditor who overlooks a micro overlooks a rounding error that was made a million times."""
    lines = lines_of(world)
    with_amount = [i for i, line in enumerate(lines) if AMOUNT.search(line)]
    assume(with_amount)
    at = data.draw(st.sampled_from(with_amount))
    lines[at] = one_micro_more(lines[at])

    assert re.search("Balance failed|does not balance", checked(lines, tmp_path_factory.getbasetemp()))


@some
@given(worlds(to_itself=False), st.data())
def test_a_transfer_of_another_amount_fails_the_check(
    tmp_path_factory: pytest.TempPathFactory, world: World, data: st.DataObject
) -> None:
    """A forged transfer still balances; the closing balances give it away."""
    lines = lines_of(world)
    sources = [i for i, line in enumerate(lines) if re.match(r"  [^ ]+ -", line)]
    assume(sources)
    at = data.draw(st.sampled_from(sources))
    lines[at : at + 2] = [one_micro_more(line) for line in lines[at : at + 2]]

    assert "Balance failed" in checked(lines, tmp_path_factory.getbasetemp())


def test_a_transfer_of_another_unit_fails_the_check(tmp_path: Path) -> None:
    """Points are no money; each account is opened for its one unit."""
    accounts = Accounts()
    accounts.number(CONSUMER, "eva")
    made = [Decision("2026-01-05", "1", [Leg("platform:surplus", "consumer:eva:wallet", 5, "CNY", "platform")])]
    forged = [Decision("2026-01-06", "2", [Leg("platform:surplus", "consumer:eva:wallet", 5, "POINT", "mint")])]
    closing = [("consumer:eva:wallet", "CNY", 5), ("platform:surplus", "CNY", -5)]
    lines = [list(beancount_lines(those, closing, closing_on=CLOSING_ON)) for those in (made, made + forged)]

    assert checked(lines[0], tmp_path) == ""
    assert "Invalid currency POINT" in checked(lines[1], tmp_path)


def test_an_account_that_only_the_closing_balances_know_is_checked_too(tmp_path: Path) -> None:
    """A balance out of nowhere is the first thing that an auditor looks for."""
    nothing, something = ([("consumer:eva:wallet", "CNY", amount)] for amount in (0, 1))

    assert checked(list(beancount_lines([], nothing, closing_on=CLOSING_ON)), tmp_path) == ""
    assert "Balance failed" in checked(list(beancount_lines([], something, closing_on=CLOSING_ON)), tmp_path)


def test_the_largest_balance_is_exact_to_the_micro(tmp_path: Path) -> None:
    """Nineteen digits are more than a float has."""
    accounts = Accounts()
    eva = accounts.number(CONSUMER, "eva") * POCKETS
    world = World(accounts, transfers_of([(0, 0, eva, MICRO_MAX - 1, INJECTION), (0, 0, eva, 1, INJECTION)]), ["1"])
    lines = lines_of(world)

    assert "2026-02-01 balance Consumer:Neva:Wallet 1152921504606.846976 ~ 0 CNY" in lines
    assert checked(lines, tmp_path) == ""


def test_no_line_has_a_line_end_within() -> None:
    """Whoever takes the lines one by one must find each whole, whatever an order is called."""
    assert [] == [line for line in lines_of(hostile_world()) if re.search(r"[\r\n]", line)]


@some
@given(worlds())
@example(hostile_world())
def test_an_auditor_reads_back_every_transfer(tmp_path_factory: pytest.TempPathFactory, world: World) -> None:
    """Accepted is not yet the same: order ids, accounts, amounts and codes come out of the file as they went in."""
    path = tmp_path_factory.getbasetemp() / "books.beancount"
    path.write_bytes("\n".join(lines_of(world)).encode())
    entries, errors, _ = load_file(str(path))
    read = []
    for entry in entries:
        if isinstance(entry, Transaction):
            for out, into in zip(entry.postings[::2], entry.postings[1::2], strict=True):
                assert out.units == -into.units
                micro = int(into.units.number.scaleb(6))
                paths = path_of(out.account), path_of(into.account)
                read.append((str(entry.date), entry.meta.get("order"), *paths, micro, into.units.currency, into.meta["code"]))
    expected = [(date, order_id, *leg) for date, order_id, legs, _ in made_of(world) for leg in legs]

    assert errors == []
    assert sorted(expected, key=repr) == sorted(read, key=repr)


# ---------------------------------------------------------------- account names


@given(st.sampled_from(KIND_NAMES), names, st.sampled_from(POCKET_NAMES))
def test_a_path_comes_back_from_its_beancount_account(kind: str, name: str, pocket: str) -> None:
    """So no two paths share an account, and an auditor's finding leads back to ours."""
    accounts = Accounts()
    number = accounts.number(KIND_NAMES.index(kind), name) * POCKETS + POCKET_NAMES.index(pocket)
    pot = accounts.packets_pot(name, 3) * POCKETS
    fund = Accounts([name]).paths([(len(Accounts())) * POCKETS])
    for path in [*accounts.paths([number, pot]), *fund]:
        assert path == path_of(account_of(path))
        assert beancount_account.is_valid(account_of(path))


def test_every_path_of_an_institution_comes_back() -> None:
    """The words of a path are capitalised, which must lose nothing."""
    accounts = Accounts()
    paths = accounts.paths(number * POCKETS for number in range(len(accounts)))

    assert paths == [path_of(account_of(path)) for path in paths]
    assert all(beancount_account.is_valid(account_of(path)) for path in paths)


def test_hostile_names_have_beancount_accounts_of_their_own() -> None:
    """Names that differ only in case, marks or composition stay apart."""
    accounts = hostile_world().accounts
    paths = [f"{holder.prefix()}:wallet" for holder in accounts.holders if holder.kind in {CONSUMER, MERCHANT, AGENT}]

    assert 3 * len(HOSTILE_NAMES) == len({account_of(path) for path in paths})


def test_beancount_takes_every_letter_and_digit_that_is_kept() -> None:
    """Our notion of a letter is Python's and theirs is another library's: all of Unicode is compared."""
    kept = "".join(chr(point) for point in range(0x110000) if chr(point).isalpha() or chr(point).isdecimal())

    assert beancount_account.is_valid(f"Consumer:N{kept}:Wallet")
    assert account_of("consumer:老王Éß٣:wallet") == "Consumer:N老王Éß٣:Wallet"


# ---------------------------------------------------------------- decisions and streaming


def test_a_period_closing_has_the_date_of_the_order_that_it_precedes() -> None:
    """Closings are written as the first order of the next day arrives; one at the end has the date that is given for it."""
    accounts = Accounts()
    rows = [
        (-1, 24, 32, 1, RELEASE),
        (0, 0, 8, 2, PLATFORM),
        (0, 8, 0, 3, PLATFORM),
        (1, 0, 8, 4, PLATFORM),
        (-1, 24, 32, 5, RELEASE),
    ]
    made = list(decisions(transfers_of(rows), ["a", "b"], ["2026-01-05", "2026-01-06"], accounts, closed_on=CLOSED_ON))
    shown = [(date, order_id, [(leg.amount_micro, leg.code) for leg in legs]) for date, order_id, legs, _ in made]

    assert [
        ("2026-01-05", None, [(1, code_name(RELEASE))]),
        ("2026-01-05", "a", [(2, "platform"), (3, "platform")]),
        ("2026-01-06", "b", [(4, "platform")]),
        (CLOSED_ON, None, [(5, "release")]),
    ] == shown
    assert Leg("platform:surplus", "platform:funding", 2, "CNY", "platform") == made[1].legs[0]


def test_a_batch_without_transfers_has_no_decisions() -> None:
    """Every row of a batch may have been refused."""
    assert [] == list(decisions(transfers_of([]), ["a"], ["2026-01-05"], Accounts(), closed_on=CLOSED_ON))


def test_lines_are_written_as_decisions_arrive() -> None:
    """Eight million orders do not fit in memory; the export never asks for the next one before it has written the last."""

    def without_end() -> Iterator[Decision]:
        while True:
            yield Decision("2026-01-05", "1", [Leg("platform:surplus", "consumer:eva:wallet", 5, "CNY", "platform")])

    lines = list(islice(beancount_lines(without_end(), [], closing_on=CLOSING_ON), 10_000))

    assert 10_000 == len(lines)
    assert 2 == sum(" open " in line for line in lines), "an account is opened once"


def test_the_file_reads_as_the_documents_show_it() -> None:
    """The form is a promise to everyone's own scripts."""
    made = [
        Decision(
            "2026-01-05", 'A-1 "x"', [Leg("merchant:老王:concession", "consumer:eva 2:wallet", 1_500_000, "CNY", "consumer")]
        ),
        Decision("2026-01-06", None, [Leg("programme:dividend", "programme:reserve", 1, "CNY", "release")]),
    ]
    lines = list(beancount_lines(made, [("consumer:eva 2:wallet", "CNY", 1_500_000)], closing_on="2026-01-07"))
    expected = """
1970-01-01 open Merchant:N老王:Concession CNY
1970-01-01 open Consumer:Neva-202:Wallet CNY

2026-01-05 * "order"
  order: "A-1 \\"x\\""
  Merchant:N老王:Concession -1.500000 CNY
  Consumer:Neva-202:Wallet 1.500000 CNY
    code: "consumer"
1970-01-01 open Programme:Dividend CNY
1970-01-01 open Programme:Reserve CNY

2026-01-06 * "period closing"
  Programme:Dividend -0.000001 CNY
  Programme:Reserve 0.000001 CNY
    code: "release"

2026-01-07 balance Consumer:Neva-202:Wallet 1.500000 ~ 0 CNY
"""

    assert expected.strip().splitlines() == lines[-len(expected.strip().splitlines()) :]


def test_a_decision_on_or_after_the_closing_day_is_our_mistake() -> None:
    """bean-check would leave it out of the closing balances without a word about why."""
    made = [Decision(CLOSING_ON, "1", [Leg("platform:surplus", "consumer:eva:wallet", 5, "CNY", "platform")])]
    with pytest.raises(AssertionError, match="closing_on"):
        list(beancount_lines(made, [], closing_on=CLOSING_ON))


def test_a_request_that_is_no_order_is_written_with_its_kind_and_its_own_id() -> None:
    """A refund that stands in the books as an order would be counted among the orders by whoever reads them."""
    leg = Leg("platform:surplus", "consumer:eva:wallet", 5, "CNY", "platform")
    made = [Decision("2026-01-05", "A1", [leg]), Decision("2026-01-06", "R1", [leg], "refund")]
    told = [
        line for line in beancount_lines(made, [], closing_on=CLOSING_ON) if " * " in line or '"A1"' in line or '"R1"' in line
    ]

    assert ['2026-01-05 * "order"', '  order: "A1"', '2026-01-06 * "refund"', '  id: "R1"'] == told
