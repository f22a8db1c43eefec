"""Documents written anew in the one layout."""
