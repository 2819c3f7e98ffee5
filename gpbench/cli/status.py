"""`gpbench status`: how far an experiment is, what runs now, and what failed."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gpbench.cli import options
from gpbench.cli.begun import check_begun, experiment_name
from gpbench.cli.output import print_json, print_table, stdout
from gpbench.cli.session import place_of
from gpbench.core.errors import ConfigError

if TYPE_CHECKING:
    from gpbench.store import FailedStage, RunningStage, StoreStatus

app = typer.Typer()

Watch = Annotated[
    bool, typer.Option("--watch", help="Show it again every 2 s, until every stage has ended.")
]


@app.command()
def status(
    workdir: options.Workdir = None,
    db: options.Db = None,
    experiment: options.ExperimentName = None,
    watch: Watch = False,
    format_: options.Format = options.DataFormat.table,
    verbose: options.Verbose = 0,
    debug: options.Debug = False,
    no_color: options.NoColor = False,
) -> None:
    """Show how far an experiment is, what runs now, and what failed."""
    from gpbench.store import Store

    if watch and format_ is options.DataFormat.json:
        raise ConfigError("--watch shows text: leave it out, or --format json")
    place = place_of(workdir, db)
    check_begun(place)
    with Store.open(place.db, read_only=True) as store:
        name = experiment_name(store, place, experiment)
        if watch:
            from gpbench.cli.status_watch import watch_status

            watch_status(lambda: store.status(name))
        elif format_ is options.DataFormat.json:
            print_json(_document(store.status(name)))
        else:
            _print_status(store.status(name), every=verbose > 0)


def _document(found: StoreStatus) -> dict[str, Any]:
    return {
        "schema": "gpbench.status/1",
        "experiment": found.experiment,
        "counts": found.counts,
        "running": [
            {**_stage(each), "since": each.since, "beat": each.beat} for each in found.running
        ],
        "failed": [{**_stage(each), "error": each.error, "log": each.log} for each in found.failed],
    }


def _stage(stage: RunningStage | FailedStage) -> dict[str, Any]:
    item = asdict(stage.item)
    facts = ("kind", "phase", "arm", "backbone", "in_chans", "dataset", "label_fraction")
    names = (*facts, "pretrain_seed", "finetune_seed")
    return {"key": stage.key, **{name: item[name] for name in names}}


def _print_status(found: StoreStatus, *, every: bool) -> None:
    from rich.text import Text

    from gpbench.cli.status_failures import failure_lines
    from gpbench.cli.status_watch import beat_of, elapsed_words
    from gpbench.execution.view import beat_words, stage_label

    typer.echo(f"experiment {found.experiment}")
    print_table(
        ("state", "stages"), [(state, str(number)) for state, number in found.counts.items()]
    )
    if found.running:
        rows = [
            (stage_label(each.item), beat_words(beat_of(each)), elapsed_words(each))
            for each in found.running
        ]
        print_table(("running", "last said", "for"), rows)
    console = stdout()
    for line in failure_lines(found.failed, console.width, every=every):
        console.print(Text(line), soft_wrap=True)
