"""How a stored experiment's arms were trained: the store's facts, one value per arm and dataset."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from gpbench.compare.training import Pretraining, Training, Trainings, settings
from gpbench.core.recipe import steps_of
from gpbench.core.stage import FinetuneSpec, PretrainSpec, StageSpec
from gpbench.store import Result, Store
from gpbench.store.facts import PretrainingFacts

LOSSES = 30
"""Fine-tunings of a place whose losses are read, in the plan's order: enough for a test."""
Place = tuple[str, str, str, float]
"""Arm, backbone, dataset, label fraction: only seeds differ within it, so one spec tells all."""


def stored_trainings(store: Store, name: str, results: Iterable[Result]) -> Trainings:
    """Return how the fine-tunings of an experiment that are done were trained."""
    places: defaultdict[Place, dict[str, Result]] = defaultdict(dict)
    for result in results:
        if result.key is not None and result.total is not None:
            place = (result.arm, result.backbone, result.dataset, result.label_fraction)
            places[place][result.key] = result
    facts = store.pretrainings(name)
    first = {place: next(iter(found)) for place, found in places.items()}
    chains = {place: _chain(places[place][key].pretrain_key, facts) for place, key in first.items()}
    specs = store.specs({*first.values(), *(key for chain in chains.values() for key in chain)})
    tunings = {place: _finetune(specs, key) for place, key in first.items()}
    lengths: defaultdict[int, list[str]] = defaultdict(list)
    for place, found in places.items():
        lengths[steps_of(tunings[place].recipe)] += list(found)[:LOSSES]
    losses = store.late_losses(lengths)
    return Trainings(
        tuple(
            Training(
                *place,
                settings=settings(tunings[place], _phases(specs, chains[place])),
                pretrainings=_behind(found.values(), facts),
                seconds=_seconds(found.values()),
                losses=tuple(losses[key] for key in found if key in losses),
            )
            for place, found in places.items()
        ),
        {key: _pretraining(fact) for key, fact in facts.items() if fact.duration_s is not None},
    )


def _chain(key: str | None, facts: Mapping[str, PretrainingFacts]) -> list[str]:
    """Return a pre-training and the phases before it, first to last."""
    chain: list[str] = []
    while key is not None and key in facts:
        chain.insert(0, key)
        key = facts[key].parent
    return chain


def _behind(results: Iterable[Result], facts: Mapping[str, PretrainingFacts]) -> frozenset[str]:
    last = {result.pretrain_key for result in results}
    return frozenset(key for one in last for key in _chain(one, facts))


def _finetune(specs: Mapping[str, StageSpec], key: str) -> FinetuneSpec:
    spec = specs[key]
    assert isinstance(spec, FinetuneSpec)  # noqa: S101  only fine-tunings have results
    return spec


def _phases(specs: Mapping[str, StageSpec], chain: Iterable[str]) -> list[PretrainSpec]:
    return [spec for key in chain if isinstance(spec := specs[key], PretrainSpec)]


def _seconds(results: Iterable[Result]) -> dict[str, float]:
    found: defaultdict[str, float] = defaultdict(float)
    for result in results:
        found[_device(result.environment)] += result.duration_s or 0.0
    return dict(found)


def _pretraining(facts: PretrainingFacts) -> Pretraining:
    processes = int(facts.environment.get("pretrain_workers", "1"))
    seconds = processes * (facts.duration_s or 0.0)
    return Pretraining(
        _device(facts.environment),
        facts.environment.get("cpu", "?"),
        seconds,
        span(facts.started_at, facts.duration_s),
    )


def span(started_at: str | None, duration_s: float | None) -> tuple[float, float] | None:
    """Return when a stage began (ISO 8601) and ended, seconds since 1970; None: it has not."""
    if started_at is None or duration_s is None:
        return None
    began = datetime.fromisoformat(started_at).timestamp()
    return began, began + duration_s


def _device(environment: Mapping[str, str]) -> str:
    return environment.get("device", "?")
