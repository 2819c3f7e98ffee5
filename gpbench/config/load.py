"""Defaults, file, environment and flags -> Experiment, in this order of precedence."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gpbench.config.experiment_file import Draft, Reader, experiment_name
from gpbench.config.fields import read_dataclass
from gpbench.config.names import Names
from gpbench.config.recipes import changed_recipe, merge, recipe_fields
from gpbench.config.roots import data_roots
from gpbench.config.yaml_file import parse, read_mapping
from gpbench.core.errors import ConfigError, UnknownNameError
from gpbench.core.plan import Experiment
from gpbench.core.recipe import Execution, Recipe
from gpbench.core.stage import digest

DEFAULT_BACKBONES = ("swin_tiny_patch4_window7_224", "convnext_tiny")
DEFAULT_RECIPE = "paper"
DEFAULT_PRETRAIN_SEEDS = (0, 1, 2)
DEFAULT_SEEDS = (0,)
COMMAND_LINE = "command line"

_SAME = (
    "strategies", "backbones", "datasets", "sources", "pretrain_seeds", "seeds", "label_fraction",
    "recipe", "limit", "allow_partial",
)  # fmt: skip
"""Flags that are fields of the file under the same name."""
_OTHER = ("experiment", "set", "data_root")
_MERGED = ("changes", "execution", "data_roots")


def load_experiment(
    file: Path | None,
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    backbones: frozenset[str],
) -> Experiment:
    """Return what a file, the environment and flags ask for, resolved.

    Args:
        file: An experiment file, or None; its relative paths start at its folder.
        flags: The fields of the file that are flags, and `experiment` (a name), `set` (texts
            `a.b=c`), `data_root` (texts `NAME=DIR`). None or empty: not given.
        environ: GPBENCH_DATA is read: the folder that holds one folder for each data set.
        backbones: The names of all backbones.

    Raises:
        ConfigError: If something is wrong; all that is wrong with the file, or with the flags, is
            said at once.
    """
    unknown = set(flags) - {*_SAME, *_OTHER}
    if unknown:
        raise UnknownNameError("flag", min(unknown), [*_SAME, *_OTHER])
    draft = Draft()
    if file is not None:
        draft = _checked(str(file), read_mapping(file), draft, backbones, file.parent.absolute())
    draft = dataclasses.replace(draft, data_roots=data_roots(draft.data_roots, environ))
    draft = _checked(COMMAND_LINE, _flag_fields(flags), draft, backbones, Path.cwd())
    _check_complete(draft, file)
    experiment = _experiment(draft)
    return dataclasses.replace(experiment, name=_name(experiment, flags, draft, file))


def _checked(
    where: str, raw: Mapping[str, Any], base: Draft, backbones: frozenset[str], folder: Path
) -> Draft:
    """Return `base` with what `raw` says in its place; all that is wrong with it is one error."""
    problems: list[str] = []
    said = Reader(backbones, folder, problems).draft(raw)
    draft = _laid_over(base, said)
    problems.extend(_recipe(draft)[1])
    read_dataclass(Execution, draft.execution, problems, path="execution")
    if problems:
        raise ConfigError.collected(where, problems)
    return draft


def _laid_over(base: Draft, said: Draft) -> Draft:
    values: dict[str, Any] = {
        each.name: getattr(said, each.name)
        for each in dataclasses.fields(Draft)
        if each.name not in _MERGED and getattr(said, each.name) is not None
    }
    for name in _MERGED:
        values[name] = merge(getattr(base, name), getattr(said, name))
    return dataclasses.replace(base, **values)


def _recipe(draft: Draft) -> tuple[Recipe | None, list[str]]:
    name = draft.recipe or DEFAULT_RECIPE
    return changed_recipe(name, recipe_fields(name), draft.changes)


def _flag_fields(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Return the flags as the mapping that a file with the same meaning holds."""
    raw: dict[str, Any] = {}
    for text in flags.get("set") or ():
        path, written = _pair(text, "--set", "a.b=c")
        _assign(raw, path.split("."), parse(written, f"--set {text}"))
    raw.update({name: flags[name] for name in _SAME if _is_given(flags.get(name))})
    roots = dict(_pair(text, "--data-root", "NAME=DIR") for text in flags.get("data_root") or ())
    if roots:
        raw["data_roots"] = {**raw.get("data_roots", {}), **roots}
    return raw


def _is_given(value: Any) -> bool:
    """Return whether a flag says something: none given, and a switch not set, do not."""
    return value is not None and value is not False and value not in ([], ())


def _pair(text: str, flag: str, form: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals or not value:
        raise ConfigError(f"{flag} takes {form}, not '{text}'")
    return name, value


def _assign(raw: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Set a field at a dotted path; a field on the way that holds no fields is replaced."""
    for name in path[:-1]:
        if not isinstance(raw.get(name), dict):
            raw[name] = {}
        raw = raw[name]
    raw[path[-1]] = value


def _check_complete(draft: Draft, file: Path | None) -> None:
    missing = [
        f"no {kind} is named: {flag} NAME, or `{name}:` in the file"
        for name, kind, flag in (("strategies", "strategy", "-s"), ("datasets", "dataset", "-d"))
        if getattr(draft, name) is None
    ]
    if missing:
        raise ConfigError.collected(str(file) if file else COMMAND_LINE, missing)


def _experiment(draft: Draft) -> Experiment:
    recipe, _ = _recipe(draft)
    execution = read_dataclass(Execution, draft.execution, [])
    strategies, datasets = draft.strategies, draft.datasets
    assert recipe and execution and strategies and datasets  # noqa: PT018, S101  checked before
    backbones = draft.backbones or Names(DEFAULT_BACKBONES, frozenset())
    return Experiment(
        name="",
        arms=strategies.texts,
        backbones=backbones.texts,
        datasets=datasets.texts,
        sources=draft.sources or (),
        pretrain_seeds=draft.pretrain_seeds or DEFAULT_PRETRAIN_SEEDS,
        seeds=draft.seeds or DEFAULT_SEEDS,
        label_fractions=draft.label_fraction or (1.0,),
        recipe=recipe,
        execution=execution,
        data_roots=draft.data_roots,
        brought_in=strategies.brought_in | datasets.brought_in | backbones.brought_in,
        limit=draft.limit,
        allow_partial=draft.allow_partial or False,
    )


def _name(experiment: Experiment, flags: Mapping[str, Any], draft: Draft, file: Path | None) -> str:
    """Return --experiment, else the file's `name`, else its stem, else a hash of what is asked."""
    asked = flags.get("experiment") or draft.name or (file.stem if file else None)
    name = experiment_name(asked) if asked else _hash(experiment)
    return f"{name}-trial-{experiment.limit}" if experiment.limit else name


def _hash(experiment: Experiment) -> str:
    """Return 10 digits that depend on what is asked, and not on where it lies or how it is run."""
    neutral = dataclasses.replace(
        experiment,
        execution=Execution(),
        data_roots={},
        brought_in=frozenset(),
        limit=None,
        sources=tuple(dataclasses.replace(each, root=None) for each in experiment.sources),
    )
    return digest({**dataclasses.asdict(neutral), "brought_in": []})[:10]
