"""How long who delivers may sleep: until the next is due, and until something is committed, which may be another."""

from __future__ import annotations

from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.ports.commits import LONGEST

LOOK_EVERY = Seconds(1.0)
"""Seconds between two looks for what no commit tells of."""


def pause_until(due: Epoch | None, now: Epoch) -> Seconds:
    """Seconds until then, `LONGEST` at most; None is for nothing that is due ever.

    What is due already and could not be claimed is under way elsewhere: that is looked at again like all else.
    """
    if due is None:
        return LONGEST
    return Seconds(min(due - now, LONGEST)) if due > now else LOOK_EVERY
