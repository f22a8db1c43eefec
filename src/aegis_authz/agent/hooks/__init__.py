"""Hooks of coding agents: each call of a client's own tools, asked about before it is made."""
