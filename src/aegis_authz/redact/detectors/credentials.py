"""Detector of secrets: keys and tokens of clouds and providers, private keys, passwords in connection strings.

Each form is a head, found by one search for all of them, and a tail that is matched where a head was found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from aegis_authz.redact.text.pattern import Span, expression
from aegis_authz.redact.text.searched import Search, Searched

_W = r"[A-Za-z0-9_-]"


@dataclass(frozen=True, slots=True)
class Form:
    """`head` finds where a secret may begin; `tail` (anchored there) matches the secret, in group 1 if it has one.

    `stands_alone` demands that no letter, digit or underscore stands before it.
    """

    head: str
    tail: re.Pattern[bytes]
    stands_alone: bool


def _form(head: str, rest: str, stands_alone: bool = True) -> Form:
    return Form(head, re.compile((head + rest).encode("ascii")), stands_alone)


_FORMS = (
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
    _form(r"discord(?:app)?\.com/api/webhooks/", rf"[0-9]{{15,20}}/{_W}{{40,}}", False),
    _form(r"[0-9]{8,10}:AA", rf"{_W}{{33}}(?![A-Za-z0-9_-])"),  # Telegram
    _form(r"AIza", rf"{_W}{{35}}(?![A-Za-z0-9_-])"),  # Google
    _form(r"GOCSPX-", rf"{_W}{{28}}"),
    _form(r"ya29\.", rf"{_W}{{20,}}"),
    _form(r"(?i:AccountKey|SharedAccessKey|SharedSecretValue)=", r"([A-Za-z0-9+/]{43,86}={0,2})"),  # Azure
    _form(r"[?&]sig=", r"([A-Za-z0-9%+/]{40,100}(?:=|%3[dD])?)", False),
    _form(r"[0-9]Q~", r"[A-Za-z0-9_~.-]{31,34}(?![A-Za-z0-9_~.-])", False),
    _form(r"(?:sk|rk|pk)_(?:live|test)_", r"[A-Za-z0-9]{16,255}"),  # Stripe
    _form(r"whsec_", r"[A-Za-z0-9+/]{24,255}=*"),
    _form(r"sk-(?:proj|svcacct|admin|ant|or)-", rf"{_W}{{20,255}}"),  # OpenAI, Anthropic, OpenRouter
    _form(r"sk-", r"(?=[A-Za-z0-9]{0,40}[0-9])(?=[A-Za-z0-9]{0,40}[A-Z])[A-Za-z0-9]{32,64}(?![A-Za-z0-9_-])"),
    _form(r"(?:gsk_|hf_|r8_|xai-|pplx-|nvapi-|co_)", rf"(?={_W}{{0,60}}[0-9A-Z]){_W}{{30,255}}"),  # model providers
    _form(r"npm_", r"[A-Za-z0-9]{36}(?![A-Za-z0-9])"),
    _form(r"pypi-AgE", rf"{_W}{{50,}}"),
    _form(r"(?:dckr_pat_|dop_v1_|doo_v1_|dor_v1_|shp(?:at|ca|pa|ss)_)", rf"{_W}{{20,255}}"),
    _form(r"SK", r"[0-9a-f]{32}(?![0-9A-Za-z])"),  # Twilio
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
    _form(r"eyJ", rf"(?<!{_W}eyJ){_W}{{5,8192}}\.{_W}{{5,}}(?:\.{_W}*){{1,3}}"),  # JWS, JWE: RFC 7515, 7516
    _form(r"(?i:bearer)[ \t]", r"[ \t]{0,3}([A-Za-z0-9._~+/-]{16,}=*)", False),  # RFC 6750
    _form(r"(?i:basic) ", r"([A-Za-z0-9+/]{16,512}={0,2})(?![A-Za-z0-9+/=])", False),  # RFC 7617
    # an armoured key that was cut off is still a key
    _form(
        r"-----BEGIN ",
        r"[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:[A-Za-z0-9+/=\s:,.()\\-]*?"
        r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|[A-Za-z0-9+/=\s:,.()\\-]*)",
        False,
    ),
    _form(r"PuTTY-User-Key-File-[23]:", r"[^\"]{40,4096}", False),
    # the password alone is taken out: scheme, host and database say what is meant
    _form(
        r"[A-Za-z0-9]://",
        r"""[^\s:/@"'<>\\]{0,128}:"""
        r"""(?!(?:\*+|x+|X+|<[^>]*>|\$\{?[A-Za-z_]\w*\}?|%s|\{\w*\}|\[REDACTED[^@]*|password|PASSWORD|pass|pwd)@)"""
        r"""([^\s/@"'<>\\]{1,256})@""",
        False,
    ),
    _form(
        r"(?i:;[ ]?(?:password|pwd))[ ]?=",
        r"""[ ]?(?!(?:\*+|x+|<[^>]*>|\$|\{)[;"'\s])([^\s;"'<>\[]{3,256})""",
        False,
    ),
    _form(
        r"(?i:requirepass|PGPASSWORD=|MYSQL_PWD=|REDISCLI_AUTH=)",
        r"""[ ]?(?!\$)([^\s;"'<>\[]{3,256})""",
        False,
    ),
)
_ANY_HEAD = "|".join(form.head for form in _FORMS)
_HEADS = expression(_ANY_HEAD)
_FIRST_BYTES = [(form, expression(form.head).first_bytes()) for form in _FORMS]
_BY_BYTE: Mapping[int, tuple[Form, ...]] = {
    byte: tuple(form for form, first_bytes in _FIRST_BYTES if byte in first_bytes) for byte in range(256)
}
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
        span = _secret_at(data, start)
        if span is None:
            position = start + 1  # what is in a refused candidate may be a secret itself
            continue
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


def _secret_at(data: bytes, start: int) -> Span | None:
    before = data[start - 1 : start] if start else b""
    is_alone = not before.isalnum() and before != b"_"
    for form in _BY_BYTE[data[start]]:
        if form.stands_alone and not is_alone:
            continue
        tail = form.tail.match(data, start)
        if tail is not None:
            return tail.span(1 if tail.re.groups else 0)
    return None


SECRETS = (
    Search(_by_form, (_ANY_HEAD,), b"AKIAIOSFODNN7EXAMPLE"),
    Search(_assigned, (_ASSIGNMENT,), b"api_key: a1b2c3d4e5f6g7h8"),
)
