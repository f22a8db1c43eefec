"""People, how they sign in, their API keys, and the change log."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from aegis_authz.api.model import Answer, Name, Note, Request
from aegis_authz.core.change_line import ChangeLine
from aegis_authz.core.person import Person
from aegis_authz.core.sign_in import ApiKey, CertificateName

Words = Annotated[list[Name], Field(max_length=100)]
"""Roles such as `approver@acme/emea`, or groups."""
Secret = Annotated[str, Field(min_length=1, max_length=256)]


class SignInRequest(Request):
    """Who signs in, by password."""

    person: Name
    password: Secret


class PasswordRequest(Request):
    """A new password, for a code that is good once. A code of the first start makes that person the first owner."""

    code: Secret
    person: Name
    password: Secret


class LoginCodeRequest(Request):
    """A code that a page gave a command, and the verifier whose challenge the command named there (RFC 7636)."""

    code: Secret
    verifier: Annotated[str, Field(pattern=r"^[A-Za-z0-9._~-]{43,128}$")]


class PersonAnswer(Answer):
    """A person, and what they are: `roles` as `role`, `role@org` or `role@org/tenant`.

    `sponsors` are the owners of parts of the mesh who gave them the means to sign in, as lists of people say them.
    """

    id: str
    name: str
    groups: tuple[str, ...]
    roles: tuple[str, ...]
    disabled: bool
    sponsors: tuple[str, ...] = ()

    @classmethod
    def of(cls, person: Person, *, disabled: bool) -> PersonAnswer:
        """The person as an answer shows it."""
        roles = tuple(str(binding) for binding in person.roles)
        return cls(id=person.id, name=person.name, groups=tuple(sorted(person.groups)), roles=roles, disabled=disabled)


class PeopleAnswer(Answer):
    """The people that the caller may see, in order of id."""

    people: tuple[PersonAnswer, ...]


class SessionAnswer(Answer):
    """Who the caller is. `csrf` is what a change in this session must bear as `x-csrf-token`, "" outside of one."""

    person: PersonAnswer
    csrf: str


class NewPersonRequest(Request):
    """A person to be; kept in the change log with the note."""

    id: Name
    name: Name
    groups: Words = Field(default_factory=list)
    roles: Words = Field(default_factory=list)
    note: Note = ""


class PersonRequest(Request):
    """What a person is from now on, all of it."""

    name: Name
    groups: Words
    roles: Words
    disabled: bool = False
    note: Note = ""


class SignInLinkAnswer(Answer):
    """A link by which a person signs in, once, until `expires_at`: `url` is where people reach the pages."""

    person: str
    url: str
    expires_at: float


class ReasonRequest(Request):
    """Why; kept in the change log."""

    note: Note = ""


class AddressRequest(Request):
    """Where a person is in a channel; "" for nowhere."""

    address: Annotated[str, Field(max_length=256, pattern=r"^([!-~]([ -~]*[!-~])?)?$")]
    note: Note = ""


class CertificateRequest(Request):
    """A name by which client certificates are a person's: the SHA-256 of one in hex, a name that its authority wrote as
    an alternative one (URI, e-mail), or its subject (RFC 4514).
    """

    kind: Literal["fingerprint", "uri", "email", "subject"]
    value: Annotated[str, Field(min_length=1, max_length=512)]
    note: Note = ""


class CertificateAnswer(Answer):
    """A name by which client certificates are a person's."""

    kind: str
    value: str

    @classmethod
    def of(cls, name: CertificateName) -> CertificateAnswer:
        """The name as an answer shows it."""
        return cls(kind=name.kind.value, value=name.value)


class CertificatesAnswer(Answer):
    """The names of a person's client certificates."""

    certificates: tuple[CertificateAnswer, ...]


class CodeAnswer(Answer):
    """A code by which a person sets a password, once. It is shown here and kept nowhere."""

    person: str
    code: str
    expires_at: float


class ApiKeyRequest(Request):
    """A key for a program of the caller's: `roles` are some of theirs, () for all; it lives `days`."""

    label: Name
    roles: Words = Field(default_factory=list)
    days: Annotated[float, Field(gt=0, le=400, allow_inf_nan=False)] = 90


class ApiKeyAnswer(Answer):
    """An API key, without its secret."""

    id: str
    person: str
    label: str
    roles: tuple[str, ...]
    created_at: float
    expires_at: float
    revoked: bool

    @classmethod
    def of(cls, key: ApiKey) -> ApiKeyAnswer:
        """The key as an answer shows it."""
        return cls(
            id=key.id,
            person=key.person_id,
            label=key.label,
            roles=tuple(str(binding) for binding in key.roles),
            created_at=key.created,
            expires_at=key.expires,
            revoked=key.is_revoked,
        )


class NewApiKeyAnswer(ApiKeyAnswer):
    """A key that was just made. Its text is answered once and kept nowhere."""

    key: str


class ApiKeysAnswer(Answer):
    """API keys, the newest first."""

    keys: tuple[ApiKeyAnswer, ...]


class ChangeLineAnswer(Answer):
    """A line of the change log. `hash` covers all of it and the `previous` hash; `at` is seconds since the epoch."""

    number: int
    at: float
    person: str
    action: str
    subject: str
    domain: str
    reason: str
    previous: str
    hash: str

    @classmethod
    def of(cls, line: ChangeLine) -> ChangeLineAnswer:
        """The line as an answer shows it."""
        act = line.act
        return cls(
            number=line.number,
            at=act.at,
            person=act.person,
            action=act.action,
            subject=act.subject,
            domain=act.domain,
            reason=act.reason,
            previous=line.previous,
            hash=line.hash,
        )


class ChangeLinesAnswer(Answer):
    """Lines in the order of writing, those that the caller may see; `after` is what to ask for the next with, 0 at the
    end.
    """

    lines: tuple[ChangeLineAnswer, ...]
    after: int
