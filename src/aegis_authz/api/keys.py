"""What the control plane tells everyone: its public keys and its health."""

from __future__ import annotations

from aegis_authz.api.model import Answer, Request


class JwkAnswer(Answer):
    """A public key that agent tokens are verified with (RFC 8037)."""

    kty: str
    crv: str
    x: str
    kid: str
    use: str
    alg: str


class KeysAnswer(Answer):
    """All of them (RFC 7517)."""

    keys: tuple[JwkAnswer, ...]


class HealthAnswer(Answer):
    """The process runs."""

    status: str


class ReadyAnswer(Answer):
    """The control plane serves this revision."""

    status: str
    revision: str


class RotationRequest(Request):
    """A signing key is to be replaced: the path says which, and whoever asks is kept in the change log."""


class RotatedAnswer(Answer):
    """The key that signs now, by its thumbprint; the one before verifies until `former_ends`.

    That is in seconds since the epoch, and null for a key whose signatures are good for ever.
    """

    name: str
    kid: str
    former_ends: float | None


class AuthoritiesAnswer(Answer):
    """The mesh's certificate authorities, and certificates by which each says who follows; all in PEM."""

    authorities: tuple[str, ...]
    endorsements: tuple[str, ...]
