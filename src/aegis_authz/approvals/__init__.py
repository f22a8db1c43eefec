"""Held calls: what is kept of them, and deciding them."""
