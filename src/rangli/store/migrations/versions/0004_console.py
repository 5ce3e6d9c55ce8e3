"""The console: its members and their sessions, what they did, the drafts of plans, and when the books were verified."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"

STATEMENTS = (
    """
    CREATE TABLE member (
        name        text PRIMARY KEY,
        secret      text NOT NULL,
        must_change bool NOT NULL DEFAULT false,
        totp        text,
        totp_step   int8 NOT NULL DEFAULT 0,
        role        text NOT NULL,
        programmes  text[],
        language    text NOT NULL DEFAULT 'zh',
        created_at  int8 NOT NULL,
        ended_at    int8
    )
    """,
    """
    CREATE TABLE session (
        digest      bytea PRIMARY KEY,
        member      text NOT NULL REFERENCES member,
        awaits_code bool NOT NULL DEFAULT false,
        created_at  int8 NOT NULL,
        seen_at     int8 NOT NULL,
        ends_at     int8 NOT NULL,
        ended_at    int8,
        agent       text NOT NULL,
        address     text NOT NULL
    )
    """,
    "CREATE INDEX session_member ON session (member, created_at)",
    """
    CREATE TABLE form_used (
        session bytea NOT NULL REFERENCES session ON DELETE CASCADE,
        once    text NOT NULL,
        PRIMARY KEY (session, once)
    )
    """,
    """
    CREATE TABLE act (
        number    int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        at        int8 NOT NULL,
        member    text NOT NULL,
        role      text NOT NULL,
        programme text NOT NULL DEFAULT '',
        what      text NOT NULL,
        object    text NOT NULL DEFAULT '',
        outcome   text NOT NULL CHECK (outcome IN ('done', 'refused', 'failed')),
        facts     jsonb NOT NULL DEFAULT '{}',
        address   text NOT NULL DEFAULT ''
    )
    """,
    "CREATE INDEX act_member ON act (member, number)",
    "CREATE INDEX act_what ON act (what, number)",
    "CREATE INDEX act_programme ON act (programme, number)",
    # What was done stays done: nobody who has only the console's connection rewrites it unseen.
    """
    CREATE FUNCTION act_stays() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the audit log is only added to (%)', TG_OP USING ERRCODE = 'restrict_violation';
    END $$
    """,
    "CREATE TRIGGER act_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON act FOR EACH STATEMENT EXECUTE FUNCTION act_stays()",
    """
    CREATE TABLE draft (
        number       int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        programme    text NOT NULL,
        document     text NOT NULL,
        based_on     int4 NOT NULL,
        title        text NOT NULL DEFAULT '',
        author       text NOT NULL,
        created_at   int8 NOT NULL,
        changed_at   int8 NOT NULL,
        revision     int4 NOT NULL DEFAULT 1,
        status       text NOT NULL CHECK (status IN ('open', 'proposed', 'activated', 'withdrawn', 'returned')),
        proposed_by  text,
        proposed_at  int8,
        digest       text,
        signatures   jsonb NOT NULL DEFAULT '[]',
        activated_at int8,
        plan_number  int4
    )
    """,
    "CREATE INDEX draft_programme ON draft (programme, number)",
    """
    CREATE TABLE verification (
        number    int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        programme text NOT NULL,
        asked_by  text NOT NULL,
        began_at  int8 NOT NULL,
        ended_at  int8,
        since     int8,
        position  int8,
        head      text,
        outcome   text NOT NULL CHECK (outcome IN ('running', 'clean', 'broken', 'failed', 'cancelled')),
        zh        text NOT NULL DEFAULT '',
        en        text NOT NULL DEFAULT '',
        seconds   text NOT NULL DEFAULT ''
    )
    """,
    "CREATE INDEX verification_programme ON verification (programme, number)",
)


def upgrade() -> None:
    """The tables."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """A journal is not taken apart: restore a backup instead."""
    raise NotImplementedError
