"""JSON Schema 2020-12 of documents, for editors: completion, explanations and typos as they are made.

It knows the shape of documents, not their meaning: what it accepts, `validate` may still refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import ClassVar, get_args

from pydantic import BaseModel
from pydantic.functional_validators import AfterValidator
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from aegis_authz.core.json_value import Json
from aegis_authz.policy.editor.descriptions import DESCRIPTIONS
from aegis_authz.policy.language import addresses, identities, limits, residency
from aegis_authz.policy.language import types as words
from aegis_authz.policy.language.catalogue import ToolEntry
from aegis_authz.policy.language.costs import Currency, PricesDocument
from aegis_authz.policy.language.document import DefinitionsDocument, PolicyDocument, Template
from aegis_authz.policy.language.operators import BARE_FORMS, OPERATORS, SHORT_FORMS, Operand, words_with

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_Mapping = dict[str, Json]
Constraints = Mapping[Callable[..., object], _Mapping]
"""What schemas say of the values a validating function accepts."""

_NAME = "[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?"
_DURATION = "^[1-9][0-9]*[smhd]$"
_CLOCK = "([01][0-9]|2[0-4]):[0-5][0-9]"


def constraint(annotated: object, schema: _Mapping) -> dict[Callable[..., object], _Mapping]:
    """The constraint of a type that has one validating function, such as `words.Name`."""
    functions = [validator.func for validator in get_args(annotated)[1:] if isinstance(validator, AfterValidator)]
    return {functions[-1]: schema}


_CONSTRAINTS: Constraints = {
    words.NOT_EMPTY.func: {"minItems": 1},
    words.UNIQUE.func: {"uniqueItems": True},
    **constraint(words.Words, {"minLength": 1, "maxLength": 256}),
    **constraint(words.Name, {"pattern": f"^{_NAME}$"}),
    **constraint(words.NameOrGlob, {"pattern": rf"^(\*|{_NAME}|[a-z0-9][a-z0-9._-]{{0,62}}\*)$"}),
    **constraint(words.HostPattern, {"pattern": r"^(\*\.)?[A-Za-z0-9_.-]+$"}),
    **constraint(words.Pointer, {"pattern": "^(/([^~/]|~[01])*)+$"}),
    **constraint(words.Day, {"pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}),
    **constraint(words.Hours, {"pattern": f"^{_CLOCK}-{_CLOCK}$"}),
    **constraint(identities.AgentScope, {"pattern": f"^{_NAME}/{_NAME}/{_NAME}$"}),
    **constraint(identities.SecretDigest, {"pattern": "^sha256:[0-9a-f]{64}$"}),
    **constraint(identities.SpiffeId, {"pattern": "^spiffe://[a-z0-9._-]+(/[A-Za-z0-9._-]+)+$"}),
    **constraint(identities.AgentTemplate, {"pattern": "^([^/]+)/([^/]+)/([^/]+)$"}),
    **constraint(identities.JwksUrl, {"pattern": "^https?://"}),
    **constraint(residency.Tenants, {"pattern": rf"^{_NAME}/({_NAME}|\*)$"}),
    **constraint(residency.Gateway, {"pattern": "^https?://"}),
    **constraint(Currency, {"pattern": "^[A-Z]{3}$"}),
    **constraint(limits.Duration, {"pattern": _DURATION}),
    **constraint(limits.Window, {"pattern": f"^(hour|day|week|month)$|{_DURATION}"}),
    **constraint(limits.RateWindow, {"pattern": f"^(second|minute|hour|day)$|{_DURATION}"}),
    addresses.file_beside: {"pattern": r"^[^/].*\.(binpb|desc|pb|protoset)$"},
    **constraint(words.AddressRange, {"pattern": "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$"}),
}

_FLAG_LIST: _Mapping = {"type": "array", "items": {"type": "string"}, "minItems": 1}
_SHORT_FORMS: Constraints = {
    limits.budget_of: {"type": "string", "pattern": r"^[0-9.]+ [A-Z]{3}/[a-z0-9]+$"},
    limits.rate_of: {"type": "string", "pattern": "^[0-9]+/[a-z]+$"},
    limits.count_of: {"type": "string", "pattern": "^[0-9]+/[a-z0-9]+$"},
    limits.concurrency_of: {"type": "integer", "minimum": 1},
    limits.flags_of: _FLAG_LIST,
}
"""The short ways of writing a limit, by the function that reads them."""

_ALSO: Mapping[str, _Mapping] = {
    "ParameterRule": {"description": "What one value must be. It must be there unless it is optional."},
    "Sanitize": {"minProperties": 1},
    "Redaction": {"minProperties": 1},
    "Obligations": {"minProperties": 1},
    "Size": {"minProperties": 1},
    "RegionEntry": {"minProperties": 1},
    "ToolEntry": {
        "oneOf": [
            {"required": ["host", "actions"]},
            {"required": ["host", "mcp"]},
            {"required": ["host", "tls"], "properties": {"tls": {"const": "passthrough"}}},
            {"required": ["functions"]},
        ]
    },
    "TrustDocument": {"oneOf": [{"required": [way]} for way in ("jwks", "discovery", "keys", "token_review")]},
    "WrittenIdentity": {"oneOf": [{"required": ["trust", "claims"]}, {"required": ["spiffe"]}, {"required": ["key"]}]},
    "ExpectedIdentity": {"oneOf": [{"required": ["agent"]}, {"required": ["refused"]}]},
    "TriedCall": {"oneOf": [{"required": ["tool", "action"]}, {"required": ["host"]}]},
}
"""What models ask for beyond the shape of their members."""


def policy_schema() -> _Mapping:
    """The schema of policies, templates, definitions, agents, trusted issuers and regions."""
    kinds = (
        PolicyDocument,
        Template,
        DefinitionsDocument,
        identities.AgentsDocument,
        identities.TrustDocument,
        residency.ResidencyDocument,
    )
    schema = schema_of("Aegis policy", kinds)
    _take_names(_mapping(schema["$defs"]))
    return schema


def tool_schema() -> _Mapping:
    """The schema of tool catalogues: tools, and prices of models."""
    return schema_of("Aegis tool", (ToolEntry, PricesDocument))


def either(title: str, schemas: Sequence[_Mapping]) -> _Mapping:
    """The schema of documents that are what one of these schemas says."""
    documents: list[Json] = []
    parts: _Mapping = {}
    for schema in schemas:
        listed = schema.get("oneOf")
        documents += listed if isinstance(listed, list) else [{"$ref": schema["$ref"]}]
        parts.update(_mapping(schema["$defs"]))
    return {"$schema": DIALECT, "title": title, "oneOf": documents, "$defs": parts}


def schema_of(title: str, models: Sequence[type[BaseModel]], constraints: Constraints | None = None) -> _Mapping:
    """The schema of documents that are one of these models; `constraints` are those of validators of their own."""

    generator = type("Generator", (_Generator,), {"constraints": {**_CONSTRAINTS, **(constraints or {})}})
    _, whole = models_json_schema([(model, "validation") for model in models], schema_generator=generator)
    parts: dict[str, Json] = {name: _plain(name, part) for name, part in sorted(whole["$defs"].items())}
    documents: list[Json] = [{"$ref": f"#/$defs/{model.__name__}"} for model in models]
    root: _Mapping = {"oneOf": documents} if len(documents) > 1 else {"$ref": f"#/$defs/{models[0].__name__}"}
    return {"$schema": DIALECT, "title": title, **root, "$defs": parts}


class _Generator(GenerateJsonSchema):
    """Says of validating functions what pydantic cannot know."""

    constraints: ClassVar[Constraints] = {}

    def function_after_schema(self, schema: core_schema.AfterValidatorFunctionSchema) -> JsonSchemaValue:
        return {**super().function_after_schema(schema), **self.constraints.get(schema["function"]["function"], {})}

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        whole, function = super().function_before_schema(schema), schema["function"]["function"]
        if function in _SHORT_FORMS:
            return {"anyOf": [_SHORT_FORMS[function], whole]}
        return _one_or_more(whole) if function is words.ONE_OR_MORE.func else whole


def _one_or_more(array: JsonSchemaValue) -> JsonSchemaValue:
    return {"anyOf": [array["items"], array]}


def _plain(name: str, part: _Mapping) -> _Mapping:
    """The schema of one model without what pydantic says of Python, and with a description of each member."""
    cleaned = _mapping(_cleaned(part))
    members = _mapping(cleaned.get("properties", {}))
    if name == "Conditions":
        _short_forms(cleaned, members)
    if name == "Egress":
        allow = _mapping(members["allow"])
        allow["items"] = {"anyOf": [{"type": "string"}, allow["items"]]}
    if name == "McpToolEntry":
        arguments = _mapping(members["parameters"])
        kinds: _Mapping = {"enum": [*get_args(words.ParameterKind)]}
        members["parameters"] = {
            **arguments,
            "additionalProperties": {"anyOf": [kinds, arguments["additionalProperties"]]},
        }
    for member in members:
        members[member] = {**_mapping(members[member]), "description": _description(name, member)}
    return {**cleaned, **_ALSO.get(name, {})}


def _description(model: str, member: str) -> str:
    return DESCRIPTIONS.get(f"{model}.{member}") or DESCRIPTIONS.get(member, "")


def _short_forms(conditions: _Mapping, members: _Mapping) -> None:
    number: _Mapping = {"type": "number"}
    members.update({word: {**number} for word in BARE_FORMS})
    conditions["patternProperties"] = {
        f"^{word}_.": {**number, "description": OPERATORS[word].short_text} for word in SHORT_FORMS
    }
    conditions["additionalProperties"] = False


def _cleaned(value: Json) -> Json:
    """Without titles, without defaults that say nothing, and without the null that stands for a member left out."""
    if isinstance(value, list):
        return [_cleaned(element) for element in value]
    if not isinstance(value, dict):
        return value
    members: _Mapping = {}
    for word, part in value.items():
        if word == "properties":
            members[word] = {name: _cleaned(schema) for name, schema in _mapping(part).items()}
        elif word == "default":
            if isinstance(part, str | bool | int | float) and part != "":
                members[word] = part
        elif word != "title":
            members[word] = _cleaned(part)
    choices = members.get("anyOf")
    if isinstance(choices, list) and {"type": "null"} in choices:
        rest = [choice for choice in choices if choice != {"type": "null"}]
        members.pop("anyOf")
        members = {**members, **_mapping(rest[0])} if len(rest) == 1 else {**members, "anyOf": [*rest]}
    return members


def _take_names(parts: _Mapping) -> None:
    """Let the names of definitions stand where the language takes them."""
    # sets of detectors may be named otherwise than detectors
    _mapping(_mapping(_mapping(parts["Redaction"])["properties"])["detectors"])["items"] = {"type": "string"}
    for name, part in parts.items():
        members = _mapping(_mapping(part).get("properties", {}))
        for member, schema in members.items() if name != "Definitions" else ():
            members[member] = _list_or_name(_mapping(schema))
            if member in words_with(Operand.PATTERN):
                members[member] = _or(_mapping(schema), _reference_to("pattern"))
    rule = _mapping(_mapping(parts["TimeRule"])["properties"])
    for windows in (_mapping(rule[word]) for word in words_with(Operand.WINDOWS)):
        for listed in _arrays(windows):
            listed["items"] = {"anyOf": [{"type": "string"}, listed["items"]]}
    approval = _mapping(parts["Approval"])
    by_name: _Mapping = {"approvers": {"type": "string", "description": DESCRIPTIONS["approvers"]}}
    parts["NamedApproval"] = {**approval, "properties": {**by_name, **_mapping(approval["properties"])}}
    reference = _mapping(_mapping(_mapping(parts["ToolRule"])["properties"])["approval"])
    reference["$ref"] = "#/$defs/NamedApproval"


def _list_or_name(schema: _Mapping) -> _Mapping:
    """A list of plain values may be one that is defined."""
    items = schema.get("items")
    if schema.get("type") != "array" or not isinstance(items, dict) or "$ref" in items or "anyOf" in items:
        return schema
    return _or(schema, _reference_to("list"))


def _or(schema: _Mapping, alternative: _Mapping) -> _Mapping:
    noted = {word: schema[word] for word in ("description",) if word in schema}
    first = {word: value for word, value in schema.items() if word not in noted}
    return {**noted, "anyOf": [first, alternative]}


def _reference_to(kind: str) -> _Mapping:
    member: _Mapping = {kind: {"type": "string", "description": DESCRIPTIONS[kind]}}
    return {"type": "object", "properties": member, "required": [kind], "additionalProperties": False}


def _arrays(schema: _Mapping) -> Iterator[_Mapping]:
    if schema.get("type") == "array":
        yield schema
    choices = schema.get("anyOf")
    for choice in choices if isinstance(choices, list) else ():
        yield from _arrays(_mapping(choice))


def _mapping(value: Json) -> _Mapping:
    if not isinstance(value, dict):
        raise TypeError("not a mapping")
    return value
