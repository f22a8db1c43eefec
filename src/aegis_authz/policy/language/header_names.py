"""Which headers of a request can be parameters."""

from __future__ import annotations

import re

from aegis_authz.policy.source.problems import quoted

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")
_LONGEST = 64
_CREDENTIALS = ("authorization", "cookie", "proxy-authorization")
_FRAMING = (
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
)
_OF_THE_MESH = ("x-request-id", "x-aegis-", "x-envoy-", "x-forwarded-", "proxy-")


def check_header_name(name: str) -> None:
    """Raise ValueError for what can be no parameter: another spelling, a credential, what frames a message (RFC 9110,
    sections 7.6.1 and 8), or what the mesh itself reads or writes.
    """
    if not _NAME.match(name) or len(name) > _LONGEST:
        raise ValueError(f"{quoted(name)} is not the name of a header in lower case, such as x-account")
    if name in _CREDENTIALS:
        raise ValueError(f"{name} is a credential, which records and approvers must not see")
    if name in _FRAMING or name.startswith(_OF_THE_MESH):
        raise ValueError(f"{name} is not the tool's alone: connections or the mesh use it themselves")
