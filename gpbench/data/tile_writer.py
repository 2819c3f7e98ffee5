"""Writes a tile store: all images of a dataset read once, checked, and put in place at once."""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import reduce
from operator import add
from pathlib import Path

from gpbench.api import Dataset
from gpbench.core.dataset import DatasetInfo
from gpbench.core.errors import DataError
from gpbench.core.problems import DataProblemsError, Problem, subset_mend
from gpbench.data.image_listing import Listing, list_images
from gpbench.data.tile_check import Progress, problems_of, problems_of_images
from gpbench.data.tile_index import TileIndex
from gpbench.data.tile_journal import Journal, PartialStore
from gpbench.data.tile_reading import Taken
from gpbench.data.tile_workers import Readers

log = logging.getLogger(__name__)


def write_store(
    folder: Path,
    dataset: Dataset,
    root: Path,
    progress: Progress | None = None,
    *,
    selector: str | None = None,
    jobs: int = 1,
    allow_partial: bool = False,
) -> None:
    """Read, check and write all images of a dataset; the folder appears only when complete.

    A folder that is there already is left as it is. Of several processes that write the same store
    one does, and the others wait for it. What a run stored that was interrupted or killed lies in
    `.<name>.partial` beside the folder, and the next call continues there. How many processes read
    decides the order of the images in the files, and nothing else.

    Args:
        folder: Where the store is to lie; its parent is made where needed.
        dataset: Every image of its splits has a label.
        root: Of the dataset's raw files.
        progress: Called after each image; images of an earlier run count as done.
        selector: What the dataset is called, for processes that load it by themselves.
        jobs: Processes that read.
        allow_partial: Accept what a part of a dataset cannot help having wrong.

    Raises:
        DatasetNotFoundError: If nothing usable lies at `root`.
        DataProblemsError: If anything is not as declared, with all that is wrong. Where files
            could not be read and nothing else is wrong, what was stored is kept.
        ContractError: If the dataset's code fails; what was stored is kept.
        DataError: If the store cannot be written, or a process dies.
    """
    listing = list_images(dataset, root, allow_partial=allow_partial)
    readers = Readers(dataset, root, selector, jobs)
    partial = PartialStore(folder, len(dataset.info.bands))
    try:
        with _sole_writer(folder):
            if folder.exists():
                partial.remove()  # of a run that was killed when the store was in place
            else:
                report = progress or (lambda _done, _all: None)
                _write(partial, listing, readers, report, allow_partial=allow_partial)
    except OSError as error:
        kept = f"; what was stored is kept in {partial.path}" if partial.path.exists() else ""
        raise DataError(f"the tile store {folder} cannot be written: {error}{kept}") from error


@contextmanager
def _sole_writer(folder: Path) -> Iterator[None]:
    """Hold the store's lock, which the system lets go when a process dies."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.warning("waiting for another process that prepares %s", folder)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(
    partial: PartialStore,
    listing: Listing,
    readers: Readers,
    progress: Progress,
    *,
    allow_partial: bool,
) -> None:
    try:
        if listing.problems:  # nothing can come of it: only what else is wrong is wanted
            problems = problems_of(listing, readers, progress)
            raise _refused(readers.dataset, problems, allow_partial=allow_partial)
        taken = _stored(partial, listing, readers, progress)
        problems = problems_of_images(listing, taken)
        if problems:
            raise _refused(readers.dataset, problems, allow_partial=allow_partial)
    except DataProblemsError as error:
        if any(problem.kind != "unreadable" for problem in error.problems):
            partial.remove()  # the mended dataset is another one; a disk may be read next time
        raise
    in_order = [taken[listed.position] for listed in listing.images]
    partial.finish(_index(in_order, readers.dataset.info))


def _stored(
    partial: PartialStore, listing: Listing, readers: Readers, progress: Progress
) -> dict[int, Taken]:
    """Return what came of every image, by position; what an earlier run stored is not read."""
    total = len(listing.images)
    with partial.journal() as journal:
        taken = _resumed(partial, journal, listing, readers)
        if taken:
            progress(len(taken), total)
        rest = [listed for listed in listing.images if listed.position not in taken]
        with closing(readers.read(rest, partial.files)) as reading:
            for each in reading:
                taken[each.position] = each
                if each.stored:
                    journal.note(each.stored)
                progress(len(taken), total)
    return taken


def _resumed(
    partial: PartialStore, journal: Journal, listing: Listing, readers: Readers
) -> dict[int, Taken]:
    rows, positions = journal.rows(), {}
    if rows:  # else the files need not be looked at
        info = readers.dataset.info
        positions = {
            listed.origin(readers.root, info): listed.position for listed in listing.images
        }
    taken = {}
    for row in partial.resume([row for row in rows if row.origin in positions], journal):
        position = positions[row.origin]
        stored = replace(row, image=replace(row.image, index=position))
        taken[position] = Taken(position, row.dtype, stored=stored)
    return taken


def _index(taken: Sequence[Taken], info: DatasetInfo) -> TileIndex:
    rows = [each.stored for each in taken if each.stored]
    moments = reduce(add, (row.moments for row in rows if row.moments))
    return TileIndex(
        bands=tuple(band.name for band in info.bands),
        classes=info.classes,
        dtype=rows[0].dtype,
        mean=moments.mean,
        std=moments.std,
        images=tuple(row.image for row in rows),
    )


def _refused(
    dataset: Dataset, problems: Sequence[Problem], *, allow_partial: bool
) -> DataProblemsError:
    mend = subset_mend(problems, allow_partial=allow_partial)
    return DataProblemsError(dataset.info.title, problems, mend)
