"""What OPA answers."""
