"""${message}."""

from __future__ import annotations

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """What this version adds."""


def downgrade() -> None:
    """A journal is not taken apart: restore a backup instead."""
    raise NotImplementedError
