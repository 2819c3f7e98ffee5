"""A comparison as the JSON document `gpbench.compare/1`, described in docs/json.md. Pure."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version

from gpbench.compare.comparison import (
    Ablation,
    Comparison,
    Contrast,
    Exact,
    Finding,
    Row,
    Sensitivity,
    Sources,
)
from gpbench.compare.failures import Failures, Tally
from gpbench.compare.images import ImageScope
from gpbench.compare.study import Run
from gpbench.core.plan import JsonObject
from gpbench.stats.components import Sd, Spread

SCHEMA = "gpbench.compare/1"


def comparison_document(comparison: Comparison) -> JsonObject:
    """Return the document: plain JSON values without NaN, null where nothing was computed."""
    return {
        "schema": SCHEMA,
        "gpbench": version("gpbench"),
        "experiment": comparison.study,
        "metric": comparison.metric,
        "baseline": comparison.baseline,
        "baselines": list(comparison.baselines),
        "alpha": comparison.alpha,
        "correction": comparison.correction,
        "family": asdict(comparison.family),
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
        "failures": [_failures(entry) for entry in comparison.failures],
        "omnibus": [asdict(entry) for entry in comparison.omnibus],
        "sources": [_sources(entry) for entry in comparison.sources],
        "ablation": _ablation(comparison.ablation) if comparison.ablation else None,
        "warnings": [*comparison.banners, *comparison.warnings],
        "notes": list(comparison.notes),
    }


def _sources(sources: Sources) -> JsonObject:
    found = sources.found
    told: JsonObject = {"shares": None, "negative": [], "unknown": [], "reason": found}
    if not isinstance(found, str):
        told = {name: list(values) for name, values in asdict(found).items()} | {"reason": None}
    return {
        "label_fraction": sources.label_fraction,
        "arms": list(sources.arms),
        "datasets": list(sources.datasets),
        "backbones": list(sources.backbones),
        **told,
    }


def _ablation(ablation: Ablation) -> JsonObject:
    return {"full": ablation.full, "ingredients": dict(ablation.ingredients)}


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
        "exact": _exact(contrast.exact) if contrast.exact else None,
        "needed": asdict(contrast.needed) if contrast.needed else None,
        "scopes": [{"scope": each.scope, **_finding(each.finding)} for each in contrast.scopes],
        "backbones": [
            {"backbone": each.backbone, **_finding(each.finding)} for each in contrast.backbones
        ],
        "baselines": [
            {"baseline": each.baseline, **_finding(each.finding)} for each in contrast.against
        ],
        "sensitivity": _sensitivity(contrast.sensitivity) if contrast.sensitivity else None,
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
        "a12": row.a12,
        "a12_ci": _span(row.a12_ci),
        "effects": dict(row.effects),
        "correlation": row.correlation,
        "spread": {
            side: _spread(own)
            for side, own in zip(("candidate", "baseline"), row.spread, strict=True)
        },
        "headline": asdict(row.headline) if row.headline else None,
        "images": _images(row.images),
        "images_reason": row.images if isinstance(row.images, str) else None,
    }


def _finding(finding: Finding) -> JsonObject:
    equivalence = finding.equivalence
    return {
        "verdict": finding.verdict,
        "level": finding.level,
        "reason": finding.reason,
        "difference": finding.difference,
        "ci": _span(finding.ci),
        "test": finding.test,
        "df": finding.df,
        "p": finding.p,
        "p_adjusted": finding.p_adjusted,
        "p_se": finding.p_se,
        "ci_family": _span(finding.ci_family),
        "equivalence": {**asdict(equivalence), "ci": _span(equivalence.ci)}
        if equivalence
        else None,
    }


def _images(images: ImageScope | str) -> JsonObject | None:
    if isinstance(images, str):
        return None
    return {
        "difference": images.difference,
        "ci": _span(images.ci),
        "df": images.df,
        "p": images.p,
        "clusters": images.clusters,
        "draws": images.draws,
        "se_cluster": images.se_cluster,
        "jackknife_se": images.jackknife_se,
        "percentile": _span(images.percentile),
        "swap_p": images.swap_p,
        "classes": {
            name: {
                "difference": found.difference,
                "band": _span(found.band),
                "clusters": found.clusters,
                "pixels": found.pixels,
                "q": found.q,
            }
            for name, found in images.classes
        },
        "warnings": list(images.warnings),
    }


def _exact(exact: Exact) -> JsonObject:
    return {**asdict(exact), "leave_one_out": _span(exact.leave_one_out)}


def _sensitivity(found: Sensitivity) -> JsonObject:
    return {
        "diverged": list(found.diverged),
        "worst": _finding(found.worst),
        "best": _finding(found.best),
        "fragile": found.fragile,
    }


def _spread(spread: Spread) -> JsonObject:
    return {"pretraining": _sd(spread.pre), "finetuning": _sd(spread.ft), "unit": _sd(spread.unit)}


def _sd(sd: Sd | None) -> JsonObject | None:
    return None if sd is None else {"sd": sd.sd, "ci": [sd.lo, sd.hi], "df": sd.df}


def _failures(found: Failures) -> JsonObject:
    return {
        "arm": found.arm,
        "baseline": found.baseline,
        "finetunings": [_tally(each) for each in found.finetunings],
        "outcomes": [_tally(each) for each in found.outcomes],
        "p": found.p,
    }


def _tally(tally: Tally) -> JsonObject:
    return {"diverged": tally.diverged, "ended": tally.ended}


def _span(span: tuple[float, float] | None) -> list[float] | None:
    return None if span is None else list(span)


def _run(run: Run) -> JsonObject:
    fields = ("backbone", "dataset", "label_fraction", "pretrain_seed", "finetune_seed", "status")
    return {"strategy": run.arm, **{name: getattr(run, name) for name in fields}}
