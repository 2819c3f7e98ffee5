"""One candidate against the baseline: first what the numbers show, then, with verdicts, a value.

Pure. A draft holds what is known before the family of all tests is corrected for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gpbench.compare.cell import Cell, Pair, pair
from gpbench.compare.comparison import Contrast, Finding, Headline, Request, Row
from gpbench.compare.evidence import Evidence, Side, weigh
from gpbench.compare.study import Study, StudyDataset


@dataclass(frozen=True)
class Draft:
    """A contrast's runs by dataset, and the evidence: of the average, and of each dataset."""

    candidate: str
    baseline: str
    metric: str
    label_fraction: float
    datasets: tuple[StudyDataset, ...]
    pairs: tuple[Pair, ...]
    absent: tuple[str, ...]
    """Datasets of the study that cannot be compared."""
    evidence: Evidence
    row_evidence: tuple[Evidence, ...]

    def contrast(self, finding: Finding, row_findings: Sequence[Finding]) -> Contrast:
        """Return the contrast with its verdicts, one per dataset in order."""
        a, b = [p.candidate for p in self.pairs], [p.baseline for p in self.pairs]
        runs = [
            sum(len(c.replicates) * len(p.backbones) for c, p in zip(side, self.pairs, strict=True))
            for side in (a, b)
        ]
        return Contrast(
            candidate=self.candidate,
            baseline=self.baseline,
            metric=self.metric,
            label_fraction=self.label_fraction,
            scope="seeds" if len(self.pairs) == 1 else "fixed-suite",
            finding=finding,
            pretrainings=(_pretrainings(a), _pretrainings(b)),
            finetunings=(runs[0], runs[1]),
            rows=tuple(map(self._row, self.datasets, self.pairs, self.row_evidence, row_findings)),
        )

    def warnings(self) -> Iterator[str]:
        """Yield what was left out of this contrast, and which values look wrong."""
        versus = f"{self.candidate} against {self.baseline}"
        if self.absent and self.pairs:
            yield f"{versus}: no comparable results on {', '.join(self.absent)}, left out"
        for dataset, found, evidence in zip(
            self.datasets, self.pairs, self.row_evidence, strict=True
        ):
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

    def _row(self, dataset: StudyDataset, found: Pair, evidence: Evidence, finding: Finding) -> Row:
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
            test=evidence.method,
            a12=evidence.a12,
            headline=own,
        )


def draft(
    study: Study, candidate: str, baseline: str, label_fraction: float, request: Request
) -> Draft:
    """Return what the study's runs at one label fraction show of a candidate."""
    found = [
        (dataset, _pair(study, dataset.name, candidate, baseline, label_fraction))
        for dataset in study.datasets
    ]
    compared = [(dataset, p) for dataset, p in found if p is not None]
    pairs = [p for _, p in compared]
    return Draft(
        candidate=candidate,
        baseline=baseline,
        metric=study.metric,
        label_fraction=label_fraction,
        datasets=tuple(dataset for dataset, _ in compared),
        pairs=tuple(pairs),
        absent=tuple(dataset.name for dataset, p in found if p is None),
        evidence=_weighed(candidate, baseline, pairs, request),
        row_evidence=tuple(_weighed(candidate, baseline, [p], request) for p in pairs),
    )


def _pair(
    study: Study, dataset: str, candidate: str, baseline: str, label_fraction: float
) -> Pair | None:
    here = [r for r in study.runs if (r.dataset, r.label_fraction) == (dataset, label_fraction)]
    sides = [[run for run in here if run.arm == arm] for arm in (candidate, baseline)]
    return pair(dataset, sides[0], sides[1])


def _weighed(candidate: str, baseline: str, pairs: Sequence[Pair], request: Request) -> Evidence:
    if not pairs:
        reason = f"{candidate} and {baseline} have no finished results on a common dataset"
        return Evidence(None, request.level or "strategy", reason)
    return weigh(
        Side(candidate, tuple(p.candidate for p in pairs)),
        Side(baseline, tuple(p.baseline for p in pairs)),
        request.level,
        request.alpha,
    )


def _pretrainings(cells: Sequence[Cell]) -> int:
    return min((len(cell.units) if cell.pretrains else 0 for cell in cells), default=0)


def _headline(metric: str, candidate: Cell, baseline: Cell) -> Headline | None:
    if candidate.headline is None or baseline.headline is None:
        return None
    return Headline(metric, candidate.headline, baseline.headline)
