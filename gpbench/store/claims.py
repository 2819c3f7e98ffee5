"""Who may run a stage: claims, signs of life, hand-backs. Inside a caller's transaction."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import ColumnElement, bindparam, select, update
from sqlalchemy.orm import Session

from gpbench.core.errors import StoreError
from gpbench.core.stage import State, utc_now
from gpbench.store.models import Base, StageRow
from gpbench.store.owner import Owner

LEASE_S = 60.0
"""How long after its last heartbeat a stage of another host is left to its owner."""
BATCH = 500
"""Keys per statement: databases limit the number of parameters."""

Claim = Literal["claimed", "done", "failed", "running", "blocked"]
"""`claimed`: run it. Else leave it: it is done; it failed and may not be repeated; another process
runs it or its parent; its parent is not done."""


def batches(keys: Collection[str]) -> list[Sequence[str]]:
    """Return the distinct keys in order, cut into lists that fit a statement."""
    distinct = list(dict.fromkeys(keys))
    return [distinct[start : start + BATCH] for start in range(0, len(distinct), BATCH)]


def holder(stage: StageRow) -> Owner | None:
    """Return the process that a running stage belongs to."""
    if stage.owner_host is None:
        return None
    return Owner(
        stage.owner_host, stage.owner_boot or "", stage.owner_pid or 0, stage.owner_started or 0
    )


def present_state(stage: StageRow) -> State:
    """Return the state; a running stage whose owner is gone, or silent for too long, is pending."""
    owner = holder(stage)
    if stage.state != "running" or owner is None:
        return stage.state
    presence = owner.presence()
    if presence == "unknown":
        silent_s = time.time() - (stage.heartbeat_at or 0.0)
        return "pending" if silent_s > LEASE_S else "running"
    return "running" if presence == "alive" else "pending"


def shown_state(stage: StageRow) -> State:
    """Return the state as a person is told it: what is held but has not begun yet is pending."""
    state = present_state(stage)
    return "pending" if state == "running" and stage.started_at is None else state


def claim(
    session: Session, key: str, owner: Owner, *, retry_failed: bool = False, force: bool = False
) -> Claim:
    """Return whether `owner` now holds the stage, else why not."""
    stage = known_stage(session, key)
    refusal = _refusal(session, stage, retry_failed=retry_failed, force=force)
    if refusal is not None:
        return refusal
    stage.state, stage.status, stage.error, stage.outcome_hash = "running", None, None, None
    stage.owner_host, stage.owner_boot = owner.host, owner.boot
    stage.owner_pid, stage.owner_started = owner.pid, owner.started
    stage.heartbeat_at, stage.beat = time.time(), None
    stage.started_at, stage.duration_s = None, None
    stage.attempts += 1
    return "claimed"


def begin(session: Session, key: str, owner: Owner) -> None:
    """Note that a stage which `owner` holds runs from now on: until then it waited for room."""
    session.execute(
        update(StageRow).where(StageRow.key == key, *_held_by(owner)).values(started_at=utc_now())
    )


def heartbeat(
    session: Session, beats: Mapping[str, Mapping[str, Any] | None], owner: Owner
) -> None:
    """Renew the lease of the stages that `owner` runs, and note what each said last."""
    rows = [
        {"of_stage": key, "said": None if beat is None else _without_nan(beat)}
        for key, beat in beats.items()
    ]
    if not rows:
        return
    statement = (
        update(Base.metadata.tables[StageRow.__tablename__])
        .where(StageRow.key == bindparam("of_stage"), *_held_by(owner))
        .values(heartbeat_at=time.time(), beat=bindparam("said"))
    )
    session.connection().execute(statement, rows)  # the session's own takes no other condition


def release(session: Session, key: str, owner: Owner) -> None:
    """Hand an interrupted stage back, unless another process took it over meanwhile."""
    session.execute(
        update(StageRow)
        .where(StageRow.key == key, *_held_by(owner))
        .values(state="pending", started_at=None, **NOBODY)
    )


def block(session: Session, keys: Collection[str], because: str) -> None:
    """Mark the waiting ones of these stages as not runnable."""
    for batch in batches(keys):
        session.execute(
            update(StageRow)
            .where(StageRow.key.in_(batch), StageRow.state.in_(("pending", "blocked")))
            .values(state="blocked", error=because)
        )


def unblock_children(session: Session, key: str) -> None:
    """Let everything wait again that was blocked below a stage that is now done."""
    parents = [key]
    while parents:
        children = list(
            session.scalars(
                select(StageRow).where(StageRow.parent.in_(parents), StageRow.state == "blocked")
            )
        )
        for child in children:
            child.state, child.error = "pending", None
        parents = [child.key for child in children]


def known_stage(session: Session, key: str) -> StageRow:
    """Return the stage of that key.

    Raises:
        StoreError: If no recorded plan has it.
    """
    stage = session.get(StageRow, key, with_for_update=True)
    if stage is None:
        raise StoreError(f"stage {key} is in no recorded plan: record the plan before it is run")
    return stage


NOBODY: dict[str, None] = dict.fromkeys(
    ("owner_host", "owner_boot", "owner_pid", "owner_started", "heartbeat_at", "beat")
)


def _refusal(session: Session, stage: StageRow, *, retry_failed: bool, force: bool) -> Claim | None:
    state = present_state(stage)
    if state == "running":
        return "running"
    if state == "done" and not force:
        return "done"
    if state == "failed" and not (force or (retry_failed and stage.status != "diverged")):
        return "failed"
    parent = session.get(StageRow, stage.parent) if stage.parent else None
    if stage.parent is None or (parent and parent.state == "done"):
        return None
    return "running" if parent and present_state(parent) == "running" else "blocked"


def _without_nan(beat: Mapping[str, Any]) -> dict[str, Any]:
    """Return the beat as JSON can hold it: the loss of a stage that diverges is not a number."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in beat.items()
    }


def _held_by(owner: Owner) -> tuple[ColumnElement[bool], ...]:
    return (
        StageRow.state == "running",
        StageRow.owner_host == owner.host,
        StageRow.owner_boot == owner.boot,
        StageRow.owner_pid == owner.pid,
        StageRow.owner_started == owner.started,
    )
