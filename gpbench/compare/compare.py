"""A study and a request become a Comparison. Pure: the same study gives the same value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from gpbench.compare.cell import Cell, Pair, pair
from gpbench.compare.comparison import (
    Comparison,
    Contrast,
    Finding,
    Headline,
    Request,
    Row,
)
from gpbench.compare.evidence import Evidence, Side, weigh
from gpbench.compare.fairness import notes, unfairness, warnings
from gpbench.compare.study import Run, Study, StudyDataset, in_order
from gpbench.compare.verdict import Judge
from gpbench.core.errors import ComparisonError, InvalidValueError, UnknownNameError
from gpbench.core.seeds import derive_seed

USUAL_BASELINE = "imagenet"


@dataclass(frozen=True)
class Draft:
    """A contrast before its family is corrected for."""

    candidate: str
    label_fraction: float
    pairs: tuple[tuple[StudyDataset, Pair], ...]
    evidence: Evidence
    row_evidence: tuple[Evidence, ...]


def compare(study: Study, request: Request) -> Comparison:
    """Return the candidates' gains over the baseline, per dataset and averaged over datasets.

    Raises:
        ComparisonError: If no baseline is named and `imagenet` is not there, or no candidate is.
        ConfigError: If an arm is unknown, or alpha or margin is out of range.
    """
    _check(request)
    baseline, candidates = _sides(study, request)
    study = _restricted(study, (*candidates, baseline))
    drafts = list(_drafts(study, baseline, candidates, request))
    judge = Judge(request, study.trial)
    headlines = judge.findings([draft.evidence for draft in drafts])
    rows = judge.findings([evidence for draft in drafts for evidence in draft.row_evidence])
    remaining = iter(rows)
    contrasts = tuple(
        _contrast(study, baseline, draft, finding, [next(remaining) for _ in draft.pairs])
        for draft, finding in zip(drafts, headlines, strict=True)
    )
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
        contrasts=contrasts,
        runs=study.runs,
        excluded=study.excluded,
        fairness=tuple(e for arm in candidates for e in unfairness(study, arm, baseline)),
        banners=tuple(_banners(study)),
        warnings=(*_constants(drafts), *warnings(study, contrasts)),
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
    """Return the baseline and the candidates, in the order of the study."""
    for name in (*request.candidates, *filter(None, [request.baseline])):
        if name not in study.arms:
            raise UnknownNameError("arm", name, study.arms, f"It is not in '{study.name}'.")
    baseline = request.baseline or USUAL_BASELINE
    arms = ", ".join(study.arms)
    if baseline not in study.arms:
        raise ComparisonError(
            f"'{study.name}' has no arm '{USUAL_BASELINE}': name the baseline with --baseline, one "
            f"of {arms}"
        )
    named = request.candidates or study.arms
    candidates = tuple(arm for arm in study.arms if arm in named and arm != baseline)
    if not candidates:
        raise ComparisonError(
            f"nothing to compare with the baseline {baseline}: '{study.name}' has {arms}"
        )
    return baseline, candidates


def _restricted(study: Study, arms: tuple[str, ...]) -> Study:
    runs = tuple(run for run in study.runs if run.arm in arms)
    return replace(study, arms=tuple(a for a in study.arms if a in arms), runs=runs)


def _drafts(
    study: Study, baseline: str, candidates: Iterable[str], request: Request
) -> Iterator[Draft]:
    fractions = sorted({run.label_fraction for run in study.runs})
    for candidate in candidates:
        for fraction in fractions:
            pairs = tuple(_pairs(study, candidate, baseline, fraction))

            def weighed(some: Iterable[Pair], candidate: str = candidate) -> Evidence:
                chosen = list(some)
                return weigh(
                    Side(candidate, tuple(p.candidate for p in chosen)),
                    Side(baseline, tuple(p.baseline for p in chosen)),
                    request.level,
                    request.alpha,
                )

            nothing = Evidence(
                None,
                request.level or "strategy",
                f"{candidate} and {baseline} have no finished results on a common dataset",
            )
            yield Draft(
                candidate,
                fraction,
                pairs,
                weighed(p for _, p in pairs) if pairs else nothing,
                tuple(weighed([p]) for _, p in pairs),
            )


def _pairs(
    study: Study, candidate: str, baseline: str, fraction: float
) -> Iterator[tuple[StudyDataset, Pair]]:
    for dataset in study.datasets:
        here = [
            r for r in study.runs if (r.dataset, r.label_fraction) == (dataset.name, fraction)
        ]
        found = pair(
            dataset.name,
            [run for run in here if run.arm == candidate],
            [run for run in here if run.arm == baseline],
        )
        if found is not None:
            yield dataset, found


def _contrast(
    study: Study, baseline: str, draft: Draft, finding: Finding, row_findings: list[Finding]
) -> Contrast:
    pairs = [p for _, p in draft.pairs]
    return Contrast(
        candidate=draft.candidate,
        baseline=baseline,
        metric=study.metric,
        label_fraction=draft.label_fraction,
        scope="seeds" if len(pairs) == 1 else "fixed-suite",
        finding=finding,
        pretrainings=(
            _pretrainings(p.candidate for p in pairs),
            _pretrainings(p.baseline for p in pairs),
        ),
        finetunings=(
            sum(len(p.candidate.replicates) * len(p.backbones) for p in pairs),
            sum(len(p.baseline.replicates) * len(p.backbones) for p in pairs),
        ),
        rows=tuple(
            _row(study, dataset, found, evidence, row_finding)
            for (dataset, found), evidence, row_finding in zip(
                draft.pairs, draft.row_evidence, row_findings, strict=True
            )
        ),
    )


def _row(
    study: Study, dataset: StudyDataset, found: Pair, evidence: Evidence, finding: Finding
) -> Row:
    a, b = found.candidate, found.baseline
    own = None
    if dataset.metric not in (None, study.metric) and None not in (a.headline, b.headline):
        own = Headline(dataset.metric, a.headline, b.headline)
    return Row(
        dataset=dataset,
        backbones=found.backbones,
        candidate=tuple(r.value for r in a.replicates),
        baseline=tuple(r.value for r in b.replicates),
        candidate_pretrain_seeds=tuple(r.pretrain_seed for r in a.replicates),
        baseline_pretrain_seeds=tuple(r.pretrain_seed for r in b.replicates),
        candidate_mean=a.mean,
        baseline_mean=b.mean,
        finding=finding,
        test=evidence.method,
        a12=evidence.a12,
        headline=own,
    )
