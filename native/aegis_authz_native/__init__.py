"""Compiled modules of aegis-authz, and the manifest of what they were made of; `aegis_authz.native` runs them."""
