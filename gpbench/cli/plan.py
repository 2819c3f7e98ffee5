"""`gpbench plan`: what `run` would do, what it costs, and what it can show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from gpbench.cli import experiment_options as flags
from gpbench.cli import options
from gpbench.cli.experiment_options import experiment_flags
from gpbench.cli.output import print_json, print_table, stdout
from gpbench.cli.session import Place, place_of, plan_experiment

if TYPE_CHECKING:
    from gpbench.core.plan import Plan

app = typer.Typer()


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
    show_plan(plan_experiment(config, asked, place, require_data=False), place, format_)


def show_plan(planned: Plan, place: Place, format_: options.DataFormat) -> None:
    """Print a plan with the states of its stages; reads the database if there is one."""
    from gpbench.planning import plan_document

    document = plan_document(planned, _states(planned, place))
    if format_ is options.DataFormat.json:
        print_json(document)
        return
    _print_summary(document, planned)


def _states(planned: Plan, place: Place) -> Any:
    from gpbench.store import Store
    from gpbench.store.database import locate

    file = locate(place.db).path
    if file is not None and not file.exists():
        return {}
    return Store.open(place.db, read_only=True).states(list(planned.stages()))


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
    stages, estimate, design = document["stages"], document["estimate"], document["design"]
    console, size = stdout(), estimate["bytes"]
    console.print(
        f"{document['cells']} cells, {stages['total']} stages: {stages['pretrain']} pre-trainings "
        f"and {stages['finetune']} fine-tunings; {stages['done']} done, {stages['todo']} to do."
    )
    console.print(
        f"Images to train on: {estimate['images']:,}; "
        f"kept weights: {'unknown' if size is None else f'{size / 1e6:,.1f} MB'}."
    )
    console.print(
        f"Level: {design['level']} ({design['pretrainings']} pre-trainings x "
        f"{design['finetunings']} fine-tunings per arm and dataset)."
    )
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
