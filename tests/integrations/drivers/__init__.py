"""The clients of the matrix: one module for each library, which says how its client is made and asked."""

from importlib import import_module
from importlib.util import find_spec

from tests.integrations.drivers.driving import Client

MODULES = {
    "stainless": ("openai", "anthropic"),
    "bare_httpx": ("httpx", "httpx2"),
    "requests_sessions": ("requests",),
    "aiohttp_sessions": ("aiohttp",),
    "bedrock": ("boto3",),
    "gemini": ("google.genai",),
}
"""By module: the libraries that it drives. Environments for older SDKs do not have all of them."""


def _is_there(library: str) -> bool:
    try:
        return find_spec(library) is not None
    except ModuleNotFoundError:  # of the package that it is in
        return False


CLIENTS: dict[str, Client] = {}
for _module, _libraries in MODULES.items():
    if all(map(_is_there, _libraries)):
        CLIENTS |= import_module(f"{__name__}.{_module}").CLIENTS
