"""What the token endpoint answers (RFC 6749 sections 5.1 and 5.2)."""

from __future__ import annotations

from aegis_authz.api.model import Answer


class TokenAnswer(Answer):
    """A token that is bound to a key; `expires_in` is in seconds, `authorization_details` what it is narrowed to."""

    access_token: str
    token_type: str
    expires_in: float
    authorization_details: list[object] | None = None


class TokenRefusal(Answer):
    """Why no token was issued."""

    error: str
    error_description: str
