"""People: their sign-in, here and elsewhere, and who gives them groups and roles."""
