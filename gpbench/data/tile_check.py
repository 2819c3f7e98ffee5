"""What is wrong with a dataset's files, all of it at once: in its listing, and in each image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from gpbench.api import Dataset
from gpbench.core.problems import Problem
from gpbench.data.image_checks import dtype_problems
from gpbench.data.image_listing import Listing, list_images
from gpbench.data.tile_reading import Taken
from gpbench.data.tile_workers import Readers

Progress = Callable[[int, int], None]
"""Called with the numbers of images done and of all."""


def dataset_problems(
    dataset: Dataset,
    root: Path,
    progress: Progress | None = None,
    *,
    selector: str | None = None,
    jobs: int = 1,
    allow_partial: bool = False,
) -> list[Problem]:
    """Return all that `write_store` would refuse a dataset for; reads all images, writes nothing.

    Args:
        dataset: Every image of its splits is to have a label.
        root: Of the dataset's raw files.
        progress: Called after each image.
        selector: What the dataset is called, for processes that load it by themselves.
        jobs: Processes that read; the result does not depend on it.
        allow_partial: Accept what a part of a dataset cannot help having wrong.

    Raises:
        DatasetNotFoundError: If nothing usable lies at `root`.
        ContractError: If the dataset's code fails.
        DataError: If a process dies.
    """
    listing = list_images(dataset, root, allow_partial=allow_partial)
    return problems_of(listing, Readers(dataset, root, selector, jobs), progress)


def problems_of(listing: Listing, readers: Readers, progress: Progress | None) -> list[Problem]:
    """Return what is wrong with a listing and its images, which are read for it."""
    taken: dict[int, Taken] = {}
    with closing(readers.read(listing.images, files=None)) as reading:
        for each in reading:
            taken[each.position] = each
            if progress:
                progress(len(taken), len(listing.images))
    return [*listing.problems, *problems_of_images(listing, taken)]


def problems_of_images(listing: Listing, taken: Mapping[int, Taken]) -> list[Problem]:
    """Return what is wrong with images that were read, in the order of the listing."""
    dtypes = {
        listed.position: dtype
        for listed in listing.images
        if (dtype := taken[listed.position].dtype) is not None
    }
    odd = dtype_problems(dtypes)
    found: list[Problem] = []
    for listed in listing.images:
        if listed.position in odd:
            found.append(Problem("pixels", f"{listed.where} {odd[listed.position]}"))
        found += taken[listed.position].problems
    return found
