"""The kinds of sensitive data, each a pattern and a validator."""
