"""The faults. Each replaces one piece of text, which must occur exactly once, and names what must notice."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Fault:
    """A fault: in `path` below `src/spendgate`, `old` becomes `new`.

    `caught_by` the model alone, or the tables too; or by the tests that are named, as pytest is told of them.
    """

    name: str
    path: str
    old: str
    new: str
    caught_by: Literal["model", "tests"] | tuple[str, ...] = "model"


_CHECKED = '        state = after(entry.state, "settle", entry.id)\n'
_USED = (
    "        used = entry.tariff_units if outcome.tariff_units is None else outcome.tariff_units\n"
    "        self._move_tariff(entry, used - entry.tariff_units)\n"
)

NAMED = (
    Fault(
        "a limit admits one part more",
        "admission.py",
        "if used + parts <= limit.amount:",
        "if used + parts <= limit.amount + 1:",
    ),
    Fault(
        "a limit refuses exactly what is left",
        "admission.py",
        "if used + parts <= limit.amount:",
        "if used + parts < limit.amount:",
    ),
    Fault(
        "the window ends a microsecond early",
        "windows.py",
        "return (now_at - self.span + 1) // self.width",
        "return (now_at - self.span + 2) // self.width",
    ),
    Fault(
        "a lapse is forgotten: it weighs nothing",
        "stores/posting.py",
        "self._booked(entry, entry.weight, entry.lapse_at, changes)",
        "self._booked(entry, Weight(), entry.lapse_at, changes)",
    ),
    Fault(
        "a second settle is taken",
        "stores/posting.py",
        "if weight == entry.weight and outcome.tariff_units in (None, entry.tariff_units):",
        "if True:",
    ),
    Fault(
        "a late settle is booked as a negative today",
        "stores/posting.py",
        "weight, entry.counted_at if late else self.at, changes)",
        "weight, self.at, changes)",
    ),
)
"""Those that the model must find, also in the quick suite."""

ALL = (
    *NAMED,
    Fault(
        "the window ends a microsecond late",
        "windows.py",
        "return (now_at - self.span + 1) // self.width",
        "return (now_at - self.span) // self.width",
        "tests",
    ),
    Fault(
        "buckets are rounded to the unsafe side",
        "windows.py",
        "return (now_at - self.span + 1) // self.width",
        "return -(-(now_at - self.span + 1) // self.width)",
    ),
    Fault(
        "a bucket leaves a microsecond late",
        "windows.py",
        "return (bucket + 1) * self.width + self.span - 1",
        "return (bucket + 1) * self.width + self.span",
        "tests",
    ),
    Fault(
        "days are those of UTC",
        "windows.py",
        "return _midnight(_next_start(date.fromordinal(bucket), self.unit), self.timezone)",
        'return _midnight(_next_start(date.fromordinal(bucket), self.unit), "UTC")',
        "tests",
    ),
    Fault(
        "days have 24 hours",
        "windows.py",
        "return start.toordinal(), _midnight(start, timezone),",
        "return start.toordinal(), _midnight(_next_start(start, unit), timezone) - 24 * HOUR,",
        "tests",
    ),
    Fault(
        "held money does not count",
        "admission.py",
        "used = counter.settled + counter.held + extra",
        "used = counter.settled + extra",
    ),
    Fault(
        "held money leaves with the window",
        "stores/counting.py",
        "    counter.oldest = oldest\n    if held_buckets:",
        "    counter.oldest = oldest\n    counter.held = 0\n    if held_buckets:",
    ),
    Fault(
        "settled money does not count",
        "stores/counting.py",
        "    counter.settled += parts\n",
        "    counter.settled += 0\n",
    ),
    Fault(
        "a reservation never lapses",
        "stores/posting.py",
        "        if self.at < self.meta.next_lapse_at:\n",
        "        if self.meta.next_lapse_at:\n",
    ),
    Fault(
        "a new hold does not tell when it lapses",
        "stores/posting.py",
        "self.meta.next_lapse_at = min(self.meta.next_lapse_at, lapse_at)",
        "self.meta.next_lapse_at = max(self.meta.next_lapse_at, lapse_at)",
    ),
    Fault(
        "the next lapse is not looked up after a lapse",
        "stores/posting.py",
        "self.meta.next_lapse_at = self.tables.next_lapse()",
        "self.meta.next_lapse_at = NEVER",
    ),
    Fault(
        "the next lapse is not looked up when the clock is set back",
        "stores/setback.py",
        "    meta.next_lapse_at = tables.next_lapse()\n",
        "",
    ),
    Fault(
        "a settle at the lapse is in time",
        "stores/posting.py",
        "if entry.state is State.HELD and self.at >= entry.lapse_at",
        "if entry.state is State.HELD and self.at > entry.lapse_at",
    ),
    Fault(
        "a cost counts from its hold",
        "stores/posting.py",
        "weight, entry.counted_at if late else self.at, changes)",
        "weight, entry.counted_at, changes)",
    ),
    Fault(
        "a late word reopens a window",
        "stores/counting.py",
        "if parts == 0 or bucket < counter.oldest:",
        "if parts == 0:",
    ),
    Fault(
        "missing usage is free",
        "stores/weighing.py",
        "usd = entry.reserved.usd if outcome.usd is None else outcome.usd",
        "usd = 0 if outcome.usd is None else outcome.usd",
    ),
    Fault(
        "an overrun is cut off",
        "stores/weighing.py",
        "    return Weight(\n        usd=usd,",
        "    return Weight(\n        usd=min(usd, entry.reserved.usd),",
    ),
    Fault("a refund may be negative", "stores/weighing.py", "    check_weight(request.weight)\n", "", "tests"),
    Fault(
        "a void keeps its weight",
        "stores/posting.py",
        'self._ended(entry, Weight(), {"state": state, "tariff_units": 0})',
        'self._ended(entry, entry.weight, {"state": state, "tariff_units": 0})',
    ),
    Fault(
        "a void keeps its place in the tariff",
        "stores/posting.py",
        "        self._move_tariff(entry, -entry.tariff_units)\n",
        "",
    ),
    Fault(
        "the position in a tariff does not move",
        "stores/posting.py",
        "        if entry.tariff is not None:\n            self._move_tariff(entry, entry.tariff_units)\n",
        "",
    ),
    Fault(
        "a settle that fails moves the position in a tariff",
        "stores/posting.py",
        _CHECKED + _USED,
        _USED + _CHECKED,
        "tests",
    ),
    Fault(
        "a tariff stays in the wrong month when the clock is set back",
        "stores/setback.py",
        "    if wrong != right:\n",
        "    if False:\n",
    ),
    Fault(
        "a clock set back reopens the windows",
        "stores/setback.py",
        "        if entry.held_at > now_at or entry.counted_at > now_at:\n",
        "        if entry.held_at > now_at:\n",
    ),
    Fault(
        "a clock set back dates nothing back",
        "stores/setback.py",
        "        if entry.held_at > now_at or entry.counted_at > now_at:\n",
        "        if False:\n",
    ),
    Fault(
        "a clock set back does not count anew",
        "stores/setback.py",
        "    counting.rebuild(tables, force, {limit_id for _, limit_id in force.rows}, now_at, max_scopes)\n",
        "",
    ),
    Fault(
        "a clock a little behind decides in the past",
        "stores/setback.py",
        "        return meta.latest_at\n",
        "        return now_at\n",
    ),
    Fault(
        "scopes are mixed up",
        "limits.py",
        "for name in self.per)",
        "for name in self.per[:1])",
    ),
    Fault(
        "scopes beyond the most are counted in their own",
        "stores/posting.py",
        "scope = OTHER if limit_id in entry.others else own_scope",
        "scope = own_scope",
        "tests",
    ),
    Fault(
        "scopes beyond the most get a second budget",
        "stores/posting.py",
        "return tables.count_counters(limit_id) >= self.max_scopes or tables.counter(limit_id, OTHER) is not None",
        "return tables.count_counters(limit_id) >= self.max_scopes",
        "tests",
    ),
    Fault(
        "counting anew parts a blocked scope from its entries",
        "stores/counting.py",
        "if other == limit_id} - {OTHER, EVERY}",
        "if False} - {OTHER, EVERY}",
        "tests",
    ),
    Fault(
        "one limit that agrees is enough",
        "stores/posting.py",
        "if against and request.enforce:",
        "if against and request.enforce and len(against) == len(judged):",
    ),
    Fault(
        "a refused call takes from the limits that agree",
        "stores/posting.py",
        "            return self._refusal(against[0]) if request",
        "            self._take([one for one in judged if one not in against], weight, set())\n"
        "            return self._refusal(against[0]) if request",
    ),
    Fault(
        "a limit that observes refuses",
        "admission.py",
        'return Verdict("fits", mark="observed")',
        'return Verdict("over", mark="observed")',
    ),
    Fault(
        "a throttled limit does not pause",
        "admission.py",
        'return Verdict("fits", at + limit.throttle_every, mark="throttled")',
        'return Verdict("fits", at, mark="throttled")',
    ),
    Fault(
        "a paced limit does not pause",
        "admission.py",
        '    return Verdict("fits", at + pause)',
        '    return Verdict("fits", at)',
        "tests",
    ),
    Fault(
        "counting anew forgets what is held",
        "stores/counting.py",
        "    counter.held = sums.held\n",
        "    counter.held = 0\n",
    ),
    Fault(
        "new limits begin empty",
        "stores/keeping.py",
        "        counting.rebuild(tables, force, fresh, posting.at, self.max_scopes)\n",
        "",
    ),
    Fault(
        "compacting takes what windows need",
        "stores/keeping.py",
        "if before_at > min(needed, posting.at) - COMPACT_MARGIN:",
        "if before_at > posting.at - COMPACT_MARGIN:",
        "tests",
    ),
    Fault(
        "changed limits are not followed",
        "stores/keeping.py",
        "if force.version != meta.limits_version:",
        "if not force.version:",
    ),
    Fault(
        "the oldest bucket stands a microsecond too long",
        "stores/counting.py",
        "counter.stands_until = limit.window.leaves_at(oldest)",
        "counter.stands_until = limit.window.leaves_at(oldest) + 1",
    ),
    Fault(
        "a counter that was counted anew is not looked at again",
        "stores/counting.py",
        "counter.oldest, counter.stands_until = window.oldest(at), 0",
        "counter.oldest = window.oldest(at)",
        "tests",
    ),
    Fault(
        "a warning waits for its highest threshold",
        "limits.py",
        "next(filter(None, self.thresholds), ENDLESS)",
        "max(self.thresholds, default=ENDLESS)",
        "tests",
    ),
    Fault(
        "what was lost weighs on nobody",
        "stores/posting.py",
        "return counter.used if counter else 0",
        "return 0",
        "tests",
    ),
    Fault(
        "warnings are never armed again",
        "admission.py",
        "            counter.warned &= ~bit\n",
        "            pass\n",
        "tests",
    ),
    Fault("warnings fire at every call", "admission.py", "                counter.warned |= bit\n", "", "tests"),
    Fault("every refusal is told", "stores/telling.py", "if begins_episode(counter, kind):", "if kind:", "tests"),
    Fault(
        "small calls end the episode of a large one",
        "admission.py",
        "return TOO_LARGE if counter.used * 10 < limit.amount * REARM else 0",
        "return 0",
        "tests",
    ),
    Fault(
        "an episode never ends",
        "admission.py",
        "return counter.blocked_at != 0 and counter.used * 10 < limit.amount * REARM",
        "return False",
        "tests",
    ),
    Fault(
        "a breaker outlasts its end",
        "stores/posting.py",
        'self.at >= state["reset_at"]',
        'self.at > state["reset_at"]',
        "tests",
    ),
    Fault(
        "a refusal promises too early",
        "stores/counting.py",
        "            return limit.window.leaves_at(bucket)\n",
        "            return limit.window.leaves_at(bucket) - 1\n",
    ),
    Fault(
        "imported history counts twice",
        "stores/memory.py",
        "            if entry.id in self.imported:",
        "            if False:",
        "tests",
    ),
    Fault(
        "compacting loses the overruns",
        "stores/summing.py",
        "day.overrun_usd += overrun(entry)",
        "day.overrun_usd += 0",
        "tests",
    ),
    Fault(
        "amounts are rounded down",
        "money.py",
        "to_integral_value(ROUND_CEILING",
        'to_integral_value("ROUND_FLOOR"',
        "tests",
    ),
    Fault(
        "a float passes for an amount",
        "money.py",
        "not isinstance(value, str | int | Decimal)",
        "not isinstance(value, str | int | float | Decimal)",
        "tests",
    ),
    Fault(
        "True passes for one dollar",
        "money.py",
        "if isinstance(value, bool) or not isinstance(value, str",
        "if not isinstance(value, str",
        "tests",
    ),
    Fault("NaN passes for an amount", "money.py", "if not number.is_finite():", "if number.is_infinite():", "tests"),
    Fault(
        "a voided reservation can be settled",
        "reservation.py",
        '    (State.LAPSED, "void"): State.VOIDED,\n',
        '    (State.LAPSED, "void"): State.VOIDED,\n    (State.VOIDED, "settle"): State.SETTLED,\n',
    ),
    Fault(
        "a retry is not judged under its budget",
        "stores/posting.py",
        "        if request.marks:\n            rows = (*rows, *drawn(request.call, request.marks))\n",
        "",
    ),
    Fault(
        "a settle does not move the budgets",
        "stores/posting.py",
        "        if entry.marks:\n            rows = (*rows, *drawn(entry.call, entry.marks))\n",
        "",
    ),
    Fault(
        "a further attempt is no retry",
        "stores/drawing.py",
        "    is_retry = call.attempt > 1\n",
        "    is_retry = call.attempt > 2\n",
    ),
    Fault(
        "the same request again is no retry",
        "stores/drawing.py",
        "        is_retry = is_retry or _was_sent(tables, call, request.fingerprint, at)\n",
        "",
    ),
    Fault(
        "a request that was not sent was seen",
        "budgets.py",
        "return 0 if is_void else self.requests",
        "return self.requests",
    ),
    Fault(
        "a budget counts calls by what they are billed as",
        "stores/weighing.py",
        "return limit.parts(weight.usd, is_void) if isinstance(limit, Budget) else weight.of(limit.unit)",
        "return weight.of(limit.unit)",
    ),
    Fault(
        "tasks share their budgets",
        "budgets.py",
        '    return f"task={escape(task)}"\n',
        '    return "task="\n',
    ),
    Fault(
        "what is booked without asking draws on no budget",
        "stores/posting.py",
        "        request = drawing.with_budgets(\n            self.tables, request,"
        " drawing.terms_of(self.tables, request.call, self.at), self.at\n        )\n",
        "",
    ),
    Fault(
        "counting anew forgets the budgets",
        "stores/setback.py",
        "    counting.rebuild_budgets(tables, force, now_at)\n",
        "",
    ),
    Fault(
        "a loop passes whenever its window has room",
        "stores/drawing.py",
        'if verdict.kind == "fits" and at >= counter.next_at:',
        'if verdict.kind == "fits":',
    ),
    Fault(
        "a block by a clock far ahead lasts",
        "stores/counting.py",
        "        counter.next_at = min(counter.next_at, blocked_until)\n",
        "",
    ),
    Fault(
        "a block is forgotten with its idle row",
        "stores/drawing.py",
        "            if counter.next_at > at:\n",
        "            if False:\n",
        "tests",
    ),
    Fault(
        "a refused call locks the tier",
        "stores/drawing.py",
        "    terms = tables.task(call.task) if call.task else None\n",
        "    terms = tables.task(call.task) if call.task else None\n    lock_tier(tables, call, terms)\n",
        "tests",
    ),
    Fault(
        "a model is admitted without being compared",
        "stores/posting.py",
        "if terms is not None and request.call.model and request.compared != terms.lock:",
        "if terms is not None and request.call.model and not terms.tier:",
        "tests",
    ),
    Fault(
        "other terms are taken for a task that has some",
        "stores/tasks.py",
        "        if now is not None and now != was:\n",
        "        if now is not None and was and now < was:\n",
        "tests",
    ),
    Fault(
        "an expired request can be approved",
        "stores/tasks.py",
        'is_over = one.state == "asked" and posting.at >= one.expires_at',
        'is_over = one.state == "asked" and posting.at > one.expires_at',
        "tests",
    ),
    Fault(
        "an ended task can be approved more",
        "stores/tasks.py",
        'if one.task == task_id and one.state == "asked":',
        'if one.task == task_id and one.state == "denied":',
        "tests",
    ),
    Fault(
        "the tier compares the wrong way at its own price",
        "tiers.py",
        'return "is dearer" if most(price) > most(',
        'return "is dearer" if most(price) >= most(',
        "tests",
    ),
    Fault(
        "a stated cost hides a dearer model",
        "tiers.py",
        "    if not terms.tier or (call.model",
        "    if ask.at_most is not None or not terms.tier or (call.model",
        "tests",
    ),
)
