"""Counts summed over the images of a score: most readers want no more, and images are many."""

import zlib

import numpy as np
import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_SCORE = sa.table("score", sa.column("id"), sa.column("classes"), sa.column("total"))
_CONFUSION = sa.table("confusion", sa.column("score_id"), sa.column("counts"))


def upgrade() -> None:
    """Add the column, and sum up what is there."""
    total = sa.LargeBinary(2**24 - 1)
    op.add_column("score", sa.Column("total", total))
    connection = op.get_bind()
    for number, classes in connection.execute(sa.select(_SCORE.c.id, _SCORE.c.classes)).all():
        images = sa.select(_CONFUSION.c.counts).where(_CONFUSION.c.score_id == number)
        summed = np.zeros(classes * classes, "<i8")
        for packed in connection.scalars(images):
            summed += np.frombuffer(zlib.decompress(packed), "<i8")
        connection.execute(
            sa.update(_SCORE)
            .where(_SCORE.c.id == number)
            .values(total=zlib.compress(summed.tobytes()))
        )
    with op.batch_alter_table("score") as table:
        table.alter_column("total", existing_type=total, nullable=False)
