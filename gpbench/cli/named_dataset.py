"""The dataset that a command is about: its selector, the folder of its files, who reads them."""

from __future__ import annotations

import dataclasses
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gpbench.cli.progress import counting

if TYPE_CHECKING:
    from gpbench.core.problems import Problem
    from gpbench.core.stage import DatasetSpec
    from gpbench.planning import ResolvedDataset

Selector = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="A dataset of `gpbench datasets list`, or folder[card=FILE]."
    ),
]
Root = Annotated[
    Path | None,
    typer.Option(help="Folder of its files. Default: GPBENCH_DATA/NAME.", show_default=False),
]
AllowPartial = Annotated[
    bool, typer.Option("--allow-partial", help="A part of the dataset will do.")
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs", "-j", min=1, help="Processes that read. Default: processors.", show_default=False
    ),
]


def named_dataset(selector: str, root: Path | None) -> ResolvedDataset:
    """Return a dataset with its root: the flag, else where GPBENCH_DATA has it, else its own.

    Raises:
        ConfigError: If it does not exist, or its parameters or card are wrong.
        PluginError: If it cannot be loaded.
    """
    from gpbench.config import data_roots
    from gpbench.planning import resolve_dataset

    resolved = resolve_dataset(selector, data_roots({}, os.environ))
    return dataclasses.replace(resolved, root=root) if root else resolved


def spec_of(resolved: ResolvedDataset, *, allow_partial: bool) -> DatasetSpec:
    """Return facts and fingerprint.

    Raises:
        DatasetNotFoundError: If nothing usable lies at its root; says how to get it.
        DataProblemsError: If what lies there is not as declared.
    """
    from gpbench.api import HasFacts
    from gpbench.core.errors import DatasetNotFoundError

    try:
        return resolved.spec(allow_partial=allow_partial)
    except DatasetNotFoundError as error:
        if resolved.root is not None:
            raise
        where = f"put it into $GPBENCH_DATA/{resolved.plugin.name}, or name its folder: --root DIR"
        obtain = resolved.dataset.obtain.strip() if isinstance(resolved.dataset, HasFacts) else ""
        how = f"{where}. {obtain}" if obtain else where
        raise DatasetNotFoundError(resolved.name, None, how) from error


def reading_jobs(resolved: ResolvedDataset, jobs: int | None) -> int:
    """Return how many processes read: as asked, else as many as are worth it."""
    from gpbench.core.dataset import SPLITS
    from gpbench.core.errors import DataError
    from gpbench.data.tile_workers import jobs_for

    if jobs is not None:
        return jobs
    n_images = 0
    for split in SPLITS:
        with suppress(DataError):  # who reads them says what is wrong
            refs = resolved.dataset.images(resolved.root or Path(), split)
            n_images += sum(bool(ref.files) for ref in refs)  # procedural ones are made sooner
    return jobs_for(n_images)


def all_problems(
    resolved: ResolvedDataset, selector: str, jobs: int | None, *, allow_partial: bool
) -> list[Problem]:
    """Return all that is wrong with a dataset's files; every image is read.

    Raises:
        DatasetNotFoundError: If nothing usable lies at its root.
    """
    from gpbench.data.tile_check import dataset_problems

    with counting(f"checking {resolved.name}") as progress:
        return dataset_problems(
            resolved.dataset,
            resolved.root or Path(),
            progress,
            selector=selector,
            jobs=reading_jobs(resolved, jobs),
            allow_partial=allow_partial,
        )
