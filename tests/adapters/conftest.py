"""Lends these tests the real Redis, and the cluster of three, of tests/support."""

from __future__ import annotations

from tests.support.real_cluster import shared_cluster
from tests.support.real_postgres import postgres
from tests.support.real_redis import real_redis

__all__ = ["postgres", "real_redis", "shared_cluster"]
