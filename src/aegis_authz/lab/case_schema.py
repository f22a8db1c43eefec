"""The schema of policy tests, for editors, and that of every document there is."""

from __future__ import annotations

from aegis_authz.core.effect import Effect
from aegis_authz.core.json_value import Json
from aegis_authz.lab.cases import REASONS_OF_POLICY, CasesDocument, EffectWord, ReasonWord
from aegis_authz.lab.identity_cases import REFUSALS, IdentitiesDocument, RefusalWord
from aegis_authz.policy.editor.schema import constraint, either, policy_schema, schema_of, tool_schema


def case_schema() -> dict[str, Json]:
    """JSON Schema 2020-12 of `*_test.yaml` files."""
    return schema_of(
        "Aegis policy tests",
        (CasesDocument, IdentitiesDocument),
        {
            **constraint(RefusalWord, {"enum": [*REFUSALS]}),
            **constraint(EffectWord, {"enum": [effect.value for effect in Effect]}),
            **constraint(ReasonWord, {"enum": [reason.value for reason in REASONS_OF_POLICY]}),
        },
    )


def any_schema() -> dict[str, Json]:
    """JSON Schema 2020-12 of any document: for folders that hold policies, tools and tests."""
    return either("Aegis policies, tools and tests", (policy_schema(), tool_schema(), case_schema()))
