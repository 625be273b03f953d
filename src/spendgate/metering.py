"""One HTTP exchange on its way through the gate: what every transport does, without the bytes of any.

A transport states the request, reserves, sends `Metered.request`, and tells what came of it: that it failed, or the
status, the chunks of the answer as they come by, and its end. Nothing here raises once the request was sent: where our
own reading fails the caller still gets the answer, and the whole hold counts.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256
from urllib.parse import urlsplit

from spendgate import aio, covering
from spendgate.call import MAX_NAME
from spendgate.errors import AmountError, PriceError, RefusedError
from spendgate.freshness import span_of
from spendgate.gate import Gate
from spendgate.policies import FALLBACK_FOR, Chooser, Fallback, Policy, needs_fallback, policy
from spendgate.pricing.ratecard import Card
from spendgate.reserved import Reservation
from spendgate.stating import Stated
from spendgate.substitutes import SIGNED, Ways
from spendgate.wire import statuses
from spendgate.wire.exchange import Answer, Asked, Path, Request
from spendgate.wire.output_limits import output_limit
from spendgate.wire.reading import AnswerReader, answer_reader, understand
from spendgate.wire.rewriting import readable
from spendgate.wire.substituting import changed

log = logging.getLogger("spendgate")

SERVICE, TASK, TAGS = "x-spendgate-service", "x-spendgate-task", "x-spendgate-tags"
OWN = SERVICE, TASK, TAGS
"""Headers that say for whom a call is made; they never leave the machine."""
RETRY = "x-stainless-retry-count"
"""How often an SDK has sent this call before, in the requests of the OpenAI and Anthropic SDKs."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How the calls of one client are made, where nothing nearer to the call says otherwise.

    Attributes:
        service: for whom the calls are made.
        task: the job they belong to.
        tags: names of your own to match and count by.
        provider: whose price list holds at a host that is not known.
        when_refused: what becomes of a call that is refused: `raise`, `fallback`, `wait` or `skip`.
        wait: how many seconds a call waits for room.
        clamp: the least tokens of output that are still worth a call: where a limit leaves no room for as many as were
            asked for, as many are asked for as fit, if they are at least so many. 0 never asks for less.
        fallback: another model that is asked where a call was refused: its name, a `Fallback` with an address of its
            own, or a function that says so, given the refusal. Its calls carry the tag `fallback_for`.
        fresh_for: for how long an answer is good, such as `24h`: the same request paid for again before that is counted
            as a duplicate.

    Raises:
        AmountError: the four above that are no policy, or contradict each other; or `fresh_for` is no span of time.
    """

    service: str = ""
    task: str = ""
    tags: Mapping[str, object] = field(default_factory=dict)
    provider: str = ""
    when_refused: str = ""
    wait: float = 0
    clamp: int | None = None
    fallback: Fallback | Chooser | str | None = None
    fresh_for: str = ""
    policy: Policy = field(init=False, repr=False)

    def __post_init__(self) -> None:
        said = policy(self.when_refused, wait=self.wait, clamp=self.clamp, fallback=self.fallback)
        needs_fallback(said)
        object.__setattr__(self, "policy", said)
        if self.fresh_for:
            span_of(self.fresh_for, "fresh_for")


class Metered:
    """One request and its answer. `request` is what must be sent; `is_paid` whether anything is reserved for it.

    `is_fixed` says that nothing of it can be changed any more: what is refused then is not asked for in another way.
    """

    def __init__(self, gate: Gate, request: Request, terms: Terms = Terms(), is_fixed: bool = False) -> None:
        self._gate = gate
        self._terms = terms
        self._own = {name: request.headers[name] for name in OWN if name in request.headers}
        self._reservation: Reservation | None = None
        self._cover: covering.Cover | None = None
        self._reader: AnswerReader | None = None
        self._began: tuple[int, Mapping[str, str]] | None = None
        self._handed_on = b""
        self._ended = False
        self._ways = Ways(gate, terms.policy, self._own.get(SERVICE) or terms.service, request, is_fixed)
        self._card = gate.prices.cards.at_url(request.url)
        self._plan(request)

    def _plan(self, request: Request) -> None:
        """What is asked for by a request, what to reserve for it, and what to send."""
        asked = self._asked = None if self._card else understand(request, self._ways.provider or self._terms.provider)
        self.is_paid = self._card is not None or (asked is not None and asked.kind in ("paid", "unread"))
        self.resource, self._stated = _stated(request, asked, self._card, self._terms, self._own)
        self._ways.complete(self._stated)
        default = self._gate.default_output_tokens
        cap = _cap(asked, default) if asked else None
        self.request = _to_send(request, asked, self._own, cap)
        if asked and asked.max_output_tokens is None:
            self._stated["max_output_tokens"] = asked.answers * (cap or default)

    @property
    def is_elsewhere(self) -> bool:
        """Whether the request goes to another address than the caller's, which must learn nothing of the caller."""
        return self._ways.is_elsewhere

    @property
    def terms(self) -> Terms:
        """The terms by which the same request is sent again, as it is sent now."""
        ways, terms = self._ways, self._terms
        if not ways.stands_for:
            return terms
        tags = {**terms.tags, FALLBACK_FOR: ways.stands_for}
        return replace(terms, tags=tags, provider=ways.provider or terms.provider)

    def reserve(self) -> None:
        """Sets aside the most that the call can cost, if it costs anything. Raises as `Gate.reserve` does.

        What a framework has asked for already is not asked for again: see `spendgate.covering`.
        """
        covering_it = self._covering()
        if covering_it is not None:
            if covering_it.is_again:
                covering_it.begin_again()
            return
        while self.is_paid and self._reservation is None:
            try:
                self._reservation = self._gate.reserve(resource=self.resource, **self._stated)
            except (RefusedError, PriceError) as fault:
                self._turn(fault)

    async def reserve_async(self) -> None:
        """The same, awaited. Cancelled, it leaves nothing set aside."""
        covering_it = self._covering()
        if covering_it is not None:
            if covering_it.is_again:
                await aio.in_thread(covering_it.begin_again)
            return
        while self.is_paid and self._reservation is None:
            try:
                found = await aio.Gate(self._gate).reserve(resource=self.resource, **self._stated)
                self._reservation = found.reservation
            except (RefusedError, PriceError) as fault:
                await aio.in_thread(partial(self._turn, fault))

    def _turn(self, fault: RefusedError | PriceError) -> None:
        """Plans the call in another way. Raises the first refusal where there is none."""
        if isinstance(fault, PriceError) and self._asked is not None and self._asked.problem:
            problem = f"{self._asked.problem}, and no price is known"
            fault = PriceError(provider=fault.provider, model=fault.model, nearest=fault.nearest, problem=problem)
        ask = self._gate.ask(self.resource, self._stated)
        self._plan(self._ways.after(fault, self._asked, ask, self.request))

    def _covering(self) -> covering.Cover | None:
        """The framework's reservation that stands for this request, if there is one."""
        if self.is_paid and self._reservation is None:
            self._cover = covering.taken()
        return self._cover

    def failed(self, *, sent: bool) -> None:
        """No answer came. What may have been sent stays held: billed or not, nobody knows."""
        if self._cover is not None:
            self._cover.failed(is_free=not sent)
        if self._ended or self._reservation is None:
            return
        self._ended = True
        if sent:
            self._reservation.abandon()
        else:
            self._gate.backlog.add(self._reservation.void_quietly)

    def answered(self, status: int, headers: Mapping[str, str]) -> bool:
        """An answer has begun. Whether its body is to be handed to `feed`, and its end to `ended`."""
        if self._cover is not None and (kind := statuses.kind(status)) != "read":
            self._cover.failed(is_free=kind == "free")
        if self._card is not None and self._reservation is not None:
            self._ended = True
            unbilled = status in self._card.unbilled_statuses
            self._gate.backlog.add(self._reservation.void_quietly if unbilled else self._reservation.settle_quietly)
        elif self._asked is not None and (self._reservation is not None or self._asked.kind == "collects"):
            self._began = (status, headers)
        return self._began is not None

    def feed(self, chunk: bytes) -> None:
        """Takes a piece of the answer, as it came from the network. It is read once the caller has it."""
        if self._began is not None and not self._ended:
            if self._handed_on:
                self._reading().feed(self._handed_on)
            self._handed_on = chunk

    def ended(self, *, complete: bool) -> None:
        """The answer is over: whole, or not. Only the first word counts, and it is booked soon after.

        What goes on at the provider's is booked as soon as can be: another process may collect it.
        """
        if self._ended or self._began is None:
            return
        self._ended = True
        goes_on = self._asked is not None and (self._asked.later or self._asked.kind == "collects")
        self._gate.backlog.add(partial(self._book, complete), at_once=goes_on)

    def _book(self, complete: bool) -> None:
        if not _quietly(lambda: self._settle(self._read(complete))) and self._reservation is not None:
            whole = partial(self._reservation.settle_whole, frozenset({"unpriced"}))
            _quietly(whole)

    def _reading(self) -> AnswerReader:
        """What reads the answer, made when there is something to read that the caller has already."""
        if self._reader is None:
            if self._asked is None or self._began is None:
                raise AssertionError("an answer is read that has not begun")
            self._reader = answer_reader(self._asked, *self._began)
        return self._reader

    def _read(self, complete: bool) -> Answer:
        self._reading().feed(self._handed_on)
        self._handed_on = b""
        return self._reading().end(complete)

    def _settle(self, answer: Answer) -> None:
        if self._reservation is None:
            if self._asked is not None and answer.kind == "billed":
                self._gate.collect(f"{self._asked.provider}:{self._asked.earlier}", answer.bills)
        elif answer.kind == "billed":
            self._reservation.settle_bills(answer.bills, frozenset({"cut"}) if answer.cut else frozenset())
        elif answer.kind == "free":
            self._reservation.void_quietly()
        elif answer.kind == "later" and answer.id and self._asked is not None:
            self._gate.begin(f"{self._asked.provider}:{answer.id}", self._reservation)
        elif answer.kind == "unread":
            log.warning("spendgate: %s counts whole, unpriced: %s", self._reservation.call.resource, answer.reason)
            self._reservation.settle_whole(frozenset({"unpriced"}))
        else:
            log.info("spendgate: %s stays held: %s", self._reservation.call.resource, answer.reason)
            self._reservation.abandon()


def _quietly(work: Callable[[], object]) -> bool:
    """Does something about an answer that the caller gets in any case; whether it went well."""
    try:
        work()
    except Exception:
        log.exception("spendgate: an answer could not be read or booked; the whole hold counts")
        return False
    return True


def _stated(
    request: Request, asked: Asked | None, card: Card | None, terms: Terms, own: Mapping[str, str]
) -> tuple[str, Stated]:
    """What is reserved for: the resource, and what the gate is told of the call."""
    stated = _for_whom(request, terms, own)
    if card is None and asked is None:
        return "", stated
    stated["fingerprint"] = sha256(f"{request.method} {request.url}\n".encode() + request.body).hexdigest()
    if card is not None or asked is None:
        return card.name if card else "", stated
    stated["provider"] = asked.provider
    if asked.later:
        stated["background"] = True
    for name in ("batch", "input_tokens", "max_output_tokens", "service_tier", "web_searches"):
        if value := getattr(asked, name):
            stated[name] = value
    return asked.model or _place(request.url), stated


def _for_whom(request: Request, terms: Terms, own: Mapping[str, str]) -> Stated:
    """What is stated of whoever makes the call. What says nothing is left out."""
    stated = Stated()
    if service := own.get(SERVICE) or terms.service:
        stated["service"] = service
    if task := own.get(TASK) or terms.task:
        stated["task"] = task
    if tags := {**terms.tags, **_tags(own[TAGS])} if TAGS in own else terms.tags:
        stated["tags"] = tags
    if terms.fresh_for:
        stated["fresh_for"] = terms.fresh_for
    if request.headers.get(RETRY, "0") not in ("", "0"):
        stated["attempt"] = _attempt(request.headers[RETRY])
    return stated


def _place(url: str) -> str:
    """What a call is named after that names no model."""
    place = urlsplit(url)
    return f"{place.hostname}{place.path}"[:MAX_NAME]


def _attempt(text: str) -> int:
    return int(text) + 1 if text.isdecimal() and len(text) < 6 else 2


def _tags(text: str) -> dict[str, str]:
    """Tags as a header spells them: `customer=acme, job=nightly`."""
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, is_there, value = part.partition("=")
        if not is_there or not name.strip():
            raise AmountError(TAGS, text, "write names with values, such as customer=acme,job=nightly")
        found[name.strip()] = value.strip()
    return found


def _to_send(request: Request, asked: Asked | None, own: Mapping[str, str], cap: int | None) -> Request:
    """The request without our own headers, and with what it must say so that its answer can be priced.

    What is signed is left as it is, but for our own headers, which nobody must sign.
    """
    said = request.headers
    accepted: str | None = None
    changes: list[tuple[Path, object]] = []
    if asked is not None and asked.kind == "paid" and not said.get("authorization", "").startswith(SIGNED):
        accepted = readable(said.get("accept-encoding", ""))
        changes += [(asked.cap, cap)] if cap is not None else []
        changes += [(asked.usage_flag, True)] if asked.usage_flag else []
    if own or accepted is not None:
        headers = {name: value for name, value in said.items() if name not in own}
        if accepted is not None:
            headers["accept-encoding"] = accepted
        request = replace(request, headers=headers)
    return changed(request, changes) if changes else request


def _cap(asked: Asked, default_output: int) -> int | None:
    """The cap to add for each answer, where the request has none, may have one, and the model's maximum is known."""
    most = output_limit(asked.model) if asked.cap and asked.max_output_tokens is None else None
    return None if most is None else min(default_output, most)
