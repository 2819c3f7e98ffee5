"""A results table of any tool becomes a study.

In our columns a row without `pretrain_seed` is an independent unit; equal strategy, backbone and
pretrain_seed are one pre-training, on whatever dataset, unless `pretrain_key` says otherwise. In
those of other tools rows without `pretrain_seed` are fine-tunings of one pre-trained model.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import Any

from gpbench.compare.study import Caution, Run, Study, StudyDataset
from gpbench.compare.table_dialects import Dialect
from gpbench.compare.table_problems import Problem, refuse
from gpbench.compare.table_rows import Table, TableRow, read_table
from gpbench.core.errors import ConfigError, UnknownNameError

UNNAMED_METRIC = "score"

Rows = Mapping[int, TableRow]
"""Line number -> row."""


def table_study(path: Path, metric: str | None = None, protocol: str | None = None) -> Study:
    """Return the study of a table; arms and datasets are sorted, so the rows' order is free.

    Args:
        path: The file.
        metric: Only the rows of this metric; what `value` is where no row says so.
        protocol: Only the rows of this protocol; all where None.

    Raises:
        DataError: If the file cannot be read.
        ConfigError: If cells are wrong or contradict each other, each named with its line; if
            metrics are mixed and none is chosen, or protocols of one dataset; if less is better.
    """
    table = read_table(path)
    rows = table.rows
    if protocol is not None:
        rows = _chosen(rows, "protocol", protocol, lambda row: row.protocol)
    refuse(path, _unnamed_metrics(rows))
    if metric is not None and any(row.metric for row in rows.values()):
        rows = _chosen(rows, "metric", metric, lambda row: row.metric)
    found = _metric(path, rows)
    _check_direction(path, found)
    fractions = _fractions(rows) if table.dialect is None else ()
    refuse(path, [*_contradictions(rows), *_repeated(rows), *fractions])
    protocols = {row.dataset: row.protocol or None for row in rows.values()}
    return Study(
        name=path.name.encode(errors="replace").decode(),
        metric=found or metric or UNNAMED_METRIC,
        arms=tuple(sorted({row.strategy for row in rows.values()})),
        datasets=tuple(StudyDataset(name, protocols[name]) for name in sorted(protocols)),
        runs=tuple(map(_run, rows.values())),
        cautions=dict(_cautions(table, rows)),
    )


UNITS = Caution(
    "provided that each row is a pre-training of its own",
    "no pretrain_seed: each row is taken as a pre-training of its own. Where rows are fine-tunings "
    "of one pre-training, add the column, else p is too small for a claim about strategies",
)
NO_PRETRAINING = Caution(
    "provided that rows without a pretrain_seed are of no pre-training",
    "no pretrain_seed, which other strategies have: rows are taken as runs without a pre-training, "
    "as those of scratch. Number the pre-trainings where there are any",
)


ONE_MODEL = Caution(
    "",
    "no pretrain_seed: rows are taken as fine-tunings of one pre-trained model, seeds as theirs. "
    "Where rows are of several pre-trainings, add the column",
)
"""No condition: the level says it in every verdict."""


def _cautions(table: Table, rows: Rows) -> Iterator[tuple[str, Caution]]:
    """Yield the arms without pretrain_seed, and what is assumed of them; `scratch` has none."""
    if table.dialect is not None and "pretrain_seed" not in table.header:
        for arm in {row.strategy for row in rows.values()}:
            yield arm, _as_strategy(table.dialect, table.header)
        return
    numbered = {row.strategy for row in rows.values() if row.pretrain_seed is not None}
    for arm in {row.strategy for row in rows.values()} - numbered - {"scratch"}:
        yield arm, NO_PRETRAINING if numbered else UNITS


def _as_strategy(dialect: Dialect, header: Sequence[str]) -> Caution:
    """Return what is assumed of another tool's rows."""
    if "strategy" in header:
        return ONE_MODEL
    told = f"a table of {dialect.tool}, its {dialect.compared}s taken as strategies"
    return replace(ONE_MODEL, sentence=f"{told}; {ONE_MODEL.sentence}")


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


def _chosen(rows: Rows, kind: str, name: str, fact: Callable[[TableRow], str]) -> Rows:
    """Return the rows of one metric or protocol.

    Raises:
        UnknownNameError: If no row is of it.
    """
    known = {fact(row) for row in rows.values()}
    if name not in known:
        raise UnknownNameError(kind, name, known - {""})
    return {number: row for number, row in rows.items() if fact(row) == name}


def _unnamed_metrics(rows: Rows) -> Iterator[Problem]:
    """Yield the rows without a metric where others have one."""
    if any(row.metric for row in rows.values()):
        for number, row in rows.items():
            if not row.metric:
                yield Problem(number, "metric is empty", rule="name it in all rows, or in none")


def _metric(path: Path, rows: Rows) -> str:
    """Return the metric of all rows; empty where none is named.

    Raises:
        ConfigError: If there are several.
    """
    found: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows.values():
        found[row.metric].add(row.dataset)
    if len(found) > 1:
        told = "; ".join(f"{name} on {', '.join(sorted(on))}" for name, on in sorted(found.items()))
        flags = " or ".join(f"--metric {name}" for name in sorted(found))
        raise ConfigError(f"{path}: metrics are mixed ({told}): choose one by {flags}")
    return next(iter(found))


ERRORS = ("rmse", "mse", "mae", "mape", "error", "loss", "logloss", "log_loss", "perplexity")
"""Metrics of which less is better, in small letters."""


def _check_direction(path: Path, metric: str) -> None:
    """Check that more is better.

    Raises:
        ConfigError: If less is.
    """
    if metric.lower() in ERRORS:
        raise ConfigError(
            f"{path}: of {metric} less is better, a comparison takes scores of which more is: "
            "where they are turned round already, give the metric another name"
        )


def _contradictions(rows: Rows) -> Iterator[Problem]:
    """Yield every row that contradicts an earlier one."""
    yield from _unlike(
        rows,
        lambda row: row.dataset,
        lambda row: f"protocol '{row.protocol}'",
        "protocols of a dataset are mixed; --protocol chooses one",
    )
    for column in ("strategy", "backbone", "dataset"):
        yield from _capitals(rows, column)
    yield from _unlike(
        rows,
        lambda row: row.strategy,
        lambda row: f"{'no' if row.pretrain_seed is None else 'a'} pretrain_seed",
        "either all rows of a strategy have a pretrain_seed, or none",
    )
    yield from _unlike(
        {number: row for number, row in rows.items() if row.pretrain_key},
        lambda row: (row.strategy, row.pretrain_key),
        lambda row: f"backbone {row.backbone} and pretrain_seed {row.pretrain_seed}",
        "one pretrain_key is one backbone and one pretrain_seed",
    )
    yield from _unlike(
        rows,
        lambda row: (*_cell(row), row.pretrain_seed),
        lambda row: f"pretrain_key {row.pretrain_key}" if row.pretrain_key else "no pretrain_key",
        "a pretrain_seed is one pretrain_key on each dataset",
    )


def _repeated(rows: Rows) -> Iterator[Problem]:
    """Yield rows whose names and seeds are those of an earlier one."""
    mend = "leave one out, or number fine-tunings in seed and pre-trainings in pretrain_seed"
    seen: dict[Any, int] = {}
    for number, row in rows.items():
        first = seen.setdefault((*_cell(row), row.pretrain_seed, row.seed), number)
        if first != number:
            same = "the same strategy, backbone, dataset, label_fraction and seeds as line"
            yield Problem(number, same, str(first), mend)


def _cell(row: TableRow) -> tuple[str, str, str, float]:
    return row.strategy, row.backbone, row.dataset, row.label_fraction


def _capitals(rows: Rows, column: str) -> Iterator[Problem]:
    """Yield every row whose name in a column is an earlier one but for capitals."""
    named = attrgetter(column)
    yield from _unlike(
        rows,
        lambda row: named(row).casefold(),
        lambda row: f"{column} {named(row)}",
        "names that differ in capitals only: write one",
    )


def _unlike(
    rows: Rows, place: Callable[[TableRow], Any], fact: Callable[[TableRow], str], rule: str
) -> Iterator[Problem]:
    """Yield every row whose fact differs from that of the first row in the same place."""
    first: dict[Any, tuple[int, str]] = {}
    for number, row in rows.items():
        earlier, expected = first.setdefault(place(row), (number, fact(row)))
        if fact(row) != expected:
            yield Problem(number, "", f"{fact(row)} here, {expected} on line {earlier}", rule)


def _fractions(rows: Rows) -> Iterator[Problem]:
    """Yield values in (0, 1]: fractions, for no usable network scores so few percent points."""
    mixed = any(row.value is not None and row.value > 1 for row in rows.values())
    said = "metric mixes percent and fraction" if mixed else "a fraction"
    for number, row in rows.items():
        if row.value is not None and 0 < row.value <= 1:
            mend = f"{said}: give percent points, 61.7 in place of 0.617"
            yield Problem(number, "value =", f"{row.value:g}", mend)
