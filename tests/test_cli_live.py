"""The commands on a live service, run on real databases: importing, proving, looking after, keeping copies."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from beancount.scripts.check import main as bean_check
from cli_runs import Ran, run
from click.testing import CliRunner
from databases import end, left_in, processes_in, scratch

from rangli.cli.live import micro
from rangli.cli.opening import opened
from rangli.store.server import EmbeddedServer

ORDERS = 240
NAME = "noodles"
_numbers = count(1)


class World:
    """A database with one programme, and the folder of the orders that were imported into it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url

    def rangli(self, command: str, **env: str) -> Ran:
        """Run a command on it."""
        return run(command, folder=self.folder, RANGLI_DATABASE_URL=self.url, **env)

    def facts(self, command: str) -> Any:  # noqa: ANN401 - whatever JSON can hold
        """The JSON of a command that succeeds."""
        ran = self.rangli(f"{command} --json")
        assert (0, "") == (ran.status, ran.err)
        return ran.facts

    def sql(self, *statements: str) -> None:
        """Change the database behind everybody's back."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())


@pytest.fixture(scope="module")
def imported(_servers: Callable[[str], EmbeddedServer]) -> Iterator[World]:
    """A programme with its orders, for tests that change nothing."""
    server = _servers("embedded")
    with psycopg.connect(server.url, autocommit=True) as connection, scratch() as folder:
        connection.execute("CREATE DATABASE cli_live")
        world = World(folder, server.url.replace("/rangli?", "/cli_live?", 1))
        assert 0 == run(f"example --orders {ORDERS} --shops 3 --seed 7 --out example", folder=folder).status
        assert 0 == world.rangli(f"programme create {NAME} weituanbao --secret 2a").status
        made = world.facts(f"import example/orders.csv --programme {NAME}")
        assert (ORDERS, 0, 0) == (made["settled"], made["repeated"], made["rejected"])
        yield world
        connection.execute("DROP DATABASE cli_live WITH (FORCE)")


@pytest.fixture
def world(imported: World, _servers: Callable[[str], EmbeddedServer]) -> Iterator[World]:
    """A copy of it that the test may change."""
    name = f"cli_live_{next(_numbers)}"
    with psycopg.connect(_servers("embedded").url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE cli_live".encode())
        yield World(imported.folder, imported.url.replace("/cli_live?", f"/{name}?", 1))
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def lines_of(path: Path) -> list[str]:
    """The lines of a file."""
    return path.read_text("utf-8").splitlines()


# ---------------------------------------------------------------- import


def test_a_file_imported_twice_counts_once(world: World) -> None:
    """Nobody remembers how far it got when the laptop was closed; running it again must be right."""
    before = world.facts("verify")["programmes"][0]
    again = world.facts(f"import example/orders.csv --programme {NAME}")

    assert (0, ORDERS, 0) == (again["settled"], again["repeated"], again["rejected"])
    after = world.facts("verify")["programmes"][0]
    assert (before["head"], before["state_hash"]) == (after["head"], after["state_hash"])


def test_an_import_goes_on_where_it_was_interrupted(world: World) -> None:
    """The first part of a file, then all of it, is the same as all of it at once."""
    assert 0 == world.rangli("programme create twice weituanbao --secret 2a").status
    lines = lines_of(world.folder / "example" / "orders.csv")
    world.folder.joinpath("half.csv").write_text("\n".join(lines[:101]) + "\n", "utf-8")

    first = world.facts("import half.csv --programme twice")
    rest = world.facts("import example/orders.csv --programme twice")
    assert (100, 0) == (first["settled"], first["repeated"])
    assert (ORDERS - 100, 100) == (rest["settled"], rest["repeated"])
    one, other = world.facts("verify")["programmes"]
    assert one["state_hash"] == other["state_hash"]


FAULTY = """\
order_id,paid_at,merchant,consumer,amount,concession
B1,2026-03-05,shop,eva,1e3,20%
B2,2026-03-05,shop,eva,10,20%
B3,2026-13-05,shop,eva,10,20%
B2,2026-03-05,shop,eva,11,20%
B4,2026-03-05,shop,Smith, John,11,20%
,,,,,
B2,2026-03-05 00:00,shop,eva,10.00,20.00%
"""


def test_refused_rows_are_listed_with_their_reasons_and_the_rest_goes_in(world: World) -> None:
    """One wrong cell in a month of orders must neither stop the month nor be lost."""
    world.folder.joinpath("faulty.csv").write_text(FAULTY, "utf-8")
    facts = world.facts(f"import faulty.csv --programme {NAME} --rejects out/rejects.csv")
    with world.folder.joinpath("out", "rejects.csv").open(encoding="utf-8", newline="") as file:
        rejects = list(csv.DictReader(file))

    assert (1, 1, 4) == (facts["settled"], facts["repeated"], facts["rejected"])
    assert [("1", "amount"), ("3", "paid_at"), ("4", "amount"), ("5", "")] == [(one["row"], one["field"]) for one in rejects]
    assert all(" | " in one["reason"] for one in rejects)
    told = {lang: world.rangli(f"import faulty.csv --programme {NAME} --lang {lang}").out for lang in ("zh", "en")}
    assert "第 1 行:" in told["zh"]
    assert "科学计数法" in told["zh"]
    assert "row 1: " in told["en"]
    assert "exponent form" in told["en"]


def test_parquet_says_the_same_as_csv(world: World) -> None:
    """A data warehouse exports one, a spreadsheet the other."""
    with world.folder.joinpath("example", "orders.csv").open(encoding="utf-8-sig", newline="") as file:
        table = pa.Table.from_pylist(list(csv.DictReader(file)))
    pq.write_table(table, world.folder / "orders.parquet")

    facts = world.facts(f"import orders.parquet --programme {NAME}")
    assert (0, ORDERS, 0) == (facts["settled"], facts["repeated"], facts["rejected"])


def test_an_order_file_without_a_column_is_refused_before_anything_is_settled(world: World) -> None:
    """The message names the columns, as for settle."""
    world.folder.joinpath("lacking.csv").write_text("order_id,paid_at,merchant,amount\n", "utf-8")
    ran = world.rangli(f"import lacking.csv --programme {NAME}")

    assert (2, "") == (ran.status, ran.out)
    assert "lacks the column(s) consumer, concession" in ran.err


# ---------------------------------------------------------------- looking


def test_a_statement_of_a_live_programme_runs_to_what_the_account_holds(imported: World) -> None:
    """Each entry's balance is that of the entry before it and its amount; a page is the end of the whole."""
    whole = imported.facts(f"statement platform:surplus --programme {NAME} --limit 0")
    page = imported.facts(f"statement platform:surplus --programme {NAME} --limit 5")

    assert whole["entries"][:5] == page["entries"]
    assert (whole["balance"], "") == (page["balance"], whole["next"])
    assert page["next"]
    running = 0
    for entry in reversed(whole["entries"]):
        running += micro(entry["amount"])
        assert running == micro(entry["balance"])
    assert micro(whole["balance"]) == running
    told = imported.rangli(f"statement platform:surplus --programme {NAME} --limit 5").out
    assert "the last 5 entries" in told
    assert whole["entries"][0]["id"] in told


def test_exported_orders_settle_to_the_same_state(imported: World, tmp_path: Path) -> None:
    """The file path and the service are one engine: what a live programme did can be done again from its export and secret."""
    for form in ("csv", "parquet"):
        out = tmp_path / form
        made = imported.facts(f"export {out} --programme {NAME} --format {form}")
        assert (ORDERS, ["balances.csv", f"orders.{form}", f"transfers.{form}"]) == (made["orders"], made["files"])
        settled = run(f"settle weituanbao {out}/orders.{form} --seed 2a --out {out}-settled --json").facts
        (live,) = imported.facts("verify")["programmes"]

        assert (live["state_hash"], live["transfers"]) == (settled["state_hash"], settled["transfers"])
        assert lines_of(out / "balances.csv")[1:] == lines_of(tmp_path / f"{form}-settled" / "balances.csv")[1:]


def test_the_transfers_exported_are_those_of_the_journal(imported: World, tmp_path: Path) -> None:
    """Their sums by account are the balances beside them."""
    imported.facts(f"export {tmp_path}/out --programme {NAME} --format parquet")
    transfers = pq.read_table(tmp_path / "out" / "transfers.parquet").to_pylist()
    with tmp_path.joinpath("out", "balances.csv").open(encoding="utf-8-sig", newline="") as file:
        balances = {row["account"]: int(row["amount_micro"]) for row in csv.DictReader(file)}
    sums = dict.fromkeys(balances, 0)
    for row in transfers:
        sums[row["source"]] -= row["amount_micro"]
        sums[row["destination"]] += row["amount_micro"]

    assert balances == sums
    assert sorted((row["position"], row["line"]) for row in transfers) == [(row["position"], row["line"]) for row in transfers]


def test_an_independent_auditor_accepts_the_export(imported: World, tmp_path: Path) -> None:
    """Beancount's own check finds nothing; and a directory that has something in it is left alone."""
    imported.facts(f"export {tmp_path}/out --programme {NAME} --format beancount")
    checked = CliRunner().invoke(bean_check, [str(tmp_path / "out" / "books.beancount")])

    assert (0, "") == (checked.exit_code, checked.output)
    again = imported.rangli(f"export {tmp_path}/out --programme {NAME}")
    assert 2 == again.status
    assert "is not empty" in again.err


# ---------------------------------------------------------------- verify


def test_a_changed_byte_is_found_and_located(world: World) -> None:
    """One micro of one transfer, changed in the database by hand: exit status 1, and the decision is named in both languages."""
    world.sql("UPDATE journal SET amount[2] = amount[2] + 1 WHERE position = 117")
    as_json, english, chinese = (world.rangli(f"verify {more}") for more in ("--json", "--lang en", "--lang zh"))

    assert [1, 1, 1] == [ran.status for ran in (as_json, english, chinese)]
    (report,) = as_json.facts["programmes"]
    assert (False, 117, "journal_broken") == (as_json.facts["ok"], report["position"], report["code"])
    assert "decision 117" in english.out
    assert "第 117 条决定" in chinese.out


def test_verify_starts_from_a_checkpoint_when_it_is_asked_to(world: World) -> None:
    """What was changed before that checkpoint is then not looked at; what came after it is."""
    world.folder.joinpath("one.csv").write_text(FAULTY.splitlines()[0] + "\nC1,2026-03-06,shop,eva,10,20%\n", "utf-8")
    world.facts(f"import one.csv --programme {NAME}")
    (whole,) = world.facts("verify")["programmes"]
    (tail,) = world.facts(f"verify --since {whole['position'] - 1}")["programmes"]

    assert (0, ORDERS + 1) == (whole["since"], whole["orders"])
    assert (whole["position"] - 1, 1) == (tail["since"], tail["orders"])
    assert (whole["head"], whole["state_hash"]) == (tail["head"], tail["state_hash"])


def on_record(world: World) -> list[tuple[Any, ...]]:
    """The verifications that the console's seal looks at."""
    with psycopg.connect(world.url) as connection:
        return connection.execute("SELECT programme, asked_by, outcome, position FROM verification ORDER BY number").fetchall()


def test_a_verification_of_the_whole_journal_is_on_record_as_the_command_lines(world: World) -> None:
    """The console's seal is of the books, whoever looked at them; a part of the journal says nothing of the whole."""
    before = on_record(world)
    (tail,) = world.facts(f"verify --since {ORDERS}")["programmes"]
    (whole,) = world.facts("verify")["programmes"]
    world.sql("UPDATE journal SET amount[2] = amount[2] + 1 WHERE position = 117")
    (broken,) = world.rangli("verify --json").facts["programmes"]

    assert [False, True, True] == [one["kept"] for one in (tail, whole, broken)]
    found = on_record(world)[len(before) :]
    assert [(NAME, "command line", "clean", ORDERS + 1), (NAME, "command line", "broken", 117)] == found


def test_a_database_that_only_reads_is_verified_and_says_that_the_finding_is_not_kept(world: World) -> None:
    """A standby, or a copy that an auditor was given."""
    before = on_record(world)
    reading = World(world.folder, f"{world.url}&options=-c%20default_transaction_read_only%3Don")
    told = {lang: reading.rangli(f"verify --lang {lang}") for lang in ("zh", "en")}
    (report,) = reading.facts("verify")["programmes"]

    assert (0, 0, True, False) == (told["zh"].status, told["en"].status, report["ok"], report["kept"])
    assert "这次核验没有记录,控制台看不到" in told["zh"].err
    assert "not on record, so the console will not see it" in told["en"].err
    assert "read-only transaction" in told["en"].err
    assert before == on_record(world)


# ---------------------------------------------------------------- doctor

PLANTED = """
schema         | UPDATE alembic_version SET version_num = '9999'
checkpoint     | UPDATE checkpoint SET head = sha256('x')
checkpoint     | DELETE FROM journal WHERE position > 200
partitions     | ALTER TABLE journal_0 RENAME TO journal_00
trial_balance  | UPDATE balances SET books = set_byte(books, octet_length(books) - 8, 255 - get_byte(books, length(books) - 8))
trial_balance  | UPDATE journal SET code = code[1:1] WHERE position = 240; DELETE FROM balances
clock          | UPDATE journal SET at = 4102444800000000 WHERE position = 241
held           | INSERT INTO held (programme, order_id, plan, captured_at, due_at, request) VALUES (1, 'H', 1, 1, 1, '')
webhook        | INSERT INTO webhook VALUES (1, 'w', 'https://a.example', '{}', 's', 0, 0, 1, 'gone')
"""
NOT_DURABLE = {"fsync", "full_page_writes", "synchronous_commit"}
"""What a server for tests leaves out; a doctor who does not say so is none."""


def ailments(ran: Ran) -> dict[str, dict[str, str]]:
    """The faults that a doctor found, by check."""
    return {one["check"].removeprefix(f"{NAME}: "): one for one in ran.facts["findings"] if one["state"] == "fault"}


def test_the_doctor_finds_that_a_server_is_not_durable_and_nothing_else(imported: World) -> None:
    """Settings that lose answered orders at a power cut are the fault that is seen too late."""
    ran = imported.rangli("doctor --json")

    assert 1 == ran.status
    assert NOT_DURABLE == set(ailments(ran))
    assert all("ALTER SYSTEM" in one["do_en"] for one in ailments(ran).values())


@pytest.mark.parametrize("row", PLANTED.strip().splitlines())
def test_the_doctor_finds_what_was_planted_and_says_what_to_do(world: World, row: str) -> None:
    """Each fault has its check, in both languages, with a remedy."""
    check, statement = (part.strip() for part in row.split("|", 1))
    world.sql(statement)
    found = ailments(world.rangli("doctor --json"))

    assert {check} == set(found) - NOT_DURABLE
    assert all(found[check][name] for name in ("zh", "en", "do_zh", "do_en"))


def test_the_doctor_speaks_to_people_too(imported: World) -> None:
    """A mark, a name, a finding, and under a fault what to do."""
    for lang, words in (("zh", ("检查", "断电", "→")), ("en", ("check", "a power cut", "→"))):
        told = imported.rangli(f"doctor --lang {lang}").out

        assert all(word in told for word in words)
        assert "✗" in told


# ---------------------------------------------------------------- the embedded server


def test_a_folder_without_data_is_refused_and_left_as_it_is(data_folder: Path) -> None:
    """A mistyped folder must not look like an empty programme, nor be made."""
    for command in ("verify", "programme list", "key list", f"statement a:b --programme {NAME}", "backup b"):
        ran = run(command, "--data", str(data_folder))

        assert 2 == ran.status
        assert "has no data yet; begin with rangli serve" in ran.err
    assert not data_folder.exists()


def test_a_backup_restored_elsewhere_verifies_to_the_same_hashes(made_folder: Path) -> None:
    """By commands alone, from one embedded server to another, and never over anything that is there."""
    folder = made_folder.parent
    kept, other = f"--data {made_folder}", f"--data {folder}/other"
    orders = "order_id,paid_at,merchant,consumer,amount,concession\n" + "".join(
        f"A{n},2026-01-05 12:{n:02}:00,shop,c{n},{n + 1},20%\n" for n in range(40)
    )
    folder.joinpath("orders.csv").write_text(orders, "utf-8")
    assert 0 == run(f"programme create {NAME} moudian {kept}").status
    assert 0 == run(f"import orders.csv --programme {NAME} {kept}", folder=folder).status
    made = run(f"backup copy.zip {kept} --json", folder=folder)
    restored = run(f"restore copy.zip {other} --json", folder=folder)
    reports = [run(f"verify {where} --json").facts["programmes"][0] for where in (kept, other)]

    assert (0, 0) == (made.status, restored.status)
    assert made.facts["programmes"] == restored.facts["programmes"]
    assert [reports[0][name] for name in ("head", "state_hash", "position")] == [
        reports[1][name] for name in ("head", "state_hash", "position")
    ]
    assert 2 == run(f"restore copy.zip {kept}", folder=folder).status
    assert 2 == run(f"restore nothing.zip {other}", folder=folder).status
    assert 0 == run(f"doctor {other}").status


# ---------------------------------------------------------------- programmes and keys


def test_programmes_and_keys_are_kept_by_commands(world: World) -> None:
    """A name is used once; a key is shown once, is listed without itself, and ends for ever."""
    assert [NAME] == [one["name"] for one in world.facts("programme list")["programmes"]]
    assert 2 == world.rangli(f"programme create {NAME} zengzhi").status
    made = world.facts(f"key create till --scope orders --programme {NAME}")
    listed = world.rangli("key list --json").out
    world.facts(f"key revoke {made['view']['key_id']}")

    assert made["key"].startswith("rl_")
    assert made["key"] not in listed
    assert [["orders"]] == [one["scopes"] for one in json.loads(listed)["keys"]]
    assert world.facts("key list")["keys"][0]["revoked_at"]
    assert 2 == world.rangli("key revoke 0123456789ab").status
    assert 2 == world.rangli("key create till --scope everything").status


def test_members_of_the_console_are_kept_by_commands(world: World) -> None:
    """A password is shown once and listed nowhere; who lost it gets another, who has ended gets none, and all is written down."""
    first = world.facts("member add ann --role owner")
    other = world.facts(f"member add bob --programme {NAME}")
    second = world.facts("member reset ann")
    ann, bob = world.facts("member list")["members"]

    assert 3 == len({first["password"], second["password"], other["password"]})
    assert ("ann", "owner", None, True) == (ann["name"], ann["role"], ann["programmes"], ann["must_change"])
    assert ("bob", "auditor", [NAME]) == (bob["name"], bob["role"], bob["programmes"])
    assert second["password"] not in world.rangli("member list").out
    assert "last_owner" == world.rangli("member end ann --json").facts["error"]["code"]
    world.facts("member add ben --role owner")
    assert {"ended": "ann"} == world.facts("member end ann")
    assert "member_not_found" == world.rangli("member reset ann --json").facts["error"]["code"]
    assert 2 == world.rangli("member add eve --role king").status
    with psycopg.connect(world.url) as connection:
        acts = connection.execute("SELECT role, what, object FROM act ORDER BY number").fetchall()
    assert [("command line", f"member.{what}", name) for what, name in WHAT_WAS_DONE] == acts


WHAT_WAS_DONE = (("add", "ann"), ("add", "bob"), ("reset", "ann"), ("add", "ben"), ("end", "ann"))
"""To members, above."""


REFUSED = """
import nothing.csv --programme noodles                 | file_refused
import example/orders.csv --programme nodles           | programme_not_found
import example/orders.csv --programme noodles --url http://127.0.0.1:9 | input_refused
statement consumer:nobody:wallet --programme noodles   | account_not_found
statement platform:surplus                             | input_refused
statement build platform:surplus --programme noodles   | input_refused
export out                                             | input_refused
export out --programme nodles                          | programme_not_found
verify --programme nodles                              | programme_not_found
programme create noodles nothing                       | plan_not_found
programme create noo/dles zengzhi                      | field_refused
programme create other zengzhi --secret xyz            | input_refused
"""


@pytest.mark.parametrize("row", REFUSED.strip().splitlines())
def test_what_is_refused_of_a_live_service_says_why_in_both_languages(imported: World, row: str) -> None:
    """Exit status 2, one line, the same code in JSON."""
    command, code = (part.strip() for part in row.split("|"))
    english, chinese = (imported.rangli(command, RANGLI_LANG=lang) for lang in ("en", "zh"))

    assert (2, "", 2, "") == (*english[:2], *chinese[:2])
    assert english.err.startswith("refused: ")
    assert chinese.err.startswith("已拒绝:")
    assert code == imported.rangli(f"{command} --json").facts["error"]["code"]


def test_a_database_that_is_not_there_is_told_with_what_to_check() -> None:
    """The address is in the message, its password is not."""
    ran = run("verify", RANGLI_DATABASE_URL="postgresql://rangli:geheim@/rangli?host=/nowhere")

    assert 2 == ran.status
    assert "cannot reach the database postgresql://rangli:" in ran.err
    assert "geheim" not in ran.err


def test_a_command_outlives_its_server(made_folder: Path) -> None:
    """A server of ours that dies under a long import or a service is there again for the next connection, with its data."""
    with opened(made_folder) as it:
        end(processes_in(made_folder))
        with it.database.connect() as connection:
            assert (0,) == connection.execute("SELECT count(*) FROM programme").fetchone()
    assert [] == left_in(made_folder)


def test_no_process_is_left_behind(made_folder: Path) -> None:
    """A command that starts the embedded server stops it."""
    assert 0 == run(f"programme create {NAME} zengzhi --data {made_folder}").status

    assert [] == left_in(made_folder)
