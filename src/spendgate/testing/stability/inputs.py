"""What a key function is tried with: given examples, drawn ones, copies of them, and the same in another order."""

import copy
import dataclasses
import inspect
import itertools
import pickle
import types
import typing
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from importlib.util import find_spec
from typing import Any

from spendgate.caches.spelling import spell
from spendgate.errors import UnstableKeyError
from spendgate.testing.stability.calling import Arguments, read_arguments

SEPARATORS = (":", "", "|", "/", "-", "_", ",", ".", " ")


def examples_from(function: Callable[..., Any], inputs: Any, count: int) -> list[Arguments]:
    """Examples: those given, `count` drawn from a Hypothesis strategy, or as many that the type hints allow.

    Raises:
        TypeError: a parameter has no type hint, so that nothing says what to call the function with.
        RuntimeError: inputs are to be drawn, and Hypothesis is not installed.
    """
    if inputs is None:
        if find_spec("hypothesis") is None:
            raise RuntimeError("drawing inputs takes hypothesis: pip install 'spendgate[testing]', or give examples")
        parameters = inspect.signature(function).parameters.values()
        return drawn(hinted(function), count) if parameters else [Arguments()]
    if hasattr(inputs, "flatmap") and hasattr(inputs, "example"):
        return drawn(inputs, count)
    if isinstance(inputs, str | bytes) or not isinstance(inputs, Iterable):
        raise TypeError(f"inputs must be examples or a Hypothesis strategy, not {inputs!r}")
    return [read_arguments(one) for one in inputs]


def drawn(strategy: Any, count: int) -> list[Arguments]:
    """Different values of a strategy, always the same ones."""
    from hypothesis import HealthCheck, Phase, given, settings

    found: list[Arguments] = []

    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(value: object) -> None:
        found.append(read_arguments(value))

    collect()
    return found


def hinted(function: Callable[..., Any]) -> Any:
    """A strategy of what the type hints of a function's required parameters allow.

    Raises:
        TypeError: a parameter has no type hint.
    """
    from hypothesis import strategies

    hints = typing.get_type_hints(inspect.unwrap(function))
    plain, named = [], {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.default is not parameter.empty or parameter.kind in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        ):
            continue
        if parameter.name not in hints:
            raise TypeError(
                f"{parameter.name!r} has no type hint: give examples, or a strategy (on the command line: ARGS)"
            )
        if parameter.kind is parameter.KEYWORD_ONLY:
            named[parameter.name] = allowed(hints[parameter.name])
        else:
            plain.append(allowed(hints[parameter.name]))
    return strategies.builds(Arguments, strategies.tuples(*plain), strategies.fixed_dictionaries(named))


def allowed(hint: Any) -> Any:
    """A strategy of the values that a type hint allows, save those that no key is made of: NaN, naive datetimes."""
    from hypothesis import strategies as st

    if hint is float:
        return st.floats(allow_nan=False, allow_infinity=False)
    if hint is Decimal:
        return st.decimals(allow_nan=False, allow_infinity=False)
    if hint is datetime:
        return st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]))
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*map(allowed, inner))
    if origin is typing.Annotated and not inner[1:]:
        return allowed(inner[0])
    if origin in (list, set, frozenset) and inner:
        return getattr(st, {list: "lists", set: "sets", frozenset: "frozensets"}[origin])(allowed(inner[0]), max_size=4)
    if origin is dict and inner:
        return st.dictionaries(allowed(inner[0]), allowed(inner[1]), max_size=4)
    if origin is tuple and inner and inner[-1] is not Ellipsis:
        return st.tuples(*map(allowed, inner))
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        hints = typing.get_type_hints(hint)
        return st.builds(
            hint, **{field.name: allowed(hints[field.name]) for field in dataclasses.fields(hint) if field.init}
        )
    return st.from_type(hint)


def copied(given: Arguments) -> Arguments | None:
    """Equal arguments that are other objects; None where they cannot be copied."""
    try:
        return typing.cast("Arguments", pickle.loads(pickle.dumps(given)))  # noqa: S301 - our own arguments
    except Exception:  # noqa: BLE001 - whatever a reduction raises
        try:
            return copy.deepcopy(given)
        except Exception:  # noqa: BLE001
            return None


def reordered(given: Arguments, kind: type) -> Arguments | None:
    """The same arguments with dictionaries, or sets, in another order; None where there is nothing to reorder."""
    args = tuple(_reordered(value, kind) for value in given.args)
    kwargs = {name: _reordered(value, kind) for name, value in given.kwargs.items()}
    if kind is dict:
        kwargs = dict(reversed(kwargs.items()))
    changed = Arguments(args, kwargs)
    return changed if _orders(changed) != _orders(given) else None


def _reordered(value: Any, kind: type) -> Any:
    if type(value) in (list, tuple):
        return type(value)(_reordered(item, kind) for item in value)
    if type(value) is dict:
        items = [(key, _reordered(item, kind)) for key, item in value.items()]
        return dict(reversed(items) if kind is dict else items)
    if kind is set and type(value) in (set, frozenset):
        return next((other for other in _otherwise_stored(value) if list(other) != list(value)), value)
    return value


def _otherwise_stored(value: Any) -> Iterable[Any]:
    """The same set, as it is stored when it was filled in another order, or was larger before."""
    yield type(value)(reversed(list(value)))
    for size in (50, 500, 5000):
        grown = set(itertools.chain(range(-size, 0), value))
        grown -= set(range(-size, 0)) - value
        yield grown if type(value) is set else frozenset(grown)


def _orders(value: Any) -> Any:
    """What is in which order."""
    if isinstance(value, Arguments):
        return _orders(value.args), _orders(dict(value.kwargs))
    if type(value) in (list, tuple, set, frozenset):
        return [_orders(item) for item in value]
    if type(value) is dict:
        return [(key, _orders(item)) for key, item in value.items()]
    return id(value)


def differ(left: Arguments, right: Arguments) -> bool:
    """Whether two inputs are different ones beyond doubt: not equal, and not spelled the same."""
    try:
        if left == right:
            return False
        return spell((left.args, dict(left.kwargs))) != spell((right.args, dict(right.kwargs)))
    except UnstableKeyError:
        return _has_equality(left) and _has_equality(right)
    except Exception:  # noqa: BLE001 - whatever a comparison raises: arrays do
        return False


def _has_equality(given: Arguments) -> bool:
    kinds: list[Any] = [type(value) for value in (*given.args, *given.kwargs.values())]
    return all(kind.__eq__ is not object.__eq__ for kind in kinds)


def probes(function: Callable[..., Any]) -> list[tuple[Arguments, Arguments]]:
    """Pairs of inputs of two neighbouring texts that look alike once they are joined, where type hints allow them."""
    hints = typing.get_type_hints(inspect.unwrap(function))
    names = [
        one.name
        for one in inspect.signature(function).parameters.values()
        if one.default is one.empty and one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
    ]
    if len(names) != 2 or any(hints.get(name) is not str for name in names):
        return []
    return [(Arguments((f"a{sign}b", "c")), Arguments(("a", f"b{sign}c"))) for sign in SEPARATORS]
