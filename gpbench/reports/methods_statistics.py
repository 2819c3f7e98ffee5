"""Which tests and intervals a comparison rests on, as plain sentences for a paper. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from gpbench.compare.across import FOR_A_CLAIM
from gpbench.compare.comparison import Comparison
from gpbench.compare.images import NO_SCENES, ONE_SEED, ImageScope
from gpbench.compare.verdict import interval_name
from gpbench.reports.phrases import counted, told
from gpbench.stats.bootstrap import FEWEST_CLUSTERS
from gpbench.stats.power import FOR_A_VERDICT

ROW_TESTS = {
    "welch": "Welch's t test",
    "satterthwaite": "a t test whose variance is the sum of those of each fixed pre-trained "
    "model's fine-tunings, with Satterthwaite's degrees of freedom",
    "paired-t": "a paired t test over units trained on the same drawn labels",
}
SUITE_TESTS = {
    "welch": "Welch's t test over pre-trainings, each averaged over the datasets that it serves",
    "satterthwaite": "a t test whose variance is the sum over both arms and, within an arm, over "
    "what varies independently (each group of datasets that share pre-trainings; for fixed models "
    "and untrained arms, each dataset's own runs), with Satterthwaite's degrees of freedom",
    "paired-t": "a paired t test over units trained on the same drawn labels",
}
FAMILIES = {
    "holm": "Holm's step-down procedure",
    "max-t": "step-down max-T (Westfall and Young), from draws that keep how tests sharing a "
    "sample depend on each other",
    "bh": "Benjamini and Hochberg's procedure, which limits the share of false claims",
}
TWO_CHECKPOINTS = ONE_SEED.partition(". ")[2]
"""Ends the warning of an image interval that has nothing of how runs vary."""


def tests(comparison: Comparison) -> Iterator[str]:
    """Yield tests, intervals, families and scopes, a sentence or two each."""
    if not any(contrast.rows for contrast in comparison.contrasts):
        return
    yield from _average(comparison)
    yield from _by_dataset(comparison)
    if any(c.finding.ci or r.finding.ci for c in comparison.contrasts for r in c.rows):
        yield f"Intervals are {interval_name(comparison.alpha)}s of these t tests, each for itself."
    yield from _family(comparison)
    yield from _decision(comparison)
    yield from _margin(comparison)
    yield from _new_datasets(comparison)
    yield from _new_images(comparison)
    yield from _shares(comparison)
    yield from _shown_only(comparison)


def _average(comparison: Comparison) -> Iterator[str]:
    """Yield how the average over several datasets was tested."""
    averages = [each for each in comparison.contrasts if len(each.rows) > 1]
    if not averages:
        return
    counts = {len(contrast.rows) for contrast in averages}
    size = str(min(counts)) if len(counts) == 1 else f"{min(counts)} to {max(counts)}"
    yield (
        f"The headline of a contrast is the mean gain over exactly these {size} datasets, equally "
        "weighted (scope fixed-suite), no claim about other datasets."
    )
    tested = [contrast for contrast in averages if contrast.finding.test is not None]
    if len(tested) < len(averages):
        without = "It" if not tested else f"{len(averages) - len(tested)} of them"
        yield f"{without} could not be tested with these runs."
    if tested:
        ways = dict.fromkeys(SUITE_TESTS[contrast.finding.test or ""] for contrast in tested)
        yield f"It was tested two-sided by {told(ways)}."


def _by_dataset(comparison: Comparison) -> Iterator[str]:
    rows = [row for contrast in comparison.contrasts for row in contrast.rows]
    tests = [row.finding.test for row in rows]
    used = Counter(test for test in tests if test is not None)
    ways = [
        ROW_TESTS[test] + (f" ({count} of {len(rows)})" if len(used) > 1 else "")
        for test, count in used.items()
    ]
    if ways:
        yield f"On one dataset (scope seeds) the arms were compared by {told(ways)}, two-sided."
    untested: defaultdict[str, int] = defaultdict(int)
    for row in rows:
        if row.finding.test is None:
            untested[row.finding.reason] += 1
    for reason, count in untested.items():
        yield (
            f"{counted(count, 'contrast')} on one dataset {'has' if count == 1 else 'have'} no "
            f"test: {reason}."
        )


def _family(comparison: Comparison) -> Iterator[str]:
    family, contrasts = comparison.family, comparison.contrasts
    if all(c.finding.p is None and r.finding.p is None for c in contrasts for r in c.rows):
        claims = sum(each.finding.p is not None for c in contrasts for each in c.scopes)
        if claims > 1 and comparison.correction != "none":
            yield f"p-values were adjusted by {FAMILIES[comparison.correction]}, over these claims."
        return
    if comparison.correction == "none":
        yield "p-values were not adjusted for the number of tests."
        return
    if not _adjusted(comparison):
        yield "One difference was tested, so no p-value needed adjustment."
        return
    several = any(len(contrast.rows) > 1 for contrast in contrasts)
    sizes = [f"{counted(family.headline, 'headline test')}"]
    if several:
        sizes.append(counted(family.rows, "test") + " by dataset")
    if family.backbones:
        sizes.append(counted(family.backbones, "test") + " by backbone")
    each = ", each a family of its own" if len(sizes) > 1 else ""
    yield f"p-values were adjusted by {FAMILIES[comparison.correction]}, over {told(sizes)}{each}."
    if comparison.correction == "max-t":
        if len(comparison.baselines) > 1:
            yield (
                "Since all baselines are in the family, choosing the best of them is corrected for."
            )
    elif any(contrast.finding.p is None for contrast in contrasts):
        yield "A headline without a test counts in the family with p = 1."


def _adjusted(comparison: Comparison) -> bool:
    """Return whether any p differs from that of its test alone."""
    family = comparison.family
    largest = max(family.headline, family.rows, family.backbones)
    return comparison.correction != "none" and largest > 1


def _decision(comparison: Comparison) -> Iterator[str]:
    p = "the adjusted p" if _adjusted(comparison) else "p"
    if not comparison.trial:
        yield (
            f"A difference is called better or worse where {p} is below {comparison.alpha:g}, and "
            f"only with at least {FOR_A_VERDICT} units in each arm."
        )


def _margin(comparison: Comparison) -> Iterator[str]:
    margin = comparison.margin
    if margin is None:
        yield (
            "No margin of equivalence was set: a difference that is not significant is no evidence "
            "of equality."
        )
        return
    adjusted = ", adjusted likewise" if _adjusted(comparison) else ""
    if adjusted and comparison.correction == "max-t":
        adjusted = ", adjusted by Holm's procedure"
    yield (
        f"Equivalence within {margin:g} percent points was tested by two one-sided t tests (TOST)"
        f"{adjusted}: alone, it holds where the {interval_name(2 * comparison.alpha)} lies within "
        "the margin."
    )


def _new_datasets(comparison: Comparison) -> Iterator[str]:
    scoped = [each for c in comparison.contrasts for each in c.scopes if each.scope == "datasets"]
    if scoped:
        yield (
            "Claims about new datasets of this kind (scope datasets) take the mean gain of each "
            f"dataset as a unit, of which a verdict needs {FOR_A_CLAIM}, in a two-sided paired t "
            "test."
        )
    if scoped and _shared(comparison):
        yield (
            "Where several datasets share pre-trainings, their variance was added in a second t "
            "test; of both the larger p counts."
        )
    if scoped and comparison.correction == "max-t":
        yield (
            "Their p-values were adjusted by joint sign flips of datasets where all contrasts "
            "have the same datasets, else by Holm's procedure."
        )
    elif scoped and comparison.correction != "none":
        yield "They are a family of their own."
    if any(each.finding.level == "checkpoint" for each in scoped):
        yield "At level checkpoint they are conditional on these pre-trainings."


def _shared(comparison: Comparison) -> bool:
    """Return whether a pre-training serves several datasets."""
    served: defaultdict[str, set[str]] = defaultdict(set)
    for run in comparison.runs:
        if run.pretrain_key is not None and run.value is not None:
            served[run.pretrain_key].add(run.dataset)
    return any(len(datasets) > 1 for datasets in served.values())


def _new_images(comparison: Comparison) -> Iterator[str]:
    found = [
        (row.dataset.name, row.images)
        for contrast in comparison.contrasts
        for row in contrast.rows
        if isinstance(row.images, ImageScope)
    ]
    if not found:
        return
    scopes = [scope for _, scope in found]
    drawn = told(dict.fromkeys(f"{on} ({s.clusters} scenes, {s.draws} draws)" for on, s in found))
    yield (
        f"Claims about new images (scope images) on {drawn} add to the variance between runs that "
        "of the choice of scenes: a bootstrap of whole scenes, the same draws for both arms, of "
        "the difference of the arms' mean scores, with the number of scenes - 1 degrees of freedom "
        "in Satterthwaite's t test."
    )
    warnings = {warning for scope in scopes for warning in scope.warnings}
    if any(TWO_CHECKPOINTS in warning for warning in warnings):
        yield (
            "Where the variance between runs is unknown, the interval has the choice of scenes "
            "only and compares two checkpoints, not two strategies."
        )
    if NO_SCENES in warnings:
        yield "Where no scenes are recorded each image counts as a scene of its own."
    verdicts = [each for c in comparison.contrasts for each in c.scopes if each.scope == "images"]
    if verdicts and _adjusted(comparison):
        by = ", adjusted by Holm's procedure" if comparison.correction == "max-t" else ""
        yield f"Verdicts on them are a family of their own{by}."
    yield "The standard error of the scenes was checked by the jackknife over scenes."
    if any(difference.band for scope in scopes for _, difference in scope.classes):
        yield (
            f"Bands of classes hold together at {100 * (1 - comparison.alpha):g} % for the choice "
            f"of scenes alone; a class in fewer than {FEWEST_CLUSTERS} scenes has none."
        )


def _shares(comparison: Comparison) -> Iterator[str]:
    """Yield how the shares of variance were estimated, where they could be."""
    for each in comparison.sources:
        found = each.found
        if isinstance(found, str):
            continue
        several = len(comparison.sources) > 1
        at = f" at {100 * each.label_fraction:g} % of the labels" if several else ""
        negative = ""
        if found.negative:
            negative = f"; estimates below 0 were set to 0 ({told(found.negative)})"
        yield (
            f"Shares of variance{at} come from expected mean squares over "
            f"{counted(len(each.datasets), 'dataset')}, {counted(len(each.arms), 'arm')} and "
            f"{counted(len(each.backbones), 'backbone')}, the arms taken as fixed{negative}."
        )


def _shown_only(comparison: Comparison) -> Iterator[str]:
    """Yield what is shown beside and decides nothing."""
    shown = []
    if any(contrast.exact for contrast in comparison.contrasts):
        shown.append(
            "sign-flip and Wilcoxon signed-rank tests of the gains by dataset and their "
            "Hodges-Lehmann estimate"
        )
    if comparison.omnibus:
        shown.append("Friedman's test over all arms")
    if shown:
        yield f"Shown beside and without part in any verdict: {told(shown)}."
