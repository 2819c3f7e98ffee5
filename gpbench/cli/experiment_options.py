"""The flags that describe an experiment, shared by `run` and `plan`, and their names in config."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

Config = Annotated[Path | None, typer.Option("--config", "-c", help="Experiment file (YAML).")]
Strategies = Annotated[
    list[str] | None, typer.Option("--strategy", "-s", help="Strategies: names, globs, all.")
]
Backbones = Annotated[
    list[str] | None, typer.Option("--backbone", "-b", help="timm backbones: names, globs.")
]
Datasets = Annotated[
    list[str] | None, typer.Option("--datasets", "-d", help="Datasets: names, globs, all.")
]
Sources = Annotated[
    list[str] | None,
    typer.Option("--source", help="[ROLE=]NAME[root=DIR]: where pre-training images lie."),
]
Seeds = Annotated[
    str | None, typer.Option(help="Fine-tunings of each pre-training: 5, 0-4, 1,7 or 7-7.")
]
PretrainSeeds = Annotated[str | None, typer.Option(help="Pre-trainings of each strategy.")]
LabelFraction = Annotated[
    str | None, typer.Option(help="Shares of labelled training images, such as 0.1,1.")
]
RecipeName = Annotated[str | None, typer.Option(help="Training recipe.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="A path of the experiment file: finetune.steps=100."),
]
DataRoots = Annotated[
    list[str] | None, typer.Option("--data-root", help="NAME=DIR: where a dataset or source lies.")
]
Name = Annotated[
    str | None,
    typer.Option(
        "--experiment",
        help="Name of the experiment. Default: the file's stem, else a hash.",
        show_default=False,
    ),
]
Limit = Annotated[
    int | None,
    typer.Option(help="Trial: at most N fine-tunings, in an experiment of its own."),
]
AllowPartial = Annotated[bool, typer.Option("--allow-partial", help="Accept incomplete datasets.")]

_NAMES = {
    "strategy": "strategies",
    "backbone": "backbones",
    "source": "sources",
    "set_": "set",
}
_FLAGS = (
    *("strategy", "backbone", "datasets", "source", "seeds", "pretrain_seeds", "label_fraction"),
    *("recipe", "set_", "data_root", "experiment", "limit", "allow_partial"),
)


def experiment_flags(given: dict[str, Any]) -> dict[str, Any]:
    """Return of a command's local variables the flags that were given, by their names in config."""
    return {
        _NAMES.get(flag, flag): given[flag]
        for flag in _FLAGS
        if given[flag] is not None and given[flag] is not False and given[flag] != []
    }
