"""Publishing to a mesh, the way back, and what is served."""

from __future__ import annotations

from pathlib import Path

from aegis_authz.adapters.control_client import ControlRefused
from aegis_authz.api.policies import ReleaseAnswer, RevisionsAnswer, StatusAnswer
from aegis_authz.commands.control import control_plane
from aegis_authz.commands.documents import located, read_documents
from aegis_authz.policy.source.problems import PolicyErrors


def publish(state: Path, policies: Path, tools: Path, by: str, message: str, wait: float) -> ReleaseAnswer:
    """Publish the documents of two folders to the mesh in `state`; wait at most `wait` seconds for OPA to run them.

    Raises PolicyErrors naming files as they are found from here, Unable, Rejected, SourceFolderError.
    """
    sources = read_documents(policies, tools)
    with control_plane(state) as control:
        try:
            return control.publish(sources.policies, sources.tools, by, message, wait)
        except ControlRefused as refused:
            if not refused.problems:
                raise
            raise PolicyErrors(located(refused.problems, sources, policies, tools)) from None


def rollback(state: Path, revision: str, by: str, message: str, wait: float) -> ReleaseAnswer:
    """Serve the documents of an earlier revision again, and wait as `publish` does. Raises Unable, Rejected."""
    with control_plane(state) as control:
        return control.rollback(revision, by, message, wait)


def served(state: Path) -> tuple[StatusAnswer, RevisionsAnswer]:
    """What is served and what each OPA runs; and the change log. Raises Unable, Rejected."""
    with control_plane(state) as control:
        return control.status(), control.revisions()
