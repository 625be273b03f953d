"""Was this seen before, and how many different ones were there: in a few kilobytes, whatever comes.

Both are handed numbers of 64 bits that a keyed hash has made: neither can be turned back into keys.
"""

import math
import os
from hashlib import blake2b

from spendgate.clock import HOUR

HORIZON = 12 * HOUR
"""How long a key should be remembered at least. More keys than there is room for are thinned by their hash."""
_RECENT = 512
"""How many answers the share of the new ones is taken of, older ones fading."""
_THINNEST = 0xFFFF
_SECRET = os.urandom(16)


def digest(text: str) -> int:
    """A hash of 64 bits, keyed anew in every process."""
    raw = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(raw, digest_size=8, key=_SECRET).digest(), "little")


class Sightings:
    """Remembers what was seen in two Bloom filters that take turns, and counts the share of what is new.

    Once a filter is full the other one is emptied and filled. Where that happens more than once in twelve hours, only
    every second hash is taken, then every fourth: what is taken is seen each time it comes, so the share of new ones
    stays right, and what was seen is remembered for longer.

    Attributes:
        new: answers "new", older ones fading.
        seen: answers "seen before", older ones fading.
        answers: all answers there were.
        turns: how often a filter was full.
    """

    __slots__ = (
        *("_before", "_began_at", "_count", "_known", "_mask", "_now", "_reach", "_room"),
        *("answers", "new", "seen", "turns"),
    )

    def __init__(self, room: int, bits_each: int = 32) -> None:
        self._room = room
        size = room * bits_each  # with 32 bits one in 5,000 is taken for another, with 16 one in 400; a power of two
        self._reach = size - 1
        self._now = bytearray(size // 8)
        self._before = bytearray(size // 8)
        self.clear()

    def clear(self) -> None:
        """Forgets everything."""
        self._empty(self._now)
        self._empty(self._before)
        self._mask = self._known = self._count = 0
        self._began_at: int | None = None
        self.new = self.seen = self.answers = self.turns = 0

    @staticmethod
    def _empty(bits: bytearray) -> None:
        bits[:] = bytes(len(bits))

    def see(self, hashed: int, at: int, *, counts: bool = True) -> bool | None:
        """Whether a hash is new, and remembers it.

        Args:
            hashed: 64 bits.
            at: this instant.
            counts: False where "new" would mean nothing, since it may have been passed over before.

        Returns:
            True for a new one, False for one seen before, None where the hash is not among those that are remembered.
        """
        if hashed & self._mask:
            return None
        known = counts and not hashed & self._known
        fresh = self._mark(hashed, at)
        if not known:
            return None if fresh else False
        self.answers += 1
        if self.new + self.seen >= _RECENT:
            self.new >>= 1
            self.seen >>= 1
        if fresh:
            self.new += 1
        else:
            self.seen += 1
        return fresh

    def seen_share(self) -> float:
        """Of the latest answers the share of "seen before", from 0 to 1."""
        return self.seen / (self.new + self.seen or 1)

    def _mark(self, hashed: int, at: int) -> bool:
        place, step, reach = hashed >> 16, hashed >> 40 | 1, self._reach
        now, before = self._now, self._before
        in_now = in_before = True
        for _ in range(4):
            place += step
            index, bit = (place & reach) >> 3, 1 << (place & 7)
            if not now[index] & bit:
                in_now = False
                now[index] |= bit
            if not before[index] & bit:
                in_before = False
        if in_now:
            return False
        self._count += 1
        if self._count >= self._room:
            self._turn(at)
        elif self._began_at is None:
            self._began_at = at
        return not in_before

    def _turn(self, at: int) -> None:
        lasted = at - (at if self._began_at is None else self._began_at)
        self._now, self._before = self._before, self._now
        self._empty(self._now)
        self._known, self._count, self._began_at = self._mask, 0, at
        self.turns += 1
        if lasted < HORIZON:
            self._mask = min(self._mask << 1 | 1, _THINNEST)
        elif lasted > 4 * HORIZON:
            self._mask >>= 1


class Distinct:
    """How many different hashes there were: HyperLogLog of 1,024 registers, 3 % off, less where there are few."""

    __slots__ = ("_registers",)

    def __init__(self) -> None:
        self._registers = bytearray(1024)

    def clear(self) -> None:
        """Forgets everything."""
        self._registers[:] = bytes(1024)

    def add(self, hashed: int) -> None:
        """Counts a hash of 64 bits."""
        rank = 55 - (hashed >> 10).bit_length()
        self._registers[hashed & 1023] = max(self._registers[hashed & 1023], rank)

    def count(self) -> int:
        """How many different ones were added, estimated."""
        empty = self._registers.count(0)
        if empty > 100:  # few enough to count registers that nothing fell into
            return round(1024 * math.log(1024 / empty))
        return round(0.7213 / (1 + 1.079 / 1024) * 1024 * 1024 / sum(2.0**-rank for rank in self._registers))
