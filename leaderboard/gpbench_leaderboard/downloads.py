"""results.csv and results.json: what the page shows, for programs. Pure; no absolute paths."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from gpbench.compare.comparison import Comparison
from gpbench.compare.study import Study
from gpbench.core.plan import Experiment
from gpbench.reports.document import comparison_document
from gpbench.reports.raw import runs_csv
from gpbench.reports.results import result_rows
from gpbench.store import Result, StoredExperiment
from gpbench_leaderboard.privacy import scrubbed, without_paths
from gpbench_leaderboard.references import Reference

SCHEMA = "gpbench.site/1"


def results_csv(study: Study) -> str:
    """Return the runs that ended as a table for `gpbench compare --table`: one metric for all."""
    protocols = {without_paths(d.name): without_paths(d.protocol or "") for d in study.datasets}
    runs = (
        replace(
            run,
            arm=without_paths(run.arm),
            backbone=without_paths(run.backbone),
            dataset=without_paths(run.dataset),
        )
        for run in study.runs
    )
    return runs_csv(runs, study.metric, protocols)


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
