"""From documents to a signed bundle: validate, compile, pack."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from aegis_authz.control.policies.bulletin import Live
from aegis_authz.control.policies.directory import Directory
from aegis_authz.control.policies.residents import home_sources, home_tests, residency_of
from aegis_authz.control.policies.stand_ins import yielding
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.core.json_value import Json
from aegis_authz.core.notice import ChannelPlaces
from aegis_authz.core.release import Sources
from aegis_authz.core.units import Revision
from aegis_authz.encoding.verifying_key import p256_jwk
from aegis_authz.policy.bundle.library import rego_library
from aegis_authz.policy.compile.compiler import compile_policy
from aegis_authz.policy.compile.pack import pack
from aegis_authz.policy.lint.codes import INVALID
from aegis_authz.policy.lint.finding import Finding
from aegis_authz.policy.lint.run import linted
from aegis_authz.policy.load import Loaded, load
from aegis_authz.policy.source.problems import Problem

OWN = "/aegis"
"""Under which name the documents of Aegis itself stand among those of a revision: no file of a folder has it."""


class PolicyBuilder:
    """Builds revisions under the keys of now; under one signing key the same documents give the same bytes."""

    def __init__(
        self,
        signing_key: Callable[[], EllipticCurvePrivateKey],
        trust_data: Callable[[], Mapping[str, Json]],
        status_base: str,
        detectors: Collection[str],
        own: Sources,
        revoked: Callable[[], Iterable[str]],
        people_base: str = "",
        region: str = "",
        places: ChannelPlaces | None = None,
    ) -> None:
        """`trust_data` gives `control.keys.trust.trust_data` of now, and `revoked` the marks of what is revoked now;
        `detectors` are the names `sanitize` may use.

        `own` are documents of Aegis itself, part of every revision beside those published. `people_base` is where
        people decide approvals, "" for `status_base`. `region` is the one whose tenants are published, "" for a mesh
        without regions. `places` are those of the channels that there are, None for documents that may name any.
        """
        self._signing_key = signing_key
        self._trust_data = trust_data
        self._status_base = status_base
        self._detectors = detectors
        self._revoked = revoked
        self._people_base = people_base
        self._region = region
        self._places = places
        self._own = Sources(_marked(own.policies), _marked(own.tools))

    def catalogue(self, sources: Sources) -> Catalogue:
        """The tools of these documents and our own, with how long policies keep requests open. Raises PolicyErrors."""
        return self.loaded(sources).catalogue.within(self._region)

    def home(self, sources: Sources) -> Sources:
        """What is published of these documents: nothing about tenants of other regions. Raises PolicyErrors."""
        return home_sources(sources, self._region)

    def home_tests(self, sources: Sources, tests: Mapping[str, str]) -> Mapping[str, str]:
        """What is run and kept of the policy tests of these documents: nothing about tenants of other regions.

        Raises PolicyErrors.
        """
        return home_tests(sources, tests, self._region)

    def build(self, sources: Sources) -> Live:
        """The revision of these documents and its signed bundle. Raises PolicyErrors."""
        loaded = self.loaded(sources)
        residency = residency_of(loaded.residency, self._region, _own_tenants(loaded))
        compiled = compile_policy(
            loaded.compiled,
            loaded.tools,
            self._trust_data(),
            self._status_base,
            None,
            loaded.identities,
            loaded.prices,
            self._revoked(),
            self._people_base,
            residency,
        )
        key = self._signing_key()
        signer = p256_jwk(key.public_key())["kid"]
        bundle = pack(compiled, rego_library(), key, signer)
        return Live(
            Revision(compiled.revision), bundle, Directory.of(loaded.identities, residency), compiled.bases, signer
        )

    def findings(self, sources: Sources, now: datetime) -> list[Finding]:
        """What lint finds in these documents, by the time of now."""
        return linted(sources.policies, sources.tools, self._detectors, now, self._places)

    def errors(self, sources: Sources, now: datetime) -> list[Problem]:
        """What lint finds in valid documents that must not be published, each with its code."""
        findings = self.findings(sources, now)
        errors = [finding for finding in findings if finding.severity == "error" and finding.code != INVALID]
        return [replace(entry.problem, message=f"{entry.problem.message} (lint {entry.code})") for entry in errors]

    def loaded(self, sources: Sources) -> Loaded:
        """These documents and our own, checked. Raises PolicyErrors."""
        sources = self.home(sources)
        policies = {**sources.policies, **yielding(self._own.policies, sources.policies)}
        return load(policies, {**sources.tools, **self._own.tools}, self._detectors)


def _own_tenants(loaded: Loaded) -> frozenset[str]:
    own = (policy.document for policy in loaded.loaded_policies if policy.source.path.startswith(f"{OWN}/"))
    return frozenset(f"{document.org}/{document.tenant}" for document in own)


def _marked(texts: Mapping[str, str]) -> dict[str, str]:
    # A name no file of a folder has: a document of ours must never stand in for one of theirs.
    return {f"{OWN}/{path}": text for path, text in texts.items()}
