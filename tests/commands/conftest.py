"""Lends these tests the real PostgreSQL of tests/support/real_postgres.py."""

from __future__ import annotations

from tests.support.real_postgres import postgres

__all__ = ["postgres"]
