"""Loose mappings -> the dataclasses of core; every problem is collected, none is raised."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from gpbench.core.errors import ConfigError, InvalidValueError, UnknownNameError
from gpbench.core.ranges import range_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")

_WORDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    type(None): "null",
}


def read_dataclass(
    kind: type[T],
    raw: Any,
    problems: list[str],
    *,
    path: str = "",
    fixed: Mapping[str, Any] = types.MappingProxyType({}),
) -> T | None:
    """Return the instance of a core dataclass that a mapping describes, None if it is wrong.

    Types are strict (a text is no number), ranges are those declared beside the fields.

    Args:
        kind: The dataclass; fields that are dataclasses themselves are mappings in `raw`.
        raw: What was written.
        problems: Gets one sentence for each thing that is wrong.
        path: Where `raw` stands, for messages: `pretrain.optim`.
        fixed: Values of fields that `raw` may not hold.
    """
    if not isinstance(raw, Mapping):
        problems.append(str(InvalidValueError(path, raw, "a mapping of fields")))
        return None
    before = len(problems)
    fields = {each.name: each for each in dataclasses.fields(kind) if each.name not in fixed}
    problems.extend(unknown_fields(raw, fields, path))
    hints = get_type_hints(kind)
    values = dict(fixed)
    for name, field in fields.items():
        if name in raw:
            values[name] = _field(field, hints[name], raw[name], problems, below(path, name))
        elif _is_required(field):
            problems.append(f"{below(path, name)} is missing: {words(hints[name])}")
    if len(problems) > before:
        return None
    try:
        return kind(**values)
    except ConfigError as error:  # what holds between fields
        problems.append(f"{path}: {error}" if path else str(error))
        return None


def unknown_fields(raw: Mapping[str, Any], known: Iterable[str], path: str = "") -> list[str]:
    """Return one sentence for each name in `raw` that is no field, with the nearest that is."""
    known = list(known)
    kind = f"field of {path}" if path else "field"
    return [str(UnknownNameError(kind, str(name), known)) for name in raw if name not in known]


def below(path: str, name: str) -> str:
    """Return the dotted path of a field."""
    return f"{path}.{name}" if path else name


def words(hint: Any) -> str:
    """Return in words which values a type allows."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(words(each) for each in inner)
    if origin is Literal:
        return f"one of {', '.join(map(str, inner))}"
    if origin is tuple:
        return f"[{', '.join(words(each) for each in inner)}]"
    return _WORDS.get(hint, "a mapping of fields")


def _field(
    field: dataclasses.Field[Any], hint: Any, raw: Any, problems: list[str], path: str
) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return read_dataclass(hint, raw, problems, path=path)
    try:
        value = _adapter(hint).validate_python(tuple(raw) if isinstance(raw, list) else raw)
    except ValidationError:
        problems.append(str(InvalidValueError(path, raw, words(hint))))
        return None
    declared = range_of(field)
    problem = declared.problem(path, value) if declared else None
    if problem is not None:
        problems.append(str(problem))
    return value


@cache
def _adapter(hint: Any) -> TypeAdapter[Any]:
    return TypeAdapter(hint, config=ConfigDict(strict=True))


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
