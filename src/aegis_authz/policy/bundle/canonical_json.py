"""JSON text with one spelling a value: the very bytes OPA hashes when it verifies a bundle.

OPA hashes a structured file by walking it: members sorted by name, no white space, primitives as Go's
`encoding/json` writes them without HTML escaping (OPA `v1/bundle/hash.go`). Written like this, the SHA-256
of the text is that hash.
"""

from __future__ import annotations

import json

from aegis_authz.core.json_value import Json

_GO_ESCAPES = str.maketrans({"\u2028": "\\u2028", "\u2029": "\\u2029"})


def canonical(value: Json) -> bytes:
    """The canonical UTF-8 text of a value. Raises ValueError for NaN, infinity or half a surrogate pair."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.translate(_GO_ESCAPES).encode("utf-8")
