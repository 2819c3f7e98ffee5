"""Results tables of other tools, told from ours by their header, in our columns. Pure.

GEO-Bench-2's `results_and_parameters.csv` and evaluma's long table: both hold fractions, and what
they compare is one name, a pre-trained model with whatever made it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from gpbench.compare.table_problems import Problem
from gpbench.core.errors import ConfigError

OWN_BACKBONE = "the strategy's own"
"""The backbone of all rows where what is compared is itself a backbone: all have the same."""

PERCENTAGES = "data_percentages"
"""GEO-Bench-2's share of the labels, with or without a percent sign."""
_EXTRA = ("pretrain_seed", "pretrain_key")
"""Our columns that other tools' tables may have besides their own; those tools pass over them."""


@dataclass(frozen=True)
class Dialect:
    """How a tool calls our columns.

    `score` is the column of its scores, in fractions; `compared` the one of what it compares.
    """

    tool: str
    score: str
    compared: str
    columns: Mapping[str, str]
    """Their column -> ours."""
    required: tuple[str, ...]
    unused: frozenset[str] = frozenset()
    """Columns that say nothing to a comparison."""

    def names(self, header: Sequence[str]) -> Mapping[str, str]:
        """Return their column -> ours, of a header."""
        known = {**self.columns, **{name: name for name in (*_EXTRA, "strategy", "label_fraction")}}
        found = {name: known[name] for name in header if name in known}
        if "strategy" not in header:
            found[self.compared] = "strategy"
        return found


GEO_BENCH_2 = Dialect(
    tool="GEO-Bench-2",
    score="test metric",
    compared="backbone",
    columns={
        "backbone": "backbone",
        "dataset": "dataset",
        "Metric": "metric",
        "Seed": "seed",
        "test metric": "value",
        PERCENTAGES: "label_fraction",
        "frozen_or_full_ft": "protocol",
    },
    required=("backbone", "dataset", "Metric", "Seed", "test metric"),
    unused=frozenset(
        {
            *("experiment_name", "experiment_id", "partition name", "partition_name", "decoder"),
            *("batch_size_selection", "early_stop_patience", "n_trials", "batch_size", "lr"),
            *("weight_decay", "index", "mlflow_run_name", "mlflow_run_id", "mlflow_run_status"),
        }
    ),
)
EVALUMA = Dialect(
    tool="evaluma",
    score="score",
    compared="model",
    columns={
        "model": "strategy",
        "dataset": "dataset",
        "metric": "metric",
        "seed": "seed",
        "score": "value",
    },
    required=("model", "dataset", "metric", "score"),
)


def dialect_of(header: Sequence[str]) -> Dialect | None:
    """Return whose table it is; None: ours, or nobody's."""
    if GEO_BENCH_2.score in header:
        return GEO_BENCH_2
    if {EVALUMA.compared, EVALUMA.score} <= {*header} and not {"strategy", "value"} & {*header}:
        return EVALUMA
    return None


def check_dialect(path: Path, header: Sequence[str], dialect: Dialect) -> None:
    """Check the columns of another tool's table.

    Raises:
        ConfigError: If one is missing, unknown, there twice, or two hold the same.
    """
    told = [*_ambiguous(header, dialect)]
    lacking = [name for name in dialect.required if name not in header]
    if lacking:
        told.append(f"add {', '.join(lacking)}")
    names = dialect.names(header)
    unknown = [name for name in header if name not in names and name not in dialect.unused]
    if unknown and not told:
        told.append(
            f"leave out {', '.join(name or 'the one without a name' for name in unknown)}, which "
            f"no column is called; columns are {', '.join([*dialect.columns, *_EXTRA])}"
        )
    if told:
        raise ConfigError(
            f"{path}: read as a table of {dialect.tool}, for its column {dialect.score}: "
            f"{'; '.join(told)}"
        )


def _ambiguous(header: Sequence[str], dialect: Dialect) -> Iterator[str]:
    """Yield which columns cannot both be there."""
    if dialect is EVALUMA and "backbone" in header:
        yield (
            "model and backbone can both be what is compared: rename that one to strategy, the "
            "other to backbone, and score to value, in percent points"
        )
        return
    same: defaultdict[str, list[str]] = defaultdict(list)
    for name in header:
        ours = dialect.names(header).get(name, name)
        same[ours].append(name)
    for ours, names in same.items():
        if len(set(names)) > 1:
            yield f"{' and '.join(names)} both hold the {ours}: leave one out"
        elif len(names) > 1:
            yield f"{names[0]} is there twice"


def translated(dialect: Dialect, cells: Mapping[str, str]) -> dict[str, str]:
    """Return the cells of a row in our columns, percent points; its numbers are right.

    Without pre-trainings told apart, rows are fine-tunings of one pre-trained model.

    Args:
        dialect: Of the table.
        cells: Their column -> text, all columns.
    """
    names = dialect.names([*cells])
    row = {names[name]: text for name, text in cells.items() if name in names}
    row["value"] = shifted(row["value"], 2)
    if PERCENTAGES in cells:
        row["label_fraction"] = shifted(cells[PERCENTAGES].removesuffix("%"), -2)
    fill = {"backbone": OWN_BACKBONE, "seed": "0", "pretrain_seed": "0"}
    return {**{column: text for column, text in fill.items() if column not in row}, **row}


def shifted(number: str, places: int) -> str:
    """Return a number with its decimal point moved: no bit of it is lost, unlike in a product."""
    return f"{Decimal(number).scaleb(places):f}"


def wrong_numbers(dialect: Dialect, lines: Mapping[int, Mapping[str, str]]) -> Iterator[Problem]:
    """Yield the scores that are no fractions, and the shares of labels that are no percent.

    Args:
        dialect: Of the table.
        lines: Line number -> their column -> text.
    """
    scores = {number: _number(cells[dialect.score]) for number, cells in lines.items()}
    mixed = any(score is not None and 0 < score <= 1 for score in scores.values())
    said = "the table mixes percent and fraction" if mixed else "these are none"
    fraction = f"scores of {dialect.tool} are fractions, 0 to 1, {said}: 0.617 in place of 61.7"
    for number, score in scores.items():
        text = lines[number][dialect.score]
        if score is None:
            mend = "no number: a run without a score is left out"
            yield Problem(number, f"{dialect.score} =", repr(text), mend)
        elif not 0 <= score <= 1:
            yield Problem(number, f"{dialect.score} =", repr(text), fraction)
    for number, cells in lines.items():
        share = cells.get(PERCENTAGES, "100")
        percent = _number(share.removesuffix("%"))
        if percent is None or not 0 < percent <= 100:
            mend = "percent of the labels, more than 0 and at most 100"
            yield Problem(number, f"{PERCENTAGES} =", repr(share), mend)


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
