"""Settings: one frozen tree for each process, strict, few knobs."""
