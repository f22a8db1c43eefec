"""The contract of a bundle: all the data plane needs to know of policy."""
