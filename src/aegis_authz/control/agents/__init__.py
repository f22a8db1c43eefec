"""Agents: enrolled, given tokens and narrower ones, and stopped."""
