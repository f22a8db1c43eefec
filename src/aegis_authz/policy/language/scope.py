"""Scopes as documents write them, held against each other; how they are written is `core.scope_shape`."""

from __future__ import annotations

from aegis_authz.core.scope_shape import ANY, parts_of


def covers(pattern: str, scope: str) -> bool:
    """Whether documents of one scope are about the agents of another, each of which may hold groups."""
    return all(
        wide == narrow or (wide.endswith(ANY) and narrow.startswith(wide[:-1]))
        for wide, narrow in zip(parts_of(pattern), parts_of(scope), strict=True)
    )
