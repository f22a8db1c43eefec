"""The authorizer behind the gRPC library."""
