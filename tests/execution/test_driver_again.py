"""What the driver runs again, and what it takes as it lies there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gpbench.core.stage import BACKBONE_FILE, Outcome
from gpbench.engine import checkpoint
from gpbench.execution.driver import Again, Job, Watcher
from tests.execution.worlds import World, failing, first


def test_retry_failed_runs_a_failed_stage_and_what_it_blocked(world: World) -> None:
    bad = first(world, "pretrain")
    world.run(failing(world, bad, status="oom", error="no"))
    summary, executor = world.run(world.ends_well, Again(failed=True))
    assert executor.started[0] == bad
    assert len(summary.done) == 3
    assert not summary.failed


@pytest.mark.parametrize("kind", ["pretrain", "finetune"])
def test_retry_failed_leaves_a_diverged_stage_alone_and_force_does_not(
    world: World, kind: str
) -> None:
    bad = first(world, kind)
    world.run(failing(world, bad, status="diverged", error="nan", diverged_at=3))
    summary, executor = world.run(world.ends_well, Again(failed=True))
    assert (executor.started, summary.failed) == ([], [bad])
    forced, _ = world.run(world.ends_well, Again(all=True))
    assert len(forced.done) == len(world.items)


def test_retry_failed_runs_a_timed_out_stage_again(world: World) -> None:
    bad = first(world, "finetune")
    world.run(failing(world, bad, status="timeout", error="it did not get on"))
    summary, executor = world.run(world.ends_well, Again(failed=True))
    assert executor.started == [bad]
    assert summary.done == [bad]


@pytest.mark.parametrize("deaths", [2, 3])
def test_stage_whose_process_dies_is_started_again_so_often(world: World, deaths: int) -> None:
    bad = first(world, "finetune")

    def script(key: str, attempt: int) -> Outcome | str:
        return "gone" if key == bad and attempt <= deaths else world.ends_well(key)

    summary, executor = world.run(script, Again(retries=2))
    done = deaths <= 2
    assert executor.started.count(bad) == 3
    assert (bad in summary.done, bad in summary.failed) == (done, not done)
    failed = world.store.status().failed
    assert [each.error for each in failed] == (
        [] if done else ["gone; --retry-failed continues from its last checkpoint"]
    )


def test_outcome_that_no_driver_committed_is_taken_in_without_running(world: World) -> None:
    finished = first(world, "pretrain")
    outcome = world.ends_well(finished)
    world.write(outcome)
    summary, executor = world.run(world.ends_well)
    assert finished not in executor.started
    assert finished in summary.done


def test_left_outcome_with_a_damaged_file_is_not_believed(world: World) -> None:
    finished = first(world, "finetune")
    outcome = world.ends_well(finished)
    world.write(outcome)
    (world.folder_of(finished) / outcome.artefacts[0].path).write_text("half")
    _, executor = world.run(world.ends_well)
    assert finished in executor.started


def test_lost_weights_of_a_whole_chain_are_made_again_for_a_child(world: World) -> None:
    tuned = first(world, "finetune")
    world.run(failing(world, tuned, status="oom", error="no"))
    chain = [key for key, item in world.items.items() if item.kind == "pretrain"][:2]
    for key in chain:
        (world.folder_of(key) / BACKBONE_FILE).unlink()
    _, executor = world.run(world.ends_well, Again(failed=True))
    assert executor.started == [*chain, tuned]


def test_a_stage_that_died_keeps_its_checkpoint_under_force(world: World) -> None:
    tuned = first(world, "finetune")

    def script(key: str, attempt: int) -> Outcome | str:
        if key == tuned and attempt == 1:
            world.folder_of(key).mkdir(parents=True, exist_ok=True)
            (world.folder_of(key) / checkpoint.NAME).write_text("half-way")
            return "gone"
        return world.ends_well(key)

    world.run(world.ends_well)
    (world.folder_of(tuned) / checkpoint.NAME).write_text("of the run before")
    seen: list[str] = []

    class Looking(Watcher):
        def started(self, job: Job) -> None:
            path = world.folder_of(job.key) / checkpoint.NAME
            if job.key == tuned:
                seen.append(path.read_text() if path.exists() else "none")

    world.run(script, Again(all=True), Looking())
    assert seen == ["none", "half-way"]


def test_stage_that_died_after_it_had_finished_is_not_run_again(world: World) -> None:
    tuned = first(world, "finetune")

    def script(key: str, _attempt: int) -> Outcome | str:
        outcome = world.ends_well(key)
        if key == tuned:
            world.write(outcome)
            return "killed before it could tell"
        return outcome

    summary, executor = world.run(script)
    assert executor.started.count(tuned) == 1
    assert tuned in summary.done


def test_stage_whose_machine_could_not_reach_something_is_tried_again(world: World) -> None:
    bad = first(world, "finetune")

    def script(key: str, attempt: int) -> Outcome:
        outcome = world.ends_well(key)
        if key != bad or attempt > 1:
            return outcome
        return replace(outcome, status="preempted", error="/far cannot be read", artefacts=(),
                       scores=(), images=())  # fmt: skip

    summary, executor = world.run(script)
    assert executor.started.count(bad) == 2
    assert bad in summary.done


def test_diverged_outcome_that_no_driver_committed_is_not_trained_again(world: World) -> None:
    bad = first(world, "finetune")
    world.ends_well(bad)
    world.write(
        replace(
            world.ends_well(bad),
            status="diverged",
            diverged_at=3,
            error="nan",
            artefacts=(),
            scores=(),
            images=(),
        )
    )
    summary, executor = world.run(world.ends_well, Again(failed=True))
    assert bad not in executor.started
    assert summary.failed == [bad]


def test_lost_weights_are_not_made_again_for_a_child_that_will_not_run(world: World) -> None:
    tuned = next(key for key, item in world.items.items() if item.kind == "finetune" and item.needs)
    world.run(failing(world, tuned, status="diverged", error="nan", diverged_at=3))
    for key, item in world.items.items():
        if item.kind == "pretrain":
            (world.folder_of(key) / BACKBONE_FILE).unlink()
    _, executor = world.run(world.ends_well)
    assert executor.started == []


def test_stage_that_stops_without_being_told_to_is_run_again(world: World) -> None:
    odd = first(world, "finetune")
    summary, executor = world.run(
        lambda key, attempt: None if key == odd and attempt == 1 else world.ends_well(key)
    )
    assert executor.started.count(odd) == 2
    assert odd in summary.done
    summary, _ = world.run(
        lambda key, _attempt: None if key == odd else world.ends_well(key), Again(all=True)
    )
    assert summary.failed == [odd]
