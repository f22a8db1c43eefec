"""The parameters of a call as a span shows them."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping

import orjson

from aegis_authz.core.json_value import Json
from aegis_authz.core.telemetry_terms import ParameterDisplay
from aegis_authz.telemetry import conventions as names
from aegis_authz.telemetry.otlp import ATTRIBUTES_OF_SPAN, attribute

MOST_VALUES = 32
"""Parameters of one call that are shown."""
MOST_CHARACTERS = 256
"""Characters of one value."""
_PURPOSE = b"aegis-span-parameters-v1"
_DIGITS = 32

Keys = Callable[[], tuple[bytes, ...]]
"""Secrets that all workers of a mesh share, the newest first."""


class ParameterAttributes:
    """Makes attributes of parameters. Digests are HMAC-SHA-256 of the value's JSON under a key that `keys` yields.

    Without a key a digest of few possible values, such as a social security number, is the value itself to whoever
    tries them all. `keys` are those that bind sessions: all workers share them, and they live for long.
    """

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def encoded(self, parameters: Mapping[str, Json], display: ParameterDisplay) -> bytes:
        """The attributes of HASHED and CLEAR parameters, as fields of a span; of others there are none."""
        if not parameters or display in (ParameterDisplay.NONE, ParameterDisplay.NAMES):
            return b""
        shown = dict(list(parameters.items())[:MOST_VALUES])
        if display is ParameterDisplay.HASHED:
            key = hmac.digest(self._keys()[0], _PURPOSE, "sha256")
            return b"".join(_attribute(name, _digest(key, value)) for name, value in shown.items())
        texts = {name: _text(value) for name, value in shown.items()}
        cut = {name: text[:MOST_CHARACTERS] for name, text in texts.items()}
        arguments = "" if cut != texts or len(shown) < len(parameters) else _text(shown)
        fields = [_attribute(name, text) for name, text in cut.items()]
        if arguments:
            fields.append(attribute(ATTRIBUTES_OF_SPAN, names.GEN_AI_ARGUMENTS, arguments))
        return b"".join(fields)


def _attribute(name: str, text: str) -> bytes:
    return attribute(ATTRIBUTES_OF_SPAN, names.PARAMETER + name, text)


def _digest(key: bytes, value: Json) -> str:
    return f"hmac-sha256:{hmac.digest(key, _text(value).encode('utf-8', 'replace'), 'sha256').hex()[:_DIGITS]}"


def _text(value: Json) -> str:
    """The value as JSON, members in order; as Python writes it where JSON cannot (no Unicode, beyond 64 bits)."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:
        return repr(value)
