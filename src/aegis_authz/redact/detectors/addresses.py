"""Detectors of the addresses by which people are reached: telephone and mail."""

from __future__ import annotations

import re
from collections.abc import Iterator

from aegis_authz.redact.text.pattern import Span, expression, touches_word
from aegis_authz.redact.text.searched import Search, Searched

_ABROAD = expression(r"\+[ (]{0,2}[1-9](?:[ .()/-]{0,3}[0-9]){6,14}")
_ABROAD_BY_ZEROS = expression(
    r"(?:^|[^0-9A-Za-z.,:-])00[ .-]?[1-9][0-9]{0,2}[ .()/-]{1,3}[0-9](?:[ .()/-]{0,3}[0-9]){5,11}"
)
_NORTH_AMERICA = expression(
    r"(?:1[ .-]{1,2})?(?:\([2-9][0-9]{2}\)[ .-]{0,2}|[2-9][0-9]{2}[ .-]{1,2})[2-9][0-9]{2}[ .-]{1,2}[0-9]{4}"
)
_PHONE_KEY = (
    r"(?i:phone|telephone|mobile|msisdn|fax|cell|(?:^|[^a-z])tel)(?i:s|[ _-]?(?:number|no|nr|num|phone|home|work|1|2))?"
    r"""["' .]{0,3}[:=][ "'\[(]{0,4}"""
)
_UNDER_KEY = expression(_PHONE_KEY)
_AFTER_KEY = re.compile(rb"\+?\(?[0-9](?:[ .()/-]{0,3}[0-9]){6,14}(?![0-9A-Za-z])")
_DECIMAL = re.compile(rb"\+ ?[0-9]{1,3}\.([0-9]+)\Z")
_PLACE = re.compile(rb"\+[0-9]{1,3}\.[0-9]{3,}[-+/]")
_DIGITS = range(8, 16)
_NATIONAL_DIGITS = 9
_NO_DIGITS = bytes(byte for byte in range(256) if not 48 <= byte <= 57)

_AT = expression(r"[A-Za-z0-9.!#$'*+^_`{|}~\x80-\xff-]@(?:[A-Za-z0-9\x80-\xff-]+\.)+[A-Za-z\x80-\xff]{2}")
_LOCAL = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.!#$'*+^_`{|}~-" + bytes(range(0x80, 0x100))
_LOCAL_LENGTH = 64
_OTHER_SCRIPT = re.compile(rb"[\xe0-\xff][\x80-\xbf]{0,3}|\A[\x80-\xbf]+")
"""Ideographs and the like stand before an address without a space between them and are no part of it."""
_DOMAIN = re.compile(
    rb"(?:[A-Za-z0-9\xc3-\xdf\x80-\xbf-]{1,63}\.){1,8}(?:xn--[a-z0-9-]{2,}|[A-Za-z\xc3-\xdf\x80-\xbf]{2,63})"
)
_AUTHORITY = re.compile(rb"://[^\s/?#\"'<>]*")
_USER_LENGTH = 256
_REPOSITORY = re.compile(rb"(?:git|hg|svn|bzr|gitea|gitlab)\Z", re.IGNORECASE)
_FILE_ENDINGS = frozenset(
    b"png jpg jpeg gif svg webp ico bmp avif js mjs cjs ts tsx jsx css scss less map json yaml yml toml "
    b"xml html htm rst txt log csv pyc pyi rb go java class jar c h cpp hpp dll exe bin o a lua "
    b"php bat ps1 sql db lock tgz gz tar whl deb rpm pdf doc docx xls xlsx ppt pptx mp3 mp4 wav "
    b"woff ttf service socket timer mount target slice scope conf cfg ini env bak tmp wasm vue".split()
)
_COUNTRY_ENDINGS = frozenset(b"md py so sh zip mov rs ps pl".split())
"""Endings of files that are domains, too: what stands before them decides."""
_VERSION = re.compile(rb"v?[0-9]+\.[0-9]")
_VERSION_MARKS = frozenset(b"v0123456789"[place : place + 1] for place in range(11))
_PATH_MARKS = (b":", b"/")


def _abroad(text: Searched) -> Iterator[Span]:
    """International numbers with + (E.164)."""
    data = text.data
    for start, end in _ABROAD.spans(data):
        text.tick()
        if not touches_word(data, start, end) and _is_abroad(data, start, end):
            yield start, end


def _abroad_by_zeros(text: Searched) -> Iterator[Span]:
    """International numbers with 00."""
    data = text.data
    for start, end in _ABROAD_BY_ZEROS.spans(data):
        text.tick()
        start += data[start : start + 1] != b"0"
        if not touches_word(data, start, end) and not data[end : end + 2].lstrip(b" .-").isdigit():
            yield start, end


def _north_american(text: Searched) -> Iterator[Span]:
    """North American numbers with separators."""
    data = text.data
    for start, end in _NORTH_AMERICA.spans(data):
        text.tick()
        if not touches_word(data, start, end) and not _continues(data, start, end):
            yield start, end


def _under_key(text: Searched) -> Iterator[Span]:
    """Any 7 to 15 digits behind a key that says so."""
    data = text.data
    for _, end in _UNDER_KEY.spans(data):
        text.tick()
        form = _AFTER_KEY.match(data, end)
        if form is not None:
            yield form.span()


def _is_abroad(data: bytes, start: int, end: int) -> bool:
    number = data[start:end]
    if len(number.translate(None, _NO_DIGITS)) not in _DIGITS or _PLACE.match(data, start) is not None:
        return False
    decimal = _DECIMAL.match(number)
    return decimal is None or len(decimal[1]) >= _NATIONAL_DIGITS


def _continues(data: bytes, start: int, end: int) -> bool:
    """Whether the number is a part of something longer, as in 10.2.415.555.2671 or a row of numbers."""
    before, after = data[max(0, start - 2) : start], data[end : end + 2]
    is_behind = len(before) == 2 and before[1:] in b".- ,/_" and before[:1].isdigit()
    return (is_behind or (before[1:] == b"-" and before[:1].isalpha())) or (
        len(after) == 2 and after[:1] in b".- /_" and after[1:].isdigit()
    )


def _email(text: Searched) -> Iterator[Span]:
    """Mail addresses (the dot-atom form of RFC 5322 at a domain name).

    Not what stands before the host in a URL, the account of a repository, or a file's name.
    """
    data = text.data
    read = 0
    has_scheme = b"://" in data
    is_ascii = data.isascii()
    for start, _ in _AT.spans(data):
        text.tick()
        at = start + 1
        domain = _DOMAIN.match(data, at + 1)
        head = data[max(at - _LOCAL_LENGTH, read) : at]
        local = head[len(head.rstrip(_LOCAL)) :]
        if not is_ascii and not local.isascii():
            others = [form.end() for form in _OTHER_SCRIPT.finditer(local)]
            local = local[others[-1] if others else 0 :]
        local = local.lstrip(b".'`*_{|}")
        if domain is None or not local or _is_no_domain(domain[0]):
            continue
        start, end = at - len(local), domain.end()
        if data[end : end + 1] in _PATH_MARKS and _REPOSITORY.match(local) is not None:
            continue
        if has_scheme and _is_user(data, start):
            continue
        read = end
        yield start, end


def _is_no_domain(name: bytes) -> bool:
    """Whether a name is a file's, or a version."""
    ending = name[name.rfind(b".") + 1 :].lower()
    if ending in _FILE_ENDINGS:
        return True
    first = name[:1]
    return (ending in _COUNTRY_ENDINGS and first.isdigit()) or (
        first in _VERSION_MARKS and _VERSION.match(name) is not None
    )


def _is_user(data: bytes, place: int) -> bool:
    """Whether what begins there stands before the host in a URL."""
    scheme = data.rfind(b"://", max(0, place - _USER_LENGTH), place)
    return scheme >= 0 and _AUTHORITY.fullmatch(data, scheme, place) is not None


EMAIL = (Search(_email, ("@",), b"jo@example.org", is_apart=True),)
PHONE = (
    Search(_abroad, (r"\+[ (]{0,2}[1-9](?:[ .()/-]{0,3}[0-9]){6}",), b"+49 30 12345678", is_apart=True),
    Search(_abroad_by_zeros, (r"00[ .-]?[1-9][0-9]{0,2}[ .()/-]{1,3}[0-9]",), b"0049 30 1234567", is_apart=True),
    Search(_north_american, (r"[2-9][0-9]{2}[ .-]{1,2}[0-9]{4}",), b"(415) 555-2671", is_apart=True),
    Search(_under_key, (_PHONE_KEY,), b"phone: 030 1234567", is_apart=True),
)
