"""Settings of the witnesses that are asked to cosign the tree over each log of records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from aegis_authz.config.values import PrivateUrl, Settings


class WitnessSettings(Settings):
    """A witness (C2SP tlog-witness): its submission prefix, and its verifier key, `name+id+key`."""

    url: PrivateUrl
    key: Annotated[str, Field(max_length=400)]


class WitnessesSettings(Settings):
    """The witnesses, and how many of them have to cosign a head. `authority` is a file of the certificates that vouch
    for them; without it those of the system do.
    """

    witnesses: Annotated[tuple[WitnessSettings, ...], Field(min_length=1, max_length=16)]
    quorum: Annotated[int, Field(ge=1)]
    authority: Path | None = None

    @model_validator(mode="after")
    def _can_be_reached(self) -> WitnessesSettings:
        if self.quorum > len(self.witnesses):
            raise ValueError(f"quorum is {self.quorum}, and there are {len(self.witnesses)} witnesses")
        if len({witness.key for witness in self.witnesses}) != len(self.witnesses):
            raise ValueError("witnesses holds a key twice")
        return self
