"""What holds for tasks, loops and answers where nobody says otherwise: `[tasks]`, `[loops]` and `[[fresh]]`."""

from spendgate.clock import DAY
from spendgate.config.fresh import read_fresh
from spendgate.config.tables import Document, Table
from spendgate.errors import AmountError
from spendgate.money import nanos
from spendgate.taskterms import MAX_WITHIN, TaskRules

MAX_EXPIRES = 7 * DAY
MAX_SAME = 1_000_000


def read_rules(document: Document) -> TaskRules:
    """The rules of a document.

    Raises:
        ConfigError: a key is not as it must be.
    """
    tasks, loops = Table.of(document, "tasks"), Table.of(document, "loops")
    retry_budget = tasks.value("retry_budget")
    try:
        amount = None if retry_budget is None else nanos(retry_budget, "retry_budget")
    except AmountError as error:
        raise tasks.fault("retry_budget", str(error), 'dollars, such as "0.25"') from None
    return TaskRules(
        retry_budget=amount,
        tiers=tasks.names("tiers", 'globs, the cheapest first, such as ["*haiku*", "*sonnet*"]'),
        escalation_expires=tasks.span("escalation_expires", MAX_EXPIRES),
        same_request=loops.whole("same_request", 0, MAX_SAME),
        within=loops.span("within", MAX_WITHIN),
        fresh=read_fresh(document),
    )
