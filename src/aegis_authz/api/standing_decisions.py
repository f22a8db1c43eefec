"""Standing decisions: documents of policy that allow or refuse calls like a held one, for some days."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from aegis_authz.api.model import Answer, Note, Request
from aegis_authz.policy.lint.finding import Finding


class DraftAnswer(Answer):
    """A document that is offered for a held call, to be read, edited and sent back. `findings` are what lint says."""

    name: str
    document: str
    findings: tuple[str, ...]

    @classmethod
    def of(cls, name: str, text: str, findings: tuple[Finding, ...]) -> DraftAnswer:
        """The document as an answer shows it."""
        return cls(name=name, document=text, findings=tuple(map(str, findings)))


class StandingDecisionRequest(Request):
    """The document, as it was offered or edited, and why it shall stand."""

    document: Annotated[str, Field(min_length=1, max_length=65_536)]
    message: Note = ""


class StandingDecisionAnswer(Answer):
    """One that is published. `effect` is allow or deny; `first` and `last` are days in UTC, both included.

    `session` is the session or task that it is for, "" where it is for any.
    """

    name: str
    effect: str
    agent: str
    tool: str
    actions: tuple[str, ...]
    first: str
    last: str
    session: str
    owner: str
    document: str


class StandingDecisionsAnswer(Answer):
    """All that are published, those whose days are over included."""

    standing: tuple[StandingDecisionAnswer, ...]


class RevocationReason(Request):
    """Why one is taken back."""

    message: Note = ""


class StandingChangeAnswer(Answer):
    """What is served since one was saved or taken back."""

    name: str
    revision: str
