"""Names -> plugins: strategies, datasets, sources; built-in by folder, others by entry point.

Listing reads files with `ast` and imports no plugin, so a module that does not import is still
listed. A built-in plugin has its file's name, with `-` for `_`, and is the module's attribute
PLUGIN. Names are unique: two plugins of one name are an error that names both.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import importlib.metadata
import importlib.util
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, overload

from gpbench.api import Dataset, ParametrisedDataset, Source, Strategy
from gpbench.core.errors import ContractError, PluginLoadError, UnknownNameError
from gpbench.core.selector import EVERYTHING

Kind = Literal["strategies", "datasets", "sources"]
SINGULAR = {"strategies": "strategy", "datasets": "dataset", "sources": "source"}

_FOLDERS = {
    "strategies": ("gpbench_strategies", ""),
    "datasets": ("gpbench_datasets", ""),
    "sources": ("gpbench_datasets", "sources"),
}
_PROMISED = {
    "strategies": ("title", "version", "params", "channels", "assumed", "phases"),
    "datasets": ("info", "protocol", "images", "read"),
    "sources": ("info", "images", "read"),
}
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")
_ATTRIBUTE = "PLUGIN"


@dataclass(frozen=True)
class Listed:
    """A plugin that is installed, whether it can be loaded or not."""

    name: str
    summary: str
    """The first line of the module's docstring; of a module that does not parse, that it does."""
    where: str
    """The file of a built-in plugin, else `distribution: module`."""
    module: str
    attribute: str
    distribution: str | None = None
    """What a plugin that is not built in was installed with; None: built in."""
    distribution_version: str | None = None


def listed(kind: Kind) -> tuple[Listed, ...]:
    """Return all plugins of a kind, sorted by name.

    Raises:
        ContractError: If two plugins have one name, or a name cannot be written in a selector.
    """
    return tuple(_index(kind, tuple(sys.path)).values())


@overload
def load(kind: Literal["strategies"], name: str) -> Strategy: ...
@overload
def load(kind: Literal["datasets"], name: str) -> Dataset | ParametrisedDataset: ...
@overload
def load(kind: Literal["sources"], name: str) -> Source: ...
def load(kind: Kind, name: str) -> Any:
    """Return the plugin of that name.

    Raises:
        UnknownNameError: If none is installed under it.
        PluginLoadError: If its module does not import, or lacks the plugin.
        ContractError: If it lacks something that `gpbench.api` promises.
    """
    index = _index(kind, tuple(sys.path))
    if name not in index:
        raise UnknownNameError(SINGULAR[kind], name, index)
    found = index[name]
    try:
        plugin = getattr(importlib.import_module(found.module), found.attribute)
    except (Exception, SystemExit) as error:  # it may raise anything: wrapped, with its traceback
        reason = " ".join(f"{type(error).__name__}: {error}".split())  # one line, as any message
        raise PluginLoadError(SINGULAR[kind], name, found.where, reason) from error
    _check(kind, name, plugin)
    return plugin


@lru_cache(maxsize=16)
def _index(kind: Kind, _path: tuple[str, ...]) -> dict[str, Listed]:
    """Return name -> plugin; kept until `sys.path`, where plugins are looked for, changes."""
    index: dict[str, Listed] = {}
    for found in sorted([*_built_in(kind), *_third_party(kind)], key=lambda each: each.name):
        if not _NAME.fullmatch(found.name) or found.name == EVERYTHING:
            raise ContractError(
                found.name, f"its name ({found.where}) is made of a-z, 0-9, '-', and is not 'all'"
            )
        if found.name in index:
            first = index[found.name].where
            raise ContractError(
                found.name,
                f"its name is its own, but {first} and {found.where} both have it: "
                "rename or uninstall one",
            )
        index[found.name] = found
    return index


def _built_in(kind: Kind) -> Iterator[Listed]:
    package, inner = _FOLDERS[kind]
    for folder in _locations(package):
        for path in sorted((folder / inner).glob("*.py")):
            if path.stem.startswith("_"):
                continue
            module = ".".join(filter(None, (package, inner, path.stem)))
            name = path.stem.replace("_", "-")
            yield Listed(name, _summary(path), str(path), module, _ATTRIBUTE)


def _third_party(kind: Kind) -> Iterator[Listed]:
    for entry in importlib.metadata.entry_points(group=f"gpbench.{kind}"):
        source = _module_file(entry.module)
        name, version = (entry.dist.name, entry.dist.version) if entry.dist else (None, None)
        where = f"{name}: {entry.value}" if name else entry.value
        summary = _summary(source) if source else f"cannot be found: {entry.module}"
        attribute = entry.attr or _ATTRIBUTE
        yield Listed(entry.name, summary, where, entry.module, attribute, name, version)


def _locations(package: str) -> list[Path]:
    """Return the folders of a top-level package without importing it."""
    spec = importlib.util.find_spec(package)
    return [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec else []


def _module_file(module: str) -> Path | None:
    """Return the file of a module; no package on the way is imported."""
    top, *rest = module.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None:
        return None
    if not rest and spec.origin:
        return Path(spec.origin)
    for folder in _locations(top):
        inner = folder.joinpath(*rest)
        for candidate in (inner.with_suffix(".py"), inner / "__init__.py"):
            if candidate.is_file():
                return candidate
    return None


def _summary(path: Path) -> str:
    try:
        docstring = ast.get_docstring(ast.parse(path.read_bytes()))
    except (SyntaxError, ValueError) as error:
        return f"does not parse: {error}"
    return docstring.splitlines()[0].strip() if docstring else ""


def _check(kind: Kind, name: str, plugin: object) -> None:
    """Check that what a plugin promises is there; whether it is kept, its contract test says."""
    parametrised = kind == "datasets" and hasattr(plugin, "configured")
    promised = ("params", "configured") if parametrised else _PROMISED[kind]
    missing = [each for each in promised if not hasattr(plugin, each)]
    if missing:
        raise ContractError(name, f"it has {', '.join(promised)}; missing: {', '.join(missing)}")
    params = getattr(plugin, "params", None)
    if "params" in promised and not (isinstance(params, type) and dataclasses.is_dataclass(params)):
        raise ContractError(name, "its params is a dataclass")
