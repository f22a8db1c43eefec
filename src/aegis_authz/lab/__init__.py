"""Policies tried out on calls, without a mesh: by the real Rego library on a real OPA, and by nothing else."""
