"""The first schema. Never edited again: databases with it are out there."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

KEY, NAME, WORD, TIME = sa.String(64), sa.String(200), sa.String(20), sa.String(40)
JSON = sa.JSON(none_as_null=True)


def upgrade() -> None:
    """Make the tables, those first that others refer to."""
    _experiment()
    _stage()
    _item()
    _records()
    _scores()


def _experiment() -> None:
    op.create_table(
        "experiment",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("planned_at", TIME, nullable=False),
        sa.Column("trial", sa.Boolean, nullable=False),
        sa.Column("experiment", JSON, nullable=False),
        sa.Column("strategies", JSON, nullable=False),
        sa.Column("datasets", JSON, nullable=False),
        sa.Column("excluded", JSON, nullable=False),
        sa.Column("partial", JSON, nullable=False),
        sa.Column("images", JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_experiment"),
        sa.UniqueConstraint("name", name="uq_experiment_name"),
    )


def _stage() -> None:
    op.create_table(
        "stage",
        sa.Column("key", KEY, nullable=False),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("parent", KEY),
        sa.Column("dataset", NAME),
        sa.Column("spec", JSON, nullable=False),
        sa.Column("state", WORD, nullable=False),
        sa.Column("status", WORD),
        sa.Column("owner_host", sa.String(255)),
        sa.Column("owner_boot", sa.String(100)),
        sa.Column("owner_pid", sa.Integer),
        sa.Column("owner_started", sa.BigInteger),
        sa.Column("heartbeat_at", sa.Double),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("diverged_at", sa.BigInteger),
        sa.Column("log", sa.Text),
        sa.Column("started_at", TIME),
        sa.Column("duration_s", sa.Double),
        sa.Column("outcome_hash", KEY),
        sa.PrimaryKeyConstraint("key", name="pk_stage"),
    )
    op.create_index("ix_stage_parent", "stage", ["parent"])
    op.create_index("ix_stage_state", "stage", ["state"])


def _item() -> None:
    op.create_table(
        "item",
        sa.Column("experiment_id", sa.Integer, nullable=False),
        sa.Column("position", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("stage_key", KEY),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("phase", NAME),
        sa.Column("arm", sa.Text, nullable=False),
        sa.Column("backbone", NAME, nullable=False),
        sa.Column("in_chans", sa.Integer, nullable=False),
        sa.Column("dataset", NAME),
        sa.Column("label_fraction", sa.Double),
        sa.Column("pretrain_seed", sa.BigInteger),
        sa.Column("finetune_seed", sa.BigInteger),
        sa.Column("needs", JSON, nullable=False),
        sa.PrimaryKeyConstraint("experiment_id", "position", name="pk_item"),
        _refers("item", "experiment_id", "experiment.id"),
        sa.ForeignKeyConstraint(["stage_key"], ["stage.key"], name="fk_item_stage_key"),
    )
    op.create_index("ix_item_stage_key", "item", ["stage_key"])


def _records() -> None:
    op.create_table(
        "history",
        sa.Column("stage_key", KEY, nullable=False),
        sa.Column("step", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("loss", sa.Double, nullable=False),
        sa.Column("lr", sa.Double, nullable=False),
        sa.Column("score", sa.Double),
        sa.PrimaryKeyConstraint("stage_key", "step", name="pk_history"),
        _refers("history", "stage_key", "stage.key"),
    )
    op.create_table(
        "artefact",
        sa.Column("stage_key", KEY, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("sha256", KEY, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("stage_key", "name", name="pk_artefact"),
        _refers("artefact", "stage_key", "stage.key"),
    )
    op.create_table(
        "environment",
        sa.Column("stage_key", KEY, nullable=False),
        sa.Column("facts", JSON, nullable=False),
        sa.PrimaryKeyConstraint("stage_key", name="pk_environment"),
        _refers("environment", "stage_key", "stage.key"),
    )


def _scores() -> None:
    op.create_table(
        "image",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("digest", KEY, nullable=False),
        sa.Column("dataset", NAME, nullable=False),
        sa.Column("split", WORD, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("scene", sa.Text, nullable=False),
        sa.Column("tags", JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_image"),
        sa.UniqueConstraint("digest", name="uq_image_digest"),
    )
    op.create_table(
        "score",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("stage_key", KEY, nullable=False),
        sa.Column("variant", sa.String(60), nullable=False),
        sa.Column("evaluation", KEY, nullable=False),
        sa.Column("classes", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_score"),
        sa.UniqueConstraint("stage_key", "variant", "evaluation", name="uq_score_stage_key"),
        _refers("score", "stage_key", "stage.key"),
    )
    op.create_table(
        "confusion",
        sa.Column("score_id", sa.Integer, nullable=False),
        sa.Column("position", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("image_id", sa.Integer, nullable=False),
        sa.Column("counts", sa.LargeBinary(2**24 - 1), nullable=False),
        sa.PrimaryKeyConstraint("score_id", "position", name="pk_confusion"),
        _refers("confusion", "score_id", "score.id"),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name="fk_confusion_image_id"),
    )
    op.create_table(
        "measure",
        sa.Column("score_id", sa.Integer, nullable=False),
        sa.Column("image_id", sa.Integer, nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("value", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("score_id", "image_id", "name", name="pk_measure"),
        _refers("measure", "score_id", "score.id"),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name="fk_measure_image_id"),
    )


def _refers(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    """Return a reference whose row goes when the row that it refers to goes."""
    name = f"fk_{table}_{column}"
    return sa.ForeignKeyConstraint([column], [target], name=name, ondelete="CASCADE")
