"""`[services.NAME]`: policies and estimates by service, read strictly."""

import pytest

from spendgate.config import origins, read
from spendgate.errors import ConfigError
from spendgate.policies import Fallback, Policy


def test_a_service_says_what_becomes_of_its_calls() -> None:
    """Each key is read; a fallback is a model, or a table with its address; an absent table says nothing."""
    services = read(
        '[services.research]\nwhen_refused = "fallback"\nwait = "1m30s"\nclamp = 256\nfallback = "gpt-4o-mini"\n'
        '[services."batch-*"]\nwhen_refused = "skip"\nestimate = "learned"\n'
        "[services.home.fallback]\n"
        'model = "qwen3:8b"\nurl = "http://127.0.0.1:11434/v1"\nprovider = "ollama"\nkey_env = "KEY"\n'
        '[services.patient]\nwait = "5s"\n[services.plain]\n'
    ).services
    assert services.of("research").refused == Policy("fallback", 90, 256, Fallback("gpt-4o-mini"))
    assert services.of("batch-7").refused == Policy("skip")
    assert [services.of(name).learns for name in ("batch-7", "research")] == [True, False]
    home = Fallback("qwen3:8b", "http://127.0.0.1:11434/v1", "ollama", "KEY")
    assert services.of("home").refused == Policy("fallback", fallback=home)
    assert services.of("patient").refused == Policy("wait", 5)
    assert services.of("plain").refused == services.of("unheard").refused == Policy()
    assert read("").services.of("research").refused == Policy()


@pytest.mark.parametrize(
    ("text", "line", "nearest"),
    [
        ('[services.a]\nwhen_refusd = "skip"', 2, "when_refused"),
        ('[services.a]\nwhen_refused = "skp"', 2, "skip"),
        ("[services.a]\nwhen_refused = true", 2, ""),
        ('[services.a]\nwhen_refused = "wait"', 2, ""),
        ('[services.a]\nwhen_refused = "fallback"', 2, ""),
        ('[services.a]\nwhen_refused = "skip"\nfallback = "m"', 3, ""),
        ('[services.a]\nwhen_refused = "raise"\nwait = "5s"', 3, ""),
        ('[services.a]\nwait = "25h"', 2, ""),
        ("[services.a]\nwait = 5", 2, ""),
        ("[services.a]\nclamp = -1", 2, ""),
        ("[services.a]\nclamp = 1.5", 2, ""),
        ("[services.a]\nfallback = 5", 2, ""),
        ('[services.a]\nfallback = ""', 2, ""),
        ('[services.a]\nfallback = { url = "http://x/v1" }', 2, ""),
        ('[services.a]\nfallback = { model = "m", ulr = "http://x/v1" }', 2, "url"),
        ('[services.a]\nfallback = { model = "m", url = "ftp://x/v1" }', 2, ""),
        ('[services.a]\nfallback = { model = "m", url = "http://me:secret@x/v1" }', 2, ""),
        ('[services.a]\nfallback = { model = "m", url = "http://x/v1?key=secret" }', 2, ""),
        ('[services.a]\nfallback = { model = "m", url = "x/v1" }', 2, ""),
        ('[services.a]\nfallback = { model = "m", url = "http://x:99999/" }', 2, ""),
        ('[services.a]\nfallback = { model = "m", provider = "p" }', 2, ""),
        ('[services.a]\nestimate = "learnd"', 2, "learned"),
        ('[services]\nestimate = "learned"', 2, ""),
        ("[[services]]\nwait = '5s'", 1, ""),
        ('services = "x"', 1, ""),
        ("[service.a]\nclamp = 1", 1, "services"),
    ],
)
def test_a_slip_is_an_error(text: str, line: int, nearest: str) -> None:
    """What is unknown, contradictory or no such value is refused with its line; secrets are not repeated."""
    with pytest.raises(ConfigError) as caught:
        read(text, "s.toml")
    assert (caught.value.line, caught.value.nearest) == (line, nearest)
    assert "secret" not in str(caught.value)


def test_every_key_of_a_service_has_an_origin() -> None:
    """`config show` lists a fallback's table by its keys, with addresses cut short."""
    text = (
        '[services."a.*"]\nwait = "5s"\n[services."a.*".fallback]\nmodel = "m"\nurl = "http://127.0.0.1:1/v1/secret"\n'
    )
    found = {row.key: (row.value, row.origin) for row in origins(text, "s.toml")}
    assert found['services."a.*".wait'] == ("5s", "s.toml:2")
    assert found['services."a.*".fallback.model'] == ("m", "s.toml:4")
    assert found['services."a.*".fallback.url'] == ("http://127.0.0.1:1/***", "s.toml:5")
    assert found['services."a.*".estimate'] == ("most", "default")
    assert 'services."a.*".fallback' not in found
