"""The Ray cluster that stages run on: started on this machine for the run, or one to join.

Ray is imported inside functions: `require_ray` comes first.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gpbench.core.errors import ConfigError, InvalidValueError, MissingExtraError
from gpbench.execution import ray_nodes
from gpbench.execution.ray_warden import PREFIX, watched_folder

PACKAGES = ("gpbench", "torch", "timm", "onedl-mmsegmentation", "numpy")
"""With another version of one of them the same stage may give another number."""

CONNECT_S = 5.0
ANSWER_S = 60.0
TIDY_S = 5.0

_HTTP2_SETTINGS = b"\4"  # the type of a frame, its fourth byte
_HTTP2_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0" + _HTTP2_SETTINGS + bytes(5)
"""How a client of gRPC begins, which is what a Ray cluster speaks."""

_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else Ray warns that it will change this
    "RAY_AIR_NEW_OUTPUT": "0",  # Tune's progress tables
    "RAY_TRAIN_V2_ENABLED": "1",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # relative paths mean the same in a worker
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C is the command line's
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",  # the store knows what is done
    "TUNE_MAX_PENDING_TRIALS_PG": "1000000",  # the desk decides; one would block all behind it
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
}


@dataclass(frozen=True)
class ClusterOptions:
    """What the user says of the cluster."""

    address: str | None = None
    """HOST:PORT of a cluster to join, or "auto"; None: one is started here for this run."""
    gpus_per_stage: float | None = None
    """None: 1 where the cluster has GPUs and the stages may use them, else 0."""
    jobs: int | None = None
    """Stages at once; None: as many as fit."""
    verbose: bool = False


@dataclass(frozen=True)
class Needs:
    """What the stages of a run ask for."""

    cpus: int
    """Threads of a stage: `recipe.cpu_threads`."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    pretrain_workers: int = 1


@dataclass(frozen=True)
class Node:
    """A machine of the cluster."""

    id: str
    name: str
    cpus: float
    gpus: float


class OtherVersionsError(ConfigError):
    """A machine has other versions than the driver: its stages might give other numbers."""

    @classmethod
    def of(cls, problems: Sequence[str]) -> ConfigError:
        """Return the error that names each machine with what it has."""
        return cls.collected("the Ray cluster needs this machine's versions", problems)


def require_ray() -> None:
    """Check that Ray Tune is installed.

    Raises:
        MissingExtraError: If it is not.
    """
    os.environ["RAY_TRAIN_V2_ENABLED"] = "1"  # read when Ray Train is imported, which Tune does
    # as Ray is imported: that handler would take SIGTERM from the command line's, and talk
    os.environ["RAY_DISABLE_FAILURE_SIGNAL_HANDLER"] = "1"
    try:
        import ray.tune  # noqa: F401, PLC0415
    except ImportError:
        raise MissingExtraError(
            "ray", "--executor ray", "pip install 'ray[tune]', or use --executor inline"
        ) from None


def cluster(options: ClusterOptions, needs: Needs) -> AbstractContextManager[Path]:
    """Be connected to a cluster, and leave nothing of it behind.

    Yields a temporary folder for what Tune writes.

    Args:
        options: Which cluster.
        needs: What its stages ask for.

    Raises:
        ConfigError: If the cluster cannot be joined.
    """
    if options.address is None:
        return _started(options, needs)
    return _joined(options.address, verbose=options.verbose)


def local_node(options: ClusterOptions, needs: Needs) -> Node:
    """Return this machine as the cluster that is started for a run: with the GPUs torch can use."""
    import torch  # noqa: PLC0415

    processors = len(os.sched_getaffinity(0))
    if options.jobs is not None:
        processors = max(options.jobs, needs.pretrain_workers) * needs.cpus
    return Node("", socket.gethostname(), processors, torch.cuda.device_count())


@contextmanager
def _started(options: ClusterOptions, needs: Needs) -> Iterator[Path]:
    import ray  # noqa: PLC0415

    here = local_node(options, needs)
    with _environment(""), _heard(verbose=options.verbose), watched_folder() as folder:
        try:
            with _own_signals():
                ray.init(
                    address="local",  # whatever RAY_ADDRESS says
                    num_cpus=here.cpus,
                    num_gpus=here.gpus,
                    include_dashboard=False,
                    _temp_dir=str(folder),
                    **_logging(verbose=options.verbose),
                )
            yield folder
        finally:
            _shut_down_at_once()


@contextmanager
def _joined(address: str, *, verbose: bool) -> Iterator[Path]:
    import ray  # noqa: PLC0415

    _check_reachable(address)
    with _environment(address), _heard(verbose=verbose), watched_folder() as folder:
        try:
            _connect(address, verbose=verbose)
            try:
                yield folder
            finally:
                with contextlib.suppress(ConfigError):  # a machine may be gone, its folders too
                    on_each(
                        alive_nodes(), ray_nodes.remove_trial_folders, folder.name, wait_s=TIDY_S
                    )
        finally:
            ray.shutdown()


def _connect(address: str, *, verbose: bool) -> None:
    import ray  # noqa: PLC0415

    try:
        with _own_signals():
            ray.init(address=address, **_logging(verbose=verbose))
    except (ConnectionError, RuntimeError) as error:  # also another version of Ray or Python
        raise ConfigError(
            f"--address {address} cannot be joined: {error}. A cluster that asks for a token, as "
            "Ray starts them where ~/.ray/auth_token is, is joined with RAY_AUTH_MODE=token set"
        ) from None
    if PREFIX in ray.get_runtime_context().get_temp_dir():
        ray.shutdown()
        raise ConfigError(
            f"--address {address} finds only the cluster of another gpbench run, which ends with "
            "it: start one with `ray start --head`, or leave --address out"
        )


@contextmanager
def _own_signals() -> Iterator[None]:
    """Let SIGTERM reach the command line's handler, and nothing else.

    Batch systems send it to every process of a job: those that are started here inherit that it
    is blocked. Ray would put a handler of its own in the place of the command line's.
    """
    from ray._private import utils  # noqa: PLC0415

    before = utils.set_sigterm_handler
    utils.set_sigterm_handler = lambda _: None
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        yield
    finally:
        utils.set_sigterm_handler = before
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _shut_down_at_once() -> None:
    """Shut Ray down without the second per process in which it waits for what SIGTERM does."""
    import ray  # noqa: PLC0415
    from ray._private.worker import _global_node  # noqa: PLC0415

    if _global_node is not None:
        for processes in _global_node.all_processes.values():
            for each in processes:
                each.process.terminate = each.process.kill
    ray.shutdown()


@contextmanager
def _environment(address: str) -> Iterator[None]:
    """Set what Ray reads from the environment, here and in its processes."""
    # parts of Ray look there first, whatever `ray.init` was told
    wanted = _ENVIRONMENT if address == "auto" else {**_ENVIRONMENT, "RAY_ADDRESS": address}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _heard(*, verbose: bool) -> Iterator[None]:
    """Let only the verbose hear what Ray prints of workers that died: it has no switch for it."""
    from ray._private import worker  # noqa: PLC0415

    name = "print_to_stdstream"
    before = getattr(worker, name, None)
    if verbose or before is None:
        yield
        return
    setattr(worker, name, lambda *_, **__: None)
    try:
        yield
    finally:
        setattr(worker, name, before)


def _logging(*, verbose: bool) -> dict[str, Any]:
    return {
        "logging_level": logging.INFO if verbose else logging.CRITICAL,
        "log_to_driver": verbose,
    }


def _check_reachable(address: str) -> None:
    """Check within seconds that a cluster answers at the address; Ray itself takes minutes."""
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS", address)
    if address == "auto":
        return
    host, separator, port = address.rpartition(":")
    if not separator or not port.isdigit() or "/" in host:
        raise InvalidValueError("--address", address, "HOST:PORT of a Ray cluster, or auto")
    try:
        with socket.create_connection((host, int(port)), timeout=CONNECT_S) as line:
            line.sendall(_HTTP2_HELLO)
            answer = line.recv(9)
    except OSError as error:
        raise ConfigError(
            f"no Ray cluster answers at --address {address} ({error}): start one there with "
            f"`ray start --head --port {port}`"
        ) from None
    if answer[3:4] != _HTTP2_SETTINGS and os.environ.get("RAY_USE_TLS", "0") == "0":
        raise ConfigError(
            f"what answers at --address {address} is no Ray cluster: give the port that "
            "`ray start --head` names (6379 if none was asked for)"
        )


class ClusterLostError(BaseException):
    """Ray itself ended. Not an Exception: Tune would try to talk to its workers first."""


def check_running() -> None:
    """Check that the cluster that was started here is there; a joined one is not looked at.

    Raises:
        ClusterLostError: If it is not. Without this Ray ends the whole process, after a minute.
    """
    from ray._private.worker import _global_node  # noqa: PLC0415

    for name, process in _global_node.dead_processes():
        if name in ("raylet", "gcs_server"):
            raise ClusterLostError(f"Ray's {name} ended with code {process.returncode}")


def alive_nodes() -> list[Node]:
    """Return the machines of the cluster that this process is connected to."""
    import ray  # noqa: PLC0415

    return [
        Node(
            id=each["NodeID"],
            name=f"{each['NodeManagerHostname']} ({each['NodeManagerAddress']})",
            cpus=each["Resources"].get("CPU", 0.0),
            gpus=each["Resources"].get("GPU", 0.0),
        )
        for each in ray.nodes()
        if each["Alive"]
    ]


@functools.cache  # each stage asks, and it takes milliseconds
def installed_versions() -> Mapping[str, str]:
    """Return the versions of `PACKAGES` in this process."""
    return ray_nodes.versions_of(PACKAGES)


def differing(here: Mapping[str, str], there: Mapping[str, str]) -> str:
    """Return how two sets of versions differ, as in "torch 2.4 instead of 2.5"; empty: not."""
    return ", ".join(
        f"{name} {there.get(name, '(none)')} instead of {version}"
        for name, version in here.items()
        if there.get(name) != version
    )


def check_versions(nodes: Sequence[Node]) -> None:
    """Check that all machines have the driver's versions.

    Raises:
        ConfigError: If one has others, or does not answer.
    """
    here = installed_versions()
    answers = on_each(nodes, ray_nodes.versions_of, PACKAGES)
    problems = [
        f"{node.name} has {difference}"
        for node, there in zip(nodes, answers, strict=True)
        if (difference := differing(here, there))
    ]
    if problems:
        raise OtherVersionsError.of(problems)


def check_here(wanted: Mapping[str, str]) -> None:
    """Check in a worker that its machine, which may have joined late, has the driver's versions.

    Raises:
        OtherVersionsError: If it has others.
    """
    import ray  # noqa: PLC0415

    if difference := differing(wanted, installed_versions()):
        name = f"{socket.gethostname()} ({ray.util.get_node_ip_address()})"
        problem = f"{name}, which joined it during the run, has {difference}"
        raise OtherVersionsError.of([problem])


def on_each(
    nodes: Sequence[Node],
    function: Callable[..., Any],
    *arguments: Any,
    wait_s: float = ANSWER_S,
) -> list[Any]:
    """Call a function of `ray_nodes` on each machine; return the answers in the order of `nodes`.

    Raises:
        ConfigError: If a machine does not answer.
    """
    import ray  # noqa: PLC0415
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: PLC0415

    ray.cloudpickle.register_pickle_by_value(ray_nodes)
    try:
        task = ray.remote(num_cpus=0, max_retries=0)(function)
        calls = [
            task.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False)
            ).remote(*arguments)
            for node in nodes
        ]
    finally:
        ray.cloudpickle.unregister_pickle_by_value(ray_nodes)
    answers = []
    for node, call in zip(nodes, calls, strict=True):
        try:
            answers.append(ray.get(call, timeout=wait_s))
        except ray.exceptions.RayError as error:
            said = str(error).strip().splitlines()[-1]
            raise ConfigError(f"{node.name} of the Ray cluster does not answer: {said}") from None
    return answers
