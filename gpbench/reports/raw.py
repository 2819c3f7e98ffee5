"""Every run's score as CSV: what `compare --table` reads, so that others can check. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gpbench.compare.comparison import Comparison
from gpbench.compare.study import UNRUN, Run
from gpbench.compare.table_rows import COLUMNS
from gpbench.reports.csv_text import csv_text


def comparison_csv(comparison: Comparison) -> str:
    """Return the runs that are compared; see `runs_csv`."""
    protocols = {
        row.dataset.name: row.dataset.protocol
        for contrast in comparison.contrasts
        for row in contrast.rows
    }
    return runs_csv(comparison.runs, comparison.metric, protocols)


def runs_csv(runs: Iterable[Run], metric: str, protocols: Mapping[str, str | None]) -> str:
    """Return one line per fine-tuning that ended; values in percent points, to the last bit.

    Args:
        runs: In the order of the lines.
        metric: That of the values.
        protocols: Dataset -> its protocol.
    """
    return csv_text(
        COLUMNS,
        (
            {
                "strategy": run.arm,
                "backbone": run.backbone,
                "dataset": run.dataset,
                "seed": run.finetune_seed,
                "value": run.value,
                "pretrain_seed": run.pretrain_seed,
                "pretrain_key": run.pretrain_key,
                "label_fraction": run.label_fraction,
                "metric": metric,
                "protocol": protocols.get(run.dataset),
                "status": run.status,
            }
            for run in runs
            if run.status != UNRUN
        ),
    )
