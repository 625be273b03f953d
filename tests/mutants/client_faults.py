"""Faults between a client or a framework and the gate; each names the tests that must notice it."""

from tests.mutants.faults import Fault

_HERE = "tests/integrations/"
_FRAMEWORKS = f"{_HERE}frameworks/"
METERING = (f"{_HERE}test_metering.py",)
MATRIX = (f"{_HERE}test_matrix.py", "-k", "httpx- or openai-sync")
ROUTES = (f"{_HERE}test_sdk_routes.py",)
INSTRUMENTED = (f"{_HERE}test_instrumenting.py",)
ONCE = (f"{_FRAMEWORKS}test_asked_once.py",)

METERED = (
    Fault(
        "what may have been sent is free",
        "metering.py",
        "        if sent:\n            self._reservation.abandon()\n",
        "        if not sent:\n            self._reservation.abandon()\n",
        METERING,
    ),
    Fault(
        "an answer that cannot be read is free",
        "metering.py",
        '            self._reservation.settle_whole(frozenset({"unpriced"}))\n',
        "            self._reservation.void_quietly()\n",
        METERING,
    ),
    Fault(
        "our own headers leave the machine",
        "metering.py",
        "for name, value in said.items() if name not in own}",
        "for name, value in said.items()}",
        METERING,
    ),
    Fault(
        "a request is sent without the cap that it is held for",
        "metering.py",
        "        changes += [(asked.cap, cap)] if cap is not None else []\n",
        "",
        METERING,
    ),
    Fault(
        "streams are not asked for their usage",
        "metering.py",
        "        changes += [(asked.usage_flag, True)] if asked.usage_flag else []\n",
        "",
        METERING,
    ),
    Fault(
        "a retry of an SDK is a first attempt",
        "metering.py",
        '        stated["attempt"] = _attempt(request.headers[RETRY])\n',
        '        stated["attempt"] = 1\n',
        MATRIX,
    ),
    Fault(
        "a signed request is changed",
        "metering.py",
        ' and not said.get("authorization", "").startswith(SIGNED):\n',
        ":\n",
        ROUTES,
    ),
)

SENT = (
    Fault(
        "a client sends what it was asked to, not what was held for",
        "integrations/httpx.py",
        "response = _sender(self, metered, sent).handle_request(sent)",
        "response = _sender(self, metered, sent).handle_request(request)",
        ROUTES,
    ),
    Fault(
        "an SDK is told of a refusal by an error that it retries",
        "integrations/httpx.py",
        '        if "x-stainless-lang" not in request.headers:\n',
        "        if True:\n",
        (f"{_HERE}test_matrix.py", "-k", "anthropic and refused"),
    ),
    Fault(
        "a refusal is an answer like any other",
        "integrations/httpx.py",
        '            """What Anthropic\'s SDK makes its error of."""\n            raise self.extensions[ERROR]\n',
        '            """What Anthropic\'s SDK makes its error of."""\n            return super().text\n',
        ROUTES,
    ),
    Fault(
        "a stream that is closed is not settled",
        "integrations/httpx.py",
        "            self._metered.ended(complete=False)\n            self._inner.close()\n",
        "            self._inner.close()\n",
        MATRIX,
    ),
    Fault(
        "a client of a client is asked twice",
        "integrations/httpx.py",
        "            if is_passing():\n                return self._inner.handle_request(request)\n",
        "",
        MATRIX,
    ),
    Fault(
        "what a wrapped client sends is asked for below it",
        "integrations/instrumenting.py",
        "return None if current is None or is_passing() else",
        "return None if current is None else",
        INSTRUMENTED,
    ),
    Fault(
        "retries of urllib3 are not held for",
        "integrations/requests.py",
        "        self._retries += 1\n        self.begin()\n",
        "        self._retries += 1\n",
        (f"{_HERE}test_requests.py",),
    ),
    Fault(
        "retries of botocore are first attempts",
        "integrations/boto3.py",
        "        headers[RETRY] = str(max(0, int(attempt[1]) - 1))\n",
        '        headers[RETRY] = "0"\n',
        (f"{_HERE}test_boto3.py",),
    ),
    Fault(
        "retries of google-genai are first attempts",
        "integrations/google_genai.py",
        "    request._spendgate_sent = sent + 1\n",
        "",
        INSTRUMENTED,
    ),
)

FRAMEWORKS = (
    Fault(
        "what a framework has asked for is asked for again below it",
        "metering.py",
        "            self._cover = covering.taken()\n",
        "            self._cover = None\n",
        ONCE,
    ),
    Fault(
        "a call that is asked for covers others",
        "covering.py",
        "self._is_waiting = self._is_waiting and not self._is_over, False",
        "self._is_waiting = self._is_waiting and not self._is_over, True",
        ONCE,
    ),
    Fault("retries below a framework pass", "covering.py", "return self.sent > 1", "return False", ONCE),
    Fault(
        "a call that failed is free, whatever its fault",
        "model_calls.py",
        '        if not begun and price_of(fault, self.around) == "free":\n',
        "        if not begun:\n",
        (f"{_FRAMEWORKS}test_openai_agents.py",),
    ),
    Fault(
        "LangChain goes on after a refusal",
        "integrations/langchain_core.py",
        "    raise_error = True\n",
        "    raise_error = False\n",
        (f"{_FRAMEWORKS}test_langchain_core.py",),
    ),
    Fault(
        "prompts begun with one that is refused stay held",
        "integrations/langchain_core.py",
        "            self._drop(together)\n",
        "",
        ONCE,
    ),
    Fault(
        "LiteLLM's native code goes around the gate",
        "integrations/litellm_native.py",
        "        return python if found is optional else found\n",
        "        return found\n",
        (f"{_FRAMEWORKS}test_litellm_native.py",),
    ),
    Fault(
        "LiteLLM takes a refusal for a passing fault",
        "integrations/litellm.py",
        "    return error if _call.get() is None else _RefusedInside(error)\n",
        "    return error\n",
        (f"{_FRAMEWORKS}test_litellm.py",),
    ),
    Fault(
        "a poll of Pydantic AI is a call of its own",
        "integrations/pydantic_ai.py",
        "        if isinstance(last, ModelResponse) and self._goes_on(last):\n",
        "        if isinstance(last, str):\n",
        (f"{_FRAMEWORKS}test_background.py",),
    ),
    Fault(
        "a runner may retry a refusal",
        "integrations/openai_agents.py",
        "        if refusal(request.error) is None:\n",
        "        if True:\n",
        (f"{_FRAMEWORKS}test_openai_agents.py",),
    ),
)

CLIENTS = (*METERED, *SENT, *FRAMEWORKS)
