"""Compile the part of OCSF that events of Aegis may use into one JSON Schema, for the tests.

Usage: python -m scripts.ocsf_schema CHECKOUT > tests/support/schemas/ocsf.json

CHECKOUT is a folder of github.com/ocsf/ocsf-schema. What the schema leaves out (objects not listed here) is refused by
what comes out of this, never let through. Its text is of the Apache License 2.0.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

_OBJECTS = """
actor ai_agent api attestation authorization digital_signature endpoint feature fingerprint http_request metadata
network_endpoint object policy prev_event product request resource_details response service session trace url user
"""
OBJECTS = frozenset(_OBJECTS.split())
PROFILES = ("security_control", "ai_operation", "trace", "record_integrity")
CLASSES = {
    "api_activity": ("events/application/api_activity.json", 6, 6003),
    "base_event": ("events/base_event.json", 0, 0),
}
"""Of a class: its file, its category's and its own uid (category times 1000 and the file's `uid`)."""
_PARENTS = {"application": "events/application/application.json", "base_event": "events/base_event.json"}
_TYPES: dict[str, dict[str, Any]] = {
    "boolean_t": {"type": "boolean"},
    "integer_t": {"type": "integer"},
    "long_t": {"type": "integer"},
    "float_t": {"type": "number"},
    "timestamp_t": {"type": "integer"},
    "port_t": {"type": "integer", "minimum": 0, "maximum": 65535},
    "json_t": {},
    "ip_t": {"type": "string", "minLength": 2},
}


class Compiler:
    """Reads a checkout of OCSF's schema."""

    def __init__(self, checkout: Path) -> None:
        self._checkout = checkout
        self._dictionary = self._load("dictionary.json")["attributes"]
        self.version = self._load("version.json")["version"]

    def schema(self) -> dict[str, Any]:
        """The schema of an event: of one of the classes."""
        definitions = {name: self._definition(f"objects/{name}.json") for name in OBJECTS}
        classes: dict[str, Any] = {}
        for name, (path, category_uid, class_uid) in CLASSES.items():
            classes[f"class_{name}"] = self._definition(path)
            classes[f"class_{name}"]["properties"] |= {
                "category_uid": {"const": category_uid},
                "class_uid": {"const": class_uid},
            }
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": f"OCSF {self.version}, compiled from github.com/ocsf/ocsf-schema (Apache-2.0)",
            "anyOf": [{"$ref": f"#/$defs/{name}"} for name in classes],
            "$defs": definitions | classes,
        }

    def _load(self, path: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self._checkout / path).read_text("utf-8"))
        return content

    def _definition(self, path: str) -> dict[str, Any]:
        attributes, constraints = self._attributes(path)
        members = {name: self._member(name, attribute) for name, attribute in attributes.items()}
        members = {name: member for name, member in members.items() if member is not None}
        required = sorted(name for name, attribute in attributes.items() if attribute.get("requirement") == "required")
        definition: dict[str, Any] = {
            "type": "object",
            "properties": dict(sorted(members.items())),
            "required": required,
            "additionalProperties": False,
        }
        if names := constraints.get("at_least_one"):
            definition["anyOf"] = [{"required": [name]} for name in names if name in members]
        if path.endswith("object.json"):
            definition |= {"additionalProperties": True}
        return definition

    def _attributes(self, path: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """The attributes with those of what it extends and of the profiles in use, and the constraints."""
        content = self._load(path)
        attributes: dict[str, Any] = {}
        constraints: dict[str, Any] = {}
        parent = content.get("extends")
        if parent is not None and parent != "object":
            attributes, constraints = self._attributes(_PARENTS.get(parent, f"objects/{parent}.json"))
        own = dict(content.get("attributes", {}))
        for include in own.pop("$include", ()):
            if Path(include).stem in PROFILES:
                attributes |= self._load(include)["attributes"]
        for name, attribute in own.items():
            before = attributes.get(name, {})
            merged = {**before, **attribute}
            if "enum" in before and "enum" in attribute:
                merged["enum"] = {**before["enum"], **attribute["enum"]}
            attributes[name] = merged
        return attributes, constraints | content.get("constraints", {})

    def _member(self, name: str, attribute: dict[str, Any]) -> dict[str, Any] | None:
        whole = {**self._dictionary[name], **attribute}
        if "enum" in self._dictionary[name] and "enum" in attribute:
            whole["enum"] = {**self._dictionary[name]["enum"], **attribute["enum"]}
        kind = str(whole["type"])
        if kind in _TYPES:
            member = dict(_TYPES[kind])
        elif kind.endswith("_t"):
            member = {"type": "string"}
        elif kind in OBJECTS:
            member = {"$ref": f"#/$defs/{kind}"}
        else:
            return None
        if "enum" in whole and member.get("type") == "integer":
            member["enum"] = sorted(int(key) for key in whole["enum"])
        return {"type": "array", "items": member} if whole.get("is_array") else member


def main() -> None:
    """Write the schema to standard output."""
    sys.stdout.write(json.dumps(Compiler(Path(sys.argv[1])).schema(), indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
