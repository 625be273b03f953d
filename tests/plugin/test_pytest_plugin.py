"""The pytest plugin, in test runs of its own: limits of tests, fixtures, the report, and no real spending."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from spendgate.pytest_plugin import _is_amount
from tests.conftest import ROOT

Run = Callable[..., subprocess.CompletedProcess[str]]

CONFIG = """
[[limits]]
name = "hourly"
usd = "5.00"
window = "1h"
[prices."clearbit.enrich"]
per_call = "0.004"
[prices."api"]
match = "https://api.clearbit.com/*"
per_call = "0.004"
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs pytest over one test file in a folder with a spendgate.toml."""

    def go(tests: str, *options: str, ini: str = "", config: str = CONFIG) -> subprocess.CompletedProcess[str]:
        (tmp_path / "test_it.py").write_text(f"import pytest, spendgate\n{tests}", encoding="utf-8")
        (tmp_path / "pytest.ini").write_text(f"[pytest]\naddopts = --strict-markers\n{ini}", encoding="utf-8")
        if config:
            (tmp_path / "spendgate.toml").write_text(config, encoding="utf-8")
        plugins = ["-p", "no:spendgate", "-p", "spendgate.pytest_plugin", "-p", "no:cacheprovider"]
        env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "SPENDGATE"))}
        env["PYTHONPATH"] = str(ROOT / "src")
        command = [sys.executable, "-m", "pytest", *plugins, *options]
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)

    return go


def passed(done: subprocess.CompletedProcess[str], count: int) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{count} passed" in done.stdout
    return done.stdout


def failed(done: subprocess.CompletedProcess[str], *said: str) -> None:
    assert done.returncode == 1, done.stdout + done.stderr
    for text in said:
        assert text in done.stdout


def test_a_gate_and_what_was_spent(run: Run) -> None:
    """`gate` knows the prices of spendgate.toml, and `spend` says what the test spent so far."""
    tests = """
def test_it(gate, spend, fake_clock):
    assert (spend.calls, spend.usd) == (0, 0)
    with gate.call("clearbit.enrich", service="pipeline", key="4711"):
        pass
    gate.reserve(resource="clearbit.enrich").void()
    assert (spend.calls, f"{spend.usd:.3f}") == (1, "0.004")
    assert {k: f"{v:.3f}" for k, v in spend.by_resource.items()} == {"clearbit.enrich": "0.004"}
    assert spend.entries[0].held_at == fake_clock.now()
    fake_clock.advance(3600)
    assert gate.clock.now() == fake_clock.now()

def test_another(spend):
    assert spend.calls == 0
"""
    passed(run(tests), 2)


def test_a_test_may_spend_so_much(run: Run) -> None:
    """The marker is a limit: the call beyond it is refused, and a bill above it fails the test."""
    tests = """
@pytest.mark.spend_limit("0.005")
def test_within(gate):
    with gate.call("clearbit.enrich"): pass

@pytest.mark.spend_limit("0.005")
def test_refused(gate):
    with gate.call("clearbit.enrich"): pass
    with pytest.raises(spendgate.SpendLimitError, match="limit 'test'"):
        gate.reserve(resource="clearbit.enrich")

def test_unmarked(gate):
    with pytest.raises(spendgate.SpendLimitError):
        gate.reserve(resource="x", at_most="1.01")
"""
    passed(run(tests), 3)
    over = """
@pytest.mark.spend_limit("0.05")
def test_over(gate):
    gate.reserve(resource="x", at_most="0.01").settle("0.07")
"""
    failed(run(over), "the test spent $0.07, its limit is $0.05")


def test_a_marker_that_says_nothing_is_an_error(run: Run) -> None:
    """A slip in a limit is never no limit."""
    for marker in ("0.05", '"five"', '"0.05", reel=True'):
        done = run(f"@pytest.mark.spend_limit({marker})\ndef test_it(): pass\n")
        assert done.returncode == pytest.ExitCode.USAGE_ERROR, marker
        assert "write @pytest.mark.spend_limit" in done.stderr, marker


@pytest.mark.parametrize(
    ("text", "is_one"), [("0.05", True), ("0", True), ("-1", False), ("", False), ("nan", False), ("1e400", False)]
)
def test_amounts_are_read_strictly(text: str, is_one: bool) -> None:
    """An amount is a finite number of dollars from 0 on, that a limit can have."""
    assert _is_amount(text) is is_one


def test_code_that_opens_its_own_gate_spends_from_the_tests_limit(run: Run, tmp_path: Path) -> None:
    """`spendgate.open()` in a test is a gate over a ledger in memory: the real ledger is not touched."""
    tests = """
def enrich():
    with spendgate.open() as gate, gate.call("clearbit.enrich"):
        return "person"

@pytest.mark.spend_limit("0.005")
def test_it(spend):
    enrich()
    assert f"{spend.usd:.3f}" == "0.004"
"""
    passed(run(tests), 1)
    assert not (tmp_path / ".spendgate").exists()


def test_spending_that_nobody_allowed_is_refused(run: Run) -> None:
    """A test that says nothing about spending refuses paid calls of gates that the code under test opens."""
    tests = """
def test_it():
    with spendgate.open() as gate:
        with pytest.raises(spendgate.RefusedError, match="would spend real money on 'clearbit.enrich'"):
            gate.reserve(resource="clearbit.enrich")

def test_fails():
    with spendgate.open() as gate, gate.call("clearbit.enrich"):
        pass
"""
    failed(
        run(tests), "1 failed, 1 passed", 'say what the test may spend: @pytest.mark.spend_limit("0.05")'.capitalize()
    )


REQUEST = """
import httpx

def answer(request):
    return httpx.Response(200, json={})

def send(gate):
    client = gate.wrap(httpx.Client(transport=httpx.MockTransport(answer)))
    return client.get("https://api.clearbit.com/v2/people")
"""


def test_requests_to_real_hosts_are_refused(run: Run) -> None:
    """A wrapped client reaches no host that may cost money, whatever stands behind it, unless that is allowed."""
    refused = f"""{REQUEST}
def test_it(gate, spend):
    with pytest.raises(spendgate.RefusedError, match="api.clearbit.com"):
        send(gate)
    assert spend.calls == 0
"""
    passed(run(refused), 1)
    unmarked = f"{REQUEST}\ndef test_it(gate, spend):\n    send(gate)\n    assert spend.calls == 1\n"
    failed(run(unmarked), "RealSpendingError")
    passed(run(unmarked, "--allow-spending"), 1)
    passed(run(unmarked, ini="spendgate_hosts = api.clearbit.com\n"), 1)
    passed(run(unmarked.replace("def test_it", '@pytest.mark.spend_limit("0.05", real=True)\ndef test_it')), 1)


def test_a_provider_on_this_machine(run: Run) -> None:
    """`fake_provider` answers the real SDKs, plain and streamed, and fails when it is told to."""
    tests = """
import anthropic, openai

def test_openai(gate, fake_provider, spend):
    client = gate.wrap(openai.OpenAI(base_url=f"{fake_provider.url}/v1", api_key="test", max_retries=0))
    asked = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}
    assert client.chat.completions.create(**asked).choices[0].message.content == "hello"
    chunks = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    assert chunks[0].choices[0].delta.content == "hello"
    assert client.responses.create(model="gpt-4o-mini", input="hi").output_text == "hello"
    assert spend.calls == fake_provider.calls == 3
    fake_provider.fail(500)
    with pytest.raises(openai.InternalServerError):
        client.chat.completions.create(**asked)
    assert spend.calls == 3

def test_anthropic(gate, fake_provider, spend):
    fake_provider.text, fake_provider.output_tokens = "good day", 50
    client = gate.wrap(anthropic.Anthropic(base_url=fake_provider.url, api_key="test", max_retries=0))
    asked = {"model": "claude-haiku-4-5", "max_tokens": 60, "messages": [{"role": "user", "content": "hi"}]}
    assert client.messages.create(**asked).content[0].text == "good day"
    with client.messages.stream(**asked) as stream:
        assert "".join(stream.text_stream) == "good day"
    assert spend.calls == 2
    assert f"{spend.usd:f}" == "0.00052"  # twice 10 tokens at $1 and 50 at $5 per million

def test_anything_else(fake_provider):
    import httpx
    fake_provider.answers["/v2/people"] = {"name": "Ada"}
    assert httpx.get(f"{fake_provider.url}/v2/people?id=1").json() == {"name": "Ada"}
    assert httpx.post(f"{fake_provider.url}/other", content=b"not json").json() == {}
    assert fake_provider.requests[-1].body == b"not json"
    fake_provider.fail(429, times=2)
    assert [httpx.get(fake_provider.url).status_code for _ in range(3)] == [429, 429, 200]
"""
    passed(run(tests), 3)


def test_the_example_of_the_page_passes(run: Run) -> None:
    """What docs/caches.md shows of the fixtures is a test file that runs as it stands."""
    page = (ROOT / "docs" / "caches.md").read_text(encoding="utf-8")
    example = page.partition("```python\n# test_pipeline.py\n")[2].partition("```")[0]
    passed(run(example), 2)


def test_the_report_adds_up(run: Run) -> None:
    """`--spend-report` names what each test spent, the dearest first, and the total; without it nothing is said."""
    tests = """
def test_cheap(gate):
    gate.reserve(resource="x", at_most="0.01").settle("0.002")

def test_dear(gate):
    gate.reserve(resource="x", at_most="0.50").settle("0.3")
    gate.reserve(resource="x", at_most="0.01")

def test_free():
    pass
"""
    out = passed(run(tests, "--spend-report"), 3)
    assert out.index("test_dear") < out.index("test_cheap")
    assert "test_free" not in out
    assert "$0.312 in 3 paid calls of 2 tests" in out
    assert "of $1.00       1 call   test_it.py::test_cheap" in out
    assert "paid calls" not in passed(run(tests), 3)


def test_it_costs_nothing_where_it_is_not_used(run: Run) -> None:
    """Tests that do not spend load nothing of the gate, and need no configuration."""
    tests = """
import sys
def test_it():
    assert not [name for name in sys.modules if name in ("spendgate.gate", "apsw", "genai_prices", "hypothesis")]
"""
    passed(run(tests, config=""), 1)
    passed(run("def test_it(gate, spend):\n    assert spend.calls == 0\n", config=""), 1)


def test_the_plugin_is_declared() -> None:
    """Installed, pytest finds the plugin by itself; our own tests leave it out."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert '[project.entry-points.pytest11]\nspendgate = "spendgate.pytest_plugin"\n' in text
    assert '"no:spendgate"' in text


def test_a_gate_that_a_module_opened_spends_for_the_test_that_uses_it(run: Run, tmp_path: Path) -> None:
    """A gate opened while tests are collected is not the real one: it has each test's limit, and refuses undeclared."""
    (tmp_path / "service.py").write_text(
        "import spendgate\ngate = spendgate.open()\n\n@gate.paid('clearbit.enrich')\ndef enrich(): return 'person'\n",
        encoding="utf-8",
    )
    tests = """
import service
from spendgate.testing.spending import RealSpendingError

def test_undeclared():
    with pytest.raises(RealSpendingError, match="in a test"):
        service.enrich()

@pytest.mark.parametrize("again", range(2))
@pytest.mark.spend_limit("0.005")
def test_declared(spend, again):
    service.enrich()
    assert (spend.calls, f"{spend.usd:.3f}") == (1, "0.004")
    assert service.gate.once("mail", "7")
    with pytest.raises(spendgate.SpendLimitError, match="limit 'test'"):
        service.enrich()
"""
    out = passed(run(tests, "--spend-report", "-p", "no:randomly"), 3)
    assert "$0.008 in 2 paid calls of 2 tests" in out
    assert not (tmp_path / ".spendgate").exists()


def test_paying_while_tests_are_collected_is_refused(run: Run, tmp_path: Path) -> None:
    """A paid call that a module makes when it is imported belongs to no test, so nobody allowed it."""
    tests = "with spendgate.open() as gate, gate.call('clearbit.enrich'): pass\ndef test_it(): pass\n"
    done = run(tests)
    assert done.returncode == pytest.ExitCode.INTERRUPTED
    assert "RealSpendingError" in done.stdout
    passed(run(tests, "--allow-spending"), 1)
    assert not (tmp_path / ".spendgate").exists()


def test_all_gates_of_a_test_share_its_ledger(run: Run) -> None:
    """Code that opens a gate for each call spends from one limit, and what happened once has happened."""
    tests = """
def enrich():
    with spendgate.open() as gate, gate.call("clearbit.enrich"):
        return "person"

@pytest.mark.spend_limit("0.010", real=True)
def test_it(spend):
    enrich(), enrich()
    with pytest.raises(spendgate.SpendLimitError, match="limit 'test'"):
        enrich()
    with spendgate.open() as one, spendgate.open() as other:
        assert one.once("mail", "7") and not other.once("mail", "7")
"""
    passed(run(tests), 1)


def test_what_fixtures_spend_counts_to_the_end(run: Run) -> None:
    """A fixture's calls before and after a test are the test's: in the report, and against its limit."""
    tests = """
@pytest.fixture
def paying(gate):
    gate.reserve(resource="x", at_most="0.01").settle("0.002")
    yield
    gate.reserve(resource="x", at_most="0.01").settle("0.003")

def test_within(paying): pass

@pytest.mark.spend_limit("0.011")
def test_over(paying, gate):
    gate.reserve(resource="x", at_most="0.001").settle("0.0011")

@pytest.mark.spend_limit("0.0121")
def test_bill(gate, late): pass

@pytest.fixture
def late(gate):
    yield
    gate.reserve(resource="x", at_most="0.01").settle("0.02")
"""
    done = run(tests, "--spend-report")
    failed(done, "3 passed", "2 errors", "the test spent $0.02, its limit is $0.0121")
    assert "$       0.005 of $1.00       2 calls" in done.stdout
