"""Settings of the storage that sealed segments of records are shipped to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from aegis_authz.config.values import PrivateUrl, Settings

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z")
_PREFIX = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,63}/){0,8}\Z")


def _bucket(text: str) -> str:
    if _BUCKET.match(text) is None:
        raise ValueError("must be the name of a bucket: 3 to 63 lower-case letters, digits, dots and dashes")
    return text


def _prefix(text: str) -> str:
    if _PREFIX.match(text) is None:
        raise ValueError("must be words of letters, digits, dots, dashes and _, each with a / behind it, such as gw-0/")
    return text


class LockSettings(Settings):
    """How long an object stays, whoever asks for its end: in `COMPLIANCE` mode nobody can delete it before that, in
    `GOVERNANCE` mode whom the storage lets bypass it. Counted from when it is shipped.
    """

    mode: Literal["COMPLIANCE", "GOVERNANCE"]
    days: Annotated[int, Field(ge=1, le=36_500)]


class ShippingSettings(Settings):
    """A bucket of S3, or of storage that speaks its protocol at `endpoint`, and the prefix of this machine's objects.

    `credentials` is a file of the AWS tools' form (`[default]`, `aws_access_key_id`, `aws_secret_access_key`); without
    it they are found as these tools find them: environment, web identity, the machine's role. `authority` is a file of
    the certificates that vouch for the endpoint.
    """

    bucket: Annotated[str, AfterValidator(_bucket)]
    prefix: Annotated[str, AfterValidator(_prefix)]
    retention: LockSettings
    endpoint: PrivateUrl | None = None
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")] = "us-east-1"
    credentials: Path | None = None
    authority: Path | None = None
