"""What is kept in files: bundles, sources, keys, credentials; written so that a power cut halves nothing."""
