"""The real servers the tests run against, found once."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis_authz.local.servers import find_envoy, find_opa, find_redis


@pytest.fixture(scope="session")
def opa_binary() -> Path:
    return find_opa()


@pytest.fixture(scope="session")
def redis_binary() -> Path:
    return find_redis()


@pytest.fixture(scope="session")
def envoy_binary() -> Path:
    return find_envoy()
