"""Spend: how limits stand, and what operators do about them."""
