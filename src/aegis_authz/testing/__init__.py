"""Ports in memory, for tests; they keep the contracts of the real ones and forget everything at the end.

Made without `for_tests=True` each says so loudly, and no other room may import this one.
"""
