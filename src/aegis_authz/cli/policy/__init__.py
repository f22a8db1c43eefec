"""`aegis policy`, one file a verb."""
