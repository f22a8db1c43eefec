"""People and what they may do: roles, permissions, and the rules of their passwords, keys and sessions."""
