"""Text as detectors see it: folded, searched by patterns, near to topics."""
