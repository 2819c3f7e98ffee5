"""`gpbench datasets preview`: a contact sheet of some images of a dataset."""

from __future__ import annotations

import enum
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gpbench.cli import named_dataset as flags
from gpbench.cli import options
from gpbench.cli.named_dataset import named_dataset, spec_of
from gpbench.cli.progress import counting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gpbench.core.dataset import ImageRef, Split
    from gpbench.core.stage import DatasetSpec
    from gpbench.planning import ResolvedDataset
    from gpbench.reports.contact_sheet import PixelCounts, Sample


class SplitName(enum.StrEnum):
    """Which images."""

    train = "train"
    val = "val"
    test = "test"


def preview(
    name: flags.Selector,
    root: flags.Root = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Folder of index.html and contact-sheet.png. Default: WORKDIR/preview/NAME.",
            show_default=False,
        ),
    ] = None,
    images: Annotated[int, typer.Option(min=1, help="How many, spread evenly over the split.")] = 4,
    split: Annotated[SplitName, typer.Option(help="Of which split.")] = SplitName.train,
    workdir: options.Workdir = None,
    verbose: options.Verbose = 0,
    debug: options.Debug = False,
    no_color: options.NoColor = False,
) -> None:
    """Show bands, labels and class frequencies of some images; print the path of the page.

    The page is a local file for those who have the data: it shows images whatever their terms are.
    """
    from gpbench.reports.contact_sheet import Subject, write_contact_sheet

    resolved, folder = named_dataset(name, root), options.workdir_path(workdir)
    counts = _split_counts(_spec(resolved), split.value, folder / "data")
    refs = _refs(resolved, split.value)
    dataset = resolved.dataset
    subject = Subject(resolved.name, dataset.info, dataset.protocol, split.value, len(refs))
    with counting(f"reading {resolved.name}") as progress:
        shown = _samples(resolved, _spread(refs, images), progress)
        place = output or folder / "preview" / re.sub(r"[^A-Za-z0-9_.-]+", "-", resolved.name)
        typer.echo(write_contact_sheet(place, subject, shown, counts))


def _spec(resolved: ResolvedDataset) -> DatasetSpec | None:
    """Return the spec of what is there; None where that is wrong: some images may still be shown.

    Raises:
        DatasetNotFoundError: If nothing usable lies at its root; says how to get it.
    """
    from gpbench.core.errors import DataError, DatasetNotFoundError

    try:
        return spec_of(resolved, allow_partial=True)
    except DatasetNotFoundError:
        raise
    except DataError:
        return None


def _refs(resolved: ResolvedDataset, split: Split) -> Sequence[ImageRef]:
    """Return the images of a split.

    Raises:
        InvalidValueError: If there are none.
    """
    from gpbench.core.dataset import SPLITS
    from gpbench.core.errors import InvalidValueError

    def images(split: Split) -> Sequence[ImageRef]:
        return resolved.dataset.images(resolved.root or Path(), split)

    refs = images(split)
    if not refs:
        others = " and ".join(each for each in SPLITS if images(each)) or "none of its splits"
        raise InvalidValueError("--split", split, f"{resolved.name} has images in {others}")
    return refs


def _spread(refs: Sequence[ImageRef], n: int) -> list[ImageRef]:
    """Return the first, the last, and others evenly between them."""
    import numpy as np

    places = np.linspace(0, len(refs) - 1, min(n, len(refs))).round()
    return [refs[int(place)] for place in places]


def _samples(
    resolved: ResolvedDataset, refs: Sequence[ImageRef], progress: Callable[[int, int], None]
) -> Iterator[Sample]:
    for done, ref in enumerate(refs, start=1):
        yield (ref, *resolved.dataset.read(resolved.root or Path(), ref))
        progress(done, len(refs))


def _split_counts(spec: DatasetSpec | None, split: Split, data: Path) -> PixelCounts | None:
    """Return the pixels of the whole split if its store is there."""
    from gpbench.data.tile_store import TileStore, store_folder
    from gpbench.reports.contact_sheet import PixelCounts, images_text

    if spec is None or not store_folder(data, spec).is_dir():
        return None
    store = TileStore.open(store_folder(data, spec))
    classes = store.class_pixels(split).sum(axis=0)
    stored = store.images(split)
    n_px = sum(image.height * image.width for image in stored)
    return PixelCounts(
        f"the whole {split} split ({images_text(len(stored))})", classes, n_px - int(classes.sum())
    )
