"""A study and a request become a Comparison. Pure: the same study gives the same value."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

from gpbench.compare.comparison import Comparison, Request
from gpbench.compare.contrast import draft
from gpbench.compare.fairness import banners, notes, unfairness, warnings
from gpbench.compare.study import Study
from gpbench.compare.verdict import Judge
from gpbench.core.errors import ComparisonError, InvalidValueError, UnknownNameError
from gpbench.core.seeds import derive_seed

USUAL_BASELINE = "imagenet"


def compare(study: Study, request: Request) -> Comparison:
    """Return the candidates' gains over the baseline, per dataset and averaged over datasets.

    Several label fractions give one contrast each.

    Raises:
        ComparisonError: If no baseline is named and `imagenet` is not there, or no candidate is.
        ConfigError: If an arm is unknown, or alpha or margin is out of range.
    """
    _check(request)
    baseline, candidates = _sides(study, request)
    study = _restricted(study, (*candidates, baseline))
    fractions = sorted({run.label_fraction for run in study.runs})
    drafts = [draft(study, arm, baseline, f, request) for arm in candidates for f in fractions]
    judge = Judge(request, study.trial)
    headlines = judge.findings([d.evidence for d in drafts])
    rows = judge.findings([evidence for d in drafts for evidence in d.row_evidence])
    remaining = iter(rows)
    data_hash = study.data_hash
    return Comparison(
        study=study.name,
        metric=study.metric,
        baseline=baseline,
        alpha=request.alpha,
        correction=request.correction,
        margin=request.margin,
        family=(len(headlines), len(rows)),
        data_hash=data_hash,
        rng_seed=_rng_seed(request, data_hash),
        contrasts=tuple(
            d.contrast(finding, list(islice(remaining, len(d.pairs))))
            for d, finding in zip(drafts, headlines, strict=True)
        ),
        runs=study.runs,
        excluded=study.excluded,
        fairness=tuple(e for arm in candidates for e in unfairness(study, arm, baseline)),
        banners=tuple(banners(study)),
        warnings=tuple(
            dict.fromkeys([*warnings(study, baseline), *(w for d in drafts for w in d.warnings())])
        ),
        notes=tuple(notes(study)),
        trial=study.trial,
        partial=study.partial,
    )


def _check(request: Request) -> None:
    if not 0 < request.alpha < 0.5:
        raise InvalidValueError("--alpha", request.alpha, "more than 0 and less than 0.5")
    if request.margin is not None and not request.margin > 0:
        raise InvalidValueError("--margin", request.margin, "more than 0 percent points")


def _sides(study: Study, request: Request) -> tuple[str, tuple[str, ...]]:
    """Return the baseline, and the candidates in the order of the study."""
    for name in (*request.candidates, *([request.baseline] if request.baseline else [])):
        if name not in study.arms:
            raise UnknownNameError("arm", name, study.arms)
    baseline, arms = request.baseline or USUAL_BASELINE, ", ".join(study.arms)
    if baseline not in study.arms:
        raise ComparisonError(
            f"'{study.name}' has no arm '{USUAL_BASELINE}' to compare with: name one by --baseline "
            f"({arms})"
        )
    named = request.candidates or study.arms
    candidates = tuple(arm for arm in study.arms if arm in named and arm != baseline)
    if not candidates:
        raise ComparisonError(
            f"nothing to compare with the baseline {baseline}: '{study.name}' has only {arms}"
            if len(study.arms) == 1
            else f"nothing to compare: {baseline} is the baseline; name another arm of {arms}"
        )
    return baseline, candidates


def _restricted(study: Study, arms: tuple[str, ...]) -> Study:
    runs = tuple(run for run in study.runs if run.arm in arms)
    return replace(study, arms=tuple(a for a in study.arms if a in arms), runs=runs)


def _rng_seed(request: Request, data_hash: str) -> int:
    """Return the seed of all resampling: two readers of the same results get the same intervals."""
    if request.rng_seed is not None:
        return request.rng_seed
    return derive_seed("compare", data_hash) % 2**32  # below 2**53: every JSON reader keeps it
