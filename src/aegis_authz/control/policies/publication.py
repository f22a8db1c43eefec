"""A publication: what it is about, what it must pass, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from aegis_authz.control.policies.bulletin import Live
from aegis_authz.core.release import ChangeKind, Sources
from aegis_authz.core.units import Revision
from aegis_authz.policy.source.problems import Problem


class Builder(Protocol):
    """Compiles and signs documents (`control.policies.building`)."""

    def build(self, sources: Sources) -> Live:
        """The revision of these documents and its signed bundle. Raises PolicyErrors."""
        ...

    def home(self, sources: Sources) -> Sources:
        """What of these documents is published and kept here. Raises PolicyErrors."""
        ...

    def home_tests(self, sources: Sources, tests: Mapping[str, str]) -> Mapping[str, str]:
        """What of the policy tests of these documents is run and kept here. Raises PolicyErrors."""
        ...

    def errors(self, sources: Sources, now: datetime) -> list[Problem]:
        """What is valid in these documents and must not be published all the same."""
        ...


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody is about to publish: all documents, in place of those of `base`, and their tests."""

    kind: ChangeKind
    base: Revision
    before: Sources
    after: Sources
    by: str
    message: str
    tests: Mapping[str, str]


class Admission(Protocol):
    """What a publication by one person must pass (`control.policies.proposing`)."""

    async def admit(self, draft: Draft) -> None:
        """Let it pass. Raises ProposalWaits where another person must confirm it first, DatabaseFault."""
        ...


@dataclass(frozen=True, slots=True)
class Passed:
    """What the change log is to say of trials that were passed; and the documents, without standing decisions, beside
    which recorded calls were decided again, None where none were.
    """

    remark: str
    beside: Sources | None


class Testing(Protocol):
    """What a publication is tried on (`control.policies.backtests.PublicationTrials`)."""

    async def require(self, sources: Sources, tests: Mapping[str, str], by: str, accept: str) -> Passed:
        """Try it. `accept` is why recorded calls may be decided more mildly, "" where they may not.

        Raises PolicyErrors, NotTried, ReleasesFault.
        """
        ...


@dataclass(frozen=True, slots=True)
class Published:
    """What a publish or rollback did. `changed` is False when that revision was served already.

    `tools_changed` says that the proxy's routes must be rendered anew.
    """

    revision: Revision
    previous: Revision
    changed: bool
    tools_changed: bool
