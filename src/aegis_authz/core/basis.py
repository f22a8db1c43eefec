"""The basis of a decision: what judged it, as a digest. An approval holds for as long as its basis is the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from aegis_authz.core.approval import ApprovalProof
from aegis_authz.core.decision import ApprovalTerms
from aegis_authz.core.scope import Scope
from aegis_authz.core.scope_shape import ScopeShape, covering
from aegis_authz.core.units import Basis

_DOMAIN = b"aegis-basis-v1\x00"
_DIGITS = 32
_TERMS_DIGITS = 16
_SEAM = "."


@dataclass(frozen=True, slots=True)
class Bases:
    """The digests of what a revision judges by: of the documents of each scope, and of each tool's definition.

    `shapes` are those of all these scopes.
    """

    shapes: frozenset[ScopeShape]
    documents: Mapping[str, str]
    tools: Mapping[str, str]

    def of(self, scope: Scope, tool: str) -> Basis:
        """The basis of an agent's calls of a tool: all documents in whose scope the agent is, and the tool.

        A tool that is not there, and an agent that no document covers, have a basis too: that of nothing.
        """
        names = sorted(name for name in covering(str(scope), self.shapes) if name in self.documents)
        text = json.dumps([tool, self.tools.get(tool), [[name, self.documents[name]] for name in names]])
        return Basis(hashlib.sha256(_DOMAIN + text.encode()).hexdigest()[:_DIGITS])


def approval_basis(basis: Basis, terms: ApprovalTerms) -> Basis:
    """The basis of an approval: what judged the call, and what the approval must be.

    The second may be another where the first is not: rules differ by the hour, and by other circumstances.
    """
    shown = [] if terms.proof is ApprovalProof.ANY else [terms.proof.value]
    text = json.dumps([sorted(terms.groups), terms.approvals, sorted(terms.confirm), *shown])
    return Basis(f"{basis}{_SEAM}{hashlib.sha256(_DOMAIN + text.encode()).hexdigest()[:_TERMS_DIGITS]}")


def judging_basis(basis: Basis) -> Basis:
    """What judged the call of an approval with this basis."""
    return Basis(basis.partition(_SEAM)[0])
