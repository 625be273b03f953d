"""What to say about an event: what happened, to which budget, how much, and what to do about it.

>>> data = {"unit": "calls", "window": "day", "amount": 20_000, "spent": 16_000, "held": 12, "share": "0.8"}
>>> headline, sentences = words(Event(0, "warned", "clearbit-daily", "", data))
>>> headline
"limit 'clearbit-daily' is at 80% for all calls"
>>> sentences[1]
'It is 20,000 calls per day: 16,000 calls spent, 12 calls held by running calls.'
"""

from collections.abc import Callable

from spendgate.budgets import fields
from spendgate.clock import moment
from spendgate.ledger import Event
from spendgate.limits import EVERY, in_units
from spendgate.money import dollars

Words = tuple[str, list[str]]
"""A headline, and sentences."""


def words(event: Event) -> Words:
    """A headline and the sentences under it; an event of a kind nobody knows is still told."""
    return _WORDS.get(event.kind, _unknown)(event)


def _blocked(event: Event) -> Words:
    if event.data.get("budget") in _BUDGETS:
        return _BUDGETS[event.data["budget"]](event)
    frees = event.data.get("frees_at")
    return f"limit {event.limit!r} refuses calls of {_scope(event)}", [
        f"The limit {event.limit!r} leaves no room for {_scope(event)}.",
        f"{_standing(event)} The refused call asked for {_amount(event, 'requested')}.",
        "Calls that do not fit are refused before they are sent: they cost nothing. This is said once per episode.",
        f"Enough frees at {say_when(frees)}." if frees else "`spendgate status` shows when enough frees.",
        "What to do: `spendgate report` shows which work spends it. If it is meant, raise the limit; if not, stop it.",
    ]


def _looping(event: Event) -> Words:
    said = fields(event.scope)
    who = f"for {said['service']}" if said.get("service") else "for no named service"
    count = _whole(event.data.get("spent")) + _whole(event.data.get("held"))
    what = f"The same request (fingerprint {said.get('request', '?')}) was sent {count} times {who}"
    return f"the same request {who} is sent over and over", [
        f"{what} within {event.data.get('window', 'a short time')}, and is sent again: this looks like a loop.",
        "It is refused before it is sent until the window has room again; other requests pass. This is said once.",
        "What to do: stop what sends it. If it is meant, raise `same_request` under [loops] in spendgate.toml.",
    ]


def _retrying(event: Event) -> Words:
    task = fields(event.scope).get("task", event.scope)
    return f"the retries of task {task!r} have used up their budget", [
        f"Task {task!r} has no money left for retries, and retries again.",
        f"{_standing(event)} The refused retry asked for {_amount(event, 'requested')}.",
        "Its first attempts still pass; every further one is refused before it is sent. This is said once.",
        "What to do: look at what fails there. `spendgate report --by task` shows what it has spent.",
    ]


_BUDGETS = {"same": _looping, "retry": _retrying}


def _escalation(event: Event) -> Words:
    data, number = event.data, event.data.get("id")
    what = f"{data.get('to')} for up to {_amount(event, 'budget')}"
    asked = f"Task {event.scope!r} asked for {what}; asked by {data.get('asked_by') or 'a program'}."
    if data.get("state") != "asked":
        by = f" by {data['by']}" if data.get("by") else ""
        why = f": {data['answer']}" if data.get("answer") else ""
        return f"escalation {number} of task {event.scope!r} is {data.get('state')}", [
            f"Escalation {number} is {data.get('state')}{by}{why}.",
            asked,
        ]
    return f"task {event.scope!r} asks for {what}", [
        asked,
        f"Its reason: {data.get('reason') or 'none given'}.",
        f"It waits for a yes until {say_when(_whole(data.get('expires_at')))}; until then nothing dearer is sent.",
        f"What to do: `spendgate escalation approve {number}`, or `spendgate escalation deny {number}`.",
    ]


def _locked(event: Event) -> Words:
    data, task = event.data, event.scope
    locked, requested = data.get("locked"), data.get("requested")
    held = f"is held to {locked}" if locked else "may not begin with it"
    number = data.get("escalation")
    more = "`gate.escalate` asks a person for it." if number is None else f"Escalation {number} asks for more."
    return f"task {task!r} asked for {requested} and {held}", [
        f"A call of {requested} {data.get('problem') or 'is dearer'}: task {task!r} {held}.",
        "It was refused before it was sent: it cost nothing. This is said once for each task, model and process.",
        f"What to do: nothing, if the job goes on with its own model. {more}",
    ]


def _skipped(event: Event) -> Words:
    data = event.data
    who = f" of {data['service']}" if data.get("service") else ""
    what = f" for {data['key']!r}" if data.get("key") else ""
    return f"a call{who} to {data.get('resource') or 'a paid API'}{what} was skipped", [
        f"A call{who} to {data.get('resource') or 'a paid API'}{what} was refused by {event.limit!r}, and left out.",
        f"It asked for {dollars(_whole(data.get('usd')))} at most. Nothing was sent, nothing was spent.",
        "What to do: `spendgate report --json` lists what was skipped, with keys, to be done later.",
    ]


def _finding(event: Event) -> Words:
    data = event.data
    known = _FINDINGS.get(str(data.get("finding")), "{subject} costs money that nobody meant to spend")
    what = known.format(subject=event.scope) + (f", for {data['service']}" if data.get("service") else "")
    cost = dollars(_whole(data.get("usd")))
    version = f" It began with version {data['version']}." if data.get("version") else ""
    if data.get("state") == "ended":
        since = say_when(_whole(data.get("began_at")))
        return f"it is over that {what}", [f"{data.get('text')}.", f"It had begun at {since}. It has cost {cost}."]
    number = data.get("id")
    if data.get("state") == "dismissed":
        why = f": {data['reason']}" if data.get("reason") else ""
        return f"finding {number} was dismissed: {what}", [
            f"{data.get('text')}.",
            f"{data.get('dismissed_by')} dismissed it{why}. It has cost {cost} so far; nothing is refused for it.",
            "The next you hear of it is that it is over.",
        ]
    return what, [
        f"{data.get('text')}.",
        f"It has cost {cost} so far.{version} Nothing is refused for it. This is said once.",
        "What to do: `spendgate report` shows what it costs; look at what changed before it began.",
        f"If it is meant: `spendgate finding dismiss {number}`.",
    ]


_FINDINGS = {
    "churn": "the keys of cache {subject!r} do not repeat",
    "misses": "cache {subject!r} misses more than it used to",
    "evictions": "cache {subject!r} is too small for what is asked of it",
    "silent": "cache {subject!r} is not asked any more",
    "duplicates": "answers of {subject} are paid for again",
}


def _observed(event: Event) -> Words:
    return f"limit {event.limit!r} is passed by calls of {_scope(event)}", [
        f"The limit {event.limit!r} has no room left for {_scope(event)}, but it lets calls through.",
        _standing(event),
        'What to do: set at_limit = "refuse" for this limit, and mode = "enforce", to have such calls refused.',
    ]


def _allowing(event: Event) -> Words:
    return f"limit {event.limit!r} lets calls of {_scope(event)} pass again", [
        f"The limit {event.limit!r} has room for {_scope(event)} again.",
        _refused(event),
    ]


def _warned(event: Event) -> Words:
    percent = _percent(event.data.get("share"))
    return f"limit {event.limit!r} is at {percent} for {_scope(event)}", [
        f"The limit {event.limit!r} has reached {percent} for {_scope(event)}.",
        _standing(event),
        "Nothing is refused yet. What to do: `spendgate status` shows what is left, `spendgate report` who spends it.",
    ]


def _tripped(event: Event) -> Words:
    reset_at = event.data.get("reset_at")
    target = "--all" if event.scope == EVERY else event.scope
    until = f"until {say_when(reset_at)}" if reset_at else "until somebody resets it"
    return f"the breaker for {_scope(event)} was tripped", [
        f"Somebody tripped the breaker for {_scope(event)}: {event.data.get('reason') or 'no reason given'}.",
        f"Every call of it is refused {until}.",
        f"What to do: `spendgate breaker reset {target}` lets calls through again.",
    ]


def _reset(event: Event) -> Words:
    return f"the breaker for {_scope(event)} was reset", [
        f"Calls of {_scope(event)} pass again: {event.data.get('because') or 'the breaker was reset'}.",
        _refused(event),
    ]


def _limits(event: Event) -> Words:
    return "the limits in force have changed", [
        f"Other limits are in force from now on. They come from {event.data.get('source') or 'another file'}.",
        "What to do: if nobody meant this, `spendgate limits check` says in words what they allow.",
    ]


def _lost(event: Event) -> Words:
    missing = _whole(event.data.get("usd"))
    return "the ledger has lost entries", [
        "The ledger is behind its own record of how far it had come: its last entries are gone.",
        "A restored backup, a torn write or a replaced file does that.",
        f"Missing as far as is known: {dollars(missing)}." if missing else "How much they came to is not known.",
        "What to do: `spendgate doctor` says what is missing and how to go on.",
    ]


def _clock(_: Event) -> Words:
    return "the clock has jumped", [
        "The machine's clock moved in a way that time does not. No window was reopened by it.",
        "What to do: check time synchronisation on this machine; `spendgate doctor` shows the details.",
    ]


def _test(_: Event) -> Words:
    return "this is a test", [
        "Somebody ran `spendgate notify test`. Nothing has happened to any budget.",
        "If you read this, alerts reach you by this route.",
    ]


def _unknown(event: Event) -> Words:
    headline = f"{event.kind} {event.limit}".strip()
    return headline, [f"An event of the kind {event.kind!r} was recorded for {_scope(event)}."]


_WORDS: dict[str, Callable[[Event], Words]] = {
    "allowing": _allowing,
    "blocked": _blocked,
    "clock": _clock,
    "escalation": _escalation,
    "finding": _finding,
    "limits": _limits,
    "locked": _locked,
    "lost": _lost,
    "observed": _observed,
    "reset": _reset,
    "skipped": _skipped,
    "test": _test,
    "tripped": _tripped,
    "warned": _warned,
}


def say_when(at: int) -> str:
    """An instant for a reader."""
    return f"{moment(at):%Y-%m-%d %H:%M:%S} UTC"


def one_line(text: str) -> str:
    """Text that fits a mail's subject: one line, no control characters, at most 200 characters.

    >>> one_line("trip" + chr(10) + "Bcc: everybody@example.com")
    'trip Bcc: everybody@example.com'
    """
    return "".join(sign if sign.isprintable() else " " for sign in text)[:200]


def _standing(event: Event) -> str:
    window = event.data.get("window", "window")
    spent, held = _amount(event, "spent"), _amount(event, "held")
    return f"It is {_amount(event, 'amount')} per {window}: {spent} spent, {held} held by running calls."


def _refused(event: Event) -> str:
    calls = _whole(event.data.get("refused_calls"))
    since = event.data.get("since_at")
    asked = dollars(_whole(event.data.get("refused_usd")))
    when = f" since {say_when(since)}" if since else ""
    return f"Refused{when}: {calls:,} call{'s' * (calls != 1)} that asked for {asked} together."


def _scope(event: Event) -> str:
    return "all calls" if event.scope in ("", EVERY) else event.scope


def _amount(event: Event, name: str) -> str:
    parts, unit = _whole(event.data.get(name)), str(event.data.get("unit", "usd"))
    return dollars(parts) if unit == "usd" else f"{in_units(parts, unit):,} {unit}"


def _percent(share: object) -> str:
    try:
        return f"{float(str(share)):.0%}"
    except ValueError:
        return "a warning threshold"


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0
