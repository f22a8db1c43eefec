"""What may be written: rules, documents, catalogues and their words."""
