"""Outside formats to core values and back: pure, bytes in and values out."""
