"""The control plane's database: SQLite beside its state, or PostgreSQL by URL. No worker imports this room."""
