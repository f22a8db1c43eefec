"""HTTP/2 as far as a gRPC server behind Envoy needs it, without I/O (RFC 9113, RFC 7541)."""
