"""`gpbench demo`: the whole flow once on a small synthetic world, to verdicts and a site."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gpbench.cli import experiment_options as flags
from gpbench.cli import options
from gpbench.cli.interruption import before_stages
from gpbench.cli.output import stderr, stdout
from gpbench.cli.run import Executor, ExecutorName, Finished, Jobs, report, run_plan
from gpbench.cli.session import Place, Running, plan_experiment

app = typer.Typer()


@app.command()
def demo(
    executor: Executor = ExecutorName.ray,
    jobs: Jobs = None,
    limit: flags.Limit = None,
    workdir: Annotated[
        Path, typer.Option(help="Where stages, database and site go.")
    ] = options.DEMO,
    format_: options.Format = options.DataFormat.table,
    verbose: options.Verbose = 0,
    debug: options.Debug = False,
    no_color: options.NoColor = False,
) -> None:
    """Pre-train, fine-tune, score, compare and publish on a small synthetic world."""
    from gpbench.config import config_folder

    place = Place(workdir, options.database_url(str(workdir / "gpbench.sqlite"), workdir))
    asked = {} if limit is None else {"limit": limit}
    with before_stages():
        plan = plan_experiment(config_folder() / "demo.yaml", asked, place, require_data=True)
    finished = run_plan(plan, place, Running(executor=executor, jobs=jobs, verbose=verbose > 0))
    report(finished, format_)
    if finished.exit_code == 0:
        _publish(finished, format_)
    raise typer.Exit(finished.exit_code)


def _publish(finished: Finished, format_: options.DataFormat) -> None:
    """Show the verdicts and build the site."""
    from gpbench.compare.stored import stored_study
    from gpbench.reports.terminal import print_comparison
    from gpbench_leaderboard.build import build_site, comparison_of

    name = finished.plan.experiment.name
    compared = comparison_of(stored_study(finished.store, name))
    if format_ is options.DataFormat.table and not isinstance(compared, str):
        print_comparison(compared, stdout(), detailed=False)
    site = build_site(finished.store, name, finished.place.workdir / "site")
    again = f"gpbench compare --workdir {finished.place.workdir}"
    told = (
        f"The site: {site.resolve()}\nThe verdicts again, with all details: {again} -v\n"
        f"As a page with figures: {again} --format html --output report.html"
    )
    stderr().print(told, markup=False, soft_wrap=True)
