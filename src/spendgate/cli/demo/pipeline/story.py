"""The first incident in figures: what the pipeline reads each day, what a miss costs, and the key that was changed.

8,000 records come a day: 2,400 are new, the others were seen before, and 400 of them come again every hour. Each is
enriched by an API that is paid by the call, behind a cache that has most of them.

>>> before("4711", BEGINS_AT), after("4711", BEGINS_AT + 123456)
('enrichment:4711', 'enrichment:4711:2025-12-01T00:00:00.123456')
"""

import random
from datetime import UTC, datetime

from spendgate.clock import DAY, HOUR, instant, moment

BEGINS_AT = instant(datetime(2025, 12, 1, tzinfo=UTC))
MONTHS = 11
MONTH = 30 * DAY
DEPLOY_AT = BEGINS_AT + MONTHS * MONTH + 14 * HOUR
"""14:00 on the first day of the twelfth month."""
MONTHS_AT_ONCE = 8
"""Of the good months one day is played, with one record in eight."""
WEEKS_UNSEEN = 3
"""When finance asked."""

NEW, SEEN, HOURLY = 2_400, 5_200, 400
LOOKUPS_A_DAY = NEW + SEEN + HOURLY * 24
RESOURCE, SERVICE, CACHE = "enrich.person", "pipeline", "enrichment"
USD_A_CALL, USD_A_MAIL = "0.25", "0.002"
CALLS_A_DAY = 4_000
"""The budget: what a bad day needs, and half as much again."""

CONFIG = f"""\
[store]
url = "sqlite:///ledger.db"

[[limits]]
name = "enrichment-daily"
match = {{ resource = "{RESOURCE}" }}
calls = {CALLS_A_DAY}
window = "day"
warn_at = [0.8]
at_limit = "observe"

[prices."{RESOURCE}"]
per_call = "{USD_A_CALL}"

[prices."mail.send"]
per_call = "{USD_A_MAIL}"
"""


def before(record: str, _: int) -> str:
    """The key as it was for eleven months."""
    return f"enrichment:{record}"


def after(record: str, at: int) -> str:
    """The key after the deploy: a "performance improvement"."""
    return f"enrichment:{record}:{moment(at).replace(tzinfo=None).isoformat()}"


def day(begins_at: int, known: list[str], one_in: int = 1) -> list[tuple[int, str]]:
    """(instant, record) of a day's work, in order. Records that are new that day are added to those that are known."""
    number = (begins_at - BEGINS_AT) // DAY
    chance = random.Random(number)  # noqa: S311 - nothing secret
    new = [str(number * NEW + one) for one in range(NEW // one_in)]
    seen = [chance.choice(known) for _ in range(SEEN // one_in)] if known else []
    hourly = [(f"vip-{one}", chance.randrange(HOUR)) for one in range(HOURLY // one_in)]
    known += new
    work = [(begins_at + chance.randrange(DAY), record) for record in new + seen]
    work += [(begins_at + hour * HOUR + after_hour, record) for record, after_hour in hourly for hour in range(24)]
    return sorted(work)
