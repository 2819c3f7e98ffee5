"""What is written into a store comes back to the bit; what is damaged is said, not read."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpbench.core.dataset import SPLITS, Band, DatasetInfo, Protocol
from gpbench.core.errors import DataError
from gpbench.core.stage import DatasetSpec, PluginSpec
from gpbench.data.tile_store import TileIndex, TileStore, store_folder, write_store
from tests.data.held import HeldDataset, content

Stored = Callable[[HeldDataset], TileStore]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_images_and_labels_come_back_to_the_bit_in_their_own_dtype(
    held: HeldDataset, stored: Stored, dtype: type
) -> None:
    for name, split in (("a", "train"), ("b", "train"), ("c", "val"), ("d", "test"), ("e", "test")):
        image, label = content(ord(name), 3 + ord(name) % 5, 9, dtype)
        held.contents[split][name] = (image * 3, label)
    store = stored(held)
    assert store.dtype == dtype
    assert [image.name for image in store.images("train")] == ["a", "b"]
    for split in SPLITS:
        for row in store.images(split):
            image, label = store.read(row.index)
            expected = held.contents[split][row.name]
            assert isinstance(expected, tuple)
            assert image.dtype == dtype
            np.testing.assert_array_equal(image, expected[0])
            np.testing.assert_array_equal(label, expected[1])
            assert (row.height, row.width) == image.shape[:2]
            assert (row.scene, row.tags) == (f"scene-{row.name}", ("day",))


def test_what_is_read_is_a_view_that_cannot_be_written_to(
    held: HeldDataset, stored: Stored
) -> None:
    image, label = stored(held).read(1)
    assert image.base is not None
    for values in (image, label):
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 1


def test_an_empty_validation_split_is_a_split_without_images(
    held: HeldDataset, stored: Stored
) -> None:
    del held.contents["val"]
    store = stored(held)
    assert store.images("val") == ()
    assert store.class_pixels("val").shape == (0, 3)


def test_class_pixels_are_counted_per_image_without_ignored_ones(
    held: HeldDataset, stored: Stored
) -> None:
    label = np.array([[0, 0, 255], [2, 255, 0]], dtype=np.uint8)
    held.contents["train"]["a"] = (np.zeros((2, 3, 3), np.uint8), label)
    assert stored(held).class_pixels("train")[0].tolist() == [3, 0, 1]


def test_mean_and_deviation_are_those_of_all_training_pixels_by_hand(
    held: HeldDataset, stored: Stored
) -> None:
    held.bands = ("grey", "flat")
    first = np.array([[[0, 7], [2, 7]]], dtype=np.uint8)
    second = np.array([[[4, 7]], [[4, 7]], [[10, 7]]], dtype=np.uint8)
    for name, image in (("a", first), ("b", second)):
        held.contents["train"][name] = (image, np.zeros(image.shape[:2], np.uint8))
    held.contents["val"] = {}
    held.contents["test"] = {"d": content(1, n_bands=2)}
    store = stored(held)
    np.testing.assert_allclose(store.mean, [4.0, 7.0])  # (0 + 2 + 4 + 4 + 10) / 5
    np.testing.assert_allclose(store.std, [math.sqrt((16 + 4 + 36) / 5), 1.0])
    assert store.info.std[1] == 0.0


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_mean_and_deviation_agree_with_numpy_over_several_blocks(
    held: HeldDataset, stored: Stored, dtype: type
) -> None:
    images = [content(seed, 300, 301, dtype) for seed in (1, 2)]
    held.contents["train"] = {"a": images[0], "b": images[1]}
    held.contents["val"] = {}
    held.contents["test"] = {"d": content(4, dtype=dtype)}
    pixels = np.concatenate([image.reshape(-1, 3) for image, _ in images]).astype(np.float64)
    store = stored(held)
    np.testing.assert_allclose(store.mean, pixels.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(store.std, pixels.std(axis=0), rtol=1e-12)


def test_the_deviation_of_values_far_from_zero_does_not_cancel(
    held: HeldDataset, stored: Stored
) -> None:
    held.bands = ("height",)
    values = np.array([[[8e6], [8e6 + 1]]], dtype=np.float32)
    label = np.zeros((1, 2), np.uint8)
    held.contents = {"train": {"a": (values, label)}, "test": {"b": (values, label)}}
    assert stored(held).std.tolist() == [0.5]


def test_the_content_hash_depends_on_every_pixel_and_not_on_the_folder(
    held: HeldDataset, tmp_path: Path
) -> None:
    hashes = []
    for folder in ("one", "two", "three"):
        if folder == "three":
            image, label = content(5)
            image[3, 3, 0] ^= 1
            held.contents["test"]["e"] = (image, label)
        write_store(tmp_path / folder, held, tmp_path)
        hashes.append(TileStore.open(tmp_path / folder).content_hash)
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no tile store at .*absent"):
        TileStore.open(tmp_path / "absent")


@pytest.mark.parametrize("name", ["images.bin", "labels.bin"])
def test_a_truncated_file_is_found_on_opening(held: HeldDataset, stored: Stored, name: str) -> None:
    file = stored(held).folder / name
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(DataError, match=rf"damaged \({name} has \d+ bytes.*delete that folder"):
        TileStore.open(file.parent)


@pytest.mark.parametrize("name", ["images.bin", "labels.bin", "index.json"])
def test_a_missing_file_is_found_on_opening(held: HeldDataset, stored: Stored, name: str) -> None:
    folder = stored(held).folder
    (folder / name).unlink()
    with pytest.raises(DataError, match=rf"damaged \(.*{name}.*delete that folder"):
        TileStore.open(folder)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema": "gpbench.tiles/0", "content_hash": ""}', "\x00\xff"]
)
def test_an_index_that_is_none_is_found_on_opening(
    held: HeldDataset, stored: Stored, text: str
) -> None:
    folder = stored(held).folder
    (folder / "index.json").write_text(text, encoding="latin-1")
    with pytest.raises(DataError, match="damaged"):
        TileStore.open(folder)


def test_an_index_that_was_edited_is_found_on_opening(held: HeldDataset, stored: Stored) -> None:
    file = stored(held).folder / "index.json"
    document = json.loads(file.read_text())
    document["images"][0]["height"], document["images"][0]["width"] = 10, 12
    file.write_text(json.dumps(document))
    with pytest.raises(DataError, match=r"index\.json was changed"):
        TileStore.open(file.parent)


def test_an_index_whose_images_overlap_is_found_on_opening(
    held: HeldDataset, stored: Stored
) -> None:
    file = stored(held).folder / "index.json"
    document = json.loads(file.read_text())
    document["images"][1]["offset_px"] -= 1
    file.write_text(json.dumps(document))
    with pytest.raises(DataError, match=r"index\.json was changed"):
        TileStore.open(file.parent)


def test_where_in_the_files_an_image_lies_is_no_part_of_the_content_hash(
    held: HeldDataset, stored: Stored
) -> None:
    info = stored(held).info
    first, second, *rest = info.images
    swapped = [replace(first, offset_px=second.n_px), replace(second, offset_px=0), *rest]
    other = replace(info, images=tuple(swapped))
    assert other.content_hash == info.content_hash
    assert TileIndex.from_json(other.to_json()) == other
    renamed = replace(info, images=(replace(first, image_sha256="0" * 64), second, *rest))
    assert renamed.content_hash != info.content_hash


def test_a_store_is_hardly_larger_than_its_pixels(held: HeldDataset, stored: Stored) -> None:
    held.contents["train"] = {f"t{i}": content(i, 64, 64) for i in range(20)}
    store = stored(held)
    n_bytes = sum(file.stat().st_size for file in store.folder.iterdir())
    assert n_bytes <= 1.05 * sum(image.n_px for image in store.info.images) * 4


@pytest.mark.parametrize("name", ["images.bin", "labels.bin"])
def test_one_changed_byte_is_found_by_verifying_the_content(
    held: HeldDataset, stored: Stored, name: str
) -> None:
    store = stored(held)
    store.verify_content()
    file = store.folder / name
    content_before = bytearray(file.read_bytes())
    content_before[40] ^= 1
    file.write_bytes(content_before)
    with pytest.raises(DataError, match=f"'[ab]' in {name} is not as it was written"):
        TileStore.open(store.folder).verify_content()


def spec(**changes: Any) -> DatasetSpec:
    info = DatasetInfo(title="T", version=1, bands=(Band("red"),), classes=("a", "b"))
    protocol = Protocol(name="p", version=1, metric="mIoU", tile_px=8, stride_px=8)
    given = DatasetSpec(PluginSpec("demo-mfnet", 1), info, protocol, "f" * 64)
    return replace(given, **changes)


def test_a_stores_folder_is_named_by_dataset_and_what_determines_it() -> None:
    folder = store_folder(Path("data"), spec())
    assert folder.parent == Path("data")
    assert folder.name.startswith("demo-mfnet-")
    assert len(folder.name) == len("demo-mfnet-") + 16
    other_data = spec(fingerprint="0" * 64)
    other_plugin = spec(plugin=PluginSpec("demo-mfnet", 2))
    assert len({store_folder(Path(), s) for s in (spec(), other_data, other_plugin)}) == 3


def test_the_protocol_does_not_change_where_a_store_lies() -> None:
    protocol = Protocol(name="q", version=2, metric="mF1", tile_px=4, stride_px=2)
    assert store_folder(Path(), spec(protocol=protocol)) == store_folder(Path(), spec())


def test_a_name_that_is_no_file_name_stays_inside_the_data_folder() -> None:
    folder = store_folder(Path("data"), spec(plugin=PluginSpec("folder:../my trees", 1)))
    assert folder.name.startswith("folder-..-my-trees-")
    assert folder.parent == Path("data")
