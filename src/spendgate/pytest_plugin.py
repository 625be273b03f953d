"""The pytest plugin `spendgate`: what a test may spend, what it did, and no real spending that nobody allowed.

It loads with pytest wherever spendgate is installed, and imports the rest of spendgate only for tests that need it.
"""

from collections.abc import Generator, Iterator
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from spendgate.gate import Gate
    from spendgate.testing.fakeclock import FakeClock
    from spendgate.testing.fakeprovider import FakeProvider
    from spendgate.testing.spending import Spend, Spending

MARK = "spend_limit"
PROPERTY = "spendgate"
FIXTURES = {"gate", "spend", "fake_provider"}
"""Whoever asks for these has thought of spending."""


MOST_USD = 1_000_000


class Current:
    """The test that runs in this process, and what stands for none: while tests are collected, or between them."""

    spending: "Spending | None" = None
    outside: "Spending | None" = None
    is_real: bool | None = None
    """Whether real money is allowed in this run of pytest; None where there is none."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options and settings."""
    group = parser.getgroup("spendgate", "spendgate")
    group.addoption("--spend-report", action="store_true", help="Say what the tests spent, the dearest first.")
    group.addoption("--allow-spending", action="store_true", help="Let tests spend real money, within their limits.")
    parser.addini("spendgate_hosts", "Hosts that something stands in for in tests, as globs.", type="linelist")


def pytest_configure(config: pytest.Config) -> None:
    """Declares the marker, and stands between tests and real money."""
    config.addinivalue_line(
        "markers",
        'spend_limit(usd, real=False): the most that the test may spend, such as "0.05"; with real=True real money too',
    )
    config.pluginmanager.register(Report(), "spendgate-report")
    Current.is_real = bool(config.getoption("--allow-spending"))
    _guard()


def pytest_unconfigure() -> None:
    """The program goes on without tests: its gates are its own again."""
    Current.outside = Current.is_real = None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuses markers that do not say what may be spent, before any test runs."""
    for item in items:
        _terms(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Knows from the first fixture to the last which test runs."""
    Current.spending = _spending(item)
    try:
        return (yield)
    finally:
        Current.spending.close()
        Current.spending = None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    """Fails a test whose calls cost more than its limit: bills may be higher than what was set aside for them."""
    result = yield
    _check(Decimal(0))
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Writes down what the test spent with its fixtures, also for the process that gathers reports from others."""
    before = Current.spending.spent.usd if Current.spending is not None and Current.spending.gates else Decimal(0)
    try:
        result = yield
    finally:
        spending = Current.spending
        if spending is not None and spending.gates:
            spent = spending.spent
            said = {"usd": f"{spent.usd:f}", "calls": spent.calls, "limit": spending.limit}
            item.user_properties.append((PROPERTY, said))
    _check(before)
    return result


def _check(before: Decimal) -> None:
    """Fails a test that has spent more than its limit, and more than it had when that was looked at before."""
    spending = Current.spending
    if spending is None or not spending.gates:
        return
    spent = spending.spent.usd
    if spent > Decimal(spending.limit) and spent > before:
        pytest.fail(f"the test spent ${spent:f}, its limit is ${spending.limit}", pytrace=False)


class Report:
    """Adds up what tests spent."""

    def __init__(self) -> None:
        self.tests: dict[str, dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Takes what a test wrote down."""
        for name, value in report.user_properties:
            if name == PROPERTY and isinstance(value, dict):
                self.tests[report.nodeid] = value

    def pytest_terminal_summary(self, terminalreporter: Any, config: pytest.Config) -> None:
        """Says it, the dearest first."""
        if not config.getoption("--spend-report"):
            return
        terminalreporter.section("spending")
        dearest = sorted(self.tests.items(), key=lambda pair: (-Decimal(pair[1]["usd"]), pair[0]))
        for name, one in dearest:
            unit = "call " if one["calls"] == 1 else "calls"
            terminalreporter.write_line(f"${one['usd']:>12} of ${one['limit']}  {one['calls']:>6} {unit}  {name}")
        total = sum((Decimal(one["usd"]) for _, one in dearest), Decimal(0))
        calls = sum(one["calls"] for _, one in dearest)
        terminalreporter.write_line(f"${total:f} in {calls:,} paid calls of {len(dearest):,} tests")


@pytest.fixture
def fake_clock() -> "FakeClock":
    """A clock that stands still until the test moves it."""
    from spendgate.testing.fakeclock import FakeClock

    return FakeClock()


@pytest.fixture
def gate(fake_clock: "FakeClock") -> "Gate":
    """A gate over a ledger in memory on `fake_clock`, with the limit of the test and the prices of spendgate.toml."""
    import os
    from pathlib import Path

    from spendgate.config import find, load, read

    found = find(Path.cwd(), os.environ)
    settings = load(found) if found is not None else read('[[limits]]\nusd = "1.00"\nwindow = "400d"\nname = "test"')
    return _current().open(settings, fake_clock, _running)


@pytest.fixture
def spend() -> "SpendSoFar":
    """What the test has spent so far, through `gate` and through gates that the code under test opened."""
    return SpendSoFar(_current())


@pytest.fixture
def fake_provider() -> "Iterator[FakeProvider]":
    """A paid provider on this machine: it speaks OpenAI's and Anthropic's API, and anything else by your script."""
    from spendgate.testing.fakeprovider import serving

    with serving() as provider:
        yield provider


class SpendSoFar:
    """`Spend`, looked up anew each time that it is asked."""

    def __init__(self, spending: "Spending") -> None:
        self._spending = spending

    def __getattr__(self, name: str) -> Any:
        spent: Spend = self._spending.spent
        return getattr(spent, name)


def _current() -> "Spending":
    if Current.spending is None:
        raise pytest.UsageError("the fixtures of spendgate belong to a test that runs")
    return Current.spending


def _running() -> "Spending":
    """Whose money it is at the moment."""
    from spendgate.testing.spending import Spending

    if Current.spending is not None:
        return Current.spending
    if Current.outside is None:
        Current.outside = Spending("", is_declared=bool(Current.is_real), is_real=bool(Current.is_real))
    return Current.outside


def _terms(item: pytest.Item) -> tuple[str, bool] | None:
    """What the marker of a test says: its limit, and whether it may be real money; None where there is no marker."""
    marker = item.get_closest_marker(MARK)
    if marker is None:
        return None
    limit = marker.args[0] if len(marker.args) == 1 else ""
    if not isinstance(limit, str) or not _is_amount(limit) or set(marker.kwargs) - {"real"}:
        raise pytest.UsageError(f'{item.nodeid}: write @pytest.mark.spend_limit("0.05"), with real=True or without')
    return limit, marker.kwargs.get("real") is True


def _spending(item: pytest.Item) -> "Spending":
    from spendgate.testing.spending import DEFAULT_LIMIT, Spending

    terms = _terms(item)
    limit, is_real = terms or (DEFAULT_LIMIT, False)
    is_real = is_real or bool(item.config.getoption("--allow-spending"))
    is_declared = terms is not None or is_real or bool(FIXTURES & set(getattr(item, "fixturenames", ())))
    return Spending(item.nodeid, limit, is_declared, is_real, item.config.getini("spendgate_hosts"))


def _is_amount(text: str) -> bool:
    try:
        return 0 <= Decimal(text) <= MOST_USD
    except InvalidOperation:
        return False


def _guard() -> None:
    """Asks the running test before a metered request is sent, and before a gate is opened, once these are imported."""
    import wrapt

    wrapt.register_post_import_hook(_guard_requests, "spendgate.metering")
    wrapt.register_post_import_hook(_guard_opening, "spendgate.opening")


def _guard_requests(module: Any) -> None:
    import wrapt

    def ask(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        if Current.spending is not None and instance.is_paid:
            Current.spending.check_host(instance.request.url, instance.resource)
        return wrapped(*args, **kwargs)

    for name in ("reserve", "reserve_async"):
        if not isinstance(getattr(module.Metered, name), wrapt.FunctionWrapper):
            wrapt.wrap_function_wrapper(module.Metered, name, ask)


def _guard_opening(module: Any) -> None:
    import wrapt

    def opening(wrapped: Any, _: Any, args: Any, kwargs: Any) -> Any:
        if Current.is_real is None:
            return wrapped(*args, **kwargs)
        return _running().open(*args, **kwargs | {"running": _running})

    if not isinstance(module.gate_for, wrapt.FunctionWrapper):
        wrapt.wrap_function_wrapper(module, "gate_for", opening)
