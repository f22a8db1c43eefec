"""Lends these tests the real Redis of tests/real_redis.py."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))  # importlib mode puts no folder of tests on the path

from real_redis import real_redis

__all__ = ["real_redis"]
