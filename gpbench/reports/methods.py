"""What was done, as plain sentences to paste into a paper: true of this comparison. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version

from gpbench.compare.comparison import Comparison, Contrast
from gpbench.compare.study import UNRUN, Run
from gpbench.compare.words import Level
from gpbench.reports.methods_statistics import tests
from gpbench.reports.phrases import counted, one_line, told
from gpbench.reports.sheets import name
from gpbench.reports.wording import pretrained, probability

METRICS = {
    "mIoU": "mIoU, the mean over the scored classes of the intersection over union",
    "mF1": "mF1, the mean over the scored classes of the F1 score",
}
SOFTWARE = ("numpy", "scipy")
OF_RUNS = ("torch", "timm", "onedl-mmsegmentation", "numpy", "gpbench", "python")
"""Facts of an environment that are versions, in the order in which they are told."""


def methods(comparison: Comparison) -> tuple[str, ...]:
    """Return paragraphs of plain text, one line each, without markup; none is empty."""
    paragraphs = (
        _design(comparison),
        _replication(comparison),
        tests(comparison),
        _failures(comparison),
        _fairness(comparison),
        _software(comparison),
    )
    joined = (one_line(" ".join(sentences)) for sentences in paragraphs)
    return tuple(paragraph for paragraph in joined if paragraph)


def _design(comparison: Comparison) -> Iterator[str]:
    """Yield what was compared, on what and by which score."""
    if comparison.trial:
        yield "This is a trial run of part of a plan: verdicts are withheld."
    candidates = dict.fromkeys(contrast.candidate for contrast in comparison.contrasts)
    baselines = comparison.baselines
    yield (
        f"We compared {told(candidates)} with {told(baselines)} in the experiment "
        f"{comparison.study}."
    )
    if len(baselines) > 1:
        yield (
            "Each candidate was compared with each of these baselines on what all of them have; "
            "the reported difference is that to the baseline with the highest mean."
        )
    if comparison.ablation is not None:
        lacking = (f"{arm} ({how})" for arm, how in comparison.ablation.ingredients)
        yield (
            f"{comparison.ablation.full} is the full method; its ablations differ from it as "
            f"follows: {'; '.join(lacking)}."
        )
    yield from _data(comparison)
    yield _score(comparison)


def _data(comparison: Comparison) -> Iterator[str]:
    rows = [row for contrast in comparison.contrasts for row in contrast.rows]
    if not rows:
        yield "No candidate has finished results on a dataset of the baseline."
        return
    datasets = {row.dataset.name: row.dataset.protocol for row in rows}
    named = (f"{each} (protocol {how})" if how else each for each, how in datasets.items())
    backbones = sorted({backbone for row in rows for backbone in row.backbones})
    fractions = sorted({each.label_fraction for each in comparison.contrasts if each.rows})
    shares = told(f"{100 * share:g} %" for share in fractions)
    averaged = ", averaged within each dataset" if len(backbones) > 1 else ""
    yield (
        f"The comparison covers {counted(len(datasets), 'dataset')}, {told(named)}, with the "
        f"backbone{'s' if len(backbones) > 1 else ''} {told(backbones)}{averaged}, fine-tuned on "
        f"{'all' if fractions == [1.0] else shares} of the training labels."
    )
    if comparison.partial:
        yield f"Incomplete results were allowed on {told(comparison.partial)}."
    lacking = [c for c in comparison.contrasts if len(c.rows) < len(datasets)]
    if lacking and len(datasets) > 1:
        yield "A contrast is made on the datasets on which both of its arms have results."


def _score(comparison: Comparison) -> str:
    metric = METRICS.get(comparison.metric)
    units = "differences are candidate minus baseline in percent points"
    stored = [run.key is not None for run in comparison.runs if run.value is not None]
    if metric is None or not stored or not all(stored):
        return f"The score is {comparison.metric} in percent as given in the table; {units}."
    return (
        f"The score is {metric}, computed from pixel counts summed over all images of the test "
        f"set, in percent; {units}."
    )


def _replication(comparison: Comparison) -> Iterator[str]:
    """Yield how many runs there are, and which of them are independent."""
    same: defaultdict[str, list[str]] = defaultdict(list)
    for contrast in comparison.contrasts:
        if contrast.rows:
            same[_sizes(contrast)].append(f"{name(comparison, contrast)} v {contrast.baseline}")
    for sizes, pairs in same.items():
        each = len(same) == 1 and len(pairs) > 1
        yield f"{'Each contrast' if each else told(pairs)}: {sizes}."
    levels: defaultdict[Level, list[Contrast]] = defaultdict(list)
    for contrast in comparison.contrasts:
        if contrast.rows:
            levels[contrast.finding.level].append(contrast)
    for level, contrasts in levels.items():
        about = ""
        if len(levels) > 1:
            about = f" ({told(name(comparison, contrast) for contrast in contrasts)})"
        yield from _unit(level, contrasts, about)


def _sizes(contrast: Contrast) -> str:
    finetunings = contrast.finetunings
    least = " on each dataset at least" if len(contrast.rows) > 1 else ""
    before = (
        "no pre-trainings" if contrast.pretrainings == (0, 0) else f"{pretrained(contrast)}{least}"
    )
    everywhere = " in all" if len(contrast.rows) > 1 else ""
    return f"n = {before} and {finetunings[0]} v {finetunings[1]} fine-tunings{everywhere}"


def _unit(level: Level, contrasts: Iterable[Contrast], about: str) -> Iterator[str]:
    contrasts = list(contrasts)
    if level == "strategy" and all(max(contrast.pretrainings) == 0 for contrast in contrasts):
        yield (
            f"Claims are about strategies (level strategy){about}: no arm has a pre-training of "
            "its own, and the unit is one run."
        )
        return
    if level == "strategy":
        yield (
            f"Claims are about strategies (level strategy){about}: the unit is one pre-training, "
            "whose fine-tunings were averaged first."
        )
        if any(len(contrast.rows) > 1 for contrast in contrasts):
            yield "A pre-training that serves several datasets is one draw."
        if any(len(row.backbones) > 1 for contrast in contrasts for row in contrast.rows):
            yield (
                "With several backbones a unit is the mean over one pre-training of each, those of "
                "equal number; they are independent draws, numbered before any result."
            )
        if any(0 in contrast.pretrainings for contrast in contrasts):
            yield "A run without a pre-training is a unit itself."
        return
    fixed = all(max(contrast.pretrainings) <= 1 for contrast in contrasts)
    yield (
        f"Claims are about these pre-trained models only (level checkpoint){about}: "
        + ("they" if fixed else "those of at least one arm")
        + " are taken as fixed, the unit is one fine-tuning of them, and another pre-training of "
        "the same strategy may differ."
    )


def _failures(comparison: Comparison) -> Iterator[str]:
    """Yield what became of the runs that have no score."""
    if comparison.diverged:
        yield (
            f"{_of_arms(comparison.diverged, comparison.runs)} diverged (a loss that was NaN or "
            "infinite): an outcome of the arm, not in its mean."
        )
        ps = (f"{f.arm} v {f.baseline}: {_p(f.p)}" for f in comparison.failures)
        yield (
            "Rates of divergence were compared by Fisher's exact test, a pre-training all of whose "
            f"fine-tunings diverged counted once ({'; '.join(ps)})."
        )
    if any(contrast.sensitivity for contrast in comparison.contrasts):
        yield (
            "Each finding with diverged runs was repeated with them scored against the candidate "
            "(its own by the lowest, the baseline's by the highest score of any arm on that "
            "dataset and backbone) and for it (the reverse), and is called fragile where the sign "
            "or the verdict changes."
        )
    if comparison.missing:
        reasons = Counter(
            "not run" if run.status == UNRUN else run.status for run in comparison.missing
        )
        listed = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
        yield (
            f"Left out, not filled in, for reasons that say nothing about the arm ({listed}): "
            f"{_of_arms(comparison.missing, comparison.runs)}."
        )
    if not comparison.diverged and not comparison.missing:
        stored = all(run.key is not None for run in comparison.runs)
        yield (
            "No fine-tuning diverged, and every one that was planned has a score."
            if stored
            else "The table marks no run as diverged or missing."
        )
    if comparison.excluded:
        yield f"Excluded: {told(f'{e.name} ({e.reason})' for e in comparison.excluded)}."


def _p(p: float | None) -> str:
    """Return such as `p = 0.04` or `p < 0.001`."""
    if p is None:
        return "no p, for no run of one of them ended"
    shown = probability(p)
    return f"p {shown}" if shown.startswith("<") else f"p = {shown}"


def _of_arms(some: Iterable[Run], runs: Iterable[Run]) -> str:
    """Return such as `2 of 12 fine-tunings (new 2 of 6)`."""
    few = Counter(run.arm for run in some)
    everything = Counter(run.arm for run in runs)
    by_arm = ", ".join(f"{arm} {count} of {everything[arm]}" for arm, count in few.items())
    return f"{few.total()} of {counted(everything.total(), 'fine-tuning')} ({by_arm})"


def _fairness(comparison: Comparison) -> Iterator[str]:
    fields = dict.fromkeys(entry.field for entry in comparison.fairness)
    if fields:
        yield (
            "Besides the strategy, the arms differ from the baseline in "
            f"{told(fields)}; the report of the comparison has the values."
        )
    elif any(run.environment for run in comparison.runs):
        yield "Nothing else that is recorded of the runs differs between the arms and the baseline."
    else:
        yield "How and where the runs were trained is not recorded in these data."


def _software(comparison: Comparison) -> Iterator[str]:
    """Yield with which programs and from which data the numbers come."""
    own = (f"{package} {version(package)}" for package in SOFTWARE)
    yield f"Analysis by gpbench {version('gpbench')} with {told(own)}."
    facts = _versions(comparison.runs)
    if facts:
        listed = told(f"{fact} {' or '.join(values)}" for fact, values in facts.items())
        yield f"The fine-tunings ran with {listed}."
    yield (
        f"The random seed of all resampling is {comparison.rng_seed}; sha256 of the data: "
        f"{comparison.data_hash}."
    )


def _versions(runs: Iterable[Run]) -> Mapping[str, list[str]]:
    """Return the versions of the runs that have a score, of what all of them tell."""
    environments = {id(r.environment): r.environment for r in runs if r.value is not None}.values()
    found: dict[str, list[str]] = {}
    for fact in OF_RUNS:
        values = {environment.get(fact, "absent") for environment in environments}
        if values and "absent" not in values:
            found[fact] = sorted(values)
    return found
