"""The fields of an experiment file, each read from what was written. Flags are read as one, too."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gpbench import registry
from gpbench.config.fields import unknown_fields
from gpbench.config.names import (
    FOLDER,
    Names,
    absolute,
    backbone_names,
    dataset_names,
    source_choices,
    split_texts,
    strategy_names,
)
from gpbench.config.recipes import RECIPE_FIELDS, recipe_names
from gpbench.core.errors import ConfigError, InvalidValueError, UnknownNameError
from gpbench.core.plan import SourceChoice
from gpbench.core.selector import parse_seeds

NAME = re.compile(r"\w[\w .:+-]{0,99}")


@dataclass(frozen=True)
class Draft:
    """What a file or the flags say; None where they say nothing."""

    name: str | None = None
    strategies: Names | None = None
    backbones: Names | None = None
    datasets: Names | None = None
    sources: tuple[SourceChoice, ...] | None = None
    pretrain_seeds: tuple[int, ...] | None = None
    seeds: tuple[int, ...] | None = None
    label_fraction: tuple[float, ...] | None = None
    recipe: str | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Of the recipe, as written."""
    execution: Mapping[str, Any] = field(default_factory=dict)
    data_roots: Mapping[str, str] = field(default_factory=dict)
    limit: int | None = None
    allow_partial: bool | None = None


@dataclass(frozen=True)
class Reader:
    """Reads fields: relative paths start at `folder`; what is wrong goes to `problems`."""

    backbones: frozenset[str]
    folder: Path
    problems: list[str]

    def draft(self, raw: Mapping[str, Any]) -> Draft:
        """Return what a mapping says; fields that are wrong are left out of it."""
        changes = {name: raw[name] for name in RECIPE_FIELDS if name in raw}
        self.problems.extend(unknown_fields(raw, [*self._fields(), *RECIPE_FIELDS]))
        values: dict[str, Any] = {"changes": changes}
        for name, read in self._fields().items():
            if raw.get(name) is None:
                continue
            try:
                values[name] = read(raw[name])
            except ConfigError as error:
                self.problems.append(str(error))
        return Draft(**values)

    def _fields(self) -> dict[str, Callable[[Any], Any]]:
        """Return each field's reader, in the order in which the documentation lists them."""
        return {
            "name": experiment_name,
            "strategies": lambda raw: self._names("strategies", raw, strategy_names, self.folder),
            "backbones": lambda raw: self._names("backbones", raw, backbone_names, self.backbones),
            "datasets": lambda raw: self._names("datasets", raw, dataset_names, self.folder),
            "sources": lambda raw: self._names("sources", raw, source_choices, self.folder),
            "pretrain_seeds": lambda raw: _seeds("pretrain_seeds", raw),
            "seeds": lambda raw: _seeds("seeds", raw),
            "label_fraction": _fractions,
            "recipe": _recipe,
            "execution": lambda raw: _mapping("execution", raw),
            "data_roots": self._data_roots,
            "limit": _limit,
            "allow_partial": _flag,
        }

    def _names(self, field_name: str, raw: Any, read: Callable[..., Any], known: Any) -> Any:
        texts = [raw] if isinstance(raw, str) else raw
        if not isinstance(texts, list | tuple) or not all(isinstance(each, str) for each in texts):
            raise InvalidValueError(field_name, raw, "a text, or a list of texts")
        return read(split_texts(texts, self.problems), self.problems, known)

    def _data_roots(self, raw: Any) -> dict[str, str]:
        installed = [*registry.listed("datasets"), *registry.listed("sources")]
        known = [each.name for each in installed]
        roots = {}
        for name, folder in _mapping("data_roots", raw).items():
            if name not in known and not name.startswith(f"{FOLDER}:"):
                self.problems.append(str(UnknownNameError("dataset or source", name, known)))
            elif not isinstance(folder, str) or not folder:
                self.problems.append(str(InvalidValueError(f"data_roots.{name}", folder, "a path")))
            else:
                roots[name] = absolute(folder, self.folder)
        return roots


def experiment_name(raw: Any) -> str:
    """Return an experiment's name.

    Raises:
        InvalidValueError: If the text cannot be one.
    """
    if not isinstance(raw, str) or not NAME.fullmatch(raw):
        raise InvalidValueError(
            "name", raw, "letters, digits, '_', '-', '.', ':', '+' and spaces, 100 at most"
        )
    return raw


def _seeds(name: str, raw: Any) -> tuple[int, ...]:
    if isinstance(raw, list) and raw and all(_is_whole(each) for each in raw):
        return parse_seeds(",".join(f"{seed}-{seed}" for seed in raw), name)
    if _is_whole(raw) or isinstance(raw, str):
        return parse_seeds(str(raw), name)
    raise InvalidValueError(name, raw, "a count (5), a text ('0-4', '1,7'), or a list ([1, 7])")


def _is_whole(raw: Any) -> bool:
    return isinstance(raw, int) and not isinstance(raw, bool)


def _fractions(raw: Any) -> tuple[float, ...]:
    entries = raw.split(",") if isinstance(raw, str) else raw if isinstance(raw, list) else [raw]
    fractions = tuple(_number(entry) for entry in entries)
    within = fractions and all(0 < fraction <= 1 for fraction in fractions)
    if not within or len(set(fractions)) < len(fractions):
        raise InvalidValueError(
            "label_fraction", raw, "numbers above 0 and at most 1, each once: 0.01,0.1,1"
        )
    return fractions


def _number(raw: Any) -> float:
    try:
        return math.nan if isinstance(raw, bool) else float(raw)
    except (TypeError, ValueError):
        return math.nan


def _recipe(raw: Any) -> str:
    if not isinstance(raw, str):
        raise InvalidValueError("recipe", raw, "the name of a recipe")
    if raw not in recipe_names():
        raise UnknownNameError("recipe", raw, recipe_names())
    return raw


def _limit(raw: Any) -> int:
    if not _is_whole(raw) or raw < 1:
        raise InvalidValueError("limit", raw, "a whole number, 1 or more")
    return int(raw)


def _flag(raw: Any) -> bool:
    if not isinstance(raw, bool):
        raise InvalidValueError("allow_partial", raw, "true or false")
    return raw


def _mapping(name: str, raw: Any) -> Mapping[str, Any]:
    if not isinstance(raw, Mapping):
        raise InvalidValueError(name, raw, "a mapping of fields")
    return raw
