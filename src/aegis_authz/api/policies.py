"""Publishing, rolling back, and what is served."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from aegis_authz.api.model import Answer, Name, Note, Request
from aegis_authz.core.release import MAX_FILES, Change, ChangeKind, Sources


def _paths(texts: dict[str, str]) -> dict[str, str]:
    if not all(path.isprintable() and 0 < len(path) <= 512 for path in texts):
        raise PydanticCustomError("paths", "a file name must be 1 to 512 printable characters")
    return texts


Texts = Annotated[dict[str, str], Field(max_length=MAX_FILES), AfterValidator(_paths)]
"""Documents by file name."""


class PublishRequest(Request):
    """Documents to be served from now on, all of them: what is not sent is gone.

    `tests` are files of policy tests (`..._test.yaml`), which must pass; they are kept with the revision. Where the
    control plane tries publications on recorded calls, `accept` is why an owner publishes whatever that comes to.
    """

    policies: Texts
    tools: Texts
    tests: Texts = Field(default_factory=dict)
    message: Note = ""
    accept: Note = ""


class RollbackRequest(Request):
    """The revision whose documents are to be served again; `accept` is that of a publication."""

    revision: Name
    message: Note = ""
    accept: Note = ""


class ReleaseAnswer(Answer):
    """What became of a publish or rollback: who runs the revision, who refused it and why, who has not said yet.

    `changed` is false when that revision was served already; `tools_changed` says that the proxy's routes are others:
    a control plane with `proxy` in its settings writes them, else somebody must. `seconds` is how long OPA was waited
    for. `cautions` say what does not work as documents want it; control planes of earlier versions say none.
    """

    revision: str
    previous: str
    changed: bool
    tools_changed: bool
    active_on: tuple[str, ...]
    refused: dict[str, str]
    waiting_for: tuple[str, ...]
    seconds: float
    cautions: tuple[str, ...] = ()


class ChangeEntry(Answer):
    """One line of the change log. `time` is seconds since the epoch; `previous` is "" at the first.

    `agent` is who was revoked or restored, `org/tenant/agent`, else "".
    """

    kind: ChangeKind
    revision: str
    previous: str
    by: str
    time: float
    message: str
    agent: str

    @classmethod
    def of(cls, change: Change) -> ChangeEntry:
        """The change as an answer shows it."""
        return cls(
            kind=change.kind,
            revision=change.revision,
            previous=change.previous,
            by=change.by,
            time=change.time,
            message=change.message,
            agent="" if change.agent is None else str(change.agent),
        )


class RevisionsAnswer(Answer):
    """The revision served, "" before the first, and the change log, newest first."""

    current: str
    changes: tuple[ChangeEntry, ...]


class SourcesAnswer(Answer):
    """The documents of a revision and the policy tests that came with them, by file name."""

    revision: str
    policies: dict[str, str]
    tools: dict[str, str]
    tests: dict[str, str] = Field(default_factory=dict)

    @classmethod
    def of(cls, revision: str, sources: Sources, tests: Mapping[str, str]) -> SourcesAnswer:
        """The documents as an answer shows them."""
        return cls(revision=revision, policies=dict(sources.policies), tools=dict(sources.tools), tests=dict(tests))


class OpaEntry(Answer):
    """What one OPA last said of itself; `trouble` is "" when all is well."""

    instance: str
    version: str
    active_revision: str
    trouble: str


class StatusAnswer(Answer):
    """The revision served, "" before the first, and every OPA heard of lately.

    `routes` is the revision whose routes the proxy was given, "" before the first and where the control plane
    gives none.
    """

    revision: str
    routes: str
    opa: tuple[OpaEntry, ...]
