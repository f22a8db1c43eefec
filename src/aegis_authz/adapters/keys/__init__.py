"""Signing keys outside of files: key services that sign, and the ring that replaces a key of theirs."""
