"""One file for each real thing behind a port, and its memory twin."""
