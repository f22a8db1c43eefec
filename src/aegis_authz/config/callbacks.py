"""Settings of the endpoints to which callbacks of access requests are posted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from aegis_authz.config.values import PrivateUrl, Settings
from aegis_authz.core.address import says_loopback


class CallbackSettings(Settings):
    """An endpoint of an enforcement point. `people` are the ids of those who may name it, `secret_file` holds the key
    of the signatures, at least 32 bytes. With `internal` it may be on this machine or in a private network.
    """

    url: Annotated[PrivateUrl, Field(max_length=1024)]
    secret_file: Path
    people: Annotated[tuple[str, ...], Field(min_length=1)]
    internal: bool = False

    @model_validator(mode="after")
    def _is_allowed_inside(self) -> CallbackSettings:
        if not self.internal and says_loopback(urlsplit(self.url).hostname or ""):
            raise ValueError("url is on this machine: internal must allow that")
        return self
