"""Stages on nodes that share a storage and nothing else."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from gpbench.core.errors import StageInterruptedError
from gpbench.core.stage import (
    BACKBONE_FILE,
    DatasetSpec,
    Outcome,
    PretrainSpec,
    StageRequest,
    utc_now,
)
from gpbench.data.tile_store import store_folder
from gpbench.engine.monitor import Beat, Silent
from gpbench.stages import artefacts, stored
from gpbench.stages.inputs import at_hand
from gpbench.stages.lock import locked
from gpbench.stages.reach import OutOfReachError, node_name
from gpbench.stages.run import run_stage
from gpbench.stages.scratch import SCRATCH_VARIABLE, lock_of, scratch_folder
from gpbench.stages.storage import Storage
from tests.stages.nodes import PRETRAIN, STEPS, Node, Watch, finetune, names, request

NODE = """
import sys
from gpbench.core.stage import StageRequest
from gpbench.engine.monitor import Beat, Silent
from gpbench.stages.run import run_stage
class Lingering(Silent):
    def saved(self, folder):
        print("saved", flush=True)
        sys.stdin.readline()
print(run_stage(StageRequest.from_json(sys.argv[1]), Lingering()).status, flush=True)
"""


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    made = Storage(f"file://{tmp_path}/shared")
    made.make()
    return made


@pytest.fixture
def one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    return Node(tmp_path / "one", monkeypatch)


@pytest.fixture
def other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    return Node(tmp_path / "other", monkeypatch)


def undisturbed(tmp_path: Path) -> bytes:
    """Return the weights of PRETRAIN as a run in a working directory leaves them."""
    outcome = run_stage(request(tmp_path / "undisturbed", PRETRAIN), Silent())
    assert outcome.status == "ok", outcome.error
    return (tmp_path / "undisturbed" / "stages" / PRETRAIN.key / BACKBONE_FILE).read_bytes()


def in_storage(storage: Storage, key: str) -> Path:
    return Path(storage.url) / "stages" / key


def test_child_on_another_node_finds_what_its_parent_left(
    tmp_path: Path, storage: Storage, one: Node, other: Node
) -> None:
    spec = finetune()
    with one:
        left = run_stage(request(tmp_path / "gone", PRETRAIN, storage.url), Silent())
    assert names(in_storage(storage, PRETRAIN.key)) == [
        BACKBONE_FILE, artefacts.OUTCOME, artefacts.SPEC
    ]  # fmt: skip
    watch = Watch()
    with other:
        outcome = run_stage(request(tmp_path / "gone", spec, storage.url), watch)
    assert outcome.status == "ok", outcome.error
    found = names(in_storage(storage, spec.key))
    assert found == [
        artefacts.CONFUSION, artefacts.EXAMPLES, artefacts.OUTCOME, artefacts.SEGMENTOR,
        artefacts.SPEC,
    ]  # fmt: skip
    assert watch.steps("prepare")[-1] > 0
    weights = other.scratch / "weights" / f"{left.artefacts[0].sha256}.safetensors"
    assert weights.read_bytes() == (in_storage(storage, PRETRAIN.key) / BACKBONE_FILE).read_bytes()
    assert names(tmp_path / "gone") == []
    assert names(one.scratch / "stages") == names(other.scratch / "stages") == []


def test_interrupted_stage_continues_on_another_node_to_the_same_bits(
    tmp_path: Path, storage: Storage, one: Node, other: Node
) -> None:
    asked = request(tmp_path / "work", PRETRAIN, storage.url)
    with one, pytest.raises(StageInterruptedError):
        run_stage(asked, Watch(stop_after=2))
    assert "checkpoint.pt" in names(in_storage(storage, PRETRAIN.key))
    watch = Watch()
    with other:
        run_stage(asked, watch)
    assert watch.saved_times <= STEPS - 2 + 1  # it did not begin anew
    assert (in_storage(storage, PRETRAIN.key) / BACKBONE_FILE).read_bytes() == undisturbed(tmp_path)
    assert "checkpoint.pt" not in names(in_storage(storage, PRETRAIN.key))


def test_what_lay_in_scratch_before_is_not_taken_up(
    tmp_path: Path, storage: Storage, one: Node
) -> None:
    with one:
        stale = scratch_folder() / "stages" / PRETRAIN.key
        stale.mkdir()
        (stale / "checkpoint.pt").write_text("of a stage that was forgotten since")
        outcome = run_stage(request(tmp_path / "work", PRETRAIN, storage.url), Silent())
    assert outcome.status == "ok", outcome.error


def test_what_a_process_left_that_died_while_it_was_waited_for_is_not_taken_up(
    tmp_path: Path, storage: Storage, one: Node
) -> None:
    holder = ExitStack()

    class Killing(Silent):
        def beat(self, beat: Beat) -> None:
            if beat.activity == "wait":
                holder.close()

    with one:
        stale = scratch_folder() / "stages" / PRETRAIN.key
        holder.enter_context(locked(lock_of(stale), lambda _waited_s: None))
        stale.mkdir()
        (stale / "checkpoint.pt").write_text("what it was about to copy")
        outcome = run_stage(request(tmp_path / "work", PRETRAIN, storage.url), Killing())
    assert outcome.status == "ok", outcome.error


def test_outcome_comes_after_all_files_that_it_names(
    tmp_path: Path, storage: Storage, one: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    push, pushed = Storage.push, []

    def note(self: Storage, file: Path, key: str) -> None:
        pushed.append(file.name)
        push(self, file, key)

    monkeypatch.setattr(Storage, "push", note)
    with one:
        run_stage(request(tmp_path, replace_steps(1), storage.url), Silent())
    assert set(pushed[:-1]) == {"checkpoint.pt", artefacts.SPEC, BACKBONE_FILE}
    assert pushed[-1] == artefacts.OUTCOME


def test_failed_stage_leaves_its_log_until_it_is_run_again(
    tmp_path: Path, storage: Storage, one: Node
) -> None:
    broken = replace(PRETRAIN, phase="gone")
    with one:
        assert run_stage(request(tmp_path, broken, storage.url), Silent()).status == "invalid"
        assert "Traceback" in str(storage.text(broken.key, artefacts.LOG))
        # the same key, mended
        in_storage(storage, broken.key).rename(in_storage(storage, PRETRAIN.key))
        with pytest.raises(StageInterruptedError):
            run_stage(request(tmp_path, PRETRAIN, storage.url), Watch(stop_after=1))
    left = ["checkpoint.pt", artefacts.SPEC]
    assert names(in_storage(storage, PRETRAIN.key)) == left


def test_checkpoint_that_cannot_be_copied_does_not_end_a_training(
    tmp_path: Path,
    storage: Storage,
    one: Node,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    push = Storage.push

    def refuse_checkpoints(self: Storage, file: Path, key: str) -> None:
        if file.name == "checkpoint.pt":
            raise OutOfReachError("the quota is used up")
        push(self, file, key)

    monkeypatch.setattr(Storage, "push", refuse_checkpoints)
    with one:
        outcome = run_stage(request(tmp_path, PRETRAIN, storage.url), Silent())
    assert outcome.status == "ok", outcome.error
    assert "was not copied: the quota is used up" in caplog.text


def test_storage_that_is_gone_is_a_sentence(tmp_path: Path, storage: Storage, one: Node) -> None:
    (Path(storage.url) / "stages").rmdir()
    with one, pytest.raises(OutOfReachError) as raised:
        run_stage(request(tmp_path, PRETRAIN, storage.url), Silent())
    assert str(raised.value) == (
        f"the storage {storage.url} cannot be used from node {node_name()}: "
        f"there is no folder {storage.url}/stages"
    )
    assert names(one.scratch / "stages") == []


def test_outcome_that_cannot_reach_the_storage_is_a_sentence(
    tmp_path: Path, storage: Storage, one: Node
) -> None:
    class Unmounting(Silent):
        def saved(self, folder: Path) -> None:
            assert folder.parent == one.scratch / "stages"
            shutil.rmtree(storage.url)

    with one, pytest.raises(OutOfReachError, match=f"the storage {storage.url} cannot be used"):
        run_stage(request(tmp_path, replace_steps(1), storage.url), Unmounting())


def test_parents_weights_that_are_not_in_the_storage_are_named(
    tmp_path: Path, storage: Storage, one: Node
) -> None:
    spec = finetune()
    with one:
        outcome = run_stage(request(tmp_path, spec, storage.url), Silent())
    assert outcome.status == "preempted"
    assert outcome.error == (
        f"its parent's weights {storage.url}/stages/{PRETRAIN.key}/{BACKBONE_FILE} cannot be read "
        f"on node {node_name()}: there is no outcome beside them"
    )
    assert storage.text(spec.key, artefacts.OUTCOME) == outcome.text()


def test_parents_weights_that_changed_are_refused(
    tmp_path: Path, storage: Storage, one: Node, other: Node
) -> None:
    with one:
        run_stage(request(tmp_path, PRETRAIN, storage.url), Silent())
    (in_storage(storage, PRETRAIN.key) / BACKBONE_FILE).write_bytes(b"damaged")
    with other:
        outcome = run_stage(request(tmp_path, finetune(), storage.url), Silent())
    assert outcome.status == "preempted"
    assert str(outcome.error).endswith("they are not those of its outcome")
    assert not list((other.scratch / "weights").glob("*.safetensors"))


@pytest.fixture
def trained(tmp_path: Path, storage: Storage) -> str:
    """Put an outcome of PRETRAIN and its weights into the storage; return the weights' hash."""
    folder = tmp_path / "trained"
    folder.mkdir()
    (folder / BACKBONE_FILE).write_bytes(b"weights")
    kept = artefacts.artefact(folder, BACKBONE_FILE)
    outcome = Outcome(PRETRAIN.key, "ok", utc_now(), 1.0, artefacts=(kept,))
    (folder / artefacts.OUTCOME).write_text(outcome.text())
    for name in (BACKBONE_FILE, artefacts.OUTCOME):
        storage.push(folder / name, PRETRAIN.key)
    return kept.sha256


def test_each_node_prepares_the_dataset_and_fetches_the_weights_once(
    tmp_path: Path, storage: Storage, trained: str, one: Node, other: Node
) -> None:
    asked = request(tmp_path, finetune(), storage.url)
    for node in (one, other):
        with node:
            first = Watch()
            ready = at_hand(asked, first)
            assert first.steps("prepare") == list(range(1, first.beats[-1].steps + 1))
            assert ready.parent_weights == str(node.scratch / "weights" / f"{trained}.safetensors")
            assert Path(ready.parent_weights).read_bytes() == b"weights"
    (in_storage(storage, PRETRAIN.key) / BACKBONE_FILE).unlink()
    with one:
        again = Watch()
        assert at_hand(asked, again).data_folder == str(one.scratch / "data")
    assert again.beats == []


def test_weights_that_a_forced_run_made_anew_are_fetched_anew(
    tmp_path: Path, storage: Storage, trained: str, one: Node
) -> None:
    asked = request(tmp_path, finetune(), storage.url)
    with one:
        before = at_hand(asked, Silent())
        file = tmp_path / "trained" / BACKBONE_FILE
        file.write_bytes(b"other weights, as a GPU may make of the same key")
        kept = artefacts.artefact(file.parent, BACKBONE_FILE)
        outcome = Outcome(PRETRAIN.key, "ok", utc_now(), 1.0, artefacts=(kept,))
        (file.parent / artefacts.OUTCOME).write_text(outcome.text())
        for name in (BACKBONE_FILE, artefacts.OUTCOME):
            storage.push(file.parent / name, PRETRAIN.key)
        after = at_hand(asked, Silent())
    assert before.parent_weights == str(one.scratch / "weights" / f"{trained}.safetensors")
    assert Path(str(after.parent_weights)).read_bytes() == file.read_bytes()


def test_weights_of_long_ago_make_room(
    tmp_path: Path, storage: Storage, trained: str, one: Node
) -> None:
    with one:
        weights = scratch_folder() / "weights"
        for name, age_s in (("old.safetensors", 2e5), ("new.safetensors", 10.0)):
            (weights / name).touch()
            then = time.time() - age_s
            os.utime(weights / name, (then, then))
        at_hand(request(tmp_path, finetune(), storage.url), Silent())
    found = {path.name for path in weights.glob("[!.]*")}
    assert found == {f"{trained}.safetensors", "new.safetensors"}


def test_one_process_of_a_node_prepares_and_the_others_wait(
    tmp_path: Path, storage: Storage, one: Node
) -> None:
    asked = request(tmp_path, finetune(parent=None), storage.url)
    with one:
        store = store_folder(scratch_folder() / "data", dataset_of(asked))
        watch = Watch()
        watch.stop.set()
        turn = store.with_name(f".{store.name}.turn")
        with locked(turn, lambda _waited_s: None), pytest.raises(StageInterruptedError):
            at_hand(asked, watch)
    assert [beat.activity for beat in watch.beats] == ["wait"]


def test_stop_while_preparing_is_heeded(tmp_path: Path, storage: Storage, one: Node) -> None:
    asked = request(tmp_path, finetune(parent=None), storage.url)
    watch = Watch()
    watch.stop.set()
    with one:
        with pytest.raises(StageInterruptedError):
            at_hand(asked, watch)
        at_hand(asked, Silent())
    assert watch.steps("prepare") == [1]


def test_files_that_are_not_those_of_the_run_are_refused(
    tmp_path: Path, storage: Storage, one: Node
) -> None:
    spec = finetune(parent=None)
    other_files = replace(spec, dataset=replace(spec.dataset, fingerprint="f" * 64))
    with one:
        outcome = run_stage(request(tmp_path, other_files, storage.url), Silent())
    assert outcome.status == "preempted"
    assert outcome.error == (
        f"demo-mfnet cannot be prepared on node {node_name()}: its files are not those that "
        "the run was planned with"
    )


def test_dataset_that_the_node_does_not_have_is_named(
    tmp_path: Path, storage: Storage, one: Node
) -> None:
    asked = request(tmp_path, finetune(parent=None), storage.url)
    with one:
        outcome = run_stage(replace(asked, selector="loveda"), Silent())
    assert outcome.status == "preempted"
    assert str(outcome.error).startswith(f"loveda cannot be prepared on node {node_name()}: ")


def test_scratch_folder_that_cannot_be_made_is_named(
    tmp_path: Path, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    scratch = tmp_path / "file" / "scratch"
    said = pytest.raises(OutOfReachError, match=f"{scratch} cannot be written on node")
    with Node(scratch, monkeypatch), said:
        run_stage(request(tmp_path, PRETRAIN, storage.url), Silent())


def test_scratch_is_the_users_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(SCRATCH_VARIABLE, raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = scratch_folder()
    assert folder == tmp_path / f"gpbench-{os.getuid()}"
    assert folder.stat().st_mode & 0o777 == 0o700
    somebody = os.getuid() + 1
    folder.rename(tmp_path / f"gpbench-{somebody}")
    monkeypatch.setattr(os, "getuid", lambda: somebody)
    with pytest.raises(OutOfReachError, match="another user's"):
        scratch_folder()


def test_second_process_of_a_stage_on_one_node_waits_for_the_first(
    tmp_path: Path, storage: Storage, one: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "LOCK_WAIT_S", 0.0)
    with one:
        folder = scratch_folder() / "stages" / PRETRAIN.key
        folder.mkdir()
        with locked(lock_of(folder), lambda _waited_s: None):
            with pytest.raises(OutOfReachError, match="another process works in"):
                run_stage(request(tmp_path, PRETRAIN, storage.url), Silent())
            assert folder.is_dir()


@pytest.mark.slow
def test_stage_of_a_killed_node_continues_on_another_to_the_same_bits(
    tmp_path: Path, storage: Storage, one: Node, other: Node
) -> None:
    asked = request(tmp_path / "work", PRETRAIN, storage.url)
    with one:
        process = subprocess.Popen(
            [sys.executable, "-c", NODE, asked.to_json()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stdout.readline() == "saved\n"
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline() == "saved\n"  # and waits: two steps are done
            process.kill()
    assert process.returncode == -signal.SIGKILL
    assert PRETRAIN.key in names(one.scratch / "stages")
    watch = Watch()
    with other:
        run_stage(asked, watch)
    assert watch.saved_times <= STEPS - 2 + 1
    assert (in_storage(storage, PRETRAIN.key) / BACKBONE_FILE).read_bytes() == undisturbed(tmp_path)
    with one:  # the next stage there clears away what the killed process left
        run_stage(request(tmp_path, replace_steps(1), storage.url), Silent())
    assert names(one.scratch / "stages") == []


def replace_steps(steps: int) -> PretrainSpec:
    """Return another stage than PRETRAIN, of so many steps."""
    return replace(PRETRAIN, recipe=replace(PRETRAIN.recipe, steps=steps))


def dataset_of(asked: StageRequest) -> DatasetSpec:
    assert asked.spec.dataset is not None
    return asked.spec.dataset
