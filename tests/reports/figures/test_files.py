from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gpbench.core.errors import ConfigError
from gpbench.reports.figures import figures, png, svg, write_plots
from tests.reports.comparisons import made


def test_every_figure_is_written_as_svg_and_png(tmp_path: Path) -> None:
    paths = write_plots(made(), tmp_path / "new" / "plots")
    assert [path.name for path in paths] == [
        f"{figure.name}{suffix}" for figure in figures(made()) for suffix in (".svg", ".png")
    ]
    assert sorted(paths) == sorted((tmp_path / "new" / "plots").iterdir())
    forest = figures(made())[0]
    assert paths[0].read_text(encoding="utf-8") == svg(forest)
    assert paths[1].read_bytes() == png(forest)


def test_files_are_replaced_and_others_stay(tmp_path: Path) -> None:
    (tmp_path / "forest.svg").write_text("old", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    write_plots(made(), tmp_path)
    assert (tmp_path / "forest.svg").read_text(encoding="utf-8").startswith("<svg ")
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "mine"


def test_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"cannot write plots into .*taken.*: .*another folder"):
        write_plots(made(), tmp_path / "taken")


def test_failing_write_leaves_the_old_file_and_no_part_of_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "forest.svg").write_text("old", encoding="utf-8")

    def full(path: Path, content: Any) -> int:
        with path.open("wb") as file:
            file.write(content[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ConfigError, match="No space left"):
        write_plots(made(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["forest.svg"]
    assert (tmp_path / "forest.svg").read_text(encoding="utf-8") == "old"


def test_matplotlib_is_imported_only_to_draw() -> None:
    code = "import sys, gpbench.reports.figures; sys.exit('matplotlib' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
