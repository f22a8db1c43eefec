"""Load for a mesh: signed calls, vegeta to send them, and what came of each."""
