"""Detector of secrets: keys and tokens of clouds and providers, private keys, passwords in connection strings.

Each form is a head, found by one search for all of them, and a tail that is matched where a head was found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from aegis_authz.redact.text.pattern import Span, expression
from aegis_authz.redact.text.searched import Search, Searched

_W = r"[A-Za-z0-9_-]"


@dataclass(frozen=True, slots=True)
class Form:
    """`head` finds where a secret may begin; `tail` matches from there on, with the secret in its one group."""

    head: str
    tail: str


def _form(head: str, rest: str, stands_alone: bool = True) -> Form:
    """With `stands_alone` no letter, digit or underscore stands before it; a group in `rest` is the secret alone."""
    tail = head + rest if re.compile(rest).groups else f"({head}{rest})"
    return Form(head, f"(?<![0-9A-Za-z_]){tail}" if stands_alone else tail)


FORMS = (
    _form(r"(?:AKIA|ASIA|ABIA|ACCA)", r"[0-9A-Z]{16}(?![0-9A-Za-z])"),  # AWS access key ids
    _form(
        r"(?i:aws_?(?:secret)?_?(?:access)?_?key(?:_?id)?|secret_?access_?key)",
        r"""[\s"'\\:=>]{1,8}([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])""",
        False,
    ),
    _form(r"gh[pousr]_", r"[A-Za-z0-9]{20,255}"),  # GitHub
    _form(r"github_pat_", r"[A-Za-z0-9_]{22,255}"),
    _form(r"gl(?:pat|dt|rt|cbt|ptt|soat|agent|oas|ft)-", rf"{_W}{{20,255}}"),  # GitLab
    _form(r"xox[abceoprs]-", r"[A-Za-z0-9-]{10,255}"),  # Slack
    _form(r"xapp-", r"[A-Za-z0-9-]{10,255}"),
    _form(r"hooks\.slack\.com/(?:services|workflows)/", r"[A-Za-z0-9/_-]{8,255}", False),
    _form(r"discord(?:app)?\.com/api/webhooks/", rf"[0-9]{{15,20}}/{_W}{{40,255}}", False),
    _form(r"[0-9]{8,10}:AA", rf"{_W}{{33}}(?![A-Za-z0-9_-])"),  # Telegram
    _form(r"AIza", rf"{_W}{{35}}(?![A-Za-z0-9_-])"),  # Google
    _form(r"GOCSPX-", rf"{_W}{{28}}"),
    _form(r"ya29\.", rf"{_W}{{20,2048}}"),
    _form(r"(?i:AccountKey|SharedAccessKey|SharedSecretValue)=", r"([A-Za-z0-9+/]{43,86}={0,2})"),  # Azure
    _form(r"[?&]sig=", r"([A-Za-z0-9%+/]{40,100}(?:=|%3[dD])?)", False),
    _form(r"[A-Za-z0-9_~.-]{3}[0-9]Q~", r"[A-Za-z0-9_~.-]{31,34}(?![A-Za-z0-9_~.-])", False),
    _form(r"(?:sk|rk|pk)_(?:live|test)_", r"[A-Za-z0-9]{16,255}"),  # Stripe
    _form(r"whsec_", r"[A-Za-z0-9+/]{24,255}={0,2}"),
    _form(r"sk-(?:proj|svcacct|admin|ant|or)-", rf"{_W}{{20,255}}"),  # OpenAI, Anthropic, OpenRouter
    _form(r"sk-", r"(?=[A-Za-z0-9]{0,40}[0-9])(?=[A-Za-z0-9]{0,40}[A-Z])[A-Za-z0-9]{32,64}(?![A-Za-z0-9_-])"),
    _form(r"(?:gsk_|hf_|r8_|xai-|pplx-|nvapi-|co_)", rf"(?={_W}{{0,60}}[0-9A-Z]){_W}{{30,255}}"),  # model providers
    _form(r"npm_", r"[A-Za-z0-9]{36}(?![A-Za-z0-9])"),
    _form(r"pypi-AgE", rf"{_W}{{50,1024}}"),
    _form(r"(?:dckr_pat_|dop_v1_|doo_v1_|dor_v1_|shp(?:at|ca|pa|ss)_)", rf"{_W}{{20,255}}"),
    _form(r"SK[0-9a-f]{4}", r"[0-9a-f]{28}(?![0-9A-Za-z])"),  # Twilio
    _form(r"SG\.", rf"{_W}{{22}}\.{_W}{{43}}"),  # SendGrid
    _form(r"key-", r"[0-9a-f]{32}(?![0-9A-Za-z])"),  # Mailgun
    _form(r"(?:sq0csp-|sq0atp-|EAAA[A-Za-z0-9])", rf"{_W}{{22,80}}(?![A-Za-z0-9_-])"),  # Square
    _form(r"hv[sbr]\.", rf"{_W}{{24,255}}"),  # Vault
    _form(r"\.atlasv1\.", rf"{_W}{{60,80}}", False),
    _form(r"dapi", r"[0-9a-f]{32}(?:-[0-9])?(?![0-9A-Za-z])"),  # Databricks
    _form(
        r"(?:lin_api_|ntn_|secret_|PMAK-|NRAK-|glsa_|glc_|sntrys_|sntryu_|sbp_|pscale_tkn_|dp\.pt\.|figd_|dt0c01\."
        r"|ATATT3|HRKU-|rubygems_|pul-)",
        r"(?=[A-Za-z0-9_.-]{0,40}[0-9])[A-Za-z0-9_.=-]{24,255}",
    ),
    _form(r"AGE-SECRET-KEY-1", r"[0-9A-Z]{58}"),
    _form(
        r"eyJ", rf"(?<!{_W}eyJ){_W}{{5,8192}}\.{_W}{{5,8192}}(?:\.{_W}{{0,8192}}){{1,3}}"
    ),  # JWS, JWE: RFC 7515, 7516
    _form(r"(?i:bearer)[ \t]", r"[ \t]{0,3}([A-Za-z0-9._~+/-]{16,8192}={0,2})", False),  # RFC 6750
    _form(r"(?i:basic) ", r"([A-Za-z0-9+/]{16,512}={0,2})(?![A-Za-z0-9+/=])", False),  # RFC 7617
    # an armoured key that was cut off is still a key
    _form(
        r"-----BEGIN ",
        r"[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:[A-Za-z0-9+/=\s:,.()\\-]{0,65536}?"
        r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|[A-Za-z0-9+/=\s:,.()\\-]{0,65536})",
        False,
    ),
    _form(r"PuTTY-User-Key-File-[23]:", r"[^\"]{40,4096}", False),
    # the password alone is taken out: scheme, host and database say what is meant
    _form(
        r"[A-Za-z0-9]://",
        r"""[^\s:/@"'<>\\]{0,128}:"""
        r"""(?!(?:\*{1,64}|x{1,64}|X{1,64}|<[^<>]{0,64}>|\$\{?[A-Za-z_]\w{0,64}\}?|%s|\{\w{0,64}\}"""
        r"""|&lt;[^@&]{0,64}&gt;|\[REDACTED[^@]{0,64}|password|PASSWORD|pass|pwd)@)"""
        r"""([^\s/@"'<>\\]{1,256})@""",
        False,
    ),
    _form(
        r"(?i:;[ ]?(?:password|pwd))[ ]?=",
        r"""[ ]?(?!(?:\*{1,64}|x{1,64}|<[^<>]{0,64}>|\$|\{[^;{}]{0,64}\}|&lt;[^;&]{0,64}&gt;)(?:[;"'\s]|$))"""
        r"""([^\s;"'<>\[]{3,256})""",
        False,
    ),
    _form(
        r"(?i:requirepass|PGPASSWORD=|MYSQL_PWD=|REDISCLI_AUTH=)",
        r"""[ ]?(?!\$)([^\s;"'<>\[]{3,256})""",
        False,
    ),
)
_ANY_HEAD = "|".join(form.head for form in FORMS)
_HEADS = expression(_ANY_HEAD)
_FIRST_BYTES = [(form, expression(form.head).first_bytes()) for form in FORMS]


def _tails(byte: int) -> re.Pattern[bytes] | None:
    """All forms that may begin with a byte, as one expression of which each alternative has one group."""
    tails = [form.tail for form, first_bytes in _FIRST_BYTES if byte in first_bytes]
    return re.compile("|".join(tails).encode("ascii")) if tails else None


_TAILS = tuple(map(_tails, range(256)))
_ASSIGNMENT = (
    r"(?i:api[_-]?key|secret[_-]?key|client[_-]?secret|access[_-]?token|auth[_-]?token|private[_-]?token"
    r"|passwd|password)"
    r"""["']{0,2}[ ]{0,2}[:=][ ]{0,2}["']?"""
)
_ASSIGNED = expression(_ASSIGNMENT)
_VALUE = re.compile(
    rb"(?=[A-Za-z0-9_./+=~-]{0,40}[0-9])(?=[0-9_./+=~-]{0,40}[A-Za-z])"
    rb"[A-Za-z0-9_./+=~-]{16,256}(?![A-Za-z0-9])"
)


def _by_form(text: Searched) -> Iterator[Span]:
    """Keys and tokens by the forms their issuers give them, JWTs, private keys, passwords in connection strings."""
    data = text.data
    position = 0
    while (head := _HEADS.search(data, position)) is not None:
        start, head_end = head
        text.tick()
        tails = _TAILS[data[start]]
        secret = None if tails is None else tails.match(data, start)
        if secret is None or secret.lastindex is None:
            position = start + 1  # what is in a refused candidate may be a secret itself
            continue
        span = secret.span(secret.lastindex)
        yield span
        position = max(span[1], head_end)


def _assigned(text: Searched) -> Iterator[Span]:
    """When `is_loose`, any long value of letters and digits that is assigned to a name such as `api_key`."""
    data = text.data
    for _, end in _ASSIGNED.spans(data) if text.is_loose else ():
        text.tick()
        value = _VALUE.match(data, end)
        if value is not None:
            yield value.span()


SECRETS = (
    Search(_by_form, (_ANY_HEAD,), b"AKIAIOSFODNN7EXAMPLE"),
    Search(_assigned, (_ASSIGNMENT,), b"api_key: a1b2c3d4e5f6g7h8"),
)
