"""`gpbench sources`: which pre-training images there are, and which roles a source serves."""

from __future__ import annotations

from typing import Annotated

import typer

from gpbench.cli import options
from gpbench.cli.listing import print_item, print_plugins, summary

app = typer.Typer(no_args_is_help=True, help="List and show pre-training sources.")


@app.command("list")
def list_sources(
    verify: Annotated[
        bool, typer.Option("--verify", help="Load each; say what is broken.")
    ] = False,
    format_: options.Format = options.DataFormat.table,
    verbose: options.Verbose = 0,
    debug: options.Debug = False,
    no_color: options.NoColor = False,
) -> None:
    """List all sources."""
    print_plugins("sources", format_, verify=verify)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A source of `gpbench sources list`.")],
    format_: options.Format = options.DataFormat.table,
    verbose: options.Verbose = 0,
    debug: options.Debug = False,
    no_color: options.NoColor = False,
) -> None:
    """Show a source: its roles, licence and reference."""
    from gpbench import registry

    info = registry.load("sources", name).info
    item = {
        "name": name,
        "summary": summary("sources", name),
        "title": info.title,
        "version": info.version,
        "roles": list(info.roles),
        "licence": info.licence,
        "reference": info.reference or None,
        "synthetic": info.synthetic,
    }
    print_item("gpbench.sources/1", item, format_)
