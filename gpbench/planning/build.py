"""Experiment -> Plan: every stage with its key, parents before children, and what was left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from gpbench.api import Role
from gpbench.config.arms import Arm, parse_arm
from gpbench.core.errors import ConfigError, DatasetNotFoundError, GpbenchError, UnknownNameError
from gpbench.core.plan import (
    BackboneCatalog,
    BackboneFacts,
    DatasetFacts,
    Excluded,
    Experiment,
    Plan,
    PlanItem,
)
from gpbench.core.stage import DatasetSpec, Kind, PluginSpec, SourceSpec
from gpbench.planning.data import (
    ResolvedDataset,
    ResolvedSource,
    is_demo,
    missing_source,
    resolve_dataset,
    resolve_sources,
)
from gpbench.planning.estimate import images_shown
from gpbench.planning.facts import strategy_facts
from gpbench.planning.items import plan_items
from gpbench.planning.stages import PlannedDataset, PlannedSource, Setting, roles_of
from gpbench.planning.trial import spread

UNPREPARED = "unprepared"
"""In the place of a fingerprint where data are missing: such a spec never becomes a key."""

NONE_COUNTED: Mapping[str, int] = MappingProxyType({})


def build_plan(
    experiment: Experiment,
    catalog: BackboneCatalog,
    *,
    require_data: bool,
    require_counted: bool = False,
    training_tiles: Mapping[str, int] = NONE_COUNTED,
) -> Plan:
    """Return the stages of an experiment.

    What `all` or a glob brought in and cannot run is excluded. Of what was named, missing data
    leave items without a spec, unless `require_data`.

    Args:
        experiment: What is asked for.
        catalog: The backbones that exist.
        require_data: Missing data of what was named are an error, as for `run`.
        require_counted: Budgets in epochs of a dataset whose tiles are not counted are an error.
        training_tiles: Dataset -> tiles in its training images, of those that are prepared; needed
            where a budget is in epochs of a dataset.

    Raises:
        ConfigError: If the experiment is impossible, or nothing is left of it.
        DatasetNotFoundError: If data are missing that are required.
        DataError: If data are not as declared.
        PluginError: If a plugin that was named does not work.
    """
    excluded: list[Excluded] = []
    missing: list[DatasetNotFoundError] = []
    arms = _arms(experiment, excluded)
    backbones = _backbones(experiment, catalog)
    datasets = _datasets(experiment, training_tiles, excluded, missing, require_data=require_data)
    demo = all(is_demo(text) for text in experiment.datasets)
    resolved = resolve_sources(experiment.sources, experiment.data_roots, demo=demo)
    arms = _with_sources(arms, resolved, experiment, excluded, demo=demo)
    sources, arms = _sources(
        arms, resolved, experiment, excluded, missing, require_data=require_data
    )
    _check_left(arms, datasets, excluded, missing if require_data else [])
    if require_counted:
        _check_counted(experiment, arms, datasets)
    setting = Setting(experiment.recipe, sources)
    items = plan_items(experiment, arms, datasets, setting)
    if experiment.limit is not None:
        items = spread(items, experiment.limit)
    return Plan(
        experiment=experiment,
        items=tuple(items),
        strategies=tuple(strategy_facts(arm) for arm in arms),
        datasets=tuple(DatasetFacts(each.name, each.spec, each.selector) for each in datasets),
        excluded=tuple(excluded),
        trial=experiment.limit is not None,
        partial=tuple(each.name for each in datasets if each.partial),
        missing=tuple(Excluded(each.name, str(each)) for each in missing),
        images={kind: _images(items, kind) for kind in ("pretrain", "finetune")},
        backbones=backbones,
        source_roots={role: str(resolved[role].root) for role in sources if resolved[role].root},
    )


def _arms(experiment: Experiment, excluded: list[Excluded]) -> list[Arm]:
    arms = []
    for text in experiment.arms:
        try:
            arms.append(parse_arm(text))
        except GpbenchError as error:
            _exclude(text, error, experiment, excluded)
    return arms


def _backbones(experiment: Experiment, catalog: BackboneCatalog) -> tuple[BackboneFacts, ...]:
    for name in experiment.backbones:
        if name not in catalog.names:
            raise UnknownNameError("backbone", name, catalog.names)
    return tuple(catalog.facts[name] for name in experiment.backbones if name in catalog.facts)


def _datasets(
    experiment: Experiment,
    tiles: Mapping[str, int],
    excluded: list[Excluded],
    missing: list[DatasetNotFoundError],
    *,
    require_data: bool,
) -> list[PlannedDataset]:
    planned: dict[str, PlannedDataset] = {}
    texts: dict[str, str] = {}
    for text in experiment.datasets:
        try:
            resolved = resolve_dataset(text, experiment.data_roots)
            spec = resolved.spec(allow_partial=experiment.allow_partial)
            resolved.check_splits()
        except DatasetNotFoundError as error:
            if text in experiment.brought_in:
                excluded.append(Excluded(text, str(error)))
                continue
            missing.append(error)
            if require_data:
                continue
            spec = _unprepared(resolved)
        except GpbenchError as error:
            _exclude(text, error, experiment, excluded)
            continue
        name = resolved.name
        if name in planned:
            raise ConfigError(
                f"two datasets have the name '{name}': {texts[name]} and {text}; "
                "leave one out, or change the name in its card"
            )
        texts[name] = text
        there = spec.fingerprint != UNPREPARED
        partial = there and resolved.is_partial()
        planned[name] = PlannedDataset(name, text, spec, there, tiles.get(name), partial)
    return list(planned.values())


def _unprepared(resolved: ResolvedDataset) -> DatasetSpec:
    dataset = resolved.dataset
    return DatasetSpec(resolved.plugin, dataset.info, dataset.protocol, UNPREPARED)


def _with_sources(
    arms: Sequence[Arm],
    resolved: Mapping[Role, ResolvedSource],
    experiment: Experiment,
    excluded: list[Excluded],
    *,
    demo: bool,
) -> list[Arm]:
    """Return the arms whose roles are all served."""
    served = []
    for arm in arms:
        missing = [role for role in roles_of([arm]) if role not in resolved]
        if missing:
            error = ConfigError(missing_source(str(arm), missing[0], demo=demo))
            _exclude(str(arm), error, experiment, excluded)
        else:
            served.append(arm)
    return served


def _sources(
    arms: Sequence[Arm],
    resolved: Mapping[Role, ResolvedSource],
    experiment: Experiment,
    excluded: list[Excluded],
    missing: list[DatasetNotFoundError],
    *,
    require_data: bool,
) -> tuple[dict[Role, PlannedSource], list[Arm]]:
    """Return the sources that arms read, and the arms whose sources are there or may be missing."""
    planned: dict[Role, PlannedSource] = {}
    left = list(arms)
    for role in roles_of(arms):
        source = resolved[role]
        try:
            planned[role] = PlannedSource(*source.spec())
        except DatasetNotFoundError as error:
            readers = [arm for arm in left if role in roles_of([arm])]
            named = source.named or any(str(arm) not in experiment.brought_in for arm in readers)
            if named:
                missing.append(error)
            if named and not require_data:
                plugin = PluginSpec(source.name, source.source.info.version)
                planned[role] = PlannedSource(SourceSpec(role, plugin, UNPREPARED), None)
            if not named:
                excluded.extend(Excluded(str(arm), str(error)) for arm in readers)
                left = [arm for arm in left if arm not in readers]
    return planned, left


def _exclude(
    text: str, error: GpbenchError, experiment: Experiment, excluded: list[Excluded]
) -> None:
    """Note what a pattern brought in and cannot run; raise the error of what was named."""
    if text not in experiment.brought_in:
        raise error
    excluded.append(Excluded(text, str(error)))


def _check_left(
    arms: Sequence[Arm],
    datasets: Sequence[PlannedDataset],
    excluded: Sequence[Excluded],
    missing: Sequence[DatasetNotFoundError],
) -> None:
    """Check that something is left to run; else say all that is missing in one message."""
    if arms and datasets and not missing:
        return
    if len(missing) == 1 and not excluded:
        raise missing[0]
    if missing:
        head = "data are missing"
    else:
        what = "dataset" if arms else "strategy"
        head = f"nothing to run: no {what} is left of what was asked for"
    lines = [f"{each.name}: {each.reason}" for each in excluded]
    lines += [f"{each.name}: {each}" for each in missing]
    raise ConfigError("\n".join([head, *(f"  - {line}" for line in lines)]))


def _check_counted(
    experiment: Experiment, arms: Sequence[Arm], datasets: Sequence[PlannedDataset]
) -> None:
    """Check that budgets in epochs of a dataset can be turned into steps."""
    recipe = experiment.recipe
    reads_target = any(
        "target-train" in phase.roles for arm in arms for part in arm.parts for phase in part.phases
    )
    for part, epochs, counts in (
        ("pretrain", recipe.pretrain.epochs, reads_target),
        ("finetune", recipe.finetune.epochs, True),
    ):
        for dataset in datasets:
            if epochs is not None and counts and dataset.tiles is None:
                raise ConfigError(
                    f"{part}.epochs = {epochs:g} cannot be turned into steps: the tiles of "
                    f"'{dataset.name}' are not counted; give {part}.steps"
                )


def _images(items: Sequence[PlanItem], kind: Kind) -> int:
    distinct = {item.key: item.spec for item in items if item.spec and item.kind == kind}
    return sum(images_shown(spec) for spec in distinct.values())
