"""The codes of findings: how much each matters, and in one line what it says. Each has a page in docs/lint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""From the one that matters most."""

INVALID = "invalid"
UNUSED_SILENCE = "unused-silence"
NEVER_SILENT = frozenset((INVALID, UNUSED_SILENCE))
"""Codes that no comment silences."""


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of finding. `severity` is the usual one; a finding may be graver."""

    severity: Severity
    summary: str


CODES: Mapping[str, Code] = {
    INVALID: Code("error", "the document cannot be published"),
    "agent-key": Code("note", "an agent may prove itself by a static secret"),
    "allow-everything": Code("warning", "a rule allows every action of a tool without any condition"),
    "approval-above-maximum": Code("warning", "an approval is needed above a value that is never allowed"),
    "approval-never": Code("warning", "nothing that is allowed can ever need the approval"),
    "approvers-unreachable": Code("error", "nobody is told of a call that is denied unless somebody decides at once"),
    "breaker-never-trips": Code("warning", "a breaker that quarantines nobody"),
    "budget-without-price": Code("warning", "a budget of what calls cost, for a tool without a price"),
    "chosen-variable": Code("warning", "a parameter is a GraphQL variable, whose name the agent chooses"),
    "conflict": Code("warning", "two rules for one call contradict each other, so that it is always denied"),
    "currency-differs": Code("warning", "a budget in another currency than its price or another budget"),
    "embedded-range": Code("warning", "a range of addresses that lead to others, which are refused"),
    "every-on-empty": Code("note", "an empty list meets `every`"),
    "exceed-without-redactions": Code("error", "a limit that sanitizes beyond it, without what to redact"),
    "flag-never-set": Code("warning", "a limit asks for a flag that no rule sets"),
    "limit-never-binds": Code("warning", "a limit that no call can reach"),
    "missing-owner": Code("note", "a document does not say who answers for it"),
    "not-in-denylist": Code("note", "a list of what is forbidden, where a list of what is allowed is safer"),
    "null-denied": Code("note", "a call that leaves out what the catalogue calls optional is denied"),
    "open-parameters": Code("warning", "an action lets members pass that nobody listed and no rule judges"),
    "optional-bound": Code("warning", "a maximum that a call evades by leaving the parameter out"),
    "pattern-matches-everything": Code("warning", "a pattern that every text matches"),
    "pattern-matches-nothing": Code("warning", "a pattern that no text matches"),
    "rate-above-count": Code("warning", "a rate that lets more through at once than the count beside it in all"),
    "shadow-only": Code("warning", "agents that no enforcing document covers go through"),
    "shadowed-deny": Code("note", "a denied_tools rule that changes no decision"),
    "time-never": Code("warning", "a time window without any moment"),
    "trust-spans-tenants": Code("warning", "an issuer's claim chooses the organisation or tenant"),
    "unanchored-expectation": Code("note", "a pattern written as if it were searched for, or as if a dot were a dot"),
    "unknown-channel": Code("error", "a notice goes to a place that the control plane does not have"),
    "unlisted-fields": Code("warning", "an action takes a format whose fields it does not list"),
    "unlisted-mcp-tools": Code("note", "rules or limits name tools of an MCP server that lists none"),
    "unreachable-rule": Code("warning", "every call a rule is about is denied"),
    "untyped-schema": Code("note", "a schema in denied_tools does not say which type is meant"),
    "unused-definition": Code("note", "nothing uses a definition"),
    UNUSED_SILENCE: Code("warning", "a comment silences nothing"),
    "unused-template": Code("note", "no document extends a template"),
    "unused-tool": Code("note", "no rule names a tool"),
    "wide-approval": Code("note", "any approver of the tenant may approve"),
    "workload-way": Code("note", "an agent is whoever reaches a listener that stands for it"),
}
