"""One candidate against the baseline: first what the numbers show, then, with verdicts, a value.

Pure. A draft holds what is known before the family of all tests is corrected for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gpbench.compare.across import over_datasets
from gpbench.compare.cell import Cell, Pair, mean, pair
from gpbench.compare.comparison import Finding, Headline, Request, Row
from gpbench.compare.evidence import Evidence, Side, weigh
from gpbench.compare.study import Run, Study, StudyDataset
from gpbench.stats.components import Spread, spread

SAME_RUNS = "the very same runs serve both arms here: there is nothing to test"
SAME_SCORES = (
    "both arms score exactly the same in every run, so there is nothing to test: one method under "
    "two names, or runs that learnt nothing"
)


@dataclass(frozen=True)
class Draft:
    """A contrast's runs by dataset, and the evidence of every claim that is made of them."""

    candidate: str
    baseline: str
    metric: str
    label_fraction: float
    datasets: tuple[StudyDataset, ...]
    pairs: tuple[Pair, ...]
    absent: tuple[str, ...]
    """Datasets of the study that cannot be compared."""
    diverged: tuple[tuple[str, tuple[str, ...]], ...]
    """Arm -> datasets that cannot be compared because all its runs there diverged."""
    evidence: Evidence
    """Of the average over the datasets."""
    rows: tuple[Evidence, ...]
    """Of each dataset."""
    across: Evidence | None
    """Of new datasets of the kind."""
    backbones: tuple[tuple[str, Evidence], ...]
    """Of the average with one backbone; empty where there is one."""

    @property
    def baseline_mean(self) -> float:
        return mean(p.baseline.mean for p in self.pairs)

    @property
    def backbones_of(self) -> dict[str, frozenset[str]]:
        """Return dataset -> the backbones that both arms have there."""
        return {p.candidate.dataset: frozenset(p.backbones) for p in self.pairs}

    @property
    def pretrainings(self) -> tuple[int, int]:
        a, b = self.cells
        return _pretrainings(a), _pretrainings(b)

    @property
    def finetunings(self) -> tuple[int, int]:
        counts = [
            sum(len(c.replicates) * len(p.backbones) for c, p in zip(side, self.pairs, strict=True))
            for side in self.cells
        ]
        return counts[0], counts[1]

    @property
    def cells(self) -> tuple[list[Cell], list[Cell]]:
        return [p.candidate for p in self.pairs], [p.baseline for p in self.pairs]

    def row(self, at: int, finding: Finding, alpha: float) -> Row:
        """Return the contrast on one dataset, with its verdict."""
        dataset, found, evidence = self.datasets[at], self.pairs[at], self.rows[at]
        a, b = found.candidate, found.baseline
        own = None
        if dataset.metric is not None and dataset.metric != self.metric:
            own = _headline(dataset.metric, a, b)
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
            a12=evidence.a12,
            a12_ci=evidence.a12_ci,
            effects=evidence.effects,
            spread=(_spread(a, alpha), _spread(b, alpha)),
            correlation=evidence.correlation,
            headline=own,
        )

    def warnings(self) -> Iterator[str]:
        """Yield what was left out of this contrast, and which values look wrong."""
        versus = f"{self.candidate} against {self.baseline}"
        for arm, names in (*self.diverged, ("", self.absent)):
            if names and self.pairs:
                why = f"all runs of {arm} diverged" if arm else "no comparable results"
                yield f"{versus}: {why} on {', '.join(names)}, left out of the average"
        for dataset, found, evidence in zip(self.datasets, self.pairs, self.rows, strict=True):
            if evidence.reason.startswith(SAME_RUNS) and len(self.rows) > 1:
                yield (
                    f"{versus} on {dataset.name}: the very same runs serve both arms, so the "
                    "average holds a gain of exactly 0 there"
                )
            if found.left_out:
                yield (
                    f"{versus} on {dataset.name}: only one of them has results with "
                    f"{', '.join(found.left_out)}, left out"
                )
            if self.label_fraction < 1 and evidence.test and evidence.method != "paired-t":
                yield (
                    f"{versus} on {dataset.name}: not paired, although their runs share subsets of "
                    "the labels: they are not the same replicates"
                )
            arms = (self.candidate, self.baseline)
            for arm, count in zip(arms, found.incomplete, strict=True):
                if count:
                    yield (
                        f"{versus} on {dataset.name}: {count} replicate(s) of {arm} left out, they "
                        f"lack one of the backbones {', '.join(found.backbones)}"
                    )
            if evidence.constant:
                yield (
                    f"all scores of {evidence.constant} on {dataset.name} are the same (sd = 0): "
                    "is the seed used?"
                )


def draft(
    study: Study, candidate: str, baseline: str, label_fraction: float, request: Request
) -> Draft:
    """Return what the study's runs at one label fraction show of a candidate."""
    arms = (candidate, baseline)
    found = [(d, _pair(study, d.name, arms, label_fraction)) for d in study.datasets]
    compared = [(dataset, p) for dataset, p in found if p is not None]
    pairs = [p for _, p in compared]

    def weighed(chosen: Sequence[Pair]) -> Evidence:
        return _weighed(arms, chosen, request, paired=label_fraction < 1)

    evidence = weighed(pairs)
    cautions = [study.cautions[arm] for arm in arms if arm in study.cautions]
    provided = dict.fromkeys(caution.condition for caution in cautions)
    absent = [dataset.name for dataset, p in found if p is None]
    lost = tuple(
        (arm, tuple(n for n in absent if _all_diverged(study.runs_of(arm, n, label_fraction))))
        for arm in arms
    )
    return Draft(
        candidate=candidate,
        baseline=baseline,
        metric=study.metric,
        label_fraction=label_fraction,
        datasets=tuple(dataset for dataset, _ in compared),
        pairs=tuple(pairs),
        absent=tuple(name for name in absent if name not in {n for _, on in lost for n in on}),
        diverged=lost,
        evidence=replace(evidence, reason="; ".join(filter(None, [evidence.reason, *provided]))),
        rows=tuple(weighed([p]) for p in pairs),
        across=over_datasets(pairs, evidence, request.level, request.alpha),
        backbones=tuple(
            (name, weighed(chosen)) for name, chosen in _by_backbone(study, arms, label_fraction)
        ),
    )


def _by_backbone(
    study: Study, arms: tuple[str, str], label_fraction: float
) -> Iterator[tuple[str, list[Pair]]]:
    """Yield each backbone that both arms have, with their pairs; none where there is only one."""
    sides = [
        {run.backbone for d in study.datasets for run in study.runs_of(arm, d.name, label_fraction)}
        for arm in arms
    ]
    names = sorted(sides[0] & sides[1])
    for name in names if len(names) > 1 else ():
        found = (_pair(study, d.name, arms, label_fraction, name) for d in study.datasets)
        yield name, [p for p in found if p is not None]


def _pair(
    study: Study,
    dataset: str,
    arms: tuple[str, str],
    label_fraction: float,
    backbone: str | None = None,
) -> Pair | None:
    a, b = (study.replicates_of(arm, dataset, label_fraction, backbone) for arm in arms)
    return pair(a, b)


def _weighed(
    arms: tuple[str, str], pairs: Sequence[Pair], request: Request, *, paired: bool
) -> Evidence:
    candidate, baseline = arms
    if not pairs:
        reason = f"{candidate} and {baseline} have no finished results on a common dataset"
        return Evidence(None, request.level or "strategy", reason)
    if all(_same_runs(p) for p in pairs):
        return Evidence(0.0, request.level or "strategy", SAME_RUNS)
    if all(_same_scores(p) for p in pairs):
        return Evidence(0.0, request.level or "strategy", SAME_SCORES)
    return weigh(
        Side(candidate, tuple(p.candidate for p in pairs)),
        Side(baseline, tuple(p.baseline for p in pairs)),
        request.level,
        request.alpha,
        paired=paired,
    )


def _all_diverged(runs: Sequence[Run]) -> bool:
    return bool(runs) and all(run.status == "diverged" for run in runs)


def _same_runs(found: Pair) -> bool:
    """Return whether both arms' runs are the same, as where two settings come to the same thing."""
    sides = [
        {key for r in cell.replicates for key in r.stages}
        for cell in (found.candidate, found.baseline)
    ]
    return bool(sides[0]) and sides[0] == sides[1]


def _same_scores(found: Pair) -> bool:
    """Return whether equal replicates of both arms have equal scores, to the last bit."""
    sides = [
        {(r.pretrain_seed, r.finetune_seed): r.value for r in cell.replicates}
        for cell in (found.candidate, found.baseline)
    ]
    return sides[0] == sides[1]


def _spread(cell: Cell, alpha: float) -> Spread:
    """Return the spread of an arm's scores.

    Stored runs without a pre-training are the fine-tunings of one start; of a table's rows nobody
    knows what they share, so each is a unit.
    """
    units = list(cell.units.values())
    untrained = not cell.pretrains and any(r.stages for r in cell.replicates)
    return spread([[v for unit in units for v in unit]] if untrained else units, alpha)


def _pretrainings(cells: Sequence[Cell]) -> int:
    return min((len(cell.units) if cell.pretrains else 0 for cell in cells), default=0)


def _headline(metric: str, candidate: Cell, baseline: Cell) -> Headline | None:
    if candidate.headline is None or baseline.headline is None:
        return None
    return Headline(metric, candidate.headline, baseline.headline)
