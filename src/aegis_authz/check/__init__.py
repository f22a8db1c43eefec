"""The decision pipeline, one file a stage, and the redaction engine."""
