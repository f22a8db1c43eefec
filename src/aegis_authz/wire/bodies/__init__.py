"""Bodies of other formats than JSON: one reader a format, each to the values that pointers of a catalogue lead into."""
