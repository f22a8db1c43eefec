"""The control plane's HTTP API in models: every request and every answer, one file a noun."""
