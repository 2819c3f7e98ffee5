"""Files that a stage leaves in its folder: written atomically, known by their hash."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import save
from torch import nn

from gpbench.core.stage import Artefact
from gpbench.core.whole_file import write_whole

OUTCOME = "outcome.json"
SPEC = "spec.json"
LOG = "log.txt"
SEGMENTOR = "segmentor.safetensors"
CONFUSION = "confusion-plain.npz"
EXAMPLES = "examples.npz"


def write_text(path: Path, text: str) -> None:
    """Write a text file so that a reader sees the old one or the new one, whole."""
    write_whole(path, text.encode())


def write_arrays(path: Path, **arrays: NDArray[np.generic]) -> None:
    """Write an .npz file atomically."""
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    partial.replace(path)


def write_weights(path: Path, module: nn.Module) -> None:
    """Write a module's parameters and buffers as safetensors, atomically."""
    state = {name: tensor.contiguous().cpu() for name, tensor in module.state_dict().items()}
    write_whole(path, save(state))  # save_file would let only the owner read it


def artefact(folder: Path, name: str) -> Artefact:
    """Return what is recorded of the file `name` in a stage's folder."""
    path = folder / name
    return Artefact(name, name, file_sha256(path), path.stat().st_size)


def is_intact(folder: Path, recorded: Artefact) -> bool:
    """Return whether the file is there with the recorded content."""
    path = folder / recorded.path
    return path.is_file() and file_sha256(path) == recorded.sha256


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
