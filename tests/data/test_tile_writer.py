"""A store is written whole or not at all, and every mistake of a dataset is named."""

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpbench.api import Image, Label
from gpbench.core.dataset import ImageRef, Split
from gpbench.core.errors import ConfigError, ContractError, DataError, DatasetNotFoundError
from gpbench.core.problems import DataProblemsError, Problem
from gpbench.data import tile_writer
from gpbench.data.tile_check import dataset_problems
from gpbench.data.tile_journal import PartialStore
from gpbench.data.tile_store import TileStore, write_store
from tests.data.held import HeldDataset, Inspected, PictureFolder, content


def left_behind(folder: Path) -> list[str]:
    """Return what a write left in the data folder, its lock aside."""
    return sorted(p.name for p in folder.iterdir() if not p.name.endswith(".lock"))


def test_progress_counts_every_image_once(held: HeldDataset, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    write_store(tmp_path / "s", held, tmp_path, lambda done, total: seen.append((done, total)))
    assert seen == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]


def test_nothing_but_the_store_is_left(held: HeldDataset, tmp_path: Path) -> None:
    write_store(tmp_path / "data" / "s", held, tmp_path)
    assert left_behind(tmp_path / "data") == ["s"]


def test_a_store_that_is_there_is_not_written_again(held: HeldDataset, tmp_path: Path) -> None:
    write_store(tmp_path / "s", held, tmp_path)
    before = TileStore.open(tmp_path / "s").content_hash
    held.contents["train"]["a"] = content(99)
    write_store(tmp_path / "s", held, tmp_path)
    assert TileStore.open(tmp_path / "s").content_hash == before


class Counting(HeldDataset):
    """Counts how often each image is read."""

    def read(self, root: Path, ref: ImageRef) -> tuple[Image, Label | None]:
        self.reads = [*getattr(self, "reads", []), ref.name]
        return super().read(root, ref)


def interrupt_after(images: int) -> Callable[[int, int], None]:
    def progress(done: int, _total: int) -> None:
        if done == images:
            raise KeyboardInterrupt

    return progress


def test_an_interrupted_write_is_continued_and_no_image_read_twice(
    held: HeldDataset, tmp_path: Path
) -> None:
    write_store(tmp_path / "undisturbed", held, tmp_path)
    dataset = Counting(held.contents)
    with pytest.raises(KeyboardInterrupt):
        write_store(tmp_path / "s", dataset, tmp_path, interrupt_after(3))
    assert left_behind(tmp_path) == [".s.partial", "undisturbed"]
    seen: list[tuple[int, int]] = []
    write_store(tmp_path / "s", dataset, tmp_path, lambda *done: seen.append(done))
    assert dataset.reads == ["a", "b", "c", "d", "e"]
    assert seen == [(3, 5), (4, 5), (5, 5)]
    assert left_behind(tmp_path) == ["s", "undisturbed"]
    assert left_behind(tmp_path / "s") == ["images.bin", "index.json", "labels.bin"]
    stores = [TileStore.open(tmp_path / name) for name in ("s", "undisturbed")]
    stores[0].verify_content()
    assert stores[0].info == stores[1].info


def test_an_image_whose_file_changed_since_is_read_again(tmp_path: Path) -> None:
    folder = PictureFolder.written(tmp_path / "raw", 4)
    with pytest.raises(KeyboardInterrupt):
        write_store(tmp_path / "s", folder.dataset, folder.root, interrupt_after(3))
    os.replace(folder.file("images", 3), folder.file("images", 0))  # noqa: PTH105  reads better
    os.link(folder.file("images", 0), folder.file("images", 3))
    write_store(tmp_path / "s", folder.dataset, folder.root)
    write_store(tmp_path / "undisturbed", folder.dataset, folder.root)
    hashes = [TileStore.open(tmp_path / name).content_hash for name in ("s", "undisturbed")]
    assert hashes[0] == hashes[1]


def test_images_keep_their_rows_where_one_was_added_before_them(
    held: HeldDataset, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        write_store(tmp_path / "s", held, tmp_path, interrupt_after(4))
    held.contents["train"] = {"0": content(77), **held.contents["train"]}
    write_store(tmp_path / "s", held, tmp_path)
    write_store(tmp_path / "undisturbed", held, tmp_path)
    hashes = [TileStore.open(tmp_path / name).content_hash for name in ("s", "undisturbed")]
    assert hashes[0] == hashes[1]


def test_what_a_killed_process_left_does_not_get_into_the_next_store(
    held: HeldDataset, tmp_path: Path
) -> None:
    partial = tmp_path / ".s.partial"
    (partial / "store").mkdir(parents=True)
    (partial / "store" / "images.bin").write_bytes(b"half")
    (partial / "images.bin").write_bytes(b"of an older version")
    write_store(tmp_path / "s", held, tmp_path)
    assert left_behind(tmp_path) == ["s"]
    assert left_behind(tmp_path / "s") == ["images.bin", "index.json", "labels.bin"]
    TileStore.open(tmp_path / "s").verify_content()


def test_a_second_writer_of_a_store_says_so_waits_for_the_first_and_uses_its_work(
    held: HeldDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits, said = threading.Event(), []

    def warn(text: str, *values: object) -> None:
        said.append(text % values)
        waits.set()

    monkeypatch.setattr(tile_writer.log, "warning", warn)
    second_done: list[int] = []

    def write_as_second() -> None:
        write_store(tmp_path / "s", held, tmp_path, lambda done, _all: second_done.append(done))

    second = threading.Thread(target=write_as_second)

    def start_second(done: int, _all: int) -> None:
        if done == 1:
            second.start()
            assert waits.wait(timeout=10)

    write_store(tmp_path / "s", held, tmp_path, start_second)
    second.join(timeout=10)
    assert not second.is_alive()
    assert second_done == []
    assert said == [f"waiting for another process that prepares {tmp_path / 's'}"]
    TileStore.open(tmp_path / "s").verify_content()


def test_a_place_that_cannot_be_written_to_is_a_data_error(
    held: HeldDataset, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DataError, match=r"tile store .*file/s cannot be written: [^;]*$"):
        write_store(tmp_path / "file" / "s", held, tmp_path)


def test_what_was_stored_is_kept_where_the_disk_fails(
    held: HeldDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(PartialStore, "finish", full)
        with pytest.raises(
            DataError, match=r"/s cannot be written: .*No space left.*kept in .*/\.s\.partial"
        ):
            write_store(tmp_path / "s", held, tmp_path)
    dataset = Counting({**held.contents})
    write_store(tmp_path / "s", dataset, tmp_path)
    assert not hasattr(dataset, "reads")


def refused(dataset: HeldDataset, folder: Path) -> tuple[Problem, ...]:
    """Return the problems for which a dataset is not written.

    It leaves what it stored where files could not be read and no more is wrong, else nothing.
    """
    with pytest.raises(DataProblemsError) as caught:
        write_store(folder / "s", dataset, folder)
    unreadable = {problem.kind for problem in caught.value.problems} == {"unreadable"}
    assert left_behind(folder) == ([".s.partial"] if unreadable else [])
    assert caught.value.dataset == "Held"
    assert list(caught.value.problems) == dataset_problems(dataset, folder)
    return caught.value.problems


def only(problems: tuple[Problem, ...], kind: str) -> str:
    """Return the text of the only problem, of that kind."""
    (problem,) = problems
    assert problem.kind == kind
    return problem.text


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (np.zeros((4, 4, 4), np.uint8), r"shape \(4, 4, 4\); (height, width, 3) is declared"),
        (np.zeros((4, 4), np.uint8), r"shape \(4, 4\)"),
        (np.zeros((0, 4, 3), np.uint8), r"shape \(0, 4, 3\)"),
        (np.zeros((4, 4, 3), np.float64), "holds float64; images are uint8, uint16 or float32"),
        (np.zeros((4, 4, 3), np.uint16), "holds uint16, most images uint8"),
    ],
)
def test_an_image_that_is_not_as_declared_is_named(
    held: HeldDataset, tmp_path: Path, image: np.ndarray, said: str
) -> None:
    held.contents["val"]["c"] = (image, np.zeros(image.shape[:2], np.uint8))
    text = only(refused(held, tmp_path), "pixels")
    assert text.startswith("val image 'c'")
    assert said.replace("\\", "") in text


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_float_that_is_no_number_is_named_with_its_band(
    held: HeldDataset, tmp_path: Path, value: float
) -> None:
    for split in held.contents.values():
        for name in split:
            split[name] = content(1, dtype=np.float32)
    image, label = content(1, dtype=np.float32)
    image[0, 0, 2] = value
    held.contents["train"]["b"] = (image, label)
    said = "train image 'b' holds NaN or infinity in band nir:"
    assert said in only(refused(held, tmp_path), "pixels")


def test_a_strange_label_value_is_named_with_the_file(held: HeldDataset, tmp_path: Path) -> None:
    held.files = ("images/b.png", "masks/b.png")
    image, label = content(2)
    label[0, :2] = (3, 153)
    held.contents["train"]["b"] = (image, label)
    said = "train image 'b' (images/b.png, masks/b.png) holds label value(s) 3, 153;"
    assert said in only(refused(held, tmp_path), "label")


@pytest.mark.parametrize(
    "label",
    [np.zeros((9, 9), np.uint8), np.zeros((12, 10), np.int64), np.zeros((12, 10, 1), np.uint8)],
)
def test_a_label_of_another_shape_or_dtype_is_named(
    held: HeldDataset, tmp_path: Path, label: np.ndarray
) -> None:
    held.contents["test"]["e"] = (content(1)[0], label)
    said = f"the label of test image 'e' is {label.dtype} of shape {label.shape};"
    kind = "label" if label.shape == (12, 10) else "size"
    assert said in only(refused(held, tmp_path), kind)


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_an_image_without_a_label_is_named(held: HeldDataset, tmp_path: Path, split: str) -> None:
    name = next(iter(held.contents[split]))
    held.contents[split][name] = (content(1)[0], None)
    said = f"{split} image '{name}' has no label"
    assert said in only(refused(held, tmp_path), "unlabelled")


def test_a_file_that_cannot_be_read_is_named(held: HeldDataset, tmp_path: Path) -> None:
    held.contents["test"]["e"] = OSError("broken PNG")
    said = "test image 'e' cannot be read: broken PNG"
    assert only(refused(held, tmp_path), "unreadable") == said


def test_an_error_of_a_library_that_is_not_installed_is_a_problem_too(
    held: HeldDataset, tmp_path: Path
) -> None:
    held.contents["test"]["e"] = ConfigError("e.tif needs the package x")
    assert only(refused(held, tmp_path), "unreadable") == "e.tif needs the package x"


def test_all_problems_of_listing_and_images_are_shown_together_in_order(
    held: HeldDataset, tmp_path: Path
) -> None:
    known = Problem("missing", "x.png is not there")
    held.contents["train"]["a"] = (np.zeros((4, 4, 1), np.uint8), None)
    held.contents["val"]["c"] = DataError("masks/c.png is a colour image", "label")
    held.contents["test"]["b"] = content(2, 7, 21)
    held.contents["train"] |= {f"t{i}": OSError("gone") for i in range(50)}
    problems = refused(Inspected(held.contents, known=(known,)), tmp_path)
    assert [problem.kind for problem in problems] == [
        "missing", "names", "pixels", "unlabelled", *["unreadable"] * 50, "label",
    ]  # fmt: skip
    assert problems[0] == known
    assert problems[4].text.startswith("train image 't0' cannot be read: gone")
    assert problems[-1].text == "masks/c.png is a colour image"


def test_the_images_of_a_dataset_with_a_wrong_listing_are_read_all_the_same(
    held: HeldDataset, tmp_path: Path
) -> None:
    held.contents["train"] = {}
    held.contents["test"]["d"] = OSError("broken PNG")
    assert [(problem.kind, problem.text) for problem in refused(held, tmp_path)] == [
        ("count", "the train split is empty"),
        ("unreadable", "test image 'd' cannot be read: broken PNG"),
    ]


def test_an_empty_test_split_is_an_error(held: HeldDataset, tmp_path: Path) -> None:
    held.contents["test"] = {}
    assert only(refused(held, tmp_path), "count") == "the test split is empty"
    with pytest.raises(DataProblemsError) as caught:
        write_store(tmp_path / "s", held, tmp_path)
    assert "--allow-partial" in str(caught.value)


def test_a_name_listed_twice_in_one_split_is_an_error(held: HeldDataset, tmp_path: Path) -> None:
    class Twice(HeldDataset):
        def images(self, root: Path, split: Split) -> list[ImageRef]:
            return [*super().images(root, split)] * 2

    twice = Twice({**held.contents, "val": {}})
    said = Problem("names", "image 'a' is listed 2 times: in train and train")
    assert said in refused(twice, tmp_path)


def test_a_missing_dataset_stays_a_missing_dataset(held: HeldDataset, tmp_path: Path) -> None:
    class Absent(HeldDataset):
        def images(self, root: Path, split: Split) -> list[ImageRef]:
            raise DatasetNotFoundError(f"held ({split})", root)

    with pytest.raises(DatasetNotFoundError):
        write_store(tmp_path / "s", Absent(held.contents), tmp_path)


def test_a_part_of_a_dataset_is_refused_with_the_flag_that_accepts_it(
    held: HeldDataset, tmp_path: Path
) -> None:
    known = Problem("count", "the train split has 2 images; the card says 1,411")
    dataset = Inspected(held.contents, known=(known,))
    with pytest.raises(DataProblemsError, match="--allow-partial"):
        write_store(tmp_path / "s", dataset, tmp_path)
    write_store(tmp_path / "s", dataset, tmp_path, allow_partial=True)
    write_store(tmp_path / "plain", held, tmp_path)
    hashes = [TileStore.open(tmp_path / name).content_hash for name in ("s", "plain")]
    assert hashes[0] == hashes[1]


def test_what_no_part_of_a_dataset_need_have_wrong_is_refused_all_the_same(
    held: HeldDataset, tmp_path: Path
) -> None:
    known = (Problem("missing", "x"), Problem("unlabelled", "y has no label"))
    dataset = Inspected(held.contents, known=known)
    with pytest.raises(DataProblemsError) as caught:
        write_store(tmp_path / "s", dataset, tmp_path, allow_partial=True)
    assert caught.value.problems == known[1:]
    assert "--allow-partial" not in str(caught.value)


def test_an_image_that_turns_out_to_be_missing_is_never_left_out(
    held: HeldDataset, tmp_path: Path
) -> None:
    held.contents["train"]["a"] = DataError("a.png is not there", "missing")
    with pytest.raises(DataProblemsError, match=r"a\.png is not there"):
        write_store(tmp_path / "s", held, tmp_path, allow_partial=True)


def test_a_bug_of_a_dataset_is_its_own_and_names_the_image(
    held: HeldDataset, tmp_path: Path
) -> None:
    held.contents["train"]["b"] = ZeroDivisionError("by zero")
    said = r"plugin 'Held' breaks its contract: reading train image 'b' raised ZeroDiv.*by zero"
    with pytest.raises(ContractError, match=said) as caught:
        write_store(tmp_path / "s", held, tmp_path)
    cause = caught.value.__cause__
    assert cause is not None
    assert isinstance(cause.__cause__, ZeroDivisionError)
    assert left_behind(tmp_path) == [".s.partial"]


@pytest.mark.parametrize(
    ("failure", "error"),
    [(OSError("a moment"), DataProblemsError), (ZeroDivisionError(), ContractError)],
)
def test_what_was_stored_before_a_file_or_the_dataset_failed_is_not_read_again(
    held: HeldDataset, tmp_path: Path, failure: Exception, error: type[Exception]
) -> None:
    write_store(tmp_path / "undisturbed", held, tmp_path)
    good = held.contents["val"]["c"]
    held.contents["val"]["c"] = failure
    with pytest.raises(error):
        write_store(tmp_path / "s", held, tmp_path)
    held.contents["val"]["c"] = good
    dataset = Counting(held.contents)
    write_store(tmp_path / "s", dataset, tmp_path)
    assert "c" in dataset.reads
    assert not {"a", "b"} & set(dataset.reads)
    hashes = [TileStore.open(tmp_path / name).content_hash for name in ("s", "undisturbed")]
    assert hashes[0] == hashes[1]


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ((None, None), "NoneType and NoneType; arrays are promised"),
        (([[1]], np.zeros((1, 1), np.uint8)), "list and ndarray; arrays are promised"),
        ((np.zeros((1, 1, 3), np.uint8), [[0]]), "ndarray and list; arrays are promised"),
    ],
)
def test_a_dataset_that_returns_no_arrays_breaks_its_contract(
    held: HeldDataset, tmp_path: Path, returned: tuple[Any, Any], said: str
) -> None:
    held.contents["train"]["b"] = returned
    with pytest.raises(ContractError, match=f"reading train image 'b' returned {said}"):
        write_store(tmp_path / "s", held, tmp_path)


def test_what_a_run_left_that_was_killed_with_its_store_in_place_is_removed(
    held: HeldDataset, tmp_path: Path
) -> None:
    write_store(tmp_path / "s", held, tmp_path)
    (tmp_path / ".s.partial").mkdir()
    (tmp_path / ".s.partial" / "journal.jsonl").write_text("\n")
    write_store(tmp_path / "s", held, tmp_path)
    assert left_behind(tmp_path) == ["s"]


@pytest.mark.parametrize("call", range(1, 16))
def test_a_disk_that_is_full_at_any_moment_is_continued_to_the_same_store(
    held: HeldDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    allocate, calls = os.posix_fallocate, iter(range(1, 16))

    def full(file: int, at: int, length: int) -> None:
        if next(calls) == call:
            raise OSError(errno.ENOSPC, "No space left on device")
        allocate(file, at, length)

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full)
        with pytest.raises(DataError, match=r"No space left.*kept in .*/\.s\.partial"):
            write_store(tmp_path / "s", held, tmp_path)
    dataset = Counting(held.contents)
    write_store(tmp_path / "s", dataset, tmp_path)
    assert dataset.reads == ["a", "b", "c", "d", "e"][(call - 1) // 3 :]
    write_store(tmp_path / "undisturbed", held, tmp_path)
    stores = [TileStore.open(tmp_path / name) for name in ("s", "undisturbed")]
    stores[0].verify_content()
    assert stores[0].content_hash == stores[1].content_hash
