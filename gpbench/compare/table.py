"""A results table of any tool becomes a study.

Without `pretrain_seed` a row is an independent unit; equal strategy, backbone and pretrain_seed are
one pre-training, on whatever dataset, unless `pretrain_key` says otherwise.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from gpbench.compare.study import Run, Study, StudyDataset
from gpbench.compare.table_rows import TableRow, read_rows, refuse
from gpbench.core.errors import UnknownNameError

UNNAMED_METRIC = "score"

Rows = Mapping[int, TableRow]
"""Line number -> row."""


def table_study(path: Path, metric: str | None = None, protocol: str | None = None) -> Study:
    """Return the study of a table; arms and datasets are sorted, so the rows' order is free.

    Args:
        path: The file.
        metric: What `value` is; must agree with the column `metric` where there is one.
        protocol: Only the rows of this protocol; all where None.

    Raises:
        DataError: If the file cannot be read.
        ConfigError: If cells are wrong or contradict each other, each named with its line; if
            metrics are mixed, or protocols of one dataset.
    """
    rows = read_rows(path)
    if protocol is not None:
        known = {row.protocol for row in rows.values()}
        if protocol not in known:
            raise UnknownNameError("protocol", protocol, known - {""})
        rows = {number: row for number, row in rows.items() if row.protocol == protocol}
    refuse(path, [*_metrics(rows), *_contradictions(rows), *_fractions(rows)])
    (found,) = {row.metric for row in rows.values()}
    if metric and found and metric != found:
        raise UnknownNameError("metric", metric, [found])
    protocols = {row.dataset: row.protocol or None for row in rows.values()}
    return Study(
        name=path.name,
        metric=metric or found or UNNAMED_METRIC,
        arms=tuple(sorted({row.strategy for row in rows.values()})),
        datasets=tuple(StudyDataset(name, protocols[name]) for name in sorted(protocols)),
        runs=tuple(map(_run, rows.values())),
        cautions=tuple(_unnumbered(rows)),
    )


def _unnumbered(rows: Rows) -> Iterator[str]:
    """Yield which arms' rows are taken as pre-trainings because nothing says otherwise."""
    arms = sorted({row.strategy for row in rows.values() if row.pretrain_seed is None})
    if arms:
        yield (
            f"no pretrain_seed for {', '.join(arms)}: each row is taken as a pre-training of its "
            "own. Several fine-tunings of one pre-training would say too much of a strategy so"
        )


def _run(row: TableRow) -> Run:
    key = row.pretrain_key
    if key is None and row.pretrain_seed is not None:
        key = f"{row.strategy} {row.backbone} {row.pretrain_seed}"
    return Run(
        arm=row.strategy,
        backbone=row.backbone,
        dataset=row.dataset,
        label_fraction=row.label_fraction,
        pretrain_seed=row.pretrain_seed,
        pretrain_key=key,
        finetune_seed=row.seed,
        value=row.value if row.status == "ok" else None,
        status=row.status,
    )


def _metrics(rows: Rows) -> Iterator[str]:
    """Yield which metrics are mixed, and on which datasets."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows.values():
        found[row.metric or "no metric"].add(row.dataset)
    if len(found) > 1:
        told = ", ".join(f"{name} on {', '.join(sorted(on))}" for name, on in sorted(found.items()))
        yield f"{told}: a comparison needs one metric; give a table for each"


def _contradictions(rows: Rows) -> Iterator[str]:
    """Yield a sentence for every row that contradicts an earlier one."""
    yield from _unlike(
        rows, lambda row: row.dataset, lambda row: row.protocol, "protocols of a dataset are mixed"
    )
    yield from _unlike(
        rows,
        lambda row: (row.strategy, row.dataset),
        lambda row: row.pretrain_seed is not None,
        "either all rows of a strategy on a dataset have a pretrain_seed, or none",
    )
    yield from _unlike(
        {number: row for number, row in rows.items() if row.pretrain_key},
        lambda row: (row.strategy, row.pretrain_key),
        lambda row: (row.backbone, row.pretrain_seed),
        "one pretrain_key is one backbone and one pretrain_seed",
    )
    yield from _unlike(
        rows,
        lambda row: (*_cell(row), row.pretrain_seed),
        lambda row: row.pretrain_key,
        "a pretrain_seed is one pretrain_key on each dataset",
    )
    seen: dict[Any, int] = {}
    for number, row in rows.items():
        first = seen.setdefault((*_cell(row), row.pretrain_seed, row.seed), number)
        if first != number:
            yield f"line {number}: the same strategy, backbone, dataset and seeds as line {first}"


def _cell(row: TableRow) -> tuple[str, str, str, float]:
    return row.strategy, row.backbone, row.dataset, row.label_fraction


def _unlike(
    rows: Rows, place: Callable[[TableRow], Any], fact: Callable[[TableRow], Any], rule: str
) -> Iterator[str]:
    """Yield every row whose fact differs from that of the first row in the same place."""
    first: dict[Any, tuple[int, Any]] = {}
    for number, row in rows.items():
        earlier, expected = first.setdefault(place(row), (number, fact(row)))
        if fact(row) != expected:
            yield (f"line {number}: {fact(row)!r} here and {expected!r} on line {earlier}: {rule}")


def _fractions(rows: Rows) -> Iterator[str]:
    """Yield values in (0, 1]: fractions, for no usable network scores so few percent points."""
    mixed = any(row.value is not None and row.value > 1 for row in rows.values())
    said = "metric mixes percent and fraction" if mixed else "a fraction"
    for number, row in rows.items():
        if row.value is not None and 0 < row.value <= 1:
            yield f"line {number}: value = {row.value:g} ({said}): give percent points"
