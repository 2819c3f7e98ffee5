"""How the stages of a run share a cluster. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gpbench.core.errors import InvalidValueError
from gpbench.core.stage import Kind
from gpbench.execution.ray_cluster import ClusterOptions, Needs, Node

TOKEN = {"memory": 1}
"""All that the actor of a distributed pre-training holds: a byte, which every machine has.

Its workers hold the processors and GPUs; if it held any itself, it could wait for itself for ever.
"""


@dataclass(frozen=True)
class Shares:
    """What a stage holds, and how many fit."""

    cpus: int
    gpus: float
    workers: int
    """Processes of a pre-training."""
    slots: int
    """How many processes, each with its processors and a whole GPU, the cluster can hold."""

    @property
    def worker(self) -> dict[str, float]:
        """What each worker of a distributed pre-training holds."""
        return {"CPU": self.cpus, "GPU": 1} if self.gpus else {"CPU": self.cpus}

    def distributed(self, kind: Kind) -> bool:
        return kind == "pretrain" and self.workers > 1

    def bundle(self, kind: Kind) -> dict[str, float]:
        """Return what the actor of a stage holds."""
        if self.distributed(kind):
            return dict(TOKEN)
        return {"CPU": self.cpus, "GPU": self.gpus} if self.gpus else {"CPU": self.cpus}

    def takes(self, kind: Kind) -> int:
        """Return how many slots a stage takes; a part of a GPU counts as a whole one."""
        return self.workers if self.distributed(kind) else max(1, math.ceil(self.gpus))


def shares_of(options: ClusterOptions, needs: Needs, nodes: Sequence[Node]) -> Shares:
    """Return what stages get of a cluster.

    Raises:
        InvalidValueError: If no machine of it has what a stage asks for, or all of them together
            have too little for the workers of a pre-training.
    """
    gpus = _gpus(options, needs, nodes)
    most = max((node.cpus for node in nodes), default=0)
    if needs.cpus > most:
        mend = "" if options.address else "; --jobs 1 runs one stage at a time all the same"
        raise InvalidValueError(
            "recipe.cpu_threads", needs.cpus, f"no machine has more than {most:g} processors{mend}"
        )
    with_gpus = [node for node in nodes if node.gpus >= gpus]
    if not with_gpus:
        most_gpus = max(node.gpus for node in nodes)
        raise InvalidValueError(
            "--gpus-per-stage",
            gpus,
            f"no machine has so many GPUs; the most on one is {most_gpus:g}",
        )
    most_beside_gpus = max(node.cpus for node in with_gpus)
    if needs.cpus > most_beside_gpus:
        raise InvalidValueError(
            "recipe.cpu_threads",
            needs.cpus,
            f"no machine with {gpus:g} GPUs has more than {most_beside_gpus:g} processors; "
            "--gpus-per-stage 0 runs the stages without",
        )
    slots = sum(_slots(node, needs.cpus, with_gpu=gpus > 0) for node in nodes)
    if needs.pretrain_workers > max(1, slots):
        each = f"{needs.cpus} processors" + (" and a GPU" if gpus else "")
        mend = "" if gpus or options.address else "; --jobs 1 runs them all the same"
        raise InvalidValueError(
            "execution.pretrain_workers",
            needs.pretrain_workers,
            f"a worker has {each}, and the cluster can hold {slots}{mend}",
        )
    return Shares(needs.cpus, gpus, needs.pretrain_workers, slots)


def _gpus(options: ClusterOptions, needs: Needs, nodes: Sequence[Node]) -> float:
    """Return the GPUs of a stage."""
    there = max((node.gpus for node in nodes), default=0)
    asked = options.gpus_per_stage
    if needs.device == "cuda" and not (there and asked != 0):
        raise InvalidValueError(
            "execution.device", "cuda", f"the cluster has {there:g} GPUs, and stages get none"
        )
    if asked is None:
        return 1 if there and needs.device != "cpu" else 0
    if asked < 0 or (asked > 1 and asked != int(asked)):
        raise InvalidValueError("--gpus-per-stage", asked, "a part of one, or a whole number")
    return asked


def _slots(node: Node, cpus: int, *, with_gpu: bool) -> int:
    by_cpus = int(node.cpus // cpus)
    return min(by_cpus, int(node.gpus)) if with_gpu else by_cpus
