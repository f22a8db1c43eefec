"""Calls tools through an Aegis mesh as an agent: a proof for each call, refusals as exceptions.

The core needs `cryptography` alone. A module for each client (`aegis_agent.httpx`, `.httpx2`, `.requests`, `.openai`)
needs that client.
"""

from aegis_agent.aegis import Aegis
from aegis_agent.errors import AegisDenied, AegisError, AegisUnavailable, ApprovalNeeded, ToolFailed
from aegis_agent.evaluation import Permit

__all__ = ["Aegis", "AegisDenied", "AegisError", "AegisUnavailable", "ApprovalNeeded", "Permit", "ToolFailed"]
