"""JSON as Python values, once parsed strictly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
"""A strictly parsed JSON value. Floats are finite and reproduce the text they came from."""
