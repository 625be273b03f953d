"""What spendgate raises. Every message is built from typed, public fields and says what to do.

`RefusedError` means: nothing was sent, nothing was spent, and sending it again at once will not help. None of these
inherits from an SDK's or an HTTP client's errors, so that no retry of theirs takes a refusal for a passing fault.
"""

from datetime import datetime
from decimal import Decimal


class SpendgateError(Exception):
    """The root of everything that spendgate raises."""


class AmountError(SpendgateError, ValueError):
    """An amount that cannot be money or a quantity. Nothing was reserved or booked."""

    def __init__(self, name: str, value: object, remedy: str) -> None:
        huge = isinstance(value, int) and abs(value) >= 10**60  # Python spells no int of thousands of digits
        shown = "a huge number" if huge else repr(str(value)[:60])
        super().__init__(f"{name} = {shown} ({type(value).__name__}): {remedy}")
        self.name = name
        self.value = value
        self.remedy = remedy

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.name, self.value, self.remedy), vars(self)


class RefusedError(SpendgateError):
    """The gate said no: nothing was sent, nothing was spent. Do not retry."""


class SpendLimitError(RefusedError):
    """A limit leaves no room for this call. Nothing was reserved.

    `spent`, `held`, `requested` and `headroom` are in the limit's `unit` (dollars for `usd`). `frees_at` is when enough
    will have left the window if nothing else is spent, or None where that cannot be said: the call is larger than the
    limit itself, or money still held by running calls fills it. `retry_after_s` is the shortest wait that can help.
    With `takes_turns` the limit throttles or paces: calls go one at a time, and `frees_at` is when the next one may.
    """

    def __init__(
        self,
        *,
        limit: str,
        scope: str,
        window: str,
        unit: str,
        amount: Decimal,
        spent: Decimal,
        held: Decimal,
        requested: Decimal,
        frees_at: datetime | None,
        retry_after_s: float | None,
        reason: str = "",
        takes_turns: bool = False,
    ) -> None:
        self.limit = limit
        self.scope = scope
        self.window = window
        self.unit = unit
        self.amount = amount
        self.spent = spent
        self.held = held
        self.requested = requested
        self.headroom = max(amount - spent - held, Decimal(0))
        self.frees_at = frees_at
        self.retry_after_s = retry_after_s
        self.reason = reason
        self.takes_turns = takes_turns
        super().__init__(self._message())

    def _message(self) -> str:
        def show(value: Decimal) -> str:
            return f"${value:,f}" if self.unit == "usd" else f"{value:,f} {self.unit}"

        where = f" for {self.scope}" if self.scope else ""
        if self.frees_at is not None:
            what = "Its next turn is at" if self.takes_turns else "Enough frees at"
            when = f"{what} {self.frees_at:%Y-%m-%d %H:%M:%S} UTC."
        elif self.requested > self.amount:
            when = "It is more than the whole limit: it will never fit. Raise the limit or ask for less."
        else:
            when = "It is held by calls still running and frees as they settle."
        if self.reason:
            when = f"{self.reason} {when}"
        answer = "lets calls through one at a time" if self.takes_turns else "leaves no room"
        return (
            f"limit {self.limit!r}{where} {answer}: {show(self.spent)} spent and {show(self.held)} held of "
            f"{show(self.amount)} per {self.window}, {show(self.requested)} requested, {show(self.headroom)} left. "
            f"{when}"
        )

    def __reduce__(self) -> tuple[object, ...]:
        return _reduced(self, "headroom")


class BlockedError(RefusedError):
    """Somebody tripped the breaker by hand. Nothing was reserved."""

    def __init__(self, *, scope: str, since: datetime, reason: str, reset_at: datetime | None) -> None:
        self.scope = scope
        self.since = since
        self.reason = reason
        self.reset_at = reset_at
        until = f"until {reset_at:%Y-%m-%d %H:%M:%S} UTC" if reset_at else "until it is reset"
        target = "--all" if scope == "*" else scope
        super().__init__(
            f"the breaker for {scope!r} was tripped at {since:%Y-%m-%d %H:%M:%S} UTC ({reason}) and blocks {until}. "
            f"`spendgate breaker reset {target}` lets calls through again."
        )

    def __reduce__(self) -> tuple[object, ...]:
        return _reduced(self)


class RetryBudgetError(RefusedError):
    """The task has spent what it may spend on retries. Nothing was reserved.

    Amounts are in dollars: `budget` is for all retries of the `task`, of which `spent` are spent and `held` are set
    aside for retries under way; `requested` is what this retry can cost at most.
    """

    def __init__(self, *, task: str, budget: Decimal, spent: Decimal, held: Decimal, requested: Decimal) -> None:
        self.task = task
        self.budget = budget
        self.spent = spent
        self.held = held
        self.requested = requested
        left = max(budget - spent - held, Decimal(0))
        super().__init__(
            f"the retries of task {task!r} have a budget of ${budget:,f}: ${spent:,f} spent and ${held:,f} held, "
            f"${requested:,f} requested, ${left:,f} left. Stop retrying and look at what fails; first attempts of the "
            "task still pass."
        )

    def __reduce__(self) -> tuple[object, ...]:
        return _reduced(self)


class TierLockedError(RefusedError):
    """The task is held to a model, and this one is dearer, or stands above it on the ladder. Nothing was reserved.

    `locked` is the model of the `task`, `requested` that of this call. `escalation` is the number of the request to go
    on with a dearer model that waits or was approved, or None; `problem` says in which way the call is above it.
    """

    def __init__(
        self, *, task: str, locked: str, requested: str, escalation: int | None = None, problem: str = ""
    ) -> None:
        self.task = task
        self.locked = locked
        self.requested = requested
        self.escalation = escalation
        self.problem = problem
        held = f"is held to {locked}" if locked else "may not begin with it"
        more = (
            f"Escalation {escalation} asks for more: `spendgate escalation list` shows how it stands."
            if escalation is not None
            else f'`gate.escalate(task, to="{requested[:60]}", budget=...)` asks a person for it.'
        )
        super().__init__(f"{requested[:200]!r} {problem or 'is dearer'}: task {task!r} {held}. {more}")

    def __reduce__(self) -> tuple[object, ...]:
        return _reduced(self)


class LoopError(RefusedError):
    """The same request was sent too often in too short a time. Nothing was reserved.

    It was sent `count` times for `service` within `window_s` seconds. It is blocked until nobody has tried it for as
    long: `frees_at` is when that will be, if it is not tried again before.
    """

    def __init__(self, *, service: str, count: int, window_s: float, frees_at: datetime | None) -> None:
        self.service = service
        self.count = count
        self.window_s = window_s
        self.frees_at = frees_at
        who = f" for {service!r}" if service else ""
        when = f" Left alone, it may pass at {frees_at:%Y-%m-%d %H:%M:%S} UTC." if frees_at else ""
        super().__init__(
            f"the same request was sent {count} times{who} within {window_s:g} seconds: this looks like a loop.{when} "
            "Stop it, or raise `same_request` under [loops] in spendgate.toml if it is meant."
        )

    def __reduce__(self) -> tuple[object, ...]:
        return _reduced(self)


class EscalationError(RefusedError):
    """A dearer model was asked for and not approved. Nothing was reserved, the task goes on as it was.

    `escalation` is the number of the request. `state` is `denied`, `expired`, or `asked` while nobody has decided in
    the time that the caller waits; `by` and `answer` are who decided, and why.
    """

    def __init__(self, *, task: str, escalation: int, state: str, by: str = "", answer: str = "") -> None:
        self.task = task
        self.escalation = escalation
        self.state = state
        self.by = by
        self.answer = answer
        who, why = f" by {by}" if by else "", f": {answer}" if answer else ""
        super().__init__(
            f"escalation {escalation} of task {task!r} was {state}{who}{why}."
            if state != "asked"
            else f"escalation {escalation} of task {task!r} still waits for a yes: `spendgate escalation approve "
            f"{escalation}` gives it. Asked again, it is found again."
        )

    def __reduce__(self) -> tuple[object, ...]:
        return _reduced(self)


class TaskError(SpendgateError):
    """A task, or what is asked for it, is not what the ledger knows. Nothing was changed."""

    def __init__(self, *, task: str, reason: str) -> None:
        self.task = task
        self.reason = reason
        super().__init__(f"task {task[:200]!r}: {reason}. Nothing was changed." if task else f"{reason}.")

    def __reduce__(self) -> tuple[object, ...]:
        return _reduced(self)


class PriceError(SpendgateError):
    """We cannot say what this costs, so a limit in dollars cannot be kept. Nothing was reserved or sent."""

    def __init__(self, *, provider: str, model: str, nearest: tuple[str, ...] = (), problem: str = "") -> None:
        self.provider = provider
        self.model = model
        self.nearest = nearest
        self.problem = problem
        name = f"{provider}:{model}" if provider else model
        hint = f" Nearest names: {', '.join(nearest)}." if nearest else ""
        super().__init__(
            f"{problem or 'no price is known'} for {name[:200]!r}.{hint} Declare one in spendgate.toml under "
            f'[prices."{model[:60]}"], declare `unknown_model`, or state `at_most` for the call. '
            "Free is a price too: 0."
        )

    def __reduce__(self) -> tuple[object, ...]:
        return _reduced(self)


class StoreError(SpendgateError):
    """The ledger cannot be read or written. Nothing was half-written."""


class LostTailError(StoreError):
    """The ledger is behind its own record of how far it had come: entries are missing."""


class ConfigError(SpendgateError):
    """The configuration does not say what it must. Nothing was changed.

    `line` is the line in `file`, or 0 where it cannot be told; `nearest` is the known name closest to an unknown one.
    """

    def __init__(
        self, problem: str, *, file: str = "", line: int = 0, key: str = "", expected: str = "", nearest: str = ""
    ) -> None:
        self.problem = problem
        self.file = file
        self.line = line
        self.key = key
        self.expected = expected
        self.nearest = nearest
        where = f"{file}:{line}: " if file and line else f"{file}: " if file else ""
        what = f"`{key}`: " if key else ""
        tail = f" Expected {expected}." if expected else ""
        hint = f" Did you mean `{nearest}`?" if nearest else ""
        super().__init__(f"{where}{what}{problem}.{tail}{hint}")

    def __reduce__(self) -> tuple[object, ...]:
        return _reduced(self)


class UnstableKeyError(SpendgateError, TypeError):
    """A value that cannot be part of a cache key: another process, or another run, would spell it otherwise.

    `path` leads to it from the arguments (`parts[1]['author'].photo`), `kind` says what it is, `remedy` what to do.
    No key was made.
    """

    def __init__(self, *, path: str, kind: str, remedy: str) -> None:
        self.path = path
        self.kind = kind
        self.remedy = remedy
        super().__init__(f"{path} is {kind}, which cannot be part of a cache key: {remedy}")

    def __reduce__(self) -> tuple[object, ...]:
        return _reduced(self)


class ReservationStateError(SpendgateError):
    """A reservation ends once: it was settled with another amount, or voided. The ledger is as it was."""


def _reduced(error: SpendgateError, *derived: str) -> tuple[object, ...]:
    """How to make an error anew: from its fields, and then what was added to it, such as notes."""
    extra = {name: value for name, value in vars(error).items() if name.startswith("__")}
    fields = {name: value for name, value in vars(error).items() if name not in extra and name not in derived}
    return _rebuild, (type(error), fields), extra or None


def _rebuild(kind: type[SpendgateError], fields: dict[str, object]) -> SpendgateError:
    """Makes the error anew on the other side of a pickle: keyword-only arguments need a hand."""
    problem = fields.pop("problem", None) if kind is ConfigError else None
    return kind(problem, **fields) if problem is not None else kind(**fields)
