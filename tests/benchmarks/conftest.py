"""Lends these tests the runs of sample_runs.py."""

from __future__ import annotations

import pytest
from sample_runs import good_run as made

from benchmarks.results import Results


@pytest.fixture
def good_run() -> Results:
    """A run in which everyone took part and every goal of load and CPU is met."""
    return made()
