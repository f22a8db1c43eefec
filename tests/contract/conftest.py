"""Lends these tests the real servers of tests/support."""

from __future__ import annotations

import pytest

from aegis_authz.adapters.redis import client, cluster_settling, store
from tests.support.real_cluster import shared_cluster
from tests.support.real_postgres import postgres
from tests.support.real_redis import real_redis

__all__ = ["postgres", "real_redis", "shared_cluster"]


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A real server may take seconds to answer on a busy machine; none of these tests is about one that hangs."""
    for module, name in (
        (client, "_ANSWER_TIMEOUT"),
        (client, "_CONNECT_TIMEOUT"),
        (store, "_PROBE_TIMEOUT"),
        (cluster_settling, "_PREPARE_TIMEOUT"),
    ):
        monkeypatch.setattr(module, name, 20.0)
