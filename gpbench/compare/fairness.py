"""What besides the strategy differs between arms, and what a reader must be told. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gpbench.compare.comparison import Unfairness
from gpbench.compare.improving import StillImproving, improving
from gpbench.compare.study import UNRUN, Run, Study
from gpbench.compare.training import Pretraining, Training

UNTOLD = frozenset({"worker_pid"})
"""Facts of an environment that cannot change a score."""
SAME_TIME = 0.1
"""Seconds that differ by no more than this share are not told: the same work varies so much."""
Difference = tuple[str, str, str]
"""What differs, the arm's value and the baseline's; empty: there is none to tell."""


def unfairness(study: Study, arm: str, baseline: str) -> list[Unfairness]:
    """Return in what the finished runs of an arm and of the baseline differ, field by field.

    How they were trained is compared on what both have: the same backbones, datasets and label
    fractions.
    """
    theirs, ours = (_finished(study, name) for name in (arm, baseline))
    pairs = [
        *_environments(theirs, ours),
        ("pre-trainings run", _pretrainings_run(theirs), _pretrainings_run(ours)),
        *_trained(study, arm, baseline),
    ]
    return [Unfairness(arm, baseline, field, (a, b)) for field, a, b in pairs if a != b and a and b]


def banners(study: Study) -> Iterator[str]:
    """Yield what stands above everything else, a sentence each."""
    if study.trial:
        yield "TRIAL RUN: only part of the plan was asked for, so nothing is ranked"
    if study.partial:
        yield f"INCOMPLETE DATA were allowed: {', '.join(study.partial)}"


def warnings(study: Study, baseline: str, candidates: Sequence[str]) -> Iterator[str]:
    """Yield what weakens a comparison of candidates with the baseline, a sentence each."""
    for arm in study.arms:
        yield from _unfinished(arm, study.of_arm(arm))
    for arm in candidates:
        yield from _unlike(study, arm, baseline)
    yield from _sharing(study, baseline, candidates)
    still = list(improving(study))
    for arm in dict.fromkeys(flagged.arm for flagged in still):
        yield _still_improving(study, arm, [flagged for flagged in still if flagged.arm == arm])


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
    collapsed = [run for run in runs if run.one_class]
    if collapsed:
        where = ", ".join(dict.fromkeys(run.dataset for run in collapsed))
        yield (
            f"{len(collapsed)} of {len(runs)} fine-tunings of {arm} give every pixel the same "
            f"class ({where}): they learnt nothing there, and count as they are"
        )


def _unlike(study: Study, arm: str, baseline: str) -> Iterator[str]:
    theirs, ours = (_finished(study, name) for name in (arm, baseline))
    for name, a, b in _environments(theirs, ours):
        if name in ("device", "cpu") and a != b and a and b:
            yield f"{arm} ran on another {name} than {baseline}: {a}; {b}"


def _sharing(study: Study, baseline: str, candidates: Sequence[str]) -> Iterator[str]:
    """Yield which arms start from the baseline's own pre-trained weights."""
    keys = {
        arm: {run.pretrain_key for run in _finished(study, arm)} - {None}
        for arm in (*candidates, baseline)
    }
    arms = [arm for arm in candidates if keys[arm] & keys[baseline]]
    if arms:
        yield (
            f"{', '.join(arms)}: pre-trained weights shared with {baseline}; the tests take them "
            "as independent, so intervals are wider than need be"
        )


def _still_improving(study: Study, arm: str, flagged: Sequence[StillImproving]) -> str:
    cells = study.trainings.cells
    backbones = {t.backbone for t in cells}
    fractions = {t.label_fraction for t in cells}
    told: list[str] = []
    for f in flagged:
        where = [f.dataset] + [f.backbone] * (len(backbones) > 1)
        where += [f"label fraction {f.label_fraction:g}"] * (len(fractions) > 1)
        told.append(f"{100 * f.drop:.0f} % on {', '.join(where)}")
    return (
        f"{arm} was still improving when its fine-tuning ended: its training loss fell by "
        f"{'; '.join(told)} over the last tenth of the steps; more steps may change its gain"
    )


def _finished(study: Study, arm: str) -> list[Run]:
    return [run for run in study.of_arm(arm) if run.value is not None]


def _environments(theirs: Sequence[Run], ours: Sequence[Run]) -> Iterator[Difference]:
    """Yield what is recorded of the fine-tunings' machines, `?` where some do not tell."""
    sides = [_told(side) for side in (theirs, ours)]
    for name in sorted({*sides[0], *sides[1]} - UNTOLD):
        a, b = (_joined(sorted(side.get(name, {"?"}))) for side in sides)
        yield name, a if theirs else "", b if ours else ""


def _told(runs: Sequence[Run]) -> dict[str, set[str]]:
    """Return fact -> its values."""
    environments = {id(run.environment): run.environment for run in runs}.values()
    facts: set[tuple[str, str]] = set()
    for environment in environments:  # whole ones at once: there may be 100,000
        facts.update(environment.items())
    found: defaultdict[str, set[str]] = defaultdict(set)
    for name, value in facts:
        found[name].add(value)
    for names in {frozenset(environment) for environment in environments}:
        for name in found.keys() - names:
            found[name].add("?")
    return found


def _pretrainings_run(runs: Sequence[Run]) -> str:
    """Return how many pre-trainings the runs started from; empty for none."""
    return str(len({run.pretrain_key for run in runs} - {None}) or "")


def _trained(study: Study, arm: str, baseline: str) -> Iterator[Difference]:
    theirs, ours = (
        {(t.backbone, t.dataset, t.label_fraction): t for t in study.trainings.cells if t.arm == a}
        for a in (arm, baseline)
    )
    pairs = [(theirs[place], ours[place]) for place in theirs if place in ours]
    yield from _settings(pairs)
    if pairs:
        known = study.trainings.pretrainings
        costs = [_Costs.of(side, known) for side in zip(*pairs, strict=True)]
        yield "pre-training device", costs[0].devices, costs[1].devices
        yield "pre-training cpu", costs[0].cpus, costs[1].cpus
        for name in sorted({*costs[0].seconds, *costs[1].seconds}):
            a, b = (cost.seconds.get(name, 0.0) for cost in costs)
            if abs(a - b) > SAME_TIME * max(a, b):
                yield name, f"{a:.0f}", f"{b:.0f}"


def _settings(pairs: Sequence[tuple[Training, Training]]) -> Iterator[Difference]:
    """Yield the settings that both arms have and that differ somewhere, with the values there."""
    for name in dict.fromkeys(name for theirs, _ in pairs for name in theirs.settings):
        both = [(a.settings[name], b.settings[name]) for a, b in pairs if name in b.settings]
        unlike = [(a, b) for a, b in both if a != b]
        yield name, _joined(a for a, _ in unlike), _joined(b for _, b in unlike)


@dataclass(frozen=True)
class _Costs:
    """Of an arm's training on some datasets; every pre-training counts once."""

    devices: str
    cpus: str
    seconds: Mapping[str, float]
    """By their name in reports."""

    @classmethod
    def of(cls, side: Sequence[Training], known: Mapping[str, Pretraining]) -> _Costs:
        keys = sorted(frozenset().union(*(training.pretrainings for training in side)))
        stages = [known[key] for key in keys if key in known]
        seconds: defaultdict[str, float] = defaultdict(float)
        for stage in stages:
            seconds[f"pre-training {_unit(stage.device)}seconds of all runs"] += stage.seconds
        for training in side:
            for device, spent in training.seconds.items():
                seconds[f"fine-tuning {_unit(device)}seconds of all runs"] += spent
        return cls(
            _joined(sorted({stage.device for stage in stages})),
            _joined(sorted({stage.cpu for stage in stages})),
            seconds,
        )


def _unit(device: str) -> str:
    return {"cpu": "CPU-", "?": ""}.get(device, "GPU-")


def _joined(values: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(values))
