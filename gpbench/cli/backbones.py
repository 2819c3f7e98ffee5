"""`gpbench backbones`: which networks can be pre-trained, and what segmentation needs of one."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated

import typer

from gpbench.cli import options
from gpbench.cli.listing import print_item, print_items
from gpbench.core.errors import ConfigError, nearest

app = typer.Typer(no_args_is_help=True, help="List and show backbones.")


@app.command("list")
def list_backbones(
    pattern: Annotated[
        str, typer.Option("--filter", metavar="GLOB", help="Only names that match, as `swin_*`.")
    ] = "*",
    format_: options.Format = options.DataFormat.table,
    verbose: options.Verbose = 0,
    debug: options.Debug = False,
    no_color: options.NoColor = False,
) -> None:
    """List all backbones: timm's models."""
    from gpbench.models.backbone import catalog

    known = catalog().names
    names = sorted(name for name in known if fnmatchcase(name, pattern))
    if not names:
        raise ConfigError(f"no backbone matches --filter '{pattern}'.{nearest(pattern, known)}")
    items = [{"name": name, "summary": _summary(name)} for name in names]
    print_items("gpbench.backbones/1", items, ("name", "summary"), format_)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A backbone of `gpbench backbones list`.")],
    format_: options.Format = options.DataFormat.table,
    verbose: options.Verbose = 0,
    debug: options.Debug = False,
    no_color: options.NoColor = False,
) -> None:
    """Show a backbone: its layout and size."""
    from gpbench.models.backbone import catalog

    facts = catalog([name]).facts[name]
    item = {
        "name": name,
        "summary": _summary(name),
        "layout": facts.layout,
        "parameters": facts.parameters,
    }
    print_item("gpbench.backbones/1", item, format_)


def _summary(name: str) -> str:
    """Return the first line that timm says of a model; where it says nothing, its module's name."""
    import timm

    builder = timm.model_entrypoint(name)
    lines = (builder.__doc__ or "").strip().splitlines()
    return lines[0].strip() if lines else builder.__module__.rpartition(".")[2]
