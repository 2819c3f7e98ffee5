"""What a running stage said last, so that others than its driver can see how far it is."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column; nothing was said before."""
    op.add_column("stage", sa.Column("beat", sa.JSON(none_as_null=True)))
