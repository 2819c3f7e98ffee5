"""What diverged runs could have scored: the most and the least favourable reading. Pure.

A divergence is an outcome of its arm that a mean over the other runs does not show.
"""

from __future__ import annotations

from dataclasses import replace

from gpbench.compare.comparison import Finding, Sensitivity
from gpbench.compare.study import Run, Study


def diverged(study: Study, arm: str, label_fraction: float) -> int:
    """Return how many runs of an arm diverged."""
    cells = (study.runs_of(arm, dataset.name, label_fraction) for dataset in study.datasets)
    return sum(run.status == "diverged" for runs in cells for run in runs)


def filled(
    study: Study, observed: Study, label_fraction: float, *, lowest: str, highest: str
) -> Study:
    """Return the study with values for the diverged runs of two arms.

    Args:
        study: Any.
        observed: All runs, of arms that are not compared too.
        label_fraction: Whose runs are meant.
        lowest: The arm whose diverged runs get the lowest score of any arm with that backbone on
            that dataset.
        highest: The arm whose diverged runs get the highest.
    """
    chosen = {lowest: min, highest: max}

    def value(run: Run) -> Run:
        if (run.status, run.label_fraction) != ("diverged", label_fraction):
            return run
        peers = observed.of_dataset(run.dataset, label_fraction)
        seen = [p.value for p in peers if p.value is not None and p.backbone == run.backbone]
        if run.arm not in chosen or not seen:
            return run
        return replace(run, value=chosen[run.arm](seen))

    return replace(study, runs=tuple(map(value, study.runs)))


def sensitivity(
    counts: tuple[int, int], finding: Finding, worst: Finding, best: Finding
) -> Sensitivity:
    """Return whether the finding holds in both readings.

    Args:
        counts: How many runs of candidate and baseline diverged.
        finding: Without them.
        worst: With them, against the candidate.
        best: With them, for the candidate.
    """
    decisions = {_decision(each) for each in (finding, worst, best)}
    signs = {_sign(each.difference) for each in (finding, worst, best)}
    return Sensitivity(counts, worst, best, fragile=len(decisions) > 1 or len(signs) > 1)


def _decision(finding: Finding) -> str:
    """Return the verdict; what cannot be decided and what is open are both no decision."""
    return finding.verdict if finding.verdict in ("better", "worse", "equivalent") else ""


def _sign(difference: float | None) -> int:
    return 0 if not difference else 1 if difference > 0 else -1
