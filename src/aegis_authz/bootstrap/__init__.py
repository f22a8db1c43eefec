"""Composition roots: where the adapters of each process are chosen. One module a process."""
