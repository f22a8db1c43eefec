"""Detectors of texts with a form of their own: mail addresses and secrets."""

from __future__ import annotations

from collections.abc import Iterator

from aegis_authz.redact.text.pattern import Span, expression, successive
from aegis_authz.redact.text.topics import Topics

_EMAIL = expression(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,63}")
_SECRET_LENGTH = 15
_SECRETS = tuple(
    expression(form)
    for form in (
        r"(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}",  # AWS access key ids
        r"""(?i:aws_?(?:secret)?_?(?:access)?_?key[\s"':=>]{1,8})[A-Za-z0-9/+=]{40}""",
        r"gh[pousr]_[A-Za-z0-9]{20,255}",  # GitHub tokens
        r"github_pat_[A-Za-z0-9_]{22,255}",
        r"xox[abceoprs]-[A-Za-z0-9-]{10,255}",  # Slack tokens
        r"xapp-[A-Za-z0-9-]{10,255}",
        r"hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/_-]{8,}",
        r"eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){1,3}",  # JWS and JWE, RFC 7515 and 7516
        r"(?i:bearer)\s{1,4}[A-Za-z0-9._~+/-]{16,}=*",  # RFC 6750
        # an armoured key that was cut off is still a key
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?s:.*?)(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\z)",  # noqa: E501
    )
)


def email(text: bytes, topics: Topics) -> Iterator[Span]:
    """Mail addresses (the dot-atom form of RFC 5322 at a domain name)."""
    if b"@" in text:
        yield from (match.span() for match in successive(_EMAIL, text))


def secrets(text: bytes, topics: Topics) -> Iterator[Span]:
    """AWS keys, GitHub and Slack tokens, JWTs, bearer tokens and private keys in PEM."""
    if len(text) < _SECRET_LENGTH:
        return
    for form in _SECRETS:
        yield from (match.span() for match in successive(form, text))
