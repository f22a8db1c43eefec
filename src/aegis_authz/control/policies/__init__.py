"""Policies: documents made a bundle, versions published and confirmed, and what OPA and Envoy run of them."""
