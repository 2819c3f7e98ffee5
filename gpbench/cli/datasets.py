"""`gpbench datasets`: which downstream datasets there are, and the facts of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gpbench.cli import options
from gpbench.cli.listing import parameters, print_item, print_plugins, summary

if TYPE_CHECKING:
    from gpbench.api import Dataset
    from gpbench.core.plan import JsonObject

app = typer.Typer(no_args_is_help=True, help="List and show downstream datasets.")


@app.command("list")
def list_datasets(
    verify: Annotated[
        bool, typer.Option("--verify", help="Load each; say what is broken.")
    ] = False,
    format_: options.Format = options.DataFormat.table,
    verbose: options.Verbose = 0,
    debug: options.Debug = False,
    no_color: options.NoColor = False,
) -> None:
    """List all datasets."""
    print_plugins("datasets", format_, verify=verify)


@app.command()
def show(
    name: Annotated[
        str, typer.Argument(help="A dataset of `gpbench datasets list`, or folder[card=FILE].")
    ],
    format_: options.Format = options.DataFormat.table,
    verbose: options.Verbose = 0,
    debug: options.Debug = False,
    no_color: options.NoColor = False,
) -> None:
    """Show a dataset: bands, classes, protocol, licence; of a kind of dataset, its parameters."""
    from gpbench import registry
    from gpbench.api import ParametrisedDataset
    from gpbench.core.selector import parse_selector
    from gpbench.planning import resolve_dataset

    plugin = registry.load("datasets", parse_selector(name).parts[0].name)
    item: JsonObject
    if isinstance(plugin, ParametrisedDataset) and "[" not in name:
        item = {
            "name": name,
            "summary": summary("datasets", name),
            "parameters": parameters(plugin.params),
        }
    else:
        resolved = resolve_dataset(name, {})
        item = {
            "name": resolved.name,
            "summary": summary("datasets", resolved.plugin.name),
            **_facts(resolved.dataset),
        }
    print_item("gpbench.datasets/1", item, format_)


def _facts(dataset: Dataset) -> JsonObject:
    info, protocol = dataset.info, dataset.protocol
    return {
        "title": info.title,
        "version": info.version,
        "bands": [band.name for band in info.bands],
        "classes": list(info.classes),
        "gsd_m": info.gsd_m,
        "licence": info.licence,
        "reference": info.reference or None,
        "synthetic": info.synthetic,
        "images_may_be_shown": info.images_may_be_shown,
        "protocol": f"{protocol.name}/{protocol.version}",
        "metric": protocol.metric,
        "tile_px": protocol.tile_px,
        "stride_px": protocol.stride_px,
        "excluded": list(protocol.excluded),
        "absent": protocol.absent,
    }
