"""The command line that runs an experiment again; folders are left for the reader to fill in.

Reads the recipe that the experiment started from, to say what it changed of it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from gpbench.config import load_recipe, recipe_names
from gpbench.core.plan import SourceChoice
from gpbench.core.recipe import Recipe
from gpbench.core.stage import canonical_json
from gpbench.store import StoredExperiment
from gpbench_leaderboard.privacy import without_paths

FOLDER = "DIR"
FILE = "FILE"


def command(stored: StoredExperiment) -> str:
    """Return `gpbench run ...` of an experiment, one option a line, quoted for a POSIX shell."""
    lines = [f"--{name} {shlex.quote(value)}" for name, value in options(stored)]
    if stored.experiment.allow_partial:
        lines.append("--allow-partial")
    return " \\\n  ".join(["gpbench run", *lines])


def options(stored: StoredExperiment) -> Iterator[tuple[str, str]]:
    """Yield the options and their values; what could not run is left out."""
    experiment = stored.experiment
    left_out = {excluded.name for excluded in stored.excluded}
    for option, names in (
        ("strategy", experiment.arms),
        ("backbone", experiment.backbones),
        ("datasets", experiment.datasets),
    ):
        kept = [name for name in names if name not in left_out]
        yield option, without_paths(",".join(kept), FILE)
    for choice in experiment.sources:
        yield "source", _source(choice)
    yield "pretrain-seeds", seeds(experiment.pretrain_seeds)
    yield "seeds", seeds(experiment.seeds)
    if experiment.label_fractions != (1.0,):
        yield "label-fraction", ",".join(f"{share:g}" for share in experiment.label_fractions)
    yield "recipe", experiment.recipe.name
    for setting in changes(experiment.recipe):
        yield "set", setting
    if experiment.limit is not None:
        yield "limit", str(experiment.limit)
    shown = {facts.name for facts in stored.datasets} | {c.name for c in experiment.sources}
    for name in sorted(shown & experiment.data_roots.keys()):
        yield "data-root", f"{name}={FOLDER}"


def seeds(values: Sequence[int]) -> str:
    """Return a list of seeds as the flags take it: 3 for 0 to 2, 2-5, 7-7, 1,7."""
    first, last = min(values), max(values)
    if list(values) != list(range(first, last + 1)):
        return ",".join(map(str, values))
    return str(last + 1) if first == 0 else f"{first}-{last}"


def changes(recipe: Recipe) -> tuple[str, ...]:
    """Return the settings that turn the recipe of that name into this one: "finetune.steps=100"."""
    if recipe.name not in recipe_names():
        return ()
    before, after = (flat(asdict(each)) for each in (load_recipe(recipe.name), recipe))
    changed = {path: value for path, value in after.items() if value != before[path]}
    return tuple(
        f"{path}={canonical_json(value)}"
        for path, value in changed.items()
        if value is not None or not path.endswith((".steps", ".epochs"))  # the other one says it
    )


def flat(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the leaves of a mapping of mappings by their dotted paths."""
    leaves: dict[str, Any] = {}
    for name, value in nested.items():
        path = f"{prefix}{name}"
        leaves.update(flat(value, f"{path}.") if isinstance(value, Mapping) else {path: value})
    return leaves


def _source(choice: SourceChoice) -> str:
    text = f"{choice.role}={choice.name}" if choice.role else choice.name
    return f"{text}[root={FOLDER}]" if choice.root else text
