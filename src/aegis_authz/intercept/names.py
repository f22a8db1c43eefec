"""Names that a certificate of the mesh may carry."""

from __future__ import annotations

import re

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*\Z")
_NUMBER = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)\Z")


def is_host_name(name: str) -> bool:
    """Whether a text is a DNS name as a certificate carries it: in lower case, no dot at its end, and no address.

    One spelling alone: who may choose the case of n letters could have 2^n certificates made for one host.
    Source: RFC 1123 section 2.1 and RFC 6125 section 6.4; underscores are taken, for hosts have them.
    """
    return _NAME.match(name) is not None and _NUMBER.match(name.rpartition(".")[2]) is None
