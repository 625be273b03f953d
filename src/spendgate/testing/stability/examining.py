"""One key function under examination: every check, in order, with what it found."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from spendgate.clock import SECOND, monotonic
from spendgate.testing.stability import diagnosis
from spendgate.testing.stability.calling import Arguments, Outcome, call, in_thread, name_of
from spendgate.testing.stability.finding import KeyFinding
from spendgate.testing.stability.inputs import copied, differ, examples_from, probes, reordered
from spendgate.testing.stability.interpreters import Interpreters
from spendgate.testing.stability.loading import Loading
from spendgate.testing.stability.marking import CHECKS, MARK, read_allowed
from spendgate.testing.stability.moving import START_AT, stopped
from spendgate.testing.stability.overtime import Effort, Passage
from spendgate.testing.stability.sources import Trace

SLOW_S = 0.02
"""Functions that take longer are looked at with fewer examples and at fewer instants."""


@dataclass(frozen=True, slots=True)
class Result:
    """One check: what it found, or None; `left_out` says why it was not made."""

    check: str
    finding: KeyFinding | None = None
    left_out: str = ""


@dataclass(slots=True)
class Terms:
    """How a function is examined; see `assert_key_stable`. `window` is in microseconds."""

    window: int | None = None
    cache: Any = None
    allow: Mapping[str, str] = field(default_factory=dict)
    count: int = 30
    fresh: bool = True
    timeout_s: float = 60.0


class Examination:
    """Makes the checks. The function's clock stands still at `START_AT`, where a check does not move it."""

    def __init__(self, function: Callable[..., Any], inputs: Any, terms: Terms) -> None:
        self.function = function
        self.name = name_of(function)
        self.terms = terms
        self.allow = {**getattr(function, MARK, {}), **read_allowed(dict(terms.allow))}
        self.cache = function if terms.cache is None and hasattr(function, "cache_info") else terms.cache
        self.is_hinted = inputs is None
        self.examples = examples_from(function, inputs, terms.count)
        self.outcomes: list[Outcome] = []
        self.trace = Trace()
        self.cost_s = 0.0

    def results(self) -> Iterator[Result]:
        """The checks in order, each made when it is asked for. A key that differs from call to call ends them."""
        if set(self.allow) >= set(CHECKS):
            yield from (Result(check, None, reason) for check, reason in self.allow.items())
            return
        if self.cache is not None:
            yield Result("cache", self._loading())
            return
        checks: dict[str, Callable[[], KeyFinding | None]] = {
            "inputs": self._inputs,
            "repeat": self._repeat,
            "order": self._order,
            "copies": self._copies,
            "thread": self._thread,
            "time": self._time,
            "interpreters": self._interpreters,
            "distinct": self._distinct,
        }
        with stopped(START_AT):
            self._look()
        for name, check in checks.items():
            if name in self.allow:
                yield Result(name, None, self.allow[name])
            elif name == "interpreters" and not self.terms.fresh:
                yield Result(name, None, "fresh=False")
            elif name == "distinct" and len(self.examples) == 1 and not self.is_hinted:
                yield Result(name, None, "there was one input")
            else:
                finding = check()
                yield Result(name, finding)
                if finding is not None and name in ("inputs", "repeat"):
                    return

    def _loading(self) -> KeyFinding | None:
        found = Loading(self.function, self.cache, self.terms.window).examine(self.examples)
        return None if found is None or found.check in self.allow else found

    def _look(self) -> None:
        """The first calls: what they give, what they read, how long they take."""
        started = monotonic()
        self.outcomes = []
        for given in self.examples:
            self.outcomes.append(call(self.function, given))
            if monotonic() - started > 100 * SLOW_S and len(self.outcomes) >= 3:
                break
        self.cost_s = (monotonic() - started) / max(len(self.outcomes), 1)
        self.examples = self.examples[: len(self.outcomes)]
        for given in self.examples[:5]:
            trace = Trace()
            call(self.function, given, trace)
            self.trace.sources = {**trace.sources, **self.trace.sources}
            self.trace.variables |= trace.variables

    def _keyed(self, most: int | None = None) -> list[tuple[Arguments, Outcome]]:
        pairs = zip(self.examples, self.outcomes, strict=True)
        return [(given, outcome) for given, outcome in pairs if outcome.kind == "key"][:most]

    def _few(self) -> list[tuple[Arguments, Outcome]]:
        return self._keyed(1 if self.cost_s > SLOW_S else 3)

    def _inputs(self) -> KeyFinding | None:
        for given, outcome in self._keyed():
            try:
                hash(outcome.value)
            except TypeError as fault:
                return KeyFinding("inputs", "unhashable", str(given), str(fault), outcome.shown)
        if self._keyed():
            return None
        if not self.examples:
            return KeyFinding("inputs", "no key", "nothing", "there were no examples", "")
        error = self.outcomes[0].value
        many = len(self.examples)
        raised = f"every one of {many} calls raised, this one" if many > 1 else "the call raised"
        when = f"{raised} {type(error).__name__}: {error}"
        return KeyFinding("inputs", "no key", str(self.examples[0]), when, "")

    def _repeat(self) -> KeyFinding | None:
        with stopped(START_AT):
            for given, outcome in zip(self.examples, self.outcomes, strict=True):
                again = call(self.function, given)
                if not again.same(outcome):
                    source, detail = diagnosis.within_a_moment(outcome.shown, again.shown, self.trace)
                    return self._found("repeat", (source, detail), given, "called twice at one instant", outcome, again)
        return None

    def _copies(self) -> KeyFinding | None:
        with stopped(START_AT):
            for given, outcome in self._keyed():
                equal = copied(given)
                again = outcome if equal is None else call(self.function, equal)
                if not again.same(outcome):
                    why = diagnosis.of_copies(outcome.shown, again.shown, self.trace)
                    return self._found("copies", why, given, "called again with equal arguments", outcome, again)
        return None

    def _order(self) -> KeyFinding | None:
        with stopped(START_AT):
            for given, outcome in self._keyed():
                for kind, source in ((dict, "dict order"), (set, "set order")):
                    other = reordered(given, kind)
                    again = outcome if other is None else call(self.function, other)
                    if not again.same(outcome):
                        what = "dictionaries" if kind is dict else "sets"
                        return self._found(
                            "order", (source, ""), given, f"called with its {what} in another order", outcome, again
                        )
        return None

    def _thread(self) -> KeyFinding | None:
        with stopped(START_AT):
            for given, outcome in self._few():
                again = in_thread(self.function, given)
                if not again.same(outcome):
                    why = ("thread", self.trace.sources.get("thread", ""))
                    return self._found("thread", why, given, "called in another thread", outcome, again)
        return None

    def _time(self) -> KeyFinding | None:
        window, clock = self.terms.window, diagnosis.of_the_clock(self.trace)
        with stopped(START_AT) as move_to:
            for given, _ in self._few():

                def key_at(at: int, given: Arguments = given) -> Outcome:
                    move_to(at)
                    return call(self.function, given)

                passage = Passage(given, key_at, clock)
                if window is None:
                    found = passage.without_window()
                else:
                    slow = Effort(4, max(window // 1000, SECOND))
                    found = passage.with_window(window, slow if self.cost_s > SLOW_S else Effort())
                if found is not None:
                    return found
        return None

    def _interpreters(self) -> KeyFinding | None:
        few = [given for given, _ in self._keyed(2 if self.cost_s > SLOW_S else None)]
        window = self.terms.window
        instants = [START_AT] if window is None else [START_AT, START_AT + window // 2, START_AT + window]
        with stopped(START_AT) as move_to:
            own = []
            for at in instants:
                move_to(at)
                own.append([call(self.function, given) for given in few])
        return Interpreters(self.function, self.terms.timeout_s).compare(few, own, instants, self.trace)

    def _distinct(self) -> KeyFinding | None:
        shared: dict[str, list[tuple[Arguments, Outcome]]] = {}
        with stopped(START_AT):
            for given, outcome in self._keyed():
                for other, known in shared.setdefault(outcome.shown, []):
                    if known.same(outcome) and differ(given, other):
                        return self._shared(given, other, outcome, _sort_of(given, other))
                shared[outcome.shown].append((given, outcome))
            for one, two in probes(self.function) if self.is_hinted else ():
                left, right = call(self.function, one), call(self.function, two)
                if left.kind == right.kind == "key" and left.same(right):
                    return self._shared(one, two, left, "separator")
        return None

    def _shared(self, given: Arguments, other: Arguments, outcome: Outcome, source: str) -> KeyFinding:
        when = f"and with {other}, it gives one key"
        return KeyFinding("distinct", source, str(given), when, outcome.shown)

    def _found(  # noqa: PLR0917 - what a finding is made of, in its order
        self, check: str, why: tuple[str, str], given: Arguments, when: str, first: Outcome, second: Outcome
    ) -> KeyFinding:
        source, detail = why if first.kind == second.kind else ("raises", "")
        return KeyFinding(check, source, str(given), when, first.shown, second.shown, detail)


def _sort_of(one: Arguments, two: Arguments) -> str:
    """What sort of difference between two inputs is not in their key."""
    if len(one.args) != len(two.args) or one.kwargs.keys() != two.kwargs.keys():
        return "missing argument"
    pairs = [*zip(one.args, two.args, strict=True), *((one.kwargs[name], two.kwargs[name]) for name in one.kwargs)]
    unequal = [(left, right) for left, right in pairs if left != right]
    if all(isinstance(left, float) and isinstance(right, float) for left, right in unequal):
        return "float formatting"
    texts = all(isinstance(left, str) and isinstance(right, str) for left, right in unequal)
    return "separator" if texts and len(unequal) > 1 else "missing argument"
