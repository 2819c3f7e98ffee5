"""What may import what, checked three ways; each guard is seen to fail on a violation."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.leaderboard.sites import World, made

ROOT = Path(__file__).parents[1]
SOURCES = (ROOT, ROOT / "strategies", ROOT / "datasets", ROOT / "leaderboard")
HEAVY = {"torch", "torchvision", "timm", "ray", "mmseg", "mmengine", "mmcv", "cv2"}
PLUGINS = {"gpbench_strategies", "gpbench_datasets"}
NOT_FOR_HELP = HEAVY | {"numpy", "pydantic", "scipy", "sqlalchemy", "pandas", "matplotlib"}

REPORTING = """
import atexit, json, sys
report = sys.argv.pop(1)
def write():
    with open(report, "w") as file:
        json.dump(sorted(sys.modules), file)
atexit.register(write)
"""


def modules_after(code: str, arguments: Sequence[str], folder: Path) -> set[str]:
    """Return the top-level modules that a fresh interpreter holds after running `code`."""
    report = folder / "modules.json"
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("GPBENCH_")
    }
    done = subprocess.run(
        [sys.executable, "-c", REPORTING + code, str(report), *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in json.loads(report.read_text())}


def modules_after_command(arguments: Sequence[str], folder: Path) -> set[str]:
    return modules_after("from gpbench.cli.main import main; main()", arguments, folder)


# --- fresh interpreters ---


def test_help_imports_no_library_but_the_command_line_s(tmp_path: Path) -> None:
    assert not modules_after_command(["--help"], tmp_path) & NOT_FOR_HELP


@pytest.mark.parametrize(
    "arguments",
    [
        ["strategies", "list"],
        ["datasets", "list"],
        ["sources", "list"],
        ["recipes", "list"],
        ["recipes", "show", "demo"],
    ],
    ids=" ".join,
)
def test_lists_import_nothing_heavy_and_no_plugin(arguments: list[str], tmp_path: Path) -> None:
    assert not modules_after_command(arguments, tmp_path) & (HEAVY | PLUGINS)


@pytest.fixture(scope="module")
def workdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a working directory with the results of three arms."""
    folder = tmp_path_factory.mktemp("work")
    made(folder, World()).close()
    return folder


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"],
        ["compare"],
        ["compare", "--format", "json"],
        ["calibrate", "--draws", "3"],
        ["leaderboard", "build", "--output", "site"],
    ],
    ids=" ".join,
)
def test_reading_results_imports_nothing_heavy_and_no_plugin(
    arguments: list[str], workdir: Path, tmp_path: Path
) -> None:
    found = modules_after_command([*arguments, f"--workdir={workdir}"], tmp_path)
    assert not found & (HEAVY | PLUGINS)


def test_scoring_label_maps_imports_nothing_heavy(tmp_path: Path) -> None:
    for folder in (tmp_path / "predictions", tmp_path / "labels"):
        folder.mkdir()
        Image.fromarray(np.eye(4, dtype=np.uint8)).save(folder / "a.png")
    found = modules_after_command(
        ["score", "predictions", "labels", "--dataset", "isaid"], tmp_path
    )
    assert not found & HEAVY


def test_showing_a_dataset_imports_nothing_heavy(tmp_path: Path) -> None:
    assert not modules_after_command(["datasets", "show", "isaid"], tmp_path) & HEAVY


def test_a_stage_s_process_imports_no_database_and_no_command_line(tmp_path: Path) -> None:
    code = "import gpbench.stages.run, gpbench.execution.ray_worker"
    assert not modules_after(code, [], tmp_path) & {"sqlalchemy", "typer"}


def test_detector_sees_an_import(tmp_path: Path) -> None:
    found = modules_after("import numpy, xml.dom.minidom", [], tmp_path)
    assert {"numpy", "xml"} <= found
    assert "torch" not in found


def test_core_imports_the_standard_library_only() -> None:
    for file in (ROOT / "gpbench" / "core").glob("*.py"):
        assert imported(file) <= {*sys.stdlib_module_names, "gpbench"}, file.name


def imported(file: Path) -> set[str]:
    """Return the top-level names that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def test_no_import_is_missed_inside_a_function(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text("def f():\n    from numpy import linalg\n    import os.path\n")
    assert imported(file) == {"numpy", "os"}


def test_source_roots_are_no_packages() -> None:
    assert not [root for root in SOURCES if (root / "__init__.py").exists()]


# --- import-linter's contracts ---


def layers() -> list[str]:
    tools: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    (contract,) = (
        contract for contract in tools["importlinter"]["contracts"] if contract["id"] == "layers"
    )
    return [name for row in contract["layers"] for name in row.split(" | ")]


def test_every_package_of_gpbench_has_its_layer() -> None:
    found = {
        f"gpbench.{path.stem}"
        for path in (ROOT / "gpbench").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert found - {"gpbench.__init__"} == set(layers()) - {"gpbench_leaderboard"}


@pytest.fixture(scope="module")
def small_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tree with our package names, all empty, under our contracts."""
    tree = tmp_path_factory.mktemp("tree")
    for name in [*layers(), "gpbench_strategies.mine", "gpbench_datasets.mine"]:
        package = tree.joinpath(*name.split("."))
        package.mkdir(parents=True, exist_ok=True)
        for folder in (package, package.parent):
            if folder != tree:
                (folder / "__init__.py").touch()
    (tree / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    return tree


def lint(tree: Path, *contracts: str) -> subprocess.CompletedProcess[str]:
    command = Path(sys.executable).with_name("lint-imports")
    chosen = [f"--contract={contract}" for contract in contracts]
    return subprocess.run(
        [command, "--no-logo", "--no-cache", *chosen],
        cwd=tree, env={**os.environ, "PYTHONPATH": str(tree)}, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip


def test_contracts_are_kept_by_an_empty_tree(small_tree: Path) -> None:
    done = lint(small_tree)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("contract", "lines"),
    [
        ("layers", {"gpbench.core": "import gpbench.cli"}),
        ("layers", {"gpbench.data": "import gpbench.models"}),
        ("layers", {"gpbench.reports": "import gpbench_leaderboard"}),
        ("light", {"gpbench.reports": "import torch.nn"}),
        ("light", {"gpbench_datasets.mine": "import gpbench.parts", "gpbench.parts": "import ray"}),
        ("plugins", {"gpbench_strategies.mine": "from gpbench.core import errors"}),
        ("by-name", {"gpbench.registry": "import gpbench_strategies.mine"}),
        ("acyclic", {"gpbench.api": "import gpbench.core", "gpbench.core": "import gpbench.api"}),
    ],
)
def test_contract_is_seen_to_break(contract: str, lines: dict[str, str], small_tree: Path) -> None:
    files = {
        small_tree.joinpath(*module.split("."), "__init__.py"): lines[module] for module in lines
    }
    for file, line in files.items():
        file.write_text(line + "\n")
    done = lint(small_tree, contract)
    for file in files:
        file.write_text("")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "BROKEN" in done.stdout


# --- ruff ---


@pytest.mark.parametrize(
    ("module", "code", "rule"),
    [
        ("gpbench/metrics/module.py", "import torch\n", "TID253"),
        ("gpbench/compare/module.py", "def f():\n    import numpy\n", "PLC0415"),
        ("gpbench/engine/module.py", "import torch\n", None),
        ("gpbench/cli/module.py", "def f():\n    import numpy\n", None),
    ],
)
def test_ruff_keeps_heavy_imports_behind_doors(module: str, code: str, rule: str | None) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format=concise",
         "--select=TID253,PLC0415", f"--stdin-filename={ROOT / module}", "-"],
        input=code, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == (1 if rule else 0), done.stderr
    assert (rule or "All checks passed") in done.stdout
