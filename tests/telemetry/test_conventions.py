"""The names against the library of the conventions, as far as it has them."""

from __future__ import annotations

from opentelemetry.semconv._incubating.attributes import gen_ai_attributes, mcp_attributes
from opentelemetry.semconv.attributes import db_attributes, error_attributes, http_attributes, server_attributes

from aegis_authz.telemetry import conventions


def test_names_of_conventions_are_those_of_the_library() -> None:
    assert conventions.GEN_AI_OPERATION == gen_ai_attributes.GEN_AI_OPERATION_NAME
    assert gen_ai_attributes.GenAiOperationNameValues.EXECUTE_TOOL.value == conventions.EXECUTE_TOOL
    assert conventions.GEN_AI_AGENT == gen_ai_attributes.GEN_AI_AGENT_NAME
    assert conventions.GEN_AI_TOOL == gen_ai_attributes.GEN_AI_TOOL_NAME
    assert conventions.GEN_AI_ARGUMENTS == gen_ai_attributes.GEN_AI_TOOL_CALL_ARGUMENTS
    assert conventions.MCP_METHOD == mcp_attributes.MCP_METHOD_NAME
    assert conventions.ERROR_TYPE == error_attributes.ERROR_TYPE
    assert conventions.HTTP_METHOD == http_attributes.HTTP_REQUEST_METHOD
    assert conventions.SERVER_ADDRESS == server_attributes.SERVER_ADDRESS
    assert conventions.DB_SYSTEM == db_attributes.DB_SYSTEM_NAME
    assert conventions.DB_OPERATION == db_attributes.DB_OPERATION_NAME


def test_names_of_the_proposal_for_guardrails_stand_in_one_place() -> None:
    names = {name for key, name in vars(conventions).items() if key.startswith("GUARDRAIL")}
    assert all(name.startswith(("gen_ai.guardrail.", "gen_ai.security.")) for name in names)
