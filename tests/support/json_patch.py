"""JSON Patch (RFC 6902), of which an injection uses `add` alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


def with_additions(document: Mapping[str, Any], operations: Sequence[Any]) -> dict[str, Any]:
    """The document with these operations applied, each `add` (section 4.1)."""
    made: Any = json.loads(json.dumps(document))
    for operation in operations:
        assert operation["op"] == "add"
        *path, last = operation["path"].strip("/").split("/")
        parent = made
        for name in path:
            parent = parent[name]
        if isinstance(parent, list):
            parent.insert(len(parent) if last == "-" else int(last), operation["value"])
        else:
            parent[last] = operation["value"]
    return dict(made)
