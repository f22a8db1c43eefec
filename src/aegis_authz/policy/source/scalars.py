"""Plain words of YAML as JSON values, where every reader of YAML agrees about them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import lru_cache

from aegis_authz.core.json_value import Json
from aegis_authz.policy.source.problems import quoted

_LONGEST_KEPT = 64
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)\Z")
_FLOAT = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?\Z")
_WORDS: Mapping[str, Json] = {"null": None, "~": None, "": None, "true": True, "false": False}
_UNCLEAR = re.compile(
    r"(?i:yes|no|on|off|y|n|null|true|false|[-+]?\.inf|\.nan|nan|[-+]?inf(inity)?)\Z"
    r"|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?\Z"
    r"|[-+]?(0[xob][0-9a-fA-F_]+|[0-9][0-9_]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?|\.[0-9][0-9_]*([eE][-+]?[0-9]+)?)\Z"
)


class Unreadable(Exception):
    """A scalar that is not exactly one JSON value; the message says what to write."""


def plain_value(text: str) -> Json:
    """What a word without quotes means. Raises Unreadable."""
    # The same words come again and again; the long ones do not and would fill the memory.
    return _known_value(text) if len(text) <= _LONGEST_KEPT else _value(text)


def _value(text: str) -> Json:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.match(text):
        if len(text) > 20 or not -(2**63) <= int(text) < 2**64:
            raise Unreadable("the integer does not fit 64 bits")
        return int(text)
    if _FLOAT.match(text):
        number = float(text)
        if not math.isfinite(number):
            raise Unreadable("the number is out of range")
        return number
    if _UNCLEAR.match(text):
        raise Unreadable(
            f"{quoted(text)} is read differently by different YAML readers; write true, false or a plain number, "
            "or put it in quotes"
        )
    return text


_known_value = lru_cache(maxsize=4096)(_value)
