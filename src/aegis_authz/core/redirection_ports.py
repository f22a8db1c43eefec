"""The ports to which packet filter rules lead an agent, where nothing else is said."""

from __future__ import annotations

TRANSPARENT_PORT = 15001
"""The transparent listener: TCP of loopback."""
NAMES_PORT = 15053
"""Where names are looked up: UDP of loopback."""
