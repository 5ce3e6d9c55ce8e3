"""The ledger: accounts, transfers, the books they add up to, statements, and the export to an independent auditor.

Numbers of pockets and institutions stand in ``accounts``, codes and units in ``transfers``.
"""

from rangli.ledger import accounts, transfers
from rangli.ledger.accounts import Accounts, Holder, decode_name, encode_name
from rangli.ledger.beancount import Decision, Leg, beancount_lines, decisions
from rangli.ledger.books import Books, Row, unit_of_account
from rangli.ledger.statements import Entry, Statement, code_words, statement
from rangli.ledger.transfers import CODES, UNIT_NAMES, Transfers, code_name

__all__ = [
    "CODES",
    "UNIT_NAMES",
    "Accounts",
    "Books",
    "Decision",
    "Entry",
    "Holder",
    "Leg",
    "Row",
    "Statement",
    "Transfers",
    "accounts",
    "beancount_lines",
    "code_name",
    "code_words",
    "decisions",
    "decode_name",
    "encode_name",
    "statement",
    "transfers",
    "unit_of_account",
]
