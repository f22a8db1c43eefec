"""Scopes of many agents: names, groups of names (`finance-*`) and `*` for all, and the few shapes they are written in.

The scope of one agent is `core.scope.Scope`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

ANY = "*"
"""Every name."""

ScopeShape = tuple[str | int, str | int, str | int]
"""How the parts of a scope are written: "" a name, "*" all, a number a group by that many first letters."""


def parts_of(scope: str) -> tuple[str, str, str]:
    """Org, tenant and agent of a scope as written. Raises ValueError when it has not these three parts."""
    org, tenant, agent = scope.split("/")
    return org, tenant, agent


def scope_shape(scope: str) -> ScopeShape:
    """The shape of one scope."""
    org, tenant, agent = map(_part_shape, parts_of(scope))
    return org, tenant, agent


def covering(scope: str, shapes: Collection[ScopeShape]) -> Iterator[str]:
    """The scopes of these shapes that would cover an agent, itself among them when its shape is; in a fixed order.

    `scope` is `org/tenant/agent`, each a name.
    """
    parts = parts_of(scope)
    for shape in sorted(shapes, key=str):
        spellings = [_spelling(name, part) for name, part in zip(parts, shape, strict=True)]
        if None not in spellings:
            yield "/".join(part for part in spellings if part is not None)


def _part_shape(part: str) -> str | int:
    if part == ANY:
        return ANY
    return len(part) - 1 if part.endswith(ANY) else ""


def _spelling(name: str, shape: str | int) -> str | None:
    if isinstance(shape, int):
        return name[:shape] + ANY if len(name) >= shape else None
    return shape or name
