"""What alembic runs: migrations in the transaction that gpbench.store.schema opened."""

from alembic import context

from gpbench.store.models import Base
from gpbench.store.schema import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,  # SQLite alters a table by copying it
)
with context.begin_transaction():
    context.run_migrations()
