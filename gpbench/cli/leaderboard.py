"""`gpbench leaderboard`: publishes a stored experiment as static pages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gpbench.cli import options
from gpbench.core.errors import ConfigError

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def leaderboard() -> None:
    """Build the static results site."""


@app.command()
def build(
    workdir: options.Workdir = None,
    db: options.Db = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Folder of the site. Default: WORKDIR/site.", show_default=False),
    ] = None,
    experiment: options.ExperimentName = None,
    include_images: Annotated[
        bool,
        typer.Option("--include-images", help="Show images of others too (not there yet)."),
    ] = False,
    verbose: options.Verbose = 0,
    debug: options.Debug = False,
    no_color: options.NoColor = False,
) -> None:
    """Make a site of one experiment that needs no server; print the path of its first page."""
    from gpbench.store import Store
    from gpbench_leaderboard.build import build_site

    folder = options.workdir_path(workdir)
    url = options.database_url(db, folder)
    with Store.open(url, read_only=True) as store:
        name = experiment or store.latest_experiment()
        if name is None:
            raise ConfigError(
                "no experiment is stored here yet: `gpbench run` or `gpbench demo` makes one"
            )
        site = build_site(store, name, output or folder / "site", include_images=include_images)
    typer.echo(site)
