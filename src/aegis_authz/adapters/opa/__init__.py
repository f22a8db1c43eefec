"""The policy decision point, on OPA."""
