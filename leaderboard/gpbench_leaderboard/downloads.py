"""results.csv and results.json: what the page shows, for programs. Pure; no absolute paths."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, get_args

from gpbench.compare.comparison import Comparison
from gpbench.compare.study import Run, Study
from gpbench.compare.table_rows import COLUMNS
from gpbench.core.plan import Experiment
from gpbench.core.stage import Status
from gpbench.reports.document import comparison_document
from gpbench.reports.results import result_rows
from gpbench.store import Result, StoredExperiment
from gpbench_leaderboard.privacy import scrubbed, without_paths
from gpbench_leaderboard.references import Reference

SCHEMA = "gpbench.site/1"


def results_csv(study: Study) -> str:
    """Return the runs that ended as a table for `gpbench compare --table`: one metric for all."""
    protocols = {dataset.name: dataset.protocol or "" for dataset in study.datasets}
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    for run in study.runs:
        if run.status in get_args(Status):
            table.writerow(_csv_row(run, study.metric, protocols[run.dataset]))
    return text.getvalue()


def results_json(
    stored: StoredExperiment,
    results: Sequence[Result],
    comparison: Comparison | None,
    references: Sequence[Reference],
) -> str:
    """Return the document `gpbench.site/1`; its comparison is null where there is none."""
    document = {
        "schema": SCHEMA,
        "experiment": stored.name,
        "trial": stored.trial,
        "partial": list(stored.partial),
        "created_at": stored.created_at,
        "asked": asked(stored.experiment),
        "strategies": [asdict(facts) for facts in stored.strategies],
        "datasets": [asdict(facts) for facts in stored.datasets],
        "excluded": [asdict(excluded) for excluded in stored.excluded],
        "comparison": comparison_document(comparison) if comparison else None,
        "results": result_rows(results, stored.datasets),
        "references": [asdict(reference) for reference in references],
    }
    return json.dumps(scrubbed(document), indent=1, allow_nan=False) + "\n"


def asked(experiment: Experiment) -> Mapping[str, Any]:
    """Return what of an experiment may be published: no folders, nothing of how it was executed."""
    shown = asdict(experiment)
    for private in ("data_roots", "execution", "brought_in"):
        del shown[private]
    for source in shown["sources"]:
        del source["root"]
    return shown


def _csv_row(run: Run, metric: str, protocol: str) -> dict[str, object]:
    return {
        "strategy": without_paths(run.arm),
        "backbone": without_paths(run.backbone),
        "dataset": without_paths(run.dataset),
        "seed": run.finetune_seed,
        "value": run.value,
        "pretrain_seed": run.pretrain_seed,
        "pretrain_key": run.pretrain_key,
        "label_fraction": run.label_fraction,
        "metric": metric,
        "protocol": without_paths(protocol),
        "status": run.status,
    }
