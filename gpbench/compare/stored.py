"""From the store's results to a study: counts become scores under each dataset's protocol."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from gpbench.compare.images import CountsByScene, SceneCounts
from gpbench.compare.stored_training import span, stored_trainings
from gpbench.compare.study import UNRUN, Run, Study, StudyDataset
from gpbench.compare.training import Trainings
from gpbench.core.dataset import METRICS, Metric
from gpbench.core.errors import InvalidValueError, UnknownNameError
from gpbench.core.plan import DatasetFacts
from gpbench.core.stage import DatasetSpec
from gpbench.metrics import mean_scores
from gpbench.store import Result, SceneTotals, Store, StoredExperiment

USUAL_METRIC: Metric = "mIoU"


def stored_study(
    store: Store, name: str, metric: str | None = None, protocol: str | None = None
) -> Study:
    """Return all fine-tunings of a stored experiment, by one metric for all datasets.

    Args:
        store: Where the results are.
        name: The experiment.
        metric: mIoU where None.
        protocol: Only datasets evaluated by a protocol of this name; all where None.

    Raises:
        UnknownNameError: If the experiment or the protocol is not there.
        InvalidValueError: If the metric is not one that counts give.
    """
    stored, results = store.experiment(name), store.results(name)
    return study_of(stored, results, metric, protocol, stored_trainings(store, name, results))


def study_of(
    stored: StoredExperiment,
    results: Iterable[Result],
    metric: str | None = None,
    protocol: str | None = None,
    trainings: Trainings | None = None,
) -> Study:
    """Return a study of results; see `stored_study`. `trainings` None: they are not known."""
    chosen = _metric(metric)
    datasets = {d.name: d for d in stored.datasets}
    if protocol is not None:
        datasets = {n: d for n, d in datasets.items() if d.spec.protocol.name == protocol}
        if not datasets:
            known = {d.spec.protocol.name for d in stored.datasets}
            raise UnknownNameError("protocol", protocol, known)
    everything, trainings = list(results), trainings or Trainings()
    found = [result for result in everything if result.dataset in datasets]
    scores = _scores(found, datasets)
    return Study(
        name=stored.name,
        metric=chosen,
        arms=tuple(facts.arm for facts in stored.strategies),
        datasets=tuple(_dataset(facts) for facts in datasets.values()),
        runs=tuple(
            _run(result, datasets[result.dataset], chosen, scores.get(place))
            for place, result in enumerate(found)
        ),
        excluded=stored.excluded,
        trial=stored.trial,
        partial=tuple(name for name in stored.partial if name in datasets),
        assumed={facts.arm: facts.assumed for facts in stored.strategies},
        trainings=trainings.on(datasets),
        busy=tuple(_busy(everything, trainings)),
    )


def _busy(results: Iterable[Result], trainings: Trainings) -> Iterator[tuple[float, float]]:
    """Yield when any stage of the experiment ran, whatever is looked at and however it ended."""
    for each in trainings.pretrainings.values():
        if each.ran is not None:
            yield each.ran
    for result in results:
        ran = span(result.started_at, result.duration_s)
        if ran is not None:
            yield ran


def scene_counts(store: Store, stored: StoredExperiment) -> SceneCounts:
    """Return what reads the counts of an experiment's fine-tunings, while the store is open."""
    specs = {facts.name: facts.spec for facts in stored.datasets}

    def read(keys: Collection[str]) -> dict[str, CountsByScene]:
        totals = store.scene_totals(keys)
        return {key: _scored(found, specs[found.dataset]) for key, found in totals.items()}

    return read


def _scored(found: SceneTotals, dataset: DatasetSpec) -> CountsByScene:
    """Return the counts of the classes that the dataset's protocol scores."""
    protocol, classes = dataset.protocol, dataset.info.classes
    kept = [number for number, name in enumerate(classes) if name not in protocol.excluded]
    return CountsByScene(
        found.scenes,
        found.images,
        tuple(classes[number] for number in kept),
        found.counts[:, kept][:, :, kept],
        protocol.absent,
    )


def _metric(name: str | None) -> Metric:
    for metric in METRICS:
        if metric == (name or USUAL_METRIC):
            return metric
    raise InvalidValueError("--metric", name, f"one of {', '.join(METRICS)}")


def _dataset(facts: DatasetFacts) -> StudyDataset:
    protocol, info = facts.spec.protocol, facts.spec.info
    named = f"{protocol.name}/{protocol.version}"
    return StudyDataset(facts.name, named, protocol.metric, info.synthetic)


class _Score(NamedTuple):
    """Percent points, and whether all pixels were given the same class."""

    miou: float
    mf1: float
    one_class: bool


def _scores(results: Sequence[Result], datasets: Mapping[str, DatasetFacts]) -> dict[int, _Score]:
    """Return place -> scores of the results that have counts."""
    places: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
    for place, result in enumerate(results):
        if result.total is not None:
            places[result.dataset, len(result.total)].append(place)
    found: dict[int, _Score] = {}
    for (name, _), here in places.items():
        protocol, classes = datasets[name].spec.protocol, datasets[name].spec.info.classes
        totals = np.stack([total for p in here if (total := results[p].total) is not None])
        means = mean_scores(totals, classes, protocol.excluded, protocol.absent)
        given = (totals.sum(axis=1) > 0).sum(axis=1)
        columns = (100 * means.miou, 100 * means.mf1, given == 1)
        of_runs = zip(*(column.tolist() for column in columns), strict=True)
        found.update(zip(here, map(_Score._make, of_runs), strict=True))
    return found


def _run(result: Result, facts: DatasetFacts, metric: Metric, score: _Score | None) -> Run:
    """Return the run of a result, given its scores."""
    value = headline = None
    if score is not None:
        value, headline = (score[name == "mF1"] for name in (metric, facts.spec.protocol.metric))
    return Run(
        arm=result.arm,
        backbone=result.backbone,
        dataset=result.dataset,
        label_fraction=result.label_fraction,
        pretrain_seed=result.pretrain_seed,
        pretrain_key=result.pretrain_key,
        finetune_seed=result.finetune_seed,
        value=value,
        status=_status(result),
        headline=headline,
        environment=result.environment,
        key=result.key,
        ran=span(result.started_at, result.duration_s),
        one_class=score is not None and score.one_class,
    )


def _status(result: Result) -> str:
    """Return how a run stands; what a diverged pre-training blocks has diverged with it."""
    if result.total is not None:
        return "ok"
    ended = result.state in ("failed", "blocked")
    return result.status if ended and result.status is not None else UNRUN
