"""The tables, as typed classes. A change here needs a migration: a test compares the two."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Double,
    ForeignKey,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gpbench.core.stage import Kind, State, Status

JsonObject = dict[str, Any]
_JSON = JSON(none_as_null=True)
_KEY = String(64)
_NAME = String(200)
_WORD = String(20)
_TIME = String(40)
_COUNTS = LargeBinary(2**24 - 1)


def _of_stage() -> ForeignKey:
    return ForeignKey("stage.key", ondelete="CASCADE")


def _of_score() -> ForeignKey:
    return ForeignKey("score.id", ondelete="CASCADE")


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ix": "ix_%(table_name)s_%(column_0_name)s",
        }
    )


class ExperimentRow(Base):
    """What was asked for, resolved, and the facts of its plan that reports show."""

    __tablename__ = "experiment"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(_NAME, unique=True)
    created_at: Mapped[str] = mapped_column(_TIME)
    planned_at: Mapped[str] = mapped_column(_TIME)
    trial: Mapped[bool]
    experiment: Mapped[JsonObject] = mapped_column(_JSON)
    strategies: Mapped[list[JsonObject]] = mapped_column(_JSON)
    datasets: Mapped[list[JsonObject]] = mapped_column(_JSON)
    excluded: Mapped[list[JsonObject]] = mapped_column(_JSON)
    partial: Mapped[list[str]] = mapped_column(_JSON)
    images: Mapped[dict[str, int]] = mapped_column(_JSON)


class StageRow(Base):
    """One unit of work by its key: what it is, how far it is, and who runs it."""

    __tablename__ = "stage"

    key: Mapped[str] = mapped_column(_KEY, primary_key=True)
    kind: Mapped[Kind] = mapped_column(_WORD)
    parent: Mapped[str | None] = mapped_column(_KEY, index=True)
    dataset: Mapped[str | None] = mapped_column(_NAME)
    spec: Mapped[JsonObject] = mapped_column(_JSON)
    state: Mapped[State] = mapped_column(_WORD, index=True)
    status: Mapped[Status | None] = mapped_column(_WORD)
    owner_host: Mapped[str | None] = mapped_column(String(255))
    owner_boot: Mapped[str | None] = mapped_column(String(100))
    owner_pid: Mapped[int | None]
    owner_started: Mapped[int | None] = mapped_column(BigInteger)
    heartbeat_at: Mapped[float | None] = mapped_column(Double)
    beat: Mapped[JsonObject | None] = mapped_column(_JSON)
    attempts: Mapped[int]
    error: Mapped[str | None] = mapped_column(Text)
    diverged_at: Mapped[int | None] = mapped_column(BigInteger)
    log: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[str | None] = mapped_column(_TIME)
    duration_s: Mapped[float | None] = mapped_column(Double)
    outcome_hash: Mapped[str | None] = mapped_column(_KEY)


class ItemRow(Base):
    """One stage as one arm of an experiment needs it; several items may share a stage."""

    __tablename__ = "item"

    experiment_id: Mapped[int] = mapped_column(
        ForeignKey("experiment.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    stage_key: Mapped[str | None] = mapped_column(ForeignKey("stage.key"), index=True)
    kind: Mapped[Kind] = mapped_column(_WORD)
    phase: Mapped[str | None] = mapped_column(_NAME)
    arm: Mapped[str] = mapped_column(Text)
    backbone: Mapped[str] = mapped_column(_NAME)
    in_chans: Mapped[int]
    dataset: Mapped[str | None] = mapped_column(_NAME)
    label_fraction: Mapped[float | None] = mapped_column(Double)
    pretrain_seed: Mapped[int | None] = mapped_column(BigInteger)
    finetune_seed: Mapped[int | None] = mapped_column(BigInteger)
    needs: Mapped[list[int]] = mapped_column(_JSON)


class HistoryRecord(Base):
    """One logged training step."""

    __tablename__ = "history"

    stage_key: Mapped[str] = mapped_column(_of_stage(), primary_key=True)
    step: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    loss: Mapped[float] = mapped_column(Double)
    lr: Mapped[float] = mapped_column(Double)
    score: Mapped[float | None] = mapped_column(Double)


class ArtefactRow(Base):
    """A file in a stage's folder."""

    __tablename__ = "artefact"

    stage_key: Mapped[str] = mapped_column(_of_stage(), primary_key=True)
    name: Mapped[str] = mapped_column(_NAME, primary_key=True)
    path: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(_KEY)
    size_bytes: Mapped[int] = mapped_column(BigInteger)


class EnvironmentRow(Base):
    """Device, CPU and library versions of a stage's last run."""

    __tablename__ = "environment"

    stage_key: Mapped[str] = mapped_column(_of_stage(), primary_key=True)
    facts: Mapped[dict[str, str]] = mapped_column(_JSON)


class ScoreRow(Base):
    """One way of predicting the test images with a network; the numbers are in `confusion`."""

    __tablename__ = "score"
    __table_args__ = (UniqueConstraint("stage_key", "variant", "evaluation"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    stage_key: Mapped[str] = mapped_column(_of_stage())
    variant: Mapped[str] = mapped_column(String(60))
    evaluation: Mapped[str] = mapped_column(_KEY)
    classes: Mapped[int]
    total: Mapped[bytes] = mapped_column(_COUNTS)
    """Packed as the rows of `confusion` are, and their sum."""


class ImageRow(Base):
    """A scored image as it was then: never changed, shared by all scores that saw these facts."""

    __tablename__ = "image"

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(_KEY, unique=True)
    dataset: Mapped[str] = mapped_column(_NAME)
    split: Mapped[str] = mapped_column(_WORD)
    name: Mapped[str] = mapped_column(Text)
    scene: Mapped[str] = mapped_column(Text)
    tags: Mapped[list[str]] = mapped_column(_JSON)


class ConfusionRow(Base):
    """Pixel counts of one image: zlib of C x C little-endian int64; rows true, columns guessed."""

    __tablename__ = "confusion"

    score_id: Mapped[int] = mapped_column(_of_score(), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    image_id: Mapped[int] = mapped_column(ForeignKey("image.id"))
    counts: Mapped[bytes] = mapped_column(_COUNTS)


class MeasureRow(Base):
    """A number of one image that counts cannot give, such as a boundary score."""

    __tablename__ = "measure"

    score_id: Mapped[int] = mapped_column(_of_score(), primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("image.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    value: Mapped[float] = mapped_column(Double)
