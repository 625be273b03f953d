"""Every API that is understood, in the order in which they are asked whether a request is theirs."""

from collections.abc import Iterator
from functools import lru_cache

from spendgate.wire import anthropic_messages, bedrock_converse
from spendgate.wire.anthropic_batches import MessageBatches
from spendgate.wire.anthropic_messages import Messages
from spendgate.wire.bedrock_converse import Converse
from spendgate.wire.bedrock_invoke import Invoke
from spendgate.wire.cohere import CohereChat, CohereEmbed, CohereRerank
from spendgate.wire.decisions import Decisions
from spendgate.wire.exchange import Api
from spendgate.wire.gemini import Generate, Manage
from spendgate.wire.gemini_batches import GeminiBatches
from spendgate.wire.mistral import Conversations, Moderations
from spendgate.wire.ollama import Ollama
from spendgate.wire.openai_batches import Batches
from spendgate.wire.openai_chat import Chat
from spendgate.wire.openai_embeddings import Embeddings
from spendgate.wire.openai_responses import Responses
from spendgate.wire.voyage import Voyage

OWN: dict[str, tuple[Api, ...]] = {
    "google": (GeminiBatches(), Manage()),
    "cohere": (CohereChat(), CohereEmbed(), CohereRerank()),
    "mistral": (Conversations(), Moderations()),
    "voyageai": (Voyage(),),
    "ollama": (Ollama(),),
}
"""APIs of one provider alone, whose paths mean something else elsewhere; they are asked first."""

SHARED: tuple[Api, ...] = (
    MessageBatches(),
    anthropic_messages.COUNT_TOKENS,
    Messages(),
    Generate(),
    Converse(),
    Invoke(),
    bedrock_converse.COUNT_TOKENS,
    Chat(),
    Responses(),
    Embeddings(),
    Decisions(),
    Batches(),
)
"""Dialects that many speak, told apart by their paths."""


@lru_cache(maxsize=1024)
def find(provider: str, method: str, path: str) -> Api | None:
    """The API that a request speaks; None where none of them is known."""
    known = SHARED if "/openai/" in path else _of(provider)  # many a host has OpenAI's dialect below that prefix
    return next((api for api in known if api.speaks(method, path)), None)


def named(provider: str, name: str) -> Api | None:
    """The API with a name."""
    return next((api for api in _of(provider) if api.name == name), None)


def _of(provider: str) -> Iterator[Api]:
    yield from OWN.get(provider.partition("_")[0], ())
    yield from SHARED
