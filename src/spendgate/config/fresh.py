"""`[[fresh]]`: for how long the answers of calls are good, where the calls do not say so themselves."""

from spendgate.config.limits import read_match
from spendgate.config.tables import Document, Table
from spendgate.freshness import FreshRule

SECTION = "fresh"


def read_fresh(document: Document) -> tuple[FreshRule, ...]:
    """The rules of a document, in their order: the first that a call fits is the one.

    Raises:
        ConfigError: a rule does not say exactly what it must.
    """
    stated = document.data.get(SECTION, [])
    if not isinstance(stated, list) or not all(isinstance(item, dict) for item in stated):
        raise document.fault((SECTION,), "this is a list of tables", "[[fresh]] in two brackets above each rule")
    tables = [Table.at(document, (SECTION, position), SECTION, data) for position, data in enumerate(stated)]
    return tuple(FreshRule(read_match(table), _span(table)) for table in tables)


def _span(table: Table) -> int:
    if "fresh_for" not in table:
        raise table.fault("fresh_for", "the rule does not say for how long answers are good", 'such as "24h"')
    return table.span("fresh_for")
