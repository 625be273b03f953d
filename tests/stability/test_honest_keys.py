"""Fifty honest key functions pass: a kit that cries wolf is switched off."""

import pytest

from spendgate.testing import arguments, assert_key_stable
from tests.stability import honest_keys
from tests.stability.honest_keys import CASES, Case


def name_of(case: Case) -> str:
    return f"{getattr(case.function, '__name__', type(case.function).__name__)}-{case.window or 'always'}"


def test_there_are_fifty() -> None:
    """The list is as long as it says."""
    assert len(CASES) >= 50


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_honest_keys_pass(case: Case) -> None:
    """Nothing is found in a key that repeats when its input does."""
    assert_key_stable(case.function, case.inputs, case.window, count=20)


def test_keywords_are_given_as_arguments() -> None:
    """`arguments` says what no tuple can."""
    assert_key_stable(honest_keys.keywords, [arguments(colour=1, size=2), arguments(size=3)])
