"""A paid exchange as it stands on the wire: the request, what it asks for, and what its answer bills.

Everything here is plain data: the transports of `spendgate.integrations` bring the bytes, the gate has the prices.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from spendgate.pricing.usage import Usage

Path = tuple[str, ...]
"""Where a field is in a JSON body, such as `("generationConfig", "maxOutputTokens")`; empty for nowhere."""


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request that is about to be sent. Names of headers are in lower case; `body` is not encoded."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks to be paid for.

    Attributes:
        api: which API is spoken, such as `openai.chat`.
        provider: whose price list holds: a provider's id in genai-prices, such as `anthropic`.
        model: the model that is named; empty where none is.
        kind: `paid`; `free`; `collects` the answer of the earlier call `earlier`, which is billed with it; or `unread`:
            a paid host is spoken to in a way that is not understood, and `problem` says what is not.
        input_tokens: the most tokens the model can be sent; None where the request refers to input it does not contain.
        max_output_tokens: the most it can write, over all the answers asked for; None where nothing caps it.
        answers: how many answers are asked for (`n`, `candidateCount`): a cap that is added holds for each.
        web_searches: the most searches of the web it can be billed for.
        batch: whether it is priced as a batch.
        service_tier: the provider's word for a faster or slower service.
        streams: whether the answer is asked for as a stream.
        later: whether the answer only says that the work has begun: it is billed when it is collected.
        earlier: the id of the call that is collected.
        cap: where the request can say how much may be written; empty where the API does not allow that.
        answer_tells: whether the answer is read although the request is not, as where the caller streams its body: an
            answer that is whole and names its model says what it used.
        usage_flag: where the request must say `true` for its stream to report usage; empty where it does or need not.
    """

    api: str
    provider: str
    model: str = ""
    kind: Literal["paid", "free", "collects", "unread"] = "paid"
    input_tokens: int | None = None
    max_output_tokens: int | None = None
    answers: int = 1
    web_searches: int = 0
    batch: bool = False
    service_tier: str = ""
    streams: bool = False
    later: bool = False
    earlier: str = ""
    cap: Path = ()
    usage_flag: Path = ()
    problem: str = ""
    answer_tells: bool = False


@dataclass(frozen=True, slots=True)
class Bill:
    """What one model did for a call. `cost` is what the provider says it cost, in nano-dollars, where it says so."""

    provider: str
    model: str
    usage: Usage = field(default_factory=Usage)
    cost: int | None = None
    batch: bool = False
    service_tier: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an answer says about the bill.

    Attributes:
        kind: `billed`: by `bills`; `free`: nothing is billed; `held`: it may be billed or not, nobody knows; `later`:
            the work goes on and is billed when `id` is collected; `unread`: it was answered, and what it used cannot be
            read, so the whole hold counts.
        bills: one for each model that the call used.
        id: the provider's name for the work.
        reason: why it is free, held or unread.
        cut: the stream ended early: `bills` have what was produced until then, as far as it was seen.
    """

    kind: Literal["billed", "free", "held", "later", "unread"]
    bills: tuple[Bill, ...] = ()
    id: str = ""
    reason: str = ""
    cut: bool = False


class Reading(Protocol):
    """Reads one answer as it comes by: an API's part, which is handed whole JSON documents or events of a stream.

    Neither method raises for what an answer contains: what it cannot make sense of makes it `unread`.
    """

    def document(self, data: Any, event: str = "") -> None:
        """Takes the JSON document that is the answer, a line of JSON lines, or an event of a stream with its name."""

    def answer(self, complete: bool) -> Answer:
        """What all of that bills. `complete` is False where the connection broke or was closed before the end."""


class Api(Protocol):
    """One API, as it is spoken by everybody who speaks it."""

    @property
    def name(self) -> str:
        """Its name, such as `openai.chat`."""

    def speaks(self, method: str, path: str) -> bool:
        """Whether a request to this path, below any host, is one of this API."""

    def asked(self, provider: str, request: Request, body: Mapping[str, Any]) -> Asked:
        """What the request asks for; `body` is its JSON, empty where it has none. It never raises."""

    def reading(self, asked: Asked, headers: Mapping[str, str]) -> Reading:
        """Begins to read the answer to what was asked; it is only used for answers with a status of 200 to 299.

        `headers` are the answer's, with names in lower case: Bedrock states the usage of some models only there.
        """
