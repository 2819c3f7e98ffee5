"""The environment that `make` sets up and the wheel that is published."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import cv2
import pytest
from packaging.requirements import Requirement

import gpbench

ROOT = Path(__file__).parents[1]
DESKTOP_LIBRARIES = ("libGL.so.1", "libX11.so.6", "libxcb.so.1", "libgthread-2.0.so.0")


def python(code: str, hidden: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter that finds the libraries of `hidden` before the system's."""
    environment = {**os.environ, "LD_LIBRARY_PATH": str(hidden)} if hidden else None
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def hide(folder: Path, *libraries: str) -> Path:
    """Return a folder of files that no loader takes for the libraries whose names they have."""
    for library in libraries:
        (folder / library).write_text("hidden")
    return folder


# --- the environment ---


def test_cv2_works_where_libgl_is_absent(tmp_path: Path) -> None:
    code = "import cv2, numpy; assert cv2.resize(numpy.ones((4, 4)), (2, 2)).sum() == 4"
    done = python(code, hide(tmp_path, *DESKTOP_LIBRARIES))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("hidden", "error"),
    [(DESKTOP_LIBRARIES, ""), (("libz.so.1",), "libz.so.1: file too short")],
    ids=["libGL", "libz"],
)
def test_extension_that_needs_a_hidden_library_does_not_load(
    hidden: tuple[str, ...], error: str, tmp_path: Path
) -> None:
    (extension,) = Path(cv2.__file__).parent.glob("cv2*.so")
    done = python(f"import ctypes; ctypes.CDLL('{extension}')", hide(tmp_path, *hidden))
    assert error in done.stderr
    assert bool(error) == bool(done.returncode)


def test_only_the_replaced_opencv_is_missing() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "check", "--disable-pip-version-check"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    missing = "requires opencv-python, which is not installed."
    assert [line for line in done.stdout.splitlines() if not line.endswith(missing)] == []


def test_every_installed_version_is_pinned() -> None:
    pins = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if not line.startswith("#")
    )
    pins = {normalised(name): version for name, version in pins.items()}
    installed = dict(required("gpbench", frozenset({"dev"})))
    unpinned = {
        name: version
        for name, version in installed.items()
        if pins.get(name) != version and not name.startswith(("nvidia-", "cuda-toolkit", "gpbench"))
    }
    assert len(installed) > 50
    assert unpinned == {}


def required(
    name: str, extras: frozenset[str], seen: set[str] | None = None
) -> Iterator[tuple[str, str]]:
    """Yield each installed distribution that one needs, itself first, with its version."""
    seen = set() if seen is None else seen
    if name in seen:
        return
    seen.add(name)
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:  # opencv-python
        return
    yield name, found.version.partition("+")[0]
    for text in found.requires or ():
        need = Requirement(text)
        if need.marker is None or any(
            need.marker.evaluate({"extra": extra}) for extra in extras | {""}
        ):
            yield from required(normalised(need.name), frozenset(need.extras), seen)


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


# --- the wheel ---


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel, built from the checkout as a release builds it."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
         "--disable-pip-version-check", f"--wheel-dir={folder}", str(ROOT)],
        check=True, timeout=120,
    )  # fmt: skip
    (built,) = folder.glob("gpbench-*.whl")
    return built


def test_wheel_holds_the_packages_and_the_configs_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.partition("/")[0] for name in names if ".dist-info/" not in name}
    assert top == {"gpbench", "gpbench_strategies", "gpbench_datasets", "gpbench_leaderboard"}
    assert {"gpbench/py.typed", "gpbench/_configs/demo.yaml"} <= set(names)
    assert any(re.fullmatch(r"gpbench/store/migrations/versions/\w+\.py", name) for name in names)


def test_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    packages = (
        ROOT / "gpbench",
        ROOT / "strategies" / "gpbench_strategies",
        ROOT / "datasets" / "gpbench_datasets",
        ROOT / "leaderboard" / "gpbench_leaderboard",
    )
    files = {
        str(file.relative_to(package.parent))
        for package in packages
        for file in package.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert len(files) > 50
    assert files <= names


@pytest.mark.slow
def test_installed_wheel_runs_the_demo_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "installed"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index",
         "--disable-pip-version-check", f"--target={target}", str(wheel)],
        check=True, timeout=120,
    )  # fmt: skip
    assert installed_from(target, tmp_path) == {target}
    demo = run_in(tmp_path, target, "-m", "gpbench.cli.main", "demo", "--limit", "1")
    assert demo.returncode == 0, demo.stderr
    assert (tmp_path / "gpbench-demo" / "site" / "index.html").is_file()


def installed_from(target: Path, folder: Path) -> set[Path]:
    """Return the folders that an interpreter takes our packages from."""
    names = ("gpbench", "gpbench_strategies", "gpbench_datasets", "gpbench_leaderboard")
    code = f"import {', '.join(names)}; print(*({', '.join(f'{n}.__file__' for n in names)},))"
    done = run_in(folder, target, "-c", code)
    return {Path(file).parents[1] for file in done.stdout.split()}


def run_in(folder: Path, target: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(target)}, capture_output=True, text=True,
        timeout=600, check=False,
    )  # fmt: skip


def test_package_and_distribution_have_one_version() -> None:
    assert metadata.version("gpbench") == gpbench.__version__
