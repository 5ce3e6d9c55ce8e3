"""The check-up of a database: what is there, what is wrong with it, and what to do about that.

It looks where faults of an installation show (settings, schema, settlers, checkpoints, holds); that every decision and balance is
right is ``verify``'s to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from rangli.errors import LedgerError
from rangli.ledger import Books
from rangli.money import mul_div, print_micro
from rangli.service.clock import MICRO_PER_SECOND, Clock, rfc3339
from rangli.service.looking.export import legs_between, transfers_of
from rangli.service.settling.settler import CHECKPOINT_EVERY, SETTLING
from rangli.store.database import HEAD, POSTGRESQL_MIN, Connection
from rangli.store.findings import Finding
from rangli.store.journal import PARTITION_BITS, head

DURABLE: Final = {
    "fsync": ("on",),
    "full_page_writes": ("on",),
    "synchronous_commit": ("on", "remote_apply", "remote_write", "local"),
}
"""Settings without which an answer may be given for what a power cut undoes, and the values that they may have."""
BEHIND_MAX: Final = 3 * CHECKPOINT_EVERY
"""Decisions without a checkpoint: more mean that none is kept any more."""
LATE_SECONDS_MAX: Final = 60
"""How long after its time a held order may wait, and how far the clock may be set back."""


def check_database(connection: Connection, clock: Clock) -> Iterator[Finding]:
    """The server, its settings, the schema, and every programme."""
    yield _version(connection)
    yield from _durability(connection)
    schema = _schema(connection)
    yield schema
    if schema.state != "ok":
        return
    yield _keys(connection)
    for number, name in connection.execute("SELECT number, name FROM programme ORDER BY number").fetchall():
        yield from _programme(connection, number, name, clock())


def settled_since(connection: Connection, number: int) -> int | None:
    """Since when a process settles this programme (microseconds since 1970); None when none does."""
    row = connection.execute(
        "SELECT (extract(epoch FROM a.backend_start) * 1000000)::int8 FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
        " WHERE l.locktype = 'advisory' AND l.classid = %s AND l.objid = %s AND l.objsubid = 2 AND l.granted"
        " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        [SETTLING, number],
    ).fetchone()
    return None if row is None else int(row[0])


# ---------------------------------------------------------------- the server


def _version(connection: Connection) -> Finding:
    said = connection.info.parameter_status("server_version") or ""
    if connection.info.server_version >= POSTGRESQL_MIN * 10_000:
        return Finding("postgresql", "ok", f"PostgreSQL {said}", f"PostgreSQL {said}")
    return Finding(
        "postgresql", "fault", f"PostgreSQL {said} 太旧", f"PostgreSQL {said} is too old",
        f"请用 PostgreSQL {POSTGRESQL_MIN} 或更新,或不设 RANGLI_DATABASE_URL 以使用自带的",
        f"use PostgreSQL {POSTGRESQL_MIN} or later, or unset RANGLI_DATABASE_URL to use the embedded one",
    )  # fmt: skip


def _durability(connection: Connection) -> Iterator[Finding]:
    for name, right in DURABLE.items():
        row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
        value = "" if row is None else str(row[0])
        if value in right:
            yield Finding(name, "ok", f"{name} = {value}", f"{name} = {value}")
        else:
            yield Finding(
                name, "fault",
                f"{name} = {value}:断电会丢失已经确认的决定",
                f"{name} = {value}: a power cut loses decisions that were answered",
                f"请执行 ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf();",
                f"run ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf();",
            )  # fmt: skip


def _schema(connection: Connection) -> Finding:
    row = connection.execute("SELECT to_regclass('alembic_version') IS NOT NULL").fetchone()
    if row is None or not row[0]:
        return Finding(
            "schema", "note", "数据库是空的;第一次使用时建表", "the database is empty; its tables are made when it is first used"
        )
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    there = "" if row is None else str(row[0])
    if there == HEAD:
        return Finding("schema", "ok", f"表结构 {there}", f"schema {there}")
    if there < HEAD:
        return Finding(
            "schema", "note", f"表结构 {there},下次启动时升级到 {HEAD}", f"schema {there}; the next start brings it to {HEAD}"
        )
    return Finding(
        "schema", "fault", f"表结构 {there} 比本程序的 {HEAD} 新", f"schema {there} is newer than this program's {HEAD}",
        "请升级 rangli", "upgrade rangli",
    )  # fmt: skip


def _keys(connection: Connection) -> Finding:
    row = connection.execute("SELECT count(*) FROM api_key WHERE revoked_at IS NULL").fetchone()
    count = 0 if row is None else int(row[0])
    if count:
        return Finding("keys", "ok", f"{count} 个有效的 API 密钥", f"{count} API key(s) in force")
    return Finding(
        "keys", "note", "还没有 API 密钥;rangli serve 会发放第一个", "there is no API key; rangli serve makes the first"
    )


# ---------------------------------------------------------------- a programme


def _programme(connection: Connection, number: int, name: str, now: int) -> Iterator[Finding]:
    """Findings about one programme, each named by it."""
    upto = head(connection, number)
    findings = (
        _settler(connection, number),
        _partitions(connection, upto),
        *_checkpoint(connection, number, name, upto, now),
        *_waiting(connection, number, now),
        *_webhooks(connection, number),
    )
    for finding in findings:
        yield finding._replace(check=f"{name}: {finding.check}")


def _settler(connection: Connection, number: int) -> Finding:
    since = settled_since(connection, number)
    if since is None:
        return Finding(
            "settler", "note", "此刻没有进程结算它;rangli serve 会开始", "no process settles it now; rangli serve would"
        )
    return Finding("settler", "ok", f"自 {rfc3339(since)} 起有进程结算它", f"a process has settled it since {rfc3339(since)}")


def _partitions(connection: Connection, upto: int) -> Finding:
    names = [f"journal_{number}" for number in range((upto >> PARTITION_BITS) + 1)]
    there = {row[0] for row in connection.execute("SELECT relname FROM pg_class WHERE relname = ANY(%s)", [names])}
    missing = [name for name in names if name not in there]
    if upto and missing:
        return Finding(
            "partitions", "fault", f"缺少分区 {', '.join(missing)}", f"the partition(s) {', '.join(missing)} are missing",
            "请从备份恢复到另一个目录:rangli restore", "restore a backup into another folder: rangli restore",
        )  # fmt: skip
    return Finding("partitions", "ok", f"{upto} 条决定,{len(there)} 个分区", f"{upto} decision(s) in {len(there)} partition(s)")


def _checkpoint(connection: Connection, number: int, name: str, upto: int, now: int) -> Iterator[Finding]:
    """The newest one against the journal, the clock against its last decision, and the trial balance."""
    verify = f"rangli verify --programme {name}"
    row = connection.execute(
        "SELECT c.position, c.head, j.hash, j.at FROM checkpoint c"
        " LEFT JOIN journal j ON j.programme = c.programme AND j.position = c.position"
        " WHERE c.programme = %s ORDER BY c.position DESC LIMIT 1",
        [number],
    ).fetchone()
    position, kept, there, at = (0, b"", b"", None) if row is None else row
    if row is not None and (there is None or bytes(kept) != bytes(there)):
        zh, en = (
            (f"检查点在第 {position} 条,流水只到第 {upto} 条", f"it is at decision {position}, and the journal ends at {upto}")
            if position > upto
            else (f"检查点与流水的第 {position} 条不符", f"it is not of the journal's decision {position}")
        )
        yield Finding("checkpoint", "fault", zh, en, f"请执行 {verify},再从备份恢复", f"run {verify}, and restore a backup")
    elif upto - position > BEHIND_MAX:
        yield Finding(
            "checkpoint", "fault",
            f"最近一个在第 {position} 条,其后已有 {upto - position} 条",
            f"the last is at {position}, {upto - position} decisions ago",
            "请看服务的日志:检查点没有存下来;重启 rangli serve 会存一个",
            "see the service's log for why none is kept; restarting rangli serve keeps one",
        )  # fmt: skip
    elif at is None:
        yield Finding("checkpoint", "note", "还没有;停止服务时会存", "none yet; one is kept when the service stops")
    else:
        age = _age(max(0, now - at))
        yield Finding(
            "checkpoint", "ok",
            f"第 {position} 条,{age}前;其后 {upto - position} 条", f"at decision {position}, {age} ago; {upto - position} since",
        )  # fmt: skip
    yield from _clock(connection, number, upto, now)
    if position <= upto:
        yield _trial_balance(connection, number, upto, verify)


def _clock(connection: Connection, number: int, upto: int, now: int) -> Iterator[Finding]:
    row = connection.execute("SELECT at FROM journal WHERE programme = %s AND position = %s", [number, upto]).fetchone()
    if row is not None and row[0] > now + LATE_SECONDS_MAX * MICRO_PER_SECOND:
        yield Finding(
            "clock", "fault",
            f"本机时间 {rfc3339(now)} 早于最后一条决定 {rfc3339(row[0])}",
            f"this machine's time {rfc3339(now)} is before the last decision {rfc3339(row[0])}",
            "请校准本机时钟(NTP)", "set this machine's clock (NTP)",
        )  # fmt: skip


def _trial_balance(connection: Connection, number: int, upto: int, verify: str) -> Finding:
    """The newest balances that were kept, with the decisions after them."""
    row = connection.execute(
        "SELECT position, books FROM balances WHERE programme = %s AND position <= %s ORDER BY position DESC LIMIT 1",
        [number, upto],
    ).fetchone()
    try:
        books = Books() if row is None else Books.thaw(bytes(row[1]))
        books.fold(transfers_of(legs_between(connection, number, 0 if row is None else row[0], upto)))
        totals = {unit: total for unit, total in books.trial_balance().items() if total}
    except LedgerError as fault:
        return Finding("trial_balance", "fault", fault.zh, fault.en, f"请执行 {verify}", f"run {verify}")
    if totals:
        said = ", ".join(f"{print_micro(total)} {unit}" for unit, total in totals.items())
        return Finding("trial_balance", "fault", f"合计为 {said}", f"the sum is {said}", f"请执行 {verify}", f"run {verify}")
    count = len(np.flatnonzero(books.balance))
    return Finding(
        "trial_balance", "ok", f"各单位合计为 0,{count} 个账户有余额", f"0 in every unit; {count} account(s) hold something"
    )


def _waiting(connection: Connection, number: int, now: int) -> Iterator[Finding]:
    """Held orders, and those among them whose time has long come."""
    row = connection.execute(
        "SELECT count(*), count(*) FILTER (WHERE due_at < %s) FROM held WHERE programme = %s AND due_at IS NOT NULL",
        [now - LATE_SECONDS_MAX * MICRO_PER_SECOND, number],
    ).fetchone()
    held, late = (0, 0) if row is None else row
    if late:
        yield Finding(
            "held", "fault", f"{late} 笔订单的冻结期已过而未结算", f"{late} order(s) whose hold has passed are not settled",
            "请启动 rangli serve", "start rangli serve",
        )  # fmt: skip
    elif held:
        yield Finding("held", "ok", f"{held} 笔订单冻结中", f"{held} order(s) are held")


def _webhooks(connection: Connection, number: int) -> Iterator[Finding]:
    """Those that were given up."""
    for hook, fault in connection.execute(
        "SELECT id, fault FROM webhook WHERE programme = %s AND paused_at IS NOT NULL ORDER BY id", [number]
    ).fetchall():
        yield Finding(
            "webhook", "fault", f"{hook} 已暂停:{fault}", f"{hook} is paused: {fault}",
            "请修好对方的地址,再用 API 重新投递", "mend its endpoint, then ask for its deliveries again through the API",
        )  # fmt: skip


_STEPS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def _age(micro: int) -> str:
    """A time in its largest unit."""
    seconds = mul_div(micro, 1, MICRO_PER_SECOND)
    size, unit = next((step for step in _STEPS if seconds >= step[0]), _STEPS[-1])
    return f"{mul_div(seconds, 1, size)} {unit}"
