"""The store, on Redis."""
