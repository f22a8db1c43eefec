"""The decision pipeline, one file a stage."""
