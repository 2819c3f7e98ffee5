"""Plans of data that are missing, wrong, or only a part of what they should be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gpbench.core.errors import ConfigError, DataError, DatasetNotFoundError
from gpbench.core.plan import Plan
from gpbench.core.problems import DataProblemsError
from tests.planning.asked import plan
from tests.plugins import install

INSPECTED = '''"""Files of a folder; its file `problems` says `kind: text` a line."""
from gpbench.api import (
    Band, DatasetInfo, DatasetNotFoundError, EvaluationProtocol, Fact, ImageRef, Problem
)


class Inspected:
    info = DatasetInfo("Inspected", 1, (Band("red"), Band("green")), ("ground", "house"))
    protocol = EvaluationProtocol("standard", 1, "mIoU", tile_px=32, stride_px=32)
    facts = [Fact("files", "there are some", "we counted", "ours")]
    obtain = "ask the authors, and unpack so that ROOT/train is there"

    def layout(self, root):
        if not root.is_dir():
            raise DatasetNotFoundError("inspected", root, self.obtain)
        return "files in a folder"

    def problems(self, root):
        self.layout(root)
        if (root / "locked").exists():
            raise PermissionError(13, "Permission denied", str(root / "train"))
        lines = (root / "problems").read_text().splitlines() if (root / "problems").exists() else []
        return [Problem(*line.split(": ", 1)) for line in lines]

    def images(self, root, split):
        self.layout(root)
        if (root / f"no-{split}").exists():
            return []
        return [ImageRef(f"{split}-1", "place", ())]

    def read(self, root, ref):
        raise NotImplementedError


PLUGIN = Inspected()
'''


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder where the dataset `inspected` is looked for."""
    install(tmp_path / "plugins", monkeypatch, "datasets", {"inspected": INSPECTED})
    (tmp_path / "inspected").mkdir()
    return tmp_path / "inspected"


def asked(root: Path, **flags: Any) -> Plan:
    environ = {"GPBENCH_DATA": str(root.parent)}
    return plan(strategies=["scratch"], datasets=["inspected"], environ=environ, **flags)


def test_complete_dataset_is_not_partial(root: Path) -> None:
    assert asked(root, allow_partial=True).partial == ()


def test_all_that_is_wrong_is_said_at_once(root: Path) -> None:
    (root / "problems").write_text("count: 3 images, not 9\nlabel: a.png holds 77\n")
    with pytest.raises(DataProblemsError) as error:
        asked(root)
    assert [problem.kind for problem in error.value.problems] == ["count", "label"]
    assert "inspected: 2 problems" in str(error.value)
    assert "3 images, not 9" in str(error.value)
    assert "a.png holds 77" in str(error.value)
    assert "--allow-partial accepts what is missing" in str(error.value)


def test_a_part_of_a_dataset_is_refused_with_the_flag_that_accepts_it(root: Path) -> None:
    (root / "problems").write_text("count: 3 images, not 9\nmissing: b.png is not there\n")
    with pytest.raises(DataProblemsError, match="--allow-partial"):
        asked(root)
    accepted = asked(root, allow_partial=True)
    assert accepted.partial == ("inspected",)
    assert accepted.datasets[0].spec.fingerprint != "unprepared"


def test_what_is_wrong_of_a_part_stays_an_error(root: Path) -> None:
    (root / "problems").write_text("count: 3 images, not 9\nnames: c.png is in two splits\n")
    with pytest.raises(DataProblemsError) as error:
        asked(root, allow_partial=True)
    assert [problem.kind for problem in error.value.problems] == ["names"]
    assert "--allow-partial" not in str(error.value)


def test_long_lists_of_one_kind_are_cut_and_counted(root: Path) -> None:
    lines = [f"missing: {number}.png is not there" for number in range(50)]
    (root / "problems").write_text("\n".join([*lines, "label: a.png holds 77"]))
    with pytest.raises(DataProblemsError) as error:
        asked(root)
    assert len(error.value.problems) == 51
    assert "... and 30 more of this kind (missing)" in str(error.value)
    assert "19.png" in str(error.value)
    assert "20.png" not in str(error.value)
    assert "a.png holds 77" in str(error.value)


def test_missing_dataset_says_where_to_put_it_and_how_it_is_obtained(root: Path) -> None:
    with pytest.raises(DatasetNotFoundError) as error:
        plan(strategies=["scratch"], datasets=["inspected"])
    for part in ("$GPBENCH_DATA/inspected", "--data-root inspected=DIR", "ask the authors"):
        assert part in str(error.value)
    root.rmdir()
    with pytest.raises(DatasetNotFoundError) as error:
        asked(root)
    assert str(root) in str(error.value)
    assert "ask the authors" in str(error.value)


def test_all_named_data_that_are_missing_are_said_in_one_message(root: Path) -> None:
    root.rmdir()
    with pytest.raises(ConfigError) as error:
        plan(
            strategies=["imagenet"],
            datasets=["inspected", "demo-isaid"],
            sources=[f"labelled=folder[root={root.parent}/pictures]"],
            environ={"GPBENCH_DATA": str(root.parent)},
        )
    text = str(error.value)
    assert "data are missing" in text
    assert str(root) in text
    assert f"{root.parent}/pictures" in text


@pytest.mark.parametrize(("split", "purpose"), [("train", "train on"), ("test", "score")])
def test_empty_split_is_refused_also_of_a_part(root: Path, split: str, purpose: str) -> None:
    (root / f"no-{split}").touch()
    message = f"inspected: the {split} split is empty: nothing to {purpose}"
    with pytest.raises(DataError, match=message):
        asked(root, allow_partial=True)


def test_empty_validation_split_is_none(root: Path) -> None:
    (root / "no-val").touch()
    assert asked(root).datasets[0].name == "inspected"


def test_folder_that_cannot_be_listed_is_named(root: Path) -> None:
    (root / "locked").touch()
    with pytest.raises(DataError, match=f"'inspected' cannot be listed: .*{root}/train"):
        asked(root)


def test_plan_of_missing_data_is_unprepared(root: Path) -> None:
    root.rmdir()
    found = asked(root, require_data=False)
    assert {item.key for item in found.items} == {None}
    assert found.partial == ()
    (missing,) = found.missing
    assert (missing.name, str(root) in missing.reason) == ("inspected", True)
