"""What editors say about each member of a document, by its name,
or by model and name where one name has two meanings.
"""

from __future__ import annotations

from collections.abc import Mapping

from aegis_authz.core.circumstances import CIRCUMSTANCES
from aegis_authz.policy.language.circumstances import CONTEXT_WORDS
from aegis_authz.policy.language.operators import BARE_FORMS, OPERATORS, Holder

_SCOPE: Mapping[str, str] = {
    "org": 'The organisation of the agents; "*", the default, is all of them.',
    "tenant": 'The tenant of the agents; "*", the default, is all of them.',
    "agent": 'The agent this policy covers; "finance-*" for a group, "*" for all agents of the scope.',
    "mode": "enforce, or shadow: judged and recorded, not enforced.",
    "name": "How decisions name this document; default org/tenant/agent. No two documents share one.",
    "description": "For people; changes nothing.",
    "owner": "For people; changes nothing.",
    "ticket": "For people; changes nothing.",
    "disclose_limits": "Denials tell the limit and the value seen.",
    "extends": "Adds the rules of the template of that name.",
    "template": "The name by which documents extend this template. It covers no agent by itself.",
    "regions": "No tool of another region, nor of none, can be reached.",
    "allowed_tools": "A rule allows when every condition holds; one that fails denies, or asks for an approval.",
    "denied_tools": "A rule denies unless one of its conditions is known not to hold. Prefer allowed_tools.",
    "egress": "Which hosts without a tool in the catalogue the owner knows; calls to them are denied as TOOL_UNKNOWN.",
    "Egress.default": "Always deny: only tools of the catalogue can be reached.",
    "Egress.allow": "Hosts the owner knows, for which the catalogue has no tool yet.",
    "EgressHost.host": '"*.slack.com" is a.slack.com, and neither slack.com nor notslack.com. A bare "*" is refused.',
    "ports": "The ports the host is known for; left out, any.",
    "schemes": "The schemes the host is known for; left out, any.",
    "methods": "The methods the host is known for; left out, any.",
}

_RULES: Mapping[str, str] = {
    "ToolRule.name": "The tool of the catalogue.",
    "DenyRule.name": "The tool of the catalogue.",
    "ToolRule.actions": 'Actions of the tool; ["*"] is every action.',
    "DenyRule.actions": 'Actions of the tool; ["*"] is every action.',
    "conditions": "What must hold for the rule to apply: max_X, min_X, approval_needed_over_X, parameters, context, schema.",
    "sanitize": "What is redacted on the way to the tool and on the way back.",
    "approval": "Who may approve, and how long that may take. Something in the rule must ask for an approval.",
    "obligations": "What must be done for an allow to hold.",
    "Conditions.parameters": "What parameters must be, by name or by JSON pointer. One with a condition must be there.",
    "Conditions.context": "What must be true around the call.",
    "Conditions.schema": "All parameters at once, as JSON Schema 2020-12.",
    "request": "Of the request, on its way to the tool.",
    "response": "Of the response, on its way back.",
    "detectors": "Detectors, or sets of them that are defined: us_ssn, date_of_birth, credit_card, iban, email, phone, secrets.",
    "fields": "JSON pointers to what is always redacted.",
    "match": "strict, the default, or loose: what is a value in most texts, and something else in some, counts too.",
    "numbers": "true: a text takes the place of a JSON number that a detector finds; else numbers are left as they are.",
    "opaque": "What cannot be looked at (images, PDF): withhold, the default, or pass.",
    "approvers": "Terms that are defined under this name.",
    "groups": "The groups that should decide, shown to the approver and not enforced yet; left out, any approver will do.",
    "expires_in": "For how many seconds an approval may be waited for and used; default 900.",
    "always": "Every call needs an approval.",
    "set_headers": "Headers of the request as the tool receives it; what the agent sent under those names is replaced.",
    "inject_credentials": "Headers with a secret that the agent never sees.",
    "SetHeader.name": "The name of the header.",
    "SetHeader.value": "The value of the header.",
    "credential": "The name of the credential, of the calling agent's own tenant.",
    "header": "The header it is put into; default authorization.",
    "prefix": 'What stands before the secret, such as "Bearer ".',
}

_COMPARISONS: Mapping[str, str] = {
    "at": "A JSON pointer: what stands there inside each element.",
    "optional": "Is absent, or meets the rest.",
    "else": "What it means when the rest does not hold: deny, the default, or approval_needed.",
    "Size.equals": "Exactly this many.",
    "Size.min": "At least this many.",
    "Size.max": "At most this many.",
    "TimeWindow.name": "How findings name the window.",
    "zone": "A time zone of the IANA list, such as Europe/Berlin; default UTC.",
    "weekdays": "Days of the week; left out, all.",
    "hours": 'A span of one day, such as "09:00-17:30".',
    "TimeWindow.from": "The first day, such as 2026-01-01.",
    "until": "The last day, itself included.",
    "holidays": "Days that do not count, or a list of them that is defined: {list: name}.",
    "parameter": "The name of another parameter of the same call.",
    "list": "The name of a list that is defined.",
    "pattern": "The name of a pattern that is defined.",
}

_SHARED: Mapping[str, str] = {
    "define": "Values that documents use by name.",
    "lists": "Used as in: {list: name}, and wherever a list of values stands.",
    "patterns": "RE2 patterns, used as matches: {pattern: name}.",
    "time_windows": "Used as within: [name].",
    "Definitions.approvers": "Terms of approvals, used as approval: {approvers: name}.",
    "Definitions.detectors": "Sets of detectors, and detectors of one's own, used as detectors: [name].",
    "DetectorDefinition.pattern": "An RE2 pattern of what is to be found.",
    "DetectorDefinition.validator": "What proves a match: luhn, mod_97 (IBAN) or us_ssn (issued ranges).",
}

_TOOLS: Mapping[str, str] = {
    "tool": "The name rules use.",
    "ToolEntry.host": "The host agents call; may have a :port.",
    "upstream": "Where the tool really is; default: https to the host. For MCP, its path and query are the endpoint.",
    "ToolEntry.region": "What regions and context.region compare with.",
    "ToolEntry.owner": "For people; decides nothing.",
    "cost": "For people; decides nothing.",
    "ToolEntry.actions": "The actions of an HTTP API, by name.",
    "mcp": "Marks an MCP server: its actions are the server's tools.",
    "query": "Query parameters that agents may add to the endpoint's own; no rule judges them.",
    "tools": "The tools of the server; left out, rules may name any.",
    "match": "Method and path, such as GET /v1/payments/{id}, GET /files/{path...} or POST /jobs/{name}:cancel.",
    "ActionEntry.parameters": "Exactly these; none listed: all that the request holds.",
    "McpToolEntry.parameters": "The arguments of the tool: their types, or {type: string, optional: true}.",
    "others": "What becomes of a call that holds more than is listed: refuse (default), or allow, unjudged.",
    "ParameterEntry.from": 'Where it is: "/pointer" into the body, "{variable}" of the path, "?name" of the query or "header:name".',
    "ParameterEntry.type": "The type of the parameter.",
    "ParameterEntry.items": "The type of each element of a list. In a query, every pair of the name is an element: ?id=1&id=2.",
    "ParameterEntry.optional": "true: null counts as absent.",
    "ArgumentEntry.type": "The type of the argument.",
    "ArgumentEntry.optional": "true: null counts as absent.",
}

_IDENTITIES: Mapping[str, str] = {
    "agents": "Agents by org/tenant/agent: their keys, and how each may prove who it is.",
    "AgentEntry.owner": "Who answers for the agent; decides nothing.",
    "ways": "How the agent may prove who it is; default [bound, token].",
    "token_life": "For how many seconds its tokens live, at most 300; default is what the control plane allows.",
    "AgentEntry.keys": "Its Ed25519 public keys, each a JWK or the text of a PEM file. Two may be valid at once.",
    "spiffe": "SPIFFE ids that stand for the agent.",
    "agent_keys": "Static secrets, by their hashes: the weakest proof, for clients that can give no other.",
    "hash": "sha256: and the SHA-256 of the secret, in hex.",
    "ranges": "The networks the secret may come from.",
    "AgentKeyEntry.from": "The first day it counts, UTC.",
    "AgentKeyEntry.until": "The last day it counts, itself included, UTC.",
    "trust": "The name of an issuer whose tokens are exchanged for tokens of agents.",
    "TrustDocument.owner": "Who answers for it; decides nothing.",
    "TrustDocument.kind": "oidc, the default, kubernetes (service-account tokens) or spiffe (JWT-SVIDs).",
    "issuer": "Exactly the iss of its tokens; of SPIFFE, the trust domain, such as spiffe://prod.example.",
    "audience": "What must be among the aud of its tokens.",
    "jwks": "Where its public keys are fetched: https.",
    "TrustDocument.keys": "Its public keys as JWKs, in place of jwks.",
    "algorithms": "What its tokens may be signed with: RS256, PS256, ES256, EdDSA.",
    "max_life": "The longest life of a token, exp less iat, that is accepted; default 3600 seconds.",
    "reuse": "never, the default: each token is exchanged once. same_key: again, for the key it was first exchanged for.",
    "subjects": "Which of its tokens stand for which agent; the first whose claims all match.",
    "claims": "Claims that must be there with these very values; a JSON pointer names one inside another.",
    "SubjectEntry.agent": "The agent, org/tenant/agent; a part may be {claim}, which must be a name then.",
    "SubjectEntry.on_behalf_of": "The claim that names the person the agent acts for; the agent proves itself beside.",
}

_TESTS: Mapping[str, str] = {
    "tests": "Calls, and what is expected of each.",
    "WrittenCase.name": "What is tested; no two tests of a file share a name.",
    "call": "A call of a tool's action, or of a host that no tool claims.",
    "expect": "What is expected of the decision; what is left out is not looked at.",
    "TriedCall.agent": "Who calls: org/tenant/agent.",
    "TriedCall.tool": "The tool that is called.",
    "action": "The action of the tool.",
    "TriedCall.parameters": "The parameters of the call.",
    "TriedCall.host": "A host that no tool claims.",
    "method": "The HTTP method of a call to a host; default POST.",
    "port": "The port of a call to a host; default that of its scheme.",
    "scheme": "The scheme of a call to a host; default https.",
    "TriedCall.context": "What is true around the call.",
    "CallContext.time": "When the call is made, with its zone: 2026-03-02T10:00:00+01:00.",
    "effect": "What is decided.",
    "reason": "Why, in one word.",
    "policies": "The names of the documents that decided.",
    "Expected.obligations": "The obligations of the decision, in any order.",
    "findings": '"parameter condition" of each condition that did not hold, such as "amount max".',
    "would": "What a shadow document would have done.",
    "Expected.approval": "The terms of the approval that is asked for.",
    "kind": "The kind of obligation.",
    "target": "Of redact: request or response.",
    "allowed": "Of filter_tools: the tools that are shown.",
    "hidden": "Of hide_tools: the tools that are left out.",
    "is_loose": "Of redaction_terms: whether match: loose.",
    "ExpectedObligation.numbers": "Of redaction_terms: whether a text takes the place of numbers.",
    "passes_opaque": "Of redaction_terms: whether opaque: pass.",
    "own": "Of redaction_terms: detectors that policy defines.",
    "ExpectedObligation.name": "Of set_header: the header.",
    "ExpectedObligation.value": "Of set_header: its value.",
}

_HOLDERS: Mapping[Holder, tuple[str, ...]] = {
    Holder.VALUE: ("ParameterRule", "ElementRule"),
    Holder.PARAMETER: ("ParameterRule",),
    Holder.TIME: ("TimeRule",),
}
_OPERATORS: Mapping[str, str] = {
    f"{model}.{operator.word}": operator.text for operator in OPERATORS.values() for model in _HOLDERS[operator.holder]
}
_CONTEXT: Mapping[str, str] = {
    **{f"ContextConditions.{word}": entry.text for word, entry in CONTEXT_WORDS.items()},
    **{f"CallContext.{word}": CONTEXT_WORDS[word].text for word in CIRCUMSTANCES},
}
_BARE: Mapping[str, str] = {f"Conditions.{word}": OPERATORS[word].bare_text for word in BARE_FORMS}

DESCRIPTIONS: Mapping[str, str] = {
    **_SCOPE,
    **_RULES,
    **_CONTEXT,
    **_BARE,
    **_OPERATORS,
    **_COMPARISONS,
    **_SHARED,
    **_TOOLS,
    **_IDENTITIES,
    **_TESTS,
}
