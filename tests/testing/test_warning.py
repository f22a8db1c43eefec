"""A memory twin is loud wherever it is made without being named a test's."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aegis_authz.adapters.system import SystemClock
from aegis_authz.testing.record_log import MemoryRecordLog
from aegis_authz.testing.releases import MemoryReleases
from aegis_authz.testing.store import MemoryStore
from aegis_authz.testing.warning import NothingIsKept

MADE: list[Callable[[], object]] = [lambda: MemoryStore(SystemClock(), 60), MemoryReleases, MemoryRecordLog]
NAMES = ["MemoryStore", "MemoryReleases", "MemoryRecordLog"]


@pytest.mark.parametrize(("make", "name"), list(zip(MADE, NAMES, strict=True)), ids=NAMES)
def test_a_twin_made_outside_a_test_warns_and_logs(
    make: Callable[[], object], name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.warns(NothingIsKept, match=f"{name} is for tests"):
        make()
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_twin_made_for_a_test_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    MemoryStore(SystemClock(), 60, for_tests=True)
    MemoryReleases(for_tests=True)
    MemoryRecordLog(for_tests=True)
    assert caplog.records == []
