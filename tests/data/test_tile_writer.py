"""A store is written whole or not at all, and every mistake of a dataset is named."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gpbench.core.dataset import ImageRef, Split
from gpbench.core.errors import DataError, DatasetNotFoundError, LabelError
from gpbench.data.tile_store import TileStore, write_store
from tests.data.held import HeldDataset, content

Stored = Callable[[HeldDataset], TileStore]


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


def test_an_interrupted_write_leaves_nothing(held: HeldDataset, tmp_path: Path) -> None:
    def interrupt(done: int, _total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_store(tmp_path / "s", held, tmp_path, interrupt)
    assert left_behind(tmp_path) == []


def test_what_a_killed_process_left_does_not_get_into_the_next_store(
    held: HeldDataset, tmp_path: Path
) -> None:
    partial = tmp_path / ".s.partial"
    partial.mkdir()
    (partial / "images.bin").write_bytes(b"half")
    (partial / "stray").write_bytes(b"")
    write_store(tmp_path / "s", held, tmp_path)
    assert left_behind(tmp_path) == ["s"]
    assert left_behind(tmp_path / "s") == ["images.bin", "index.json", "labels.bin"]
    TileStore.open(tmp_path / "s").verify_content()


def test_a_second_writer_of_a_store_waits_for_the_first_and_uses_its_work(
    held: HeldDataset, tmp_path: Path
) -> None:
    second_done: list[int] = []

    def write_as_second() -> None:
        write_store(tmp_path / "s", held, tmp_path, lambda done, _all: second_done.append(done))

    second = threading.Thread(target=write_as_second)

    def start_second(done: int, _all: int) -> None:
        if done == 1:
            second.start()
            second.join(timeout=0.3)
            assert second.is_alive()

    write_store(tmp_path / "s", held, tmp_path, start_second)
    second.join(timeout=10)
    assert not second.is_alive()
    assert second_done == []
    TileStore.open(tmp_path / "s").verify_content()


def test_a_place_that_cannot_be_written_to_is_a_data_error(
    held: HeldDataset, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DataError, match=r"tile store .*file/s cannot be written"):
        write_store(tmp_path / "file" / "s", held, tmp_path)


def refused(dataset: HeldDataset, folder: Path) -> DataError:
    """Return the error of writing a dataset, which leaves nothing behind."""
    with pytest.raises(DataError) as caught:
        write_store(folder / "s", dataset, folder)
    assert left_behind(folder) == []
    return caught.value


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (np.zeros((4, 4, 4), np.uint8), r"shape \(4, 4, 4\); (height, width, 3) is declared"),
        (np.zeros((4, 4), np.uint8), r"shape \(4, 4\)"),
        (np.zeros((0, 4, 3), np.uint8), r"shape \(0, 4, 3\)"),
        (np.zeros((4, 4, 3), np.float64), "holds float64; images are uint8, uint16 or float32"),
        (np.zeros((4, 4, 3), np.uint16), "holds uint16, the images before it uint8"),
    ],
)
def test_an_image_that_is_not_as_declared_is_named(
    held: HeldDataset, tmp_path: Path, image: np.ndarray, said: str
) -> None:
    held.contents["val"]["c"] = (image, np.zeros(image.shape[:2], np.uint8))
    error = refused(held, tmp_path)
    assert str(error).startswith("val image 'c'")
    assert said.replace("\\", "") in str(error)


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
    assert "train image 'b' holds NaN or infinity in band nir:" in str(refused(held, tmp_path))


def test_a_strange_label_value_is_a_label_error_that_names_the_file(
    held: HeldDataset, tmp_path: Path
) -> None:
    held.files = ("images/b.png", "masks/b.png")
    image, label = content(2)
    label[0, :2] = (3, 153)
    held.contents["train"]["b"] = (image, label)
    error = refused(held, tmp_path)
    assert isinstance(error, LabelError)
    assert "train image 'b' (images/b.png, masks/b.png) holds label value(s) 3, 153;" in str(error)


@pytest.mark.parametrize(
    "label",
    [np.zeros((9, 9), np.uint8), np.zeros((12, 10), np.int64), np.zeros((12, 10, 1), np.uint8)],
)
def test_a_label_of_another_shape_or_dtype_is_named(
    held: HeldDataset, tmp_path: Path, label: np.ndarray
) -> None:
    held.contents["test"]["e"] = (content(1)[0], label)
    said = f"the label of test image 'e' is {label.dtype} of shape {label.shape};"
    assert said in str(refused(held, tmp_path))


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_an_image_without_a_label_is_named(held: HeldDataset, tmp_path: Path, split: str) -> None:
    name = next(iter(held.contents[split]))
    held.contents[split][name] = (content(1)[0], None)
    assert f"{split} image '{name}' has no label" in str(refused(held, tmp_path))


def test_a_file_that_cannot_be_read_is_named(held: HeldDataset, tmp_path: Path) -> None:
    held.contents["test"]["e"] = OSError("broken PNG")
    said = "test image 'e' cannot be read: broken PNG"
    assert str(refused(held, tmp_path)) == said


def test_all_problems_are_shown_together(held: HeldDataset, tmp_path: Path) -> None:
    held.contents["train"]["a"] = (np.zeros((4, 4, 1), np.uint8), None)
    held.contents["val"]["c"] = DataError("masks/c.png is a colour image")
    held.contents["test"]["e"] = OSError("broken PNG")
    lines = str(refused(held, tmp_path)).splitlines()
    assert lines[0] == "Held: 4 problems"
    assert [line.split()[:4] for line in lines[1:]] == [
        ["-", "train", "image", "'a'"],
        ["-", "train", "image", "'a'"],
        ["-", "masks/c.png", "is", "a"],
        ["-", "test", "image", "'e'"],
    ]


def test_reading_stops_after_twenty_problems(held: HeldDataset, tmp_path: Path) -> None:
    held.contents["train"] = {f"t{i}": OSError("gone") for i in range(50)}
    done: list[int] = []
    with pytest.raises(DataError, match="20 or more problems") as caught:
        write_store(tmp_path / "s", held, tmp_path, lambda i, _n: done.append(i))
    assert str(caught.value).count("gone") == 20
    assert len(done) == 19


def test_the_problems_of_the_listing_come_before_any_image_is_read(
    held: HeldDataset, tmp_path: Path
) -> None:
    held.contents["train"] = {}
    held.contents["test"]["c"] = OSError("never read")
    said = str(refused(held, tmp_path))
    assert "the train split is empty" in said
    assert "image 'c' is listed 2 times, in val and test" in said
    assert "never read" not in said


def test_an_empty_test_split_is_an_error(held: HeldDataset, tmp_path: Path) -> None:
    held.contents["test"] = {}
    assert str(refused(held, tmp_path)) == "the test split is empty"


def test_a_name_listed_twice_in_one_split_is_an_error(held: HeldDataset, tmp_path: Path) -> None:
    class Twice(HeldDataset):
        def images(self, root: Path, split: Split) -> list[ImageRef]:
            return [*super().images(root, split)] * 2

    twice = Twice({**held.contents, "val": {}})
    assert "image 'a' is listed 2 times, in train and train" in str(refused(twice, tmp_path))


def test_a_missing_dataset_stays_a_missing_dataset(held: HeldDataset, tmp_path: Path) -> None:
    class Absent(HeldDataset):
        def images(self, root: Path, split: Split) -> list[ImageRef]:
            raise DatasetNotFoundError(f"held ({split})", root)

    with pytest.raises(DatasetNotFoundError):
        write_store(tmp_path / "s", Absent(held.contents), tmp_path)
