"""`gpbench run`: an experiment from flags or file to stored scores."""

from __future__ import annotations

import enum
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gpbench.cli import experiment_options as flags
from gpbench.cli import options
from gpbench.cli.experiment_options import experiment_flags
from gpbench.cli.interruption import INTERRUPTED, before_stages, say_how_to_continue
from gpbench.cli.output import print_json, print_table, stderr
from gpbench.cli.plan import Spread, show_plan
from gpbench.cli.session import (
    Place,
    Running,
    accept_exclusions,
    check_names,
    execute,
    executor_of,
    make_place,
    place_of,
    plan_experiment,
    prepared,
)

if TYPE_CHECKING:
    from gpbench.core.plan import Plan
    from gpbench.execution.driver import Summary
    from gpbench.store import Store

app = typer.Typer()


class Keep(enum.StrEnum):
    """Which fine-tuned weights stay on disk."""

    all = "all"
    none = "none"


class ExecutorName(enum.StrEnum):
    """What runs the stages."""

    inline = "inline"
    ray = "ray"


Executor = Annotated[ExecutorName, typer.Option(help="What runs the stages.")]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs", "-j", help="Stages at once. Default: processors / threads of the recipe."
    ),
]


@dataclass(frozen=True)
class Finished:
    """A run that ended, as `run` and `demo` report it."""

    plan: Plan
    place: Place
    store: Store
    summary: Summary
    executor: str

    @property
    def exit_code(self) -> int:
        if self.summary.interrupted:
            return INTERRUPTED
        return 3 if self.summary.failed or self.summary.blocked else 0


def run_plan(plan: Plan, place: Place, running: Running) -> Finished:
    """Prepare the data, run every stage of the plan, and return what came of it."""
    console = stderr()
    with ExitStack() as until_over:
        with before_stages():
            from gpbench.execution.files import check_storage
            from gpbench.store import Store

            check_names(plan)
            executor = until_over.enter_context(executor_of(plan, running, console))
            if running.storage is not None:
                running = replace(running, storage=check_storage(running.storage))
            make_place(place)
            store = Store.open(place.db)
            plan = prepared(plan, place)
        summary = execute(plan, place, store, console, executor, running)
    return Finished(plan, place, store, summary, executor.name)


@app.command()
def run(
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
    executor: Executor = ExecutorName.ray,
    address: Annotated[
        str | None,
        typer.Option(help="Ray cluster to join (HOST:PORT, auto). Default: this machine."),
    ] = None,
    gpus_per_stage: Annotated[
        float | None,
        typer.Option(min=0.0, help="GPUs of a stage; 0.5: two share one. Default: 1 where any."),
    ] = None,
    jobs: Jobs = None,
    storage: Annotated[
        str | None,
        typer.Option(help="Path or URL all machines reach, for stages. Default: the workdir."),
    ] = None,
    workdir: options.Workdir = None,
    db: options.Db = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Show the plan and stop: `gpbench plan`.")
    ] = False,
    sd: Spread = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Accept what is excluded without asking.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Run failed stages again, but for diverged ones.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Run every stage again.")] = False,
    timeout: Annotated[
        float | None,
        typer.Option(min=0.1, help="Seconds without progress after which a stage is ended."),
    ] = None,
    max_retries: Annotated[
        int, typer.Option(min=0, help="Restarts of a stage whose process died.")
    ] = 2,
    keep_weights: Annotated[
        Keep, typer.Option(help="Fine-tuned weights that are kept.")
    ] = Keep.all,
    format_: options.Format = options.DataFormat.table,
    verbose: options.Verbose = 0,
    debug: options.Debug = False,
    no_color: options.NoColor = False,
) -> None:
    """Pre-train, fine-tune and score an experiment; the same command again continues it."""
    asked = experiment_flags(locals())
    place = place_of(workdir, db)
    with before_stages():
        plan = plan_experiment(config, asked, place, require_data=not dry_run)
    if dry_run:
        show_plan(plan, place, format_, sd=sd, detailed=verbose > 0)
        return
    accept_exclusions(plan, yes=yes, console=stderr())
    running = Running(
        executor=executor,
        jobs=jobs,
        address=address,
        gpus_per_stage=gpus_per_stage,
        storage=storage,
        timeout_s=timeout,
        retry_failed=retry_failed,
        force=force,
        max_retries=max_retries,
        keep_weights=keep_weights is Keep.all,
        verbose=verbose > 0,
    )
    finished = run_plan(plan, place, running)
    report(finished, format_)
    raise typer.Exit(finished.exit_code)


def report(finished: Finished, format_: options.DataFormat) -> None:
    """Print what a run did: the results on stdout, what to do next on stderr."""
    document = run_document(finished)
    if format_ is options.DataFormat.json:
        print_json(document)
    else:
        _print_results(document)
    _print_summary(finished)


def run_document(finished: Finished) -> dict[str, Any]:
    """Return the document `gpbench.run/1`."""
    from gpbench.reports.results import result_rows
    from gpbench.store.database import locate

    plan, summary = finished.plan, finished.summary
    name = plan.experiment.name
    return {
        "schema": "gpbench.run/1",
        "executor": finished.executor,
        "done": len(summary.done),
        "skipped": len(summary.skipped),
        "failed": len(summary.failed),
        "blocked": len(summary.blocked),
        "excluded": [{"name": e.name, "reason": e.reason} for e in plan.excluded],
        "trial": plan.trial,
        "partial": list(plan.partial),
        "experiment": name,
        "workdir": str(finished.place.workdir),
        "db": locate(finished.place.db).shown,
        "results": result_rows(finished.store.results(name), plan.datasets),
    }


def _print_results(document: dict[str, Any]) -> None:
    columns = ("strategy", "backbone", "dataset", "labels", "seeds", "metric", "score", "majority")
    rows = [
        (
            row["strategy"],
            row["backbone"],
            row["dataset"],
            f"{row['label_fraction']:g}",
            "/".join(
                "-" if s is None else str(s) for s in (row["pretrain_seed"], row["finetune_seed"])
            ),
            row["metric"],
            f"{row['value']:.2f}",
            f"{row['majority']:.2f}",
        )
        for row in document["results"]
    ]
    if rows:
        print_table(columns, rows, title=f"experiment {document['experiment']}")


def _print_summary(finished: Finished) -> None:
    console, summary, plan = stderr(), finished.summary, finished.plan
    if plan.trial:
        console.print("TRIAL: --limit ran a part of the experiment; its results are never ranked.")
    if not (summary.done or summary.failed or summary.blocked or summary.interrupted):
        console.print(f"Nothing to do: all {len(summary.skipped)} stages were done before.")
        return
    console.print(
        f"{'Interrupted: ' if summary.interrupted else ''}{len(summary.done)} stages done, "
        f"{len(summary.skipped)} done before, {len(summary.failed)} failed, "
        f"{len(summary.blocked)} blocked."
    )
    if summary.interrupted:
        say_how_to_continue(console)
    elif summary.failed:
        console.print(
            "gpbench status shows the errors; --retry-failed runs failed stages again, "
            "but not those that diverged."
        )
