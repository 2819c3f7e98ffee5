"""`gpbench doctor`: each check is seen to pass and to fail, and a failing one says the mend."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from gpbench.cli.doctor import data_roots, disk_space, library, python_version, variables
from gpbench.cli.doctor import write_access as access


def test_oldest_python_passes() -> None:
    assert python_version((3, 11, 0)).ok


def test_older_python_is_wrong() -> None:
    check = python_version((3, 10, 14))
    assert not check.ok
    assert check.detail == "3.10.14; gpbench needs 3.11 or newer"


def test_disk_with_room_passes_and_names_what_is_free(tmp_path: Path) -> None:
    assert "GB free at" in disk_space(tmp_path, least_gb=0).detail


def test_full_disk_says_how_much_room_is_needed(tmp_path: Path) -> None:
    check = disk_space(tmp_path / "not" / "made", least_gb=1e9)
    assert not check.ok
    assert "make room for 1e+09 GB" in check.detail


def test_workdir_that_is_not_there_yet_can_be_made(tmp_path: Path) -> None:
    assert access(tmp_path / "not" / "made").ok
    assert not list(tmp_path.iterdir())


def test_workdir_below_a_file_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    check = access(tmp_path / "file" / "below")
    assert not check.ok
    assert "Not a directory" in check.detail
    assert "--workdir" in check.detail


def test_known_variables_are_shown() -> None:
    check = variables({"GPBENCH_DATA": "/data", "HOME": "/home"})
    assert check.ok
    assert check.detail == "GPBENCH_DATA=/data"


def test_mistyped_variable_is_wrong_and_the_nearest_is_offered() -> None:
    check = variables({"GPBENCH_WORKDIRS": "x"})
    assert not check.ok
    assert "GPBENCH_WORKDIRS is unknown. Did you mean 'GPBENCH_WORKDIR'?" in check.detail


def test_no_data_root_is_no_fault() -> None:
    assert data_roots({}).ok


def test_data_root_that_is_no_folder_is_wrong(tmp_path: Path) -> None:
    assert not data_roots({"GPBENCH_DATA": str(tmp_path / "absent")}).ok


def test_data_root_shows_the_known_folders_in_it(tmp_path: Path) -> None:
    (tmp_path / "demo-isaid").mkdir()
    (tmp_path / "holiday-pictures").mkdir()
    assert data_roots({"GPBENCH_DATA": str(tmp_path)}).detail == f"in {tmp_path}: demo-isaid"


def test_library_shows_its_version() -> None:
    assert library("yaml").detail == yaml.__version__


@pytest.mark.slow
def test_healthy_installation_exits_0(tmp_path: Path) -> None:
    done = doctor(tmp_path, {})
    document = json.loads(done.stdout)
    assert done.returncode == 0, done.stdout
    assert document["schema"] == "gpbench.check/1"
    assert document["ok"]
    assert {"python", "torch", "mmseg", "cv2", "ray", "disk"} <= {
        check["name"] for check in document["checks"]
    }


@pytest.mark.slow
def test_library_that_does_not_import_exits_2_and_says_the_mend(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise OSError('libfoo.so.1: cannot open\\nand more')\n")
    done = doctor(tmp_path, {"PYTHONPATH": str(tmp_path)})
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert done.returncode == 2
    assert {"torch", "timm"} <= {name for name, check in checks.items() if not check["ok"]}
    assert checks["cv2"]["ok"]
    assert checks["torch"]["detail"] == (
        "OSError: libfoo.so.1: cannot open; mend: pip install torch torchvision"
    )


def doctor(folder: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if "GPBENCH" not in name}
    return subprocess.run(
        [sys.executable, "-m", "gpbench.cli.main", "doctor", "--format", "json"],
        cwd=folder, env=inherited | environ, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
