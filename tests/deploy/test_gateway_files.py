"""deploy/gateways: what Istio, Envoy Gateway and agentgateway are told, held against their schemas, and Envoy's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from envoy.extensions.filters.http.ext_authz.v3 import ext_authz_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
from envoy.extensions.http.early_header_mutation.header_mutation.v3 import header_mutation_pb2
from google.protobuf.json_format import ParseDict
from jsonschema import Draft202012Validator

from aegis_authz.commands.envoy import tool_routes
from aegis_authz.wire.envoy.ext_authz import LISTENER_EXTENSION, ROUTE_EXTENSION
from aegis_authz.wire.envoy.foreign_gateway import GATEWAY_EXTENSION, JOINED, WHOLE

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "gateways"
SCHEMAS = Path(__file__).parent / "gateway_schemas"
_MESSAGES = {
    "HttpConnectionManager": http_connection_manager_pb2.HttpConnectionManager,
    "ExtAuthz": ext_authz_pb2.ExtAuthz,
    "ExtAuthzPerRoute": ext_authz_pb2.ExtAuthzPerRoute,
}
assert header_mutation_pb2.HeaderMutation  # what an Any of it is read by


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / name).read_text("utf-8")))


def faults(document: dict[str, Any], schema: str) -> list[str]:
    validator = Draft202012Validator(json.loads((SCHEMAS / f"{schema}.json").read_text("utf-8")))
    return [f"{list(fault.path)}: {fault.message}" for fault in validator.iter_errors(document)]


def extensions(document: object) -> list[dict[str, str]]:
    """All context extensions in a document, whatever its gateway calls them."""
    if isinstance(document, list):
        return [entry for part in document for entry in extensions(part)]
    if not isinstance(document, dict):
        return []
    own = [document[key] for key in ("context_extensions", "context") if isinstance(document.get(key), dict)]
    if "contextExtensions" in document:
        own.append({entry["name"]: entry["value"] for entry in document["contextExtensions"]})
    return own + [entry for part in document.values() for entry in extensions(part)]


@pytest.mark.parametrize("name", ["istio.yaml", "envoy-gateway.yaml"])
def test_each_resource_is_of_its_definition_and_a_typing_error_would_not_be(name: str) -> None:
    for document in documents(name):
        assert faults(document, document["kind"]) == []
        assert faults({**document, "spec": {**document["spec"], "failOpn": False}}, document["kind"]) != []


def test_the_provider_of_istio_is_of_its_definition() -> None:
    [mesh] = documents("istio-mesh-config.yaml")
    assert faults(mesh, "MeshConfig") == []
    [provider] = mesh["extensionProviders"]
    [policy] = [document for document in documents("istio.yaml") if document["kind"] == "AuthorizationPolicy"]
    assert policy["spec"]["provider"]["name"] == provider["name"]
    asked = provider["envoyExtAuthzGrpc"]
    assert (asked["failOpen"], asked["includeRequestBodyInCheck"]["packAsBytes"]) == (False, True)


def test_the_configuration_of_agentgateway_is_of_its_definition() -> None:
    [config] = documents("agentgateway.yaml")
    assert faults(config, "agentgateway") == []
    assert faults({**config, "bindz": []}, "agentgateway") != []


def test_what_istio_merges_into_envoy_is_of_envoy_s_own_definition() -> None:
    [patches] = [document for document in documents("istio.yaml") if document["kind"] == "EnvoyFilter"]
    for patch in patches["spec"]["configPatches"]:
        value = patch["patch"]["value"]
        typed = value.get("typed_config") or value["typed_per_filter_config"]["envoy.filters.http.ext_authz"]
        kind = typed.pop("@type").rpartition(".")[2]
        ParseDict(typed, _MESSAGES[kind]())


@pytest.mark.parametrize("name", ["istio.yaml", "envoy-gateway.yaml", "agentgateway.yaml"])
def test_each_says_what_the_authorizer_asks_of_a_gateway_that_is_none_of_ours(name: str) -> None:
    [said] = extensions(documents(name))
    [route] = tool_routes(ROOT / "deploy" / "compose" / "documents" / "tools")
    word = JOINED if name == "agentgateway.yaml" else WHOLE
    assert said == {GATEWAY_EXTENSION: word, ROUTE_EXTENSION: route.route}
    assert LISTENER_EXTENSION not in (FOLDER / name).read_text("utf-8")
    page = (ROOT / "docs" / "other-gateways.md").read_text("utf-8")
    assert f"(../deploy/gateways/{name})" in page
