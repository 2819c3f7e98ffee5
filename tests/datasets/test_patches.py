"""What converters cut is put together to the same pixels, and what they lost is named."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from gpbench.api import DataError, ImageRef
from gpbench.readers.image import read_image
from gpbench.readers.label import identified, read_label
from gpbench_datasets._patches import (
    Box,
    PatchLayout,
    false_padding,
    first_gap,
    put_together,
    without_padding,
)
from tests.datasets.miniatures.cutting import cut, padded

ROWS_FIRST = re.compile(
    r"(?P<name>[a-z]+)_(?P<y0>-?\d+)_(?P<y1>\d+)_(?P<x0>-?\d+)_(?P<x1>\d+)\.png"
)
COLUMNS_FIRST = re.compile(
    r"(?P<name>\d+_\d+)_(?P<x0>-?\d+)_(?P<y0>-?\d+)_(?P<x1>\d+)_(?P<y1>\d+)\.png"
)
WHOLE = np.arange(12 * 10 * 3, dtype=np.uint8).reshape(12, 10, 3)


def save(folder: Path, pixels: NDArray[Any], edges: tuple[int, ...], name: str = "a") -> str:
    file = "_".join(map(str, [name, *edges])) + ".png"
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(folder / file)
    return file


def label_of(path: Path) -> NDArray[np.uint8]:
    return identified(read_label(path), 4, {255}, str(path))


def layout() -> PatchLayout:
    return PatchLayout(ROWS_FIRST, ROWS_FIRST, read_image, label_of)


@pytest.fixture
def converted(tmp_path: Path) -> Path:
    """Return a folder of images `a`, `b` to train on and `c` to score, cut into patches of 8 px."""
    for split, names in (("train", "ab"), ("val", "c")):
        for name in names:
            for edges, patch in cut(WHOLE, 8, 5).items():
                save(tmp_path / "img_dir" / split, patch, edges, name)
                save(tmp_path / "ann_dir" / split, patch[:, :, 0] % 4, edges, name)
    return tmp_path


sides = st.integers(1, 24)
patch_sizes = st.integers(5, 12)


@given(patch_sizes, st.data())
def test_what_isaids_converter_cuts_is_put_together_to_the_same_pixels_or_named(
    patch_px: int, data: st.DataObject
) -> None:
    stride_px = data.draw(st.integers(patch_px // 2, patch_px))
    height, width = data.draw(st.tuples(*[st.just(patch_px) | sides] * 2))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    image = rng.integers(256, size=(height, width, 3), dtype=np.uint8)
    label = rng.integers(4, size=(height, width), dtype=np.uint8)
    lost = _lost_by_the_converter(height, width, patch_px)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        patches = cut(padded(image, patch_px, 0), patch_px, stride_px)
        files = [save(root, patch, edges) for edges, patch in patches.items()]
        labels = cut(padded(label, patch_px, 255), patch_px, stride_px)
        label_files = [save(root / "label", patch, edges) for edges, patch in labels.items()]
        if lost:
            with pytest.raises(DataError, match="no patch covers row 0, column 0"):
                put_together(root, files, ROWS_FIRST, read_image)
            return
        whole = put_together(root, files, ROWS_FIRST, read_image)
        ids = put_together(root / "label", label_files, ROWS_FIRST, label_of)
    assert false_padding(whole, ids, 255) is None
    whole, ids = without_padding(whole, ids, 255)
    np.testing.assert_array_equal(whole, image)
    np.testing.assert_array_equal(ids, label)


def _lost_by_the_converter(height: int, width: int, patch_px: int) -> bool:
    """Return whether a side is not padded, and more than half a patch long: slices start late."""
    unpadded = patch_px in {height, width}
    return unpadded and any(patch_px < 2 * side < 2 * patch_px for side in (height, width))


@pytest.mark.parametrize(("height", "width"), [(8, 3), (3, 8), (8, 4), (4, 8)])
def test_start_before_the_image_counts_from_its_far_edge(
    tmp_path: Path, height: int, width: int
) -> None:
    image = WHOLE[:height, :width]
    patches = cut(padded(image, 8, 0), 8, 5)
    assert min(edge for edges in patches for edge in edges) < 0
    files = [save(tmp_path, patch, edges) for edges, patch in patches.items()]
    np.testing.assert_array_equal(put_together(tmp_path, files, ROWS_FIRST, read_image), image)


@pytest.mark.parametrize(("height", "width"), [(8, 5), (5, 8)])
def test_what_lies_before_such_a_start_is_lost_and_named(
    tmp_path: Path, height: int, width: int
) -> None:
    patches = cut(padded(WHOLE[:height, :width], 8, 0), 8, 5)
    files = [save(tmp_path, patch, edges) for edges, patch in patches.items()]
    with pytest.raises(DataError, match="no patch covers row 0, column 0"):
        put_together(tmp_path, files, ROWS_FIRST, read_image)


@given(st.integers(12, 40), st.integers(12, 40), patch_sizes)
def test_what_the_converters_of_isprs_tiles_cut_is_put_together_to_the_same_pixels(
    height: int, width: int, patch_px: int
) -> None:
    image = np.random.default_rng(height).integers(256, size=(height, width, 3), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        files = [
            save(Path(folder), patch, (x0, y0, x1, y1), "2_10")
            for (y0, y1, x0, x1), patch in cut(image, patch_px, patch_px).items()
        ]
        whole = put_together(Path(folder), files, COLUMNS_FIRST, read_image)
    np.testing.assert_array_equal(whole, image)


def test_potsdam_tile_has_144_patches_and_its_edge_patches_overlap() -> None:
    edges = list(cut(np.empty((6000, 6000), np.uint8), 512, 512))
    assert len(edges) == 144
    assert edges[-1] == (5488, 6000, 5488, 6000)
    assert first_gap([Box(*each) for each in edges]) is None


def test_first_gap_is_the_topmost_pixel_without_a_patch() -> None:
    boxes = [Box(0, 4, 0, 4), Box(0, 4, 4, 8), Box(4, 8, 0, 4)]
    assert first_gap(boxes) == (4, 4)
    assert first_gap([*boxes, Box(4, 8, 4, 8)]) is None
    assert first_gap([Box(0, 4, 2, 4)]) == (0, 0)


def test_label_is_put_together_without_a_channel(tmp_path: Path) -> None:
    label = WHOLE[:, :, 0] % 4
    files = [save(tmp_path, patch, edges) for edges, patch in cut(label, 8, 5).items()]
    np.testing.assert_array_equal(put_together(tmp_path, files, ROWS_FIRST, label_of), label)


ABOVE, BELOW = Box(0, 8, 0, 10), Box(4, 12, 0, 10)
LEFT, RIGHT = Box(0, 12, 0, 6), Box(0, 12, 4, 10)


@pytest.mark.parametrize(
    ("first", "second", "row", "column"),
    [
        (ABOVE, BELOW, 4, 3),
        (ABOVE, BELOW, 7, 9),
        (LEFT, RIGHT, 0, 4),
        (LEFT, RIGHT, 11, 5),
    ],
)
@pytest.mark.parametrize("channel", [0, 2])
def test_patches_that_differ_where_they_overlap_are_both_named(
    tmp_path: Path, first: Box, second: Box, row: int, column: int, channel: int
) -> None:
    other = WHOLE.copy()
    other[row, column, channel] ^= 1
    files = [
        save(tmp_path, pixels[box.y0 : box.y1, box.x0 : box.x1], box)
        for pixels, box in ((WHOLE, first), (other, second))
    ]
    with pytest.raises(
        DataError,
        match=rf"{files[0]} and .*{files[1]} overlap and differ at row {row}, column {column} ",
    ) as caught:
        put_together(tmp_path, files, ROWS_FIRST, read_image)
    assert caught.value.kind == "pixels"


def test_patches_may_differ_where_they_do_not_overlap(tmp_path: Path) -> None:
    files = [save(tmp_path, WHOLE[:8], (0, 8, 0, 10)), save(tmp_path, WHOLE[8:], (8, 12, 0, 10))]
    np.testing.assert_array_equal(put_together(tmp_path, files, ROWS_FIRST, read_image), WHOLE)


def test_patch_of_another_size_than_its_name_says_is_named(tmp_path: Path) -> None:
    file = save(tmp_path, WHOLE[:7], (0, 8, 0, 10))
    with pytest.raises(DataError, match=rf"{file} is 7 x 10 .*its name says 8 x 10") as caught:
        put_together(tmp_path, [file], ROWS_FIRST, read_image)
    assert caught.value.kind == "size"


def test_patch_with_other_channels_than_the_rest_is_named(tmp_path: Path) -> None:
    first = save(tmp_path, WHOLE[:8], (0, 8, 0, 10))
    grey = save(tmp_path, WHOLE[8:, :, 0], (8, 12, 0, 10))
    with pytest.raises(
        DataError, match=rf"{grey} has pixels of 1 channel\(s\) of uint8, .* 3 channel\(s\)"
    ) as caught:
        put_together(tmp_path, [first, grey], ROWS_FIRST, read_image)
    assert caught.value.kind == "pixels"


def test_missing_patch_is_a_missing_pixel(tmp_path: Path) -> None:
    patches = list(cut(WHOLE, 8, 5).items())
    files = [save(tmp_path, patch, edges) for edges, patch in patches[1:]]
    with pytest.raises(DataError, match="no patch covers row 0, column 0") as caught:
        put_together(tmp_path, files, ROWS_FIRST, read_image)
    assert caught.value.kind == "missing"


def test_nothing_cannot_be_put_together(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nothing to put together"):
        put_together(tmp_path, [], ROWS_FIRST, read_image)


def test_padding_is_cut_off_at_the_right_and_bottom_only() -> None:
    label = np.zeros((6, 6), np.uint8)
    label[0], label[:, 0], label[4:], label[:, 3:] = 255, 255, 255, 255
    image, rest = without_padding(np.zeros((6, 6, 3), np.uint8), label, 255)
    assert image.shape == (4, 3, 3)
    assert rest.tolist() == [[255] * 3, *[[255, 0, 0]] * 3]


@pytest.mark.parametrize(
    ("marked", "painted", "at"),
    [
        ((2, 1), (0, 0), (2, 1)),  # inside the image, black or not
        ((0, 0), (4, 5), (4, 5)),  # the image goes on below what is taken for it
        ((0, 0), (3, 3), (3, 3)),  # or at its right
    ],
)
def test_first_pixel_that_is_marked_and_no_padding_is_found(
    marked: tuple[int, int], painted: tuple[int, int], at: tuple[int, int]
) -> None:
    label, image = np.zeros((6, 6), np.uint8), np.zeros((6, 6, 3), np.uint8)
    label[4:], label[:, 3:] = 255, 255
    assert false_padding(image, label, 255) is None
    image[painted] = 0, 0, 1
    label[marked] = 255 * (marked != (0, 0))
    assert false_padding(image, label, 255) == at


def test_label_of_nothing_but_padding_has_no_size() -> None:
    image, label = without_padding(np.zeros((6, 6, 3)), np.full((6, 6), 255, np.uint8), 255)
    assert (image.shape, label.shape) == ((0, 0, 3), (0, 0))


def test_patches_of_an_image_are_one_image(converted: Path) -> None:
    listing = layout().listing(converted)
    assert layout().is_at(converted)
    assert listing.problems == []
    assert [ref.name for ref in listing.images["train"]] == ["a", "b"]
    (ref,) = listing.images["test"]
    assert (ref.name, ref.scene) == ("c", "c")
    half = len(ref.files) // 2
    assert {file.split("/")[0] for file in ref.files[:half]} == {"img_dir"}
    assert {file.split("/")[0] for file in ref.files[half:]} == {"ann_dir"}
    assert [Path(file).name for file in ref.files[:half]] == [
        Path(file).name for file in ref.files[half:]
    ]
    image, label = layout().read(converted, ref)
    np.testing.assert_array_equal(image, WHOLE)
    np.testing.assert_array_equal(label, WHOLE[:, :, 0] % 4)


@pytest.mark.parametrize(
    ("at", "edges"), [((11, 0), "4_12_0_8"), ((0, 9), "0_8_2_10"), ((11, 9), "4_12_2_10")]
)
def test_label_file_of_a_pixel_is_that_of_a_patch_that_holds_it(
    converted: Path, at: tuple[int, int], edges: str
) -> None:
    (ref,) = layout().listing(converted).images["test"]
    assert layout().label_at(ref, at) == f"ann_dir/val/c_{edges}.png"


def test_order_of_files_is_that_of_rows_and_not_of_letters(tmp_path: Path) -> None:
    tall = np.zeros((110, 8, 3), np.uint8)
    for edges, patch in cut(tall, 8, 8).items():
        save(tmp_path / "img_dir/train", patch, edges)
        save(tmp_path / "ann_dir/train", patch[:, :, 0], edges)
    (ref,) = layout().listing(tmp_path).images["train"]
    tops = [int(file.split("_")[2]) for file in ref.files[: len(ref.files) // 2]]
    assert tops == sorted(tops)


@pytest.mark.parametrize(
    ("gone", "kind", "text"),
    [
        ("ann_dir", "unlabelled", r"1 of the 4 patches of 'b' have no label, first .*img_dir"),
        ("img_dir", "missing", r"1 of the 4 label patches of 'b' have no image, first .*ann_dir"),
    ],
)
def test_image_with_an_unpaired_patch_is_left_out_and_named(
    converted: Path, gone: str, kind: str, text: str
) -> None:
    (converted / gone / "train/b_0_8_2_10.png").unlink()
    listing = layout().listing(converted)
    assert [ref.name for ref in listing.images["train"]] == ["a"]
    assert listing.problems[0].kind == kind
    assert re.search(rf"{text}/train/b_0_8_2_10\.png", listing.problems[0].text)


def test_image_that_lacks_a_patch_and_its_label_is_left_out_and_named(converted: Path) -> None:
    for kind in ("img_dir", "ann_dir"):
        (converted / kind / "train/b_0_8_2_10.png").unlink()
    listing = layout().listing(converted)
    assert [ref.name for ref in listing.images["train"]] == ["a"]
    (problem,) = listing.problems
    assert problem.kind == "missing"
    assert "no patch of 'b' covers row 0, column 8" in problem.text


def test_file_that_is_named_unlike_a_patch_is_named(converted: Path) -> None:
    (converted / "ann_dir/train/a.png").touch()
    (problem,) = layout().listing(converted).problems
    assert problem.kind == "names"
    assert re.search(r"ann_dir/train/a\.png is not named like a patch", problem.text)


def test_files_that_macos_leaves_behind_are_no_patches(converted: Path) -> None:
    (converted / "img_dir/train/._a_0_8_0_8.png").touch()
    assert layout().listing(converted).problems == []


def test_folder_without_patches_is_another_layout(tmp_path: Path) -> None:
    (tmp_path / "img_dir/test").mkdir(parents=True)
    assert not layout().is_at(tmp_path)


def test_reading_needs_nothing_but_the_reference(converted: Path) -> None:
    files = tuple(
        f"{kind}/val/{name}"
        for kind in ("img_dir", "ann_dir")
        for name in sorted(path.name for path in (converted / "img_dir/val").iterdir())
    )
    image, _ = layout().read(converted, ImageRef("c", "c", files))
    np.testing.assert_array_equal(image, WHOLE)
