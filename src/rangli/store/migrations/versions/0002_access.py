"""Who may come in (API keys), and whom we tell (webhooks and what was delivered to them)."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

STATEMENTS = (
    """
    CREATE TABLE api_key (
        id           text PRIMARY KEY,
        name         text NOT NULL,
        digest       bytea NOT NULL,
        scopes       text[] NOT NULL,
        programmes   text[],
        per_second   int4 NOT NULL,
        created_at   int8 NOT NULL,
        last_used_at int8,
        revoked_at   int8
    )
    """,
    """
    CREATE TABLE webhook (
        programme  int4 NOT NULL REFERENCES programme,
        id         text NOT NULL,
        url        text NOT NULL,
        kinds      int2[] NOT NULL,
        secret     text NOT NULL,
        position   int8 NOT NULL,
        created_at int8 NOT NULL,
        paused_at  int8,
        fault      text NOT NULL DEFAULT '',
        PRIMARY KEY (programme, id)
    )
    """,
    """
    CREATE TABLE delivery (
        programme    int4 NOT NULL,
        webhook      text NOT NULL,
        first        int8 NOT NULL,
        last         int8 NOT NULL,
        asked_at     int8 NOT NULL,
        due_at       int8 NOT NULL,
        attempts     int4 NOT NULL DEFAULT 0,
        tried_at     int8,
        delivered_at int8,
        fault        text NOT NULL DEFAULT '',
        PRIMARY KEY (programme, webhook, first),
        FOREIGN KEY (programme, webhook) REFERENCES webhook ON DELETE CASCADE
    )
    """,
    "CREATE INDEX delivery_pending ON delivery (programme, webhook, first) WHERE delivered_at IS NULL",
)


def upgrade() -> None:
    """The tables."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """A journal is not taken apart: restore a backup instead."""
    raise NotImplementedError
