"""Policies, tools and trust as the data of a bundle: what the Rego library looks up and the data plane reads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from aegis_authz.core.basis import Bases
from aegis_authz.core.catalogue import Tool
from aegis_authz.core.json_value import Json
from aegis_authz.core.price import NO_PRICES, Prices
from aegis_authz.core.residency import Residency
from aegis_authz.core.scope_shape import scope_shape
from aegis_authz.core.snapshot import Snapshot
from aegis_authz.policy.bundle.canonical_json import canonical
from aegis_authz.policy.bundle.library import rego_library
from aegis_authz.policy.bundle.limit_data import breakers_to_data, limits_to_data
from aegis_authz.policy.bundle.price_data import prices_to_data
from aegis_authz.policy.bundle.record_data import records_to_data
from aegis_authz.policy.bundle.residency_data import residency_to_data
from aegis_authz.policy.bundle.snapshot import bases_from_data, snapshot_from_data, trust_from_data
from aegis_authz.policy.bundle.telemetry_data import telemetry_to_data
from aegis_authz.policy.bundle.tool_data import tools_to_data
from aegis_authz.policy.compile.alerts import alerts_of, alerts_to_data
from aegis_authz.policy.compile.bases import bases_data
from aegis_authz.policy.compile.fast_path import plain_rules
from aegis_authz.policy.compile.forms import shared_forms
from aegis_authz.policy.compile.holds import holds_of
from aegis_authz.policy.compile.identities import NO_IDENTITIES, Identities, identity_data, snapshot_agents
from aegis_authz.policy.compile.json_shapes import object_of
from aegis_authz.policy.compile.limits import breakers_of, limits_of
from aegis_authz.policy.compile.records import records_of
from aegis_authz.policy.compile.rule_data import document_data, parameter_roots, reads
from aegis_authz.policy.compile.rules import CompiledDocument
from aegis_authz.policy.compile.telemetry import telemetry_of
from aegis_authz.policy.language.operators import PHRASES
from aegis_authz.policy.language.types import ANY

REVISION_LENGTH = 24


@dataclass(frozen=True, slots=True)
class Compiled:
    """One immutable generation: `data` is the whole of the bundle's data.json, `revision` names it and the library."""

    revision: str
    data: dict[str, Json]

    @property
    def snapshot(self) -> Snapshot:
        """What a data plane reads of it."""
        return snapshot_from_data(object_of(self.data["aegis"])["snapshot"])

    @property
    def bases(self) -> Bases:
        """The digests of what it judges by."""
        return bases_from_data(object_of(object_of(self.data["aegis"])["snapshot"])["bases"])


def compile_policy(
    policies: Sequence[CompiledDocument],
    tools: Sequence[Tool],
    trust_data: Mapping[str, Json],
    status_base: str,
    rego: Mapping[str, str] | None = None,
    identities: Identities = NO_IDENTITIES,
    prices: Prices = NO_PRICES,
    revoked: Iterable[str] = (),
    people_base: str = "",
    residency: Residency | None = None,
) -> Compiled:
    """Compile checked documents. `people_base` is the URL under which people decide approvals, "" for `status_base`.

    `trust_data` is what `trust_to_data` made; `status_base` the URL under which approvals are looked up,
    "" for none; `rego` the library the bundle will carry, by default the one of this package; `identities` who is
    registered and whose tokens are exchanged; `prices` what calls cost, `revoked` the marks of what is
    revoked; `residency` whose calls are judged, in a mesh of regions. The order of documents, tools, files and keys
    does not matter: same content, same revision. Raises ValueError for documents that did not pass `load` and for
    unreadable trust.
    """
    trust_from_data(trust_data)
    compiled_policies, catalogue, holds = _policies(policies, tools), tools_to_data(tools), holds_of(policies)
    telemetry, records, alerts = telemetry_of(policies), records_of(policies), alerts_to_data(alerts_of(policies))
    roots = parameter_roots(policies)
    content: dict[str, Json] = {
        "policies": {**compiled_policies, **shared_forms(object_of(compiled_policies["scopes"]))},
        "identity": identity_data(identities),
        "snapshot": {
            "catalogue": catalogue,
            "bases": bases_data(compiled_policies, catalogue),
            "trust": dict(trust_data),
            "agents": snapshot_agents(identities),
            "status_base": status_base,
            "reads": sorted(reads(policies)),
            "phrases": dict(PHRASES),
            "prices": prices_to_data(prices),
            "limits": limits_to_data(limits_of(policies)),
            "breakers": breakers_to_data(breakers_of(policies)),
            "revoked": [*sorted(set(revoked))],
            # older authorizers know no such members
            **({} if roots is None else {"roots": [*sorted(roots)]}),
            **({"holds": dict(holds)} if holds else {}),
            **({"people_base": people_base} if people_base not in ("", status_base) else {}),
            **({} if residency is None else {"residency": residency_to_data(residency)}),
            **({"telemetry": telemetry_to_data(telemetry)} if telemetry else {}),
            **({"records": records_to_data(records)} if records.by_scope else {}),
        },
        # no authorizer reads it: what is published is named by it
        **({"alerts": dict(alerts)} if alerts else {}),
    }
    revision = revision_of(content, rego_library() if rego is None else rego)
    snapshot = {**object_of(content["snapshot"]), "revision": revision}
    return Compiled(revision, {"aegis": {**content, "revision": revision, "snapshot": snapshot}})


def revision_of(content: Mapping[str, Json], rego: Mapping[str, str]) -> str:
    """The name of a generation: hex of the SHA-256 over its canonical content and library, shortened."""
    return hashlib.sha256(canonical({"data": dict(content), "rego": dict(rego)})).hexdigest()[:REVISION_LENGTH]


def content_of(compiled: Compiled) -> dict[str, Json]:
    """The content `revision_of` was taken of: the data without the revision itself."""
    aegis = object_of(compiled.data["aegis"])
    snapshot = {key: value for key, value in object_of(aegis["snapshot"]).items() if key != "revision"}
    alerts = {"alerts": aegis["alerts"]} if "alerts" in aegis else {}
    return {"policies": aegis["policies"], "identity": aegis["identity"], "snapshot": snapshot, **alerts}


def _policies(policies: Sequence[CompiledDocument], tools: Sequence[Tool]) -> dict[str, Json]:
    opaque = sorted(tool.name for tool in tools if tool.is_opaque)
    scopes: dict[str, dict[str, list[Mapping[str, Json]]]] = {}
    for policy in policies:
        modes = scopes.setdefault(policy.document.scope, {"enforce": [], "shadow": []})
        modes[policy.document.mode].append(document_data(policy, opaque))
    for modes in scopes.values():
        for documents in modes.values():
            documents.sort(key=canonical)
    shapes = {scope_shape(scope) for scope in scopes}
    regions = {tool.name: tool.region for tool in tools if tool.region}
    agents = {policy.document.scope for policy in policies if ANY not in policy.document.scope}
    return {
        "shapes": [list(shape) for shape in sorted(shapes, key=canonical)],
        "regions": dict(regions),
        "scopes": {
            scope: {**modes, "plain": plain_rules(scope, scopes, shapes, regions)} if scope in agents else dict(modes)
            for scope, modes in scopes.items()
        },
    }
