"""What is not possible now or here: databases, their folders and servers, work that waits."""

from __future__ import annotations

from rangli.errors.trunk import StoreError, Unavailable


class NotSettling(Unavailable):
    """Another process settles this programme."""

    code = "not_settling"


class Failed(Unavailable):
    """The commit failed, and nothing of it was done."""

    code = "commit_failed"


class DatabaseUnreachable(Unavailable):
    """No connection to the database."""

    code = "database_unreachable"


class SchemaNewer(StoreError):
    """A database of a later version of Rangli, or PostgreSQL of an earlier one than it needs."""

    code = "schema_newer"


class ServerRefused(StoreError):
    """The embedded PostgreSQL cannot run here."""

    code = "server_refused"


class ProgramsMissing(ServerRefused):
    """PostgreSQL's programs are not there, or cannot be run."""

    code = "programs_missing"


class FolderRefused(ServerRefused):
    """A data folder that the embedded PostgreSQL cannot use; ``zh`` and ``en`` go on after its name."""

    code = "folder_refused"

    def __init__(self, folder: object, zh: str, en: str) -> None:
        super().__init__(f"目录 {folder} {zh}", f"the folder {folder} {en}")
        self.folder = str(folder)


class FolderTaken(FolderRefused):
    """A data folder that another process or user has."""

    code = "folder_taken"


class VersionDiffers(FolderRefused):
    """A data folder that another PostgreSQL version made."""

    code = "version_differs"

    def __init__(self, folder: object, found: str, ours: str) -> None:
        super().__init__(
            folder,
            f"属于 PostgreSQL {found},这里的程序是 {ours};"
            "请用当初的 Rangli 版本执行 rangli backup,再在这里 rangli restore 到另一个目录",
            f"belongs to PostgreSQL {found} and the programs here are {ours}; "
            "run rangli backup with the version of Rangli that made it, and rangli restore here into another folder",
        )
        self.found = found
        self.ours = ours


class ServerFailed(ServerRefused):
    """The embedded PostgreSQL did not start, or did not stop; ``zh`` and ``en`` are why, in its own words if it gave any."""

    code = "server_failed"

    def __init__(self, zh: str, en: str, log: object = None) -> None:
        super().__init__(
            f"PostgreSQL 没有正常启动或停止:{zh}" + (f";详见 {log}" if log else ""),
            f"PostgreSQL did not start or stop as it should: {en}" + (f"; more in {log}" if log else ""),
        )
        self.log = log


class DatabaseNotEmpty(StoreError):
    """A backup is restored into an empty database only."""

    code = "database_not_empty"


class BackupRefused(StoreError):
    """A file that is no backup, or is damaged."""

    code = "backup_refused"


class JobsBusy(Unavailable):
    """More work is waiting already than is taken, or none is taken any more."""

    code = "jobs_busy"
