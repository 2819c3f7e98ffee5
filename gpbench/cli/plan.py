"""`gpbench plan`: what `run` would do, what it costs, and what it can show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gpbench.cli import experiment_options as flags
from gpbench.cli import options
from gpbench.cli.experiment_options import experiment_flags
from gpbench.cli.output import print_json
from gpbench.cli.session import Place, place_of, plan_experiment

if TYPE_CHECKING:
    from gpbench.core.plan import Plan

app = typer.Typer()

Spread = Annotated[
    float | None,
    typer.Option(
        "--sd",
        metavar="PP",
        min=1e-6,
        help="Design check: sd between pre-trainings of an arm's scores, averaged over backbones. "
        "Default: of stored results.",
    ),
]


@app.command()
def plan(
    config: flags.Config = None,
    strategy: flags.Strategies = None,
    backbone: flags.Backbones = None,
    datasets: flags.Datasets = None,
    source: flags.Sources = None,
    seeds: flags.Seeds = None,
    pretrain_seeds: flags.PretrainSeeds = None,
    label_fraction: flags.LabelFraction = None,
    recipe: flags.RecipeName = None,
    set_: flags.Settings = None,
    data_root: flags.DataRoots = None,
    experiment: flags.Name = None,
    limit: flags.Limit = None,
    allow_partial: flags.AllowPartial = False,
    sd: Spread = None,
    workdir: options.Workdir = None,
    db: options.Db = None,
    format_: options.Format = options.DataFormat.table,
    verbose: options.Verbose = 0,
    debug: options.Debug = False,
    no_color: options.NoColor = False,
) -> None:
    """Show what `run` would do, what it costs and what it can show."""
    asked = experiment_flags(locals())
    place = place_of(workdir, db)
    planned = plan_experiment(config, asked, place, require_data=False)
    show_plan(planned, place, format_, sd=sd, detailed=verbose > 0)


def show_plan(
    planned: Plan,
    place: Place,
    format_: options.DataFormat,
    *,
    sd: float | None,
    detailed: bool,
) -> None:
    """Print a plan with the states of its stages; reads the database if there is one.

    Args:
        planned: The plan.
        place: Where the database is.
        format_: Table or JSON.
        sd: Of scores between pre-trainings, percent points; None: of stored results.
        detailed: Whether to print what does not fit on a screen too.
    """
    document = _document(planned, place, sd)
    if format_ is options.DataFormat.json:
        print_json(document)
        return
    from gpbench.cli.plan_text import print_plan

    print_plan(document, detailed=detailed)


def _document(planned: Plan, place: Place, sd: float | None) -> dict[str, Any]:
    from gpbench.planning import Pace
    from gpbench.planning.design import Knowledge
    from gpbench.planning.document import plan_document
    from gpbench.planning.pilot import stored_pilots
    from gpbench.store import Store
    from gpbench.store.database import locate

    file = locate(place.db).path
    if file is not None and not file.exists():
        return plan_document(planned, {}, known=Knowledge(sd))
    with Store.open(place.db, read_only=True) as store:
        return plan_document(
            planned,
            store.states(list(planned.stages())),
            pace=Pace(store.durations()),
            known=Knowledge(sd, {} if sd is not None else stored_pilots(store, planned)),
        )
