"""The raw values of a comparison as CSV: what `compare --table` reads, so that others can check."""

from __future__ import annotations

import csv
import io

from gpbench.compare.comparison import Comparison
from gpbench.compare.study import UNRUN
from gpbench.compare.table_rows import COLUMNS


def comparison_csv(comparison: Comparison) -> str:
    """Return one line per fine-tuning that ended; values in percent points, to the last bit."""
    protocols = {
        row.dataset.name: row.dataset.protocol
        for contrast in comparison.contrasts
        for row in contrast.rows
    }
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for run in comparison.runs:
        if run.status == UNRUN:
            continue
        writer.writerow(
            {
                "strategy": run.arm,
                "backbone": run.backbone,
                "dataset": run.dataset,
                "seed": run.finetune_seed,
                "value": run.value,
                "pretrain_seed": run.pretrain_seed,
                "pretrain_key": run.pretrain_key,
                "label_fraction": run.label_fraction,
                "metric": comparison.metric,
                "protocol": protocols.get(run.dataset),
                "status": run.status,
            }
        )
    return out.getvalue()
