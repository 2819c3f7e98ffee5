"""`gpbench strategies`: which ways to pre-train there are, and what one of them does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gpbench.cli import options
from gpbench.cli.listing import parameters, print_item, print_plugins, summary
from gpbench.cli.new_package import Output, write_package

if TYPE_CHECKING:
    from gpbench.api import Phase, Strategy
    from gpbench.core.plan import JsonObject

app = typer.Typer(
    no_args_is_help=True, help="List and show pre-training strategies; begin one of your own."
)


@app.command("list")
def list_strategies(
    verify: Annotated[
        bool, typer.Option("--verify", help="Load each; say what is broken.")
    ] = False,
    format_: options.Format = options.DataFormat.table,
    verbose: options.Verbose = 0,
    debug: options.Debug = False,
    no_color: options.NoColor = False,
) -> None:
    """List all strategies."""
    print_plugins("strategies", format_, verify=verify)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A strategy of `gpbench strategies list`.")],
    format_: options.Format = options.DataFormat.table,
    verbose: options.Verbose = 0,
    debug: options.Debug = False,
    no_color: options.NoColor = False,
) -> None:
    """Show a strategy: its phases, and its parameters with their defaults."""
    from gpbench import registry

    strategy = registry.load("strategies", name)
    print_item("gpbench.strategies/1", _facts(name, strategy), format_)


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="What the strategy is to be called: my-own.")],
    output: Output = Path(),
    verbose: options.Verbose = 0,
    debug: options.Debug = False,
    no_color: options.NoColor = False,
) -> None:
    """Write a package with a strategy of your own that works as it is, gpbench-NAME."""
    write_package("strategies", name, output)


def _facts(name: str, strategy: Strategy) -> JsonObject:
    return {
        "name": name,
        "summary": summary("strategies", name),
        "title": strategy.title,
        "version": strategy.version,
        "channels": strategy.channels,
        "phases": [_phase(phase) for phase in _default_phases(strategy)],
        "parameters": parameters(strategy.params, strategy.assumed),
    }


def _default_phases(strategy: Strategy) -> list[Phase]:
    """Return the phases under the default parameters; none where a parameter has no default."""
    from gpbench.core.params import required_params

    params: Any = strategy.params
    return [] if required_params(params) else strategy.phases(params())


def _phase(phase: Phase) -> JsonObject:
    return {"name": phase.name, "sources": list(phase.roles), "share": phase.share}
