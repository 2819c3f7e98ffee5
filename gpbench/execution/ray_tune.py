"""The Ray executor: Ray Tune's loop asks for stages, one trial each, and runs them on a cluster."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import ray
from ray import tune
from ray.tune.experiment import Trial
from ray.tune.search import Searcher
from ray.tune.stopper import Stopper

from gpbench.core.errors import StageError
from gpbench.engine.monitor import Beat
from gpbench.execution.executor import Executor, Runner, Work
from gpbench.execution.ray_cluster import (
    ClusterLostError,
    ClusterOptions,
    Needs,
    OtherVersionsError,
    alive_nodes,
    check_running,
    check_versions,
    cluster,
    installed_versions,
    local_node,
)
from gpbench.execution.ray_desk import Desk
from gpbench.execution.ray_shares import Shares, shares_of
from gpbench.execution.ray_worker import (
    BEAT,
    ENDED,
    KIND,
    REQUEST,
    ProcessSpentError,
    StageWorker,
    Terms,
)


class RayTune(Executor):
    """Runs stages on all processors and GPUs of this machine or of a cluster."""

    name = "ray"

    def __init__(
        self,
        options: ClusterOptions,
        needs: Needs,
        *,
        runner: Runner | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        """Take what decides where stages run.

        Args:
            options: Which cluster.
            needs: What a stage asks for.
            runner: What runs a stage, importable in the workers; None: gpbench's own.
            say: Is told what takes seconds before the first stage; None: nobody is.
        """
        self._options, self._needs, self._runner, self._say = options, needs, runner, say
        self._cluster = ExitStack()
        self._folder: Path | None = None

    def __enter__(self) -> Self:
        """Join the cluster; one of this machine's own is started when there is something to run.

        Raises:
            ConfigError: If the cluster cannot be joined, or has too little or other versions.
        """
        if self._options.address is None:
            shares_of(self._options, self._needs, [local_node(self._options, self._needs)])
            return self
        with ExitStack() as unless_it_can_run:
            unless_it_can_run.push(self.__exit__)
            self._joined()
            unless_it_can_run.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._cluster.close()

    def run(self, work: Work) -> None:
        """Run stages until `work` is finished.

        Raises:
            ConfigError: If the cluster has too little, or a machine joined that has other versions.
            StageError: If the cluster was lost.
        """
        folder, shares = self._joined()
        desk = Desk(work, shares, self._limit())
        try:
            self._tuner(desk, shares, folder).fit()
        except (Exception, ClusterLostError) as error:
            if desk.failure is not None:
                raise desk.failure from None
            raise StageError(f"{error}: the same command continues") from error

    def _limit(self) -> int | None:
        """Return how many stages may run at once; None: as many as find room."""
        jobs = self._options.jobs
        if jobs is None or self._options.address is not None:
            return jobs
        return jobs if jobs < self._needs.pretrain_workers else None  # else there is no more room

    def _joined(self) -> tuple[Path, Shares]:
        """Return a folder of this run's own, and what a stage gets, once there is a cluster."""
        if self._folder is None:
            if self._say is not None:
                address = self._options.address
                self._say("starting Ray" if address is None else f"joining Ray at {address}")
            self._folder = self._cluster.enter_context(cluster(self._options, self._needs))
        nodes = alive_nodes()
        if self._options.address is not None:
            check_versions(nodes)
        return self._folder, shares_of(self._options, self._needs, nodes)

    def _tuner(self, desk: Desk, shares: Shares, folder: Path) -> Any:
        terms = Terms(
            installed_versions(),
            shares.gpus,
            shares.worker if shares.workers > 1 else None,
            self._runner,
        )
        return tune.Tuner(
            tune.with_resources(tune.with_parameters(StageWorker, terms=terms), _placement(shares)),
            tune_config=tune.TuneConfig(
                search_alg=_Stages(desk),
                num_samples=-1,
                reuse_actors=True,
                trial_dirname_creator=_trial_id,
            ),
            run_config=tune.RunConfig(
                name=folder.name,
                storage_path=str(folder / "tune"),
                stop=_Stop(desk),
                verbose=0,  # Tune would print its tables between our results
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                callbacks=[_Listener(desk, distributed=shares.workers > 1)],
            ),
        )


def _placement(shares: Shares) -> Callable[[dict[str, Any]], Any]:
    """Return what tells Tune what a trial holds."""
    return lambda config: tune.PlacementGroupFactory([shares.bundle(config[KIND])])


def _trial_id(trial: Trial) -> str:
    return str(trial.trial_id)


class _NotKept:
    """Base of what Tune pickles with a run in case it is restored, which the store makes needless.

    The driver behind it holds a database connection.
    """

    def __getstate__(self) -> dict[str, Any]:
        return {}


class _Stages(_NotKept, Searcher):  # type: ignore[misc]  # ray is untyped
    """Streams the driver's stages into Tune."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        self._desk.tick()  # Tune asks every second when no trial runs, and tells nobody else
        request = self._desk.next(trial_id)
        if request is not None:
            return {REQUEST: request.to_json(), KIND: request.spec.kind}
        return str(Searcher.FINISHED) if self._desk.finished else None

    def on_trial_complete(self, trial_id: str, **_: Any) -> None:
        """Do nothing: the listener hears more of it."""

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: the store knows what is done."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing: as in `save`."""


class _Stop(_NotKept, Stopper):  # type: ignore[misc]  # ray is untyped
    """Ends Tune's loop when the run is to stop and all that it has waits for room.

    Tune drops no trial that waits, and ends only when all that it was given are over.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:  # noqa: ARG002  Tune's
        return False

    def stop_all(self) -> bool:
        return self._desk.dropped()


class _Listener(_NotKept, tune.Callback):  # type: ignore[misc]  # ray is untyped
    """Tells the desk what Tune says of its trials, and the workers what the driver wants."""

    def __init__(self, desk: Desk, *, distributed: bool) -> None:
        self._desk, self._distributed = desk, distributed
        self._running: dict[str, Trial] = {}
        self._told: set[str] = set()

    def on_trial_start(self, *, trial: Trial, **_: Any) -> None:
        self._running[trial.trial_id] = trial
        self._desk.started(trial.trial_id)
        self._pass_on()  # before the trial's first step, which then does not begin the stage

    def on_trial_result(self, *, trial: Trial, result: dict[str, Any], **_: Any) -> None:
        beat = result.get(BEAT)
        if beat is not None:
            self._desk.progressed(trial.trial_id, Beat(**beat))

    def on_trial_complete(self, *, trial: Trial, **_: Any) -> None:
        self._over(trial)
        self._desk.ended(trial.trial_id, trial.last_result[ENDED])

    def on_trial_error(self, *, trial: Trial, **_: Any) -> None:
        self._over(trial)
        error = _error_of(trial)
        cause = getattr(error, "cause", None)
        if isinstance(cause, OtherVersionsError):
            self._desk.refused(cause)
        elif isinstance(cause, ProcessSpentError) and cause.sha256 is not None:
            self._desk.ended(trial.trial_id, cause.sha256)
        elif isinstance(cause, ProcessSpentError):
            self._desk.died(trial.trial_id, cause.reason)
        else:
            self._desk.died(trial.trial_id, _how_it_died(error))

    def on_step_end(self, **_: Any) -> None:
        check_running()
        if self._desk.tick() and self._distributed:
            _give_back_room()
        self._pass_on()

    def _pass_on(self) -> None:
        """Stop the running stages where the driver wants it, and kill those that hang."""
        if self._desk.stop_wanted:
            for name in self._running.keys() - self._told:
                self._told.add(name)
                self._running[name].temporary_state.ray_actor.stop_stage.remote()
        for name in self._running.keys() & self._desk.hanging:
            self._desk.hanging.discard(name)
            ray.kill(self._running[name].temporary_state.ray_actor)

    def _over(self, trial: Trial) -> None:
        self._running.pop(trial.trial_id, None)
        self._told.discard(trial.trial_id)


def _give_back_room() -> None:
    """Give back what workers of a distributed pre-training held whose stage was killed."""
    from gpbench.execution.ray_orphans import remove_orphans  # noqa: PLC0415  Ray's private parts

    remove_orphans()


def _error_of(trial: Trial) -> Exception | None:
    """Return what Ray raised; Tune has written it into the trial's folder, and keeps only that."""
    if trial.pickled_error_file is None:
        return None
    try:
        error: Exception = ray.cloudpickle.loads(Path(trial.pickled_error_file).read_bytes())
    except Exception as unreadable:  # noqa: BLE001  whatever a plugin's exceptions need to be made
        return unreadable
    return error


def _how_it_died(error: Exception | None) -> str:
    """Return in a few words why a worker is gone."""
    text = str(error)
    for sign, reason in _REASONS.items():
        if sign in text:
            return f"{reason}{_where(text)}"
    return text.strip().rpartition("\n")[2] or f"its process ended with {type(error).__name__}"


_REASONS = {  # what Ray writes -> what it means
    "`ray.kill`": "its process was ended",
    "NODE_OUT_OF_MEMORY": "Ray ended its process as the machine ran out of memory",
    "running low on memory": "Ray ended its process as the machine ran out of memory",
    "its node has died": "its machine was lost",
    "its owner has died": "the run lost its Ray",
    "worker process has died": "its process crashed or was killed, perhaps for lack of memory",
}


def _where(text: str) -> str:
    found = dict(re.findall(r"^\s*(pid|ip): (\S+)$", text, re.MULTILINE))
    return f" (pid {found['pid']} on {found['ip']})" if len(found) == 2 else ""
