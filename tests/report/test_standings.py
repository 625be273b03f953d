"""Scopes as rows: split as they were written, in the order that matters."""

from hypothesis import given
from hypothesis import strategies as st

from spendgate.call import Call
from spendgate.ledger import Standing
from spendgate.limits import EVERY, OTHER, Limit
from spendgate.report.standings import rows_by_limit, split, spoken
from spendgate.windows import parse_window

HOUR = parse_window("1h", "UTC")
TEXT = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=8) | st.sampled_from(
    ["a,b", "a\\", "\\,", "=", ",,"]
)


@given(TEXT, TEXT, TEXT)
def test_a_scope_splits_into_what_made_it(service: str, task: str, customer: str) -> None:
    """Whatever signs a name has, its scope is read back as that name."""
    limit = Limit("x", "usd", 1, HOUR, per=("service", "tags.customer", "task"))
    scope = limit.scope(Call(service=service, task=task, tags=(("customer", customer),)))
    assert scope is not None
    assert split(limit, scope) == {"service": service, "tags.customer": customer, "task": task}


def test_scopes_are_spoken() -> None:
    """A reader sees names, not the ledger's spelling."""
    limit = Limit("x", "usd", 1, HOUR, per=("service", "model"))
    assert spoken(limit, "service=research,model=opus") == "research, model opus"
    assert spoken(limit, "service=,model=opus") == "no service, model opus"
    assert spoken(limit, OTHER) == "all other scopes"
    assert spoken(limit, EVERY) == "lost by the ledger"
    assert spoken(Limit("x", "usd", 1, HOUR), "") == "all calls"


def test_blocked_scopes_come_first_then_the_fullest() -> None:
    """What needs somebody stands on top, however many scopes there are."""
    limit = Limit("x", "usd", 100, HOUR, per=("service",))
    found = [
        Standing(limit, "service=low", 10, 0, None),
        Standing(limit, "service=full", 99, 0, None),
        Standing(limit, "service=blocked", 91, 0, None, blocked_at=1, refused_calls=1),
    ]
    (rows,) = rows_by_limit([limit], found, top=2)
    assert [one.scope for one in rows.shown] == ["service=blocked", "service=full"]
    assert rows.hidden == 1


def test_a_services_limits() -> None:
    """A service is shown its own scopes, the shared ones, and no limit that is for others."""
    per = Limit("per", "usd", 100, HOUR, per=("service",))
    total = Limit("total", "usd", 100, HOUR)
    others = Limit("others", "usd", 100, HOUR, match=(("service", "nightly*"),))
    found = [
        Standing(per, "service=a", 1, 0, None),
        Standing(per, "service=b", 1, 0, None),
        Standing(per, OTHER, 1, 0, None),
        Standing(total, "", 2, 0, None),
    ]
    rows = rows_by_limit([per, total, others], found, top=9, service="a")
    assert [(row.limit.name, [one.scope for one in row.shown]) for row in rows] == [
        ("per", [OTHER, "service=a"]),
        ("total", [""]),
    ]
