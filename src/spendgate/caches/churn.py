"""Keys that cannot repeat: found from the keys alone, without any history, in bounded memory.

>>> from spendgate.clock import SECOND, moment
>>> churn = Churn()
>>> for number in range(200):
...     at = 1_793_000_000_000_000 + number * 6 * SECOND + 17 * number
...     churn.look(f"enrichment:{number % 80}:{moment(at).isoformat()}", at)
>>> churn.verdict(at).sentence("pages")
'pages: 200 lookups, 200 different keys; without the ISO timestamp in segment 3 there are 80. This cache cannot hit.'
"""

import threading
from dataclasses import dataclass, replace

from spendgate.caches.churn_verdict import ChurnVerdict
from spendgate.caches.evidence import BLOCK, Moments, OwnInstant, Rest
from spendgate.caches.plain import plain
from spendgate.caches.shapes import Piece, Shape, pieces
from spendgate.caches.sightings import Sightings, digest
from spendgate.clock import DAY, MINUTE, SECOND

LOOKED_AT_FIRST = 2048
"""So many lookups are all looked at; then few enough of them to cost nothing."""
LOOKS_PER_S = 32
"""How many lookups a second are looked at in the long run. One takes 4 to 17 microseconds."""
ENOUGH = 1000
"""After how many keys without a repetition a UUID, or a number that is drawn, convicts."""
ENOUGH_OF_HASHES = 10_000
"""The same for hashes: far more often they are made of the content, and then a scan is as good an explanation."""
REPEATING = 0.05
"""The share of keys seen before, or of hits, from which on a cache is healthy."""
HARDLY = 0.02
"""And the one up to which it may be churning."""

RARE = 5 * MINUTE
"""After so long without 64 looks twice as many lookups are looked at."""

_ROUND = 64
_MOST_RESTS = 3
_THINNEST = 0xFFFF
_FORGET = 8
"""By how many halvings fewer lookups must be passed over before what is known of keys is worth nothing."""


@dataclass(slots=True)
class _Period:
    """What the counts of a verdict are about: at most a day, and begun anew when a cache begins to churn."""

    began_at: int
    lookups: int = 0
    answered: int = 0
    repeats: int = 0

    def repeated(self) -> float:
        return self.repeats / (self.answered or 1)


class Churn:
    """Watches the keys of one cache. All of its state is below 50 kB, however many keys there are.

    **The contract with whoever sees the lookups.** One line for each lookup, after it was answered:

        if not hash(key) & churn.mask:
            churn.look(key, clock.now(), hit)

    The choice must be made by the key's hash, not by counting: so a key that is looked at is looked at each time it
    comes, and repetitions are seen however few keys are looked at. Python keeps the hash of a `str` or `bytes`, so that
    the line takes 0.03 microseconds. A key that cannot be hashed is handed to `look` as it is. `mask` is 0 for the
    first 2,048 lookups, and later such that about 32 lookups a second are looked at.

    `look` never raises what keys raise, never waits (a lookup that would have to is left out), keeps no key and no part
    of one. `verdict` is meant for a background flush, every few seconds.

    Not done: keys of several kinds in one cache are judged together, so watch them under several names. An instant that
    is off by more than two seconds (another machine's clock, an expiry) is no evidence.

    Attributes:
        mask: which lookups are to be looked at, see above.
        missed: misses that were looked at, where `hit` was handed in and it is known whether the key is new.
        missed_again: those of them whose key was asked for before: for `Evictions`.
    """

    __slots__ = (
        *("_hits", "_hits_known", "_last", "_lock", "_looks", "_moments", "_now", "_paced_at", "_period", "_rests"),
        *("_round", "_strict", "_strict_before", "_ticked", "_turns", "_whole", "mask", "missed", "missed_again"),
    )

    def __init__(self) -> None:
        self.mask = self.missed = self.missed_again = 0
        self._lock = threading.Lock()
        self._whole = Sightings(2048)
        self._moments = Moments()
        self._rests: dict[tuple[int, int], Rest] = {}
        self._now: Rest | None = None
        self._period: _Period | None = None
        self._last = ChurnVerdict("cannot tell yet")
        self._looks = self._hits = self._hits_known = self._ticked = self._turns = 0
        self._strict = self._strict_before = 0
        self._round, self._paced_at = _ROUND, 0

    def look(self, key: object, at: int, hit: bool | None = None) -> None:
        """A lookup that `mask` has chosen.

        Args:
            key: whatever the cache was asked for.
            at: the instant of the lookup, in microseconds; no more than half a second late.
            hit: whether it was a hit, if that is known. A cache that hits is not convicted of anything.
        """
        try:
            text, whole = plain(key)
            hashed = _of(key, text) if whole else _of_long(key, text)
            counts = self._chosen_before(key)
            if self._lock.acquire(blocking=False):
                try:
                    if self._count(hashed, at, hit, counts=counts):
                        self._read(text, at, whole=whole)
                finally:
                    self._lock.release()
        except Exception:  # noqa: BLE001 -- a key's own methods may raise anything, and its lookup must not notice
            return

    def verdict(self, at: int) -> ChurnVerdict:
        """What the keys say so far; also adapts `mask` to lookups that have become rare."""
        if not self._lock.acquire(timeout=1):
            return self._last
        try:
            self._tick(at)
            self._last = self._judge(at)
            return self._last
        finally:
            self._lock.release()

    def _count(self, hashed: int | None, at: int, hit: bool | None, *, counts: bool) -> bool:
        """Counts a key; false where it was seen before, which tells nothing more and would cost the most."""
        self._pace(at)
        fresh = None if hashed is None else self._whole.see(hashed, at, counts=counts)
        period = self._period
        if period is None or not 0 <= at - period.began_at < DAY:
            period = self._begin_anew(at)
        period.lookups += 1
        self._note_hit(hit)
        self._moments.look(fresh, hit)
        if fresh is not None:
            period.answered += 1
            period.repeats += not fresh
            if hit is False:
                self.missed += 1
                self.missed_again += not fresh
        return fresh is not False

    def _read(self, text: str, at: int, *, whole: bool) -> None:
        found, segments = pieces(text)
        own = self._own(found, at)
        if whole:
            self._note_rests(text, found, own, segments, at)

    def _own(self, found: list[Piece], at: int) -> list[Piece]:
        own, labels = [], set()
        for piece in found:
            for reading in piece.readings:
                quarters = reading.near(at)
                if quarters is not None:
                    own.append(piece)
                    label = (reading.words, quarters, reading.is_id)
                    if label not in labels:
                        labels.add(label)
                        self._moments.own(label, reading.at, piece.segment)
                    break
        return own

    def _note_rests(self, text: str, found: list[Piece], own: list[Piece], segments: int, at: int) -> None:
        if own:
            self._now = self._now or Rest(own[0].shape, own[0].segment)
            self._now.note(_without(text, own), own[0].shape, own[0].segment, at, self.mask + 1)
        for piece in found:
            if not piece.shape.nonce or piece in own:
                continue
            slot = (-1 if piece.segment == segments else piece.segment, piece.place)
            rest = self._rests.get(slot) or self._adopt(slot, piece.shape, piece.segment)
            if rest is not None:
                rest.note(_without(text, [piece]), piece.shape, piece.segment, at, self.mask + 1)
        for rest in self._rests.values():
            rest.passed()

    def _adopt(self, slot: tuple[int, int], shape: Shape, segment: int) -> Rest | None:
        if len(self._rests) >= _MOST_RESTS:
            rare = next((one for one, rest in self._rests.items() if rest.rare()), None)
            if rare is None:
                return None
            del self._rests[rare]
        self._rests[slot] = Rest(shape, segment)
        if self._period and self._period.lookups > 1:
            self._rests[slot].begin_anew()
        return self._rests[slot]

    def _note_hit(self, hit: bool | None) -> None:
        if hit is None:
            return
        self._hits_known += 1
        self._hits += hit
        if self._hits_known >= 512:
            self._hits_known >>= 1
            self._hits >>= 1

    def _begin_anew(self, at: int) -> _Period:
        if self._period is not None:
            for rest in (*self._rests.values(), *([self._now] if self._now else [])):
                rest.begin_anew()
        self._period = _Period(at)
        return self._period

    def _judge(self, at: int) -> ChurnVerdict:
        period = self._period or _Period(at)
        repeated = period.repeated()
        different = period.lookups - (round(period.lookups * repeated) if repeated > 0.001 else 0)
        plainly = ChurnVerdict("cannot tell yet", period.lookups, different, one_in=self.mask + 1)
        hits = self._hits / (self._hits_known or 1)
        guilty = None if hits > HARDLY else self._own_instant() or self._new_each_time()
        if guilty is not None:
            if period.repeated() > HARDLY:  # it began lately: what was counted before tells of another key
                period = self._begin_anew(at)
            if period.lookups < BLOCK:
                return self._last if self._last.kind == "churning" else plainly
            rest, shape, own = guilty
            without = None if rest is None else min(rest.different(), different)
            segment = rest.segment if rest else 0
            if isinstance(own, OwnInstant):
                segment = own.segment
            return replace(
                plainly, kind="churning", different_without=without, segment=segment, shape=shape, own_instant=bool(own)
            )
        share = self._whole.seen_share()
        if (hits >= REPEATING and self._hits_known >= 100) or (share >= REPEATING and self._whole.answers >= 100):
            return replace(plainly, kind="healthy")
        return plainly

    def _own_instant(self) -> tuple[Rest | None, str, OwnInstant | None] | None:
        own = self._moments.verdict()
        if own is None or (own.is_id and not (self._now and self._now.names_records())):
            return None
        return self._now, own.words, own

    def _new_each_time(self) -> tuple[Rest | None, str, OwnInstant | None] | None:
        whole = self._whole
        if whole.answers < ENOUGH or whole.seen_share() > HARDLY or self._moments.repeats():
            return None
        for rest in self._rests.values():
            share = rest.sightings.seen_share()
            if (
                rest.presence() >= 0.95
                and share >= 0.1
                and whole.seen_share() <= share / 10
                and rest.sightings.answers >= 300
                and not rest.is_sequence()
                and (not rest.shape.hashed or self._looks >= ENOUGH_OF_HASHES)
                and rest.names_records()
            ):
                return rest, rest.shape.words, None
        return None

    def _pace(self, at: int) -> None:
        self._looks += 1
        if self._whole.turns != self._turns:
            self._turns, self._strict_before, self._strict = self._whole.turns, self._strict, self.mask
        self._round -= 1
        if self._round or self._looks < LOOKED_AT_FIRST:
            self._round = self._round or _ROUND
            return
        self._round = _ROUND
        lasted = at - self._paced_at
        if lasted < _ROUND * SECOND // LOOKS_PER_S:
            self.mask = min(self.mask << 1 | 1, _THINNEST)
            self._strict = max(self._strict, self.mask)
        elif lasted > 16 * _ROUND * SECOND // LOOKS_PER_S:
            self._thicken()
        self._paced_at = at

    def _chosen_before(self, key: object) -> bool:
        """Whether the key would have been looked at all along, so that "new" means that it is."""
        strict = self._strict | self._strict_before
        if strict <= self.mask:
            return True
        try:
            return not hash(key) & strict
        except TypeError:
            return True

    def _tick(self, at: int) -> None:
        if self.mask and not 0 <= at - max(self._ticked, self._paced_at) < RARE:
            self._thicken()
            self._ticked = at

    def _thicken(self) -> None:
        self.mask >>= 1
        strict = self._strict | self._strict_before
        if strict and self.mask < strict >> _FORGET:
            self._whole.clear()
            self._strict = self._strict_before = self.mask
            self._turns = 0


def _of(key: object, text: str) -> int:
    return digest(text if type(key) is str else f"{type(key).__name__} {text}")


def _of_long(key: object, text: str) -> int | None:
    try:
        return digest(f"{type(key).__name__} {text} {hash(key)}")
    except TypeError:
        return None


def _without(text: str, cut: list[Piece]) -> str:
    for piece in reversed(cut):
        text = f"{text[: piece.start]}\0{text[piece.end :]}"
    return text
