"""A stage in a shared working directory: what its node cannot reach is said, never a traceback."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from gpbench.engine.monitor import Silent
from gpbench.stages import place, run
from gpbench.stages.lock import locked
from gpbench.stages.reach import OutOfReachError, node_name
from gpbench.stages.run import run_stage
from tests.stages.nodes import PRETRAIN, finetune, names, request


def test_working_directory_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    asked = request(tmp_path / "work", PRETRAIN)
    (tmp_path / "work").rmdir()
    with pytest.raises(OutOfReachError) as raised:
        run_stage(asked, Silent())
    assert str(raised.value) == (
        f"the working directory {tmp_path}/work is not there on node {node_name()}: "
        "share it, or give --storage"
    )
    assert not (tmp_path / "work").exists()


def test_parents_weights_that_are_not_there_are_named(tmp_path: Path) -> None:
    asked = request(tmp_path, finetune())
    outcome = run_stage(asked, Silent())
    assert outcome.status == "preempted"
    assert outcome.error == (
        f"its parent's weights {asked.parent_weights} cannot be read on node {node_name()}: "
        "share the working directory, or give --storage"
    )
    assert Path(asked.folder, "outcome.json").read_text() == outcome.text()


def test_tile_store_that_is_not_there_is_named(tmp_path: Path) -> None:
    outcome = run_stage(request(tmp_path, finetune(parent=None)), Silent())
    assert outcome.status == "preempted"
    assert str(outcome.error).startswith(f"its tile store {tmp_path}/data/demo-mfnet-")


def test_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    asked = request(tmp_path, PRETRAIN)
    (tmp_path / "stages").touch()
    with pytest.raises(OutOfReachError, match=f"{asked.folder} cannot be written on node"):
        run_stage(asked, Silent())


def test_full_disk_while_it_runs_is_the_nodes_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(run, "pretrain", fill)
    asked = request(tmp_path, PRETRAIN)
    outcome = run_stage(asked, Silent())
    assert outcome.status == "preempted"
    assert outcome.error == (
        f"{asked.folder} cannot be written on node {node_name()}: No space left on device"
    )


def test_disk_too_full_for_the_outcome_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(*_arguments: object) -> None:
        (Path(asked.folder) / "outcome.json.partial").mkdir()  # no file can be written there
        raise ValueError("the stage itself")

    monkeypatch.setattr(run, "pretrain", fill)
    asked = request(tmp_path, PRETRAIN)
    with pytest.raises(OutOfReachError, match=f"{asked.folder} cannot be written on node"):
        run_stage(asked, Silent())


def test_process_of_an_earlier_run_is_never_written_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "LOCK_WAIT_S", 0.0)
    asked = request(tmp_path, PRETRAIN)
    folder = Path(asked.folder)
    folder.mkdir(parents=True)
    (folder / "outcome.json").write_text("of the other process")
    with locked(folder / place.LOCK, lambda _waited_s: None):
        with pytest.raises(OutOfReachError, match=f"another process works in {folder}"):
            run_stage(asked, Silent())
        assert names(folder) == [".lock", "outcome.json"]
