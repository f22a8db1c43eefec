"""Records: read for people and programs, watched as they come, and verified."""
