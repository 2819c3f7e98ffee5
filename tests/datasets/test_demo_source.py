"""The embedded source: shapes with habitual colours, and scenes of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from gpbench.api import DataError, SourceRef
from gpbench_datasets._colours import SOURCE_COLOURS
from gpbench_datasets._shapes import SHAPES
from gpbench_datasets.sources.demo import PLUGIN, SCENES

NOWHERE = Path("/nowhere")


def test_every_role_has_its_images() -> None:
    counts = {role: len(PLUGIN.images(NOWHERE, role)) for role in PLUGIN.info.roles}
    assert counts == {"labelled": 2520, "unlabelled": 800, "scenes": 800}
    assert PLUGIN.info.synthetic


@pytest.mark.parametrize(("role", "classes"), [("labelled", SHAPES), ("scenes", SCENES)])
def test_labels_count_from_0_without_gaps_and_classes_are_of_one_size(
    role: str, classes: dict[str, object]
) -> None:
    refs = PLUGIN.images(NOWHERE, role)  # type: ignore[arg-type]  # parametrised
    counts = Counter(ref.label for ref in refs)
    assert sorted(label for label in counts if label is not None) == list(range(len(classes)))
    assert len(set(counts.values())) == 1


def test_unlabelled_images_have_no_labels() -> None:
    assert {ref.label for ref in PLUGIN.images(NOWHERE, "unlabelled")} == {None}


def test_no_name_occurs_twice() -> None:
    names = [ref.name for role in PLUGIN.info.roles for ref in PLUGIN.images(NOWHERE, role)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("role", PLUGIN.info.roles)
def test_image_depends_on_its_name_alone(role: str) -> None:
    refs = PLUGIN.images(NOWHERE, role)[::97]  # type: ignore[arg-type]  # parametrised
    forth = [PLUGIN.read(NOWHERE, ref) for ref in refs]
    back = [PLUGIN.read(NOWHERE, ref) for ref in reversed(refs)][::-1]
    assert all(image.shape == (64, 64, 3) and image.dtype == np.uint8 for image in forth)
    assert len({image.tobytes() for image in forth}) == len(forth)
    np.testing.assert_array_equal(forth, back)


def test_image_is_the_same_whatever_size_would_do() -> None:
    ref = PLUGIN.images(NOWHERE, "labelled")[0]
    np.testing.assert_array_equal(PLUGIN.read(NOWHERE, ref, 8), PLUGIN.read(NOWHERE, ref))


@pytest.mark.parametrize("name", ["labelled/unicorn/0001", "scenes/moon/0001", "other/0001", "x"])
def test_unknown_image_is_refused(name: str) -> None:
    with pytest.raises(DataError, match=f"has no image '{name}'"):
        PLUGIN.read(NOWHERE, SourceRef(name))


def test_things_mostly_have_the_colour_of_their_shape() -> None:
    hues = np.array(list(SOURCE_COLOURS.values()), dtype=float)
    hues /= np.linalg.norm(hues, axis=1, keepdims=True)
    refs = PLUGIN.images(NOWHERE, "labelled")[::7]
    hits = 0
    for ref in refs:
        image = PLUGIN.read(NOWHERE, ref).astype(float)
        frame = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
        unlike = np.linalg.norm(image - np.median(frame, axis=0), axis=2)
        thing = np.median(image[unlike >= np.quantile(unlike, 0.95)], axis=0)
        hits += int(np.argmax(hues @ thing)) == ref.label
    assert 0.6 < hits / len(refs) < 0.9  # by chance 1 / 14; habit is 0.85, less what shade hides
