"""A check says what preparing would say, from as many processes as wanted, and writes nothing."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gpbench.core.problems import DataProblemsError, Problem
from gpbench.data.tile_check import dataset_problems
from gpbench.data.tile_writer import write_store
from tests.data.held import HeldDataset, Inspected, PictureFolder


def everything_in(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_a_good_dataset_has_no_problem_and_nothing_is_written(tmp_path: Path) -> None:
    folder = PictureFolder.written(tmp_path, 4)
    before = everything_in(tmp_path)
    seen: list[tuple[int, int]] = []
    assert dataset_problems(folder.dataset, tmp_path, lambda *done: seen.append(done)) == []
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert everything_in(tmp_path) == before


def test_a_part_of_a_dataset_is_accepted_where_that_is_wanted(
    held: HeldDataset, tmp_path: Path
) -> None:
    known = Problem("missing", "x.png is not there")
    dataset = Inspected(held.contents, known=(known,))
    assert dataset_problems(dataset, tmp_path) == [known]
    assert dataset_problems(dataset, tmp_path, allow_partial=True) == []


@pytest.mark.slow
def test_problems_and_their_order_are_the_same_from_one_process_and_two(tmp_path: Path) -> None:
    folder = PictureFolder.written(tmp_path / "raw", 60)
    for i in range(0, 60, 7):
        folder.file("images", i).write_bytes(b"no picture")
    Image.fromarray(np.full((20, 20), 9, np.uint8)).save(folder.file("labels", 33))
    Image.fromarray(np.zeros((20, 20, 3), np.uint16)[..., 0]).save(folder.file("images", 50))
    before = everything_in(tmp_path)
    here, there = (
        dataset_problems(folder.dataset, folder.root, selector=folder.selector, jobs=jobs)
        for jobs in (1, 2)
    )
    assert len(here) == 11
    assert here == there
    assert everything_in(tmp_path) == before
    with pytest.raises(DataProblemsError) as caught:
        write_store(tmp_path / "s", folder.dataset, folder.root, selector=folder.selector, jobs=2)
    assert list(caught.value.problems) == here
    assert [path.name for path in tmp_path.iterdir() if path not in before] == [".s.lock"]
