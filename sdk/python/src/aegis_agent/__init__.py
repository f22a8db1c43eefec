"""Calls tools through an Aegis mesh as an agent: a proof for each call, refusals as exceptions.

The core needs `cryptography` alone.
"""

from aegis_agent.errors import AegisDenied, AegisError, AegisUnavailable, ApprovalNeeded

__all__ = ["AegisDenied", "AegisError", "AegisUnavailable", "ApprovalNeeded"]
