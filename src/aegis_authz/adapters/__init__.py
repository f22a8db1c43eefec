"""One room for each real thing behind a port."""
