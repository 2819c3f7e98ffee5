"""`gpbench score`: label maps of any tool, against mmsegmentation's own metric."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from mmseg.evaluation.metrics.iou_metric import IoUMetric
from numpy.typing import NDArray
from PIL import Image

from tests.cli.conftest import Command

JSON_PAGE = Path(__file__).parents[2] / "docs" / "json.md"
CARD = """
name: roofs
bands: [red]
classes: [road, roof, tree, car, clutter]
images: {pattern: "{name}.png"}
labels:
  pattern: "{name}_label.png"
  colours: {"#ff0000": road, "#00ff00": roof, "#0000ff": tree, "#ffff00": car, "#ffffff": clutter}
  ignore: ["#000000"]
splits: {train: {glob: "a*"}, test: {glob: "b*"}}
protocol: {name: halves, tile_px: 8, stride_px: 8, metric: METRIC, excluded: EXCLUDED}
"""
N_CLASSES = 5
Maps = dict[str, NDArray[np.uint8]]


def selector(folder: Path, metric: str = "mIoU", excluded: str = "[]") -> str:
    """Return a dataset that exists as a card only: it has no files."""
    card = folder / f"{metric}.yaml"
    card.write_text(CARD.replace("METRIC", metric).replace("EXCLUDED", excluded))
    return f"folder[card={card}]"


def random_maps(seed: int, n_values: int, ignored: float = 0.0) -> Maps:
    """Return label maps of several sizes at several depths."""
    rng = np.random.default_rng(seed)
    maps = {}
    for name, shape in (("a", (40, 30)), ("deep/b", (7, 90)), ("deep/er/c", (64, 64))):
        values = rng.integers(0, n_values, shape, dtype=np.uint8)
        values[rng.random(shape) < ignored] = 255
        maps[name] = values
    return maps


def written(folder: Path, maps: Maps, suffix: str = ".png") -> Path:
    for name, values in maps.items():
        path = folder / f"{name}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).save(path)
    return folder


def mmseg_scores(
    predictions: Maps, labels: Maps, folder: Path | None = None, *, reduce_zero: bool = False
) -> dict[str, NDArray[np.float64]]:
    """Return mmsegmentation's percent points per class; with a folder, it saves predictions."""
    metric = IoUMetric(iou_metrics=["mIoU", "mFscore"], output_dir=folder and str(folder))
    metric.dataset_meta = {"classes": [str(i) for i in range(N_CLASSES)]}
    for name, values in predictions.items():
        sample = {
            "pred_sem_seg": {"data": torch.tensor(values)},
            "gt_sem_seg": {"data": torch.tensor(labels[name])},
            "img_path": name,
            "reduce_zero_label": reduce_zero,
        }
        metric.process({}, [sample])
    areas = tuple(sum(each) for each in zip(*metric.results, strict=True))
    found = metric.total_area_to_metrics(*areas, metrics=["mIoU", "mFscore"])
    return {name: 100 * np.asarray(values, np.float64) for name, values in found.items()}


@pytest.fixture
def noisy() -> tuple[Maps, Maps]:
    """Return predictions that are right half of the time, and labels with ignored pixels."""
    labels = random_maps(1, N_CLASSES, ignored=0.1)
    predictions = random_maps(2, N_CLASSES)
    for name, values in predictions.items():
        right = (np.random.default_rng(3).random(values.shape) < 0.5) & (labels[name] != 255)
        values[right] = labels[name][right]
    return predictions, labels


def test_scores_equal_mmsegmentation_s(
    noisy: tuple[Maps, Maps], gpbench: Command, tmp_path: Path
) -> None:
    predictions, labels = noisy
    said = gpbench(
        *("score", written(tmp_path / "p", predictions), written(tmp_path / "l", labels, ".tif")),
        *("--dataset", selector(tmp_path), "--format", "json"),
    )
    assert said.code == 0, said.err
    expected, per_class = mmseg_scores(predictions, labels), said.document["per_class"].values()
    for ours, theirs in (
        ("iou", "IoU"), ("f1", "Fscore"), ("precision", "Precision"), ("recall", "Recall"),
    ):  # fmt: skip
        assert [each[ours] for each in per_class] == pytest.approx(expected[theirs], abs=1e-3)
    assert said.document["value"] == pytest.approx(expected["IoU"].mean(), abs=1e-3)
    assert said.document["accuracy"] == pytest.approx(float(expected["aAcc"]), abs=1e-3)
    assert 20 < said.document["value"] < 80


def test_files_that_mmsegmentation_saved_score_as_it_says(
    noisy: tuple[Maps, Maps], gpbench: Command, tmp_path: Path
) -> None:
    predictions, labels = (
        {name.rpartition("/")[2]: m for name, m in each.items()} for each in noisy
    )
    raw = {name: np.where(m == 255, 0, m + 1).astype(np.uint8) for name, m in labels.items()}
    expected = mmseg_scores(predictions, labels, tmp_path / "out", reduce_zero=True)
    said = gpbench(
        *("score", tmp_path / "out", written(tmp_path / "l", raw), "--reduce-zero-label"),
        *("--one-based-predictions", "--dataset", selector(tmp_path), "--format", "json"),
    )
    assert said.document["value"] == pytest.approx(expected["IoU"].mean(), abs=1e-3)


def test_labels_in_class_colours_score_as_their_classes(
    noisy: tuple[Maps, Maps], gpbench: Command, tmp_path: Path
) -> None:
    predictions, labels = noisy
    palette = np.zeros((256, 3), np.uint8)
    palette[:5] = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 255, 255)]
    pictures = {f"{name}_label": palette[values] for name, values in labels.items()}
    folders = (written(tmp_path / "p", predictions), written(tmp_path / "l", labels))
    coloured = (folders[0], written(tmp_path / "c", pictures), "--label-suffix", "_label")
    dataset = ("--dataset", selector(tmp_path), "--format", "json")
    assert gpbench("score", *coloured, *dataset).out == gpbench("score", *folders, *dataset).out


def test_dataset_s_protocol_decides_metric_and_classes(
    noisy: tuple[Maps, Maps], gpbench: Command, tmp_path: Path
) -> None:
    predictions = {name: values % 4 for name, values in noisy[0].items()}
    said = gpbench(
        *("score", written(tmp_path / "p", predictions), written(tmp_path / "l", noisy[1])),
        *("--dataset", selector(tmp_path, "mF1", "[clutter]"), "--format", "json"),
    )
    document = said.document
    assert (document["metric"], document["protocol"]) == ("mF1", "halves/1")
    f1 = [values["f1"] for values in document["per_class"].values()]
    assert f1[4] is None
    assert document["value"] == pytest.approx(np.mean(f1[:4]))
    assert document["pixels"]["left_out"] == sum(
        int((values >= 4).sum()) for values in noisy[1].values()
    )


def test_excluded_class_must_not_be_predicted(gpbench: Command, tmp_path: Path) -> None:
    predictions = written(tmp_path / "p", {"a": np.full((2, 2), 4, np.uint8)})
    labels = written(tmp_path / "l", {"a": np.array([[0, 4], [255, 1]], np.uint8)})
    said = gpbench(
        "score", predictions, labels, "--dataset", selector(tmp_path, "mF1", "[clutter]")
    )
    assert said.code == 2
    assert f"{tmp_path}/p/a.png predicts 'clutter' on 2 scored pixel(s)" in said.err


def test_table_shows_headline_and_classes(
    noisy: tuple[Maps, Maps], gpbench: Command, tmp_path: Path
) -> None:
    folders = (written(tmp_path / "p", noisy[0]), written(tmp_path / "l", noisy[1]))
    said = gpbench("score", *folders, "--dataset", selector(tmp_path))
    document = gpbench(
        "score", *folders, "--dataset", selector(tmp_path), "--format", "json"
    ).document
    assert re.search(rf"mIoU +{document['value']:.2f}", said.out)
    assert re.search(rf"tree +{document['per_class']['tree']['iou']:.2f}", said.out)
    assert said.err == ""


def test_classes_on_one_side_only_are_remarked(gpbench: Command, tmp_path: Path) -> None:
    said = gpbench(
        *("score", written(tmp_path / "p", {"a": np.zeros((4, 4), np.uint8)})),
        *(written(tmp_path / "l", {"a": np.eye(4, dtype=np.uint8)}), "--dataset"),
        selector(tmp_path),
    )
    assert said.code == 0
    assert said.err == (
        "the labels hold no pixel of: tree, car, clutter\n"
        "never predicted: roof, tree, car, clutter\n"
    )


def test_labels_that_may_be_counted_from_1_are_remarked(gpbench: Command, tmp_path: Path) -> None:
    folder = written(tmp_path / "p", {"a": np.array([[1, 2, 3, 4]], np.uint8)})
    command = ("score", folder, folder, "--dataset", selector(tmp_path))
    said = gpbench(*command)
    assert said.code == 0
    assert said.err.endswith(
        "the labels hold no pixel of class 0 'road': if they are counted from 1, and 0 means "
        "ignored, --reduce-zero-label\n"
    )
    reduced = gpbench(*command, "--reduce-zero-label", "--one-based-predictions")
    assert reduced.err == "the labels hold no pixel of: clutter\nnever predicted: clutter\n"


def test_all_that_is_wrong_is_said_at_once(gpbench: Command, tmp_path: Path) -> None:
    label = np.zeros((4, 4), np.uint8)
    wrong = label.copy()
    wrong[2, 1] = 9
    labels = {f"m{i:02}": label for i in range(25)} | {"wrong": label, "small": label}
    predictions = {"wrong": wrong, "small": label[:2], "stray": label}
    said = gpbench(
        *("score", written(tmp_path / "p", predictions), written(tmp_path / "l", labels)),
        *("--dataset", selector(tmp_path), "--format", "json"),
    )
    assert (said.code, said.out) == (2, "")
    lines = said.err.splitlines()
    assert lines[0].endswith(": 28 problems")
    assert sum(" is missing " in line for line in lines) == 20
    assert "  - ... and 5 more of this kind (missing)" in lines
    assert f"{tmp_path}/p/stray.png has no label" in said.err
    assert f"{tmp_path}/p/small.png is 2 x 4 pixels" in said.err
    assert re.search(r"p/wrong\.png .* 9 on 1 pixel, first at row 2, column 1", said.err)
    assert lines[-1].startswith("nothing was scored")


@pytest.mark.parametrize(("name", "code"), [("halves", 0), ("halves/1", 0), ("halves/2", 2)])
def test_another_protocol_is_refused(
    name: str, code: int, gpbench: Command, tmp_path: Path
) -> None:
    folder = written(tmp_path / "p", {"a": np.zeros((4, 4), np.uint8)})
    said = gpbench("score", folder, folder, "--dataset", selector(tmp_path), "--protocol", name)
    assert said.code == code
    if code:
        assert said.err == (
            "gpbench: unknown protocol of this dataset 'halves/2'. Did you mean 'halves/1'?\n"
        )


def test_unknown_dataset_exits_2(gpbench: Command, tmp_path: Path) -> None:
    said = gpbench("score", tmp_path, tmp_path, "--dataset", "demo-isad")
    assert said.code == 2
    assert said.err == "gpbench: unknown dataset 'demo-isad'. Did you mean 'demo-isaid'?\n"


def test_official_labels_are_scored_as_they_lie(
    samples: Path, gpbench: Command, tmp_path: Path
) -> None:
    labels = samples / "isaid_raw" / "iSAID" / "val" / "images"
    for name in ("P0003", "P0004"):
        (tmp_path / f"{name}.png").symlink_to(labels / f"{name}_instance_color_RGB.png")
    said = gpbench(
        *("score", tmp_path, labels, "--label-suffix", "_instance_color_RGB"),
        *("--dataset", "isaid", "--format", "json"),
    )
    assert said.code == 0, said.err
    document = said.document
    assert (document["images"], document["value"]) == (2, 100)
    assert len(document["absent"]) == 12
    assert document["pixels"] == {"scored": 1023 * 1147 + 1464 * 824, "left_out": 0}


def test_every_field_is_documented(gpbench: Command, tmp_path: Path) -> None:
    folder = written(tmp_path / "p", {"a": np.zeros((4, 4), np.uint8)})
    said = gpbench("score", folder, folder, "--dataset", selector(tmp_path), "--format", "json")
    _, _, rest = JSON_PAGE.read_text().partition("## `gpbench.score/1`")
    section = rest.partition("\n## ")[0]
    names = {*said.document, *said.document["pixels"], *said.document["per_class"]["road"]}
    assert {name for name in names - {"schema"} if not re.search(rf"\b{name}\b", section)} == set()
