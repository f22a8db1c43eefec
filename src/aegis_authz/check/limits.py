"""How long a check may take, and where it runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds: `total` for judging a call, `pdp` for the policy engine alone.

    `environment` is the name of the mesh's environment, told to policies.
    """

    total: float
    pdp: float
    environment: str
