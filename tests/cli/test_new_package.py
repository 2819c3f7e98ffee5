"""`strategies new` and `datasets new`: what is written, and what is refused."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from gpbench import registry
from gpbench.cli.new_package import _write_whole
from tests.cli.conftest import Command


def install(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a package found as an installed one is, by the entry points of its pyproject.toml."""
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    info = package / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    (info / "entry_points.txt").write_text(
        "\n".join(
            f"[{group}]\n" + "\n".join(f"{name} = {module}" for name, module in entries.items())
            for group, entries in project["entry-points"].items()
        )
    )
    monkeypatch.syspath_prepend(package)


@pytest.mark.parametrize("kind", ["strategies", "datasets"])
def test_a_package_is_four_files_and_says_what_is_next(
    kind: str, gpbench: Command, tmp_path: Path
) -> None:
    said = gpbench(kind, "new", "my-own", "--output", tmp_path / "mine")
    assert (said.code, said.err) == (0, "")
    (package,) = (tmp_path / "mine").iterdir()
    assert package.name == "gpbench-my-own"
    assert {file.name for file in package.iterdir()} == {
        "gpbench_my_own.py", "test_gpbench_my_own.py", "README.md", "pyproject.toml",
    }  # fmt: skip
    assert f"Next: cd {package} && pip install --no-deps -e ." in said.out


def test_the_current_folder_is_the_default(
    gpbench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    gpbench("datasets", "new", "here")
    assert [each.name for each in tmp_path.iterdir()] == ["gpbench-here"]


@pytest.mark.parametrize("name", ["a", "x2", "a.b", "a_b-c", "none", "dataset", "image"])
def test_a_dataset_of_any_name_loads(
    name: str, gpbench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert gpbench("datasets", "new", name, "--output", tmp_path).code == 0
    install(tmp_path / f"gpbench-{name}", monkeypatch)
    assert registry.load("datasets", name)
    assert gpbench("datasets", "show", name).code == 0


def test_a_strategy_shows_one_phase_and_its_parameters(
    gpbench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpbench("strategies", "new", "phase", "--output", tmp_path)
    install(tmp_path / "gpbench-phase", monkeypatch)
    (item,) = gpbench("strategies", "show", "phase", "--format", "json").document["items"]
    assert [phase["name"] for phase in item["phases"]] == ["supervised"]
    assert [each["name"] for each in item["parameters"]] == ["most", "inflate"]
    assert all(each["meaning"] for each in item["parameters"])


@pytest.mark.parametrize(
    "name",
    ["", "My-own", "a b", "-a", "a-", "a--b", "2d", "é", "../a", "a/b", "class", "all", "a\n"],
)
def test_a_name_that_cannot_be_used_is_refused(name: str, gpbench: Command, tmp_path: Path) -> None:
    said = gpbench("strategies", "new", "--output", tmp_path, "--", name)
    assert said.code == 2
    assert said.err.startswith(f"gpbench: NAME = {name!r} is not allowed: ")
    assert "such as 'my-own'" in said.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "name", "reason"),
    [
        ("strategies", "imagenet", "the strategy 'imagenet' exists ("),
        ("datasets", "folder", "the dataset 'folder' exists ("),
        ("strategies", "datasets", "makes the module gpbench_datasets, which exists"),
    ],
)
def test_a_name_that_is_taken_is_refused(
    kind: str, name: str, reason: str, gpbench: Command, tmp_path: Path
) -> None:
    said = gpbench(kind, "new", name, "--output", tmp_path)
    assert said.code == 2
    assert reason in said.err
    assert said.err.endswith("choose another name\n")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(gpbench: Command, tmp_path: Path) -> None:
    (tmp_path / "gpbench-folder").mkdir()
    (tmp_path / "gpbench-file").write_text("mine")
    (tmp_path / "gpbench-link").symlink_to("nowhere")
    for name in ("folder", "file", "link"):
        said = gpbench("strategies", "new", name, "--output", tmp_path)
        assert said.code == 2
        assert f"gpbench-{name} is there already, and is not overwritten" in said.err
    assert list((tmp_path / "gpbench-folder").iterdir()) == []
    assert (tmp_path / "gpbench-file").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 3


def test_a_folder_that_cannot_be_written_is_one_message(gpbench: Command, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = gpbench("datasets", "new", "trees", "--output", tmp_path / "file")
    assert said.code == 2
    assert "gpbench-trees cannot be written: " in said.err


def test_a_failure_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        _write_whole(tmp_path / "package", {"first": "written", "no/folder": "fails"})
    assert list(tmp_path.iterdir()) == []
