"""Composition roots: the only place where adapters are chosen. One module a process."""
