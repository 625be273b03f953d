"""Every key that spendgate.toml may have: where it stands, what it takes, and what it is when it is not there.

The reader takes its defaults from here, `config show` lists what is here, and docs/configuration.md is held to it.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Key:
    """One key. `default` is spelled as in TOML, empty where there is none; the variable `env` overrides the file."""

    table: str
    name: str
    kind: str
    default: str = ""
    env: str = ""

    @property
    def path(self) -> str:
        """The key with its table, such as `gate.mode`."""
        return f"{self.table}.{self.name}"


TABLES: Final = (
    "gate", "store", "estimate", "services", "tasks", "loops", "fresh", "limits", "prices", "notify", "mirror",
)  # fmt: skip
"""The tables of the file. `prices` is read, and its keys are checked, by `spendgate.pricing.ratecard`."""

KEYS: Final = (
    Key("gate", "service", "text", '""', "SPENDGATE_SERVICE"),
    Key("gate", "version", "text", '""', "SPENDGATE_VERSION"),
    Key("gate", "mode", '"enforce", "observe" or "off"', '"enforce"', "SPENDGATE_MODE"),
    Key("gate", "timezone", "time zone", '"UTC"'),
    Key("gate", "lapse_after", "span", '"15m"'),
    Key("gate", "lapse_after_batch", "span", '"25h"'),
    Key("gate", "limits_from", '"file" or "ledger"', '"file"'),
    Key("store", "url", "text", '"sqlite:///.spendgate/ledger.db"', "SPENDGATE_STORE_URL"),
    Key("store", "unavailable", '"refuse" or "allow"', '"refuse"'),
    Key("store", "synchronous", '"normal" or "full"', '"normal"'),
    Key("store", "timeout", "span", '"5s"'),
    Key("store", "on_lost_tail", '"refuse" or "charge"', '"refuse"'),
    Key("store", "keep", "days", '"400d"'),
    Key("estimate", "max_input_tokens", "whole number", "0"),
    Key("estimate", "max_output_tokens", "whole number", "16384"),
    Key("services", "when_refused", '"raise", "fallback", "wait" or "skip"'),
    Key("services", "wait", "span"),
    Key("services", "clamp", "whole number", "0"),
    Key("services", "fallback", "text or table"),
    Key("services.fallback", "model", "text"),
    Key("services.fallback", "url", "text", '""'),
    Key("services.fallback", "provider", "text", '""'),
    Key("services.fallback", "key_env", "text", '""'),
    Key("services", "estimate", '"most" or "learned"', '"most"'),
    Key("tasks", "retry_budget", "amount"),
    Key("tasks", "tiers", "list of globs", "[]"),
    Key("tasks", "escalation_expires", "span", '"1h"'),
    Key("loops", "same_request", "whole number", "10"),
    Key("loops", "within", "span", '"5m"'),
    Key("fresh", "match", "table of globs", "{}"),
    Key("fresh", "fresh_for", "span"),
    Key("limits", "name", "text"),
    Key("limits", "usd", "amount"),
    Key("limits", "calls", "whole number"),
    Key("limits", "tokens", "whole number"),
    Key("limits", "UNIT", "amount"),
    Key("limits", "window", 'span, or "day", "week", "month"'),
    Key("limits", "match", "table of globs", "{}"),
    Key("limits", "per", "list of names", "[]"),
    Key("limits", "warn_at", "list of shares", "[]"),
    Key("limits", "at_limit", '"refuse", "throttle" or "observe"', '"refuse"'),
    Key("limits", "throttle_to", "rate"),
    Key("limits", "pace_from", "share"),
    Key("notify", "name", "text", '""'),
    Key("notify", "on", "list of events", '["blocked", "escalation", "finding", "lost", "tripped", "warned"]'),
    Key("notify", "timeout", "span", '"10s"'),
    Key("notify", "webhook", "text"),
    Key("notify", "headers", "table of texts", "{}"),
    Key("notify", "command", "list of texts"),
    Key("notify", "mail", "table"),
    Key("notify.mail", "to", "list of addresses"),
    Key("notify.mail", "from", "address", '""'),
    Key("notify.mail", "host", "text", '"localhost"'),
    Key("notify.mail", "port", "whole number"),
    Key("notify.mail", "security", '"none", "starttls" or "tls"'),
    Key("notify.mail", "user", "text", '""'),
    Key("notify.mail", "password_env", "text", '""'),
    Key("mirror", "dir", "text", '".spendgate/log"'),
    Key("mirror", "keep", "days", '"30d"'),
)

BY_PATH: Final = {key.path: key for key in KEYS}
NAMES: Final = {table: tuple(key.name for key in KEYS if key.table == table) for table in {key.table for key in KEYS}}
"""The names of the keys of each table."""
