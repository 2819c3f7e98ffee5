"""`gpbench datasets prepare`: reads, checks and stores all images of a dataset, once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gpbench.cli import named_dataset as flags
from gpbench.cli import options
from gpbench.cli.interruption import say_how_to_continue
from gpbench.cli.named_dataset import all_problems, named_dataset, spec_of
from gpbench.cli.output import print_json, print_table, stderr
from gpbench.cli.session import make_place, place_of, prepare_dataset

if TYPE_CHECKING:
    from gpbench.core.plan import JsonObject
    from gpbench.core.stage import DatasetSpec
    from gpbench.data.tile_store import TileStore
    from gpbench.planning import ResolvedDataset


def prepare(
    name: flags.Selector,
    root: flags.Root = None,
    allow_partial: flags.AllowPartial = False,
    jobs: flags.Jobs = None,
    workdir: options.Workdir = None,
    format_: options.Format = options.DataFormat.table,
    verbose: options.Verbose = 0,
    debug: options.Debug = False,
    no_color: options.NoColor = False,
) -> None:
    """Read, check and store all images, as `run` would; the same command again continues it."""
    from gpbench.data.tile_store import TileStore, store_folder

    resolved, place = named_dataset(name, root), place_of(workdir, None)
    spec = _spec(resolved, name, jobs, allow_partial=allow_partial)
    folder, start = store_folder(place.data, spec), time.perf_counter()
    was_there = folder.is_dir()
    if was_there:
        with stderr().status(f"verifying {folder}", spinner="line"):
            TileStore.open(folder).verify_content()
    else:
        make_place(place)
        try:
            prepare_dataset(folder, resolved, name, jobs, allow_partial=allow_partial)
        except KeyboardInterrupt:
            say_how_to_continue(stderr())
            raise  # ends with 130
    seconds = time.perf_counter() - start
    document = _document(resolved.name, TileStore.open(folder), was_there, seconds)
    if format_ is options.DataFormat.json:
        print_json(document)
    else:
        _print(document)


def _spec(
    resolved: ResolvedDataset, selector: str, jobs: int | None, *, allow_partial: bool
) -> DatasetSpec:
    """Return the spec; where names or numbers are wrong, say what is wrong with images, too."""
    from gpbench.core.problems import DataProblemsError, subset_mend

    try:
        return spec_of(resolved, allow_partial=allow_partial)
    except DataProblemsError as error:
        problems = all_problems(resolved, selector, jobs, allow_partial=allow_partial)
        mend = subset_mend(problems, allow_partial=allow_partial)
        raise DataProblemsError(resolved.name, problems, mend) from error


def _document(name: str, store: TileStore, was_there: bool, seconds: float) -> JsonObject:
    from gpbench.core.dataset import SPLITS

    files = [path for path in store.folder.iterdir() if path.is_file()]
    return {
        "schema": "gpbench.prepare/1",
        "dataset": name,
        "store": str(store.folder),
        "was_there": was_there,
        "images": {split: len(store.images(split)) for split in SPLITS},
        "bytes": sum(path.stat().st_size for path in files),
        "content_hash": store.content_hash,
        "seconds": seconds,
    }


def _print(document: JsonObject) -> None:
    images = ", ".join(f"{n:,} {split}" for split, n in document["images"].items() if n)
    seconds = f"{document['seconds']:.1f} s"
    facts = [
        ("dataset", document["dataset"]),
        ("store", document["store"]),
        ("images", images),
        ("size", f"{document['bytes'] / 1e6:,.1f} MB"),
        ("it took", f"{seconds}: was there, verified" if document["was_there"] else seconds),
    ]
    print_table(("fact", "value"), facts)
