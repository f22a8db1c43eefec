"""Lends these tests the real Redis of tests/support/real_redis.py."""

from __future__ import annotations

from tests.support.real_redis import real_redis

__all__ = ["real_redis"]
