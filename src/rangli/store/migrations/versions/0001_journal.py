"""The journal, and what is kept beside it (docs/decisions/0008-the-journal.md)."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

STATEMENTS = (
    """
    CREATE TABLE programme (
        number       int4 PRIMARY KEY,
        name         text NOT NULL UNIQUE,
        secret       bytea NOT NULL,
        hold_seconds int4 NOT NULL,
        created_at   int8 NOT NULL
    )
    """,
    """
    CREATE TABLE plan (
        programme int4 NOT NULL REFERENCES programme,
        number    int4 NOT NULL,
        name      text NOT NULL,
        version   text NOT NULL,
        document  text NOT NULL,
        PRIMARY KEY (programme, number)
    )
    """,
    """
    CREATE TABLE holder (
        programme int4 NOT NULL,
        number    int4 NOT NULL,
        kind      int2 NOT NULL,
        name      text NOT NULL,
        since     int8 NOT NULL,
        PRIMARY KEY (programme, number)
    )
    """,
    """
    CREATE TABLE journal (
        programme          int4 NOT NULL,
        position           int8 NOT NULL,
        kind               int2 NOT NULL,
        plan               int4 NOT NULL,
        at                 int8 NOT NULL,
        key                text NOT NULL,
        request            bytea NOT NULL,
        facts              int8[] NOT NULL,
        party              int4[] NOT NULL,
        source             int4[] NOT NULL,
        destination        int4[] NOT NULL,
        amount             int8[] NOT NULL,
        code               int2[] NOT NULL,
        source_before      int4[] NOT NULL,
        destination_before int4[] NOT NULL,
        hash               bytea NOT NULL,
        PRIMARY KEY (programme, position)
    ) PARTITION BY RANGE (position)
    """,
    """
    CREATE TABLE lot (
        programme    int4 NOT NULL,
        number       int8 NOT NULL,
        packets      int4 NOT NULL,
        received_fen int8 NOT NULL,
        PRIMARY KEY (programme, number)
    )
    """,
    """
    CREATE TABLE refunded (
        programme    int4 NOT NULL,
        number       int8 NOT NULL,
        refunded_fen int8 NOT NULL,
        received_fen int8 NOT NULL,
        positions    int8[] NOT NULL,
        PRIMARY KEY (programme, number)
    )
    """,
    """
    CREATE TABLE held (
        programme  int4 NOT NULL,
        order_id   text NOT NULL,
        sequence   int8 NOT NULL GENERATED ALWAYS AS IDENTITY,
        plan       int4 NOT NULL,
        captured_at int8 NOT NULL,
        due_at     int8,
        request    text NOT NULL,
        PRIMARY KEY (programme, order_id)
    )
    """,
    "CREATE INDEX held_due ON held (programme, due_at, sequence) WHERE due_at IS NOT NULL",
    """
    CREATE TABLE checkpoint (
        programme int4 NOT NULL,
        position  int8 NOT NULL,
        head      bytea NOT NULL,
        state     text NOT NULL,
        part      int4 NOT NULL,
        parts     int4 NOT NULL,
        bytes     bytea NOT NULL,
        PRIMARY KEY (programme, position, part)
    )
    """,
    "ALTER TABLE checkpoint ALTER COLUMN bytes SET STORAGE EXTERNAL",
    """
    CREATE TABLE balances (
        programme int4 NOT NULL,
        position  int8 NOT NULL,
        books     bytea NOT NULL,
        last      bytea NOT NULL,
        PRIMARY KEY (programme, position)
    )
    """,
    "ALTER TABLE balances ALTER COLUMN books SET STORAGE EXTERNAL",
    "ALTER TABLE balances ALTER COLUMN last SET STORAGE EXTERNAL",
    """
    CREATE TABLE key_block (
        programme int4 NOT NULL,
        first     int8 NOT NULL,
        hashes    bytea NOT NULL,
        PRIMARY KEY (programme, first)
    )
    """,
    "ALTER TABLE key_block ALTER COLUMN hashes SET STORAGE EXTERNAL",
    r"""
    CREATE VIEW account AS
    SELECT programme, number * 8 + pocket AS number,
           CASE WHEN kind = 3 THEN name
                ELSE (ARRAY['consumer', 'merchant', 'agent'])[kind + 1] || ':' || encoded || ':' ||
                     (ARRAY['wallet', 'points', 'vouchers', 'concession', 'income', 'borne'])[pocket + 1] END AS path
    FROM holder, generate_series(0, 5) AS pocket,
         LATERAL (SELECT CASE WHEN name !~ '[:%\u0001-\u001f\u007f-\u009f]' THEN name ELSE (
             SELECT string_agg(CASE WHEN letter !~ '[:%\u0001-\u001f\u007f-\u009f]' THEN letter ELSE
                        regexp_replace(upper(encode(convert_to(letter, 'UTF8'), 'hex')), '(..)', '%\1', 'g') END, '' ORDER BY at)
             FROM regexp_split_to_table(name, '') WITH ORDINALITY AS split (letter, at)) END AS encoded) AS path
    WHERE kind <> 3 OR pocket = 0
    """,
    """
    CREATE VIEW transfer AS
    SELECT j.programme, j.position, leg.line, j.kind, j.plan, to_timestamp(j.at / 1000000.0) AS at, j.key,
           leg.source, leg.destination, leg.amount AS amount_micro, leg.code
    FROM journal j,
         unnest(j.source, j.destination, j.amount, j.code) WITH ORDINALITY AS leg (source, destination, amount, code, line)
    """,
)


def upgrade() -> None:
    """The tables."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """A journal is not taken apart: restore a backup instead."""
    raise NotImplementedError
