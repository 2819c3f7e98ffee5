from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from gpbench.core.errors import DataError
from gpbench.core.problems import Problem
from gpbench.readers.label_maps import (
    Counted,
    Meaning,
    Pair,
    count_pairs,
    meaning_of_labels,
    meaning_of_predictions,
    paired,
)

CLASSES = ("road", "roof", "tree")
COLOURS = {0x000000: 255, 0xFF0000: 0, 0x00FF00: 1, 0x0000FF: 2}
LABELS = meaning_of_labels(3, COLOURS)
PREDICTIONS = meaning_of_predictions(3, COLOURS)


def saved(path: Path, values: object) -> Path:
    """Write a label map and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(values, dtype=np.uint8)).save(path)
    return path


def coloured(values: object) -> NDArray[np.uint8]:
    """Return class colours (H, W, 3); class 255 is black."""
    codes = {index: code for code, index in COLOURS.items()}
    shown = np.vectorize(codes.__getitem__)(np.asarray(values))
    return np.stack([shown >> 16, shown >> 8 & 255, shown & 255], axis=2).astype(np.uint8)


def names(pairs: list[Pair], predictions: Path, labels: Path) -> list[tuple[str, str]]:
    return [
        (str(pair.prediction.relative_to(predictions)), str(pair.label.relative_to(labels)))
        for pair in pairs
    ]


# --- which files belong together ---


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "predicted", tmp_path / "true"


def test_files_of_equal_paths_belong_together_whatever_their_suffix(
    folders: tuple[Path, Path],
) -> None:
    predictions, labels = folders
    for name in ("b.png", "deep/er/a.v2.PNG"):
        saved(predictions / name, [[0]])
    for name in ("b.tif", "deep/er/a.v2.bmp"):
        saved(labels / name, [[0]])
    pairs, problems = paired(predictions, labels)
    assert names(pairs, predictions, labels) == [
        ("b.png", "b.tif"),
        ("deep/er/a.v2.PNG", "deep/er/a.v2.bmp"),
    ]
    assert problems == []


def test_what_is_no_label_map_is_left_alone(folders: tuple[Path, Path]) -> None:
    for folder in folders:
        saved(folder / "a.png", [[0]])
        for other in ("a.txt", "a.png.aux.xml", "._a.png", "b.jpg"):
            (folder / other).write_bytes(b"")
    pairs, problems = paired(*folders)
    assert (len(pairs), problems) == (1, [])


def test_missing_predictions_and_predictions_without_label_are_all_named(
    folders: tuple[Path, Path],
) -> None:
    predictions, labels = folders
    saved(predictions / "both.png", [[0]])
    saved(predictions / "stray.png", [[0]])
    for name in ("both", "c", "d"):
        saved(labels / f"{name}.png", [[0]])
    pairs, problems = paired(predictions, labels)
    assert len(pairs) == 1
    assert problems == [
        Problem("missing", f"{predictions}/c is missing (png, tif or bmp), of {labels}/c.png"),
        Problem("missing", f"{predictions}/d is missing (png, tif or bmp), of {labels}/d.png"),
        Problem("unlabelled", f"{predictions}/stray.png has no label {labels}/stray"),
    ]


def test_only_files_with_the_label_suffix_are_labels_where_one_is_given(
    folders: tuple[Path, Path],
) -> None:
    predictions, labels = folders
    saved(predictions / "P1.png", [[0]])
    for name in ("P1", "P1_color", "P1_id"):
        saved(labels / f"{name}.png", [[0]])
    pairs, problems = paired(predictions, labels, "_color")
    assert names(pairs, predictions, labels) == [("P1.png", "P1_color.png")]
    assert problems == []


def test_two_files_of_one_name_are_named(folders: tuple[Path, Path]) -> None:
    predictions, labels = folders
    for name in ("a.png", "a.tif"):
        saved(predictions / name, [[0]])
    saved(labels / "a.png", [[0]])
    _, problems = paired(predictions, labels)
    assert problems == [
        Problem("names", f"{predictions}/a.png and {predictions}/a.tif have one name")
    ]


def test_folder_without_label_maps_is_an_error(folders: tuple[Path, Path]) -> None:
    predictions, labels = folders
    saved(predictions / "a.png", [[0]])
    with pytest.raises(DataError, match=r"true is no folder"):
        paired(predictions, labels)
    saved(labels / "a.png", [[0]])
    with pytest.raises(DataError, match=r"true holds no label map whose name ends with '_x'"):
        paired(predictions, labels, "_x")
    (predictions / "a.png").rename(predictions / "a.jpg")
    with pytest.raises(DataError, match=r"predicted holds no label map \(png, tif or bmp"):
        paired(predictions, labels)


# --- what values mean ---


def test_values_are_classes_and_255_is_ignored_in_labels_only(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", [[0, 1, 2, 255]])
    assert LABELS.read(path).tolist() == [[0, 1, 2, 255]]
    with pytest.raises(DataError, match=r"a\.png .* 255 on 1 pixel, first at row 0, column 3"):
        PREDICTIONS.read(path)


def test_colours_are_those_of_classes_and_ignored_ones_in_labels_only(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", coloured([[0, 2], [1, 255]]))
    assert LABELS.read(path).tolist() == [[0, 2], [1, 255]]
    with pytest.raises(DataError, match=r"#000000 on 1 pixel, first at row 1, column 1"):
        PREDICTIONS.read(path)


def test_unknown_colour_is_no_class(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", np.full((2, 2, 3), 7))
    with pytest.raises(DataError, match=r"#070707 on 4 pixels, first at row 0, column 0") as error:
        LABELS.read(path)
    assert error.value.kind == "label"


def test_indices_of_a_colour_table_are_values_and_not_colours(tmp_path: Path) -> None:
    picture = Image.fromarray(np.array([[0, 1, 2]], dtype=np.uint8)).convert("P")
    picture.putdata([0, 1, 2])
    picture.putpalette([0, 0, 255, 0, 255, 0, 255, 0, 0])
    picture.save(tmp_path / "a.png")
    assert PREDICTIONS.read(tmp_path / "a.png").tolist() == [[0, 1, 2]]


def test_labels_reduced_by_one_are_read_as_mmsegmentation_reads_them(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", [[0, 1, 2, 3, 255]])
    reduced = meaning_of_labels(3, {}, reduce_zero=True)
    assert reduced.read(path).tolist() == [[255, 0, 1, 2, 255]]
    with pytest.raises(DataError, match=r"values .* 4 on 1 pixel"):
        reduced.read(saved(tmp_path / "b.png", [[4]]))


def test_value_above_the_classes_names_the_flag_for_files_counted_from_1(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", [[1, 2, 3]])
    with pytest.raises(DataError, match=r" 3 on 1 pixel.*; are labels .* --reduce-zero-label$"):
        LABELS.read(path)
    with pytest.raises(DataError, match=r" 3 on 1 pixel.*; are .* --one-based-predictions$"):
        PREDICTIONS.read(path)
    with pytest.raises(DataError, match=r" 4 on 1 pixel.* 255$"):
        LABELS.read(saved(tmp_path / "b.png", [[1, 4]]))


def test_one_based_predictions_hold_no_0(tmp_path: Path) -> None:
    one_based = meaning_of_predictions(3, {}, one_based=True)
    assert one_based.read(saved(tmp_path / "a.png", [[1, 3]])).tolist() == [[0, 2]]
    with pytest.raises(DataError, match=r"values .* 0 on 1 pixel"):
        one_based.read(saved(tmp_path / "b.png", [[0]]))


def test_colours_where_classes_have_none_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", coloured([[0]]))
    with pytest.raises(DataError, match=r"a\.png is in colours; the dataset's classes have none"):
        Meaning({0: 0}, {}).read(path)


@pytest.mark.parametrize(
    "pixels",
    [np.full((2, 2), 0.5, np.float32), np.zeros((2, 2, 3), np.uint16)],
    ids=["probabilities", "16-bit colours"],
)
def test_what_is_neither_classes_nor_colours_is_refused(
    pixels: NDArray[np.generic], tmp_path: Path
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    with pytest.raises(DataError, match=r"a\.tif is neither one channel of whole numbers nor"):
        LABELS.read(tmp_path / "a.tif")


def test_damaged_file_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    with pytest.raises(DataError, match=r"a\.png") as error:
        LABELS.read(tmp_path / "a.png")
    assert error.value.kind == "unreadable"


# --- counts ---


def count(folder: Path, pairs: list[tuple[object, object]], excluded: tuple[str, ...]) -> Counted:
    """Return what is counted of pairs of (prediction, label) values."""
    files = [
        Pair(saved(folder / f"p{i}.png", predicted), saved(folder / f"l{i}.png", true))
        for i, (predicted, true) in enumerate(pairs)
    ]
    return count_pairs(files, LABELS, PREDICTIONS, CLASSES, excluded)


def test_counts_of_all_pairs_add_up(tmp_path: Path) -> None:
    counted = count(tmp_path, [([[0, 1]], [[0, 0]]), ([[2, 2, 1]], [[1, 255, 1]])], ())
    assert counted.counts.tolist() == [[1, 1, 0], [0, 1, 1], [0, 0, 0]]
    assert counted.n_px == 5
    assert counted.problems == ()


def test_colours_and_values_are_counted_together(tmp_path: Path) -> None:
    counted = count(tmp_path, [(coloured([[0, 1]]), [[0, 0]])], ())
    assert counted.counts.tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 0]]


def test_everything_that_is_wrong_is_said_and_the_rest_is_counted(tmp_path: Path) -> None:
    counted = count(
        tmp_path,
        [([[7]], [[9]]), ([[0]], [[0, 1]]), ([[2]], [[2]])],
        (),
    )
    assert counted.counts.sum() == counted.counts[2, 2] == 1
    texts = [problem.text for problem in counted.problems]
    assert [problem.kind for problem in counted.problems] == ["label", "label", "size"]
    assert "l0.png" in texts[0]
    assert "9 on 1 pixel" in texts[0]
    assert "p0.png" in texts[1]
    assert "7 on 1 pixel" in texts[1]
    assert f"p1.png is 1 x 1 pixels (height x width), its label {tmp_path}/l1.png 1 x 2" in texts[2]


def test_excluded_class_must_not_be_predicted_where_another_is_scored(tmp_path: Path) -> None:
    predicted = [[2, 2, 2], [2, 2, 0]]
    counted = count(tmp_path, [(predicted, [[255, 2, 2], [0, 1, 0]])], ("tree",))
    assert counted.problems == (
        Problem(
            "label",
            f"{tmp_path}/p0.png predicts 'tree' on 2 scored pixel(s), first at row 1, column 0; "
            "the protocol excludes that class: take the best of the others there",
        ),
    )


def test_progress_counts_pairs(tmp_path: Path) -> None:
    said: list[tuple[int, int]] = []
    pair = Pair(saved(tmp_path / "p.png", [[0]]), saved(tmp_path / "l.png", [[0]]))
    count_pairs([pair] * 2, LABELS, PREDICTIONS, CLASSES, progress=lambda *n: said.append(n))
    assert said == [(1, 2), (2, 2)]
