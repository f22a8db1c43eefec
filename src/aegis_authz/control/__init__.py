"""The admin plane: publishes policy, decides approvals, shows public keys."""
