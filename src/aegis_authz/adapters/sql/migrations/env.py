"""What alembic runs: the migrations, on the connection and in the transaction that `Database.migrate` opened."""

from __future__ import annotations

from alembic import context

from aegis_authz.adapters.sql.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
