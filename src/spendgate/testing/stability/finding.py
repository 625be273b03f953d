"""What is said of a key that does not repeat: both keys, the part in which they differ, and where that comes from."""

import re
from dataclasses import dataclass, field

SOURCES: dict[str, tuple[str, str]] = {
    "clock": (
        "the time of the call is part of the key",
        (
            "leave it out; if answers go stale, let the key hold for a while: stable_key(..., window='24h'), "
            "and say window='24h' here"
        ),
    ),
    "date": (
        "the day of the call is part of the key",
        "leave it out, or say so: stable_key(..., window='24h') and window='24h' here",
    ),
    "stopwatch": ("a stopwatch is part of the key", "leave it out: it never reads the same twice"),
    "window": (
        "the key does not hold for as long as its window says",
        (
            "say the same window here and in stable_key(..., window=...), or none in both; "
            "it counts seconds since 1970, not hours of the day"
        ),
    ),
    "uuid": ("a new UUID is made for every key", "use the id of what is looked up, not a new one"),
    "random": ("a random value is part of the key", "leave it out"),
    "counter": ("something counts the calls, and the count is part of the key", "leave it out"),
    "hash": (
        "hash() of text and bytes is another number in every process",
        "spell the value: stable_key(...), or a digest of hashlib",
    ),
    "id": ("id() is an address: equal values have different ones", "use the value itself, or what identifies it"),
    "default repr": (
        "an object is spelled by its address (<... object at 0x...>)",
        "use the fields that identify it; stable_key(...) refuses such objects",
    ),
    "identity": ("equal arguments are told apart", "use what the arguments say, not which objects they are"),
    "set order": ("a set is spelled in the order in which it happens to be stored", "sort it; stable_key(...) does"),
    "dict order": (
        "a dictionary is spelled in the order in which it was filled",
        "sort its items; stable_key(...) does, and json.dumps(..., sort_keys=True)",
    ),
    "time zone": (
        "the machine's time zone is part of the key: hosts in two zones never share an answer",
        "use UTC: datetime.now(UTC), or stable_key(..., window=...)",
    ),
    "process id": ("the process id is part of the key", "leave it out: it is another one after every restart"),
    "thread": ("the thread is part of the key", "leave it out: any thread may ask next"),
    "host name": ("the name of the machine is part of the key", "leave it out, or machines share no answers"),
    "environment": ("an environment variable is part of the key", "pass what the answer depends on as an argument"),
    "working directory": ("the working directory is part of the key", "pass the path that is meant, in full"),
    "locale": ("the locale is part of the key", "spell numbers and names without it: repr(), isoformat()"),
    "import": (
        "something that is made when the module is imported is part of the key",
        "leave it out: it is another one after every restart",
    ),
    "state": ("something that the function remembers is part of the key", "make the key from the arguments alone"),
    "raises": ("the function raises one time and gives a key the other", "let it depend on its arguments alone"),
    "missing argument": (
        "inputs that differ share a key: what tells them apart is not in it, so one gets the other's answer",
        "put it into the key",
    ),
    "separator": (
        "parts run into each other, so different inputs share a key",
        "keep them apart: stable_key(first, second), or a tuple",
    ),
    "float formatting": (
        "numbers are rounded on their way into the key, so different ones share it",
        "use repr(), or round on purpose and say so: allow={'distinct': 'why'}",
    ),
    "not cached": (
        "the call put nothing into the cache and found nothing there",
        "is it the cache that the function uses?",
    ),
    "unhashable": ("what it gives cannot be hashed, so no dictionary takes it", "give text, or a tuple"),
    "no key": ("no input gave a key", "pass inputs that the function accepts"),
    "took too long": ("another interpreter did not answer in time", "make it faster, or raise timeout_s"),
}
"""Where a difference comes from: what it means, and what to do."""

_PARTS = ":|,;/ "


@dataclass(frozen=True, slots=True)
class KeyFinding:
    """One way in which a key does not repeat, or is shared by inputs that differ.

    Attributes:
        check: which check found it: repeat, copies, order, thread, time, interpreters, distinct, inputs.
        source: where it comes from: a name of `SOURCES`.
        arguments: what the function was called with.
        when: under which circumstances the keys differ.
        first: the one key.
        second: the other.
        detail: how the source was asked, such as `datetime.now()`, where that was seen.
    """

    check: str
    source: str
    arguments: str
    when: str
    first: str
    second: str = ""
    detail: str = ""

    @property
    def explanation(self) -> str:
        """Where it comes from, in words."""
        return SOURCES[self.source][0]

    @property
    def remedy(self) -> str:
        """What to do."""
        return SOURCES[self.source][1]

    def __str__(self) -> str:
        marked = marked_parts(self.first, self.second) if self.second else (shortened(self.first), "")
        lines = [f"  called with {self.arguments}", f"  {self.when}"]
        lines += [f"    {key}" for key in marked if key]
        seen = f" (it calls {self.detail})" if self.detail.endswith(")") else f" ({self.detail})" * bool(self.detail)
        lines += [f"  likely source: {self.source}{seen}: {self.explanation}.", f"  remedy: {self.remedy}."]
        return "\n".join(lines)


class KeyStabilityError(AssertionError):
    """A key function, or a cached function, does not do what a cache needs. `findings` says in which ways."""

    def __init__(self, function: str, findings: tuple[KeyFinding, ...]) -> None:
        self.function = function
        self.findings = findings
        super().__init__("\n".join([f"the keys of {function} are not stable.", *map(str, findings)]))

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.function, self.findings)


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two keys differ: from `start` on, as far as their ends are the same again."""

    start: int
    first: str
    second: str
    before: str = field(repr=False, default="")
    after: str = field(repr=False, default="")


def difference(first: str, second: str) -> Difference:
    """The smallest run of whole parts in which two keys differ; parts are what stands between `:`, `|`, `,`, ..."""
    short = min(len(first), len(second))
    start = next((i for i in range(short) if first[i] != second[i]), short)
    end = next((i for i in range(short - start) if first[-1 - i] != second[-1 - i]), short - start)
    while start and first[start - 1] not in _PARTS:
        start -= 1
    while end and first[len(first) - end] not in _PARTS:
        end -= 1
    stop = len(first) - end
    return Difference(start, first[start:stop], second[start : len(second) - end], first[:start], first[stop:])


def marked_parts(first: str, second: str) -> tuple[str, str]:
    """Two keys with the part in which they differ between « and ».

    >>> marked_parts("enrichment:4711:09:41", "enrichment:4711:09:42")
    ('enrichment:4711:09:«41»', 'enrichment:4711:09:«42»')
    """
    if first == second:
        return shortened(first), shortened(second)
    found = difference(first, second)
    before = found.before if len(found.before) <= 60 else f"...{found.before[-57:]}"
    after = found.after if len(found.after) <= 40 else f"{found.after[:37]}..."
    return f"{before}«{shortened(found.first)}»{after}", f"{before}«{shortened(found.second)}»{after}"


def shortened(text: str) -> str:
    """At most 120 characters of a text, without line breaks."""
    text = re.sub(r"[\r\n\t]", " ", text)
    return text if len(text) <= 120 else f"{text[:80]}...{text[-37:]}"
