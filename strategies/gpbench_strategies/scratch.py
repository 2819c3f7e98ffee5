"""No pre-training: fine-tuning starts from random weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gpbench.api import Phase, Strategy


@dataclass(frozen=True)
class Params:
    """Nothing to choose."""


class Scratch:
    title = "No pre-training"
    version = 1
    params: type = Params
    channels: Literal["rgb", "target"] = "target"
    assumed: tuple[str, ...] = ()

    def phases(self, params: Params) -> list[Phase]:  # noqa: ARG002  there is none to choose
        return []


PLUGIN: Strategy = Scratch()
