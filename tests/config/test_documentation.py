"""docs/configuration.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from gpbench.config import config_folder, load_experiment
from gpbench.config.experiment_file import Reader
from gpbench.config.recipes import RECIPE_FIELDS

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()


def test_example_loads(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
    (tmp_path / "example.yaml").write_text(example)
    experiment = load_experiment(tmp_path / "example.yaml", {}, {}, frozenset({"test_convnext3"}))
    assert experiment.arms == ("scratch", "imagenet", "generalised[shuffle=batch]")
    assert len(experiment.datasets) == 4
    assert experiment.recipe.pretrain.steps == 100
    assert experiment.recipe.finetune.optim.lr == 5e-4
    assert set(experiment.data_roots) == {"folder:trees"}


def test_every_field_has_its_row_and_no_row_is_of_the_past() -> None:
    reader = Reader(frozenset(), Path(), [])
    fields = {*reader._fields(), *RECIPE_FIELDS}
    rows = re.findall(r"^\| (`[a-z_`, ]+`) \| .* \| .* \| .* \|$", PAGE, flags=re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == fields


def test_every_file_that_comes_with_gpbench_is_listed() -> None:
    listed = set(re.findall(r"^\| `configs/(\w+)\.yaml`", PAGE, flags=re.MULTILINE))
    assert listed == {path.stem for path in config_folder().glob("*.yaml")}
