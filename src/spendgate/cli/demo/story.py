"""The night in figures: who calls what and when, where it goes wrong, and what stands in its way.

Six workers wake up every hour and make four calls each, $0.07 a run. At 01:02 the third of them is sent an answer that
is no JSON. Its retries have no end, its `except` catches everything, and its router takes a dearer model from the third
attempt on, with all of the conversation.

>>> [route(attempt).model for attempt in (1, 2, 3, 4, 5000)]
['claude-haiku-4-5', 'claude-haiku-4-5', 'claude-sonnet-4-6', 'claude-opus-4-6', 'claude-opus-4-6']
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from spendgate.clock import HOUR, MINUTE, SECOND, instant

BEGINS_AT = instant(datetime(2026, 11, 12, 1, 0, tzinfo=UTC))
"""01:00, in fast time."""
GOES_WRONG_AT = BEGINS_AT + 2 * MINUTE
MAIL_AT = BEGINS_AT + 6 * HOUR
"""07:00: the daily mail, and somebody who reads it."""
QUICK_END_AT = BEGINS_AT + 20 * MINUTE

WORKERS = ("crawler", "tagging", "research", "digest", "support", "translate")
RUNAWAY = "research"
CALLS_A_RUN = 4
BETWEEN_CALLS = 40 * SECOND
STAGGER = 3 * SECOND
"""Workers on one machine do not wake up in the same microsecond."""
RETRY_PAUSE_S = 3

PROVIDER = "anthropic"
HAIKU, SONNET, OPUS = "claude-haiku-4-5", "claude-sonnet-4-6", "claude-opus-4-6"
POISONED = "record-3-4"
"""The record whose answer is malformed, whichever model is asked: the third worker's fourth."""


@dataclass(frozen=True, slots=True)
class Request:
    """What one call sends and may get back."""

    model: str
    input_tokens: int
    max_output_tokens: int


def route(attempt: int) -> Request:
    """The router of that night: two attempts on the cheap model, then dearer ones that get the whole conversation."""
    if attempt <= 2:
        return Request(HAIKU, 5_000, 2_500)
    return Request(SONNET if attempt == 3 else OPUS, 48_000, 1_280)


@dataclass(frozen=True, slots=True)
class Defence:
    """Something that may stand between the loop and the money. `config` is its spendgate.toml, empty for none.

    `line` is what it is called in the closing table, and `by` what stopped the loop, where that is no limit in dollars.
    With `tasks` each hour's run is a task, with `fingerprints` each call says what it sends.
    """

    name: str
    config: str = ""
    line: str = ""
    by: str = ""
    tasks: bool = False
    fingerprints: bool = False


NOTHING = Defence("nothing")
LIMITS = Defence(
    "limits",
    """\
[store]
url = "sqlite:///ledger.db"

[[limits]]
name = "hourly"
usd = "5.00"
window = "1h"
per = ["service"]

[[limits]]
name = "six-hourly"
usd = "15.00"
window = "6h"
per = ["service"]

[[limits]]
name = "daily"
usd = "50.00"
window = "24h"
per = ["service"]

[[limits]]
name = "total"
usd = "80.00"
window = "24h"
""",
)
_LEDGER = """\
[store]
url = "sqlite:///ledger.db"
"""
RETRIES = Defence(
    "retries",
    _LEDGER + '\n[tasks]\nretry_budget = "0.25"\ntiers = ["*"]\n',
    line="only $0.25 of retries per task",
    by="retry budget",
    tasks=True,
)
TIER = Defence("tier", _LEDGER, line="only the model locked per task", by="tier lock", tasks=True)
LOOPS = Defence(
    "loops",
    _LEDGER + '\n[loops]\nsame_request = 10\nwithin = "5m"\n',
    line="only loop detection",
    by="loop detection",
    fingerprints=True,
)
ALONE, TOGETHER = (NOTHING,), (LIMITS, RETRIES, TIER, LOOPS)
DEFENCES = (*ALONE, *TOGETHER)
"""The nights that are played, in order. Those with a gate are played at once, each with its own processes: they have
little to do. A further line of defence is a further entry, and a row in `closing`."""
