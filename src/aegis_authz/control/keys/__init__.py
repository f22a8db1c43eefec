"""Keys: those that the data plane is to believe, their replacement, and those of other issuers."""
