"""The names that spans use. Strings of conventions that may still change stand here and nowhere else.

`aegis.*` are ours and stay. Those of GenAI and MCP are of the OpenTelemetry semantic conventions (status: development),
those of guardrails of a proposal for them, written only where the settings say so.
"""

from __future__ import annotations

from typing import Final

SCOPE: Final = "aegis"
CHECK: Final = "aegis.check"
EVALUATE: Final = "opa evaluate"
SETTLE: Final = "redis settle"
SETTLEMENT: Final = "aegis.settle"
VIOLATION: Final = "PolicyViolation"

DECISION: Final = "aegis.decision"
DECISION_ID: Final = "aegis.decision_id"
REASON: Final = "aegis.reason"
FAULT_PART: Final = "aegis.fault"
ORG: Final = "aegis.org"
TENANT: Final = "aegis.tenant"
AGENT: Final = "aegis.agent"
TOOL: Final = "aegis.tool"
ACTION: Final = "aegis.action"
POLICY: Final = "aegis.policy"
REVISION: Final = "aegis.revision"
WOULD: Final = "aegis.would"
FINDINGS: Final = "aegis.findings"
OBLIGATIONS: Final = "aegis.obligations"
APPROVAL_ID: Final = "aegis.approval_id"
PARAMETERS: Final = "aegis.parameters"
PARAMETER: Final = "aegis.parameter."
ESTIMATED: Final = "aegis.cost.estimated"
SETTLED: Final = "aegis.cost.settled"
CURRENCY: Final = "aegis.cost.currency"
COST_STATE: Final = "aegis.cost.state"
STAGE: Final = "aegis.stage."

ERROR_TYPE: Final = "error.type"
HTTP_METHOD: Final = "http.request.method"
SERVER_ADDRESS: Final = "server.address"
DB_SYSTEM: Final = "db.system.name"
DB_OPERATION: Final = "db.operation.name"
PEER: Final = "service.peer.name"

GEN_AI_OPERATION: Final = "gen_ai.operation.name"
EXECUTE_TOOL: Final = "execute_tool"
GEN_AI_AGENT: Final = "gen_ai.agent.name"
GEN_AI_TOOL: Final = "gen_ai.tool.name"
GEN_AI_ARGUMENTS: Final = "gen_ai.tool.call.arguments"
MCP_METHOD: Final = "mcp.method.name"

GUARDRAIL_NAME: Final = "gen_ai.guardrail.component.name"
GUARDRAIL_VERDICT: Final = "gen_ai.guardrail.verdict.type"
GUARDRAIL_ACTION: Final = "gen_ai.guardrail.action.type"
GUARDRAIL_REASON: Final = "gen_ai.guardrail.verdict.reason"
GUARDRAIL_TARGET: Final = "gen_ai.guardrail.target.type"
GUARDRAIL_POLICY: Final = "gen_ai.security.policy.id"
GUARDRAIL_MODIFIED: Final = "gen_ai.security.content.modified"
