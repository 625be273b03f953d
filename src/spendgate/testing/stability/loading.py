"""A whole cached function: called twice, it loads once."""

from collections.abc import Callable, Sequence
from typing import Any

from spendgate.clock import DAY, HOUR, SECOND
from spendgate.testing.stability import diagnosis
from spendgate.testing.stability.calling import Arguments, call, show
from spendgate.testing.stability.finding import KeyFinding
from spendgate.testing.stability.inputs import copied, differ, reordered
from spendgate.testing.stability.moving import START_AT, stopped
from spendgate.testing.stability.overtime import span
from spendgate.testing.stability.sources import Trace


class Loads:
    """Counts what a cache had to load: by its misses, by the keys that it gains, or by asking a function."""

    def __init__(self, cache: Any) -> None:
        self._cache = cache
        self._seen: dict[str, None] = {}
        self._count = 0
        self.latest = ""
        self.count()

    def count(self) -> int:
        """Loads so far."""
        if hasattr(self._cache, "cache_info"):
            return int(self._cache.cache_info().misses)
        if callable(self._cache):
            return int(self._cache())
        for key in self._keys():
            if key not in self._seen:
                self._seen[key] = None
                self._count += 1
                self.latest = key
        return self._count

    def uses(self) -> int | None:
        """Lookups so far, where the cache counts them."""
        if hasattr(self._cache, "cache_info"):
            info = self._cache.cache_info()
            return int(info.hits + info.misses)
        return None

    def _keys(self) -> list[str]:
        for name in ("scan_iter", "iterkeys", "keys"):
            if hasattr(self._cache, name):
                return [show(key) for key in list(getattr(self._cache, name)())]
        return [show(key) for key in list(self._cache)]


class Loading:
    """Examines a cached function by what its cache loads."""

    def __init__(self, function: Callable[..., Any], cache: Any, window: int | None) -> None:
        self._function = function
        self._loads = Loads(cache)
        self._window = window
        self._is_open_ended = not hasattr(cache, "expire") and (type(cache) is dict or hasattr(cache, "cache_info"))

    def examine(self, examples: Sequence[Arguments]) -> KeyFinding | None:
        """What is wrong with it, or None. Examples that raise are left out."""
        before: list[Arguments] = []
        with stopped(START_AT) as move_to:
            for given in examples:
                move_to(START_AT)
                found = self._one(given, before)
                found = found or self._later(given, move_to)
                if found is not None:
                    return found
                before.append(given)
        return None

    def _one(self, given: Arguments, before: Sequence[Arguments]) -> KeyFinding | None:
        start, uses = self._loads.count(), self._loads.uses()
        trace = Trace()
        outcome = call(self._function, given, trace)
        if outcome.kind == "raised":
            is_ours = isinstance(outcome.value, TypeError) and "unhashable" in str(outcome.value)
            return self._finding("inputs", "no key", given, f"it raised: {outcome.value}", trace) if is_ours else None
        loaded, first = self._loads.count(), self._loads.latest
        if loaded == start:
            is_known = any(not differ(given, one) for one in before)
            is_unused = not before if uses is None else self._loads.uses() == uses
            if is_unused:
                return self._finding("inputs", "not cached", given, "called once", trace)
            if not is_known and before:
                other = next(one for one in before if differ(given, one))
                when = f"it got an answer that was loaded before, for other arguments such as {other}"
                return self._finding("distinct", "missing argument", given, when, trace)
        for check, again, when in self._alike(given):
            call(self._function, again)
            if self._loads.count() != loaded:
                source, detail = self._source(check, first, trace)
                return self._finding(check, source, given, when, trace, first, detail)
        return None

    def _alike(self, given: Arguments) -> list[tuple[str, Arguments, str]]:
        found: list[tuple[str, Arguments | None, str]] = [
            ("repeat", given, "called twice at the same instant, it loaded twice"),
            ("copies", copied(given), "called again with equal arguments, it loaded again"),
            ("dict order", reordered(given, dict), "called with dictionaries in another order, it loaded again"),
            ("set order", reordered(given, set), "called with sets in another order, it loaded again"),
        ]
        return [(check, one, when) for check, one, when in found if one is not None]

    def _source(self, check: str, first: str, trace: Trace) -> tuple[str, str]:
        if check.endswith("order"):
            return check, ""
        if check == "copies":
            return diagnosis.of_copies(first, self._loads.latest, trace)
        return diagnosis.within_a_moment(first, self._loads.latest, trace)

    def _later(self, given: Arguments, move_to: Callable[[int], None]) -> KeyFinding | None:
        trace = Trace()
        call(self._function, given, trace)
        start, first = self._loads.count(), self._loads.latest
        window = self._window
        if window is None:
            for after in (1, 1000, SECOND, *((HOUR, DAY, 31 * DAY) if self._is_open_ended else ())):
                move_to(START_AT + after)
                call(self._function, given)
                if self._loads.count() != start:
                    when = f"called {span(after)} later, it loaded again"
                    return self._finding("time", "clock", given, when, trace, first, trace.sources.get("clock", ""))
            return None
        for part in range(1, 3 * 24 + 1):
            move_to(START_AT + part * window // 24)
            call(self._function, given)
            allowed = -(-part // 24)
            if self._loads.count() - start > allowed:
                when = f"within {span(part * window // 24)} it loaded {self._loads.count() - start} times more"
                return self._finding("time", "clock", given, when, trace, first, trace.sources.get("clock", ""))
            if part % 24 == 0 and self._loads.count() - start < part // 24:
                when = f"{span(part * window // 24)} later it still gives the first answer: it outlives its window"
                return self._finding("time", "window", given, when, trace, first)
        return None

    def _finding(  # noqa: PLR0917 - what a finding is made of, in its order
        self, check: str, source: str, given: Arguments, when: str, trace: Trace, first: str = "", detail: str = ""
    ) -> KeyFinding:
        second = self._loads.latest
        check = "order" if check.endswith("order") else check
        detail = detail or trace.sources.get(source, "")
        if not first:
            return KeyFinding(
                check, source, str(given), when, second or "(the cache does not say its keys)", "", detail
            )
        return KeyFinding(check, source, str(given), when, first, second, detail)
