"""Cache keys that repeat when their input does: in every process, on every machine, for ever.

>>> stable_key("enrichment", 4711)
'enrichment:4711'
>>> stable_key("a:b", "c") == stable_key("a", "b:c")
False
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

from spendgate.caches.spelling import spell

LONGEST = 200
"""The most characters of a readable key; what is longer becomes a digest. Memcached takes 250."""
LONGEST_WINDOW_S = 3660 * 86_400
EARLIEST_AT, LATEST_AT = -60_000_000_000_000_000, 250_000_000_000_000_000
"""Between which instants windows are cut: in microseconds, the years 68 to 9892."""
LONGEST_NAME = 60
"""The most characters of a first part that a digest form still begins with."""

_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Span = str | timedelta
"""A window: `"24h"`, `"1h30m"`, or whole seconds as a `timedelta`."""
Instant = datetime | int
"""An aware `datetime`, or microseconds since 1970-01-01 UTC."""


@dataclass(frozen=True, slots=True)
class StableKey:
    """A key, and until when it is the key of its input.

    Attributes:
        key: what `stable_key` returns: the readable form where it has at most 200 characters, else a digest that begins
            with the first part where that is a short text.
        readable: the whole key in words, however long.
        digest: 64 hexadecimal digits, of whatever length the input is.
        expires_at: when the window ends and the next key begins; None without a window.
        ttl_s: how many seconds that is from the instant that the key was made for; None without a window.
    """

    key: str
    readable: str
    digest: str
    expires_at: datetime | None
    ttl_s: float | None


class StableKeys:
    """Makes cache keys. `spendgate.stable_key` is the one there is: call it.

    The same input gives the same key in every process, on every machine, for ever; different inputs never share one.
    Values of the same type that Python calls equal are the same input; values of different types never are: `1`,
    `1.0`, `True` and `"1"` have four keys.
    """

    def __call__(
        self,
        *parts: object,
        window: Span | None = None,
        phase: bool = True,
        version: object = None,
        now: Instant | None = None,
    ) -> str:
        """The key of its parts.

        Args:
            parts: what the cached answer depends on, a name for the cache first. See docs/caches.md for the types.
            window: for how long one key holds before the next one takes its place. It is cut from seconds since 1970,
                so it knows no time zones and no daylight saving.
            phase: whether each key changes at a moment of its own within the window, so that not all change at once.
            version: what makes every key a new one when it changes, such as the model or the prompt's revision.
            now: the instant for which the window is looked up; this instant where it is left out.

        Raises:
            UnstableKeyError: a part cannot be spelled the same everywhere. It names the path to the culprit.
            ValueError: the window is no span of time, or `now` is no instant: a float as of `time.time()`, or a
                datetime without a time zone.
        """
        return self.at(*parts, window=window, phase=phase, version=version, now=now).key

    def digest(
        self,
        *parts: object,
        window: Span | None = None,
        phase: bool = True,
        version: object = None,
        now: Instant | None = None,
    ) -> str:
        """The same key as 64 hexadecimal digits: where a cache wants one length, or the input must not be readable."""
        return self.at(*parts, window=window, phase=phase, version=version, now=now).digest

    def at(
        self,
        *parts: object,
        window: Span | None = None,
        phase: bool = True,
        version: object = None,
        now: Instant | None = None,
    ) -> StableKey:
        """The key with its forms and its own expiry, for caches that are told how long to keep something."""
        if not parts:
            raise TypeError('a key needs at least one part: stable_key("enrichment", record_id)')
        spelt = [spell(part, f"parts[{number}]") for number, part in enumerate(parts)]
        text = ":".join(spelt)
        if version is not None:
            text = f"{text};v={spell(version, 'version')}"
        if window is None:
            return _key(text, spelt[0], None, None)
        span = window_seconds(window)
        now_at = _now() if now is None else _micros(now)
        shift = int.from_bytes(sha256(f"{text};{span}".encode()).digest()[:8]) % span if phase else 0
        number = (now_at // 1_000_000 + shift) // span
        ends = (number + 1) * span - shift
        text = f"{text};{span}s{'~' if phase else '@'}{number}"
        return _key(text, spelt[0], ends, ends - now_at / 1_000_000)


stable_key: Final = StableKeys()


def _key(text: str, name: str, ends: int | None, ttl_s: float | None) -> StableKey:
    digest = sha256(text.encode()).hexdigest()
    key = text
    if len(text) > LONGEST:
        is_name = len(name) <= LONGEST_NAME and re.fullmatch(r"[\w.%-]+", name, re.ASCII)
        key = f"{name}:sha256({digest})" if is_name else f"sha256({digest})"
    expires_at = None if ends is None else _EPOCH + timedelta(seconds=ends)
    return StableKey(key, text, digest, expires_at, ttl_s)


def window_seconds(window: Span) -> int:
    """A window in whole seconds.

    Raises:
        ValueError: it is no span of time, is 0, or above ten years.
    """
    if isinstance(window, timedelta):
        whole = window // timedelta(seconds=1)
        if window != timedelta(seconds=whole):
            raise ValueError(f"a window of {window} is no whole number of seconds")
    elif isinstance(window, str) and re.fullmatch(r"(?:[0-9]{1,9}(?:min|[smhdw]))+", window):
        whole = sum(int(count) * _UNITS[unit] for count, unit in re.findall(r"([0-9]+)(min|[smhdw])", window))
    else:
        raise ValueError(f"{window!r} is no window; write one such as 90s, 15m, 5h, 36h or 7d, or a timedelta")
    if not 0 < whole <= LONGEST_WINDOW_S:
        raise ValueError(f"a window of {window!r} must be longer than 0 and at most 3660d")
    return whole


def _micros(when: Instant) -> int:
    if not isinstance(when, datetime):
        if isinstance(when, bool) or not isinstance(when, int) or not EARLIEST_AT <= when <= LATEST_AT:
            raise ValueError(f"now={when!r} is no instant: pass an aware datetime, or whole microseconds since 1970")
        return when
    if when.utcoffset() is None:
        raise ValueError(f"now={when!r} has no time zone: say which, for example with tzinfo=datetime.UTC")
    return (when - _EPOCH) // _MICROSECOND


def _now() -> int:
    from spendgate.clock import SystemClock

    return SystemClock().now()
