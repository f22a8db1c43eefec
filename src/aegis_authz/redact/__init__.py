"""The redaction engine: it rewrites bodies and heads, and leaves what did not match byte for byte.

Others import `sanitizer` (what obligations do to a message), `bodies` (a filter for each kind of body), `heads` (what
the head of a message may say), `fields.read_field`, and `detectors.table` and `detectors.own` (the detectors by their
names); all else is its own affair.
"""
