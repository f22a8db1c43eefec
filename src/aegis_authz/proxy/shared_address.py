"""Tools that share an address and are at different places: told apart by method and path, as the authorizer does.

The authorizer compares paths after percent-decoding, Envoy before. So a literal matches here in every
spelling, and in the order of preference of `wire.http`: a call judged as one tool's never reaches another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from envoy_data_plane.envoy.config.route.v3 import HeaderMatcher, RouteMatch
from envoy_data_plane.envoy.type.matcher.v3 import RegexMatcher, StringMatcher

from aegis_authz.core.catalogue import Tool
from aegis_authz.core.path_template import PathTemplate, read_template


def action_matches(tools: Sequence[Tool]) -> Iterator[tuple[Tool, RouteMatch]]:
    """Each tool's matches, in the order in which they must be tried: MCP endpoints, then literals before variables."""
    for tool in tools:
        if tool.is_mcp:
            for path in tool.mcp_paths:
                yield tool, RouteMatch(path=path)
    actions = [(tool, action, read_template(action.template)) for tool in tools for action in tool.actions]
    actions.sort(key=lambda entry: entry[2].ranks)
    for tool, action, template in actions:
        yield tool, _match(action.method, template)
    for tool, action, template in actions:
        if action.method == "GET":  # that of HEAD, too, where no action is
            yield tool, _match("HEAD", template)


def _match(method: str, template: PathTemplate) -> RouteMatch:
    path = "".join(f"/{'[^/]+'.join(map(_literal, segment.literals))}" for segment in template.segments)
    if template.tail:
        path += "(?:/[^/]+)+"
    header = HeaderMatcher(name=":method", string_match=StringMatcher(exact=method))
    return RouteMatch(safe_regex=RegexMatcher(regex=path), headers=[header])


def _literal(segment: str) -> str:
    return "".join(_spellings(character) for character in segment)


def _spellings(character: str) -> str:
    # Envoy's normalize_path has decoded letters, digits and -._~ already
    plain = re.escape(character)
    return plain if character.isalnum() or character in "-._~" else f"(?:{plain}|(?i:%{ord(character):02x}))"
