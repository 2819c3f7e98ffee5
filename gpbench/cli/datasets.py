"""`gpbench datasets`: which downstream datasets there are, the facts of one, and its files."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gpbench.cli import options
from gpbench.cli.dataset_check import check
from gpbench.cli.dataset_prepare import prepare
from gpbench.cli.dataset_preview import preview
from gpbench.cli.listing import parameters, print_item, print_plugins, summary
from gpbench.cli.named_dataset import Selector
from gpbench.cli.new_package import Output, write_package

if TYPE_CHECKING:
    from gpbench.api import Dataset
    from gpbench.core.plan import JsonObject

app = typer.Typer(
    no_args_is_help=True,
    help="List, show, prepare, check and preview downstream datasets; begin your own.",
)


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
    name: Selector,
    format_: options.Format = options.DataFormat.table,
    verbose: options.Verbose = 0,
    debug: options.Debug = False,
    no_color: options.NoColor = False,
) -> None:
    """Show a dataset: bands, classes, protocol, terms, parameters, and how its facts are known."""
    from gpbench import registry
    from gpbench.api import ParametrisedDataset
    from gpbench.core.params import required_params
    from gpbench.core.selector import parse_selector
    from gpbench.planning import resolve_dataset

    plugin_name = parse_selector(name).parts[0].name
    plugin = registry.load("datasets", plugin_name)
    item: JsonObject = {"name": name, "summary": summary("datasets", plugin_name)}
    params = plugin.params if isinstance(plugin, ParametrisedDataset) else None
    if params is None or "[" in name or not required_params(params):
        resolved = resolve_dataset(name, {})
        item |= {"name": resolved.name, **_facts(resolved.dataset)}
    if params is not None:
        item["parameters"] = parameters(params)
    print_item("gpbench.datasets/1", item, format_)


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="What the dataset is to be called: my-own.")],
    output: Output = Path(),
    verbose: options.Verbose = 0,
    debug: options.Debug = False,
    no_color: options.NoColor = False,
) -> None:
    """Write a package with a dataset of your own that works as it is, gpbench-NAME."""
    write_package("datasets", name, output)


def _facts(dataset: Dataset) -> JsonObject:
    from gpbench.api import HasFacts

    info, protocol = dataset.info, dataset.protocol
    known: JsonObject = {}
    if isinstance(dataset, HasFacts):
        known = {
            "obtain": dataset.obtain.strip(),
            "facts": [dataclasses.asdict(fact) for fact in dataset.facts],
        }
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
        **known,
    }


for command in (prepare, check, preview):
    app.command()(command)
