"""Selector parameters as typed values: the frozen dataclass of a plugin is the schema. Pure."""

from __future__ import annotations

import dataclasses
import math
import os
import types
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from gpbench.core.errors import ConfigError, ContractError, InvalidValueError, UnknownNameError

_NOTHING = "null"


def parse_params(
    schema: type, texts: Mapping[str, str], owner: str, folder: Path | None = None
) -> Any:
    """Return the instance of `schema` that the texts of a selector describe.

    Args:
        schema: A dataclass whose fields are Literal, float, int, bool, str or Path, or one of these
            or None.
        texts: Parameter name -> text.
        owner: The plugin's name, for messages.
        folder: Relative paths start here; None: the current folder.

    Raises:
        UnknownNameError: If the plugin has no such parameter.
        ConfigError: If a value is of the wrong type or out of range, or a parameter is missing.
    """
    hints = get_type_hints(schema)
    fields = [each for each in dataclasses.fields(schema) if each.init]
    values: dict[str, Any] = {}
    for name, text in texts.items():
        if name not in {each.name for each in fields}:
            raise UnknownNameError(f"parameter of {owner}", name, [each.name for each in fields])
        values[name] = _value(hints[name], text, f"{owner}[{name}]", folder)
    for name in required_params(schema):
        if name not in values:
            raise ConfigError(f"{owner} needs the parameter '{name}': {owner}[{name}=...]")
    try:
        return schema(**values)
    except (ConfigError, ValueError) as error:  # what the plugin's own __post_init__ says
        raise ConfigError(f"{owner}: {error}") from error


def required_params(schema: type) -> tuple[str, ...]:
    """Return the names of the parameters that have no default."""
    return tuple(
        each.name
        for each in dataclasses.fields(schema)
        if each.init
        and each.default is dataclasses.MISSING
        and each.default_factory is dataclasses.MISSING
    )


def chosen_params(params: Any) -> dict[str, str]:
    """Return the parameters that differ from their defaults as texts, in the schema's order."""
    chosen = {}
    for each in dataclasses.fields(params):
        value = getattr(params, each.name)
        if each.init and not _is_default(each, value):
            chosen[each.name] = _text(value)
    return chosen


def plain_params(params: Any, without: Iterable[str] = ()) -> dict[str, Any]:
    """Return all parameters as JSON values."""
    values = {
        each.name: getattr(params, each.name) for each in dataclasses.fields(params) if each.init
    }
    return {
        name: str(value) if isinstance(value, Path) else value
        for name, value in values.items()
        if name not in without
    }


def _is_default(each: dataclasses.Field[Any], value: object) -> bool:
    if each.default_factory is not dataclasses.MISSING:
        return bool(value == each.default_factory())
    return each.default is not dataclasses.MISSING and value == each.default


def _text(value: object) -> str:
    if value is None:
        return _NOTHING
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value)


def _value(hint: Any, text: str, where: str, folder: Path | None) -> Any:
    """Return the value of type `hint` that a text stands for."""
    if get_origin(hint) in (Union, types.UnionType):
        return _optional(hint, text, where, folder)
    if get_origin(hint) is Literal:
        by_text = {str(choice): choice for choice in get_args(hint)}
        if text not in by_text:
            raise InvalidValueError(where, text, f"one of {', '.join(by_text)}")
        return by_text[text]
    if hint is str:
        return text
    if hint is Path:
        return Path(os.path.abspath(Path(folder or ".") / Path(text).expanduser()))  # noqa: PTH100  resolve() would follow links
    if hint is bool:
        if text.lower() not in ("true", "false"):
            raise InvalidValueError(where, text, "true or false")
        return text.lower() == "true"
    if hint in (int, float):
        return _number(hint, text, where)
    raise ContractError(where, "a parameter's type is Literal, float, int, bool, str or Path")


def _optional(hint: Any, text: str, where: str, folder: Path | None) -> Any:
    members = [member for member in get_args(hint) if member is not type(None)]
    if len(members) == len(get_args(hint)) or len(members) != 1:
        raise ContractError(where, "a parameter's type is one type, or one type or None")
    return None if text == _NOTHING else _value(members[0], text, where, folder)


def _number(kind: type, text: str, where: str) -> int | float:
    try:
        value: int | float = kind(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        words = "a whole number" if kind is int else "a number"
        raise InvalidValueError(where, text, words)
    return value
