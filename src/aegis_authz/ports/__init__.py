"""What the inner rooms need from outside, one interface each."""
