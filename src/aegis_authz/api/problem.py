"""Every answer that is not a success (RFC 9457)."""

from __future__ import annotations

from dataclasses import asdict

from aegis_authz.api.model import Answer
from aegis_authz.policy.source.problems import Problem


class DocumentProblem(Answer):
    """One thing wrong with a document; `line` and `column` count from 1.

    `excerpt` is the source line and `before` the line above it, both without their first `cut` characters.
    """

    path: str
    line: int
    column: int
    field: str
    message: str
    excerpt: str
    before: str
    cut: int

    @classmethod
    def of(cls, problem: Problem) -> DocumentProblem:
        """The problem as an answer shows it."""
        return cls(**asdict(problem))

    def problem(self) -> Problem:
        """The problem as the reader of documents told it."""
        return Problem(**self.model_dump())


class FieldError(Answer):
    """One thing wrong with a request: `field` is the member, parameter or header, "" for the body as a whole."""

    field: str
    message: str


class ProblemDocument(Answer):
    """Why a request was not done (RFC 9457, `application/problem+json`).

    `problems` are those of the documents sent, `errors` those of the request itself.
    """

    type: str
    status: int
    detail: str
    problems: tuple[DocumentProblem, ...] = ()
    errors: tuple[FieldError, ...] = ()
