"""`spendgate key`: does a cache key repeat when its input does? The manual trace of a review, done by the machine."""

import ast
import inspect
import sys
from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spendgate.cli.printing import iso, json_option, print_json, say, show

if TYPE_CHECKING:
    from spendgate.testing.stability.calling import Arguments
    from spendgate.testing.stability.examining import Examination, Result

TITLES = {
    "inputs": "it gives a key",
    "repeat": "the same at once again",
    "order": "the same with dictionaries and sets in another order",
    "copies": "the same with equal arguments that are other objects",
    "thread": "the same in another thread",
    "time": "the same later, and for as long as its window says",
    "interpreters": "the same in other interpreters, time zones, places",
    "distinct": "another one for other inputs",
    "cache": "called twice, it loads once",
}


class CannotTrace(click.ClickException):
    """There is nothing to trace: wrong use."""

    exit_code = 2


@click.group(short_help="See whether a cache key repeats.")
def key() -> None:
    """Cache keys: the same input must give the same key, wherever and whenever it is asked for."""


@key.command()
@click.argument("target", metavar="MODULE:FUNCTION")
@click.argument("args", nargs=-1, metavar="[ARGS]...")
@click.option("--window", metavar="SPAN", help="For how long one key holds, such as 24h; without it, for ever.")
@click.option("--fresh/--no-fresh", default=True, help="Whether other interpreters are started.")
@json_option
def trace(target: str, args: tuple[str, ...], window: str | None, fresh: bool, as_json: bool) -> None:
    """Calls a key function again and again - later, elsewhere, in another order - and says where its keys differ.

    ARGS are Python literals, or else text; NAME=VALUE is a keyword argument. Without any, inputs are drawn from the
    function's type hints. Exit code 1 where the key is not stable.

    \b
    Examples:
      spendgate key trace pipeline.cache:enrichment_key 4711
      spendgate key trace pipeline.cache:enrichment_key 4711 --window 24h
      spendgate key trace search:key "{'country': 'de', 'page': 2}" language=en --json
    """  # noqa: D301 - click reads the \b itself
    function = _function(target)
    try:
        examination = _examination(function, args, window, fresh)
        results = list(examination.results())
    except (TypeError, ValueError, RuntimeError) as error:
        raise CannotTrace(str(error)) from error
    failed = any(result.finding is not None for result in results)
    if as_json:
        print_json(_data(target, examination, window, results))
    else:
        _print(target, examination, results)
    if failed:
        click.get_current_context().exit(1)


def _function(target: str) -> Callable[..., Any]:
    module, colon, name = target.partition(":")
    if not colon or not module or not name:
        raise CannotTrace(f"{target!r} names no function; write MODULE:FUNCTION, such as pipeline.cache:enrichment_key")
    sys.path.insert(0, str(Path.cwd()))
    try:
        found: Any = import_module(module)
    except Exception as error:
        raise CannotTrace(f"{module} cannot be imported: {type(error).__name__}: {error}") from error
    for part in name.split("."):
        if not hasattr(found, part):
            near = get_close_matches(part, dir(found), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise CannotTrace(f"there is no {part!r} in {module}.{hint}")
        found = getattr(found, part)
    if not callable(found):
        raise CannotTrace(f"{target} is no function: {type(found).__name__}")
    function: Callable[..., Any] = found
    return function


def _examination(function: Callable[..., Any], args: tuple[str, ...], window: str | None, fresh: bool) -> "Examination":
    from spendgate.caches.keys import window_seconds
    from spendgate.clock import SECOND
    from spendgate.testing.stability.examining import Examination, Terms

    span = None if window is None else window_seconds(window) * SECOND
    inputs = [_arguments(function, args)] if args else None
    return Examination(function, inputs, Terms(window=span, fresh=fresh))


def _arguments(function: Callable[..., Any], args: tuple[str, ...]) -> "Arguments":
    from spendgate.testing.stability.calling import Arguments

    known = inspect.signature(function).parameters
    is_open = any(one.kind is one.VAR_KEYWORD for one in known.values())
    plain, named = [], {}
    for text in args:
        name, equals, value = text.partition("=")
        if equals and name.isidentifier() and (is_open or name in known):
            named[name] = _literal(value)
        else:
            plain.append(_literal(text))
    return Arguments(tuple(plain), named)


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def _print(target: str, examination: "Examination", results: "list[Result]") -> None:
    from spendgate.testing.stability.finding import shortened

    if examination.outcomes:
        show(f"{target}{examination.examples[0]}")
        show(f"  {shortened(examination.outcomes[0].shown)}")
    if examination.trace.sources:
        show(f"  reads {', '.join(examination.trace.sources.values())}")
    for result in results:
        word = "FAILED" if result.finding else "left out" if result.left_out else "ok"
        show(
            f"{click.style(f'{word:8}', bold=word == 'FAILED')}  {TITLES[result.check]}"
            + f": {result.left_out}" * bool(result.left_out)
        )
        if result.finding is not None:
            show(str(result.finding))
    if not any(result.finding for result in results):
        tried = len(examination.examples)
        say(f"{tried:,} {'input' if tried == 1 else 'inputs'}, nothing found.")


def _data(target: str, examination: "Examination", window: str | None, results: "list[Result]") -> dict[str, Any]:
    from spendgate.testing.stability.moving import START_AT

    first = examination.outcomes[0].shown if examination.outcomes else None
    return {
        "function": target,
        "arguments": str(examination.examples[0]) if examination.examples else None,
        "inputs": len(examination.examples),
        "key": first,
        "at": iso(START_AT),
        "window": window,
        "reads": dict(examination.trace.sources),
        "stable": not any(result.finding for result in results),
        "checks": [_check(result) for result in results],
    }


def _check(result: "Result") -> dict[str, Any]:
    found = result.finding
    outcome = "failed" if found else "left out" if result.left_out else "passed"
    data: dict[str, Any] = {"check": result.check, "result": outcome, "reason": result.left_out or None}
    if found is not None:
        data |= {
            "source": found.source,
            "explanation": found.explanation,
            "remedy": found.remedy,
            "detail": found.detail or None,
            "arguments": found.arguments,
            "when": found.when,
            "first": found.first,
            "second": found.second or None,
        }
    return data
