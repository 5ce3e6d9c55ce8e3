"""Backups that a service takes of itself while it goes on: one at a time, in the background, as files in a folder of its own.

The folder is on the service's own machine, so a backup there helps against a wrong hand and not against a lost disk: it has to be
carried away. Without a folder they are kept as long as the service runs.
"""

from __future__ import annotations

import logging
import re
import shutil
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from rangli.errors import NotFound, RangliError
from rangli.service.clock import MICRO_PER_SECOND, Clock, rfc3339
from rangli.store.backup import backup
from rangli.store.database import Database

log = logging.getLogger("rangli.copies")

_NAME: Final = re.compile(r"rangli-[0-9]{8}-[0-9]{6}\.backup")
OWNER_ONLY: Final = 0o700
"""A backup holds the programmes' secrets."""


class Copy(msgspec.Struct, frozen=True):
    """A backup that is there."""

    name: str
    bytes: int
    made_at: str


class Copying(msgspec.Struct, frozen=True):
    """The backup that is being taken, or how the last one ended."""

    state: str
    """running, done, failed or cancelled."""
    by: str
    name: str
    done: int = 0
    total: int = 0
    """Bytes before they are packed; an estimate."""
    zh: str = ""
    en: str = ""
    """Why it failed."""


class Unwanted(BaseException):
    """The backup is no longer wanted. No ``Exception``, so that whoever catches those lets it pass."""


class Copies:
    """The backups of a database. All methods may be called from any thread."""

    def __init__(self, database: Database, clock: Clock, folder: Path | None = None) -> None:
        self._database = database
        self._clock = clock
        self._folder = folder
        self._is_passing = folder is None
        """Whether the folder goes with the service."""
        self._lock = threading.Lock()
        self._copying: Copying | None = None
        self._thread: threading.Thread | None = None
        self._unwanted = threading.Event()

    @property
    def is_keeping(self) -> bool:
        """Whether backups are there after a restart."""
        return not self._is_passing

    def copying(self) -> Copying | None:
        """The one that is being taken, or how the last one ended."""
        return self._copying

    def list(self) -> list[Copy]:
        """The backups that are there, newest first."""
        folder = self._folder
        if folder is None or not folder.is_dir():
            return []
        found = []
        for path in sorted(folder.iterdir(), reverse=True):
            if _NAME.fullmatch(path.name):
                with suppress(FileNotFoundError):  # it was removed meanwhile
                    facts = path.stat()
                    found.append(Copy(path.name, facts.st_size, rfc3339(int(facts.st_mtime) * MICRO_PER_SECOND)))
        return found

    def path(self, name: str) -> Path:
        """Where a backup is. Raises NotFound."""
        if self._folder is None or name not in {copy.name for copy in self.list()}:
            raise NotFound(f"没有备份 {name[:60]!r}", f"there is no backup {name[:60]!r}")
        return self._folder.joinpath(name)

    def remove(self, name: str) -> None:
        """Away with a backup. Raises NotFound."""
        self.path(name).unlink(missing_ok=True)

    def start(self, by: str) -> bool:
        """Begin to take one; False while one is being taken."""
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return False
            stamp = re.sub(r"[-:]", "", rfc3339(self._clock())[:19]).replace("T", "-")
            self._copying = Copying("running", by, f"rangli-{stamp}.backup")
            self._unwanted.clear()
            self._thread = threading.Thread(target=self._take, args=(self._copying,), name="rangli backup", daemon=True)
            self._thread.start()
            return True

    def cancel(self) -> None:
        """Let the one be that is being taken, if one is."""
        self._unwanted.set()

    def wait(self, seconds: float | None = None) -> None:
        """Until none is being taken, for at most so long."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)

    def close(self) -> None:
        """Let the one be that is being taken, and leave no folder that would not be found again."""
        self.cancel()
        self.wait()
        if self._is_passing and self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _take(self, begun: Copying) -> None:
        """Take it, and say how that ended."""

        def progress(_: str, done: int, total: int) -> None:
            if self._unwanted.is_set():
                raise Unwanted
            self._copying = msgspec.structs.replace(begun, done=done, total=total)

        try:
            backup(self._database, self._made_folder().joinpath(begun.name), progress)
            self._copying = msgspec.structs.replace(begun, state="done")
        except Unwanted:
            self._copying = msgspec.structs.replace(begun, state="cancelled")
        except RangliError as refusal:
            self._copying = msgspec.structs.replace(begun, state="failed", zh=refusal.zh, en=refusal.en)
        except Exception:
            log.exception("a backup was not taken")
            zh, en = "出错了,原因在服务日志中", "it failed; the service's log says why"
            self._copying = msgspec.structs.replace(begun, state="failed", zh=zh, en=en)

    def _made_folder(self) -> Path:
        """The folder, made if it is not there, for its owner only."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="rangli-backups-"))
        self._folder.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
        return self._folder
