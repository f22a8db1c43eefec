"""What the outside sees of decisions: spans and metrics."""
