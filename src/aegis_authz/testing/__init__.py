"""Ports in memory, for tests; they keep the contracts of the real ones and forget everything at the end."""
