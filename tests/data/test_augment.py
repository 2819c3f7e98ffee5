"""Augmentation: images and labels move together, channels stay apart, cuts change nothing."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812  torch's own idiom
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gpbench.api import Draws
from gpbench.data.augment import (
    augment_tiles,
    crop_labels,
    crop_resize,
    flipped,
    jittered,
    random_resized_crop,
)
from gpbench.data.draws import HashDraws


def draws(n: int, first: int = 0, step: int = 0) -> Draws:
    return HashDraws(5, step, np.arange(first, first + n), "cpu")


def tiles(n: int, channels: int, side: int = 24) -> tuple[Tensor, Tensor]:
    """Random images, and labels of 8 classes."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(n, channels, side, side, generator=generator)
    return images, torch.randint(0, 8, (n, side, side), generator=generator).to(torch.uint8)


def labels_as_images(n: int, side: int = 24) -> tuple[Tensor, Tensor]:
    """Labels in squares of 8 pixels, and images whose one channel is the label."""
    labels = torch.arange(9).reshape(3, 3).repeat_interleave(8, 0).repeat_interleave(8, 1)
    labels = labels[None].expand(n, side, side).to(torch.uint8)
    return labels[:, None].float(), labels


def box(*values: float) -> Tensor:
    return torch.tensor([values])


def test_the_box_of_the_whole_image_gives_the_image_back() -> None:
    images, labels = tiles(3, 5)
    boxes = box(0, 0, 24, 24).expand(3, 4)
    torch.testing.assert_close(crop_resize(images, boxes, 24), images, atol=1e-5, rtol=0)
    assert torch.equal(crop_labels(labels, boxes, 24), labels)


def test_a_box_at_whole_pixels_is_a_slice() -> None:
    images, labels = tiles(1, 2)
    boxes = box(3, 7, 10, 10)
    torch.testing.assert_close(
        crop_resize(images, boxes, 10), images[:, :, 3:13, 7:17], atol=1e-5, rtol=0
    )
    assert torch.equal(crop_labels(labels, boxes, 10), labels[:, 3:13, 7:17])


def test_enlarging_by_hand() -> None:
    image = torch.tensor([[[[0.0, 4.0], [8.0, 12.0]]]])
    # centres of the result lie at -0.25, 0.25, 0.75, 1.25 pixels; outside is the nearest pixel
    row = torch.tensor([0.0, 1.0, 3.0, 4.0])
    expected = row + torch.tensor([0.0, 2.0, 6.0, 8.0])[:, None]
    torch.testing.assert_close(crop_resize(image, box(0, 0, 2, 2), 4)[0, 0], expected)
    labels = torch.tensor([[[1, 2], [3, 4]]], dtype=torch.uint8)
    enlarged = crop_labels(labels, box(0, 0, 2, 2), 4)
    assert torch.equal(enlarged, labels.repeat_interleave(2, 1).repeat_interleave(2, 2))


def test_height_and_width_of_a_box_are_not_exchanged() -> None:
    images, _ = tiles(1, 3)
    expected = F.interpolate(images[:, :, 2:8, 1:21], size=(10, 10), mode="bilinear")
    actual = crop_resize(images, box(2, 1, 6, 20), 10)
    inner = (slice(None), slice(None), slice(1, -1), slice(1, -1))  # borders see pixels beyond
    torch.testing.assert_close(actual[inner], expected[inner], atol=1e-5, rtol=0)


def test_beyond_the_image_there_is_the_nearest_pixel_or_0_and_labels_are_ignored() -> None:
    images, labels = torch.ones(1, 2, 4, 4), torch.full((1, 4, 4), 3, dtype=torch.uint8)
    boxes = box(-2, 0, 8, 8)
    assert (crop_resize(images, boxes, 8) == 1).all()
    inside = torch.zeros(8, 8, dtype=torch.bool)
    inside[2:6, :4] = True
    padded = crop_resize(images, boxes, 8, outside="zeros")[0, 1]
    torch.testing.assert_close(padded, inside.float(), atol=1e-5, rtol=0)
    expected = torch.where(inside, 3, 255).to(torch.uint8)
    assert torch.equal(crop_labels(labels, boxes, 8)[0], expected)


def test_every_label_value_survives_a_crop() -> None:
    labels = torch.arange(256).reshape(1, 16, 16).to(torch.uint8)
    assert torch.equal(crop_labels(labels, box(0, 0, 16, 16), 16), labels)


def test_only_masked_samples_are_mirrored_left_to_right() -> None:
    images, labels = tiles(3, 2)
    mask = torch.tensor([True, False, True])
    for values in (images, labels):
        mirrored = flipped(values, mask)
        assert torch.equal(mirrored[0], values[0].flip(-1))
        assert torch.equal(mirrored[1], values[1])
        assert torch.equal(flipped(mirrored, mask), values)


def test_jitter_changes_all_channels_of_an_image_by_one_line() -> None:
    images, _ = tiles(50, 6)
    changed = jittered(images, draws(50), 0.3)
    slopes = []
    for before, after in zip(images, changed, strict=True):
        low, high = before.flatten().argmin(), before.flatten().argmax()
        slope = (after.flatten()[high] - after.flatten()[low]) / (before.max() - before.min())
        shift = after.flatten()[low] - slope * before.min()
        torch.testing.assert_close(after, slope * before + shift, atol=1e-4, rtol=0)
        assert abs(float(shift)) <= 0.3 + 1e-4
        slopes.append(float(slope))
    assert 0.7 - 1e-4 <= min(slopes) < 0.8
    assert 1.2 < max(slopes) <= 1.3 + 1e-4


def test_jitter_of_strength_0_changes_nothing() -> None:
    images, _ = tiles(2, 3)
    assert torch.equal(jittered(images, draws(2), 0.0), images)


def coordinates(n: int, height: int, width: int) -> Tensor:
    """Images whose two channels say where a pixel is, so that a crop tells its box."""
    rows, columns = torch.meshgrid(
        torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij"
    )
    return torch.stack([rows, columns])[None].expand(n, 2, height, width)


def boxes_of(crops: Tensor) -> Tensor:
    """Return top, left, height, width (N, 4) of crops of `coordinates`."""
    n_px = crops.shape[-1]
    inner = n_px // 4, n_px - n_px // 4 - 1  # away from the border, where positions are clamped
    sides = []
    for channel, at in ((0, (..., 0)), (1, (..., 0, slice(None)))):
        line = crops[:, channel][at]
        step = (line[:, inner[1]] - line[:, inner[0]]) / (inner[1] - inner[0])
        sides.append((line[:, inner[0]] - step * (inner[0] + 0.5), step * n_px))
    return torch.stack([sides[0][0], sides[1][0], sides[0][1], sides[1][1]], dim=1)


def test_random_resized_crops_have_areas_and_ratios_in_range_and_lie_inside() -> None:
    crops = random_resized_crop(
        coordinates(2000, 60, 90), draws(2000), crop_px=16, scale=(0.2, 0.6)
    )
    top, left, height, width = boxes_of(crops).double().unbind(dim=1)
    area, ratio = height * width / (60 * 90), width / height
    assert 0.2 - 1e-3 < area.min() < 0.22
    assert 0.58 < area.max() < 0.6 + 1e-3
    assert 3 / 4 - 1e-3 < ratio.min() < 0.77
    assert 1.3 < ratio.max() < 4 / 3 + 1e-3
    for start, side, whole in ((top, height, 60), (left, width, 90)):
        assert start.min() > -1e-2
        assert (start + side).max() < whole + 1e-2
        assert (start / (whole - side)).mean() == pytest.approx(0.5, abs=0.03)


def test_a_ratio_and_its_inverse_are_equally_likely_and_near_to_log_uniform() -> None:
    crops = random_resized_crop(
        coordinates(4000, 64, 64), draws(4000), crop_px=16, scale=(0.1, 0.3)
    )
    box_sides = boxes_of(crops).double()
    log_ratio = (box_sides[:, 3] / box_sides[:, 2]).log() / np.log(4 / 3)  # in -1..1
    assert log_ratio.mean() == pytest.approx(0, abs=0.03)
    counts = torch.histc(log_ratio, 8, -1, 1)
    assert ((counts - 500) ** 2 / 500).sum() < 24.3  # chi-square, 7 degrees of freedom, p = 0.001


def test_the_ratio_is_width_over_height() -> None:
    crops = random_resized_crop(
        coordinates(9, 80, 80), draws(9), crop_px=16, scale=(0.1, 0.4), ratio=(2.0, 2.0)
    )
    _, _, height, width = boxes_of(crops).unbind(dim=1)
    torch.testing.assert_close(width / height, torch.full((9,), 2.0), atol=1e-3, rtol=0)


def test_where_no_drawn_size_fits_the_largest_central_part_is_taken() -> None:
    # the whole of an image three times as wide as high has no allowed ratio
    crops = random_resized_crop(coordinates(3, 30, 90), draws(3), crop_px=16, scale=(1.0, 1.0))
    expected = torch.tensor([0.0, 25.0, 30.0, 40.0]).expand(3, 4)
    torch.testing.assert_close(boxes_of(crops), expected, atol=1e-2, rtol=0)


def test_the_whole_of_a_square_is_reached() -> None:
    images, _ = tiles(4, 3)
    whole = random_resized_crop(images, draws(4), crop_px=24, scale=(1.0, 1.0), ratio=(1.0, 1.0))
    torch.testing.assert_close(whole, images, atol=1e-5, rtol=0)


def augmented(
    images: Tensor, labels: Tensor, given_draws: Draws, **changes: object
) -> tuple[Tensor, Tensor]:
    settings_ = {"crop_px": 24, "scale": (0.5, 2.0), "flip": 0.5, "jitter": 0.0, **changes}
    return augment_tiles(images, labels, given_draws, **settings_)  # type: ignore[arg-type]  # by name


def test_labels_follow_their_images() -> None:
    images, labels = labels_as_images(64)  # an image's value is its label
    moved, moved_labels = augmented(images, labels, draws(64))
    values = moved[:, 0]
    inner = (moved_labels != 255) & ((values - values.round()).abs() < 1e-3)  # in no mixed pixel
    assert inner.float().mean() > 0.5
    agrees = values.round()[inner] == moved_labels[inner]
    assert agrees.float().mean() > 0.98  # a pixel between labels 1 and 3 may show 2


def test_without_zoom_crops_are_slices_of_the_tile_to_the_pixel() -> None:
    images, labels = tiles(20, 4)
    moved, moved_labels = augmented(
        images, labels, draws(20), crop_px=16, scale=(1.0, 1.0), flip=0.0
    )
    corners = set()
    for image, label, crop, crop_label in zip(images, labels, moved, moved_labels, strict=True):
        found = [
            (row, column)
            for row in range(9)
            for column in range(9)
            if torch.equal(label[row : row + 16, column : column + 16], crop_label)
        ]
        ((row, column),) = found
        expected = image[:, row : row + 16, column : column + 16]
        torch.testing.assert_close(crop, expected, atol=1e-4, rtol=0)
        corners.add((row, column))
    assert len(corners) > 10


def test_a_tile_at_half_size_covers_a_quarter_and_the_rest_is_ignored() -> None:
    images, labels = tiles(8, 3)
    moved, moved_labels = augmented(images + 9, labels, draws(8), scale=(0.5, 0.5))
    covered = moved_labels != 255
    assert ((covered.sum(dim=(1, 2)) - 144).abs() <= 24).all()
    outside = F.max_pool2d(covered[:, None].float(), 3, 1, 1) == 0
    assert (moved.masked_select(outside) == 0).all()
    assert len({int(where.flatten().to(torch.uint8).argmax()) for where in covered}) > 2


def test_half_of_the_tiles_are_flipped() -> None:
    images, labels = tiles(400, 1)
    _, moved_labels = augmented(images, labels, draws(400), scale=(1.0, 1.0))
    unflipped = (moved_labels == labels).all(dim=(1, 2))
    assert torch.equal(moved_labels[~unflipped], labels[~unflipped].flip(-1))
    assert 160 < int(unflipped.sum()) < 240


def test_jitter_leaves_the_surroundings_of_a_tile_at_0() -> None:
    images, labels = tiles(8, 3)
    moved, moved_labels = augmented(images, labels, draws(8), scale=(0.5, 0.5), jitter=0.5)
    outside = F.max_pool2d((moved_labels != 255)[:, None].float(), 3, 1, 1) == 0
    assert (moved.masked_select(outside) == 0).all()


Whole = Callable[[Tensor, Tensor, Draws], tuple[Tensor, ...]]
WHOLES: dict[str, Whole] = {
    "augment_tiles": lambda images, labels, d: augmented(images, labels, d, jitter=0.4),
    "random_resized_crop": lambda images, _, d: (
        random_resized_crop(images, d, crop_px=17, scale=(0.1, 1.0)),
    ),
}


@pytest.mark.parametrize("name", WHOLES)
@pytest.mark.parametrize("channels", [1, 3, 4, 9])
@settings(deadline=None, max_examples=10)
@given(cut=st.integers(1, 10), step=st.integers(0, 99))
def test_cutting_the_batch_in_two_changes_no_bit(
    name: str, channels: int, cut: int, step: int
) -> None:
    images, labels = tiles(11, channels)
    whole = WHOLES[name](images, labels, draws(11, step=step))
    first = WHOLES[name](images[:cut], labels[:cut], draws(cut, step=step))
    second = WHOLES[name](images[cut:], labels[cut:], draws(11 - cut, first=cut, step=step))
    for together, a, b in zip(whole, first, second, strict=True):
        assert torch.equal(together, torch.cat([a, b]))


@pytest.mark.parametrize("name", WHOLES)
def test_channels_are_neither_mixed_nor_exchanged(name: str) -> None:
    images, labels = tiles(6, 5)
    together = WHOLES[name](images, labels, draws(6))[0]
    for channel in range(5):
        alone = WHOLES[name](images[:, channel : channel + 1], labels, draws(6))[0]
        assert torch.equal(together[:, channel : channel + 1], alone)


@pytest.mark.parametrize("name", WHOLES)
def test_another_step_gives_another_view(name: str) -> None:
    images, labels = tiles(6, 3)
    views = [WHOLES[name](images, labels, draws(6, step=step))[0] for step in (1, 2)]
    assert not torch.equal(*views)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
@pytest.mark.parametrize("name", WHOLES)
def test_a_gpu_gives_the_same_views_up_to_rounding(name: str) -> None:
    images, labels = tiles(6, 5)
    on_gpu = HashDraws(5, 0, np.arange(6), "cuda")
    here = WHOLES[name](images, labels, draws(6))
    there = WHOLES[name](images.cuda(), labels.cuda(), on_gpu)
    for a, b in zip(here, there, strict=True):
        close = (a.float() - b.cpu().float()).abs() < 1e-3
        assert close.float().mean() > 0.999  # nearest labels may differ on a border
