"""Messages of MCP that belong to the session and to no tool of the server; rego/session.rego has the same list."""

from __future__ import annotations

LIFECYCLE = frozenset(
    {
        *("initialize", "ping", "server/discover", "logging/setLevel", "completion/complete", "subscriptions/listen"),
        *("tools/list", "resources/list", "resources/templates/list", "prompts/list"),
        *("http:get", "http:delete", "response"),
    }
)


def is_lifecycle(method: str) -> bool:
    """Whether a message of that method is one of the session's own."""
    return method in LIFECYCLE or method.startswith("notifications/")
