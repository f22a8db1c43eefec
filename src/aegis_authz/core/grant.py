"""What a token narrows its agent to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aegis_authz.core.json_value import Json
from aegis_authz.core.units import Digest


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token allows at most: its calls must satisfy policy and this.

    `digest` is the SHA-256 of its canonical form. `terms` is None where the digest alone is known, as in a record.
    """

    digest: Digest
    terms: Mapping[str, Json] | None
