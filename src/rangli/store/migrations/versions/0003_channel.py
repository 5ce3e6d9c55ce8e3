"""By which channel a programme's money moves, and who signed for a plan (docs/law.md)."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"

STATEMENTS = (
    "ALTER TABLE programme ADD COLUMN channel text NOT NULL DEFAULT 'sandbox'",
    "ALTER TABLE plan ADD COLUMN signed text NOT NULL DEFAULT '[]'",
)


def upgrade() -> None:
    """The columns."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """A journal is not taken apart: restore a backup instead."""
    raise NotImplementedError
