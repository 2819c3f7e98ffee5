from __future__ import annotations

import numpy as np
import pytest

from gpbench_datasets._canvas import Canvas, ground, noise_field, stroke
from gpbench_datasets._shapes import Sprite


def square(side: int, tone: float = 1.0) -> Sprite:
    return Sprite(np.ones((side, side)), np.full((side, side), tone))


def test_painting_sets_values_and_labels_around_the_centre() -> None:
    canvas = Canvas(9, bands=2, toned=1)
    canvas.paint(square(3, tone=0.5), 4, 5, (100, 100), label=2)
    assert canvas.label.sum() == 2 * 9
    assert canvas.label[3:6, 4:7].min() == 2
    assert canvas.values[4, 5].tolist() == [50, 100]  # light and shade on the first band only


def test_painting_with_a_value_per_pixel_keeps_each_in_its_place() -> None:
    canvas = Canvas(4, bands=1)
    values = np.arange(9, dtype=np.float32).reshape(3, 3, 1)
    canvas.paint(square(3), 0, 0, values)
    assert canvas.values[:2, :2, 0].tolist() == [[4, 5], [7, 8]]
    assert canvas.values[2:].max() == 0


@pytest.mark.parametrize("centre", [(-9, 2), (2, -9), (30, 2), (2, 30), (-1, 8)])
def test_painting_beyond_the_edge_is_cut(centre: tuple[int, int]) -> None:
    canvas = Canvas(8)
    canvas.paint(square(5), *centre, (9, 9, 9), label=1)
    canvas.shade(square(5), *centre)
    rows, columns = np.nonzero(canvas.label)
    assert all(abs(rows - centre[0]) <= 2)
    assert all(abs(columns - centre[1]) <= 2)


def test_half_covered_pixels_belong_to_the_thing() -> None:
    canvas = Canvas(3, bands=1)
    canvas.paint(Sprite(np.full((1, 1), 0.5), np.ones((1, 1))), 1, 1, (100,), label=1)
    canvas.paint(Sprite(np.full((1, 1), 0.49), np.ones((1, 1))), 0, 0, (100,), label=1)
    assert canvas.label.tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert canvas.values[1, 1, 0] == 50


def test_shadow_darkens_toned_bands_only() -> None:
    canvas = Canvas(3, bands=2, toned=1)
    canvas.fill(np.ones((3, 3), dtype=bool), (100, 100))
    canvas.shade(square(1), 1, 1, light=0.6)
    assert canvas.values[1, 1].tolist() == pytest.approx([60, 100])
    assert canvas.values[0, 0].tolist() == [100, 100]


def test_places_do_not_overlap_and_stay_where_allowed() -> None:
    canvas, rng = Canvas(64), np.random.default_rng(1)
    left = canvas.columns < 32
    spots = [spot for _ in range(60) if (spot := canvas.place(rng, 4, left))]
    assert 8 < len(spots) < 60
    for i, (row, column) in enumerate(spots):
        assert column < 32
        assert all(np.hypot(row - r, column - c) >= 8 for r, c in spots[:i])


def test_wide_numbers_use_their_whole_range() -> None:
    canvas, rng = Canvas(2, bands=1), np.random.default_rng(0)
    canvas.fill(np.ones((2, 2), dtype=bool), (255,))
    image, _ = canvas.finished(rng, noise=0, dtype=np.uint16)
    assert image.dtype == np.uint16
    assert np.unique(image).tolist() == [65535]


def test_noise_is_clipped_and_not_wrapped() -> None:
    canvas, rng = Canvas(64, bands=1), np.random.default_rng(0)
    image, _ = canvas.finished(rng, noise=3)
    assert image.max() < 20


def test_line_runs_through_its_point_in_its_direction() -> None:
    canvas = Canvas(9)
    along, across = canvas.across((4, 4), 4)  # a quarter turn: down
    assert abs(across[:, 4]).max() < 1e-5
    np.testing.assert_allclose(along[:, 4], np.arange(9) - 4, atol=1e-5)


def test_stroke_is_as_wide_as_asked() -> None:
    across = np.arange(-10, 11, dtype=np.float32)
    assert stroke(across, 7).sum() == pytest.approx(7)


def test_noise_is_smooth_between_its_hills_and_bounded() -> None:
    field = noise_field(np.random.default_rng(2), 64, 4)
    assert np.abs(field).max() <= 1
    assert np.abs(np.diff(field, axis=0)).max() < 0.25
    assert field.std() > 0.2
    assert abs(ground(np.random.default_rng(2), 64)).mean() < 0.5
