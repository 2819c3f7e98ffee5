"""`gpbench plan`: what `run` would do, what it costs, and what it can show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gpbench.cli import experiment_options as flags
from gpbench.cli import options
from gpbench.cli.experiment_options import experiment_flags
from gpbench.cli.output import print_json, print_table, stdout
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
        help="Design check: sd of scores between pre-trainings. Default: of stored results.",
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
    show_plan(plan_experiment(config, asked, place, require_data=False), place, format_, sd=sd)


def show_plan(
    planned: Plan, place: Place, format_: options.DataFormat, *, sd: float | None
) -> None:
    """Print a plan with the states of its stages; reads the database if there is one.

    Args:
        planned: The plan.
        place: Where the database is.
        format_: Table or JSON.
        sd: Of scores between pre-trainings, percent points; None: of stored results.
    """
    document = _document(planned, place, sd)
    if format_ is options.DataFormat.json:
        print_json(document)
        return
    _print_summary(document, planned)


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


def _print_summary(document: dict[str, Any], planned: Plan) -> None:
    counts: dict[tuple[str, ...], int] = {}
    for item in document["items"]:
        cell = (item["kind"], item["arm"], item["phase"] or "", item["backbone"])
        where = item["dataset"] or f"{item['in_chans']} channels"
        counts[(*cell, where, item["state"])] = counts.get((*cell, where, item["state"]), 0) + 1
    print_table(
        ("kind", "arm", "phase", "backbone", "where", "state", "stages"),
        [(*row, str(number)) for row, number in counts.items()],
        title=f"plan of {planned.experiment.name}",
    )
    stages, estimate = document["stages"], document["estimate"]
    console, size, hours = stdout(), estimate["bytes"], estimate["gpu_hours"]
    console.print(
        f"{document['cells']} cells, {stages['total']} stages: {stages['pretrain']} pre-trainings "
        f"and {stages['finetune']} fine-tunings; {stages['done']} done, {stages['todo']} to do."
    )
    console.print(
        f"Images to train on: {estimate['images']:,}; "
        f"kept weights: {'unknown' if size is None else f'{size / 1e6:,.1f} MB'}; "
        f"time: {'not measured yet' if hours is None else f'{hours:,.2g} h one after another'}."
    )
    for line in _design_lines(document["design"]):
        console.print(line, markup=False)
    for missing in document["missing"]:
        console.print(f"missing {missing['name']}: {missing['reason']}", markup=False)
    if document["missing"]:
        console.print("What needs missing data is unprepared, and not among the images and bytes.")
    if document["partial"]:
        console.print(f"A part only: {', '.join(document['partial'])}.", markup=False)
    for excluded in document["excluded"]:
        console.print(f"excluded {excluded['name']}: {excluded['reason']}", markup=False)
    if planned.trial:
        console.print("TRIAL: a part of the experiment; its results are never ranked.")


def _design_lines(design: dict[str, Any]) -> list[str]:
    few = f"; {design['level_reason']}" if design["level_reason"] else ""
    known = "--sd" if design["sd"] is not None else "the upper 80 % limit of the stored spread"
    smallest, shown = design["p_floor"], design["detectable_difference"]
    level = (
        f"Level: {design['level']} ({design['pretrainings']} pre-trainings x "
        f"{design['finetunings']} fine-tunings per arm and dataset){few}."
    )
    if shown is None:
        gain = f"Detectable difference: unknown; {design['detectable_difference_reason']}."
    else:
        over = len(design["detectable_by_dataset"])
        where = f"on average over {over} datasets, " if over > 1 else ""
        corrected = f" / {design['contrasts']} contrasts" if design["contrasts"] > 1 else ""
        gain = (
            f"Detectable difference: {shown:.2f} pp with 80 % power, {where}alpha "
            f"{design['alpha']:g}{corrected}, by {known}."
        )
    exact = design["p_floor_reason"] or f"p of {smallest:.2g} at least"
    return [level, gain, f"Exact tests over datasets: {exact}."]
