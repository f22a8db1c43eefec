"""Documents on a bench: compiled as publishing would, loaded into an OPA of one's own, and asked about calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aegis_authz.core.call import CallKind
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.core.decision import Decision
from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.lab.calls import TriedCall, question_of
from aegis_authz.lab.opa import LabOpa
from aegis_authz.policy.bundle.snapshot import trust_to_data
from aegis_authz.policy.compile.compiler import compile_policy
from aegis_authz.policy.compile.rules import CompiledDocument
from aegis_authz.policy.load import Loaded

_NOBODY = trust_to_data("lab", "lab", [], [], 300, 0)  # tried calls carry no token


class Workbench:
    """Loaded documents and an OPA that runs them. `put` exchanges the policies and keeps the tools."""

    def __init__(self, loaded: Loaded, opa: LabOpa) -> None:
        self.loaded = loaded
        self.catalogue = Catalogue.of(loaded.tools)
        self._opa = opa
        self.put(loaded.compiled)

    def put(self, policies: Sequence[CompiledDocument]) -> None:
        """Run these policies from now on. Raises LabError."""
        self._opa.load(compile_policy(policies, self.loaded.tools, _NOBODY, "").data)

    def decide(self, calls: Sequence[TriedCall]) -> list[Decision | Refused]:
        """What the mesh would decide, in order. Raises LabError, Refused."""
        return self._opa.decisions(self._questions(calls))

    def explain(self, calls: Sequence[TriedCall], kind: CallKind | None = None) -> list[Mapping[str, Json]]:
        """Why, in order: `{decision, documents: [{name, mode, rules: [{id, outcome, conditions}]}]}`. Raises LabError.

        `kind` is that of all the calls, None where the catalogue is to tell.
        """
        return self._opa.explanations(self._questions(calls, kind))

    def _questions(self, calls: Sequence[TriedCall], kind: CallKind | None = None) -> list[Json]:
        return [question_of(call, self.catalogue, kind) for call in calls]
