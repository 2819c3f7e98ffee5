"""Which device a stage runs on, how numbers are made to repeat, and what is recorded of it."""

from __future__ import annotations

import os
import platform
import random
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import torch

from gpbench import __version__
from gpbench.core.errors import InvalidValueError
from gpbench.core.stage import Numerics

RECORDED_PACKAGES = ("torch", "timm", "onedl-mmsegmentation", "numpy")


def pick_device(name: str) -> torch.device:
    """Return the device that `execution.device` names; `auto`: the first CUDA device, else the CPU.

    Raises:
        InvalidValueError: If CUDA is asked for and absent, or the name is unknown.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cpu" or (name == "cuda" and torch.cuda.is_available()):
        return torch.device(name)
    raise InvalidValueError(
        "execution.device", name, "auto, cpu, or cuda where torch sees a device"
    )


def set_up(numerics: Numerics, seed: int) -> None:
    """Fix threads, global generators and kernels' choice before the first tensor of a stage.

    Global generators only feed dropout and stochastic depth; everything else draws from its own.
    """
    torch.set_num_threads(numerics.cpu_threads)
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002  third-party layers may use it
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    allow_tf32 = numerics.precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = allow_tf32
    torch.backends.cudnn.allow_tf32 = allow_tf32


def autocast(numerics: Numerics, device: torch.device) -> AbstractContextManager[object]:
    """Return the context in which a forward pass runs: bfloat16 where the recipe says so."""
    if numerics.precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


Generators = tuple[torch.Tensor, torch.Tensor | None]
"""State of torch's global generators: the CPU's, and the device's where it is another."""


def generators(device: torch.device) -> Generators:
    """Return the state of the generators that dropout and stochastic depth draw from."""
    on_device = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    return torch.get_rng_state(), on_device


def set_generators(state: Generators, device: torch.device) -> None:
    """Put the generators into a state that `generators` returned, on this or another device."""
    on_cpu, on_device = state
    torch.set_rng_state(on_cpu)
    if device.type == "cuda" and on_device is not None:
        torch.cuda.set_rng_state(on_device, device)


def memory_bytes(device: torch.device) -> int | None:
    """Return how much a CUDA stage ever allocated, or a CPU stage's process holds; None: unknown.

    Not the peak of the process: a worker runs one stage after another.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


@cache
def _cpu_model() -> str:
    """Return the processor's name as the kernel tells it, else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")), "") or (
        platform.machine()
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def environment(device: torch.device) -> dict[str, str]:
    """Return what is stored of the machine beside each result; no host or user names."""
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "cpu": _cpu_model(),
        "platform": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "gpbench": __version__,
        **{package: _version(package) for package in RECORDED_PACKAGES},
        "worker_pid": str(os.getpid()),
    }
