"""Drafts of all contrasts, corrected for together, become contrasts with verdicts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

from gpbench.compare.across import exact
from gpbench.compare.comparison import (
    Against,
    ByBackbone,
    Contrast,
    Finding,
    Request,
    Scoped,
    Sensitivity,
)
from gpbench.compare.contrast import Draft, draft
from gpbench.compare.evidence import Evidence
from gpbench.compare.fill import diverged, filled, sensitivity
from gpbench.compare.images import Asked, ImageScope, SceneCounts, image_scopes
from gpbench.compare.needs import needs
from gpbench.compare.study import Study
from gpbench.compare.verdict import Judge
from gpbench.stats.satterthwaite import TTest

CLOSER = (
    "yet these datasets' own average does not show it: the gains agree more closely than their "
    "runs let expect"
)
UNDECIDED = (
    "while the average over these datasets cannot be decided: this rests on how gains vary between "
    "datasets, not on how runs do"
)
FEW_RUNS = "yet on these images it is not decided: the runs are few, and alone have fewer degrees"


@dataclass(frozen=True)
class Group:
    """One candidate at one label fraction: a draft per baseline, on the same runs of `study`."""

    study: Study
    drafts: tuple[Draft, ...]

    @property
    def best(self) -> int:
        """Return the place of the baseline with the highest mean, the first of equals."""
        means = [each.baseline_mean if each.pairs else 0.0 for each in self.drafts]
        return means.index(max(means))


@dataclass(frozen=True)
class Verdicts:
    """The findings of one draft."""

    headline: Finding
    rows: tuple[Finding, ...]
    across: Finding | None
    backbones: tuple[Finding, ...]


def contrasts(
    study: Study,
    request: Request,
    groups: Sequence[Group],
    judge: Judge,
    counts: SceneCounts | None,
) -> tuple[Contrast, ...]:
    """Return one contrast per group: with the best baseline, where there are several.

    Args:
        study: What was run.
        request: What is asked.
        groups: Everything that is looked at.
        judge: Of all families.
        counts: Where the pixel counts of scenes are, if anywhere.
    """
    drafts = [each for group in groups for each in group.drafts]
    found = iter(_verdicts(drafts, judge))
    filled_in = zip(
        _headlines(study, request, groups, judge, against=True),
        _headlines(study, request, groups, judge, against=False),
        strict=True,
    )
    images = iter(_images([group.drafts[group.best] for group in groups], study, judge, counts))
    made = []
    for group in groups:
        own = list(islice(found, len(group.drafts)))
        readings = list(islice(filled_in, len(group.drafts)))
        best = group.drafts[group.best]
        headline = own[group.best].headline
        new_images, claim = next(images)
        contrast = _contrast(best, own[group.best], judge, new_images)
        alpha = judge.alpha_of(len(drafts))
        made.append(
            replace(
                contrast,
                scopes=(*contrast.scopes, *_scoped(claim, headline)),
                against=tuple(
                    Against(each.baseline, verdicts.headline)
                    for each, verdicts in zip(group.drafts, own, strict=True)
                    if len(own) > 1 or request.ablation is not None
                ),
                sensitivity=_sensitivity(group.study, best, headline, readings[group.best]),
                needed=needs(best.evidence, best.rows, alpha, request.margin, best.pretrainings),
            )
        )
    return tuple(made)


def _images(
    drafts: Sequence[Draft], study: Study, judge: Judge, counts: SceneCounts | None
) -> list[tuple[list[ImageScope | str], Finding | None]]:
    """Return for each draft the scope `images` of its rows; of a single one, a finding too."""
    asked = [
        [
            Asked(dataset.name, found.candidate, found.baseline, evidence)
            for dataset, found, evidence in zip(each.datasets, each.pairs, each.rows, strict=True)
        ]
        for each in drafts
    ]
    found = iter(
        image_scopes(
            [one for part in asked for one in part],
            counts,
            study.metric,
            judge.rng_seed,
            judge.request.alpha,
        )
    )
    by_draft = [list(islice(found, len(part))) for part in asked]
    claims = _nested(
        judge,
        [
            [_as_evidence(scope, each.rows[0]) for scope in scopes if isinstance(scope, ImageScope)]
            if len(scopes) == 1
            else []
            for each, scopes in zip(drafts, by_draft, strict=True)
        ],
    )
    return [
        (scopes, claim[0] if claim else None)
        for scopes, claim in zip(by_draft, claims, strict=True)
    ]


def _scoped(claim: Finding | None, headline: Finding) -> tuple[Scoped, ...]:
    return (Scoped("images", _beyond(claim, headline, FEW_RUNS)),) if claim else ()


def _as_evidence(scope: ImageScope, runs: Evidence) -> Evidence:
    """Return what a verdict about new images is made from."""
    test = TTest(scope.difference, scope.se, scope.df, scope.p, scope.ci)
    return replace(runs, difference=scope.difference, test=test, method="satterthwaite", samples=())


def _verdicts(drafts: Sequence[Draft], judge: Judge) -> list[Verdicts]:
    """Return the findings of each draft; each kind of claim is a family over all drafts."""
    headlines = judge.findings([each.evidence for each in drafts])
    rows = _nested(judge, [each.rows for each in drafts])
    across = _nested(judge, [(each.across,) if each.across else () for each in drafts])
    backbones = _nested(judge, [[e for _, e in each.backbones] for each in drafts])
    return [
        Verdicts(headline, own, _beyond(new[0], headline, CLOSER) if new else None, by_backbone)
        for headline, own, new, by_backbone in zip(headlines, rows, across, backbones, strict=True)
    ]


def _beyond(claim: Finding, headline: Finding, why: str) -> Finding:
    """Return a claim beyond the data, cautioned where it is decided and the headline is not.

    Each test is right on its own. Gains can agree by chance more closely than their runs let
    expect; scenes add to the standard error, but to Satterthwaite's degrees of freedom too.
    """
    if claim.verdict in ("inconclusive", "undecidable"):
        return claim
    told = {"inconclusive": why, "undecidable": UNDECIDED}.get(headline.verdict)
    return replace(claim, reason=f"{claim.reason}; {told}") if told else claim


def _nested(judge: Judge, families: Sequence[Sequence[Evidence]]) -> list[tuple[Finding, ...]]:
    """Return the findings of one family that is told in parts, in the same parts."""
    found = iter(judge.findings([evidence for part in families for evidence in part]))
    return [tuple(islice(found, len(part))) for part in families]


def _headlines(
    study: Study, request: Request, groups: Sequence[Group], judge: Judge, *, against: bool
) -> list[Finding]:
    """Return the headlines with diverged runs filled in, for or against each candidate."""
    family = []
    for group in groups:
        for each in group.drafts:
            sides = (each.candidate, each.baseline)
            if any(diverged(group.study, arm, each.label_fraction) for arm in sides):
                lowest, highest = sides if against else sides[::-1]
                made = filled(
                    group.study, study, each.label_fraction, lowest=lowest, highest=highest
                )
                family.append(draft(made, *sides, each.label_fraction, request).evidence)
            else:
                family.append(each.evidence)
    return judge.findings(family)


def _sensitivity(
    study: Study, made: Draft, finding: Finding, filled_in: tuple[Finding, Finding]
) -> Sensitivity | None:
    a, b = (diverged(study, arm, made.label_fraction) for arm in (made.candidate, made.baseline))
    return sensitivity((a, b), finding, *filled_in) if a or b else None


def _contrast(
    made: Draft, found: Verdicts, judge: Judge, images: Sequence[ImageScope | str]
) -> Contrast:
    return Contrast(
        candidate=made.candidate,
        baseline=made.baseline,
        metric=made.metric,
        label_fraction=made.label_fraction,
        scope="fixed-suite" if len(made.pairs) > 1 else "seeds",
        finding=found.headline,
        pretrainings=made.pretrainings,
        finetunings=made.finetunings,
        rows=tuple(
            replace(made.row(at, finding, judge.request.alpha), images=scope)
            for at, (finding, scope) in enumerate(zip(found.rows, images, strict=True))
        ),
        exact=exact(made.pairs, judge.rng),
        scopes=(Scoped("datasets", found.across),) if found.across else (),
        backbones=tuple(
            ByBackbone(name, finding)
            for (name, _), finding in zip(made.backbones, found.backbones, strict=True)
        ),
    )
