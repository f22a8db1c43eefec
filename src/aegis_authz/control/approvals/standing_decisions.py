"""Standing decisions at the control plane: offered for a held call, saved by publishing, listed, and taken back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

from aegis_authz.approvals.deciding import Approver
from aegis_authz.approvals.standing_decision import (
    FOLDER,
    NotStanding,
    Span,
    StandingDecision,
    StandingEffect,
    Terms,
    draft,
    name_of,
    path_of,
    require_like,
)
from aegis_authz.control.acts import Note
from aegis_authz.control.policies.building import PolicyBuilder
from aegis_authz.control.policies.publication import Published
from aegis_authz.control.policies.publishing import Publisher
from aegis_authz.core.approval import Approval, ApprovalRequest
from aegis_authz.core.person import WHOLE_MESH, Person
from aegis_authz.core.release import Sources
from aegis_authz.policy.language.operators import UPPER
from aegis_authz.policy.language.types import ANY
from aegis_authz.policy.lint.finding import Finding
from aegis_authz.policy.load import Loaded
from aegis_authz.policy.source.problems import PolicyErrors
from aegis_authz.policy.source.reader import read_source
from aegis_authz.ports.data_plane import Clock

MOST_BYTES = 64 * 1024
"""Of a document: it holds the parameters of one call."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A document that is offered, or edited, and what lint finds in it."""

    name: str
    text: str
    findings: tuple[Finding, ...]


class StandingDesk:
    """Makes documents of held calls. What is saved is published as any other document is."""

    def __init__(
        self, publisher: Publisher, builder: PolicyBuilder, approver: Approver, note: Note, clock: Clock
    ) -> None:
        self._publisher = publisher
        self._builder = builder
        self._approver = approver
        self._note = note
        self._clock = clock

    async def draft(
        self, approval: Approval, effect: StandingEffect, days: int, for_session: bool, person: Person
    ) -> Draft:
        """What is offered for that call, or for those of its session, to somebody who may decide it, from today on.

        Raises NotStanding, ApprovalForbidden, PolicyErrors, RevisionUnknown, ReleasesFault.
        """
        self._approver.require_decider(approval, person)
        request, today = approval.request, datetime.fromtimestamp(self._clock.now(), UTC).date()
        sources = await self._publisher.current_sources()
        loaded = await asyncio.to_thread(self._builder.loaded, sources)
        text = draft(request, Terms(effect, Span.of(today, days), for_session), person.id, _quantities(loaded, request))
        return await self._looked_at(sources, approval, effect, text)

    async def save(
        self, approval: Approval, effect: StandingEffect, text: str, person: Person, message: str
    ) -> Published:
        """Publish the document. Raises what `draft` does; then all stays as it was."""
        self._approver.require_decider(approval, person)
        sources = await self._publisher.current_sources()
        looked_at = await self._looked_at(sources, approval, effect, text)
        errors = [finding.problem for finding in looked_at.findings if finding.severity == "error"]
        if errors:
            raise PolicyErrors(errors)
        published = await self._publisher.stand(path_of(looked_at.name), text, person.id, message)
        return await self._noted(published, person, message)

    async def listed(self) -> list[StandingDecision]:
        """All that stand now, those that are over included. Raises PolicyErrors, RevisionUnknown, ReleasesFault."""
        sources = await self._publisher.current_sources()
        return await asyncio.to_thread(self._standing, sources)

    async def revoke(self, name: str, person: Person, message: str) -> Published:
        """Take one back. Raises NotStanding for one that is not there, PolicyErrors, ReleasesFault."""
        path = path_of(name)
        if path not in (await self._publisher.current_sources()).policies:
            raise NotStanding("there is no standing decision of that name")
        return await self._noted(await self._publisher.unstand(path, person.id, message), person, message)

    async def _noted(self, published: Published, person: Person, message: str) -> Published:
        await self._note(person, "policies:version", published.revision, str(WHOLE_MESH), message)
        return published

    async def _looked_at(self, sources: Sources, approval: Approval, effect: StandingEffect, text: str) -> Draft:
        name = name_of(approval.request.id, effect)
        path = path_of(name)
        if len(text.encode("utf-8", "surrogatepass")) > MOST_BYTES:
            raise NotStanding(f"the document is larger than {MOST_BYTES} bytes")
        whole = Sources({**sources.policies, path: text}, sources.tools)
        loaded = await asyncio.to_thread(self._builder.loaded, whole)
        documents = [policy.document for policy in loaded.loaded_policies if policy.source.path == path]
        if len(documents) != 1 or len(read_source(path, text)[0]) != 1:
            raise NotStanding("what is saved is one document of policy")
        require_like(documents[0], approval.request, effect)
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        findings = await asyncio.to_thread(self._builder.findings, whole, now)
        return Draft(name, text, tuple(finding for finding in findings if finding.problem.path == path))

    def _standing(self, sources: Sources) -> list[StandingDecision]:
        loaded = self._builder.loaded(sources)
        return [
            StandingDecision(policy.source.path, sources.policies[policy.source.path], policy.document)
            for policy in loaded.loaded_policies
            if policy.source.path.startswith(FOLDER)
        ]


def _quantities(loaded: Loaded, request: ApprovalRequest) -> frozenset[str]:
    """Parameters that the rules which asked bound from above themselves: what is counted, and names nothing."""
    return frozenset(
        value.name
        for policy in loaded.loaded_policies
        if policy.document.title in request.policies
        for rule in policy.compiled.rules.allowing
        if rule.rule.name == request.tool and not {request.action, ANY}.isdisjoint(rule.rule.actions)
        for value in rule.values
        if value.of == "parameters" and any(check.condition in UPPER for check in value.checks)
    )
