"""What a user names -> canonical texts of strategies, datasets, backbones, sources."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import get_args

from gpbench import registry
from gpbench.api import ParametrisedDataset, Role
from gpbench.config.arms import is_free_of_choice, parse_arm
from gpbench.core.errors import ConfigError, GpbenchError, PluginError, UnknownNameError
from gpbench.core.params import chosen_params, parse_params
from gpbench.core.plan import SourceChoice
from gpbench.core.selector import (
    EVERYTHING,
    SelectorPart,
    expand,
    parse_selector,
    split_list,
)

SOURCE_ROLES: tuple[Role, ...] = tuple(role for role in get_args(Role) if role != "target-train")
FOLDER = "folder"
DEMO = "demo-"


@dataclass(frozen=True)
class Names:
    """Canonical texts in the order named, and those among them that a pattern brought in."""

    texts: tuple[str, ...]
    brought_in: frozenset[str]


def strategy_names(texts: Sequence[str], problems: list[str], folder: Path) -> Names:
    """Return the arms that texts stand for; what is wrong is appended to `problems`."""
    known = [each.name for each in registry.listed("strategies")]
    chosen = [name for name in known if _joins_all(name)] if EVERYTHING in texts else []
    canonical = partial(_arm_text, folder=folder)
    return _names(texts, known, chosen, "strategy", canonical, problems)


def dataset_names(texts: Sequence[str], problems: list[str], folder: Path) -> Names:
    """Return the datasets that texts stand for; `all` is neither synthetic worlds nor `folder`."""
    known = [each.name for each in registry.listed("datasets")]
    chosen = [name for name in known if not name.startswith(DEMO) and name != FOLDER]
    canonical = partial(_dataset_text, folder=folder)
    return _names(texts, known, chosen, "dataset", canonical, problems)


def backbone_names(texts: Sequence[str], problems: list[str], known: frozenset[str]) -> Names:
    """Return the backbones that texts stand for."""
    ordered = sorted(known)

    def canonical(text: str) -> str:
        if text not in known:
            raise ConfigError(f"a backbone is a name alone, not '{text}'")
        return text

    return _names(texts, ordered, ordered, "backbone", canonical, problems)


def source_choices(
    texts: Sequence[str], problems: list[str], folder: Path
) -> tuple[SourceChoice, ...]:
    """Return the sources that texts of the form `[ROLE=]NAME[root=DIR]` stand for."""
    known = [each.name for each in registry.listed("sources")]
    choices: dict[SourceChoice, None] = {}
    for text in texts:
        role, name = _role_and_name(text)
        try:
            if role is not None and role not in SOURCE_ROLES:
                raise UnknownNameError("role", role, SOURCE_ROLES)
            names, _ = expand([name], known, "source")
            choices.update(dict.fromkeys(_source(each, role, folder) for each in names))
        except ConfigError as error:
            problems.append(str(error))
    return tuple(choices)


def split_texts(texts: Sequence[str], problems: list[str]) -> list[str]:
    """Return the entries of texts that may each be a comma list."""
    entries: list[str] = []
    for text in texts:
        try:
            entries.extend(split_list(text))
        except ConfigError as error:
            problems.append(str(error))
    return entries


def _names(
    texts: Sequence[str],
    known: Sequence[str],
    everything: Sequence[str],
    kind: str,
    canonical: Callable[[str], str],
    problems: list[str],
) -> Names:
    found: dict[str, None] = {}
    named: set[str] = set()
    for text in texts:
        try:
            names, brought_in = expand([text], known, kind, everything=everything)
            for name in names:
                if name in brought_in:
                    found[_canonical_or_same(name, canonical)] = None
                else:
                    named.add(canonical(name))
                    found[canonical(name)] = None
        except GpbenchError as error:
            problems.append(str(error))
    return Names(tuple(found), frozenset(found) - named)


def _canonical_or_same(name: str, canonical: Callable[[str], str]) -> str:
    """Return the canonical text; of a plugin that does not work its name: the plan excludes it."""
    try:
        return canonical(name)
    except GpbenchError:
        return name


def _joins_all(name: str) -> bool:
    try:
        return is_free_of_choice(name)
    except PluginError:
        return True  # the plan excludes it, and says what is broken


def _arm_text(text: str, folder: Path) -> str:
    return str(parse_arm(text, folder))


def _dataset_text(text: str, folder: Path) -> str:
    selector = parse_selector(text)
    if len(selector.parts) > 1:
        raise ConfigError(f"'{text}': datasets are not chained; write them with a comma")
    (part,) = selector.parts
    plugin = registry.load("datasets", part.name)
    if isinstance(plugin, ParametrisedDataset):
        params = parse_params(plugin.params, part.params, part.name, folder)
        return str(SelectorPart(part.name, chosen_params(params)))
    if part.params:
        raise ConfigError(f"dataset '{part.name}' has no parameters; '{text}' gives it some")
    return part.name


def _role_and_name(text: str) -> tuple[str | None, str]:
    head, equals, tail = text.partition("=")
    if equals and "[" not in head:
        return head.strip(), tail.strip()
    return None, text


def _source(text: str, role: str | None, folder: Path) -> SourceChoice:
    selector = parse_selector(text)
    (part, *others) = selector.parts
    if others:
        raise ConfigError(f"'{text}': sources are not chained; write them with a comma")
    for name in part.params:
        if name != "root":
            raise UnknownNameError(f"parameter of source '{part.name}'", name, ["root"])
    root = part.params.get("root")
    return SourceChoice(part.name, role, absolute(root, folder) if root else None)


def absolute(path: str, folder: Path) -> str:
    """Return a path that starts at `folder` as an absolute one; links are not followed."""
    return str((folder / Path(path).expanduser()).absolute())
