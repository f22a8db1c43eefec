"""Tools that share an address and are at different places: told apart by method and path, as the authorizer does.

The authorizer compares paths after percent-decoding, Envoy before. So a literal matches here in every
spelling, and in the order of preference of `wire.http`: a call judged as one tool's never reaches another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from envoy_data_plane.envoy.config.route.v3 import HeaderMatcher, RouteMatch
from envoy_data_plane.envoy.type.matcher.v3 import RegexMatcher, StringMatcher

from aegis_authz.core.catalogue import Action, Tool


def action_matches(tools: Sequence[Tool]) -> Iterator[tuple[Tool, RouteMatch]]:
    """Each tool's matches, in the order in which they must be tried: MCP endpoints, then literals before variables."""
    for tool in tools:
        if tool.is_mcp:
            yield tool, RouteMatch(path=tool.mcp_path)
    actions = [(tool, action) for tool in tools for action in tool.actions]
    for tool, action in sorted(actions, key=lambda pair: _variables(pair[1])):
        yield tool, _match(action)


def _variables(action: Action) -> tuple[bool, ...]:
    return tuple(segment.startswith("{") for segment in action.template)


def _match(action: Action) -> RouteMatch:
    path = "".join(f"/{'[^/]+' if segment.startswith('{') else _literal(segment)}" for segment in action.template)
    method = HeaderMatcher(name=":method", string_match=StringMatcher(exact=action.method))
    return RouteMatch(safe_regex=RegexMatcher(regex=path), headers=[method])


def _literal(segment: str) -> str:
    return "".join(_spellings(character) for character in segment)


def _spellings(character: str) -> str:
    # Envoy's normalize_path has decoded letters, digits and -._~ already
    plain = re.escape(character)
    return plain if character.isalnum() or character in "-._~" else f"(?:{plain}|(?i:%{ord(character):02x}))"
