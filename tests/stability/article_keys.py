"""The key of the incident, its fix in four lines as it was published, and the same with a stable key."""

from collections.abc import Callable
from datetime import datetime

from spendgate import stable_key


def deployed(record_id: int) -> str:
    return f"enrichment:{record_id}:{datetime.now().isoformat()}"


def fixed(record_id: int, window_hours: int) -> str:
    now = datetime.now()
    hour = (now.hour // window_hours) * window_hours
    window = now.replace(hour=hour, minute=0, second=0, microsecond=0).isoformat()
    return f"enrichment:{record_id}:{window}"


def fixed_5(record_id: int) -> str:
    return fixed(record_id, 5)


def fixed_24(record_id: int) -> str:
    return fixed(record_id, 24)


def fixed_36(record_id: int) -> str:
    return fixed(record_id, 36)


def fixed_48(record_id: int) -> str:
    return fixed(record_id, 48)


def fixed_72(record_id: int) -> str:
    return fixed(record_id, 72)


def stable(hours: int) -> Callable[[int], str]:
    return lambda record_id: stable_key("enrichment", record_id, window=f"{hours}h")
