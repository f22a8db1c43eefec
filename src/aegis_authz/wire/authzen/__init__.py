"""Questions and answers of OpenID AuthZEN, for calls that do not pass Envoy."""
