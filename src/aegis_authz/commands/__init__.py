"""What operators do, one file a topic; the command line and the console stand on it."""
