"""What besides the strategy differs between arms, and what a reader must be told. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from gpbench.compare.comparison import Unfairness
from gpbench.compare.study import UNRUN, Run, Study

UNTOLD = frozenset({"worker_pid"})
"""Facts of an environment that cannot change a score."""


def unfairness(study: Study, arm: str, baseline: str) -> list[Unfairness]:
    """Return in what the finished runs of an arm and of the baseline differ, field by field."""
    sides = [_finished(study, name) for name in (arm, baseline)]
    fields = sorted({name for side in sides for run in side for name in run.environment} - UNTOLD)
    found: list[Unfairness] = []
    for name in fields:
        seen = [sorted({run.environment.get(name, "?") for run in side}) for side in sides]
        if seen[0] != seen[1] and all(seen):
            found.append(Unfairness(arm, baseline, name, (", ".join(seen[0]), ", ".join(seen[1]))))
    counts = [len({run.pretrain_key for run in side} - {None}) for side in sides]
    if counts[0] != counts[1] and all(counts):
        found.append(
            Unfairness(arm, baseline, "pre-trainings run", (str(counts[0]), str(counts[1])))
        )
    return found


def banners(study: Study) -> Iterator[str]:
    """Yield what stands above everything else, a sentence each."""
    if study.trial:
        yield "TRIAL RUN: only part of the plan was asked for, so nothing is ranked"
    if study.partial:
        yield f"INCOMPLETE DATA were allowed: {', '.join(study.partial)}"


def warnings(study: Study, baseline: str) -> Iterator[str]:
    """Yield what weakens a comparison of the study's arms with the baseline, a sentence each."""
    for arm in study.arms:
        yield from _unfinished(arm, [run for run in study.runs if run.arm == arm])
    for arm in study.arms:
        if arm != baseline:
            yield from _unlike(study, arm, baseline)


def notes(study: Study) -> Iterator[str]:
    """Yield what a reader should know of the data and arms, a sentence each."""
    synthetic = [d.name for d in study.datasets if d.synthetic]
    if synthetic:
        yield f"synthetic images, made by a program: {', '.join(synthetic)}"
    for arm, parameters in study.assumed.items():
        if parameters and arm in study.arms:
            yield f"{arm}: our reading of what its paper leaves open: {', '.join(parameters)}"
    for excluded in study.excluded:
        yield f"excluded: {excluded.name} ({excluded.reason})"


def _unfinished(arm: str, runs: Sequence[Run]) -> Iterator[str]:
    diverged = [run for run in runs if run.status == "diverged"]
    if diverged:
        where = ", ".join(dict.fromkeys(run.dataset for run in diverged))
        yield (
            f"{len(diverged)} of {len(runs)} fine-tunings of {arm} diverged ({where}): an outcome "
            "of the arm that its means do not show"
        )
    missing = [run for run in runs if run.value is None and run.status != "diverged"]
    if missing:
        reasons = Counter("not run yet" if run.status == UNRUN else run.status for run in missing)
        told = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
        yield f"{len(missing)} of {len(runs)} fine-tunings of {arm} are missing ({told})"


def _unlike(study: Study, arm: str, baseline: str) -> Iterator[str]:
    for entry in unfairness(study, arm, baseline):
        if entry.field in ("device", "cpu"):
            theirs, ours = entry.values
            yield f"{arm} ran on another {entry.field} than {baseline}: {theirs}; {ours}"
    keys = [{r.pretrain_key for r in _finished(study, a)} - {None} for a in (arm, baseline)]
    if keys[0] & keys[1]:
        yield (
            f"{arm} and {baseline} share pre-trained weights: the tests take them as independent, "
            "their intervals are wider than need be"
        )


def _finished(study: Study, arm: str) -> list[Run]:
    return [run for run in study.runs if run.arm == arm and run.value is not None]
