"""Catalogue entries from OpenAPI descriptions: what an API says of itself, as far as a catalogue can hold it."""
