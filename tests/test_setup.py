"""The set-up of the Makefile, driven with a fake interpreter that writes down what it is asked."""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FAKE = """#!/bin/bash
echo "$@" >> asked
case "$*" in
  *version_info*) [ "$FAULT" != old ] ;;
  *ensurepip*) [ "$FAULT" != no-venv ] ;;
  -V) echo "Python 3.10.14" ;;
  "-m venv .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
  *"-e .[dev]"*) [ "$FAULT" != no-network ] ;;
esac
"""


class Checkout:
    """A folder with our Makefile, where `make` finds the fake interpreter."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("Makefile", "pyproject.toml", "constraints.txt"):
            shutil.copy(ROOT / name, folder)
        self.python = folder / "python-fake"
        self.python.write_text(FAKE)
        self.python.chmod(0o755)

    def make(self, fault: str = "", python: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run the set-up; `asked` then holds what the interpreters were asked this time."""
        (self.folder / "asked").write_text("")
        outer = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        return subprocess.run(
            ["make", f"PYTHON={python or self.python}", ".venv/ready"],
            cwd=self.folder, env=outer | {"FAULT": fault}, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip

    @property
    def asked(self) -> list[str]:
        return (self.folder / "asked").read_text().splitlines()

    def touch(self, name: str) -> None:
        """Make a file newer than all others."""
        later = (self.folder / ".venv" / "ready").stat().st_mtime + 1
        os.utime(self.folder / name, (later, later))


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_absent_interpreter_is_named_with_the_mend(checkout: Checkout) -> None:
    done = checkout.make(python="python9")
    assert done.returncode != 0
    assert "python9 is not installed" in done.stderr
    assert "make PYTHON=" in done.stderr


def test_old_interpreter_is_named_with_its_version(checkout: Checkout) -> None:
    done = checkout.make("old")
    assert done.returncode != 0
    assert "gpbench needs Python 3.11 or newer" in done.stderr
    assert "is Python 3.10.14" in done.stderr
    assert not (checkout.folder / ".venv").exists()


def test_interpreter_without_venv_names_the_package(checkout: Checkout) -> None:
    done = checkout.make("no-venv")
    assert done.returncode != 0
    assert "sudo apt install python3-venv" in done.stderr


def test_headless_opencv_comes_in_the_other_s_place(checkout: Checkout) -> None:
    assert checkout.make().returncode == 0
    steps = ("-e .[dev]", "uninstall -qq -y opencv-python", "opencv-python-headless")
    places = [
        next(i for i, line in enumerate(checkout.asked) if line.endswith(step)) for step in steps
    ]
    assert places == sorted(places)


def test_every_install_keeps_to_the_constraints(checkout: Checkout) -> None:
    checkout.make()
    installs = [line for line in checkout.asked if line.startswith("-m pip install")]
    assert len(installs) == 3
    assert all("-c constraints.txt" in line for line in installs)


def test_second_call_does_nothing(checkout: Checkout) -> None:
    checkout.make()
    assert checkout.make().returncode == 0
    assert checkout.asked == []


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_changed_requirements_are_installed_into_what_is_there(
    name: str, checkout: Checkout
) -> None:
    checkout.make()
    kept = checkout.folder / ".venv" / "kept"
    kept.touch()
    checkout.touch(name)
    checkout.make()
    assert any("-e .[dev]" in line for line in checkout.asked)
    assert kept.exists()


def test_set_up_that_broke_off_is_redone_from_an_empty_folder(checkout: Checkout) -> None:
    assert checkout.make("no-network").returncode != 0
    half = checkout.folder / ".venv" / "lib" / "half-installed"
    half.mkdir(parents=True)
    assert checkout.make().returncode == 0
    assert not half.exists()
    assert {path.name for path in (checkout.folder / ".venv").iterdir()} == {"bin", "ready"}


def test_oldest_python_is_the_one_that_the_package_asks_for() -> None:
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert (
        f"sys.version_info < ({asked.removeprefix('>=').replace('.', ', ')})"
        in (ROOT / "Makefile").read_text()
    )
