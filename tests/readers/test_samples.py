"""Real files whose pixels other readers cut, composite or refuse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gpbench.core.dataset import IGNORE_INDEX
from gpbench.readers.image import read_image, read_rgb
from gpbench.readers.label import colour_code, mapped, read_colours, read_label

ZURICH = Path("zurich_eye_in_the_sky/The-Eye-in-the-Sky-dataset")
ZURICH_COLOURS = {
    "#000000": 0,  # black is a class here: roads
    "#646464": 1,
    "#007d00": 2,
    "#00ff00": 3,
    "#965000": 4,
    "#000096": 5,
    "#ffff00": 6,
    "#9696ff": 7,
    "#ffffff": IGNORE_INDEX,
}


def test_16_bits_of_four_bands_are_kept(samples: Path) -> None:
    path = samples / ZURICH / "sat/14.tif"
    with pytest.raises(OSError, match="cannot identify"):
        Image.open(path)
    image = read_image(path)
    assert image.shape == (622, 782, 4)
    assert image.dtype == np.uint16
    assert (image.min(), image.max()) == (0, 2938)


def test_packbits_tiles_of_class_colours_are_mapped(samples: Path) -> None:
    path = samples / ZURICH / "gt/14.tif"
    table = {colour_code(colour): index for colour, index in ZURICH_COLOURS.items()}
    counts = np.bincount(mapped(read_colours(path), table, str(path)).ravel(), minlength=256)
    assert counts[:8].tolist() == [86744, 114932, 26744, 5751, 0, 142198, 0, 0]
    assert counts[IGNORE_INDEX] == 110035


@pytest.mark.parametrize("year", ["20090818", "20140720", "20190904"])
def test_near_infrared_of_deflated_naip_is_kept(samples: Path, year: str) -> None:
    image = read_image(samples / f"naip_nd/naip/m_4709963_se_14_1_{year}.tif")
    assert image.shape[1:] == (934, 4)
    assert image.dtype == np.uint8
    assert image[:, :, 3].std() > 10


def test_near_infrared_that_pillow_drops_is_kept(samples: Path) -> None:
    path = min((samples / "urban_trees_naip4/images").glob("*.tif"))
    with Image.open(path) as opened:
        assert opened.mode == "RGB"
        colours = np.asarray(opened)
    image = read_image(path)
    assert image.shape == (256, 256, 4)
    np.testing.assert_array_equal(image[:, :, :3], colours)
    assert image[:, :, 3].std() > 10
    np.testing.assert_array_equal(read_rgb(path), colours)


def test_lzw_tiles_are_read(samples: Path) -> None:
    for path in sorted((samples / "neon_tiles").rglob("*.tif"))[::6]:
        with Image.open(path) as opened:
            np.testing.assert_array_equal(read_image(path), np.asarray(opened))


@pytest.mark.parametrize("name", ["01234N", "01477D"])
def test_thermal_in_alpha_changes_no_colour(samples: Path, name: str) -> None:
    path = samples / f"mfnet_rgbt/image/{name}.png"
    image = read_image(path)
    assert image.shape == (480, 640, 4)
    assert 4 <= image[:, :, 3].min() < 60
    assert 100 < image[:, :, 3].max() <= 245
    np.testing.assert_array_equal(read_rgb(path), image[:, :, :3])


def test_disparity_of_16_bits_is_kept(samples: Path) -> None:
    path = samples / "stereo_potholes_quarter_DERIVED/dataset1/disp_tg/15.png"
    image = read_image(path)
    assert image.shape[2] == 1
    assert image.dtype == np.uint16
    assert image.max() > 20_000
    assert len(np.unique(image & 255)) > 200, "the low byte is gone"
    label = read_label(samples / "stereo_potholes_quarter_DERIVED/dataset1/label/15.png")
    assert label.shape == image.shape[:2]
    assert np.unique(label).tolist() == [0, 1]


def test_grey_photographs_are_repeated_and_the_others_as_pillow_reads_them(samples: Path) -> None:
    paths = sorted((samples / "tiny_imagenet_20c").rglob("*.JPEG"))[::7]
    n_grey = 0
    for path in paths:
        with Image.open(path) as opened:
            n_grey += opened.mode == "L"
            expected = np.asarray(opened.convert("RGB"))
        np.testing.assert_array_equal(read_rgb(path), expected)
        np.testing.assert_array_equal(read_rgb(path, 64), expected)
    assert n_grey > 5
