"""A comparison as the JSON document `gpbench.compare/1`, described in docs/json.md. Pure."""

from __future__ import annotations

from dataclasses import asdict

from gpbench.compare.comparison import Comparison, Contrast, Finding, Row
from gpbench.compare.study import Run
from gpbench.core.plan import JsonObject

SCHEMA = "gpbench.compare/1"


def comparison_document(comparison: Comparison) -> JsonObject:
    """Return the document: plain JSON values without NaN, null where nothing was computed."""
    headlines, rows = comparison.family
    return {
        "schema": SCHEMA,
        "experiment": comparison.study,
        "metric": comparison.metric,
        "baseline": comparison.baseline,
        "alpha": comparison.alpha,
        "correction": comparison.correction,
        "family": {"headline": headlines, "rows": rows},
        "margin": comparison.margin,
        "data_hash": comparison.data_hash,
        "rng_seed": comparison.rng_seed,
        "trial": comparison.trial,
        "partial": list(comparison.partial),
        "contrasts": [_contrast(contrast) for contrast in comparison.contrasts],
        "diverged": [_run(run) for run in comparison.diverged],
        "missing": [_run(run) for run in comparison.missing],
        "excluded": [asdict(excluded) for excluded in comparison.excluded],
        "fairness": [
            {**asdict(entry), "values": list(entry.values)} for entry in comparison.fairness
        ],
        "warnings": [*comparison.banners, *comparison.warnings],
        "notes": list(comparison.notes),
    }


def _contrast(contrast: Contrast) -> JsonObject:
    return {
        "candidate": contrast.candidate,
        "baseline": contrast.baseline,
        "metric": contrast.metric,
        "label_fraction": contrast.label_fraction,
        **_finding(contrast.finding),
        "scope": contrast.scope,
        "pretrainings": list(contrast.pretrainings),
        "finetunings": list(contrast.finetunings),
        "exact": None,
        "needed": None,
        "scopes": [],
        "datasets": [_row(row, contrast.label_fraction) for row in contrast.rows],
    }


def _row(row: Row, label_fraction: float) -> JsonObject:
    return {
        "dataset": row.dataset.name,
        "protocol": row.dataset.protocol,
        "synthetic": row.dataset.synthetic,
        "label_fraction": label_fraction,
        "backbones": list(row.backbones),
        "candidate": list(row.candidate),
        "baseline": list(row.baseline),
        "candidate_pretrain_seeds": list(row.candidate_pretrain_seeds),
        "baseline_pretrain_seeds": list(row.baseline_pretrain_seeds),
        **_finding(row.finding),
        "test": row.test,
        "a12": row.a12,
        "headline": asdict(row.headline) if row.headline else None,
        "images": None,
    }


def _finding(finding: Finding) -> JsonObject:
    equivalence = finding.equivalence
    return {
        "verdict": finding.verdict,
        "level": finding.level,
        "reason": finding.reason,
        "difference": finding.difference,
        "ci": list(finding.ci) if finding.ci else None,
        "df": finding.df,
        "p": finding.p,
        "p_adjusted": finding.p_adjusted,
        "equivalence": {**asdict(equivalence), "ci": list(equivalence.ci)} if equivalence else None,
    }


def _run(run: Run) -> JsonObject:
    fields = ("backbone", "dataset", "label_fraction", "pretrain_seed", "finetune_seed", "status")
    return {"strategy": run.arm, **{name: getattr(run, name) for name in fields}}
