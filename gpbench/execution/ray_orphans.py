"""Placement groups of dead actors: Ray gives their processors back only when the whole job ends."""

from __future__ import annotations

import ray
from ray._private.state import state  # the public table does not tell who made a group
from ray.core.generated.gcs_pb2 import PlacementGroupTableData
from ray.util.placement_group import PlacementGroup, remove_placement_group


def remove_orphans() -> int:
    """Remove the placement groups of this job whose actor is dead; return how many there were.

    Those of Ray Train's controllers are: when one is killed, as with the stage that it trains for,
    its workers end, and what they held stays taken.
    """
    job = ray.get_runtime_context().get_job_id()
    groups = map(
        PlacementGroupTableData.FromString,
        state._connect_and_get_accessor().get_placement_group_table(),  # noqa: SLF001  see above
    )
    orphans = [group for group in groups if _is_orphan(group, job)]
    for group in orphans:
        remove_placement_group(PlacementGroup(ray.PlacementGroupID(group.placement_group_id)))
    return len(orphans)


def _is_orphan(group: PlacementGroupTableData, job: str) -> bool:
    by_driver = ray.ActorID(group.creator_actor_id).is_nil()
    is_removed = group.state == PlacementGroupTableData.REMOVED
    return (
        group.creator_actor_dead
        and not by_driver
        and not is_removed
        and group.creator_job_id.hex() == job
    )
