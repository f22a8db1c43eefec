"""The words of `context` in a rule: what is known around a call, and where readers look for it in vain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aegis_authz.core.circumstances import CIRCUMSTANCES


@dataclass(frozen=True, slots=True)
class ContextWord:
    """One word of `context`.

    `json_type` is the type of the value; an `is_certain` one is there for every call. `text` is for editors. `also` are
    words that people write elsewhere and mean this, itself among them; `example` is how it is written.
    """

    word: str
    json_type: str
    is_certain: bool
    text: str
    also: tuple[str, ...] = ()
    example: str = ""


def _call_word(word: str, text: str, also: tuple[str, ...], example: str) -> ContextWord:
    """A word for what the question to the PDP tells."""
    circumstance = CIRCUMSTANCES[word]
    return ContextWord(word, circumstance.json_type, circumstance.is_certain, text, also, example)


_DELEGATION = "{on_behalf_of: {...}, acted_by: {...}}"

CONTEXT_WORDS: Mapping[str, ContextWord] = {
    entry.word: entry
    for entry in (
        _call_word(
            "time",
            "When the call may be made.",
            (
                *("window", "windows", "time", "times", "time_window", "time_windows", "schedule"),
                *("business_hours", "within", "not_within"),
            ),
            "{time: {within: [...]}}",
        ),
        _call_word(
            "environment",
            "A text: the environment the mesh was set up for.",
            ("environment", "environments", "env"),
            "{environment: {equals: production}}",
        ),
        _call_word(
            "source",
            "A text: the address of the caller, for in_ranges.",
            ("source", "sources", "source_ip", "source_ips", "ip", "ips", "ip_ranges"),
            "{source: {in_ranges: [10.0.0.0/8]}}",
        ),
        _call_word(
            "on_behalf_of",
            "A text: the person or system the agent acts for, as its token says.",
            ("delegation", "delegated_by", "on_behalf_of"),
            _DELEGATION,
        ),
        _call_word(
            "acted_by",
            "A list of texts: the chain of actors of the token, nearest first.",
            ("acted_by", "actor", "actors"),
            _DELEGATION,
        ),
        _call_word(
            "session",
            "A text: the session or task of the call, as its token (sid) or the binding of its MCP session says.",
            ("session", "sessions", "session_id", "sid", "task"),
            "{session: {equals: task-4711}}",
        ),
        _call_word(
            "token_age",
            "A number: whole seconds since the token was issued.",
            ("token_age",),
            "{token_age: {max: 300}}",
        ),
        ContextWord("region", "string", False, "A text: the region of the tool, as the catalogue says."),
    )
}
"""By word. The region is none of the question's: Rego takes it from the catalogue in the bundle."""
