"""Ids of MCP sessions as an attacker makes them of one that is good, and of the tool's own."""

from __future__ import annotations


def forged_sessions(session: str, tool_id: str) -> list[str]:
    """Every one of them must be refused."""
    prefix, mac, rest = session.split(".", 2)
    swapped = ("A" if mac[0] != "A" else "B") + mac[1:]
    return [
        tool_id,
        rest,
        f".{rest}",
        f"{prefix}.{rest}",
        f"{prefix}..{rest}",
        f"{prefix}.{mac}.",
        f"{prefix}.{swapped}.{rest}",
        f"{prefix}.{mac[:-1]}.{rest}",
        f"{prefix}.{mac}=.{rest}",
        f"{prefix}.{mac.swapcase()}.{rest}",
        f"{prefix.upper()}.{mac}.{rest}",
        f"{prefix}.{mac}.{rest}x",
        f"{prefix}.{mac}.{rest.upper()}X",
        f"{session},{session}",
        f"{session}.",
        "x" * 5000,
    ]
