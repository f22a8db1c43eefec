"""Envoy's messages: the check and its answer, and the processing of bodies."""
