"""The road of a stranger: write a package, install it, list, test and run what is in it.

The commands are those of the package's README.md and of docs/contributing-a-strategy.md; a run
takes fewer steps than there, in one process.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Command

PAGE = Path(__file__).parents[2] / "docs" / "contributing-a-strategy.md"
BLOCK = re.compile(r"^```\n(.*?)^```", re.MULTILINE | re.DOTALL)
PROGRAMS = {"gpbench": "gpbench.cli.main", "pip": "pip", "pytest": "pytest"}
SHORT = " --executor inline" + "".join(
    f" --set {kind}.{name}" for kind in ("pretrain", "finetune") for name in ("steps=3", "batch=4")
)

Shell = Callable[[str, Path], str]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Run lines as a person does, in an environment of the test's own in which gpbench is."""
    environment = tmp_path / "environment"
    venv.create(environment)
    scripts, libraries = environment / "bin", next(environment.glob("lib/*/site-packages"))
    above = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    (libraries / "above.pth").write_text(above)
    for name, module in PROGRAMS.items():
        program = scripts / name
        program.write_text(f'#!/bin/sh\nexec "{scripts}/python" -m {module} "$@"\n')
        program.chmod(0o755)
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GPBENCH_")},
        "PATH": f"{scripts}:{os.environ['PATH']}",
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip's way to say that there is none
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }

    def run(lines: str, folder: Path) -> str:
        done = subprocess.run(
            ["bash", "-euc", lines],
            cwd=folder, env=variables, capture_output=True, text=True, timeout=500, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="module")
def mypy_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where mypy keeps what it knows of gpbench: the second package takes a tenth."""
    return tmp_path_factory.mktemp("mypy")


def commands(page: Path) -> str:
    """Return the lines of a page's blocks; its runs are short ones."""
    lines = "".join(BLOCK.findall(page.read_text()))
    return re.sub(r"^(gpbench run .*)$", rf"\1{SHORT}", lines, flags=re.MULTILINE)


def scored(said: str, dataset: str) -> set[str]:
    """Return the arms that have a score on a dataset in a table of results."""
    row = rf"^([\w-]+) +test_convnext3 +{dataset} .* m(?:IoU|F1) +\d+\.\d\d "
    return set(re.findall(row, said, re.MULTILINE))


def check_style(package: Path, cache: Path) -> None:
    """Check that ruff and mypy have nothing to say."""
    mypy = ["mypy", f"--cache-dir={cache}", "."]
    for tool in (["ruff", "check", "."], ["ruff", "format", "--check", "."], mypy):
        done = subprocess.run(
            [sys.executable, "-m", *tool],
            cwd=package, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_a_strategy_works_as_it_is_written(
    gpbench: Command, shell: Shell, mypy_cache: Path, tmp_path: Path
) -> None:
    gpbench("strategies", "new", "fading-colour", "--output", tmp_path)
    package = tmp_path / "gpbench-fading-colour"
    check_style(package, mypy_cache)
    said = shell(commands(package / "README.md"), package)
    row = "^fading-colour +Supervised classification of .* gpbench-fading-colour"
    assert re.search(row, said, re.MULTILINE)
    assert "3 passed" in said
    assert scored(said, "demo-potsdam") == {"fading-colour", "imagenet"}


@pytest.mark.slow
def test_a_dataset_works_as_it_is_written(
    gpbench: Command, shell: Shell, mypy_cache: Path, tmp_path: Path
) -> None:
    gpbench("datasets", "new", "trees", "--output", tmp_path)
    package = tmp_path / "gpbench-trees"
    check_style(package, mypy_cache)
    write_images(package / "data")
    said = shell(commands(package / "README.md"), package)
    assert re.search("^trees +Trees: images with label maps", said, re.MULTILINE)
    assert "gpbench-trees 0.1.0\n" in said
    assert "4 passed" in said
    assert "images: 2 train, 1 test" in said
    assert scored(said, "trees") == {"scratch"}


def write_images(root: Path) -> None:
    """Write three images of 64 pixels, bright where the label is 1."""
    for name in ("train/harbour_1", "train/park_1", "test/hill_1"):
        label = np.zeros((64, 64), np.uint8)
        label[16:48, 8:40] = 1
        for kind, pixels in (("images", np.stack([label * 200] * 3, axis=2)), ("labels", label)):
            path = root / kind / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)


@pytest.mark.slow
def test_the_page_leads_from_an_idea_to_a_row(shell: Shell, tmp_path: Path) -> None:
    said = shell(commands(PAGE), tmp_path)
    assert "3 passed" in said
    assert scored(said, "demo-mfnet") == {"fading", "imagenet"}
    site = (tmp_path / "gpbench-fading" / "site" / "index.html").read_text()
    assert "fading" in site
