"""Approvals: held calls decided, by whichever door, what stands for later ones, and who looks after it."""
