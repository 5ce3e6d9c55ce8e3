"""Where the embedded PostgreSQL may live, and who runs it."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from databases import ask, contents, left_in, note, notes, processes_in, scratch, seen_of

from rangli.errors import FolderRefused, FolderTaken, ProgramsMissing
from rangli.store import places
from rangli.store.places import Place
from rangli.store.server import EmbeddedServer

ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not ROOT, reason="only root runs PostgreSQL as another user")
pytestmark = pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="looks at other processes in /proc")


def modes_above(path: Path) -> dict[Path, tuple[int, int, int]]:
    """Mode and owner of every folder above a path."""
    there = {folder: folder.stat() for folder in path.parents if folder.exists()}
    return {folder: (found.st_mode, found.st_uid, found.st_gid) for folder, found in there.items()}


# ---------------------------------------------------------------- places


@pytest.mark.parametrize("name", ["a" * 120, "账本\u3000\"'%?& 1", "comma,"])
def test_any_folder_will_do(name: str, made_folder: Path) -> None:
    """The path of a socket is short and its letters are few; people's folders are neither."""
    data = made_folder.rename(made_folder.with_name(name))
    with EmbeddedServer.start(data) as embedded:
        note(embedded.url, "kept")
        folder = Path(ask(embedded.url, "SHOW unix_socket_directories").strip('"'))
        again = EmbeddedServer.start(data)
        assert "kept" == notes(again.url)
        again.stop()

        assert 0o700 == stat.S_IMODE(folder.stat().st_mode)
        assert folder.joinpath(places.SOCKET_NAME).is_socket()
    assert folder.is_relative_to(data) or not folder.exists()


def test_a_socket_is_not_put_where_others_may_enter(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder under the temporary one has a name that anybody can guess and make before us."""
    monkeypatch.setattr(places, "SOCKET_BYTES_MAX", 1)
    monkeypatch.setattr(places.tempfile, "gettempdir", lambda: str(data_folder.parent))
    planted = Place(data_folder).socket_folder()
    assert planted.parent == data_folder.parent
    planted.mkdir(mode=0o777)
    planted.chmod(0o777)

    with pytest.raises(FolderRefused, match=r"only the user .* may enter; remove it"):
        EmbeddedServer.start(data_folder)

    planted.rmdir()
    planted.symlink_to(data_folder.parent)
    with pytest.raises(FolderRefused, match=r"only the user .* may enter; remove it"):
        EmbeddedServer.start(data_folder)


def test_no_folder_above_the_data_is_changed(data_folder: Path) -> None:
    """They are not ours. What is missing is made, and cannot be entered by more people than need to."""
    data = data_folder / "in" / "deep"
    before = modes_above(data_folder)

    EmbeddedServer.start(data).stop()

    assert before == modes_above(data_folder)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (data_folder, data_folder / "in", data)}
    assert {0o711 if ROOT else 0o700} == modes
    assert [0o700, 0o700] == [stat.S_IMODE(data.joinpath(name).stat().st_mode) for name in ("cluster", "run")]


def test_the_default_place_follows_the_desktops_rule(monkeypatch: pytest.MonkeyPatch, data_folder: Path) -> None:
    """$XDG_DATA_HOME if it is an absolute path, or ~/.local/share."""
    monkeypatch.setenv("HOME", str(data_folder))
    monkeypatch.setenv("XDG_DATA_HOME", str(data_folder / "xdg"))
    assert data_folder / "xdg" / "rangli" == places.default_data()
    for nothing in ("", "relative"):
        monkeypatch.setenv("XDG_DATA_HOME", nothing)
        assert data_folder / ".local" / "share" / "rangli" == places.default_data()


# ---------------------------------------------------------------- root and others


@pytest.fixture
def closed(data_folder: Path) -> Iterator[Path]:
    """A folder that only root may enter, as most homes of root are."""
    data_folder.mkdir(mode=0o700)
    yield data_folder
    assert 0o700 == stat.S_IMODE(data_folder.stat().st_mode)


@needs_root
def test_root_has_the_server_run_by_an_unprivileged_user(made_folder: Path) -> None:
    """PostgreSQL refuses root, with reason: who breaks into it must not have the machine."""
    with EmbeddedServer.start(made_folder):
        owners = set(seen_of(processes_in(made_folder), lambda process: process.stat().st_uid))

    assert {places.unprivileged().uid} == owners


@needs_root
def test_root_is_told_where_the_data_can_be(closed: Path) -> None:
    """The user that runs the server cannot pass through a folder of root's, and opening it is not for us to decide."""
    before = modes_above(closed / "in" / "data")

    with pytest.raises(FolderRefused) as refused:
        EmbeddedServer.start(closed / "in" / "data")

    for text in (refused.value.zh, refused.value.en):
        assert str(closed) in text
        assert f"--data {places.SYSTEM_DATA}" in text
    assert before == modes_above(closed / "in" / "data")
    assert [] == contents(closed)


@needs_root
def test_an_empty_folder_of_roots_own_can_be_the_data_folder(data_folder: Path) -> None:
    """As mktemp makes them: the data folder itself is ours to open, for passing through and no more."""
    data_folder.mkdir(mode=0o700)

    EmbeddedServer.start(data_folder).stop()

    assert 0o711 == stat.S_IMODE(data_folder.stat().st_mode)


@needs_root
def test_roots_default_place_is_one_that_the_server_can_reach(closed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But never another place than the one where data is already: books that seem empty are worse than an error."""
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", str(closed))
    assert places.SYSTEM_DATA == places.default_data()

    home = closed / ".local" / "share" / "rangli"
    home.joinpath("cluster").mkdir(parents=True)

    assert home == places.default_data()


@needs_root
def test_programs_out_of_reach_are_copied_once(closed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment in root's home has programs that only root can run; a copy must be whole, with libraries and data."""
    original = places.binaries()
    package = closed / "site-packages" / places.PACKAGE
    shutil.copytree(original.parent, package / "pginstall", ignore=shutil.ignore_patterns("include", "*.a"))
    for libraries in original.parents[2].glob(f"{places.PACKAGE}.libs"):
        shutil.copytree(libraries, package.with_name(libraries.name))
    monkeypatch.setattr(places, "binaries", lambda: package / "pginstall" / "bin")
    with scratch(on_disk=True) as cache:  # memory may be closed to programs
        monkeypatch.setattr(places, "SYSTEM_CACHE", cache)

        copy, version = places.programs_for(places.unprivileged())
        made_at = copy.stat().st_ino

        assert copy.is_relative_to(cache)
        assert (copy, version) == places.programs_for(places.unprivileged())
        assert made_at == copy.stat().st_ino
        assert 1 == len(list(cache.iterdir()))
        EmbeddedServer.start(cache / "data").stop()
        with pytest.raises(ProgramsMissing, match="cannot run the programs in"):
            EmbeddedServer.start(cache / "data", bin_folder=package / "pginstall" / "bin")


@needs_root
def test_a_cluster_of_roots_is_refused_with_the_command_that_gives_it_away(made_folder: Path) -> None:
    """As after ``cp -r`` by root."""
    cluster = made_folder.joinpath("cluster")
    os.chown(cluster, 0, 0)

    with pytest.raises(FolderTaken, match=f"chown -R {places.unprivileged().name()} {cluster}"):
        EmbeddedServer.start(made_folder)


def as_an_ordinary_user(task: Callable[[], object]) -> str:
    """What a task answers or raises when no root does it, be it in a process that has given up being root."""
    if not ROOT:
        return _told(task)
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        # The threads that may be there wait for servers to end, and hold nothing that the child could need.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        user = places.unprivileged()
        os.setgroups([])
        os.setresgid(*[user.gid] * 3)
        os.setresuid(*[user.uid] * 3)
        os.write(writer, _told(task).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return said


def _told(task: Callable[[], object]) -> str:
    """An answer or a refusal in words."""
    try:
        return str(task())
    except Exception as fault:  # noqa: BLE001 - the parent compares it
        return f"{type(fault).__name__}: {fault}"


def test_an_ordinary_user_runs_the_server_as_himself(data_folder: Path) -> None:
    """Nothing in starting, stopping or a refusal needs root."""
    data_folder.parent.chmod(0o777)

    def started() -> str:
        with EmbeddedServer.start(data_folder / "in") as embedded:
            note(embedded.url, "kept")
            return notes(embedded.url) + str(stat.S_IMODE(data_folder.stat().st_mode) == 0o700)

    assert "keptTrue" == as_an_ordinary_user(started)
    assert [] == left_in(data_folder)


@needs_root
def test_an_ordinary_user_is_told_why_a_folder_is_not_his(data_folder: Path) -> None:
    """One may not be written, the other belongs to somebody; both errors say what would be right."""
    data_folder.mkdir(mode=0o755)

    said = as_an_ordinary_user(lambda: EmbeddedServer.start(data_folder / "new"))
    assert said.startswith("FolderRefused: ")
    assert os.strerror(errno.EACCES) in said
    assert "choose another folder with --data" in said

    cluster = data_folder / "old" / "cluster"
    cluster.mkdir(parents=True)
    os.chown(cluster, 12345, 12345)
    said = as_an_ordinary_user(lambda: EmbeddedServer.start(data_folder / "old"))
    assert said.startswith("FolderTaken: ")
    assert "belongs to the user 12345; run as that user" in said
