"""Lints of identity as code: weak proofs, agents that nobody can become, and issuers who choose the tenant."""

from __future__ import annotations

from collections.abc import Iterator

from aegis_authz.policy.language.identities import PLACEHOLDER, AgentEntry
from aegis_authz.policy.lint.finding import Finding, finding_of
from aegis_authz.policy.lint.ground import Ground
from aegis_authz.policy.source.reader import Location


def identity_findings(ground: Ground) -> Iterator[Finding]:
    """Findings of each registered agent, then of each trusted issuer."""
    for loaded in ground.loaded.identities.agents:
        for scope, entry in loaded.document.agents.items():
            at: Location = ("agents", scope)
            if entry.owner is None:
                message = "says no owner; name who answers for the agent with owner: ..."
                yield finding_of("missing-owner", loaded.source.problem(at, message, on_key=True))
            for part, message in _secrets(entry):
                yield finding_of("agent-key", loaded.source.problem((*at, *part), message, on_key=True))
            if "workload" in entry.ways:
                message = "is whoever reaches the listener that stands for it: have loopback or a socket to itself"
                yield finding_of("workload-way", loaded.source.problem((*at, "ways"), message, on_key=True))
    for trusted in ground.loaded.identities.trusts:
        if trusted.document.owner is None:
            message = "says no owner; name who answers for the trust with owner: ..."
            yield finding_of("missing-owner", trusted.source.problem((), message))
        for position, subject in enumerate(trusted.document.subjects):
            org, tenant, _ = subject.agent.split("/")
            if PLACEHOLDER.match(org) or PLACEHOLDER.match(tenant):
                message = "lets the issuer's tokens choose the organisation or tenant; write them out, once for each"
                at = ("subjects", position, "agent")
                yield finding_of("trust-spans-tenants", trusted.source.problem(at, message))


def _secrets(entry: AgentEntry) -> Iterator[tuple[Location, str]]:
    if "agent_key" in entry.ways:
        message = "takes a static secret for proof: whoever copies it is the agent until it ends"
        yield ("ways",), message if entry.agent_keys else "takes a static secret, and no agent_keys are registered"
    elif entry.agent_keys:
        yield ("agent_keys",), "are registered and not taken: agent_key is not among the ways"
