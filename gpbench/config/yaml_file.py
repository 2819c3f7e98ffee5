"""YAML files -> plain mappings, strictly: a key written twice is an error, `1e-4` is a number."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from gpbench.core.errors import ConfigError
from gpbench.readers.yaml_file import SingleKeyLoader


class _Loader(SingleKeyLoader):
    """Reads a number with an exponent as one: in YAML 1.1, `1e-4` without a point is a text."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def read_mapping(path: Path) -> dict[str, Any]:
    """Return the mapping that a YAML file holds; an empty file holds an empty one.

    Raises:
        ConfigError: If the file cannot be read, is no YAML (the line is named), or no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not text in UTF-8") from error
    content = parse(text, str(path))
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ConfigError(f"{path} holds no fields: write `name: value`, one a line")
    return content


def parse(text: str, where: str) -> Any:
    """Return the value that a YAML text holds.

    Raises:
        ConfigError: If it is no YAML; the line is named.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506  a subclass of the safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{where}{line}: {error.problem}{_mend(error)}") from error
    except (yaml.YAMLError, ValueError) as error:  # an impossible date is a ValueError
        raise ConfigError(f"{where} is not YAML: {error}") from error


def _mend(error: yaml.MarkedYAMLError) -> str:
    if "expected ',' or ']'" in (error.problem or ""):
        return "; inside a [list], a selector with brackets needs quotes: ['name[param=value]']"
    return ""
