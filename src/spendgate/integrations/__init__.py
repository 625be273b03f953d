"""One file per library that spendgate stands in front of; each is imported where its library is used."""

from importlib import import_module
from typing import Any

from spendgate.gate import Gate
from spendgate.metering import Terms

HOMES = {
    "aiohttp": ("aiohttp", ""),
    "anthropic": ("stainless", "anthropic"),
    "botocore": ("boto3", ""),
    "google": ("google_genai", "google"),
    "httpx": ("httpx", ""),
    "httpx2": ("httpx", ""),
    "openai": ("stainless", "openai"),
    "requests": ("requests", ""),
}
"""By the package that a client's class is from: the integration, and whose price list holds at an unknown host."""


def wrap(gate: Gate, client: Any, *, provider: str = "", **terms: Any) -> Any:
    """A client like the one given whose calls pass the gate: see `spendgate.Gate.wrap`.

    Raises:
        TypeError: nothing is known of such clients.
    """
    packages = [kind.__module__.partition(".")[0] for kind in type(client).__mro__]
    home = next((HOMES[name] for name in packages if name in HOMES), None)
    if home is None:
        known = ", ".join(sorted(HOMES))
        raise TypeError(f"{type(client)!r} is no client that can be wrapped: clients of {known} can")
    module, usual = home
    return import_module(f"spendgate.integrations.{module}").wrap(
        gate, client, Terms(provider=provider or usual, **terms)
    )
