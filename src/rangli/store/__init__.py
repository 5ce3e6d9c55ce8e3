"""The store: the journal in PostgreSQL."""
