"""The writer of a programme: requests become decisions, decisions rows of its journal; ``verify`` decides them all again."""
