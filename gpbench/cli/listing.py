"""How `list` and `show` print what is known: one shape for plugins, backbones and recipes."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

from gpbench.cli.options import DataFormat
from gpbench.cli.output import print_json, print_table

if TYPE_CHECKING:
    from gpbench.core.plan import JsonObject
    from gpbench.registry import Kind


def print_items(
    schema: str, items: Sequence[JsonObject], columns: Sequence[str], format_: DataFormat
) -> None:
    """Print items as one document, or as a table of some of their fields."""
    if format_ is DataFormat.json:
        print_json({"schema": schema, "items": list(items)})
    else:
        print_table(columns, ([text(item[column]) for column in columns] for item in items))


def print_item(schema: str, item: JsonObject, format_: DataFormat) -> None:
    """Print all that is known of one item; its lists of objects become tables of their own."""
    if format_ is DataFormat.json:
        print_json({"schema": schema, "items": [item]})
        return
    tables = {name: value for name, value in item.items() if _is_table(value)}
    facts = [(name, text(value)) for name, value in item.items() if name not in tables]
    print_table(("fact", "value"), facts)
    for name, rows in tables.items():
        columns = tuple(rows[0])
        print_table(columns, ([text(row[column]) for column in columns] for row in rows), name)


def print_plugins(kind: Kind, format_: DataFormat, *, verify: bool) -> None:
    """Print the plugins of a kind, and what is wrong with those that do not load.

    Those that are not built in are loaded; with `verify` all are, and a broken one exits 2.

    Raises:
        typer.Exit: If a plugin does not load, with `verify`.
    """
    from gpbench import registry

    items: list[JsonObject] = [
        {
            "name": found.name,
            "summary": found.summary,
            "where": found.where,
            "distribution": found.distribution,
            "distribution_version": found.distribution_version,
            "problem": _problem(kind, found.name) if verify or found.distribution else None,
        }
        for found in registry.listed(kind)
    ]
    columns = ["name", "summary"]
    if any(item["distribution"] for item in items):
        columns.append("distribution")
    if verify or any(item["problem"] for item in items):
        columns.append("problem")
    if format_ is DataFormat.table:
        items = [{**item, "distribution": _distribution(item)} for item in items]
    print_items(f"gpbench.{kind}/1", items, columns, format_)
    if verify and any(item["problem"] for item in items):
        raise typer.Exit(2)


def summary(kind: Kind, name: str) -> str:
    """Return the one line that `list` shows for a plugin."""
    from gpbench import registry

    return next(found.summary for found in registry.listed(kind) if found.name == name)


def parameters(params: type, assumed: Sequence[str] = ()) -> list[JsonObject]:
    """Return the fields of a parameter dataclass; what a paper leaves open is our reading.

    What a field means is the text below it in the source; None where there is none.
    """
    from gpbench.core.field_docs import field_docs
    from gpbench.core.params import required_params

    hints, required = typing.get_type_hints(params), required_params(params)
    meanings = field_docs(params)
    notes = dict.fromkeys(assumed, "our reading") | dict.fromkeys(required, "required")
    return [
        {
            "name": field.name,
            "values": _values(hints[field.name]),
            "default": _default(field),
            "note": notes.get(field.name),
            "meaning": meanings.get(field.name),
        }
        for field in dataclasses.fields(params)
        if field.init
    ]


def text(value: object) -> str:
    """Return how a value is shown to a person."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(text, value)) or "-"
    return str(value)


def dotted(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested values under the names that `--set` knows them by."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= dotted(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def _distribution(item: JsonObject) -> str | None:
    """Return name and version of what a plugin was installed with; None: it is built in."""
    if item["distribution"] is None:
        return None
    return f"{item['distribution']} {item['distribution_version']}"


def _problem(kind: Kind, name: str) -> str | None:
    from gpbench import registry
    from gpbench.core.errors import PluginError

    try:
        registry.load(kind, name)
    except PluginError as error:
        return str(error)
    return None


def _is_table(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _values(hint: Any) -> str:
    if typing.get_origin(hint) is Literal:
        return " | ".join(map(str, typing.get_args(hint)))
    if isinstance(hint, types.UnionType):
        return " | ".join(map(_values, typing.get_args(hint)))
    return "null" if hint is types.NoneType else getattr(hint, "__name__", str(hint))


def _default(field: dataclasses.Field[Any]) -> Any:
    """Return the default as a JSON value; None where there is none."""
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    if field.default is dataclasses.MISSING:
        return None
    return str(field.default) if isinstance(field.default, Path) else field.default
