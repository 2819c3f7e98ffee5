"""The raw values of a comparison in the columns of other tools, which `compare --table` reads back.

Names stand as they are, whatever a spreadsheet makes of them: they are keys. A run without a score
has no line, for both tools average what they find.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from gpbench.compare.comparison import Comparison
from gpbench.compare.study import Run
from gpbench.compare.table_dialects import GEO_BENCH_2, OWN_BACKBONE, PERCENTAGES, shifted
from gpbench.core.errors import ComparisonError
from gpbench.reports.csv_text import csv_text

GEO_BENCH_2_COLUMNS = (
    *("backbone", "dataset", "Metric", "experiment_name", "partition name", "decoder"),
    *("frozen_or_full_ft", "batch_size_selection", "early_stop_patience", "n_trials", "Seed"),
    *(PERCENTAGES, "batch_size", "weight_decay", "lr", GEO_BENCH_2.score),
    *("pretrain_seed", "pretrain_key"),
)
"""All that its check of a submission wants, and ours, which it passes over."""
GEO_BENCH_2_METRICS: Mapping[str, str] = {"mIoU": "Multiclass_Jaccard_Index"}
EVALUMA_COLUMNS = (
    *("model", "dataset", "metric", "score", "seed"),
    *("pretrain_seed", "pretrain_key", "label_fraction"),
)
EVALUMA_METRICS: Mapping[str, str] = {"mF1": "f1"}
"""mIoU is known to it, in whatever capitals."""


def geobench2_csv(comparison: Comparison) -> str:
    """Return GEO-Bench-2's `results_and_parameters.csv`; what gpbench does not know is empty.

    Raises:
        ComparisonError: If two arms with their backbones come to one name.
    """
    metric = GEO_BENCH_2_METRICS.get(comparison.metric, comparison.metric)
    return csv_text(
        GEO_BENCH_2_COLUMNS,
        (
            {
                "backbone": model,
                "dataset": run.dataset,
                "Metric": metric,
                "experiment_name": comparison.study,
                "Seed": seed,
                PERCENTAGES: shifted(str(run.label_fraction), 2),
                GEO_BENCH_2.score: score,
                "pretrain_seed": run.pretrain_seed,
                "pretrain_key": run.pretrain_key,
            }
            for run, model, seed, score in _runs(comparison)
        ),
    )


def evaluma_csv(comparison: Comparison) -> str:
    """Return evaluma's long table.

    Raises:
        ComparisonError: If two arms with their backbones come to one name.
    """
    metric = EVALUMA_METRICS.get(comparison.metric, comparison.metric)
    return csv_text(
        EVALUMA_COLUMNS,
        (
            {
                "model": model,
                "dataset": run.dataset,
                "metric": metric,
                "score": score,
                "seed": seed,
                "pretrain_seed": run.pretrain_seed,
                "pretrain_key": run.pretrain_key,
                "label_fraction": run.label_fraction,
            }
            for run, model, seed, score in _runs(comparison)
        ),
    )


def _runs(comparison: Comparison) -> Iterator[tuple[Run, str, int, str]]:
    """Yield the runs that have a score, their model's name, number and fraction."""
    names, numbers = _names(comparison), _numbers(comparison.runs)
    for run in comparison.runs:
        if run.value is not None:
            yield run, names[_model(run)], numbers[_replicate(run)], shifted(str(run.value), -2)


def _model(run: Run) -> tuple[str, str, float]:
    return run.arm, run.backbone, run.label_fraction


def _names(comparison: Comparison) -> Mapping[tuple[str, str, float], str]:
    """Return what both tools take for one model: arm, backbone and, of several, share of labels.

    Raises:
        ComparisonError: If two come to one name.
    """
    several = len({run.label_fraction for run in comparison.runs}) > 1
    names: dict[tuple[str, str, float], str] = {}
    for arm, backbone, fraction in dict.fromkeys(map(_model, comparison.runs)):
        name = arm if backbone == OWN_BACKBONE else f"{arm} @ {backbone}"
        name += f" ({100 * fraction:g} % labels)" if several else ""
        if name in names.values():
            raise ComparisonError(
                f"two arms with their backbones are both called '{name}' in tables of other tools: "
                "rename an arm, or write --format csv, which keeps both apart"
            )
        names[arm, backbone, fraction] = name
    return names


def _replicate(run: Run) -> tuple[bool, int, int]:
    return run.pretrain_seed is None, run.pretrain_seed or 0, run.finetune_seed


def _numbers(runs: Iterable[Run]) -> Mapping[tuple[bool, int, int], int]:
    """Return the number of each replicate from 0 on: a model has one run of a number per dataset.

    Equal replicates of all arms have the same. Runs without a pre-training are counted apart.
    """
    replicates = sorted({_replicate(run) for run in runs})
    first = sum(not untrained for untrained, _, _ in replicates)
    return {each: at - first * each[0] for at, each in enumerate(replicates)}
