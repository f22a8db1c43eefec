"""Lints: what is allowed in a policy set and yet most likely not meant, each with a code and a page in docs/lint."""
