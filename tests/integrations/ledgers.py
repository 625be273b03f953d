"""What the tests of clients put into a rate card, and how they read a ledger."""

from spendgate.gate import Gate
from spendgate.ledger import Entry

CARDS = """
[prices."clearbit.enrich"]
match = "http://127.0.0.1:*/v2/*"
per_call = "0.004"
unbilled_statuses = [404, 429, 500]
"""


def entries(gate: Gate) -> list[Entry]:
    """Everything in the ledger, in its order."""
    gate.backlog.flush()
    return list(gate.store.entries())


def states(gate: Gate) -> list[str]:
    """How each reservation ended."""
    return [entry.state.value for entry in entries(gate)]
