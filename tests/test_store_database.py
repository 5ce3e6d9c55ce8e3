"""A database of ours: its schema is the newest there is, and a server that died under it is started again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from databases import ask, end, left_in, note, notes, processes_in

from rangli.errors import DatabaseUnreachable
from rangli.store.database import HEAD, MIGRATIONS, Database
from rangli.store.server import EmbeddedServer


def test_the_schema_we_work_with_is_the_one_newest_migration() -> None:
    """A migration whose number is not in HEAD is never run, and two heads are two schemas; which is newer their names tell."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    line = [script.revision for script in scripts.walk_revisions()][::-1]

    assert [HEAD] == scripts.get_heads()
    assert [f"{number:04d}" for number in range(1, len(line) + 1)] == line
    assert line == sorted(path.name[:4] for path in MIGRATIONS.joinpath("versions").glob("*.py"))


@pytest.fixture
def server(made_folder: Path) -> Iterator[EmbeddedServer]:
    """A server with one note in it."""
    with EmbeddedServer.start(made_folder) as server:
        note(server.url, "kept")
        yield server


def test_a_dead_server_is_started_again_by_whoever_connects(server: EmbeddedServer) -> None:
    """Each settler connects again when its connection is lost, so the service goes on without anybody at the keyboard."""
    with Database(server.url, server.revive) as database:
        end(processes_in(server.place.data))
        with database.connect() as connection:
            assert ("kept",) == connection.execute("SELECT text FROM note").fetchone()


def test_a_dead_server_is_started_again_by_whoever_asks(server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The question at which it shows is refused as one that may be asked again, and the next one is answered."""
    monkeypatch.setattr("rangli.store.database.READER_SECONDS", 1)
    with Database(server.url, server.revive) as database:
        with database.reading() as connection:
            connection.execute("SELECT 1")
        end(processes_in(server.place.data))
        with pytest.raises(DatabaseUnreachable), database.reading():
            pass

        assert "kept" == notes(server.url)
        assert "1" == ask(server.url, "SELECT 1")


def test_without_a_server_of_ours_nothing_is_started(server: EmbeddedServer) -> None:
    """Somebody else's server is theirs to start."""
    with Database(server.url) as database:
        end(processes_in(server.place.data))
        with pytest.raises(DatabaseUnreachable, match="RANGLI_DATABASE_URL"):
            database.connect()

        assert [] == left_in(server.place.data)
