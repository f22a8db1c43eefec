"""What editors are given: a schema of the documents, with descriptions."""
