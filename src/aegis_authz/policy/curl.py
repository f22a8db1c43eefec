"""A catalogue entry from a curl command: the request that it would send, as an action."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from urllib.parse import SplitResult, parse_qsl, unquote_plus, urlsplit

from aegis_authz.core.json_value import Json
from aegis_authz.encoding.pointer import escaped
from aegis_authz.policy.language.header_names import check_header_name
from aegis_authz.policy.openapi.schemas import ANY_KIND, kind_name

_FLAGS = frozenset(
    (
        *("-s", "--silent", "-S", "--show-error", "-L", "--location", "-k", "--insecure", "-i", "--include"),
        *("-v", "--verbose", "-f", "--fail", "--fail-with-body", "--compressed", "-g", "--globoff", "-N"),
        *("--no-buffer", "-#", "--progress-bar", "--http1.1", "--http2", "-4", "-6"),
    )
)
_VALUED = frozenset(
    (
        *("-o", "--output", "-m", "--max-time", "--connect-timeout", "-x", "--proxy", "-A", "--user-agent", "-e"),
        *("--referer", "--retry", "-w", "--write-out", "--cacert", "-E", "--cert", "--key", "-c", "--cookie-jar"),
    )
)
_DATA = frozenset(("-d", "--data", "--data-raw", "--data-binary", "--data-ascii", "--data-urlencode", "--json"))
_FORM = frozenset(("-F", "--form", "--form-string"))
_CREDENTIALS = frozenset(("-u", "--user", "-b", "--cookie", "--oauth2-bearer"))
_CLUSTER = re.compile(r"-[sSLkifvgN#46]{2,}\Z")
_IDENTIFIER = re.compile(r"[0-9]+|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|[0-9a-fA-F]{24,}|[a-z]+_[A-Za-z0-9]{8,}")
_INJECTED = "it is not taken over; inject it (inject_credentials)"
_VARIABLES = re.compile(r"\{[^{}]*\}")
_UNJUDGED_HEADERS = frozenset(("accept", "user-agent", "accept-language", "accept-encoding", "referer", "origin"))


class CurlUnusable(Exception):
    """A command is none of curl's, or has what no action can be made of; the message says what."""


@dataclass(frozen=True, slots=True)
class CurlEntry:
    """A catalogue entry of one action, and what of the command it leaves out, a sentence each."""

    tool: str
    document: Mapping[str, Json]
    gaps: tuple[str, ...]


@dataclass(slots=True)
class _Command:
    url: str = ""
    method: str = ""
    headers: list[str] = field(default_factory=list)
    data: list[str] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)
    is_query: bool = False
    is_json: bool = False
    credentials: list[str] = field(default_factory=list)

    @property
    def method_of_request(self) -> str:
        """What curl would send: by itself POST where there is a body."""
        has_body = bool(self.data or self.fields) and not self.is_query
        return self.method.upper() or ("POST" if has_body else "GET")

    @property
    def is_form_encoded(self) -> bool:
        """Whether its data are fields: what curl says they are, unless a header says otherwise."""
        types = [header.lower() for header in self.headers if header.lower().startswith("content-type:")]
        pairs = all("=" in part and not part.startswith(("@", "{", "[")) for part in self.data)
        return pairs and not self.is_json and all("x-www-form-urlencoded" in media for media in types)

    @property
    def format(self) -> str:
        """The format of the body as the catalogue names it, "" for JSON and for none."""
        if self.fields:
            return "multipart"
        return "form" if self.data and self.is_form_encoded and not self.is_query else ""


def curl_entry(words: Sequence[str], tool: str, action: str, owner: str) -> CurlEntry:
    """The entry of a command, `words` as a shell would split it.

    `tool` and `action` are "" for names made of the URL. Segments of the path that look like ids become variables.
    Raises CurlUnusable.
    """
    command = _read(words)
    url = _url(command.url)
    gaps = [f"{secret} holds a credential: {_INJECTED}" for secret in _secrets(command, url)]
    path, variables = _template(url.path or "/")
    parameters = _parameters(command, url, variables, gaps)
    if not parameters:
        gaps.append("the action lists no parameters and takes any")
    match = f"{command.method_of_request} {path}"
    host = url.netloc.rpartition("@")[2].lower().removesuffix(":443" if url.scheme == "https" else ":80")
    name = tool or re.sub(r"[^a-z0-9]+", "-", (url.hostname or "").lower()).strip("-")[:63].strip("-")
    document: dict[str, Json] = {"tool": name, "host": host}
    document |= {"upstream": f"http://{host}"} if url.scheme == "http" else {}
    document |= {"owner": owner} if owner else {}
    label = action or re.sub(r"[^A-Za-z0-9]+", "_", _VARIABLES.sub("", match)).strip("_").lower()
    entry: dict[str, Json] = {"match": match}
    entry |= {"body": command.format} if command.format else {}
    entry |= {"parameters": parameters} if parameters else {}
    return CurlEntry(name, document | {"actions": {label: entry}}, tuple(gaps))


def _parameters(command: _Command, url: SplitResult, variables: Sequence[str], gaps: list[str]) -> dict[str, Json]:
    """What the path, the query, the headers and a JSON body hold; the first of a name keeps it."""
    parameters: dict[str, Json] = {name: {"from": f"{{{name}}}", "type": "string"} for name in variables}
    query = "&".join(
        [*filter(None, [url.query]), *(part for part in command.data if command.is_query and part[:1] != "@")]
    )
    if any(part.startswith("@") for part in command.data if command.is_query):
        gaps.append("the query is not written out in the command: what it holds is not listed")
    for name, _ in parse_qsl(query, keep_blank_values=True):
        parameters.setdefault(name, {"from": f"?{name}", "type": "string"})
    for name in _header_names(command, gaps):
        parameters.setdefault(name, {"from": f"header:{name}", "type": "string"})
    if not command.is_query:
        parameters |= _body_parameters(command, parameters, gaps)
    return parameters


def _read(words: Sequence[str]) -> _Command:
    """The command in parts. Raises CurlUnusable."""
    rest = list(words[1:] if words and words[0].rpartition("/")[2] == "curl" else words)
    command = _Command()
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or word == "-":
            if command.url:
                raise CurlUnusable("it has two URLs: give one request, and quote what has spaces in it")
            command.url = word
        elif word in ("-G", "--get"):
            command.is_query = True
        elif word in ("-I", "--head"):
            command.method = "HEAD"
        elif word not in _FLAGS and not _CLUSTER.match(word):
            _take(command, *_with_value(word, rest))
    if not command.url:
        raise CurlUnusable("it has no URL")
    return command


def _with_value(word: str, rest: list[str]) -> tuple[str, str]:
    """An option and its value: the next word, or what is attached to it (`-XPOST`, `--request=POST`)."""
    if word.startswith("--"):
        option, attached, value = word.partition("=")
        if attached:
            return option, value
    elif len(word) > 2:
        return word[:2], word[2:]
    if not rest:
        raise CurlUnusable(f"{word} has no value")
    return word, rest.pop(0)


def _take(command: _Command, option: str, value: str) -> None:
    if option in ("-X", "--request"):
        command.method = value
    elif option in ("-H", "--header"):
        command.headers.append(value)
    elif option == "--url":
        command.url = value
    elif option in _DATA:
        command.data.append(value)
        command.is_json = command.is_json or option == "--json"
    elif option in _FORM:
        command.fields.append(value)
    elif option in _CREDENTIALS:
        command.credentials.append(option)
    elif option not in _VALUED:
        raise CurlUnusable(f"the option {option[:40]} is not known here: leave it out if the request is the same")


def _url(text: str) -> SplitResult:
    url = urlsplit(text if "://" in text else f"http://{text}")  # as curl guesses
    try:
        port = url.port
    except ValueError:
        port = 0
    if url.scheme not in ("http", "https") or not url.hostname or port == 0:
        rest = text.rpartition("@")[2]  # before it may stand a password, wherever a fault makes it end
        raise CurlUnusable(f"{rest[:100]!r} is not a URL of http or https")
    return url


def _secrets(command: _Command, url: SplitResult) -> list[str]:
    names = [header.partition(":")[0].strip().lower() for header in command.headers]
    in_url = ["the URL"] if "@" in url.netloc else []
    return [*in_url, *command.credentials, *(name for name in names if name in ("authorization", "cookie"))]


def _template(path: str) -> tuple[str, list[str]]:
    """The path with a variable for each segment that looks like an id, called after the segment before it."""
    segments, variables = path.split("/"), list[str]()
    for place, (before, segment) in enumerate(pairwise(path.split("/")), start=1):
        if _IDENTIFIER.fullmatch(segment):
            stem = re.sub(r"[^A-Za-z0-9_]", "_", before.removesuffix("s"))
            name = f"{stem}_id" if re.match(r"[A-Za-z_]", stem) else "id"
            name = name if name not in variables else f"{name}_{place}"
            variables.append(name)
            segments[place] = f"{{{name}}}"
    return "/".join(segments), variables


def _header_names(command: _Command, gaps: list[str]) -> list[str]:
    names: list[str] = []
    for header in command.headers:
        name, colon, _ = header.partition(":")
        if not colon and not header.endswith(";"):
            gaps.append("a header without a name and a colon is left out")
            continue
        name = name.removesuffix(";").strip().lower()
        if name in _UNJUDGED_HEADERS or name in ("authorization", "cookie", "content-type"):
            continue
        try:
            check_header_name(name)
        except ValueError as fault:
            gaps.append(f"the header {name[:60]!r} is not judged: {fault}")
            continue
        names.append(name)
    return names


def _body_parameters(command: _Command, others: Mapping[str, Json], gaps: list[str]) -> dict[str, Json]:
    """The members of a JSON body."""
    if command.fields:
        return _fields(command.fields, others)
    if not command.data:
        return {}
    if command.is_form_encoded:
        return _fields(command.data, others)
    try:
        body = json.loads(command.data[0]) if len(command.data) == 1 else None
    except ValueError:
        body = None
    if not isinstance(body, dict):
        gaps.append("the body is no JSON object written out in the command: what it holds is not listed")
        return {}
    return {_free(name, others): {"from": f"/{escaped(name)}", "type": _kind(value)} for name, value in body.items()}


def _fields(pairs: Sequence[str], others: Mapping[str, Json]) -> dict[str, Json]:
    """The fields of a form: what stands in brackets is an object or a list."""
    parameters: dict[str, Json] = {}
    for pair in (part for text in pairs for part in text.split("&") if part):
        name, _, value = pair.partition("=")
        name, bracket, _ = unquote_plus(name).partition("[")
        kind = "string" if not bracket else "array" if f"{name}[]=" in unquote_plus(pair) else "object"
        kind = "file" if value.startswith(("@", "<")) and not bracket else kind
        parameters.setdefault(_free(name, others), {"from": f"/{escaped(name)}", "type": kind})
    return parameters


def _free(name: str, others: Mapping[str, Json]) -> str:
    return f"body_{name}" if name in others else name


def _kind(value: Json) -> str:
    name = kind_name(value)
    if name == "null":
        return ANY_KIND
    return "number" if name == "integer" else name  # one example does not say that there are no fractions
