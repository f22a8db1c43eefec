"""Registering agents: who is registered, codes that let one bring its key, and the bringing."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from aegis_authz.api.model import Answer, Note, Request


class InvitationRequest(Request):
    """Why an agent is invited, and for how many seconds the code is good."""

    note: Note = ""
    ttl: Annotated[float, Field(ge=60, le=86_400, allow_inf_nan=False)] = 3600


class InvitationAnswer(Answer):
    """A code that is good once; it is shown here and kept nowhere. `control` is where it is shown.

    `authority` is the SHA-256 of the certificate authority by which the mesh opens HTTPS, in hex, "" for none.
    """

    agent: str
    code: str
    expires_at: float
    control: str
    authority: str = ""


class EnrolmentRequest(Request):
    """A code, a public Ed25519 key as JWK, and the proof that who shows the one has the other."""

    code: Annotated[str, Field(min_length=1, max_length=256)]
    jwk: Annotated[dict[str, str], Field(max_length=8)]
    proof: Annotated[str, Field(min_length=1, max_length=4096)]


class MeshPlace(Answer):
    """Where the mesh takes calls: base URLs, "" for what it does not have."""

    forward_proxy: str = ""
    reverse: str = ""
    evaluation: str = ""


class EnrolmentAnswer(Answer):
    """Who the holder of the key is now, and where it gets tokens and sends calls."""

    agent: str
    issuer: str
    audience: str
    token_endpoint: str
    mesh: MeshPlace


class RegisteredKey(Answer):
    """A public key by its thumbprint (RFC 7638). `enrolled_at` is 0 where a document registers it."""

    kid: str
    enrolled_at: float = 0
    invited_by: str = ""


class RegisteredAgentAnswer(Answer):
    """An agent with what is registered of it."""

    agent: str
    owner: str
    ways: tuple[str, ...]
    keys: tuple[RegisteredKey, ...]


class RegisteredAgentsAnswer(Answer):
    """All registered agents, in order of name."""

    agents: tuple[RegisteredAgentAnswer, ...]
