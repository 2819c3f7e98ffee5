"""`gpbench recipes`: which named training recipes there are, and every value of one."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from gpbench.cli import options
from gpbench.cli.listing import dotted, print_item, print_items

app = typer.Typer(no_args_is_help=True, help="List and show training recipes.")


@app.command("list")
def list_recipes(
    format_: options.Format = options.DataFormat.table,
    verbose: options.Verbose = 0,
    debug: options.Debug = False,
    no_color: options.NoColor = False,
) -> None:
    """List all recipes."""
    from gpbench.config import recipe_names, recipe_summary

    items = [{"name": name, "summary": recipe_summary(name)} for name in recipe_names()]
    print_items("gpbench.recipes/1", items, ("name", "summary"), format_)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A recipe of `gpbench recipes list`.")],
    format_: options.Format = options.DataFormat.table,
    verbose: options.Verbose = 0,
    debug: options.Debug = False,
    no_color: options.NoColor = False,
) -> None:
    """Show every value of a recipe, under the name that `run --set NAME=VALUE` changes it by."""
    from gpbench.config import load_recipe, recipe_summary

    values = asdict(load_recipe(name))
    item = {"name": values.pop("name"), "summary": recipe_summary(name), **values}
    shown = item if format_ is options.DataFormat.json else dotted(item)
    print_item("gpbench.recipes/1", shown, format_)
