"""Fixtures that every test may ask for."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]

# Proofs are judged by what they find, not by how fast this machine is today.
settings.register_profile("quick", settings(), deadline=None)
settings.register_profile("long", settings.get_profile("quick"), max_examples=2000)
settings.load_profile("quick")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The recorded data kept beside the repository; where it must be present, its absence is a failure."""
    path = ROOT.parent / "shared" / "data"
    if path.is_dir():
        return path
    missing = f"no recorded data at {path}: this test reads it"
    if os.environ.get("CI") == "true" or os.environ.get("SPENDGATE_REQUIRE_DATA") == "1":
        pytest.fail(f"{missing}, and CI=true or SPENDGATE_REQUIRE_DATA=1 says that it must be there")
    pytest.skip(missing)
