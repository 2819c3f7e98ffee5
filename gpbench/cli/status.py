"""`gpbench status`: how far the experiments of a working directory are."""

from __future__ import annotations

import typer

from gpbench.cli import options
from gpbench.cli.output import print_json, print_table
from gpbench.cli.session import place_of

app = typer.Typer()


@app.command()
def status(
    workdir: options.Workdir = None,
    db: options.Db = None,
    experiment: options.ExperimentName = None,
    format_: options.Format = options.DataFormat.table,
    verbose: options.Verbose = 0,
    debug: options.Debug = False,
    no_color: options.NoColor = False,
) -> None:
    """Show how far the experiments of a working directory are, and what failed."""
    from gpbench.store import Store

    with Store.open(place_of(workdir, db).db, read_only=True) as store:
        found = store.status(experiment or store.latest_experiment())
    if format_ is options.DataFormat.json:
        failed = [{"key": each.key, "error": each.error, "log": each.log} for each in found.failed]
        print_json({"schema": "gpbench.status/1", "counts": found.counts, "failed": failed})
        return
    print_table(("state", "stages"), [(state, str(n)) for state, n in found.counts.items()])
    if found.failed:
        rows = [(each.key[:12], each.error or "", each.log or "") for each in found.failed]
        print_table(("failed", "error", "log"), rows)
