"""Many calls, few round trips."""
