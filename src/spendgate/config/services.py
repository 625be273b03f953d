"""`[services.NAME]`: what holds for the calls of a service. NAME may be a glob; one table holds, never two of them."""

from spendgate.call import MAX_NAME
from spendgate.clock import SECOND
from spendgate.config.tables import Document, Table, show
from spendgate.errors import AmountError
from spendgate.money import MAX_QUANTITY
from spendgate.policies import MAX_WAIT_S, WAYS, Fallback, Policy, ServiceRules, Services, needs_fallback, policy

SECTION = "services"
FALLBACK = "services.fallback"


def read_services(document: Document) -> Services:
    """The rules of a document.

    Raises:
        ConfigError: a table does not say exactly what it must.
    """
    stated = document.data.get(SECTION, {})
    if not isinstance(stated, dict):
        raise document.fault((SECTION,), "this is no table", '[services."NAME"] and its keys below it')
    rules: dict[str, ServiceRules] = {}
    for name, data in stated.items():
        if not isinstance(data, dict):
            problem = "this is no service: each has a table of its own"
            raise document.fault((SECTION, name), problem, f'[services."NAME"] with {name} below it')
        if len(name) > MAX_NAME or not name.isprintable():
            problem = f"this is not one line of at most {MAX_NAME} characters"
            raise document.fault((SECTION, name), problem, "the name of a service, or a glob")
        table = Table.at(document, (SECTION, name), SECTION, data)
        learns = table.choice("estimate", ("most", "learned")) == "learned"
        rules[name] = ServiceRules(_refused(table), learns)
    return Services(rules)


def _refused(table: Table) -> Policy:
    """What becomes of the service's refused calls."""
    way = table.choice("when_refused", WAYS) if "when_refused" in table else ""
    wait_s = table.span("wait", MAX_WAIT_S * SECOND) / SECOND if "wait" in table else 0
    clamp = table.whole("clamp", 0, MAX_QUANTITY) if "clamp" in table else None
    try:
        said = policy(way, wait=str(wait_s), clamp=clamp, fallback=_fallback(table))
        needs_fallback(said)
    except AmountError as error:
        raise table.fault(error.name if error.name in table else "when_refused", error.remedy) from None
    return said


def _fallback(table: Table) -> Fallback | None:
    """The model that is asked instead: a name, or a table with its address."""
    stated = table.value("fallback")
    if stated is None:
        return None
    expected = 'a model, such as "gpt-4o-mini", or { model = "qwen3:8b", url = "http://127.0.0.1:11434/v1" }'
    if isinstance(stated, str):
        stated = {"model": stated}
    elif not isinstance(stated, dict):
        raise table.fault("fallback", f"{show(stated)} names no model", expected)
    inner = Table.at(table.document, (*table.path, "fallback"), FALLBACK, stated)
    if "model" not in inner:
        raise inner.fault("", "it does not say which model is asked instead", expected)
    try:
        return Fallback(*(inner.text(name) for name in ("model", "url", "provider", "key_env")))
    except AmountError as error:
        name = {"resource": "model", "service": "key_env"}.get(error.name, error.name)
        place = (inner, name) if isinstance(table.value("fallback"), dict) else (table, "fallback")
        raise place[0].fault(place[1], error.remedy) from None
