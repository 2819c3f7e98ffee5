"""One run from flags to results: plan, prepared data, executor, store. Shared by run and demo."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from gpbench.cli import options
from gpbench.cli.interruption import before_stages, interruptible
from gpbench.core.errors import (
    ConfigError,
    DataError,
    InvalidValueError,
    PluginError,
    StoreError,
    UnknownNameError,
)
from gpbench.core.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from gpbench.core.plan import Experiment, PlanItem
    from gpbench.core.stage import Outcome
    from gpbench.execution.driver import Job, Summary
    from gpbench.execution.executor import Executor
    from gpbench.planning import ResolvedDataset
    from gpbench.store import Store


@dataclass(frozen=True)
class Place:
    """Where a run works."""

    workdir: Path
    db: str

    @property
    def data(self) -> Path:
        """Return the folder of prepared tile stores."""
        return self.workdir / "data"


def place_of(workdir: Path | None, db: str | None) -> Place:
    """Return where a command works, from its flags and the environment."""
    folder = options.workdir_path(workdir)
    return Place(folder, options.database_url(db, folder))


def plan_experiment(
    file: Path | None, flags: Mapping[str, Any], place: Place, *, require_data: bool
) -> Plan:
    """Return the plan of what flags, environment and file ask for."""
    from gpbench.config import load_experiment
    from gpbench.models.backbone import catalog

    experiment = load_experiment(file, flags, os.environ, catalog().names)
    return _planned(experiment, place, require_data=require_data)


def prepared(plan: Plan, place: Place) -> Plan:
    """Return the plan with all its data prepared, and with that all budgets in epochs counted."""
    prepare_data(plan, place)
    return _planned(plan.experiment, place, require_data=True, require_counted=True)


def _planned(
    experiment: Experiment, place: Place, *, require_data: bool, require_counted: bool = False
) -> Plan:
    from gpbench.models.backbone import catalog
    from gpbench.planning import build_plan

    recipe = experiment.recipe
    in_epochs = recipe.pretrain.epochs is not None or recipe.finetune.epochs is not None
    return build_plan(
        experiment,
        catalog(experiment.backbones),
        require_data=require_data,
        require_counted=require_counted,
        training_tiles=training_tiles(experiment, place) if in_epochs else {},
    )


def training_tiles(experiment: Experiment, place: Place) -> dict[str, int]:
    """Return how many training tiles the datasets have whose stores are there."""
    from gpbench.data.tile_store import TileStore, store_folder
    from gpbench.data.windows import windows_of
    from gpbench.planning import resolve_dataset

    tiles = {}
    for text in experiment.datasets:
        try:
            resolved = resolve_dataset(text, experiment.data_roots)
            spec = resolved.spec(allow_partial=experiment.allow_partial)
        except (ConfigError, DataError, PluginError):
            continue  # planning says what is wrong, or excludes it
        folder = store_folder(place.data, spec)
        if folder.is_dir():
            images, protocol = TileStore.open(folder).images("train"), spec.protocol
            tiles[resolved.name] = len(windows_of(images, protocol.tile_px, protocol.stride_px))
    return tiles


def check_names(plan: Plan) -> None:
    """Check what only timm and mmseg know of a recipe, before anything runs.

    Raises:
        UnknownNameError: If timm has no such optimiser, or mmseg no such decode head.
    """
    from timm.optim import list_optimizers

    from gpbench.models.heads import HEADS

    recipe = plan.experiment.recipe
    for optim in (recipe.pretrain.optim, recipe.finetune.optim):
        if optim.optimizer not in list_optimizers():
            raise UnknownNameError("optimiser", optim.optimizer, list_optimizers())
    if recipe.finetune.head not in HEADS:
        raise UnknownNameError("decode head", recipe.finetune.head, HEADS)


def accept_exclusions(plan: Plan, *, yes: bool, console: Console) -> None:
    """Show what cannot run of what `all` or a glob brought in, and go on only if that is accepted.

    Raises:
        ConfigError: If nobody can be asked and `--yes` was not given.
    """
    for excluded in plan.excluded:
        console.print(f"excluded {excluded.name}: {excluded.reason}", markup=False, soft_wrap=True)
    if not plan.excluded or yes:
        return
    if not sys.stdin.isatty():
        raise ConfigError(f"{len(plan.excluded)} excluded as listed above: -y accepts that")
    if not typer.confirm("Go on without these?", err=True):
        raise ConfigError("nothing was run: it was not accepted to go on without what is excluded")


def make_place(place: Place) -> None:
    """Create the working directory.

    Raises:
        StoreError: If nothing can be written there.
    """
    probe = place.workdir / f".writable-{os.getpid()}"
    try:
        place.workdir.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise StoreError(
            f"cannot write into the working directory {place.workdir}: {error.strerror}; "
            "choose another with --workdir or GPBENCH_WORKDIR"
        ) from None


def prepare_data(plan: Plan, place: Place) -> None:
    """Write the tile stores of the plan's datasets that are not there yet."""
    from gpbench.data.tile_store import store_folder
    from gpbench.planning import resolve_dataset

    experiment = plan.experiment
    for facts in plan.datasets:
        folder = store_folder(place.data, facts.spec)
        if folder.is_dir():
            continue
        resolved = resolve_dataset(facts.selector, experiment.data_roots)
        prepare_dataset(
            folder, resolved, facts.selector, None, allow_partial=experiment.allow_partial
        )


def prepare_dataset(
    folder: Path, resolved: ResolvedDataset, selector: str, jobs: int | None, *, allow_partial: bool
) -> None:
    """Write one tile store."""
    from gpbench.cli.named_dataset import reading_jobs
    from gpbench.cli.progress import counting
    from gpbench.data.tile_writer import write_store

    with counting(f"preparing {resolved.name}") as progress:
        write_store(
            folder,
            resolved.dataset,
            resolved.root or Path(),
            progress,
            selector=selector,
            jobs=reading_jobs(resolved, jobs),
            allow_partial=allow_partial,
        )


@dataclass(frozen=True)
class Running:
    """How the stages of a plan are run: flags of `run` that change no number."""

    executor: str = "ray"
    jobs: int | None = None
    address: str | None = None
    gpus_per_stage: float | None = None
    storage: str | None = None
    timeout_s: float | None = None
    retry_failed: bool = False
    force: bool = False
    max_retries: int = 2
    keep_weights: bool = True
    verbose: bool = False


def executor_of(plan: Plan, running: Running, console: Console) -> Executor:
    """Return what runs the stages; what takes long to start says so on the console.

    Raises:
        InvalidValueError: If a flag or `execution.pretrain_workers` does not go with the executor.
        MissingExtraError: If Ray is asked for and not installed.
    """
    if running.jobs is not None and running.jobs < 1:
        raise InvalidValueError("--jobs", running.jobs, "1 or more")
    if running.executor == "ray":
        return _ray(plan, running, console)
    for flag, value in (
        ("--address", running.address),
        ("--gpus-per-stage", running.gpus_per_stage),
    ):
        if value is not None:
            raise InvalidValueError(flag, value, "a flag of --executor ray")
    workers = plan.experiment.execution.pretrain_workers
    if workers > 1:
        raise InvalidValueError("execution.pretrain_workers", workers, "1, or --executor ray")
    from gpbench.execution.inline import Inline
    from gpbench.execution.processes import Processes

    jobs = default_jobs(plan) if running.jobs is None else running.jobs
    # in this process a stage that hangs cannot be ended, one that breaks the GPU's context breaks
    # all that follow, and while one only sends files nobody hears that it is still there
    alone = jobs == 1 and running.timeout_s is None and running.storage is None
    return Inline() if alone and not _on_gpu(plan) else Processes(jobs)


def _ray(plan: Plan, running: Running, console: Console) -> Executor:
    from gpbench.execution.ray_cluster import ClusterOptions, Needs, require_ray

    require_ray()
    from gpbench.execution.ray_tune import RayTune

    execution, batch = plan.experiment.execution, plan.experiment.recipe.pretrain.batch
    if batch % execution.pretrain_workers:
        raise InvalidValueError(
            "execution.pretrain_workers",
            execution.pretrain_workers,
            f"a divisor of the batch, pretrain.batch = {batch}",
        )
    return RayTune(
        ClusterOptions(running.address, running.gpus_per_stage, running.jobs, running.verbose),
        Needs(plan.experiment.recipe.cpu_threads, execution.device, execution.pretrain_workers),
        say=lambda text: console.print(text, markup=False, soft_wrap=True),
    )


def default_jobs(plan: Plan) -> int:
    """Return how many stages fit on this machine's processors at once; 1 where a GPU is used."""
    if _on_gpu(plan):
        return 1
    return max(1, len(os.sched_getaffinity(0)) // plan.experiment.recipe.cpu_threads)


def _on_gpu(plan: Plan) -> bool:
    import torch

    return plan.experiment.execution.device != "cpu" and torch.cuda.is_available()


def jobs_of(
    plan: Plan, place: Place, *, keep_weights: bool, storage: str | None = None
) -> list[Job]:
    """Return the distinct stages of a plan as jobs, parents first."""
    from gpbench.execution.driver import Job
    from gpbench.planning import requests

    sent = requests(plan, place.workdir, keep_weights=keep_weights, storage=storage)
    items = plan.stages()
    by_index = {item.index: item for item in plan.items}
    jobs = []
    for key, request in sent.items():
        item = items[key]
        parents = (by_index[index].key for index in item.needs)
        jobs.append(Job(request, item, tuple(parent for parent in parents if parent is not None)))
    return jobs


def execute(
    plan: Plan, place: Place, store: Store, console: Console, executor: Executor, running: Running
) -> Summary:
    """Run the plan to its end or to an interruption."""
    with before_stages():
        from gpbench.execution.driver import Again, Driver
        from gpbench.execution.files import StageFiles
        from gpbench.execution.watch import watcher
        from gpbench.planning.durations import expected_seconds

        store.record(plan)
        jobs = jobs_of(plan, place, keep_weights=running.keep_weights, storage=running.storage)
        past = store.durations()
        seconds = expected_seconds([job.request.spec for job in jobs], past)
        again = Again(running.retry_failed, running.force, running.max_retries)
        headline = headline_of(plan, place)
    with watcher(console, headline, past, verbose=running.verbose) as watching:
        driver = Driver(store, StageFiles(running.storage), watching, again, running.timeout_s)
        with interruptible(driver, console):
            return driver.run(jobs, executor, seconds)


def headline_of(plan: Plan, place: Place) -> Callable[[Outcome, PlanItem], str]:
    """Return what says a finished stage's result in a few words."""
    import numpy as np

    from gpbench.reports.results import headline_value

    facts = {facts.name: facts.spec for facts in plan.datasets}

    def headline(outcome: Outcome, item: PlanItem) -> str:
        if not outcome.scores or item.dataset is None:
            return f"loss {outcome.history[-1].loss:.3f}" if outcome.history else "no training"
        path = place.workdir / "stages" / outcome.key / outcome.scores[0].path
        with np.load(path, allow_pickle=False) as arrays:
            total = arrays["counts"].sum(axis=0)
        spec = facts[item.dataset]
        return f"{spec.protocol.metric} {headline_value(total, spec):.2f}"

    return headline
