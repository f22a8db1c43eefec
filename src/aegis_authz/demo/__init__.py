"""The demo: small real tools behind a real mesh, and the scenario played on them."""
