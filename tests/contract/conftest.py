"""Lends these tests the real servers of tests/support."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.real_cluster import shared_cluster
from tests.support.real_postgres import postgres_programs, running_postgres
from tests.support.real_redis import real_redis

__all__ = ["real_redis", "shared_cluster"]


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    programs = postgres_programs()
    if programs is None:
        pytest.skip("no PostgreSQL server is installed here: apt-get install postgresql runs this suite on it")
    with running_postgres(programs) as url:
        yield url
