"""From the store's results to a study: counts become scores under each dataset's protocol."""

from __future__ import annotations

from collections.abc import Iterable

from gpbench.compare.stored_training import stored_trainings
from gpbench.compare.study import UNRUN, Run, Study, StudyDataset
from gpbench.compare.training import Trainings
from gpbench.core.dataset import METRICS, Metric
from gpbench.core.errors import InvalidValueError, UnknownNameError
from gpbench.core.plan import DatasetFacts
from gpbench.metrics import score
from gpbench.store import Result, Store, StoredExperiment

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
    return Study(
        name=stored.name,
        metric=chosen,
        arms=tuple(facts.arm for facts in stored.strategies),
        datasets=tuple(_dataset(facts) for facts in datasets.values()),
        runs=tuple(_run(r, datasets[r.dataset], chosen) for r in results if r.dataset in datasets),
        excluded=stored.excluded,
        trial=stored.trial,
        partial=tuple(name for name in stored.partial if name in datasets),
        assumed={facts.arm: facts.assumed for facts in stored.strategies},
        trainings=(trainings or Trainings()).on(datasets),
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


def _run(result: Result, facts: DatasetFacts, metric: Metric) -> Run:
    value = headline = None
    if result.total is not None:
        protocol = facts.spec.protocol
        scores = score(result.total, facts.spec.info.classes, protocol.excluded, protocol.absent)
        value = 100 * scores.headline(metric)
        headline = 100 * scores.headline(protocol.metric)
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
    )


def _status(result: Result) -> str:
    """Return how a run stands; what a diverged pre-training blocks has diverged with it."""
    if result.total is not None:
        return "ok"
    ended = result.state in ("failed", "blocked")
    return result.status if ended and result.status is not None else UNRUN
