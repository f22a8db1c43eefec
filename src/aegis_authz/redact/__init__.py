"""The redaction engine: detectors, and what rewrites bodies and heads."""
