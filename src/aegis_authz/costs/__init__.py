"""What a call costs: estimated before it is made, and worked out again from what became of it."""
