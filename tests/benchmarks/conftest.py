"""Lends these tests the runs of tests/support/sample_runs.py."""

from __future__ import annotations

import pytest

from benchmarks.measure.results import Results
from tests.support.sample_runs import good_run as made


@pytest.fixture
def good_run() -> Results:
    """A run in which everyone took part and every goal of load and CPU is met."""
    return made()
