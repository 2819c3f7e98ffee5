"""The embedded targets keep what docs/demo-world.md says of them: measured, not believed."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from gpbench.api import DataError, ImageRef
from gpbench_datasets import demo_isaid, demo_mfnet, demo_potsdam, demo_pst900
from gpbench_datasets._colours import SOURCE_COLOURS
from gpbench_datasets._procedural import Procedural

NOWHERE = Path("/nowhere")
DATASETS: dict[str, Procedural] = {
    module.PLUGIN.name: module.PLUGIN
    for module in (demo_isaid, demo_mfnet, demo_pst900, demo_potsdam)
}
SHAPES: dict[str, dict[str, str]] = {
    "demo-isaid": demo_isaid.SHAPE_OF,
    "demo-mfnet": demo_mfnet.SHAPE_OF,
    "demo-pst900": demo_pst900.SHAPE_OF,
    "demo-potsdam": {"building": "house", "tree": "tree", "car": "car"},
}
DTYPES = {"demo-pst900": np.uint16}


@cache
def content(name: str, split: Any) -> list[tuple[ImageRef, NDArray[Any], NDArray[np.uint8]]]:
    """Return reference, image and label of all images of a split."""
    plugin = DATASETS[name]
    return [(ref, *plugin.read(NOWHERE, ref)) for ref in plugin.images(NOWHERE, split)]


@pytest.fixture(params=DATASETS)
def plugin(request: pytest.FixtureRequest) -> Procedural:
    return DATASETS[str(request.param)]


def test_images_and_labels_have_the_declared_form(plugin: Procedural) -> None:
    for split in ("train", "test"):
        for _, image, label in content(plugin.name, split):
            assert image.shape == (128, 128, len(plugin.info.bands))
            assert image.dtype == DTYPES.get(plugin.name, np.uint8)
            assert label.shape == (128, 128)
            assert label.dtype == np.uint8
            assert label.max() < len(plugin.info.classes)


def test_every_class_occurs_in_train_and_test(plugin: Procedural) -> None:
    for split in ("train", "test"):
        counts = np.zeros(len(plugin.info.classes), dtype=np.int64)
        for _, _, label in content(plugin.name, split):
            counts += np.bincount(label.ravel(), minlength=len(counts))
        assert (counts / counts.sum() > 0.005).all()


def test_splits_share_no_name_and_no_place(plugin: Procedural) -> None:
    train, test = (plugin.images(NOWHERE, split) for split in ("train", "test"))
    assert (len(train), len(test), len(plugin.images(NOWHERE, "val"))) == (40, 28, 0)
    assert len({ref.name for ref in (*train, *test)}) == 68
    assert {ref.scene for ref in train}.isdisjoint(ref.scene for ref in test)


def test_no_two_images_are_alike(plugin: Procedural) -> None:
    images = [image for split in ("train", "test") for _, image, _ in content(plugin.name, split)]
    assert len({image.tobytes() for image in images}) == len(images)


def test_same_name_gives_the_same_image_whatever_was_read_before(plugin: Procedural) -> None:
    ref, image, label = content(plugin.name, "test")[-1]
    again, same_label = plugin.read(NOWHERE, ref)
    np.testing.assert_array_equal(image, again)
    np.testing.assert_array_equal(label, same_label)


def test_another_process_gives_the_same_image() -> None:
    code = (
        "import hashlib\n"
        "from gpbench_datasets.demo_potsdam import PLUGIN\n"
        "image, _ = PLUGIN.read(None, PLUGIN.images(None, 'train')[3])\n"
        "print(hashlib.sha256(image.tobytes()).hexdigest())"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
        for _ in range(2)
    ]
    assert runs[0] == runs[1]


@pytest.mark.parametrize("name", ["", "train", "train-00-c", "train-x-a"])
def test_unknown_image_is_refused(name: str) -> None:
    with pytest.raises(DataError, match=f"demo-isaid has no image '{name}'"):
        demo_isaid.PLUGIN.read(NOWHERE, ImageRef(name, ""))


def test_all_are_called_synthetic_and_may_be_shown(plugin: Procedural) -> None:
    assert plugin.info.synthetic
    assert plugin.info.images_may_be_shown
    assert plugin.info.title.startswith("Synthetic")
    assert (plugin.protocol.tile_px, plugin.protocol.stride_px) == (64, 64)


def test_streets_are_seen_by_day_and_by_night() -> None:
    light: dict[str, list[float]] = {"day": [], "night": []}
    for ref, image, _ in content("demo-mfnet", "train"):
        light[ref.tags[0]].append(float(image[:, :, :3].mean()))
    assert len(light["day"]) == len(light["night"]) == 20
    assert max(light["night"]) < min(light["day"])


def test_potsdam_is_scored_without_clutter_by_f1() -> None:
    protocol = demo_potsdam.PLUGIN.protocol
    assert (protocol.metric, protocol.excluded) == ("mF1", ("clutter",))


def nearest_source_shape(colour: NDArray[np.float64]) -> str:
    """Return the shape whose source colour has the most similar hue, whatever the light."""
    hues = np.array(list(SOURCE_COLOURS.values()), dtype=float)
    hues /= np.linalg.norm(hues, axis=1, keepdims=True)
    return list(SOURCE_COLOURS)[int(np.argmax(hues @ colour))]


def colours_seen(name: str) -> dict[str, Counter[str]]:
    """Return for each class whose source colour its pixels have, image by image."""
    classes = DATASETS[name].info.classes
    seen: dict[str, Counter[str]] = {each: Counter() for each in SHAPES[name]}
    for _, image, label in content(name, "train"):
        for each, counter in seen.items():
            pixels = image[label == classes.index(each)]
            if len(pixels) >= 30:
                counter[nearest_source_shape(np.median(pixels[:, :3], axis=0))] += 1
    return seen


def test_colours_of_the_source_hold_in_isaid() -> None:
    for each, counter in colours_seen("demo-isaid").items():
        assert counter[demo_isaid.SHAPE_OF[each]] >= 0.85 * counter.total() > 0


def test_colours_of_the_source_are_exchanged_in_pst900() -> None:
    for each, counter in colours_seen("demo-pst900").items():
        assert counter[demo_pst900.COLOUR_OF[each]] >= 0.85 * counter.total() > 0
        assert counter[demo_pst900.SHAPE_OF[each]] <= 0.1 * counter.total()
    assert sorted(demo_pst900.COLOUR_OF.values()) == sorted(demo_pst900.SHAPE_OF.values())


def test_colours_of_the_source_say_nothing_in_mfnet() -> None:
    for each, counter in colours_seen("demo-mfnet").items():
        assert counter[demo_mfnet.SHAPE_OF[each]] <= 0.25 * counter.total()


def test_only_trees_keep_their_colour_in_potsdam() -> None:
    seen = colours_seen("demo-potsdam")
    assert seen["tree"]["tree"] >= 0.5 * seen["tree"].total()
    for each in ("building", "car"):
        assert seen[each][SHAPES["demo-potsdam"][each]] <= 0.25 * seen[each].total()


def recall_by_pixel(name: str, bands: slice) -> float:
    """Return the mean recall of a linear classifier that sees single pixels of some bands."""
    train, test = (
        (
            np.concatenate(
                [
                    image[::3, ::3, bands].reshape(-1, image[0, 0, bands].size)
                    for _, image, _ in found
                ]
            ),
            np.concatenate([label[::3, ::3].ravel() for _, _, label in found]),
        )
        for found in (content(name, "train"), content(name, "test"))
    )
    n_classes = len(DATASETS[name].info.classes)
    model = LinearDiscriminantAnalysis(priors=np.full(n_classes, 1 / n_classes)).fit(*train)
    predicted = model.predict(test[0])
    return float(np.mean([(predicted[test[1] == k] == k).mean() for k in range(n_classes)]))


@pytest.mark.parametrize(("name", "gain"), [("demo-mfnet", 0.2), ("demo-potsdam", 0.25)])
def test_extra_bands_tell_classes_apart(name: str, gain: float) -> None:
    assert recall_by_pixel(name, slice(None)) - recall_by_pixel(name, slice(3)) >= gain


def test_infrared_and_height_each_tell_something_in_potsdam() -> None:
    both = recall_by_pixel("demo-potsdam", slice(None))
    assert both - recall_by_pixel("demo-potsdam", slice(4)) >= 0.1  # without height


def test_statues_are_told_from_people_by_their_heat_only() -> None:
    person = demo_mfnet.CLASSES.index("person")
    heat = [
        float(np.median(image[:, :, 3][label == person]))
        for _, image, label in content("demo-mfnet", "train")
        if (label == person).sum() > 50
    ]
    assert min(heat) > demo_mfnet.HEAT["statue"] + 60
