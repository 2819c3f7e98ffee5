from __future__ import annotations

from pathlib import Path

import pytest

from gpbench.core.errors import ConfigError, InvalidValueError
from gpbench_leaderboard.swap import swapped_in

NAMES = ("index.html", "site.css")


def fill(output: Path, text: str = "new") -> None:
    with swapped_in(output, NAMES) as folder:
        (folder / "index.html").write_text(text)


def beside(output: Path) -> list[str]:
    return sorted(path.name for path in output.parent.iterdir())


def test_folder_appears_when_it_is_whole(tmp_path: Path) -> None:
    output = tmp_path / "deep" / "site"
    with swapped_in(output, NAMES) as folder:
        (folder / "index.html").write_text("new")
        assert not output.exists()
    assert (output / "index.html").read_text() == "new"
    assert beside(output) == ["site"]


def test_old_site_is_replaced_whole(tmp_path: Path) -> None:
    output = tmp_path / "site"
    fill(output, "old")
    (output / "site.css").write_text("old")
    fill(output)
    assert [path.name for path in output.iterdir()] == ["index.html"]
    assert beside(output) == ["site"]


def test_failure_leaves_the_old_site_and_nothing_else(tmp_path: Path) -> None:
    output = tmp_path / "site"
    fill(output, "old")
    with pytest.raises(ZeroDivisionError), swapped_in(output, NAMES) as folder:
        (folder / "index.html").write_text(str(1 / 0))
    assert (output / "index.html").read_text() == "old"
    assert beside(output) == ["site"]


def test_folder_with_other_files_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    (tmp_path / "index.html").write_text("mine")
    with pytest.raises(InvalidValueError, match=r"also holds thesis\.tex"):
        fill(tmp_path)
    assert (tmp_path / "index.html").read_text() == "mine"
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_empty_folder_is_taken_and_file_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    fill(tmp_path / "empty")
    assert (tmp_path / "empty" / "index.html").is_file()
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidValueError, match="a folder, not a file"):
        fill(tmp_path / "file")


def test_link_is_followed_and_stays(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "site").symlink_to("real")
    fill(tmp_path / "site")
    assert (tmp_path / "site").is_symlink()
    assert (tmp_path / "real" / "index.html").read_text() == "new"


def test_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"cannot be written: Not a directory; choose another"):
        fill(tmp_path / "file" / "site")


def test_site_is_readable_by_others_as_any_new_folder_is(tmp_path: Path) -> None:
    (tmp_path / "usual").mkdir()
    fill(tmp_path / "site")
    assert (tmp_path / "site").stat().st_mode == (tmp_path / "usual").stat().st_mode
