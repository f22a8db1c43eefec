"""The canonical form of a call, to which approvals are bound."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import orjson

from aegis_authz.core.json_value import Json
from aegis_authz.core.units import Digest

_DOMAIN = b"aegis-call-v1\x00"


def digest_of(call: Mapping[str, Json]) -> Digest:
    """SHA-256 (hex) of the canonical JSON of a call.

    Members are sorted by name and numbers take their shortest form, so white space, member order
    and `5000` against `5e3` as integers do not matter but every value does. The canonical form is
    that of RFC 8785 for all values `strict_json` lets pass, except that integers beyond 2^53 are kept.
    """
    return Digest(hashlib.sha256(_DOMAIN + orjson.dumps(call, option=orjson.OPT_SORT_KEYS)).hexdigest())
