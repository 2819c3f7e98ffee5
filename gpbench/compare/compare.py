"""A study and a request become a Comparison. Pure: the same study gives the same value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from gpbench.compare.across import floor_note, omnibus
from gpbench.compare.arms import Sides, sides
from gpbench.compare.comparison import Comparison, Family, Request
from gpbench.compare.contrast import Draft, draft
from gpbench.compare.failures import failures
from gpbench.compare.fairness import banners, notes, unfairness, warnings
from gpbench.compare.images import SceneCounts
from gpbench.compare.judged import Group, contrasts
from gpbench.compare.looks import unplanned
from gpbench.compare.sources import sources
from gpbench.compare.study import Study
from gpbench.compare.verdict import Judge
from gpbench.compare.words import Correction
from gpbench.core.errors import InvalidValueError
from gpbench.core.seeds import derive_seed


def compare(study: Study, request: Request, counts: SceneCounts | None = None) -> Comparison:
    """Return the candidates' gains over the baseline, per dataset and averaged over datasets.

    Several label fractions give one contrast each.

    Args:
        study: What was run.
        request: What is asked.
        counts: Where the pixel counts of scenes are, for claims about new images; None: nowhere.

    Raises:
        ComparisonError: If no baseline is named and `imagenet` is not there, or no candidate is.
        ConfigError: If an arm is unknown, alpha or margin is out of range, or the correction does
            not go with several baselines.
    """
    _check(request)
    arms = sides(study, request)
    everything = study
    study = _restricted(study, (*arms.candidates, *arms.baselines))
    fractions = sorted({run.label_fraction for run in study.runs})
    data_hash = study.data_hash
    judge = Judge(request, study.trial, _correction(request, arms), _rng_seed(request, data_hash))
    groups = [_group(study, arm, arms, f, request) for arm in arms.candidates for f in fractions]
    drafts = [each for group in groups for each in group.drafts]
    told = [
        *_cautions(study),
        *unplanned(study, request.alpha),
        *(w for baseline in arms.baselines for w in warnings(study, baseline, arms.candidates)),
        *(w for d in drafts for w in d.warnings()),
    ]
    floors = _floors(drafts, request.alpha, judge.correction)
    if judge.correction == "max-t":  # it flips the signs of datasets
        told += floors
    pairs = [(arm, baseline) for arm in arms.candidates for baseline in arms.baselines]
    found = contrasts(everything, request, groups, judge, counts)
    return Comparison(
        study=study.name,
        metric=study.metric,
        baselines=arms.baselines,
        alpha=request.alpha,
        correction=judge.correction,
        margin=request.margin,
        family=Family(
            len(drafts),
            sum(len(each.rows) for each in drafts),
            sum(len(each.backbones) for each in drafts),
        ),
        data_hash=data_hash,
        rng_seed=judge.rng_seed,
        contrasts=found,
        runs=study.runs,
        excluded=study.excluded,
        fairness=tuple(e for arm, baseline in pairs for e in unfairness(study, arm, baseline)),
        failures=tuple(f for pair in pairs if (f := failures(study, *pair)) is not None),
        omnibus=tuple(
            ranks for f in fractions if (ranks := omnibus(study, f, judge.rng)) is not None
        ),
        sources=tuple(sources(study, f, found) for f in fractions),
        banners=tuple(banners(study)),
        warnings=tuple(dict.fromkeys(told)),
        notes=(*notes(study), *(() if judge.correction == "max-t" else floors)),
        trial=study.trial,
        partial=study.partial,
        ablation=request.ablation,
    )


def _check(request: Request) -> None:
    if not 0 < request.alpha < 0.5:
        raise InvalidValueError("--alpha", request.alpha, "more than 0 and less than 0.5")
    if request.margin is not None and not request.margin > 0:
        raise InvalidValueError("--margin", request.margin, "more than 0 percent points")


def _correction(request: Request, arms: Sides) -> Correction:
    """Return the correction asked for, else Holm's; the best of several needs max-T."""
    several = len(arms.baselines) > 1
    if several and request.correction not in (None, "max-t"):
        raise InvalidValueError(
            "--correction",
            request.correction,
            "max-t, or left out: the choice of the best baseline is corrected for by it",
        )
    return request.correction or ("max-t" if several else "holm")


def _group(
    study: Study, candidate: str, arms: Sides, label_fraction: float, request: Request
) -> Group:
    """Return the candidate's contrasts with all baselines, over datasets and backbones of all.

    A mean over other datasets or backbones would be no better or worse baseline.
    """

    def drafts(of: Study) -> tuple[Draft, ...]:
        return tuple(draft(of, candidate, each, label_fraction, request) for each in arms.baselines)

    found = drafts(study)
    if len(found) == 1:
        return Group(study, found)
    names = [each.backbones_of for each in found]
    shared = {
        name: frozenset.intersection(*(of.get(name, frozenset()) for of in names))
        for name in names[0]
    }
    if all(of == shared for of in names):
        return Group(study, found)
    common = replace(
        study,
        datasets=tuple(d for d in study.datasets if shared.get(d.name)),
        runs=tuple(run for run in study.runs if run.backbone in shared.get(run.dataset, ())),
    )
    kept = {d.name for d in common.datasets}
    again = drafts(common)
    absent = [
        tuple(
            dict.fromkeys([*first.absent, *(d.name for d in first.datasets if d.name not in kept)])
        )
        for first in found
    ]
    return Group(
        common, tuple(replace(each, absent=lost) for each, lost in zip(again, absent, strict=True))
    )


def _floors(drafts: Sequence[Draft], alpha: float, correction: Correction) -> list[str]:
    """Return what the exact tests over datasets cannot decide, by number of datasets."""
    counts = sorted({len(each.pairs) for each in drafts if len(each.pairs) > 1})
    found = (floor_note(count, len(drafts), alpha, correction) for count in counts)
    return [sentence for sentence in found if sentence is not None]


def _cautions(study: Study) -> Iterator[str]:
    """Yield what had to be assumed of the runs, arms of the same sentence together."""
    for caution in dict.fromkeys(study.cautions.values()):
        arms = [arm for arm in study.arms if study.cautions.get(arm) == caution]
        if arms:
            yield f"{', '.join(arms)}: {caution.sentence}"


def _restricted(study: Study, arms: tuple[str, ...]) -> Study:
    runs = tuple(run for run in study.runs if run.arm in arms)
    return replace(study, arms=tuple(a for a in study.arms if a in arms), runs=runs)


def _rng_seed(request: Request, data_hash: str) -> int:
    """Return the seed of all resampling: two readers of the same results get the same intervals."""
    if request.rng_seed is not None:
        return request.rng_seed
    return derive_seed("compare", data_hash) % 2**32  # below 2**53: every JSON reader keeps it
