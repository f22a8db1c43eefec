"""The one-machine mesh: finds or fetches Envoy, OPA and Redis; starts, watches and stops them."""
