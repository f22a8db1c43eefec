"""Aegis: decides what AI agents may do, behind Envoy's ext_authz."""
