"""Stored results -> the tables of scores. Pure; percent points by each dataset's own protocol."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gpbench.core.plan import DatasetFacts
from gpbench.core.stage import DatasetSpec
from gpbench.metrics import Scores, majority_score
from gpbench.reports.results import scores_under
from gpbench.store import Result
from gpbench_leaderboard.page import Arm, Cell, Column, ScoreRow
from gpbench_leaderboard.svg import Axis, strip, value_axis


@dataclass(frozen=True)
class Scored:
    """A result with its scores as fractions; None where it has no counts."""

    result: Result
    scores: Scores | None
    value: float | None
    """By the protocol's own metric, in percent points."""


Place = tuple[str, str, float]
"""Arm, backbone, label fraction: a row."""
Cells = Mapping[str, Mapping[Place, Sequence[Scored]]]
"""Dataset -> row -> its results."""


def by_cell(results: Iterable[Result], datasets: Sequence[DatasetFacts]) -> Cells:
    """Return the results scored and sorted into cells, in the order in which they come."""
    specs = {facts.name: facts.spec for facts in datasets}
    cells: dict[str, dict[Place, list[Scored]]] = {name: {} for name in specs}
    for result in results:
        if result.dataset in specs:
            place = (result.arm, result.backbone, result.label_fraction)
            found = scored(result, specs[result.dataset])
            cells[result.dataset].setdefault(place, []).append(found)
    return cells


def scored(result: Result, spec: DatasetSpec) -> Scored:
    """Return a result with the scores that its dataset's protocol derives from its counts."""
    if result.total is None:
        return Scored(result, None, None)
    scores = scores_under(result.total, spec)
    return Scored(result, scores, 100 * scores.headline(spec.protocol.metric))


def columns(datasets: Sequence[DatasetFacts], cells: Cells) -> tuple[Column, ...]:
    """Return one column per dataset."""
    found = []
    for facts in datasets:
        info, protocol = facts.spec.info, facts.spec.protocol
        axis = axis_of(cells[facts.name])
        found.append(
            Column(
                name=facts.name,
                title=info.title,
                facts=dataset_facts(facts.spec),
                metric=protocol.metric,
                protocol=f"{protocol.name}/{protocol.version}",
                synthetic=info.synthetic,
                majority=majority(facts.spec, cells[facts.name]),
                axis=(axis.low, axis.high) if _finished(cells[facts.name]) else None,
            )
        )
    return tuple(found)


def score_rows(
    datasets: Sequence[DatasetFacts], cells: Cells, arms: Mapping[str, Arm]
) -> tuple[ScoreRow, ...]:
    """Return one row per arm, backbone and label fraction, arms in their order."""
    places = dict.fromkeys(place for of_dataset in cells.values() for place in of_dataset)
    order = list(arms)
    axes = {facts.name: axis_of(cells[facts.name]) for facts in datasets}
    return tuple(
        ScoreRow(
            arm=arms[place[0]],
            backbone=place[1],
            label_fraction=place[2],
            cells=tuple(
                cell(cells[facts.name][place], axes[facts.name])
                if place in cells[facts.name]
                else None
                for facts in datasets
            ),
        )
        for place in sorted(places, key=lambda place: order.index(place[0]))
    )


def cell(found: Sequence[Scored], axis: Axis) -> Cell:
    """Return the cell of some fine-tunings of one arm, backbone, dataset and label fraction."""
    values = [entry.value for entry in found if entry.value is not None]
    means = [statistics.fmean(of_unit) for of_unit in units(found).values()]
    mean = statistics.fmean(means) if means else None
    sd = statistics.stdev(means) if len(means) > 1 else None
    return Cell(
        mean=mean,
        sd=sd,
        units=len(means),
        unit="pre-training" if pretrains(found) else "fine-tuning",
        finetunings=len(values),
        values=tuple(values),
        failures=failures(found),
        strip=strip(axis, values, mean, sd),
    )


def units(found: Iterable[Scored]) -> dict[int, list[float]]:
    """Return the independent draws: pre-training seed -> scores of its fine-tunings.

    Where nothing was pre-trained every fine-tuning is a draw of its own.
    """
    draws: defaultdict[int, list[float]] = defaultdict(list)
    for entry in found:
        if entry.value is not None:
            draws[draw(entry.result)].append(entry.value)
    return dict(draws)


def pretrains(found: Iterable[Scored]) -> bool:
    """Return whether the units are pre-trainings."""
    return any(entry.result.pretrain_seed is not None for entry in found)


def failures(found: Iterable[Scored]) -> tuple[str, ...]:
    """Return what did not end with a score: "1 diverged", "2 not run yet"."""
    endings = Counter(_ending(entry.result) for entry in found if entry.value is None)
    return tuple(f"{count} {ending}" for ending, count in sorted(endings.items()))


def axis_of(cells: Mapping[Place, Sequence[Scored]]) -> Axis:
    """Return the axis that all strips of a dataset share."""
    return value_axis(_finished(cells))


def majority(spec: DatasetSpec, cells: Mapping[Place, Sequence[Scored]]) -> float | None:
    """Return the score of always predicting the commonest class, in percent points."""
    totals = (entry.result.total for found in cells.values() for entry in found)
    total = next((total for total in totals if total is not None), None)
    if total is None:
        return None
    return 100 * majority_score(total, spec.info.classes, spec.protocol)


def dataset_facts(spec: DatasetSpec) -> tuple[str, ...]:
    """Return a dataset's facts, a short phrase each."""
    info, protocol = spec.info, spec.protocol
    names = [band.name for band in info.bands]
    facts = [
        f"{len(names)} band{'s' if len(names) > 1 else ''}: {', '.join(names)}",
        f"{len(info.classes)} classes: {', '.join(info.classes)}",
        f"tiles of {protocol.tile_px} px every {protocol.stride_px} px",
    ]
    if protocol.excluded:
        facts.append(f"not scored: {', '.join(protocol.excluded)}")
    if info.gsd_m is not None:
        facts.append(f"{info.gsd_m:g} m per pixel")
    if info.licence != "unknown":
        facts.append(f"licence {info.licence}")
    return tuple(facts)


def draw(result: Result) -> int:
    """Return the seed that tells independent draws apart."""
    return result.finetune_seed if result.pretrain_seed is None else result.pretrain_seed


def _ending(result: Result) -> str:
    if result.status in (None, "ok"):
        return "not run yet" if result.state in ("pending", "blocked") else result.state
    return str(result.status)


def _finished(cells: Mapping[Place, Sequence[Scored]]) -> list[float]:
    return [e.value for found in cells.values() for e in found if e.value is not None]
