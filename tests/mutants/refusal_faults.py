"""Faults in what becomes of refused calls, and in estimates that are learned."""

from tests.mutants.faults import Fault

TESTS = (
    "tests/gate/test_refusing.py",
    "tests/gate/test_learning.py",
    "tests/gate/test_telling.py",
    "tests/wire/test_substituting.py",
    "tests/integrations/test_metering.py",
    "tests/integrations/test_fallbacks.py",
)


def fault(name: str, path: str, old: str, new: str) -> Fault:
    """A fault that the tests of refusals must notice."""
    return Fault(name, path, old, new, TESTS)


REFUSALS = (
    fault(
        "the farthest policy holds",
        "policies.py",
        "way = near if near.when_refused else far",
        "way = far if far.when_refused else near",
    ),
    fault("the shortest glob holds", "policies.py", "self.rules[max(fitting,", "self.rules[min(fitting,"),
    fault("a loop is sent elsewhere", "policies.py", "return not isinstance(refusal, LoopError)", "return True"),
    fault(
        "a clamp that nobody stated lowers a reservation",
        "refusing.py",
        "self._least = said.least_output",
        "self._least = self.policy.least_output",
    ),
    fault(
        "a clamp goes below what is worth a call",
        "refusing.py",
        "if fitting < self._least:",
        "if fitting < self._least - 1:",
    ),
    fault(
        "a clamp asks for a token too many",
        "estimating.py",
        "return bisect_left(range(1, most + 1), True, key=exceeds)",
        "return bisect_left(range(1, most + 1), True, key=exceeds) + 1",
    ),
    fault(
        "a client's clamp goes below what is worth a call",
        "substitutes.py",
        "if fitting < least:",
        "if fitting < least - 1:",
    ),
    fault(
        "a block keeps every error",
        "refusing.py",
        "        if not isinstance(fault, RefusedError):\n            return False\n        self.refusal = fault\n",
        "        if fault is None:\n            return False\n        self.refusal = fault  # type: ignore\n",
    ),
    fault("a skip is written down twice", "refusing.py", "if not heard.is_written:", "if heard:"),
    fault(
        "a skip inside a block has no key",
        "refusing.py",
        'write(desk, heard, block.key if block is not None else "")',
        'write(desk, heard, "")',
    ),
    fault(
        "a plain fallback does not pass the gate",
        "calling.py",
        '            fallback = gated(name[:100], free=True, when_refused="raise")(fallback)\n',
        "            del name\n",
    ),
    fault(
        "calls inside a fallback carry no tag",
        "paying.py",
        "return attribution.scope(tags={FALLBACK_FOR: self.resource})",
        "return attribution.scope()",
    ),
    fault("a client's fallback carries no tag", "substitutes.py", "if self.stands_for:", "if not self:"),
    fault(
        "what is asked instead is a new request",
        "substitutes.py",
        'self._fingerprint = self._fingerprint or stated.get("fingerprint", "")',
        'self._fingerprint = stated.get("fingerprint", "")',
    ),
    fault(
        "what is asked instead waits again",
        "substitutes.py",
        "if self._policy.wait and not self._has_fallen_back:",
        "if self._policy.wait:",
    ),
    fault(
        "the second refusal is the one that is raised",
        "substitutes.py",
        "        if isinstance(fault, LoopError):\n            first = fault\n",
        "        if isinstance(fault, RefusedError):\n            first = fault\n",
    ),
    fault(
        "embeddings fall back to a model that writes",
        "wire/substituting.py",
        " and asked.max_output_tokens != 0",
        "",
    ),
    fault(
        "the caller's key goes to another address",
        "wire/substituting.py",
        'DESCRIBING = frozenset({"accept",',
        'DESCRIBING = frozenset({"authorization", "x-api-key", "accept",',
    ),
    fault(
        "the caller's query goes to another address",
        "wire/substituting.py",
        '{tail[1]}", headers',
        '{tail[1]}?{urlsplit(request.url).query}", headers',
    ),
    fault(
        "an answer from another address leads the client on",
        "integrations/httpx.py",
        'for name in ("location", "set-cookie"):',
        'for name in ("set-cookie",):',
    ),
    fault(
        "a fallback locks the tier",
        "stores/drawing.py",
        ' and not call.field(f"tags.{FALLBACK_FOR}")',
        "",
    ),
    fault(
        "searches of the web do not count between models",
        "tiers.py",
        "            web_searches=ask.web_searches,\n",
        "",
    ),
    fault("little history is enough", "learning.py", "if len(outputs) < HISTORY:", "if len(outputs) < HISTORY - 1:"),
    fault("half of all calls may be overruns", "learning.py", "PERCENT = 99\n", "PERCENT = 50\n"),
    fault(
        "calls without usage are short calls",
        "learning.py",
        'or "unpriced" in entry.marks or not entry.usage:\n        return UNKNOWN\n',
        'or "unpriced" in entry.marks or not entry.usage:\n        return 0\n',
    ),
    fault(
        "missing usage costs what was learned",
        "learning.py",
        "usd = full.usd if outcome.usd is None else outcome.usd",
        "usd = outcome.usd",
    ),
    fault(
        "an estimate leaves the input out",
        "learning.py",
        "replace(ask, max_output_tokens=most)",
        "replace(ask, input_tokens=0, max_output_tokens=most)",
    ),
    fault(
        "the ledger is asked at every call",
        "learning.py",
        "if known is None or not 0 <= at - known[0] < REFRESH:",
        "if known is None or at:",
    ),
    fault(
        "what was learned is never forgotten",
        "learning.py",
        "            if len(self._known) >= REMEMBERED:\n                self._known.clear()\n",
        "",
    ),
)
