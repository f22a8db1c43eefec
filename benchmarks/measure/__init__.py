"""What a run does: rounds of load, the servers around them, the figures gathered."""
