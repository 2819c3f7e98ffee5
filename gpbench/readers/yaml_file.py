"""A YAML file as typed values: every problem at once, with its line and the nearest valid name."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gpbench.core.errors import ConfigError, nearest

PLAIN_WORDS = {
    "int_type": "is not a whole number",
    "int_parsing": "is not a whole number",
    "int_from_float": "is not a whole number",
    "float_type": "is not a number",
    "float_parsing": "is not a number",
    "string_type": "is not text",
    "bool_type": "is neither true nor false",
    "bool_parsing": "is neither true nor false",
    "tuple_type": "is not a list",
    "list_type": "is not a list",
    "dict_type": "is not a mapping (key: value)",
    "model_type": "is not a mapping (key: value)",
}
"""What pydantic's error types mean to a person who wrote YAML; others keep pydantic's sentence."""


SHOWN_CHARACTERS = 60
Model = TypeVar("Model", bound=BaseModel)


class SingleKeyLoader(yaml.SafeLoader):
    """The safe loader, except that a key written twice is an error: YAML would keep the last."""

    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: FBT001, FBT002  PyYAML's signature
    ) -> dict[Hashable, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key '{key}' is written twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def read_yaml(path: Path, model: type[Model]) -> Model:
    """Return the file's content as a value of `model`.

    Raises:
        ConfigError: If it cannot be read, is no YAML (with the line), or breaks the model: all
            problems together, each with its line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not text in UTF-8") from error
    try:
        root = yaml.compose(text, yaml.SafeLoader)
        content = yaml.load(text, SingleKeyLoader)  # noqa: S506  a subclass of the safe loader
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{path}, line {line}: {error.problem or error}") from error
    except (yaml.YAMLError, ValueError) as error:  # an impossible date is a ValueError
        raise ConfigError(f"{path} is not YAML: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} holds no mapping (key: value), but {_shown(content)}")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        found = sorted(
            (_line(details["loc"], root), _sentence(details, model)) for details in error.errors()
        )
        problems = [f"line {line}: {sentence}" for line, sentence in found]
        raise ConfigError.collected(str(path), problems) from error


def _sentence(details: ErrorDetails, model: type[BaseModel]) -> str:
    place = details["loc"]
    name = ".".join(str(part) for part in place)
    kind, got = details["type"], _shown(details["input"])
    if kind == "extra_forbidden":
        return f"unknown key '{name}'.{nearest(str(place[-1]), _keys_at(place[:-1], model))}"
    if kind == "missing":
        return f"'{name}' is missing"
    if kind in PLAIN_WORDS:
        return f"{name} = {got} {PLAIN_WORDS[kind]}"
    if kind == "value_error":
        return f"{name}: {details['ctx']['error']}"
    return f"{name} = {got} is not allowed: {details['msg']}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."


def _line(place: Sequence[int | str], root: yaml.Node | None) -> int:
    """Return the line of the deepest part of `place` that the file has, counted from 1."""
    line = 1
    for part in place:
        if isinstance(root, yaml.MappingNode):
            pair = next((pair for pair in root.value if pair[0].value == str(part)), None)
            if pair is None:
                break
            line, root = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(root, yaml.SequenceNode) and isinstance(part, int):
            root = root.value[part]
            line = root.start_mark.line + 1
    return line


def _keys_at(place: Sequence[int | str], model: type[BaseModel]) -> list[str]:
    """Return the keys that the part of `model` at `place` knows."""
    for part in place:
        if isinstance(part, str) and part in model.model_fields:
            model = _model_within(model.model_fields[part].annotation) or model
    return list(model.model_fields)


def _model_within(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (_model_within(part) for part in get_args(annotation))
    return next((found for found in inner if found), None)
