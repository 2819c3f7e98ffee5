from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from gpbench.core.errors import StoreError
from gpbench.core.stage import ScoredVariant
from gpbench.store.counts import pack, read_scored, unpack
from tests.store.plans import COUNTS, IMAGES, write_counts

NAMES = [image.name for image in IMAGES]
SCORED = ScoredVariant("plain", "e" * 64, "confusion-plain.npz")
matrices = st.integers(1, 6).flatmap(
    lambda classes: hnp.arrays(np.int64, (3, classes, classes), elements=st.integers(0, 2**63 - 1))
)


@settings(deadline=None)
@given(matrices)
def test_counts_come_back_to_the_bit(counts: NDArray[np.int64]) -> None:
    back = unpack([pack(one) for one in counts], counts.shape[1])
    assert back.dtype == np.int64
    np.testing.assert_array_equal(back, counts)


@settings(deadline=None)
@given(matrices)
def test_bytes_do_not_depend_on_memory_layout(counts: NDArray[np.int64]) -> None:
    assert pack(np.asfortranarray(counts[0])) == pack(counts[0].copy())


def test_no_images_give_no_counts() -> None:
    assert unpack([], 4).shape == (0, 4, 4)


def test_worker_file_is_read_image_by_image(tmp_path: Path) -> None:
    write_counts(tmp_path)
    score = read_scored(tmp_path, SCORED, NAMES)
    assert (score.variant, score.classes, len(score.packed)) == ("plain", 3, 3)
    np.testing.assert_array_equal(unpack(score.packed, 3), COUNTS)


@pytest.mark.parametrize(
    ("counts", "problem"),
    [
        (COUNTS.astype(np.int32), "int32"),
        (COUNTS.astype(np.float64), "float64"),
        (COUNTS[:, :2], r"\(3, 2, 3\)"),
        (COUNTS[0], r"\(3, 3\)"),
        (COUNTS[:2], r"not text \(2,\)"),
        (COUNTS - 1, "below 0"),
    ],
)
def test_counts_of_the_wrong_kind_are_refused(
    tmp_path: Path, counts: NDArray[np.generic], problem: str
) -> None:
    write_counts(tmp_path, counts)
    with pytest.raises(StoreError, match=problem):
        read_scored(tmp_path, SCORED, NAMES)


def test_counts_of_other_images_than_the_outcome_names_are_refused(tmp_path: Path) -> None:
    write_counts(tmp_path)
    with pytest.raises(StoreError, match="in their order"):
        read_scored(tmp_path, SCORED, NAMES[::-1])


def test_image_that_is_counted_twice_is_refused(tmp_path: Path) -> None:
    write_counts(tmp_path, images=[IMAGES[0], IMAGES[0], IMAGES[2]])
    with pytest.raises(StoreError, match="twice"):
        read_scored(tmp_path, SCORED, [NAMES[0], NAMES[0], NAMES[2]])


def test_missing_cut_and_pickled_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"confusion-plain\.npz.*cannot be read"):
        read_scored(tmp_path, SCORED, NAMES)
    write_counts(tmp_path)
    path = tmp_path / SCORED.path
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(StoreError, match="cannot be read"):
        read_scored(tmp_path, SCORED, NAMES)
    np.savez(path, images=np.array(NAMES), counts=np.array([{}], dtype=object))
    with pytest.raises(StoreError, match="cannot be read"):
        read_scored(tmp_path, SCORED, NAMES)


@settings(deadline=None)
@given(st.data())
def test_damaged_file_gives_the_same_counts_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damaged", numbered=True)
    path = folder / SCORED.path
    np.savez_compressed(path, images=np.array(NAMES), counts=COUNTS)
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        found = unpack(read_scored(folder, SCORED, NAMES).packed, 3)
    except StoreError:
        return
    np.testing.assert_array_equal(found, COUNTS)


def test_single_array_in_place_of_the_two_is_refused(tmp_path: Path) -> None:
    with (tmp_path / SCORED.path).open("wb") as file:
        np.save(file, COUNTS)
    with pytest.raises(StoreError, match="cannot be read"):
        read_scored(tmp_path, SCORED, NAMES)
