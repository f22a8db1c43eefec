"""gRPC services: ext_authz, ext_proc, health. Handlers know nothing of their host."""
