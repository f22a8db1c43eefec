"""Secrets that are made here and shown once: of sessions, API keys and codes. Kept is their hash."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

_KEY = re.compile(r"aegis_([0-9a-f]{16})_([0-9a-f]{64})\Z")


def digest(secret: str) -> str:
    """What is kept of a secret of 256 random bits: no slower hash is needed where nothing can be guessed."""
    return hashlib.sha256(secret.encode("utf-8")).hexdigest()


def is_secret_of(secret: str, kept: str) -> bool:
    """Whether it is the secret of that digest, in constant time."""
    return hmac.compare_digest(digest(secret), kept)


def challenge_of(verifier: str) -> str:
    """S256 of a verifier (RFC 7636 section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode("utf-8")).digest()).decode("ascii").rstrip("=")


def login_digest(code: str, challenge: str) -> str:
    """What is kept of a code by which a command signs in: worth nothing without the verifier of the challenge, nor as
    a code for a password.
    """
    return _digest_of("login", code, challenge)


def link_digest(code: str, person_id: str) -> str:
    """What is kept of the code of a link by which that person signs in: worth nothing as anybody else, nor as a code
    of another kind.
    """
    return _digest_of("link", code, person_id)


def _digest_of(kind: str, *words: str) -> str:
    # no text begins so in UTF-8: nobody can write a code for a password whose digest is one of these
    begin = b"\xff" + kind.encode("ascii")
    parts = b"".join(b"%d:%s" % (len(part), part) for part in (word.encode("utf-8", "surrogatepass") for word in words))
    return hashlib.sha256(begin + parts).hexdigest()


def key_text(key_id: str, secret: str) -> str:
    """An API key as its bearer sends it. The prefix is for scanners of leaked secrets."""
    return f"aegis_{key_id}_{secret}"


def split_key(text: str) -> tuple[str, str] | None:
    """The id and the secret of an API key, None for any other text."""
    match = _KEY.match(text)
    return None if match is None else (match[1], match[2])


def csrf_token(session_secret: str) -> str:
    """What a page of this session must send along with a change: only who reads our answers can know it."""
    return hmac.new(session_secret.encode("utf-8"), b"aegis csrf", hashlib.sha256).hexdigest()


def is_csrf_token(token: str, session_secret: str) -> bool:
    """Whether it is that of the session, in constant time."""
    return hmac.compare_digest(token.encode("utf-8"), csrf_token(session_secret).encode("ascii"))
