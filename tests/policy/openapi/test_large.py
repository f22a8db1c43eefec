"""A description of the size that large APIs have, 10 MB, becomes an entry within seconds."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import yaml

from aegis_authz.commands.catalogue_import import entry_text
from aegis_authz.policy.openapi.entry import Choice, entry_of
from aegis_authz.policy.openapi.text import document_of

pytestmark = pytest.mark.slow

SIZE = 10_000_000
SECONDS = {"json": 20.0, "yaml": 40.0}
"""Of CPU, some times what it takes: reading YAML, and holding the entry against the rules of catalogues."""


def description(paths: int) -> dict[str, Any]:
    """Paths with an operation that takes an object of objects, each with a long text for people."""
    schemas = {
        f"Thing{number}": {
            "type": "object",
            "description": "What it is, at length. " * 20,
            "properties": {
                **{f"field{place}": {"type": "string", "description": "A field of it, " * 50} for place in range(10)},
                "next": {"$ref": f"#/components/schemas/Thing{(number + 1) % paths}"},
            },
        }
        for number in range(paths)
    }
    operations = {
        f"/v1/things{number}/{{id}}": {
            "post": {
                "operationId": f"change{number}",
                "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
                "requestBody": {
                    "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/Thing{number}"}}}
                },
            }
        }
        for number in range(paths)
    }
    servers = [{"url": "https://api.large.example"}]
    info = {"title": "Large", "version": "1"}
    return {
        "openapi": "3.1.0",
        "info": info,
        "servers": servers,
        "paths": operations,
        "components": {"schemas": schemas},
    }


@pytest.mark.parametrize("language", ["json", "yaml"])
def test_ten_megabytes_become_an_entry_within_seconds(language: str) -> None:
    paths = 1_220
    document = description(paths)
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text = json.dumps(document) if language == "json" else yaml.dump(document, Dumper=dumper, width=1_000)
    assert len(text) > SIZE * 0.9
    began = time.process_time()
    entry = entry_of(document_of(text.encode()), Choice())
    written = entry_text(entry)
    spent = time.process_time() - began
    assert written.count("match: POST /v1/things") == paths
    assert spent < SECONDS[language]
