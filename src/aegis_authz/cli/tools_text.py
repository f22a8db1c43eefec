"""How imports and differences of catalogues read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aegis_authz.policy.source.problems import printable

if TYPE_CHECKING:
    from aegis_authz.policy.catalogue_changes import CatalogueChange
    from aegis_authz.policy.openapi.entry import ImportedEntry

_MOST_LINES = 20


def gaps_text(entry: ImportedEntry, path: str) -> str:
    """What was taken over and what was not; `path` is "" where nothing was written."""
    left_out = [gap for gap in entry.gaps if gap.is_left_out]
    partly = len({gap.operation for gap in entry.gaps if not gap.is_left_out})
    lines = [
        f"{entry.tool}: {entry.actions} actions, {partly} of them not in full; {len(left_out)} operations left out",
    ]
    if entry.unlisted:
        names = ", ".join(entry.unlisted[:5]) + (", ..." if len(entry.unlisted) > 5 else "")
        count = len(entry.unlisted)
        words = "action lists no parameters and takes" if count == 1 else "actions list no parameters and take"
        lines.append(f"{count} {words} any: {names}")
    lines += [f"  {printable(gap.operation)}: {printable(gap.sentence)}" for gap in entry.gaps[:_MOST_LINES]]
    if len(entry.gaps) > _MOST_LINES:
        lines.append(f"  ... and {len(entry.gaps) - _MOST_LINES} more (--json lists all)")
    lines += [f"wrote {path}"] if path else []
    return "".join(f"{line}\n" for line in lines)


def changes_text(changes: Sequence[CatalogueChange]) -> str:
    """A line for each difference."""
    if not changes:
        return "no difference\n"
    return "".join(
        f"{change.mark} {' '.join(filter(None, (printable(change.tool), printable(change.action))))}: "
        f"{printable(change.sentence)}\n"
        for change in changes
    )
