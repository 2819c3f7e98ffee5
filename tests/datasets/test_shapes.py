from __future__ import annotations

import numpy as np
import pytest

from gpbench_datasets._colours import SOURCE_COLOURS
from gpbench_datasets._shapes import SHAPES, TURNS, UPRIGHT, sprite


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("radius", [5, 12, 26])
def test_shape_fills_part_of_its_square(shape: str, radius: int) -> None:
    cover = sprite(shape, radius).cover
    assert cover.min() == 0
    assert cover.max() == 1
    assert 0.08 < cover.mean() < 0.75


@pytest.mark.parametrize("shape", SHAPES)
def test_shape_grows_with_its_radius(shape: str) -> None:
    small, large = sprite(shape, 10).cover.sum(), sprite(shape, 20).cover.sum()
    assert 3.4 < large / small < 4.6  # twice the side, four times the area


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("turn", range(TURNS))
def test_turning_keeps_the_area(shape: str, turn: int) -> None:
    upright, turned = sprite(shape, 20).cover.sum(), sprite(shape, 20, turn).cover.sum()
    assert abs(turned / upright - 1) < 0.06


def test_quarter_turns_are_exact() -> None:
    np.testing.assert_allclose(
        sprite("house", 12, 4).cover, np.rot90(sprite("house", 12).cover, -1), atol=1e-4
    )


def test_odd_variants_are_mirrored() -> None:
    np.testing.assert_allclose(
        sprite("drill", 12, 0, 1).cover, sprite("drill", 12).cover[:, ::-1], atol=1e-5
    )


def test_no_two_shapes_are_alike() -> None:
    covers = [sprite(shape, 12).cover for shape in SHAPES]
    for i, one in enumerate(covers):
        for other in covers[:i]:
            assert np.minimum(one, other).sum() / np.maximum(one, other).sum() < 0.9


def test_every_shape_has_a_colour_of_its_own() -> None:
    assert list(SOURCE_COLOURS) == list(SHAPES)
    colours = np.array(list(SOURCE_COLOURS.values()), dtype=float)
    distances = np.linalg.norm(colours[:, None] - colours[None], axis=2)
    assert distances[~np.eye(len(colours), dtype=bool)].min() > 40
    assert set(SHAPES) >= UPRIGHT
