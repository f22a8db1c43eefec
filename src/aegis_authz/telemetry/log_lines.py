"""What a process says of itself on standard error: a line of text, or a line of JSON, for each event."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from types import MappingProxyType

import orjson

from aegis_authz.core.json_value import Json

FORMAT_VARIABLE = "AEGIS_LOG_FORMAT"
MOST_CHARACTERS = 8192
"""The most of one message or stack that a line holds; what is cut off is said."""

MEMBERS: Mapping[str, str] = MappingProxyType(
    {
        "time": "when, UTC, RFC 3339 with milliseconds",
        "level": "DEBUG, INFO, WARNING, ERROR or CRITICAL",
        "process": "which process of the mesh, such as authz-0",
        "logger": "the module that says it",
        "message": "what happened",
        "exception": "the kind of the exception, where there is one",
        "stack": "its stack, innermost call last",
    }
)
"""Every member of a line of JSON, and what it is. The last two are absent where nothing was raised."""

_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class LogFormat(Enum):
    """How events are written."""

    TEXT = "text"
    JSON = "json"


class JsonLines(logging.Formatter):
    """Writes an event as one line of JSON with the members of `MEMBERS`, whatever stands in its text."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """One line, without its end."""
        moment = datetime.fromtimestamp(record.created, UTC)
        members: dict[str, Json] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "process": self._process,
            "logger": record.name,
            "message": _cut(record.getMessage()),
        }
        kind, fault, place = record.exc_info or (None, None, None)
        if kind is not None and fault is not None:
            members["exception"] = kind.__name__
            members["stack"] = _cut("".join(traceback.format_exception(kind, fault, place)))
        return orjson.dumps(members).decode("utf-8")


def log_to_stderr(process: str, log_format: LogFormat) -> None:
    """Write events from INFO on to standard error, in the name of `process`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(process) if log_format is LogFormat.JSON else logging.Formatter(_TEXT))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # it writes each URL that it asks, and that of a webhook of Teams or Slack is a secret
    logging.getLogger("httpx").setLevel(logging.WARNING)


def _cut(text: str) -> str:
    """The text, with what UTF-8 cannot hold spelt out, and bounded."""
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    left_out = len(text) - MOST_CHARACTERS
    return text if left_out <= 0 else f"{text[:MOST_CHARACTERS]}... and {left_out} characters more"
