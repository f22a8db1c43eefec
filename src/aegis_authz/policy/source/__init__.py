"""Text of policies to values that know where they were written."""
