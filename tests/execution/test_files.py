"""What the driver reads of a stage, from the working directory or through a storage."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from gpbench.core.errors import ConfigError
from gpbench.core.stage import BACKBONE_FILE, Outcome, StageRequest, utc_now
from gpbench.execution.files import StageFiles, check_storage
from gpbench.stages import artefacts
from gpbench.stages.storage import Storage
from tests.stages.nodes import PRETRAIN, finetune, names, request

KEPT = (artefacts.CONFUSION, artefacts.EXAMPLES, artefacts.SEGMENTOR)


@pytest.fixture(params=["working directory", "storage"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> str | None:
    return check_storage(str(tmp_path / "shared")) if request.param == "storage" else None


@pytest.fixture
def asked(storage: str | None, tmp_path: Path) -> StageRequest:
    return request(tmp_path / "work", finetune(parent=None), storage)


def theirs(asked: StageRequest) -> Path:
    """Return the folder into which workers put the files of a stage."""
    if asked.storage is None:
        return Path(asked.folder)
    return Path(asked.storage) / "stages" / asked.spec.key


def left(asked: StageRequest, *kept: str, status: str = "ok") -> str:
    """Leave files and an outcome that names them, as a worker does; return its hash."""
    folder = theirs(asked)
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*kept, "checkpoint.pt", artefacts.SPEC):
        (folder / name).write_text(f"content of {name}")
    recorded = tuple(artefacts.artefact(folder, name) for name in kept)
    outcome = Outcome(asked.spec.key, "ok", utc_now(), 1.0, artefacts=recorded)
    text = replace(outcome, status=status).text()  # type: ignore[arg-type]  # a text of Status
    (folder / artefacts.OUTCOME).write_text(text)
    return hashlib.sha256(text.encode()).hexdigest()


def test_outcome_is_there_with_what_is_read_of_it(asked: StageRequest, storage: str | None) -> None:
    sha256 = left(asked, *KEPT)
    outcome = StageFiles(storage).outcome(asked, sha256)
    assert outcome is not None
    assert [each.name for each in outcome.artefacts] == list(KEPT)
    assert StageFiles(storage).outcome(asked, None) == outcome
    here = {artefacts.CONFUSION, artefacts.EXAMPLES, artefacts.OUTCOME, artefacts.SPEC}
    weights = set() if storage else {artefacts.SEGMENTOR}  # which the driver does not read
    assert set(names(Path(asked.folder))) == here | weights
    assert "checkpoint.pt" not in names(theirs(asked))


def test_log_of_a_failure_is_there_and_its_checkpoint_stays(
    asked: StageRequest, storage: str | None
) -> None:
    sha256 = left(asked, status="oom")
    (theirs(asked) / artefacts.LOG).write_text("Traceback")
    outcome = StageFiles(storage).outcome(asked, sha256)
    assert outcome is not None
    assert (Path(asked.folder) / artefacts.LOG).read_text() == "Traceback"
    assert "checkpoint.pt" in names(theirs(asked))


def test_log_of_an_earlier_attempt_goes(tmp_path: Path) -> None:
    storage = check_storage(str(tmp_path / "shared"))
    asked = request(tmp_path / "work", finetune(parent=None), storage)
    Path(asked.folder).mkdir(parents=True)
    (Path(asked.folder) / artefacts.LOG).write_text("Traceback")
    left(asked)
    assert StageFiles(storage).outcome(asked, None)
    assert artefacts.LOG not in names(Path(asked.folder))


def test_nothing_is_no_outcome(asked: StageRequest, storage: str | None) -> None:
    assert StageFiles(storage).outcome(asked, None) is None
    assert StageFiles(storage).outcome(asked, "0" * 64) is None


def test_other_outcome_than_was_reported_is_refused(
    asked: StageRequest, storage: str | None
) -> None:
    left(asked, *KEPT)
    assert StageFiles(storage).outcome(asked, "0" * 64) is None


@pytest.mark.parametrize("name", KEPT)
@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_outcome_without_all_of_its_files_is_refused(
    asked: StageRequest, storage: str | None, name: str, damage: str
) -> None:
    sha256 = left(asked, *KEPT)
    if damage == "missing":
        (theirs(asked) / name).unlink()
    else:
        (theirs(asked) / name).write_text("damaged")
    assert StageFiles(storage).outcome(asked, sha256) is None


@pytest.mark.parametrize("text", ["", "{}", '{"history": 1}', "[]", "not JSON"])
def test_outcome_of_another_version_is_none(
    asked: StageRequest, storage: str | None, text: str
) -> None:
    left(asked)
    (theirs(asked) / artefacts.OUTCOME).write_text(text)
    assert StageFiles(storage).outcome(asked, None) is None


def test_outcome_of_another_stage_is_none(asked: StageRequest, storage: str | None) -> None:
    left(asked)
    text = (theirs(asked) / artefacts.OUTCOME).read_text()
    (theirs(asked) / artefacts.OUTCOME).write_text(text.replace(asked.spec.key, "0" * 64))
    assert StageFiles(storage).outcome(asked, None) is None


def test_weights_are_where_children_look_for_them(tmp_path: Path, storage: str | None) -> None:
    asked = request(tmp_path / "work", PRETRAIN, storage)
    files = StageFiles(storage)
    assert not files.has_weights(asked)
    left(asked, BACKBONE_FILE)
    assert files.has_weights(asked)


def test_forgotten_stage_has_no_outcome_and_no_checkpoint(
    asked: StageRequest, storage: str | None
) -> None:
    files = StageFiles(storage)
    files.forget(asked)
    left(asked, *KEPT, status="invalid")
    assert files.outcome(asked, None)
    files.forget(asked)
    assert files.outcome(asked, None) is None
    assert "checkpoint.pt" not in names(theirs(asked))
    assert artefacts.OUTCOME not in names(Path(asked.folder))


def test_storage_that_is_gone_holds_nothing_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    storage = check_storage(str(tmp_path / "shared"))
    asked = request(tmp_path / "work", finetune(parent=None), storage)
    sha256 = left(asked)
    (tmp_path / "shared").rename(tmp_path / "unmounted")
    assert StageFiles(storage).outcome(asked, sha256) is None
    assert f"the storage {storage} cannot be used from node" in caplog.text


def test_storage_is_made_and_named_as_other_nodes_know_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert check_storage("shared") == str(tmp_path / "shared")
    assert check_storage((tmp_path / "by-url").as_uri()) == str(tmp_path / "by-url")
    assert names(tmp_path) == ["by-url", "shared"]
    assert names(tmp_path / "shared" / "stages") == []
    Storage("shared").push(Path(__file__), "k" * 64)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("nope://bucket/runs", "Protocol not known: nope"),
        ("memory://runs", "only one process would see it"),
        ("file/below", "Not a directory"),
    ],
)
def test_storage_that_cannot_be_used_is_refused_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=rf"--storage: the storage .*{url} .*{reason}") as raised:
        check_storage(url)
    assert raised.value.exit_code == 2
