"""`gpbench datasets check`: what `prepare` would refuse a dataset for; nothing is written."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from gpbench.cli import named_dataset as flags
from gpbench.cli import options
from gpbench.cli.named_dataset import all_problems, named_dataset, spec_of
from gpbench.cli.output import print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpbench.core.problems import Problem
    from gpbench.planning import ResolvedDataset


def check(
    name: flags.Selector,
    root: flags.Root = None,
    allow_partial: flags.AllowPartial = False,
    jobs: flags.Jobs = None,
    format_: options.Format = options.DataFormat.table,
    verbose: options.Verbose = 0,
    debug: options.Debug = False,
    no_color: options.NoColor = False,
) -> None:
    """Read all images and say all that is wrong with them; exit 2 where something is."""
    from gpbench.core.errors import DataError, DatasetNotFoundError

    resolved = named_dataset(name, root)
    rows: list[Row] = []
    try:
        rows.append(_layout(resolved))
        problems = all_problems(resolved, name, jobs, allow_partial=allow_partial)
        rows += _rows(problems, _accepted(resolved) if allow_partial else [])
    except DatasetNotFoundError as error:
        rows = [Row("layout", ok=False, about=str(error))]
    except DataError as error:  # of the files as a whole: nothing else could be checked
        rows.append(Row(error.kind, ok=False, about=str(error)))
    healthy = all(row.ok for row in rows)
    if format_ is options.DataFormat.json:
        checks = [{"name": row.name, "ok": row.ok, "detail": row.detail} for row in rows]
        print_json({"schema": "gpbench.check/1", "ok": healthy, "checks": checks})
    else:
        print_table(
            ("check", "", "detail"),
            ((row.name, "ok" if row.ok else "WRONG", row.shortened) for row in rows),
        )
    if not healthy:
        raise typer.Exit(2)


@dataclass(frozen=True)
class Row:
    """One thing that was checked."""

    name: str
    ok: bool
    about: str
    """What holds, or comes before the problems."""
    problems: tuple[Problem, ...] = ()

    @property
    def detail(self) -> str:
        """Return all that is to be said, a line for each problem."""
        return "\n".join(filter(None, [self.about, *(each.text for each in self.problems)]))

    @property
    def shortened(self) -> str:
        """Return what a person reads to the end."""
        from gpbench.core.problems import shortened

        return "\n".join(filter(None, [self.about, *shortened(self.problems)]))


def _layout(resolved: ResolvedDataset) -> Row:
    """Return the first row: what was recognised where, and how many images it has.

    Raises:
        DatasetNotFoundError: If nothing usable lies at its root; says how to get it.
    """
    from gpbench.api import InspectedDataset
    from gpbench.core.errors import DataError, DatasetNotFoundError
    from gpbench.data.image_listing import list_images

    try:
        spec_of(resolved, allow_partial=True)
    except DatasetNotFoundError:
        raise
    except DataError:
        pass  # the rows of the other kinds say what
    root = resolved.root or Path()
    where = f"in {resolved.root}" if resolved.root else "made by a program, no files are needed"
    if isinstance(resolved.dataset, InspectedDataset):
        where = f"{resolved.dataset.layout(root)} {where}"
    splits = Counter(listed.split for listed in list_images(resolved.dataset, root).images)
    images = ", ".join(f"{n:,} {split}" for split, n in splits.items()) or "none"
    return Row("layout", ok=True, about=f"{where}; images: {images}")


def _accepted(resolved: ResolvedDataset) -> list[Problem]:
    """Return the problems that `--allow-partial` accepts."""
    from gpbench.data.image_listing import list_images

    root = resolved.root or Path()
    refused = list_images(resolved.dataset, root, allow_partial=True).problems
    return [each for each in list_images(resolved.dataset, root).problems if each not in refused]


def _rows(problems: Sequence[Problem], accepted: Sequence[Problem]) -> list[Row]:
    """Return a row for each kind of problem: what holds, what is wrong, or what is accepted."""
    from gpbench.core.problems import MEANINGS, PROBLEM_KINDS

    rows = []
    for kind in PROBLEM_KINDS:
        wrong = tuple(each for each in problems if each.kind == kind)
        let = tuple(each for each in accepted if each.kind == kind)
        if wrong:
            rows.append(Row(kind, ok=False, about="", problems=wrong))
        elif let:
            rows.append(Row(kind, ok=True, about="accepted by --allow-partial:", problems=let))
        else:
            rows.append(Row(kind, ok=True, about=MEANINGS[kind]))
    return rows
