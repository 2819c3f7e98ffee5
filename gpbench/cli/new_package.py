"""`strategies new` and `datasets new`: a package of a person's own that works as it is."""

from __future__ import annotations

import importlib.util
import keyword
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gpbench import __version__
from gpbench.core.errors import ConfigError, InvalidValueError
from gpbench.core.selector import EVERYTHING

if TYPE_CHECKING:
    from gpbench.registry import Kind

Output = Annotated[Path, typer.Option("--output", help="The folder that the package goes into.")]

_NAME = re.compile(r"[a-z][a-z0-9]*([_.-][a-z0-9]+)*")
"""What the registry takes, a module's name can be made of, and a distribution may be called."""


def write_package(kind: Kind, name: str, output: Path) -> None:
    """Write the package `gpbench-NAME` into a folder, and say what to do with it.

    Raises:
        ConfigError: If the name cannot be used, the package is there, or cannot be written.
    """
    _check_name(kind, name)
    package = output / _distribution(name)
    if package.exists() or package.is_symlink():
        raise ConfigError(
            f"{package} is there already, and is not overwritten: choose another name or --output"
        )
    files = _files(kind, name)
    try:
        _write_whole(package, files)
    except OSError as error:
        raise ConfigError(f"{package} cannot be written: {error.strerror}") from error
    typer.echo(f"{package}: {', '.join(files)}")
    typer.echo(f"Next: cd {package} && pip install --no-deps -e .   (README.md says what then)")


def _check_name(kind: Kind, name: str) -> None:
    from gpbench import registry

    reserved = keyword.iskeyword(name) or name == EVERYTHING
    if not _NAME.fullmatch(name) or reserved:
        raise InvalidValueError(
            "NAME",
            name,
            "a name has small letters, digits and single '-', '_' or '.' between them, a letter "
            f"first, and is neither '{EVERYTHING}' nor a word of Python's; such as 'my-own'",
        )
    for found in registry.listed(kind):
        if found.name == name:
            what = registry.SINGULAR[kind]
            raise ConfigError(f"the {what} '{name}' exists ({found.where}): choose another name")
    if importlib.util.find_spec(_module(name)):
        raise ConfigError(
            f"NAME '{name}' makes the module {_module(name)}, which exists: choose another name"
        )


def _distribution(name: str) -> str:
    return f"gpbench-{name}"


def _module(name: str) -> str:
    return f"gpbench_{re.sub(r'[.-]', '_', name)}"


def _files(kind: Kind, name: str) -> dict[str, str]:
    """Return the content of each file of the package, by its name."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from gpbench import registry

    templates = Environment(
        loader=PackageLoader("gpbench.cli"),
        autoescape=False,  # noqa: S701  no HTML, and the one text from outside is a checked name
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    module, words = _module(name), re.split(r"[_.-]", name)
    facts = {
        "kind": kind,
        "singular": registry.SINGULAR[kind],
        "name": name,
        "distribution": _distribution(name),
        "module": module,
        "title": " ".join(words).capitalize(),
        "words": "".join(map(str.capitalize, words)),
        "gpbench": __version__,
    }
    template_of = {
        f"{module}.py": f"{kind}.py.j2",
        f"test_{module}.py": f"{kind}_test.py.j2",
        "README.md": f"{kind}.md.j2",
        "pyproject.toml": "pyproject.toml.j2",
    }
    return {
        file: templates.get_template(template).render(facts)
        for file, template in template_of.items()
    }


def _write_whole(package: Path, files: dict[str, str]) -> None:
    """Write a folder so that a reader sees all of its files or none; a failure leaves nothing."""
    package.parent.mkdir(parents=True, exist_ok=True)
    partial = package.with_name(f".{package.name}.{os.getpid()}.partial")
    partial.mkdir()
    try:
        for name, content in files.items():
            (partial / name).write_text(content, encoding="utf-8")
        partial.rename(package)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
