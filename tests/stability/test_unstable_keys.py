"""The kit's own mutation list: a key function that is unstable in any known way is caught, for the right reason."""

import pytest

from spendgate.testing import KeyStabilityError, arguments, assert_key_stable
from tests.stability import unstable_keys
from tests.stability.unstable_keys import CASES, Case


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.function.__name__}-{case.source}".replace(" ", "-"))
def test_every_way_to_be_unstable_is_caught(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """The failing check and the likely source are the right ones, and both keys are shown."""
    monkeypatch.setenv("USER", "ada")
    with pytest.raises(KeyStabilityError) as caught:
        assert_key_stable(case.function, case.inputs, window=case.window)
    (finding,) = caught.value.findings
    assert (finding.check, finding.source) == (case.check, case.source), str(caught.value)
    assert finding.first
    assert finding.remedy in str(caught.value)
    if finding.check != "distinct":
        assert finding.second
        assert (
            (finding.first != finding.second) == ("«" in str(caught.value)) == (case.function.__name__ != "hour_of_day")
        )


def test_keywords_in_another_order_are_the_same_call() -> None:
    """Keyword arguments are a dictionary too."""
    examples = [arguments(colour=1, size=2), arguments(colour=3)]
    with pytest.raises(KeyStabilityError) as caught:
        assert_key_stable(unstable_keys.keywords_in_order, examples)
    assert caught.value.findings[0].source == "dict order"
