"""What convicts a key: a piece that is the lookup's own instant, or one that is always new while the rest repeats."""

from dataclasses import dataclass, field
from math import gcd

from spendgate.caches.instants import CLOSE
from spendgate.caches.shapes import Shape
from spendgate.caches.sightings import Distinct, Sightings, digest

BLOCK = 100
"""How many lookups make a block; two blocks are kept, and the evidence of both counts."""
NEARLY_ALL = 0.9
MOVES = 8
"""How many times the instant in the key must have changed: one that stands still is a window's, not the lookup's.

And it must either change with nearly each lookup, or not stand on a grid coarser than two seconds: a job that begins on
the hour looks everything up within two seconds of the hour that its keys have.
"""
_MOST_LABELS = 8
_ADOPTED = 1024
_STEP = 1000
"""How far the next number of a sequence is from the last one at most."""

Label = tuple[str, int, bool]
"""A spelling of an instant, the quarter-hours of its zone, whether it is an id's."""


@dataclass(slots=True)
class _Own:
    """A spelling that was the lookup's own instant: how often, in which steps, and where in the key."""

    times: int = 0
    step: int = 0
    last: int = -1
    moves: int = 0
    segment: int = 0

    def note(self, at: int, segment: int) -> None:
        self.times += 1
        self.segment = segment
        self.step = gcd(self.step, at)
        if at != self.last:
            self.moves += 1
            self.last = at


@dataclass(slots=True)
class _Block:
    looks: int = 0
    seen: int = 0
    answered: int = 0
    hits: int = 0
    labels: dict[Label, _Own] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OwnInstant:
    """A piece of the key that is the instant of the lookup.

    Attributes:
        words: its spelling.
        segment: the segment that it stands in, from 1.
        is_id: whether it is the beginning of an id, which a fresh record has too.
    """

    words: str
    segment: int
    is_id: bool


class Moments:
    """The latest 100 to 199 lookups: in how many of them a piece of the key was the lookup's own instant."""

    __slots__ = ("_before", "_now")

    def __init__(self) -> None:
        self._before = _Block()
        self._now = _Block()

    def look(self, fresh: bool | None, hit: bool | None) -> None:
        """A lookup begins; `own` may follow."""
        if self._now.looks >= BLOCK:
            self._before, self._now = self._now, _Block()
        block = self._now
        block.looks += 1
        block.hits += hit is True
        if fresh is not None:
            block.answered += 1
            block.seen += not fresh

    def own(self, label: Label, at: int, segment: int) -> None:
        """The lookup's own instant was found in its key, in this spelling."""
        labels = self._now.labels
        if label in labels or len(labels) < _MOST_LABELS:
            labels.setdefault(label, _Own()).note(at, segment)

    def verdict(self) -> OwnInstant | None:
        """The spelling that is the lookup's own instant in nearly all of them, if keys neither repeat nor hit."""
        before, now = self._before, self._now
        looks = before.looks + now.looks
        if looks < BLOCK or before.hits + now.hits > looks * 0.02 or self.repeats():
            return None
        for label in {**before.labels, **now.labels}:
            one, two = before.labels.get(label, _Own()), now.labels.get(label, _Own())
            times, moves = one.times + two.times, one.moves + two.moves
            if times < looks * NEARLY_ALL or moves < MOVES:
                continue
            if gcd(one.step, two.step) <= CLOSE or moves >= times * NEARLY_ALL:
                return OwnInstant(label[0], two.segment or one.segment, label[2])
        return None

    def repeats(self) -> bool:
        """Whether more than one in twenty of these keys was seen before."""
        answered = self._before.answered + self._now.answered
        return self._before.seen + self._now.seen > answered * 0.05


class Rest:
    """The key without one of its pieces: does it repeat, and how many different ones are there?

    Attributes:
        shape: what the piece looks like.
        segment: the segment that it stands in, from 1.
    """

    __slots__ = (
        "_digits",
        "_distinct",
        "_exact",
        "_last",
        "_noted",
        "_number",
        "_passed",
        "_sequence",
        "segment",
        "shape",
        "sightings",
    )

    def __init__(self, shape: Shape, segment: int) -> None:
        self.shape = shape
        self.segment = segment
        self.sightings = Sightings(1024, bits_each=16)
        self._distinct = Distinct()
        self._exact: int | None = 0
        self._last = self._number = -1
        self._noted = self._passed = self._sequence = self._digits = 0

    def note(self, text: str, piece: Shape, segment: int, at: int, stride: int) -> None:
        """A lookup whose key, without the piece, is this."""
        self.shape, self.segment = piece, segment
        self._noted += 1
        hashed = digest(text)
        self._distinct.add(hashed)
        if hashed != self._last:  # a run of the same, such as a customer's records in turn, is no repetition
            fresh = self.sightings.see(hashed, at)
            if self._exact is not None:
                self._exact = self._exact + bool(fresh) if not self.sightings.turns else None
        self._last = hashed
        if piece.number >= 0:
            self._sequence += abs(piece.number - self._number) <= _STEP * stride
            self._number = piece.number
        self._digits += any("0" <= letter <= "9" for letter in text)

    def passed(self) -> None:
        """A lookup was looked at, whether or not its key had such a piece."""
        self._passed += 1
        if self._passed >= _ADOPTED:
            self._passed >>= 1
            self._noted >>= 1
            self._sequence >>= 1
            self._digits >>= 1

    def presence(self) -> float:
        """In which share of the lookups the piece was there, from 0 to 1."""
        return self._noted / (self._passed or 1)

    def rare(self) -> bool:
        """Whether the piece is in so few keys that another one may take its room."""
        return self._passed >= 64 and self.presence() < 0.5

    def different(self) -> int:
        """How many different rests there were: to one in 400 while they have room, later 3 % off."""
        return self._distinct.count() if self._exact is None else self._exact

    def begin_anew(self) -> None:
        """Counts different rests from now on."""
        self._exact = None
        self._distinct.clear()

    def names_records(self) -> bool:
        """Whether the rest, by itself, looks like what names a record: more than fifty of them; without digits, 300."""
        return self.different() > (50 if self._digits * 2 > self._noted else 300)

    def is_sequence(self) -> bool:
        """Whether the piece counts up by small steps, as the ids of new records do."""
        return self._sequence * 2 > self._noted
